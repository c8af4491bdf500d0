/** What was given and passed over: how many, and on request which. */
import { find, show } from "./dom.js";

export class Passed {
  private readonly names: string[] = [];

  add(names: readonly string[]): void {
    for (const name of names) this.names.push(name);
    this.tell();
  }

  clear(): void {
    this.names.length = 0;
    this.tell();
  }

  private tell(): void {
    const count = this.names.length;
    show("#passed summary", count ? { key: "passed", gaps: { count } } : "");
    find("#passed p").textContent = this.names.join("\n");
    find("#passed").hidden = !count;
  }
}
