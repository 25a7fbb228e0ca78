// What goes beside the picture: colour profile, EXIF and XMP (codec_lib/picture/metadata.py). The page keeps a profile in
// the PNG that it saves, and checks the other two without using them.
import { FileError } from "./container.js";
import { inflate } from "./png.js";

export const OPTIONAL = ["icc", "exif", "xmp"];
const MAX_BYTES = 4 << 20;
const SRGB = 0; // the only byte of a section that means sRGB

/** What a section holds, null for sRGB; FileError for what Python would refuse. */
export async function unpack(name, section, mode) {
  const what = `section ${name}`;
  if (name === "icc" && section.length === 1 && section[0] === SRGB) {
    if (mode.startsWith("L")) throw new FileError(`${what}: a profile of RGB; ${mode} takes one of GRAY`);
    return null;
  }
  const data = await inflate(section, MAX_BYTES, what);
  if (name === "icc") {
    const text = (from, to) => String.fromCharCode(...data.subarray(from, to));
    const fitting = mode.startsWith("L") ? "GRAY" : "RGB ";
    if (data.length < 128 || text(36, 40) !== "acsp") throw new FileError(`${what}: no colour profile`);
    if (text(16, 20) !== fitting)
      throw new FileError(`${what}: a profile of ${text(16, 20)}, not of ${fitting}`);
  }
  return data;
}
