// The page "Try it" (book/try.md): a photo or a `.clc` file in, a comparison and files out. Nothing is sent anywhere.
import { MAX_PIXELS } from "./codec.js";
import { FileError, lineOf, MAGIC } from "./container.js";
import { fetched, weightSizes } from "./fetched.js";
import { bitMap, bitsOf, onWhite, psnr, readPicture, rival } from "./picture.js";
import { caption, number, promised, rowsOf, secondsOf, settingOf } from "./report.js";
import { Viewer } from "./viewer.js";
import { Stopped, Work } from "./work.js";

const LARGE = 128 << 20; // bytes of memory after which the next picture gets a fresh worker
const NAMES = { flagship: "Flagship", "near-lossless": "Near-lossless", fitted: "Fitted to it" };
const KINDS = [
  ["JPEG", "image/jpeg"],
  ["WebP", "image/webp"],
];
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98,
  11,
];

const root = document.getElementById("try");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const viewer = new Viewer(part("viewer"));

const work = new Work(progress);

/** What is on the page now. */
let now = null; // {name, original, flat, analysis, result, shown: [{name, picture(), bytes, psnr, seconds}]}

function progress(stage, share) {
  part("progress").hidden = false;
  part("progress").value = share;
  if (part("status").textContent !== stage) say(stage); // a screen reader hears stages, not each percent
}

function say(text, isError = false) {
  const line = part("status");
  line.textContent = text;
  line.classList.toggle("error", isError);
}

let running = 0; // of what `during` has begun

/** Runs what takes time; an error becomes one line. */
async function during(action) {
  running++;
  root.setAttribute("aria-busy", "true");
  try {
    await action();
  } catch (error) {
    if (error instanceof Stopped) return;
    say(lineOf(error), true);
    if (!(error instanceof FileError)) throw error;
  } finally {
    if (!--running) {
      part("progress").hidden = true;
      root.removeAttribute("aria-busy");
    }
  }
}

async function isOurs(blob) {
  const start = new Uint8Array(await blob.slice(0, 4).arrayBuffer());
  return MAGIC.every((byte, k) => start[k] === byte);
}

let taken = 0; // pictures so far: of several the newest wins

/** A photo or a `.clc` file from wherever it came. */
function take(blob, name) {
  const mine = ++taken;
  const check = () => {
    if (mine !== taken) throw new Stopped();
  };
  return during(async () => {
    const base = name.replace(/\.[^.]*$/, "") || "picture";
    if ((await isOurs(blob)) || name.endsWith(".clc")) await open(blob, base, check);
    else await compress(blob, base, check);
  });
}

// Makes the worker free for a new picture, and gives back the memory of a large one. Nothing is shown that is not `now`.
function clear() {
  now = wanted = null;
  part("result").hidden = true;
  if (work.isBusy || work.memory > LARGE) work.stop();
}

async function open(blob, name, check) {
  if (blob.size > 4 * MAX_PIXELS)
    throw new FileError(`file: ${blob.size} bytes; no .clc file for this page is that long`);
  say("Opening");
  const data = new Uint8Array(await blob.arrayBuffer());
  (check(), clear());
  const result = await work.ask("open", { data });
  check();
  now = { name, original: null, flat: null, result };
  await present();
}

async function compress(blob, name, check) {
  say("Reading the picture");
  const original = await readPicture(blob, MAX_PIXELS),
    flat = onWhite(original);
  (check(), clear());
  const analysis = (await work.ask("picture", { picture: original })).seconds;
  check();
  now = { name, original, flat, analysis, result: null };
  await write();
}

let wanted = null,
  writing = false; // only the newest wish is fulfilled

async function write() {
  const bySize = part("by-size").checked;
  wanted = bySize
    ? ["fit", { bytes: Math.round(1000 * part("kilobytes").value) }]
    : ["write", { quality: +part("quality").value }];
  if (writing) return;
  writing = true;
  try {
    while (wanted) await fulfil();
  } finally {
    writing = false;
  }
}

async function fulfil() {
  const [task, message] = wanted,
    then = now;
  wanted = null;
  try {
    then.result = await work.ask(task, message);
    if (!wanted && then === now) await present();
  } catch (error) {
    if (!wanted) throw error; // else nobody wants to know any more
  }
}

function rewrite() {
  if (now?.original) during(write);
}

// What is shown makes its pixels when they are looked at: of a large photo each copy takes 50 megabytes.
async function present() {
  const { original, flat, analysis, result, name } = now,
    { picture, data } = result,
    { width, height, bits, header } = picture;
  const seen = await asSeen(picture),
    ours = NAMES[header.model],
    shown = [];
  if (original) {
    part("quality").value = header.value;
    part("quality-value").textContent = number(header.value, 1);
    if (!part("by-size").checked) part("kilobytes").value = (data.length / 1000).toFixed(1);
    shown.push({ name: "Original", picture: () => flat });
  }
  shown.push({
    name: ours,
    picture: () => seen,
    bytes: data.length,
    psnr: flat && psnr(flat, seen),
    seconds: secondsOf(result, analysis),
  });
  for (const [kind, type] of original ? KINDS : []) {
    say(`${kind} of as many bytes`);
    const found = await rival(flat, type, data.length);
    if (found)
      shown.push({
        name: kind,
        picture: () => readPicture(found.blob, Infinity),
        bytes: found.blob.size,
        psnr: found.psnr,
      });
  }
  if (now?.result !== result) return; // a newer one is on its way
  if (bits) shown.push({ name: "Bits", picture: () => bitMap(bits, width, height) });
  now.shown = shown;
  part("caption").textContent = bits ? caption(bitsOf(bits), original) : promised(picture);
  const other = shown.some(({ name }) => name === "JPEG") ? "JPEG" : "Original";
  fillChoices(shown, original ? [other, ours] : [ours, bits ? "Bits" : ours]);
  part("rows").replaceChildren(...rowsOf(shown, picture));
  part("result").hidden = false;
  part("download").onclick = () => save(new Blob([data]), `${name}.clc`);
  part("save").onclick = () => during(async () => save(await work.ask("png", { picture }), `${name}.png`));
  await compare();
  const copy = original?.reduced
    ? `The page takes ${Math.floor(MAX_PIXELS / 1e6)} megapixels at most: a smaller copy of ${original.reduced} was taken. `
    : "";
  say(
    `${copy}Done: ${width} x ${height}, ${picture.mode}, ${settingOf(header)}. ${number(data.length)} bytes.`,
  );
}

// The colours of a file with a profile are those that the browser makes of its PNG.
async function asSeen(picture) {
  if (!picture.profile) return onWhite(picture);
  return onWhite(await readPicture(await work.ask("png", { picture }), Infinity));
}

function fillChoices(shown, chosen) {
  for (const [k, side] of ["left", "right"].entries()) {
    const select = part(side),
      before = select.value;
    select.replaceChildren(...shown.map(({ name }) => new Option(name)));
    select.value = shown.some(({ name }) => name === before) && before !== "" ? before : chosen[k];
  }
  if (part("left").value === part("right").value)
    ((part("left").value = chosen[0]), (part("right").value = chosen[1]));
}

async function compare() {
  if (!now?.shown) return;
  const { shown } = now;
  const sides = ["left", "right"].map((side) => shown.find(({ name }) => name === part(side).value));
  const pictures = await Promise.all(
    sides.map(async ({ name, picture }) => ({ name, picture: await picture() })),
  );
  const isWanted = sides.every(({ name }, k) => name === part(["left", "right"][k]).value);
  if (isWanted && shown === now?.shown) viewer.show(...pictures); // not yet others
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function listen() {
  const input = part("file");
  part("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0], input.files[0].name);
    input.value = "";
  });
  part("sample").addEventListener("click", () =>
    during(async () => {
      const mine = ++taken;
      const blob = await (await fetched(new URL("sample.png", import.meta.url))).blob();
      if (mine === taken) await take(blob, "astronaut.png");
    }),
  );
  addEventListener("paste", ({ clipboardData }) => {
    const file = clipboardData?.files[0];
    if (file) take(file, file.name);
  });
  const zone = part("drop");
  for (const kind of ["dragenter", "dragover"])
    zone.addEventListener(kind, (event) => (event.preventDefault(), zone.classList.add("over")));
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    const file = event.dataTransfer.files[0];
    if (file) take(file, file.name);
  });
  part("quality").addEventListener("input", () => {
    part("by-quality").checked = true;
    part("quality-value").textContent = number(+part("quality").value, 1);
    rewrite();
  });
  part("kilobytes").addEventListener("change", () => ((part("by-size").checked = true), rewrite()));
  for (const name of ["by-quality", "by-size"]) part(name).addEventListener("change", rewrite);
  for (const side of ["left", "right"]) part(side).addEventListener("change", compare);
  for (const radio of root.querySelectorAll("[name=zoom]"))
    radio.addEventListener("change", () => viewer.fit(radio.value === "fit" ? "fit" : +radio.value));
}

/** What will be fetched; FileError where even the list of it cannot be. */
async function weightsLine() {
  const megabytes = await weightSizes();
  const when = `The weights are fetched when you choose: ${megabytes("decoder", "encoder")} megabytes, once.`;
  return `${when} To open a .clc file takes ${megabytes("decoder")} of them, or ${megabytes("near-lossless")} more.`;
}

if (!WebAssembly.validate?.(Uint8Array.from(SIMD)) || typeof OffscreenCanvas === "undefined") {
  say("This page needs a newer browser: one with WebAssembly SIMD and OffscreenCanvas.", true);
} else {
  listen();
  for (const button of root.querySelectorAll("button, input, select")) button.disabled = false;
  const line = await weightsLine().catch((error) => error);
  if (!taken) say(line.message ?? line, line instanceof FileError); // else somebody was faster, and reads another
}
