import { shownNear, type Act, type Card } from "./card.js";
import { find } from "./dom.js";
import { GROUPS, type Group, type Source } from "./item.js";
import type { Server } from "./server.js";
import { bytesAsText, say } from "./texts.js";

type Shown = (typeof GROUPS)[number] | "all";
const INTERVAL_MS = 150;

/** The bar above the pictures: how far it is, which are shown, what all of them come to. */
export class Summary {
  private shown: Shown = "all";
  private due = false;
  private packing: { done: number; all: number } | undefined;
  private readonly buttons = new Map((["all", ...GROUPS] as const).map((group) => [group, this.button(group)]));
  /** The bytes of decided pictures that were cleared: the account is of the whole visit. */
  private cleared = 0;

  constructor(
    private readonly cards: readonly Card[],
    private readonly server: Server,
  ) {}

  /** The files that can be downloaded: those with a page that is shown and done, and none that waits. */
  get savable(): Source[] {
    const wanted = (group: Group) => group !== "waiting" && group !== "failed" && (this.shown === "all" || group === this.shown);
    const sources = new Set(this.cards.filter(({ item }) => wanted(item.group)).map(({ item }) => item.source));
    return [...sources].filter(({ settled }) => settled);
  }

  /** Bring everything up to date soon, at most seven times a second however often it is asked for. */
  refreshSoon(): void {
    if (this.due) return;
    this.due = true;
    setTimeout(() => {
      this.due = false;
      this.refresh();
    }, INTERVAL_MS);
  }

  refresh(): void {
    const groups = this.cards.map(({ item }) => item.group);
    if (this.shown !== "all" && !groups.includes(this.shown)) this.shown = "all";
    this.showProgress(groups);
    // What has the focus keeps it, or hands it on: who works by keyboard would begin at the top of the page again.
    const focused = document.activeElement as HTMLElement;
    for (const [group, button] of this.buttons) {
      const number = group === "all" ? groups.length : groups.filter((each) => each === group).length;
      button.textContent = `${say(group)} ${number}`;
      button.setAttribute("aria-pressed", String(this.shown === group));
      button.hidden = group !== "all" && !number;
      if (button.hidden && button === focused) this.buttons.get("all")!.focus();
    }
    const left = this.cards.find(({ element }) => element.contains(focused));
    this.cards.forEach((card, index) => {
      card.element.hidden = this.shown !== "all" && groups[index] !== this.shown;
      card.updateSave();
    });
    if (left?.element.hidden) shownNear(this.cards, left)?.focus((focused.dataset.act ?? "right") as Act);
    this.showDownload();
    this.account();
  }

  /** How far the packing is; nothing once it is done. */
  pack(packing?: { done: number; all: number }): void {
    this.packing = packing;
    this.showDownload();
  }

  private showDownload(): void {
    const download = find<HTMLButtonElement>("#download");
    const count = this.savable.length;
    download.disabled = count === 0 || this.packing !== undefined;
    download.textContent = this.packing ? say("zipping", { ...this.packing }) : say("download", { count });
  }

  /** What was sent to the server, and what stayed here. */
  account(): void {
    const { sent, answered, bytesSent } = this.server;
    if (!sent) return;
    const all = this.cleared + this.decidedBytes;
    const kept = Math.max(0, all - bytesSent);
    const percent = all ? Math.floor((kept / all) * 1000) / 10 : 0;
    const element = find("#server-account");
    element.textContent = say("account", { sent, bytes: bytesAsText(bytesSent), saved: bytesAsText(kept), percent });
    element.dataset.answered = String(answered);
    element.dataset.bytes = String(bytesSent);
  }

  /** All cards are about to go. */
  forget(): void {
    this.cleared += this.decidedBytes;
  }

  private get decidedBytes(): number {
    const done = this.cards.filter(({ item }) => item.state === "done");
    return [...new Set(done.map(({ item }) => item.source))].reduce((sum, { file }) => sum + file.size, 0);
  }

  private showProgress(groups: Group[]): void {
    const all = groups.length;
    const done = groups.filter((group) => group !== "waiting").length;
    const progress = find<HTMLProgressElement>("#progress");
    progress.max = Math.max(1, all);
    progress.value = done;
    progress.classList.toggle("full", done === all);
    const counted = all === 1 ? "countedOne" : "counted";
    find("#count").textContent = done < all ? say("counting", { done, all }) : say(counted, { all });
  }

  private button(group: Shown): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => {
      this.shown = group;
      this.refresh();
    });
    find("#filters").append(button);
    return button;
  }
}
