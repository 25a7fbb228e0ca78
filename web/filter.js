// Section f of a file, the filter of its picture: a step, then integers under a Rice code
// (codec_lib/filtering/choice.py, codec_lib/entropy/rice.py).
import { FileError } from "./container.js";

const WEIGHTS = 3 * 46, // of three colours for each feature
  LARGEST = 4096,
  STEPS = [4, 11], // smallest and largest s of a step 2^-s
  PARAMETERS = 16; // k of a Rice code is below

/** The filter's weights, Float32Array, colour by colour; FileError for bytes that are no filter. */
export function filterOf(section) {
  const [step, k] = section;
  if (!(step >= STEPS[0] && step <= STEPS[1] && k < PARAMETERS))
    throw new FileError(`section f: step ${step}, k ${k}; not of a filter`);
  const bits = (section.length - 2) * 8;
  let at = 0;
  const next = () => {
    if (at >= bits) throw new FileError("section f: truncated");
    return (section[2 + (at >> 3)] >> (7 - (at++ & 7))) & 1;
  };
  const weights = Float32Array.from({ length: WEIGHTS }, () => {
    let count = 0;
    while (next()) if (++count > 2 * LARGEST) throw new FileError("section f: a weight beyond its range");
    for (let i = 0; i < k; i++) count = 2 * count + next();
    const value = count % 2 ? -(count + 1) / 2 : count / 2;
    if (Math.abs(value) > LARGEST) throw new FileError(`section f: weight ${value}; allowed is ${LARGEST}`);
    return value * 2 ** -step;
  });
  const end = at;
  let left = 0;
  while (at < bits) left |= next();
  if (bits - end >= 8 || left) throw new FileError("section f: bytes left over");
  return weights;
}
