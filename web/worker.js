// All that takes time, beside the page. A message {id, task, ...} is answered by one {id, result} or {id, error};
// on the way come {id, stage, share}. Weights are fetched when the first task needs them; their names hold their
// digest, so what the browser has kept of them is right for ever.
import { COARSEST, Codec, FINEST, STEP, toPng } from "./codec.js";
import { FileError, lineOf } from "./container.js";
import { fetched } from "./fetched.js";
import { Fitted } from "./fitted.js";
import { NearLossless } from "./near_lossless.js";
import { largestWithin } from "./search.js";

const address = (name) => new URL(name, import.meta.url);
const OTHERS = [NearLossless, Fitted]; // that files are opened of
let codec = null, // the flagship's
  listed = null;
const loaded = new Map(); // of the others

const fetchModule = async () => (await fetched(address("codec.wasm"), { cache: "no-cache" })).arrayBuffer();

async function fetchBytes(name, length, onProgress) {
  const answer = await fetched(address(name), { cache: "force-cache" });
  const reader = answer.body.getReader(),
    bytes = new Uint8Array(length);
  let got = 0;
  for (let piece; !(piece = await reader.read()).done; got += piece.value.length) {
    if (got + piece.value.length > length)
      throw new FileError(`weights: ${name} is longer than ${length} bytes`);
    bytes.set(piece.value, got);
    onProgress((got + piece.value.length) / length);
  }
  if (got < length) throw new FileError(`weights: ${name} broke off after ${got} of ${length} bytes`);
  return bytes;
}

/** Files of weights by what they are for, one after the other: [name, bytes]. */
async function* fetchWeights(wanted, tell) {
  listed ??= await (await fetched(address("weights.json"), { cache: "no-cache" })).json();
  const total = wanted.reduce((sum, name) => sum + listed[name].bytes, 0);
  let before = 0;
  for (const name of wanted) {
    const { file, bytes } = listed[name],
      from = before;
    const content = await fetchBytes(file, bytes, (share) =>
      tell("Fetching weights", (from + share * bytes) / total),
    );
    before += bytes;
    yield [name, content];
  }
}

/** The flagship's codec, with its encoder if that is needed. */
async function ready(withEncoder, tell) {
  if (codec && (codec.hasEncoder || !withEncoder)) return codec;
  const wanted = ["decoder", "encoder"].filter((name) => (name === "decoder" ? !codec : withEncoder));
  for await (const [name, content] of fetchWeights(wanted, tell))
    if (name === "encoder") codec.addEncoder(content);
    else codec = await Codec.load(await fetchModule(), content);
  return codec;
}

/** What decodes a file. */
async function decoderOf(data, tell) {
  const Other = OTHERS.find((each) => each.isFile(data));
  if (!Other) {
    await ready(false, tell);
    codec.forget();
    return codec;
  }
  if (!loaded.has(Other))
    for await (const [, content] of fetchWeights([Other.model], tell))
      loaded.set(Other, await Other.load(await fetchModule(), content));
  return loaded.get(Other);
}

const position = (quality) => Math.round((quality - COARSEST) / STEP);
const LAST = position(FINEST);

// A file, and the picture that it decodes to: what is shown is what the file holds.
async function written(data, started, tell, decoder = codec) {
  const encoded = performance.now(),
    picture = await decoder.decode(data, (share) => tell("Decoding", share));
  const seconds = { encode: (encoded - started) / 1000, decode: (performance.now() - encoded) / 1000 };
  return { data, picture, seconds, memory: memory() };
}

const memory = () => [codec, ...loaded.values()].reduce((sum, each) => sum + (each?.memory ?? 0), 0);

/** The codec with the picture that was analyzed; none after it has failed. */
function analyzed() {
  if (!codec?.analyzed) throw new FileError("page: the picture is lost; choose it again");
  return codec;
}

const TASKS = {
  async picture({ picture }, tell) {
    await ready(true, tell);
    const started = performance.now();
    await codec.analyze(picture, (share) => tell("Analyzing", share));
    return { seconds: (performance.now() - started) / 1000 };
  },
  async write({ quality }, tell) {
    const started = performance.now();
    return written(await analyzed().write(quality, (share) => tell("Encoding", share)), started, tell);
  },
  async fit({ bytes }, tell) {
    const started = performance.now();
    let tries = 0;
    const make = (at) => {
      const name = `Encoding, try ${++tries}`;
      return analyzed().write(COARSEST + at * STEP, (share) => tell(name, share));
    };
    const found = await largestWithin(make, bytes, LAST);
    if (!found)
      throw new FileError(`size: ${bytes} bytes are fewer than the smallest file of this picture takes`);
    return written(found.file, started, tell);
  },
  async open({ data }, tell) {
    const decoder = await decoderOf(data, tell);
    return written(data, performance.now(), tell, decoder);
  },
  price: ({ row, column }) => codec.price(row, column),
  png: ({ picture }) => toPng(picture),
};

/** What a page says of an error, and of memory that is full. */
function wordsOf(error) {
  const isFull = [codec, ...loaded.values()].some((each) => each?.isFull);
  if (isFull || (error instanceof RangeError && /alloc|memory|length/i.test(error.message)))
    return "memory: this browser has too little left for a picture of that size";
  return lineOf(error);
}

async function handle({ id, task, ...message }) {
  const tell = (stage, share) => postMessage({ id, stage, share });
  try {
    const result = await TASKS[task](message, tell);
    const buffer = result.picture?.rgba.buffer;
    postMessage({ id, result }, buffer ? [buffer] : []);
  } catch (error) {
    postMessage({ id, error: wordsOf(error) });
    if (!(error instanceof FileError)) (loaded.clear(), (codec = null)); // what has trapped is in no known state
  }
}

let queue = Promise.resolve();
onmessage = ({ data }) => (queue = queue.then(() => handle(data)));
