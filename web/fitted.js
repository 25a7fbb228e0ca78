// The codec for one picture, its decoder around the WebAssembly module: the bytes of a `.clc` file to pixels.
//
//     const codec = await Fitted.load(module, weights);
//     const { rgba, width, height } = await codec.decode(file);
//
// What the file has of a network was fitted to its picture; the weights are little more than where fits begin.
import { Codec } from "./codec.js";
import { crc32, FileError } from "./container.js";
import { check, finish, Instance } from "./instance.js";

const SECTIONS = ["n", "y"];
const GRIDS_SHARE = 0.8; // of a decoder's time, about

export class Fitted extends Instance {
  static model = "fitted";
  static loader = "load_fitted";
  static setting = "quality";
  static stages = [SECTIONS];
  static limit = 1 << 21; // pixels: 80 bytes of memory each
  static checkValue = Codec.checkValue;

  /** {width, height, mode, rgba, profile, bits, header}: no bits are known. */
  async decode(data, onProgress = () => {}) {
    const { header, sections } = this.open(data),
      { width, height, mode } = header;
    const { profile, alpha } = await this.beside(sections, header);
    await this.readGrids(sections, width, height, (share) => onProgress(GRIDS_SHARE * share));
    const rgba = await this.synthesize(width, height, (share) =>
      onProgress(GRIDS_SHARE + (1 - GRIDS_SHARE) * share),
    );
    finish(rgba, mode, alpha);
    return { width, height, mode, rgba, profile, bits: null, header };
  }

  async readGrids({ n, y }, width, height, onProgress) {
    const { module } = this,
      mark = crc32(new TextEncoder().encode(`${height} ${width}`)) & 0xffff; // of the size that y was written for
    module.release(this.base);
    const error = module.fitted_start(this.put(n), n.length, this.put(y), y.length, height, width, mark);
    check(error, SECTIONS);
    for (let total = 0, left = 1; left;) {
      left = module.fitted_next(height, width);
      if (left < 0) check(-left, SECTIONS);
      total ||= left;
      await onProgress(total ? 1 - left / total : 1);
    }
  }

  async synthesize(width, height, onProgress) {
    const { module } = this,
      rgba = new Uint8ClampedArray(4 * width * height);
    module.fitted_enlarge();
    for (let row = 0; row < height; row++) module.fitted_mix(row);
    await onProgress(0.5);
    for (let row = 0; row < height; row++) module.fitted_filter(row);
    for (let row = 0; row < height; row++) {
      const at = module.fitted_row(row);
      if (!at) throw new FileError("section n: parameters give no numbers");
      rgba.set(this.view(at, 4 * width), 4 * row * width);
    }
    await onProgress(1);
    return rgba;
  }
}
