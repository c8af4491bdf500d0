import type { Item } from "./item.js";
import { say, type Key } from "./texts.js";

export type Act = "left" | "right" | "half" | "mirror" | "accept" | "undo" | "save" | "enlarge";
const KEYS: Record<string, Act> = { l: "left", r: "right", u: "half", m: "mirror", a: "accept", z: "undo", d: "save", e: "enlarge" };
const NAMED: Record<Act, Key> = {
  left: "left",
  right: "right",
  half: "half",
  mirror: "mirror",
  accept: "acceptName",
  undo: "undoName",
  save: "saveName",
  enlarge: "enlargeName",
};

/** The next card that is shown after this one, or before it (-1). */
export function shownBeside(cards: readonly Card[], card: Card, step: number): Card | undefined {
  const at = cards.indexOf(card);
  const others = step > 0 ? cards.slice(at + 1) : cards.slice(0, Math.max(0, at)).reverse();
  return others.find(({ element }) => !element.hidden);
}

/** Itself, or the nearest that is shown where it is not. */
export function shownNear(cards: readonly Card[], card: Card): Card | undefined {
  return card.element.hidden ? (shownBeside(cards, card, 1) ?? shownBeside(cards, card, -1)) : card;
}

/** What the page shows of one item. */
export class Card {
  readonly element: HTMLLIElement;
  private readonly saving: HTMLButtonElement;
  private degrees = 0;
  private shownUrl = "";

  constructor(
    readonly item: Item,
    readonly perform: (act: Act) => void,
  ) {
    const template = document.querySelector<HTMLTemplateElement>("#card")!;
    this.element = template.content.firstElementChild!.cloneNode(true) as HTMLLIElement;
    this.saving = this.element.querySelector<HTMLButtonElement>("[data-act=save]")!;
    this.element.querySelectorAll<HTMLButtonElement>("[data-act]").forEach((button) => {
      button.addEventListener("click", () => perform(button.dataset.act as Act));
    });
    this.element.addEventListener("keydown", (event) => this.pressed(event) && event.preventDefault());
    this.update();
  }

  update(): void {
    const { item } = this;
    const [badge, detail] = item.verdict();
    this.element.dataset.group = item.group;
    const { mirrored, turn } = item.way;
    this.element.dataset.turn = String(turn);
    this.element.dataset.mirrored = String(mirrored);
    const answer = item.answer;
    if (answer) {
      this.element.dataset.best = String(answer.best);
      this.element.dataset.confidence = answer.confidence.toFixed(6);
    }
    this.element.setAttribute("aria-busy", String(item.group === "waiting"));
    this.text(".name", item.name).title = item.name;
    this.text(".badge", badge);
    this.text(".detail", detail);
    this.text(".note", item.note ? say(item.note) : "");
    // Asked for now: once its button is hidden, nothing has it any more.
    const focused = document.activeElement as HTMLElement;
    const guess = answer ? say(`degrees${answer.best}`) : "";
    for (const button of this.element.querySelectorAll<HTMLButtonElement>("[data-act]")) {
      const act = button.dataset.act as Act;
      const name = say(NAMED[act], { name: item.name, turn: guess });
      button.setAttribute("aria-label", name);
      button.title = name;
      button.disabled = !this.can(act);
      button.hidden = !this.offers(act);
      if (act === "accept") button.textContent = say("accept", { turn: guess });
    }
    if (focused.hidden && this.element.contains(focused)) this.focus("right");
    this.show();
  }

  /** Move the focus here, to the same button that it was on elsewhere. */
  focus(act: Act): void {
    const button = this.element.querySelector<HTMLButtonElement>(`[data-act="${act}"]:not([hidden]):enabled`);
    (button ?? this.element.querySelector<HTMLButtonElement>("button"))?.focus();
  }

  /** Whether it can be pressed now; of a document, saving waits for the other pages. */
  private can(act: Act): boolean {
    return this.item.state === "done" && (act !== "save" || this.item.source.settled);
  }

  /** Another page has changed. */
  updateSave(): void {
    this.saving.disabled = !this.can("save");
  }

  /** Whether this is among what can be done to it. */
  offers(act: Act): boolean {
    if (this.item.state !== "done") return act !== "undo" && act !== "accept";
    if (act === "undo") return this.item.hand !== undefined;
    return act !== "accept" || (this.item.unsure && this.item.answer!.best !== 0);
  }

  private show(): void {
    const { item } = this;
    const [before, after] = this.element.querySelectorAll("img") as unknown as [HTMLImageElement, HTMLImageElement];
    before.alt = say("altBefore", { name: item.name });
    after.alt = say("altAfter", { name: item.name });
    if (item.thumbnailUrl !== this.shownUrl) {
      this.shownUrl = before.src = after.src = item.thumbnailUrl;
    }
    // The shortest way round, so that it turns as a hand would.
    const { mirrored, turn } = item.way;
    this.degrees += ((turn - this.degrees + 180) % 360 + 360) % 360 - 180;
    after.style.rotate = `${this.degrees}deg`;
    after.style.scale = mirrored ? "-1 1" : "";
  }

  private text(selector: string, text: string): HTMLElement {
    const element = this.element.querySelector<HTMLElement>(selector)!;
    if (element.textContent !== text) element.textContent = text;
    return element;
  }

  /** Do what a key stands for; false where it stands for nothing. */
  pressed(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const wanted = KEYS[event.key.toLowerCase()];
    if (!wanted || !this.can(wanted) || !this.offers(wanted)) return false;
    this.perform(wanted);
    return true;
  }
}
