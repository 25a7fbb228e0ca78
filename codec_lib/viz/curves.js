/* Moves the points of a drawing of curves to where curves.py says, and shows what is behind one of them. */
for (const figure of document.querySelectorAll(".curve-explorer:not(.live)")) {
  const all = (selector) => [...figure.querySelectorAll(selector)];
  const plot = figure.querySelector(".plot");
  const measure = figure.querySelector(".measure");
  const rate = figure.querySelector(".rate");
  const slots = all(".slot");
  const points = all(".point");
  const switches = Object.fromEntries(all("[data-switch]").map((one) => [one.dataset.switch, one]));
  const curveOf = (point) => point.parentNode.dataset.curve;
  const isShown = (point) => point.dataset[measure.value] !== undefined && switches[curveOf(point)].checked;
  const place = ({ dataset }) => [Number(dataset[rate.value]), Number(dataset[measure.value])];
  const distance = (point, x, y) => Math.hypot(place(point)[0] - x, place(point)[1] - y);
  const nearest = (some, x, y) => some.reduce((a, b) => (distance(b, x, y) < distance(a, x, y) ? b : a));
  let chosen = figure.querySelector(".chosen");

  function fill(slot, { src, said, about }) {
    Object.assign(slot.dataset, { src, said, about });
    const [image, words, file] = slot.children;
    image.hidden = !src;
    if (src) image.src = src; else image.removeAttribute("src");
    image.alt = src ? `The crop by ${said.split(":")[0]}` : "";
    [words.textContent, file.textContent] = [said, about];
  }

  function choose(point) {
    if (point === chosen) return;
    fill(slots[1], slots[0].dataset); // the one before stays beside it, to be compared
    fill(slots[0], { src: "", about: "", ...point.dataset, said: point.querySelector("title").textContent });
    mark(point);
  }

  function mark(point) {
    chosen = point;
    for (const other of points) {
      other.classList.toggle("chosen", other === point);
      other.setAttribute("aria-checked", other === point);
      other.setAttribute("tabindex", other === point ? 0 : -1);
    }
  }

  function paint() {
    for (const group of all("[data-axis]")) {
      group.style.display = [measure.value, rate.value].includes(group.dataset.axis) ? "" : "none";
    }
    for (const point of points) {
      const has = point.dataset[measure.value] !== undefined;
      point.style.display = has ? "" : "none";
      if (has) point.setAttribute("transform", `translate(${place(point).join(" ")})`);
    }
    for (const curve of all(".curve")) {
      const own = points.filter((point) => point.parentNode === curve && point.style.display === "");
      curve.querySelector(".line").setAttribute("points", own.map(place).join(" "));
      switches[curve.dataset.curve].disabled = !own.length;
    }
    // One point is looked at, and stays within reach of the keyboard.
    if (!isShown(chosen) && points.some(isShown)) choose(points.find(isShown));
  }

  function step(point, key) {
    const shown = points.filter(isShown);
    const own = shown.filter((other) => curveOf(other) === curveOf(point));
    const index = own.indexOf(point);
    if (key === "ArrowLeft") return own[Math.max(index - 1, 0)];
    if (key === "ArrowRight") return own[Math.min(index + 1, own.length - 1)];
    if (key === "Home") return own[0];
    if (key === "End") return own.at(-1);
    const names = [...new Set(shown.map(curveOf))];
    const turn = { ArrowUp: -1, ArrowDown: 1 }[key];
    if (!turn) return null;
    const name = names[(names.indexOf(curveOf(point)) + turn + names.length) % names.length];
    return nearest(shown.filter((other) => curveOf(other) === name), ...place(point));
  }

  plot.addEventListener("click", ({ clientX, clientY }) => {
    const shown = points.filter(isShown);
    if (!shown.length) return;
    const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(plot.getScreenCTM().inverse());
    nearest(shown, x, y).focus({ preventScroll: true });
  });
  plot.addEventListener("keydown", (event) => {
    const next = event.target.classList.contains("point") && step(event.target, event.key);
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  // The drawing itself gets the focus first when a finger presses on it.
  plot.addEventListener("focusin", ({ target }) => target.classList.contains("point") && choose(target));
  for (const control of [measure, rate, ...Object.values(switches)]) control.addEventListener("change", paint);

  plot.setAttribute("role", "radiogroup");
  for (const point of points) point.setAttribute("role", "radio");
  figure.querySelector(".choices").hidden = false;
  figure.classList.add("live");
  mark(chosen);
  paint();
}
