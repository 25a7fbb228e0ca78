// Pictures as the browser sees them: orientation applied, colours as on its screen (sRGB), 8 bits a sample.
import { FileError } from "./container.js";

function canvasOf(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  return { canvas, context: canvas.getContext("2d", { willReadFrequently: true }) };
}

/** {rgba, width, height} of a picture file; FileError if the browser cannot read it. `limit` is in pixels. */
export async function readPicture(blob, limit) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new FileError("picture: this browser cannot read that file as a picture");
  }
  const { width, height } = bitmap,
    scale = Math.min(1, Math.sqrt(limit / (width * height)));
  const to = [width, height].map((side) => Math.max(1, Math.floor(side * scale)));
  const { context } = canvasOf(...to);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, ...to);
  bitmap.close();
  const rgba = context.getImageData(0, 0, ...to).data;
  return { rgba, width: to[0], height: to[1], reduced: scale < 1 ? `${width} x ${height}` : null };
}

/** The same on white, without alpha: what is shown, measured, and given to codecs without alpha. */
export function onWhite({ rgba, width, height }) {
  if (isOpaque(rgba)) return { rgba, width, height };
  const flat = new Uint8ClampedArray(rgba);
  for (let k = 3; k < flat.length; k += 4) {
    const alpha = flat[k];
    if (alpha === 255) continue;
    for (let c = k - 3; c < k; c++) flat[c] = (flat[c] * alpha + 255 * (255 - alpha)) / 255;
    flat[k] = 255;
  }
  return { rgba: flat, width, height };
}

function isOpaque(rgba) {
  for (let k = 3; k < rgba.length; k += 4) if (rgba[k] !== 255) return false;
  return true;
}

/** PSNR in dB of two pictures of one size, over all samples of their colours; Infinity if they are equal. */
export function psnr(a, b) {
  let sum = 0;
  for (let k = 0; k < a.rgba.length; k++) if ((k & 3) !== 3) sum += (a.rgba[k] - b.rgba[k]) ** 2;
  return 10 * Math.log10(255 ** 2 / (sum / (3 * a.width * a.height)));
}

/** A canvas of the page that shows a picture. */
export function draw(canvas, { rgba, width, height }) {
  ((canvas.width = width), (canvas.height = height));
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
}

/** The largest number of bits that a place of the latents took, and the mean. */
export function bitsOf({ values }) {
  const most = values.reduce((largest, value) => Math.max(largest, value), 0);
  return { most, mean: values.reduce((sum, value) => sum + value, 0) / values.length };
}

/** What each place took, as a picture: dark is nothing, bright the most. */
export function bitMap(bits, width, height) {
  const { values, columns } = bits,
    most = Math.max(bitsOf(bits).most, 1e-9);
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const share = Math.sqrt(values[(y >> 4) * columns + (x >> 4)] / most);
      rgba.set([255 * share ** 1.5, 255 * share, 60 + 150 * share, 255], 4 * (y * width + x));
    }
  return { rgba, width, height };
}

/** The browser's own codec: Blobs of a picture for a quality of 0 to 100. Null where the browser has none. */
export function standardCodec(picture, type) {
  const { canvas, context } = canvasOf(picture.width, picture.height);
  context.putImageData(new ImageData(picture.rgba, picture.width, picture.height), 0, 0);
  return async (quality) => {
    const blob = await canvas.convertToBlob({ type, quality: quality / 100 });
    return blob.type === type ? blob : null; // a browser without the codec gives a PNG
  };
}

/** The browser's JPEG or WebP of at most so many bytes: {blob, psnr}; null where it makes none. */
export async function rival(picture, type, bytes) {
  const encode = standardCodec(picture, type);
  let low = 0,
    high = 100,
    best = await encode(0);
  if (!best || best.size > bytes) return null; // it has none, or none that is so short
  while (low < high) {
    const middle = (low + high + 1) >> 1,
      blob = await encode(middle);
    if (blob.size <= bytes) ((low = middle), (best = blob));
    else high = middle - 1;
  }
  return { blob: best, psnr: psnr(picture, await readPicture(best, Infinity)) };
}
