// Two pictures of one size, one over the other, with a divider that a mouse, a finger and the keyboard move.
import { draw } from "./picture.js";

/** `root` holds two canvases, a divider and a range input (see book/try.md). */
export class Viewer {
  constructor(root) {
    this.root = root;
    this.stage = root.querySelector(".stage");
    this.view = root.querySelector(".view");
    [this.left, this.right] = root.querySelectorAll("canvas");
    this.divider = root.querySelector(".divider");
    this.range = root.querySelector("input[type=range]");
    this.range.addEventListener("input", () => this.place(this.range.value / 100));
    this.divider.addEventListener("pointerdown", (event) => this.follow(event));
    this.stage.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && this.zoom === "fit") this.follow(event);
    });
    this.fit();
  }

  follow(event) {
    event.preventDefault();
    this.divider.setPointerCapture?.(event.pointerId);
    const move = ({ clientX }) => {
      const { left, width } = this.stage.getBoundingClientRect();
      this.place(Math.min(Math.max((clientX - left) / width, 0), 1));
    };
    const stop = () => {
      removeEventListener("pointermove", move), removeEventListener("pointerup", stop);
      removeEventListener("pointercancel", stop);
    };
    move(event);
    addEventListener("pointermove", move), addEventListener("pointerup", stop);
    addEventListener("pointercancel", stop);
  }

  place(share) {
    this.share = share;
    this.range.value = 100 * share;
    this.stage.style.setProperty("--at", `${100 * share}%`);
  }

  /** zoom: "fit", or how many pixels of the screen a pixel takes. */
  fit(zoom = "fit") {
    this.zoom = zoom;
    const { width } = this.left;
    this.stage.style.width = zoom === "fit" ? "" : `${(width * zoom) / devicePixelRatio}px`;
    this.stage.style.maxWidth = zoom === "fit" ? `max(${width}px, 12rem)` : "none";
    this.stage.classList.toggle("enlarged", zoom === "fit" ? width < 200 : zoom > 1);
  }

  /** Each is {name, picture}. */
  show(left, right) {
    draw(this.left, left.picture), draw(this.right, right.picture);
    this.root.querySelector(".left-name").textContent = left.name;
    this.root.querySelector(".right-name").textContent = right.name;
    this.left.setAttribute("aria-label", left.name), this.right.setAttribute("aria-label", right.name);
    this.range.setAttribute("aria-valuetext", `between ${left.name} and ${right.name}`);
    this.fit(this.zoom);
    this.place(this.share ?? 0.5);
  }
}
