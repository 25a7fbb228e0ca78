// Elements in one line: element("td", { className: "x" }, "text", otherElement).

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties))
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  made.replaceChildren(...children);
  return made;
}

/** Links the style that all components share, once a page. */
export function withStyle() {
  const href = new URL("components.css", import.meta.url).href;
  if (!document.querySelector(`link[href="${href}"]`))
    document.head.append(element("link", { rel: "stylesheet", href }));
}
