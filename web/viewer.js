// Two pictures of one size, one over the other, with a divider that a mouse, a finger and the keyboard move.
import { draw } from "./picture.js";

/** `root` holds two canvases, a divider and a range input (see book/try.md). */
export class Viewer {
  constructor(root) {
    this.root = root;
    this.frame = root.querySelector(".frame");
    this.stage = root.querySelector(".stage");
    this.view = root.querySelector(".view");
    [this.left, this.right] = root.querySelectorAll("canvas");
    this.divider = root.querySelector(".divider");
    this.range = root.querySelector("input[type=range]");
    this.range.addEventListener("input", () => this.place(this.range.value / 100));
    this.view.addEventListener("scroll", () => this.place(this.share));
    this.divider.addEventListener("pointerdown", (event) => this.follow(event));
    this.stage.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && this.zoom === "fit") this.follow(event);
    });
    this.fit();
  }

  follow(event) {
    event.preventDefault();
    const move = ({ clientX }) => {
      const { left, width } = this.view.getBoundingClientRect();
      this.place(Math.min(Math.max((clientX - left) / width, 0), 1));
    };
    const stop = () => {
      removeEventListener("pointermove", move);
      for (const kind of ["pointerup", "pointercancel"]) removeEventListener(kind, stop);
    };
    move(event);
    addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, stop);
  }

  /** The divider, as a share of what can be seen. */
  place(share) {
    this.share = share;
    this.range.value = 100 * share;
    const at = (this.view.scrollLeft + share * this.view.clientWidth) / Math.max(this.stage.clientWidth, 1);
    this.stage.style.setProperty("--at", `${100 * at}%`);
  }

  /** zoom: "fit", or how many pixels of the screen a pixel takes. */
  fit(zoom = "fit") {
    this.zoom = zoom;
    const { width } = this.left,
      { view, stage } = this,
      isFit = zoom === "fit";
    this.frame.style.maxWidth = isFit ? `max(${width}px, 12rem)` : "none";
    stage.style.width = isFit ? "" : `${(width * zoom) / devicePixelRatio}px`;
    view.style.maxHeight = isFit ? "none" : "";
    stage.classList.toggle("enlarged", isFit ? width < 200 : zoom > 1);
    view.scrollTo((stage.clientWidth - view.clientWidth) / 2, (stage.clientHeight - view.clientHeight) / 2);
    this.place(this.share ?? 0.5);
  }

  /** Each is {name, picture}. */
  show(left, right) {
    const isNew = left.picture.width !== this.left.width || left.picture.height !== this.left.height;
    (draw(this.left, left.picture), draw(this.right, right.picture));
    this.root.querySelector(".left-name").textContent = left.name;
    this.root.querySelector(".right-name").textContent = right.name;
    (this.left.setAttribute("aria-label", left.name), this.right.setAttribute("aria-label", right.name));
    this.range.setAttribute("aria-valuetext", `between ${left.name} and ${right.name}`);
    if (isNew) this.fit(this.zoom);
  }
}
