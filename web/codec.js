// The flagship's codec around the WebAssembly module: pixels to the bytes of a `.clc` file, and back.
//
//     const codec = await Codec.load(module, decoderWeights);
//     const { rgba, width, height } = await codec.decode(file);
//     codec.addEncoder(encoderWeights);
//     const data = await codec.encode({ rgba, width, height }, 4);
//
// It runs in a worker, in a page and in Node alike. Whoever passes `onProgress` hears shares from 0 to 1.
import { FileError, hex, write } from "./container.js";
import { filterOf } from "./filter.js";
import { check, checkSize, finish, Instance, latentsOf } from "./instance.js";
import { packPng } from "./png.js";

const STRIDE = 64,
  M = 320,
  H = 96;
export const COARSEST = 1,
  FINEST = 8,
  STEP = 1 / 256;
export const MAX_PIXELS = 1 << 24; // of this page, so that memory stays below 400 MB
const MU_UNIT = 4096, // of a mean, 1
  LAST_TABLE = 63,
  SMALLEST = 0.11,
  LARGEST = 256; // sigma of the first and of the last table
const WALK_SHARE = 0.2,
  ANALYSIS_SHARE = 0.6; // of a decoder's and of an encoder's time, about

const raw = (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

export class Codec extends Instance {
  static model = "flagship";
  static loader = "load_decoder";
  static setting = "quality";
  static stages = [["z", "y"], ["f"]];
  static limit = MAX_PIXELS;
  hasEncoder = false;
  analyzed = null;

  static checkValue(quality) {
    if (!(quality >= COARSEST && quality <= FINEST))
      throw new FileError(`quality: ${quality}; allowed is ${COARSEST} to ${FINEST}`);
  }

  addEncoder(encoder) {
    if (hex(encoder.subarray(8, 24)) !== this.digests)
      throw new FileError("weights: encoder and decoder do not belong together");
    this.forget();
    this.module.release(this.start);
    this.keep("load_encoder", encoder);
    this.hasEncoder = true;
  }

  /** {width, height, mode, rgba, profile, bits, header}: `bits` has a number for each 16 x 16 pixels. */
  async decode(data, onProgress = () => {}) {
    const { header, sections } = this.open(data),
      { width, height, mode } = header;
    const { profile, alpha } = await this.beside(sections, header);
    await this.readLatents(sections, width, height, (share) => onProgress(WALK_SHARE * share));
    const filter = sections.f && filterOf(sections.f);
    const rgba = await this.synthesize(header, filter, (share) => onProgress(WALK_SHARE + (1 - WALK_SHARE) * share));
    finish(rgba, mode, alpha);
    return { width, height, mode, rgba, profile, bits: this.bits(), header };
  }

  async readLatents({ z, y }, width, height, onProgress) {
    const { module } = this;
    module.release(this.base);
    check(module.decode_start(this.put(z), z.length, this.put(y), y.length, height, width));
    this.size = latentsOf(width, height);
    const total = this.size[0] * this.size[1];
    for (let left = total; left;) {
      left = module.decode_next();
      if (left < 0) check(-left);
      await onProgress(1 - left / total);
    }
  }

  async synthesize({ width, height, value }, filter, onProgress) {
    const rgba = new Uint8ClampedArray(4 * width * height),
      padded = this.size[1] * 16;
    const at = this.module.synthesis_start(value, filter ? this.put(raw(filter)) : 0);
    for (let row = 0, top = 0; row < this.size[0]; row++) {
      const ready = this.module.synthesis_next(row),
        pixels = this.view(at, 4 * ready * padded);
      for (let k = 0; k < ready && top < height; k++, top++)
        rgba.set(pixels.subarray(4 * k * padded, 4 * (k * padded + width)), 4 * top * width);
      await onProgress((row + 1) / this.size[0]);
    }
    return rgba;
  }

  /** The integers of the last picture, as Python's `Model.read` has them but channels last: {y, z}, Int32Array. */
  integers() {
    const places = this.size[0] * this.size[1];
    return {
      y: this.view(this.module.latents(), places * M, Int32Array).slice(),
      z: this.view(this.module.hyper_latents(), (places / 16) * H, Int32Array).slice(),
    };
  }

  /** What each place of the last picture's latents took: {values, rows, columns}, and `hyper`, what z took. */
  bits() {
    const [rows, columns] = this.size,
      values = this.view(this.module.bit_map(), rows * columns, Float64Array).slice();
    return { values, rows, columns, hyper: this.module.hyper_bits() };
  }

  /** A place of the last picture (row and column of y), channel by channel: {bits, mu, sigma, symbols, tables}. */
  price(row, column) {
    const { module } = this,
      before = module.mark(),
      at = module.alloc((8 + 3 * 4) * M);
    module.price(row * this.size[1] + column, at);
    const [mu, symbols, tables] = [0, 1, 2].map((k) => this.view(at + (8 + 4 * k) * M, M, Int32Array).slice());
    const bits = this.view(at, M, Float64Array).slice();
    module.release(before);
    const sigma = Float64Array.from(tables, (table) => SMALLEST * (LARGEST / SMALLEST) ** (table / LAST_TABLE));
    return { bits, mu: Float64Array.from(mu, (value) => value / MU_UNIT), sigma, symbols, tables };
  }

  /** The file of a picture {rgba, width, height}: grey if all of it is, with alpha if any of it is transparent. */
  async encode(picture, quality, onProgress = () => {}) {
    await this.analyze(picture, (share) => onProgress(ANALYSIS_SHARE * share));
    const data = await this.write(quality, (share) =>
      onProgress(ANALYSIS_SHARE + (1 - ANALYSIS_SHARE) * share),
    );
    this.forget();
    return data;
  }

  /** What does not depend on quality; kept until the next picture, or until `forget`. */
  async analyze({ rgba, width, height }, onProgress = () => {}) {
    checkSize(width, height, MAX_PIXELS);
    this.forget();
    const { module } = this,
      mode = modeOf(rgba),
      beside = {};
    if (mode.endsWith("A")) {
      const plane = Uint8Array.from({ length: width * height }, (_, k) => rgba[4 * k + 3]);
      beside.alpha = new Uint8Array(await (await packPng(plane, width, height, 1)).arrayBuffer());
    }
    module.release(this.start);
    const at = module.analysis_start(height, width),
      strips = Math.ceil(height / STRIDE) * 8;
    for (let strip = 0; strip < strips; strip++) {
      const levels = this.view(at, 32 * width);
      for (let k = 0; k < 8; k++) {
        const row = Math.min(8 * strip + k, height - 1); // the last one repeats
        levels.set(rgba.subarray(4 * row * width, 4 * (row + 1) * width), 4 * k * width);
      }
      module.analysis_next();
      await onProgress((strip + 1) / strips);
    }
    this.base = module.analysis_end();
    this.analyzed = { width, height, mode, beside };
  }

  /** The file of the picture that was analyzed last. */
  async write(quality, onProgress = () => {}) {
    const { module, weights, probabilities } = this,
      { width, height, mode, beside } = this.analyzed;
    const value = Math.round(Math.min(Math.max(quality, COARSEST), FINEST) / STEP) * STEP;
    module.release(this.base);
    module.encode_start(height, width, value);
    this.size = latentsOf(width, height);
    const total = this.size[0] * this.size[1],
      sections = { ...beside };
    for (let left = total; left;) {
      left = module.encode_next();
      await onProgress(1 - left / total);
    }
    ["z", "y"].forEach((name, k) => {
      sections[name] = this.view(module.stream_at(k), module.stream_length(k)).slice();
    });
    return write(
      { model: Codec.model, weights, probabilities, width, height, mode, setting: Codec.setting, value },
      sections,
    );
  }

  forget() {
    this.base = this.start;
    this.analyzed = null;
  }
}

/** L, LA, RGB or RGBA: what says all of a picture. */
export function modeOf(rgba) {
  let colour = false,
    alpha = false;
  for (let k = 0; k < rgba.length && !(colour && alpha); k += 4) {
    colour ||= rgba[k] !== rgba[k + 1] || rgba[k] !== rgba[k + 2];
    alpha ||= rgba[k + 3] !== 255;
  }
  return (colour ? "RGB" : "L") + (alpha ? "A" : "");
}

/** A picture as a PNG (Blob) with its own channels and profile. */
export function toPng({ rgba, width, height, mode, profile }) {
  const channels = { L: [0], LA: [0, 3], RGB: [0, 1, 2], RGBA: [0, 1, 2, 3] }[mode];
  const samples = new Uint8Array(width * height * channels.length);
  for (let k = 0, to = 0; k < rgba.length; k += 4) for (const c of channels) samples[to++] = rgba[k + c];
  return packPng(samples, width, height, channels.length, profile);
}
