/* Reading on paper and on a phone.

   1. What is wider than its place scrolls sideways: it fades out at the side where there is more, and the keyboard
      can reach it.
   2. A finger that moves down the page may start on a slider: then the slider stays where it was.
   3. On paper everything is open, and black on white. */

const WIDE = ".bd-article :is(pre, table, div.math, span.math, .own-scroll, .cell_output > .output)";
const NAMES = { PRE: "Code or output", TABLE: "Table", DIV: "Table, formula or output", SPAN: "Formula" };

function edges(element) {
  const left = element.scrollLeft;
  element.classList.toggle("more-right", left + element.clientWidth < element.scrollWidth - 2);
  element.classList.toggle("more-left", left > 2);
}

const scrolled = ({ currentTarget }) => edges(currentTarget); // by this name it is added once

function hint(element) {
  // The MathML beside a drawn formula, which only a screen reader sees, may be wider.
  const drawn = element.querySelector("mjx-math")?.offsetWidth;
  const needed = element.matches(".math") ? drawn : element.scrollWidth;
  const wide = needed > element.clientWidth + 2 && element.clientWidth > 0;
  if (wide === element.classList.contains("scrolls")) return wide && edges(element);
  element.classList.toggle("scrolls", wide);
  if (wide) {
    element.tabIndex = 0;
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", `${NAMES[element.tagName]}, scrolls sideways`);
    element.addEventListener("scroll", scrolled, { passive: true });
    edges(element);
  } else {
    element.classList.remove("more-right", "more-left");
    for (const name of ["tabindex", "role", "aria-label"]) element.removeAttribute(name);
  }
}

function watchWidths() {
  const all = () => document.querySelectorAll(WIDE).forEach(hint);
  all();
  document.fonts.ready.then(all); // the fonts of formulas change their width
  // Not the window's size: a sidebar that slides away gives the text its width some time after.
  const sizes = new ResizeObserver((seen) => requestAnimationFrame(() => seen.forEach(({ target }) => hint(target))));
  document.querySelectorAll(WIDE).forEach((element) => sizes.observe(element));
  document.addEventListener("toggle", all, true); // what was closed had no width
  window.matchMedia("print").addEventListener("change", () => requestAnimationFrame(all)); // paper does not scroll
}

function guardSliders() {
  const before = new WeakMap();
  const isSlider = (thing) => thing instanceof HTMLInputElement && thing.type === "range";
  document.addEventListener("pointerdown", ({ target }) => isSlider(target) && before.set(target, target.value), true);
  // The browser cancels the pointer when it begins to scroll the page.
  document.addEventListener("pointercancel", ({ target }) => {
    if (!isSlider(target) || !before.has(target)) return;
    target.value = before.get(target);
    target.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);
}

function preparePaper() {
  const root = document.documentElement;
  let closed = null;
  let theme = "";
  const open = () => {
    if (closed) return;
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => { details.open = true; });
  };
  const restore = () => {
    if (!closed) return;
    root.dataset.theme = theme;
    closed.forEach((details) => { details.open = false; });
    closed = null;
  };
  window.addEventListener("beforeprint", open);
  window.addEventListener("afterprint", restore);
  window.matchMedia("print").addEventListener("change", ({ matches }) => (matches ? open : restore)());
}

document.addEventListener("DOMContentLoaded", () => {
  watchWidths();
  guardSliders();
  preparePaper();
});
