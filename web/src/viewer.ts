/** One picture as large as the window, upright, with the same keys as its card. */
import { shownBeside, shownNear, type Act, type Card } from "./card.js";
import { find } from "./dom.js";
import { say } from "./texts.js";

const VIEW_PX = 2048;

export class Viewer {
  private readonly dialog = find<HTMLDialogElement>("#viewer");
  private readonly image = find<HTMLImageElement>("#viewer img");
  private card: Card | undefined;
  /** The address of the view that is shown, if one is: a thumbnail's is its card's own. */
  private made = "";

  constructor(
    private readonly cards: readonly Card[],
    private readonly viewOf: (card: Card, side: number) => Promise<Blob>,
  ) {
    this.dialog.addEventListener("click", ({ target }) => target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("keydown", (event) => this.pressed(event));
    for (const button of this.dialog.querySelectorAll<HTMLButtonElement>("[data-view]")) {
      button.addEventListener("click", () => this.act(button.dataset.view!));
    }
    new ResizeObserver(() => this.fit()).observe(this.dialog);
  }

  /** Show this card's picture. */
  async open(card: Card): Promise<void> {
    this.card = card;
    if (!this.dialog.open) this.dialog.showModal();
    this.put(card.item.thumbnailUrl);
    this.update();
    const view = await this.viewOf(card, VIEW_PX).catch(() => undefined);
    if (view && this.card === card) this.put(URL.createObjectURL(view), true);
  }

  /** The picture's answer has changed. */
  update(): void {
    const { card } = this;
    if (!card) return;
    const { item } = card;
    const focused = document.activeElement as HTMLElement;
    this.image.alt = say("altAfter", { name: item.name });
    find("#viewer .name").textContent = item.name;
    find("#viewer .verdict").textContent = item.verdict().filter(Boolean).join(" · ");
    this.dialog.dataset.turn = String(item.way.turn);
    const accept = find<HTMLButtonElement>("#viewer [data-view=accept]");
    accept.hidden = !card.offers("accept");
    if (item.answer) accept.textContent = say("accept", { turn: say(`degrees${item.answer.best}`) });
    find("#viewer [data-view=undo]").hidden = !card.offers("undo");
    if (focused.hidden) find("#viewer [data-view=right]").focus();
    this.fit();
  }

  private put(address: string, made = false): void {
    URL.revokeObjectURL(this.made);
    this.made = made ? address : "";
    this.image.src = address;
    void this.image.decode().then(() => this.fit(), () => undefined);
  }

  /** The turned picture as large as its room: CSS alone lays out what is not turned. */
  private fit(): void {
    const room = this.image.parentElement!;
    const { naturalWidth: width, naturalHeight: height } = this.image;
    const { mirrored = false, turn = 0 } = this.card?.item.way ?? {};
    const [wide, high] = turn % 180 ? [height, width] : [width, height];
    const scale = Math.min(room.clientWidth / wide, room.clientHeight / high);
    if (!Number.isFinite(scale)) return;
    this.image.style.width = `${width * scale}px`;
    this.image.style.height = `${height * scale}px`;
    this.image.style.rotate = `${turn}deg`;
    this.image.style.scale = mirrored ? "-1 1" : "";
  }

  private act(name: string): void {
    if (!this.card) return;
    if (name === "close") return this.dialog.close();
    if (name !== "next" && name !== "previous") return this.card.perform(name as Act);
    const next = shownBeside(this.cards, this.card, name === "next" ? 1 : -1);
    if (next) void this.open(next);
  }

  private pressed(event: KeyboardEvent): void {
    const step = { n: "next", p: "previous", arrowright: "next", arrowleft: "previous" }[event.key.toLowerCase()];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step) this.act(step);
    else if (!this.card?.pressed(event)) return;
    event.preventDefault();
  }

  private closed(): void {
    const { card } = this;
    this.card = undefined;
    if (card) shownNear(this.cards, card)?.focus("enlarge");
  }
}
