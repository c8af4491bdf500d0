import { inWords, type Key, type Told } from "./texts.js";

export function find<Kind extends HTMLElement>(selector: string): Kind {
  return document.querySelector<Kind>(selector)!;
}

/** Put a text into an element, which is hidden while it has none. What is told by its key changes with the language. */
export function show(selector: string, text: string | Told): void {
  const element = find(selector);
  delete element.dataset.text;
  if (typeof text === "object") Object.assign(element.dataset, { text: text.key, gaps: JSON.stringify(text.gaps ?? {}) });
  element.textContent = inWords(text);
  element.hidden = element.textContent === "";
}

/** Take a text away that is no longer so, if it is one of these. */
export function unsay(selector: string, ...keys: Key[]): void {
  if (keys.includes(find(selector).dataset.text as Key)) show(selector, "");
}
