// PNG of 8 bits a sample: the alpha section of a file is one (codec_lib/picture/planes.py), and a decoded picture is saved
// as one. Its own few lines, because a canvas multiplies colours by alpha and converts colour profiles.
//
// `packPng` writes 1 to 4 channels, with a colour profile if there is one. `unpackPlane` reads 8 bits of grey and
// accepts what Python accepts: a header, pixels, an end, and nothing else. Checksums of chunks are not looked at: the
// section has one of its own.
import { crc32, FileError } from "./container.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10];
const COLOUR_TYPES = { 1: 0, 2: 4, 3: 2, 4: 6 }; // by channels

/** The zlib stream of some bytes. */
export async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What a zlib stream gives, which must end where the bytes do; FileError for another, or above `limit` bytes. */
export async function inflate(bytes, limit, what) {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const parts = [];
  let length = 0;
  try {
    for (let piece; !(piece = await reader.read()).done;) {
      parts.push(piece.value);
      if ((length += piece.value.length) > limit) break;
    }
  } catch {
    throw new FileError(`${what}: damaged zlib stream`);
  }
  if (length > limit) {
    reader.cancel().catch(() => {});
    throw new FileError(`${what}: more than ${limit} bytes`);
  }
  const data = new Uint8Array(length);
  let at = 0;
  for (const part of parts) (data.set(part, at), (at += part.length));
  return data;
}

const big = (value) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];

function chunk(kind, payload) {
  const body = new Uint8Array(4 + payload.length);
  body.set(Array.from(kind, (c) => c.charCodeAt(0)));
  body.set(payload, 4);
  return [Uint8Array.from(big(payload.length)), body, Uint8Array.from(big(crc32(body)))];
}

// Paeth's predictor of PNG: left, above or above left, whichever is nearest to left + above - above left.
function paeth(left, above, corner) {
  const p = left + above - corner;
  const a = Math.abs(p - left),
    b = Math.abs(p - above),
    c = Math.abs(p - corner);
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

// Filters 0 to 4: what a sample is predicted to be.
const FILTERS = [
  () => 0,
  (left) => left,
  (left, above) => above,
  (left, above) => (left + above) >> 1,
  paeth,
];
const PAETH = 4;

/** A PNG of samples, Uint8Array (height, width, channels). */
export async function packPng(samples, width, height, channels, profile = null) {
  const row = width * channels,
    filtered = new Uint8Array(height * (1 + row));
  for (let y = 0; y < height; y++) {
    const from = y * row,
      to = y * (1 + row);
    filtered[to] = PAETH;
    for (let x = 0; x < row; x++) {
      const left = x >= channels ? samples[from + x - channels] : 0,
        above = y ? samples[from + x - row] : 0;
      const corner = y && x >= channels ? samples[from + x - row - channels] : 0;
      filtered[to + 1 + x] = samples[from + x] - paeth(left, above, corner);
    }
  }
  const parts = chunk("IHDR", [...big(width), ...big(height), 8, COLOUR_TYPES[channels], 0, 0, 0]);
  if (profile) {
    const packed = await deflate(profile);
    parts.push(...chunk("iCCP", [105, 99, 99, 0, 0, ...packed])); // its name is "icc"
  }
  parts.push(...chunk("IDAT", await deflate(filtered)), ...chunk("IEND", []));
  return new Blob([Uint8Array.from(SIGNATURE), ...parts], { type: "image/png" });
}

/** The samples of a PNG of 8 bits of grey, Uint8Array (height, width); FileError for anything else. */
export async function unpackPlane(data, width, height, what) {
  const fail = (why) => {
    throw new FileError(`${what}: ${why}`);
  };
  const start = [...SIGNATURE, 0, 0, 0, 13, 73, 72, 68, 82, ...big(width), ...big(height), 8, 0, 0, 0, 0];
  start.push(...big(crc32(Uint8Array.from(start.slice(12)))));
  if (start.some((byte, k) => data[k] !== byte)) fail(`no PNG of ${width} x ${height} with 8 bits of grey`);
  const view = new DataView(data.buffer, data.byteOffset, data.length),
    pixels = [];
  let at = SIGNATURE.length,
    last = "";
  for (let k = 0; at < data.length; k++) {
    if (at + 12 > data.length) fail("damaged PNG");
    const size = view.getUint32(at),
      end = at + 12 + size;
    last = String.fromCharCode(...data.subarray(at + 4, at + 8));
    if (end > data.length || (last === "IEND" && end !== data.length)) fail("damaged PNG");
    if (k && last !== "IDAT" && last !== "IEND") fail(`chunk ${last}; allowed is IHDR IDAT IEND`);
    if (last === "IDAT") pixels.push(data.subarray(at + 8, at + 8 + size));
    at = end;
  }
  if (last !== "IEND") fail("damaged PNG");
  const needed = height * (1 + width);
  const filtered = await inflate(new Blob(pixels), needed, what);
  if (filtered.length !== needed) fail(`pixels of another length than ${width} x ${height}`);
  const samples = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const filter = FILTERS[filtered[y * (1 + width)]] ?? fail("damaged PNG");
    for (let x = 0; x < width; x++) {
      const k = y * width + x,
        left = x ? samples[k - 1] : 0,
        above = y ? samples[k - width] : 0;
      samples[k] = filtered[k + y + 1] + filter(left, above, x && y ? samples[k - width - 1] : 0);
    }
  }
  return samples;
}
