// What the page fetches from its own folder.
import { FileError } from "./container.js";
import { number } from "./report.js";

/** The answer for a file of the page; FileError, with its name, where there is none. */
export async function fetched(url, options) {
  const name = new URL(url, import.meta.url).pathname.split("/").pop();
  let answer;
  try {
    answer = await fetch(url, options);
  } catch {
    throw new FileError(`page: ${name} cannot be fetched; is there a connection?`);
  }
  if (!answer.ok) throw new FileError(`page: ${name} cannot be fetched (${answer.status})`);
  return answer;
}

/** A function that says how many megabytes some weights have together, by their names in weights.json. */
export async function weightSizes() {
  const listed = await (await fetched(new URL("weights.json", import.meta.url), { cache: "no-cache" })).json();
  return (...names) => number(names.reduce((sum, name) => sum + listed[name].bytes, 0) / 1e6, 1);
}
