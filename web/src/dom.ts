export function find<Kind extends HTMLElement>(selector: string): Kind {
  return document.querySelector<Kind>(selector)!;
}

/** Put a text into an element, which is hidden while it has none. */
export function show(selector: string, text: string): void {
  const element = find(selector);
  element.textContent = text;
  element.hidden = text === "";
}
