// What the page "Try it" says of its results in numbers.
import { element } from "./dom.js";

export const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

// Encoding and decoding; the analysis of a picture is done once, and is part of encoding it at any quality.
export function secondsOf({ seconds }, analysis) {
  const [encode, decode] = [seconds.encode + (analysis ?? 0), seconds.decode].map((value) =>
    number(value, 2),
  );
  return analysis ? `${encode} + ${decode}` : decode;
}

/** What stands under the table, from the bits of a place. */
export function caption({ mean, most }, original) {
  const range = `${number(mean, 1)} bits on average, and ${number(most)} at most, where it is brightest`;
  const bits = `Map of bits: a square of 16 x 16 pixels took ${range}.`;
  return original
    ? `JPEG and WebP are this browser's own, each the best file that is not longer. ${bits}`
    : bits;
}

/** The same of a file without a map of bits. */
export const promised = ({ promise }) =>
  promise === undefined
    ? "The decoder is in the file, and was fitted to this picture."
    : promise === null
    ? "A preview: the file ends before its residual, and promises nothing."
    : promise
      ? `Every sample is within ${promise} levels of the original's.`
      : "Lossless: every sample is the original's.";

/** What the encoder was asked for. */
export const settingOf = ({ setting, value }) => `${setting} ${number(value, setting === "quality" ? 2 : 0)}`;

/** The rows of the table: codec, bytes, bits per pixel, PSNR, seconds. */
export function rowsOf(shown, { width, height }) {
  const measured = shown.filter(({ bytes }) => bytes);
  return measured.map(({ name, bytes, psnr, seconds }) => {
    const rate = number((8 * bytes) / (width * height), 3);
    const cells = [number(bytes), rate, psnr ? number(psnr, 2) : "", seconds ?? ""];
    const head = element("th", { scope: "row" }, name);
    return element("tr", {}, head, ...cells.map((text) => element("td", {}, text)));
  });
}
