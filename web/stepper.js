// <coder-stepper message="0 0 0 0 1 2" frequencies="4 1 1">: rANS and the range coder, step by step, on a message and
// frequencies that the reader can change. What is inside of the element is shown where scripts do not run.
import { ideal, log2, rangeSteps, ransSteps, shortest, tableOf } from "./coders.js";
import { element, withStyle } from "./dom.js";

const LONGEST = 40,
  MOST = 8,
  LARGEST = 999; // symbols of a message, kinds of them, and a frequency
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7f00", "#777777"];
const CODERS = { rANS: ransSteps, "range coder": rangeSteps };

const numbers = (text) =>
  text
    .trim()
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(Number);
const within = (values, from, to) =>
  values.every((value) => Number.isInteger(value) && value >= from && value <= to);

/** {message, table}, or one line that says what is wrong. */
function understood(messageText, frequencyText) {
  const message = numbers(messageText),
    frequencies = numbers(frequencyText);
  if (!frequencies.length || frequencies.length > MOST || !within(frequencies, 1, LARGEST))
    return `frequencies: allowed are 1 to ${MOST} whole numbers from 1 to ${LARGEST}`;
  if (!message.length || message.length > LONGEST || !within(message, 0, frequencies.length - 1))
    return `message: allowed are 1 to ${LONGEST} numbers from 0 to ${frequencies.length - 1}`;
  return { message, table: tableOf(frequencies) };
}

class CoderStepper extends HTMLElement {
  connectedCallback() {
    withStyle();
    const input = (label, name) => {
      const field = element("input", { value: this.getAttribute(name) ?? "", spellcheck: false });
      field.addEventListener("input", () => this.restart());
      return { field, row: element("label", {}, element("span", {}, label), field) };
    };
    const message = input("Message", "message"),
      frequencies = input("Frequencies", "frequencies");
    this.fields = [message.field, frequencies.field];
    this.coder = element("select", {}, ...Object.keys(CODERS).map((name) => new Option(name)));
    this.coder.addEventListener("change", () => this.restart());
    this.range = element("input", { type: "range", min: 0, "aria-label": "Step" });
    this.range.addEventListener("input", () => this.draw());
    const button = (text, by) => {
      const made = element(
        "button",
        { type: "button", "aria-label": by < 0 ? "Step back" : "Step forward" },
        text,
      );
      made.addEventListener("click", () => ((this.range.value = +this.range.value + by), this.draw()));
      return made;
    };
    this.bar = element("div", { className: "bar" });
    this.said = element("p", { className: "said", role: "status" });
    this.list = element("ol", { className: "steps" });
    const coder = element("label", {}, element("span", {}, "Coder"), this.coder);
    const walk = element("div", { className: "walk" }, button("‹", -1), this.range, button("›", 1));
    this.replaceChildren(message.row, frequencies.row, coder, walk, this.bar, this.said, this.list);
    this.restart();
  }

  restart() {
    const read = understood(...this.fields.map(({ value }) => value));
    const isWrong = typeof read === "string";
    this.said.classList.toggle("error", isWrong);
    (this.list.replaceChildren(), this.bar.replaceChildren());
    this.range.disabled = isWrong;
    if (isWrong) return void (this.said.textContent = read);
    Object.assign(this, read, { steps: CODERS[this.coder.value](read.message, read.table) });
    this.range.max = this.steps.length;
    this.range.value = 0;
    this.draw();
  }

  draw() {
    if (this.range.disabled) return;
    const at = +this.range.value,
      step = this.steps[at - 1];
    const isRans = this.coder.value === "rANS";
    this.said.textContent = isRans ? this.ransText(step, at) : this.rangeText(step);
    const items = this.steps
      .slice(0, at)
      .map((step) => element("li", {}, isRans ? ransLine(step) : rangeLine(step)));
    this.list.replaceChildren(...items);
    this.list.scrollTop = this.list.scrollHeight;
    this.drawBar(step, isRans);
  }

  ransText(step, at) {
    const bits = ideal(this.message, this.table);
    if (!step)
      return `x = 1. The message costs ${bits.toFixed(2)} bits at least. rANS pushes its last symbol first.`;
    const { f, c } = this.table.rows[step.symbol],
      { M } = this.table,
      { before, slot } = step;
    if (step.task === "push")
      return (
        `push ${step.symbol}: ${M} · ⌊${before} / ${f}⌋ + ${c} + ${before % f} = ${step.x}` +
        (at === this.message.length
          ? `. All pushed: log2 x = ${log2(step.x).toFixed(2)}, at least ${bits.toFixed(2)}.`
          : "")
      );
    return (
      `pop: ${before} mod ${M} = ${slot}, which is symbol ${step.symbol}; ` +
      `x = ${f} · ⌊${before} / ${M}⌋ + ${slot} - ${c} = ${step.x}`
    );
  }

  rangeText(step) {
    const bits = ideal(this.message, this.table);
    if (!step) return `The interval is [0, 1). The message costs ${bits.toFixed(2)} bits at least.`;
    const digits = shortest(step),
      size = log2(step.scale) - log2(step.width);
    return (
      `Symbol ${step.symbol}: width 2^-${size.toFixed(2)}. ` +
      `The shortest binary number inside is 0.${digits || "0"}, ${digits.length} bits.`
    );
  }

  // The slots of the table, or the unit interval, with what the step picks out of it.
  drawBar(step, isRans) {
    const { rows, M } = this.table,
      share = (part, whole) => Number((part * 1_000_000n) / whole) / 10_000;
    const parts = rows.map(({ f }, symbol) => {
      const part = element("span", { title: `symbol ${symbol}` }, `${symbol}`);
      ((part.style.width = `${share(f, M)}%`), (part.style.background = COLOURS[symbol]));
      return part;
    });
    this.bar.replaceChildren(...parts);
    if (!step) return;
    const mark = element("i", {});
    if (isRans) ((mark.style.left = `${share(step.slot, M)}%`), (mark.style.width = `${share(1n, M)}%`));
    else
      ((mark.style.left = `${share(step.low, step.scale)}%`),
        (mark.style.width = `${share(step.width, step.scale)}%`));
    this.bar.append(mark);
  }
}

const ransLine = ({ task, symbol, x }) => `${task} ${symbol}: x = ${x}, log2 x = ${log2(x).toFixed(2)}`;
function rangeLine({ symbol, low, width, scale }) {
  const decimal = (value) => (Number((value * 10n ** 12n) / scale) / 1e12).toFixed(9);
  return `${symbol}: [${decimal(low)}, ${decimal(low + width)})`;
}

customElements.define("coder-stepper", CoderStepper);
