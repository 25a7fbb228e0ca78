// <byte-surgery src="small.clc">, or with file="its bytes in base64": a file's bytes and what they mean. A press flips
// a bit, and the checks say what they see. Then the checksums can be made right, as a forger would, and the codec itself
// has to notice. What is inside of the element is shown where scripts do not run.
import { FileError, hex, inspect, write } from "./container.js";
import { element, withStyle } from "./dom.js";
import { fetched, weightSizes } from "./fetched.js";
import { draw } from "./picture.js";
import { Work } from "./work.js";

const KINDS = [
  [/^(magic|version)$/, "a"],
  [/^(mode|width|height|value)$/, "b"],
  [/^(weights|probabilities)$/, "c"],
  [/CRC/, "d"],
  [/./, "e"],
];
const kindOf = (name) => KINDS.find(([pattern]) => pattern.test(name))[1];

/** Name and kind of each byte of a file, by its place. */
function meanings(data) {
  const { fields, sections } = inspect(data),
    found = Array(data.length).fill({ name: "beyond the last section", kind: "e" });
  for (const { name, offset, size, value } of fields) {
    const text =
      typeof value === "number"
        ? value
        : value.every?.((b) => b >= 32 && b < 127)
          ? String.fromCharCode(...value)
          : "";
    found.fill({ name, kind: kindOf(name), text }, offset, offset + size);
  }
  for (const { name, offset, bytes } of sections)
    found.fill({ name: `section ${name}`, kind: "s" }, offset, offset + bytes.length);
  return found;
}

class ByteSurgery extends HTMLElement {
  asked = 0; // verdicts so far: the newest is said

  async connectedCallback() {
    withStyle();
    try {
      this.original = await this.bytes();
    } catch (error) {
      if (error instanceof FileError) return; // what is inside of the element stays
      throw error;
    }
    this.meanings = meanings(this.original);
    this.data = this.original.slice();
    this.bit = element("select", {}, ...Array.from({ length: 8 }, (_, k) => new Option(`bit ${k}`, k)));
    this.grid = element("div", { className: "bytes", role: "group", "aria-label": "The bytes of the file" });
    this.grid.replaceChildren(...Array.from(this.data, (_, k) => this.byte(k)));
    this.about = element(
      "p",
      { className: "about" },
      "Point at a byte to see what it is; press it to flip a bit.",
    );
    this.verdict = element("p", { className: "said", role: "status" });
    this.canvas = element("canvas", { role: "img", "aria-label": "What the file decodes to", hidden: true });
    const button = (text, action) => {
      const made = element("button", { type: "button" }, text);
      made.addEventListener("click", action);
      return made;
    };
    const price = element("span");
    const tools = element(
      "div",
      { className: "walk" },
      element("label", {}, "Flip ", this.bit),
      button("Restore", () => this.set(this.original.slice())),
      button("Decode", () => this.decode(this.data)),
      button("Repair checksums and decode", () => this.repair()),
      price,
    );
    this.replaceChildren(this.grid, this.about, tools, this.verdict, this.canvas);
    this.update();
    const megabytes = await weightSizes().catch(() => null); // then a press will say so
    if (megabytes) price.textContent = `Decoding fetches ${megabytes("decoder")} MB of weights, once.`;
  }

  async bytes() {
    const inside = this.getAttribute("file");
    if (inside) return Uint8Array.from(atob(inside), (character) => character.charCodeAt(0));
    return new Uint8Array(await (await fetched(this.getAttribute("src"))).arrayBuffer());
  }

  byte(k) {
    const { kind, name } = this.meanings[k];
    const made = element("button", {
      type: "button",
      className: `byte ${kind}`,
      tabIndex: k ? -1 : 0,
      title: name,
    });
    made.addEventListener("click", () => ((this.data[k] ^= 1 << this.bit.value), this.update()));
    for (const event of ["focus", "pointerenter"]) made.addEventListener(event, () => this.tell(k));
    made.addEventListener("keydown", (event) => this.walk(event, k));
    return made;
  }

  // One stop for the tabulator; inside, arrow keys. A row is as long as it looks.
  walk(event, k) {
    const cells = this.grid.children,
      row = Array.from(cells).filter((cell) => cell.offsetTop === cells[0].offsetTop).length;
    const to = k + ({ ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row }[event.key] ?? 0);
    if (to === k || !cells[to]) return;
    event.preventDefault();
    ((cells[k].tabIndex = -1), (cells[to].tabIndex = 0));
    cells[to].focus();
  }

  tell(k) {
    const { name, text } = this.meanings[k],
      was = this.original[k],
      is = this.data[k];
    const change = was === is ? "" : `, was ${hex([was])}`;
    const value = text === undefined || text === "" ? "" : ` = ${text}`;
    this.about.textContent = `Byte ${k}: ${hex([is])}${change}. ${name}${value}`;
  }

  set(data) {
    this.data = data;
    this.update();
  }

  update() {
    this.asked++;
    this.data.forEach((value, k) => {
      const cell = this.grid.children[k];
      cell.textContent = hex([value]);
      cell.classList.toggle("changed", value !== this.original[k]);
      cell.setAttribute("aria-label", `byte ${k}, ${this.meanings[k].name}, ${hex([value])}`);
    });
    this.canvas.hidden = true;
    const { problems } = inspect(this.data);
    this.say(problems.join("; ") || "All checks pass.", problems.length > 0);
  }

  say(text, isError = false) {
    this.verdict.textContent = text;
    this.verdict.classList.toggle("error", isError);
  }

  repair() {
    this.asked++;
    const { header, sections } = inspect(this.data);
    if (!header) return this.say("The header cannot be read far enough to repair it.", true);
    try {
      const bytes = Object.fromEntries(sections.map(({ name, bytes }) => [name, bytes]));
      this.decode(write(header, bytes), "With right checksums: ");
    } catch (error) {
      this.say(error.message, true);
    }
  }

  // By the codec of the page "Try it", whose weights are fetched now.
  async decode(data, before = "") {
    const mine = ++this.asked,
      isWanted = () => mine === this.asked; // else the bytes are others by now
    this.work ??= new Work();
    this.work.onProgress = (stage, share) => isWanted() && this.say(`${stage}: ${Math.round(100 * share)} %`);
    try {
      const { picture } = await this.work.ask("open", { data });
      if (!isWanted()) return;
      draw(this.canvas, picture);
      this.canvas.hidden = false;
      this.say(`${before}it decodes, to ${picture.width} x ${picture.height} pixels.`);
    } catch (error) {
      if (isWanted()) this.say(before + error.message, true);
      if (!(error instanceof FileError)) throw error;
    }
  }
}

customElements.define("byte-surgery", ByteSurgery);
