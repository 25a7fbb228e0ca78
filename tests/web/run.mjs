// Does what jobs.json in a folder asks of the page's codec and leaves answers.json there: `node run.mjs SITE FOLDER`.
//
// {decode: file} leaves what came out beside the file, as file.y, .z, .bits, .rgba (raw) and .png;
// {encode: {rgba, width, height}, quality, to} leaves a .clc file; with `again`, one of that quality, then decodes a
// file and writes the first quality once more; {inspect: file} answers with its problems.
// {decode: file, prices: true} also leaves file.prices, five float64 for each channel of each place, and says `hyper`.
// {search: {sizes, target}} answers with the length that is found among sizes, and the positions that were tried.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [site, folder] = process.argv.slice(2);
const { Codec, toPng } = await import(pathToFileURL(`${site}/codec.js`));
const { Fitted } = await import(pathToFileURL(`${site}/fitted.js`));
const { NearLossless } = await import(pathToFileURL(`${site}/near_lossless.js`));
const { FileError, inspect } = await import(pathToFileURL(`${site}/container.js`));
const { largestWithin } = await import(pathToFileURL(`${site}/search.js`));
const bytes = (name) => new Uint8Array(readFileSync(name));
const put = (name, values) => writeFileSync(`${folder}/${name}`, values);
const raw = (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

const weights = JSON.parse(readFileSync(`${site}/weights.json`));
const codec = await Codec.load(bytes(`${site}/codec.wasm`), bytes(`${site}/${weights.decoder.file}`));
codec.addEncoder(bytes(`${site}/${weights.encoder.file}`));
const load = (Other) => Other.load(bytes(`${site}/codec.wasm`), bytes(`${site}/${weights[Other.model].file}`));
const others = await Promise.all([NearLossless, Fitted].map(load));

async function decodeBy(other, name) {
  const shares = [],
    picture = await other.decode(bytes(`${folder}/${name}`), (share) => shares.push(share));
  const { width, height, mode, rgba, promise } = picture;
  put(`${name}.rgba`, raw(rgba));
  return { width, height, mode, shares, memory: other.memory, promise };
}

async function decode(name, withPrices) {
  const other = others.find((each) => each.constructor.isFile(bytes(`${folder}/${name}`)));
  if (other) return decodeBy(other, name);
  const shares = [],
    picture = await codec.decode(bytes(`${folder}/${name}`), (share) => shares.push(share));
  const { y, z } = codec.integers(),
    { width, height, mode, rgba, bits } = picture;
  (put(`${name}.y`, raw(y)),
    put(`${name}.z`, raw(z)),
    put(`${name}.bits`, raw(bits.values)),
    put(`${name}.rgba`, raw(rgba)));
  put(`${name}.png`, new Uint8Array(await (await toPng(picture)).arrayBuffer()));
  if (withPrices) {
    const places = Array.from({ length: bits.rows * bits.columns }, (_, k) => k);
    const all = places.map((k) => codec.price(Math.floor(k / bits.columns), k % bits.columns));
    const parts = all.flatMap(({ bits, mu, sigma, symbols, tables }) => [bits, mu, sigma, symbols, tables]);
    put(`${name}.prices`, raw(Float64Array.from(parts.flatMap((part) => Array.from(part)))));
  }
  return { width, height, mode, shares, memory: codec.memory, hyper: bits.hyper };
}

async function encode({ encode: { rgba, width, height }, quality, to, again }) {
  const picture = { rgba: bytes(`${folder}/${rgba}`), width, height };
  if (again) {
    await codec.analyze(picture);
    await codec.write(again.quality);
    await codec.decode(bytes(`${folder}/${again.decode}`));
    put(to, await codec.write(quality));
    codec.forget();
  } else put(to, await codec.encode(picture, quality));
  return { memory: codec.memory };
}

async function search({ sizes, target }) {
  const tried = [];
  const make = (position) => (tried.push(position), new Uint8Array(sizes[position]));
  const found = await largestWithin(make, target, sizes.length - 1);
  return { tried, length: found && found.file.length };
}

async function answer(job) {
  try {
    if (job.decode) return await decode(job.decode, job.prices);
    if (job.search) return await search(job.search);
    if (job.inspect) return inspect(bytes(`${folder}/${job.inspect}`));
    return await encode(job);
  } catch (error) {
    if (error instanceof FileError) return { refused: error.message };
    return { failed: error.stack };
  }
}

const answers = [];
for (const job of JSON.parse(readFileSync(`${folder}/jobs.json`))) answers.push(await answer(job));
writeFileSync(`${folder}/answers.json`, JSON.stringify(answers));
