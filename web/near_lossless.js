// The near-lossless codec's decoder around the WebAssembly module: the bytes of a `.clc` file to Python's pixels.
//
//     const codec = await NearLossless.load(module, weights);
//     const { rgba, width, height, promise } = await codec.decode(file);
//
// A file without its last section is a preview, and promises nothing.
import { FileError } from "./container.js";
import { check, finish, Instance, latentsOf } from "./instance.js";

const COARSEST = 20; // tau, the largest error of a sample
const LOSSY_SHARE = 0.15; // of a decoder's time, about
const GREY = 1,
  COLOUR = 3,
  LEARNS = 4; // in the same byte of section r

export class NearLossless extends Instance {
  static model = "near-lossless";
  static loader = "load_near_lossless";
  static setting = "tau";
  static stages = [["z", "y"], ["r"]];
  static limit = 1 << 21; // pixels: 140 bytes of memory each, and about 13 microseconds

  static checkValue(tau) {
    if (!(Number.isInteger(tau) && tau >= 0 && tau <= COARSEST))
      throw new FileError(`tau: ${tau}; allowed is 0 to ${COARSEST} in steps of 1`);
  }

  /** {width, height, mode, rgba, profile, bits, header, promise}: no bits are known; a preview's promise is null. */
  async decode(data, onProgress = () => {}) {
    const { header, sections } = this.open(data),
      { width, height, mode, value } = header;
    const { profile, alpha } = await this.beside(sections, header);
    await this.readLossy(sections, width, height, (share) => onProgress(LOSSY_SHARE * share));
    if (sections.r)
      await this.readResidual(sections.r, width, height, value, (share) =>
        onProgress(LOSSY_SHARE + (1 - LOSSY_SHARE) * share),
      );
    const rgba = new Uint8ClampedArray(4 * width * height);
    for (let row = 0; row < height; row++)
      rgba.set(this.view(this.module.near_row(row, width), 4 * width), 4 * row * width);
    finish(rgba, mode, alpha);
    await onProgress(1);
    return { width, height, mode, rgba, profile, bits: null, header, promise: sections.r ? value : null };
  }

  async readLossy({ z, y, r }, width, height, onProgress) {
    const { module } = this,
      colours = (r?.[0] & ~LEARNS) === GREY ? GREY : COLOUR,
      [rows] = latentsOf(width, height);
    module.release(this.base);
    check(module.near_start(this.put(z), z.length, this.put(y), y.length, height, width, colours));
    for (let row = 0; row < rows; row++) {
      module.near_next(row);
      await onProgress((row + 1) / rows);
    }
  }

  async readResidual(r, width, height, tau, onProgress) {
    const { module } = this,
      total = width * height;
    check(module.residual_start(this.put(r), r.length, height, width, tau));
    for (let left = total; left;) {
      left = module.residual_next();
      if (left < 0) check(-left);
      await onProgress(1 - left / total);
    }
  }
}
