// What the page's codecs share: an instance of the WebAssembly module with weights in it, and what any file has to be.
import { FileError, hex, inspect, read } from "./container.js";
import { OPTIONAL, unpack } from "./metadata.js";
import { unpackPlane } from "./png.js";

const ERRORS = [
  "",
  "truncated",
  "bad header",
  "bad state",
  "bad escape codes",
  "symbol out of range",
  "bytes left over",
];
const SECTIONS = ["z", "y", "r"]; // an error above 16 k is one of the k-th

// Pillow's grey of a colour, in 1/65536.
const grey = (r, g, b) => (19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16;

/** FileError for a picture above a limit of the page. */
export function checkSize(width, height, limit) {
  if (width * height > limit)
    throw new FileError(
      `size: ${width} x ${height}; this page takes ${Math.floor(limit / 1e6)} megapixels at most`,
    );
}

/** FileError for what the module said, unless it is 0. */
export function check(error, sections = SECTIONS) {
  if (error) throw new FileError(`section ${sections[error >> 4]}: ${ERRORS[error & 15]}`);
}

/**
 * Subclasses have, as static fields, `model` (a name), `loader` (the module's function that takes weights), `limit` (of
 * pixels), `setting` (a name) and `stages` (the groups of sections of a file, which may end behind any of them); and
 * `checkValue(value)`, which throws a FileError for a setting that the model has not.
 */
export class Instance {
  /** module: a WebAssembly.Module or its bytes; weights: the bytes of a .bin that the model's loader takes. */
  static async load(module, weights) {
    const result = await WebAssembly.instantiate(module, {});
    const made = new this();
    made.module = (result.instance ?? result).exports;
    made.digests = hex(weights.subarray(8, 24));
    try {
      made.keep(this.loader, weights);
    } catch (error) {
      throw made.isFull ? new RangeError("no memory for the weights") : error;
    }
    return made;
  }

  /** Whether a file says that it is one of this codec's. */
  static isFile(data) {
    return inspect(data).header?.model === this.model;
  }

  keep(loader, file) {
    if (this.module[loader](this.put(file), file.length))
      throw new FileError("weights: not those of this page");
    this.start = this.base = this.module.mark(); // all beyond is one picture's, and free again before the next
  }

  // A view of the module's memory dies when that grows: none is kept across a call.
  view(at, length, type = Uint8Array) {
    return new type(this.module.memory.buffer, at, length);
  }
  put(bytes) {
    const at = this.module.alloc(bytes.length);
    this.view(at, bytes.length).set(bytes);
    return at;
  }
  get memory() {
    return this.module.memory.buffer.byteLength;
  }
  /** Whether it has failed for want of memory. */
  get isFull() {
    return !!this.module.is_full();
  }
  get weights() {
    return this.digests.slice(0, 16);
  }
  get probabilities() {
    return this.digests.slice(16);
  }

  /** Header and sections of a file that this codec can decode; FileError for another. */
  open(data) {
    const { header, sections } = read(data),
      { model, setting, stages, limit } = this.constructor;
    if (header.model !== model)
      throw new FileError(`model: ${header.model}; expected ${model}; the Python library reads others`);
    for (const name of ["weights", "probabilities"])
      if (header[name] !== this[name])
        throw new FileError(`${name}: the file needs ${header[name]}, here are ${this[name]}`);
    if (header.setting !== setting) throw new FileError(`setting: ${header.setting}; ${model} has ${setting}`);
    this.constructor.checkValue(header.value);
    if (header.mode.endsWith(";16"))
      throw new FileError(`mode: ${header.mode}; this page decodes 8 bits a sample`);
    const beside = header.mode.endsWith("A") ? ["alpha"] : [];
    const held = Object.keys(sections)
      .filter((name) => !OPTIONAL.includes(name))
      .sort();
    // Names are joined by what no name contains.
    const allowed = stages.map((_, k) => [...beside, ...stages.slice(0, k + 1).flat()].sort().join("\n"));
    if (!allowed.includes(held.join("\n")))
      throw new FileError(`sections: ${held}; this file has ${allowed[allowed.length - 1].split("\n")}`);
    checkSize(header.width, header.height, limit);
    return { header, sections };
  }

  /** The profile, null if there is none, and alpha, undefined if there is none; FileError for bad ones. */
  async beside(sections, { width, height, mode }) {
    const found = {};
    for (const name of OPTIONAL) if (sections[name]) found[name] = await unpack(name, sections[name], mode);
    const alpha = sections.alpha && (await unpackPlane(sections.alpha, width, height, "section alpha"));
    return { profile: found.icc ?? null, alpha };
  }
}

/** Makes the pixels of a picture those of its mode: grey in all colours, with its alpha. */
export function finish(rgba, mode, alpha) {
  if (mode.startsWith("L"))
    for (let k = 0; k < rgba.length; k += 4)
      rgba[k] = rgba[k + 1] = rgba[k + 2] = grey(rgba[k], rgba[k + 1], rgba[k + 2]);
  if (alpha) for (let k = 0; k < alpha.length; k++) rgba[4 * k + 3] = alpha[k];
}

// Rows and columns of y.
export const latentsOf = (width, height) => [height, width].map((side) => Math.ceil(side / 64) * 4);
