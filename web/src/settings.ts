/** What the page remembers between visits. Asking the server is not among it: that is off at every start. */
const PREFIX = "upright.";

export function recall<Value extends string>(name: string, known: readonly Value[]): Value | undefined {
  try {
    const value = localStorage.getItem(PREFIX + name) as Value | null;
    return value !== null && known.includes(value) ? value : undefined;
  } catch {
    return undefined; // storage is blocked
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // storage is blocked
  }
}
