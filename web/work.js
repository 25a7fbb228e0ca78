// What a page asks of the worker, as promises. Progress goes to one listener, `onProgress(stage, share)`.
import { FileError } from "./container.js";

/** Why a promise was broken: somebody has stopped the worker, for something newer. */
export class Stopped extends Error {}

export class Work {
  constructor(onProgress) {
    this.onProgress = onProgress;
    this.worker = null;
    this.asked = new Map(); // by number
    this.count = 0;
    this.memory = 0; // bytes that the codec has taken, as far as its worker has said
  }

  get isBusy() {
    return this.asked.size > 0;
  }

  /** The result of a task of worker.js; FileError for one that failed, Stopped for one that was stopped. */
  ask(task, message = {}) {
    this.worker ??= this.start();
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject });
      this.worker.postMessage({ id, task, ...message });
    });
  }

  /** Ends what is going on, and gives all memory back; the next task starts a new worker. */
  stop() {
    this.end(new Stopped());
  }

  end(reason) {
    this.worker?.terminate();
    this.worker = null;
    this.memory = 0;
    this.rejectAll(reason);
  }

  start() {
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => this.heard(data);
    worker.onerror = ({ message }) => {
      this.end(new FileError(`page: ${message || "its worker cannot start"}`)); // the next task starts another
    };
    return worker;
  }

  rejectAll(reason) {
    for (const { reject } of this.asked.values()) reject(reason);
    this.asked.clear();
  }

  heard({ id, stage, share, result, error }) {
    const promise = this.asked.get(id);
    if (!promise) return;
    if (stage) return void this.onProgress(stage, share);
    this.asked.delete(id);
    this.memory = result?.memory ?? this.memory;
    if (error) promise.reject(new FileError(error));
    else promise.resolve(result);
  }
}
