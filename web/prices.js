// <latent-prices src="portrait.clc">: what each latent of a small file costs. The file is decoded here, and over the
// picture lie its places, the brighter the dearer. A press, or the arrow keys, choose one; a table lists its dearest
// channels: what the prior expected, what came, and the bits. What is inside of the element is shown where scripts do
// not run.
import { FileError, inspect } from "./container.js";
import { element, withStyle } from "./dom.js";
import { fetched, weightSizes } from "./fetched.js";
import { draw } from "./picture.js";
import { number } from "./report.js";
import { Work } from "./work.js";

const SHOWN = 8, // channels in the table
  SIDE = 16; // pixels of a place
const HEADS = ["channel", "μ", "σ", "symbol", "P", "bits"];

class LatentPrices extends HTMLElement {
  async connectedCallback() {
    withStyle();
    this.said = element("p", { className: "said", role: "status" });
    const start = element("button", { type: "button" }, "Open the file here");
    start.addEventListener("click", () => ((start.disabled = true), this.open(start)));
    this.replaceChildren(start, this.said);
    const megabytes = await weightSizes().catch(() => null); // then a press will say so
    if (megabytes) start.textContent += ` (fetches ${megabytes("decoder")} MB of weights)`;
  }

  async open(start) {
    this.work ??= new Work((stage, share) => (this.said.textContent = `${stage}: ${Math.round(100 * share)} %`));
    try {
      const data = new Uint8Array(await (await fetched(this.getAttribute("src"))).arrayBuffer());
      this.lengths = Object.fromEntries(inspect(data).sections.map(({ name, length }) => [name, length]));
      const { picture } = await this.work.ask("open", { data });
      this.show(picture);
    } catch (error) {
      this.said.textContent = error.message;
      this.said.classList.add("error");
      start.disabled = false;
      if (!(error instanceof FileError)) throw error;
    }
  }

  show(picture) {
    this.bits = picture.bits;
    const { values, rows, columns } = this.bits,
      canvas = element("canvas", { role: "img", "aria-label": "The decoded picture" });
    draw(canvas, picture);
    const label = `Bits of ${rows} rows of ${columns} places`;
    this.grid = element("div", { className: "places", role: "group", "aria-label": label });
    this.grid.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
    this.grid.style.aspectRatio = `${columns} / ${rows}`;
    const most = Math.max(...values);
    this.grid.replaceChildren(...Array.from(values, (value, k) => this.place(k, value / most)));
    const map = element("div", { className: "map" }, canvas, this.grid);
    map.style.maxWidth = `${3 * SIDE * columns}px`;
    const seen = element("input", { type: "checkbox", checked: true });
    seen.addEventListener("change", () => this.grid.classList.toggle("clear", !seen.checked));
    this.about = element("p", { className: "about" });
    this.table = element("table");
    this.scroll = element("div", { className: "own-scroll" }, this.table);
    const toggle = element("label", {}, seen, " Show the bits over the picture");
    this.replaceChildren(map, toggle, this.said, this.scroll, this.about);
    this.about.textContent = this.total();
    this.choose(values.indexOf(most));
  }

  place(k, share) {
    const { values, columns } = this.bits,
      where = `row ${Math.floor(k / columns)}, column ${k % columns}`;
    const made = element("button", {
      type: "button",
      tabIndex: -1,
      "aria-label": `${where}: ${number(values[k], 0)} bits`,
      "aria-pressed": "false",
    });
    made.style.setProperty("--share", share.toFixed(3));
    made.addEventListener("click", () => this.choose(k));
    made.addEventListener("keydown", (event) => this.walk(event, k));
    return made;
  }

  // One stop for the tabulator; inside, arrow keys.
  walk(event, k) {
    const { columns, values } = this.bits,
      column = k % columns;
    const by = {
      ArrowRight: column < columns - 1 ? 1 : 0,
      ArrowLeft: column ? -1 : 0,
      ArrowDown: columns,
      ArrowUp: -columns,
    }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    if (!by || !(k + by in values)) return;
    this.choose(k + by);
    this.grid.children[k + by].focus();
  }

  async choose(k) {
    const { columns } = this.bits,
      [row, column] = [Math.floor(k / columns), k % columns];
    Array.from(this.grid.children).forEach((place, other) => {
      place.tabIndex = other === k ? 0 : -1;
      place.setAttribute("aria-pressed", String(other === k));
    });
    this.chosen = k;
    const price = await this.work.ask("price", { row, column });
    if (this.chosen === k) this.tell(row, column, price);
  }

  tell(row, column, { bits, mu, sigma, symbols }) {
    const order = Array.from(bits.keys()).sort((a, b) => bits[b] - bits[a]),
      sum = (channels) => channels.reduce((total, c) => total + bits[c], 0);
    const rows = order.slice(0, SHOWN).map((c) => [
      `${c}`,
      number(Math.round(100 * mu[c]) / 100 + 0, 2), // no -0.00
      number(sigma[c], 2),
      `${symbols[c]}`,
      probability(bits[c]),
      number(bits[c], 2),
    ]);
    const others = order.slice(SHOWN);
    const cells = (name, texts) => texts.map((text) => element(name, { scope: "col" }, text));
    this.table.replaceChildren(
      element("caption", {}, `Row ${row}, column ${column}: its ${SHOWN} dearest channels`),
      element("thead", {}, element("tr", {}, ...cells("th", HEADS))),
      element("tbody", {}, ...rows.map((texts) => element("tr", {}, ...texts.map((text) => element("td", {}, text))))),
    );
    this.said.textContent =
      `Row ${row}, column ${column}: ${number(sum(order), 1)} bits in ${bits.length} channels; ` +
      `the ${SHOWN} below ${number(sum(order.slice(0, SHOWN)), 1)}, the other ${others.length} ` +
      `${number(sum(others), 1)}.`;
  }

  /** All places, beside what the file has. */
  total() {
    const { values, hyper } = this.bits,
      y = values.reduce((sum, value) => sum + value, 0);
    const line = (name, bits) =>
      `${name}: ${number(bits, 1)} bits, ${number(bits / 8, 1)} bytes; the file's section has ${this.lengths[name]}`;
    return `All ${values.length} places of ${line("y", y)}. Of ${line("z", hyper)}. The rest is the coder's.`;
  }
}

// A chance as a share, or as one in so many where it is small.
const probability = (bits) => (bits < 6.6 ? number(2 ** -bits, 2) : `1 in ${number(2 ** bits, 0)}`);

customElements.define("latent-prices", LatentPrices);
