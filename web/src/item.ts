import type { Ladder, Promised } from "../package/src/decide.js";
import { judge } from "../package/src/heads.js";
import type { Tilt } from "../package/src/tilt.js";
import { isNothing, type Turn, type Way } from "../package/src/turns.js";
import { writingFor, type Writing } from "./page.js";
import type { Failure, Looked, Wanted } from "./protocol.js";
import type { KeptAnswer } from "./store.js";
import { inWords, say, type Key, type Told } from "./texts.js";

/** As the command counts, in its words and their order; `cannot` is what needs a turn and cannot be given one here. */
export const GROUPS = ["kept", "turned", "cannot", "unsure", "failed"] as const;
export type Group = (typeof GROUPS)[number] | "waiting";

/** What the server answers about a view: as much of upright's `Orientation` as is shown. */
export interface ServerAnswer {
  turn: Turn | null;
  best: Turn;
  confidence: number;
  mirrored?: boolean;
  tilt?: number;
  tilt_error?: number;
}

/** What lies on the page between one "Clear all" and the next. */
export interface Heap {
  cleared: boolean;
}

/** A file that the user handed in: one item, or one for each of its pages. */
export class Source {
  /** Its number in the store. */
  id: number | undefined;
  /** Whether the store has it, with what was last seen of it; `undefined` while it is being kept. */
  kept: boolean | undefined;
  readonly items: Item[] = [new Item(this, 0)];

  constructor(
    /** The store's own, once it is kept: whatever becomes of the one on the disk, that can be read. */
    public file: File,
    /** With folders, where it came from one. */
    readonly name: string,
    private readonly heap: Heap,
  ) {}

  /** Whether it was cleared: whatever was waited for meanwhile, nothing more is shown or kept of it. */
  get gone(): boolean {
    return this.heap.cleared;
  }

  /** Whether all of its pages are known: before that it would be saved with some of them as they were. */
  get settled(): boolean {
    return this.items.every(({ state }) => state === "done" || state === "failed");
  }

  /** The file with what is done to each of its pages. */
  get wanted(): Wanted {
    return { file: this.file, name: this.name, ways: this.items.map(({ way }) => way) };
  }

  /** Items for the pages after the first; those that are new. */
  grow(pages: number): Item[] {
    const before = this.items.length;
    while (this.items.length < pages) this.items.push(new Item(this, this.items.length));
    return this.items.slice(before);
  }
}

/** One picture, and what is known about it. */
export class Item {
  state: "waiting" | "working" | "done" | "failed" = "waiting";
  looked: Looked | undefined;
  /** The model that looked, by its version and sha256. */
  model = "";
  server: ServerAnswer | undefined;
  /** How far its text is tilted; `null` where nothing tells it, `undefined` where that was not measured. */
  tilt: Tilt | null | undefined;
  /** What the user wants done to it, if that was said. */
  hand: Way | undefined;
  error: Failure = { message: "" };
  thumbnailUrl = "";

  constructor(
    readonly source: Source,
    /** Counted from 0. */
    readonly page: number,
  ) {}

  get name(): string {
    const { name, items } = this.source;
    return items.length > 1 ? say("page", { name, page: this.page + 1 }) : name;
  }

  /** The server's answer where it is sure, else this device's, which has seen all of the picture. */
  get answer(): ServerAnswer | undefined {
    return this.byServer ? this.server : this.looked?.orientation;
  }

  private get byServer(): boolean {
    return typeof this.server?.turn === "number";
  }

  /** What is done to it. */
  get way(): Way {
    return this.hand ?? { mirrored: this.answer?.mirrored === true, turn: this.answer?.turn ?? 0 };
  }

  get unsure(): boolean {
    return this.state === "done" && this.hand === undefined && this.answer!.turn === null;
  }

  get group(): Group {
    if (this.state === "failed") return "failed";
    if (this.state !== "done") return "waiting";
    if (this.unsure) return "unsure";
    if (isNothing(this.way)) return "kept";
    return this.writing.method === "cannot" ? "cannot" : "turned";
  }

  private get writing(): Writing {
    return writingFor(this.looked!.writing, [this.way]);
  }

  /** What is done to the file, in words. */
  get note(): Key | undefined {
    if (this.state !== "done") return undefined;
    const { method, why } = this.writing;
    if (isNothing(this.way)) return method === "cannot" || this.source.items.length > 1 ? undefined : "saveKeep";
    return why ?? NOTES[method];
  }

  get kept(): KeptAnswer {
    const { model, looked, server, hand } = this;
    return { model, looked, server, hand };
  }

  /** Take what the store has of it. */
  restore({ model, looked, server, hand }: KeptAnswer): void {
    Object.assign(this, { model, looked, server, hand });
    if (looked) this.thumbnailUrl = URL.createObjectURL(looked.thumbnail);
  }

  /** Answer another question from what was seen; false where that takes another look at the picture. */
  judge(ladder: Ladder, promise: Promised, mirror: boolean): boolean {
    if (!this.looked) return false;
    this.server = undefined;
    const orientation = judge(this.looked, ladder, promise, mirror);
    if (!orientation) return false;
    Object.assign(this.looked, { orientation, mirror });
    return true;
  }

  /** The badge and the words beside it. */
  verdict(): [badge: string, detail: string] {
    const [badge, detail] = this.decided();
    return [badge, [detail, this.mirrorInWords, this.tiltInWords].filter(Boolean).join(" · ")];
  }

  /** What the badge does not say of it, where it was asked whether it is mirrored. */
  private get mirrorInWords(): string {
    if (this.state !== "done" || !this.looked!.mirror || this.hand || this.answer!.mirrored) return "";
    return say(this.answer!.mirrored === false ? "notMirrored" : "mirrorUnknown");
  }

  private get tiltInWords(): string {
    if (this.tilt === undefined || this.state !== "done") return "";
    // What the server's second network sees in a photograph counts where no lines of text tell more.
    const { tilt, tilt_error: error = 0, mirrored = false } = this.server ?? {};
    const found = this.tilt ?? (tilt === undefined ? undefined : { degrees: mirrored ? -tilt : tilt, error });
    if (!found) return say("tiltUnknown");
    const degrees = this.way.mirrored ? -found.degrees : found.degrees;
    const size = Math.abs(degrees).toFixed(2);
    const sign = Number(size) === 0 ? "" : degrees < 0 ? "−" : "+";
    return say("tilt", { degrees: sign + size, error: found.error.toFixed(2) });
  }

  private decided(): [badge: string, detail: string] {
    if (this.state === "waiting" || this.state === "working") return [say(this.state), ""];
    if (this.state === "failed") return [say("failed"), inWords(why(this.error))];
    if (this.hand) return isNothing(this.hand) ? [say("handKept"), ""] : [say("hand"), wayInWords(this.hand)];
    const answer = this.answer!;
    // 100 % is a promise that no model can keep.
    const percent = Math.min(99.9, Math.floor(answer.confidence * 1000) / 10);
    if (answer.turn !== null) {
      const words = say(this.byServer ? "byServer" : "confident", { percent });
      const needs = say(answer.mirrored ? "needsMirror" : "needs", { turn: say(degrees(answer.turn)) });
      if (this.group === "cannot") return [say("cannot"), `${needs}, ${words}`];
      return [say(`${answer.mirrored ? "mirrored" : "turn"}${answer.turn}`), words];
    }
    if (this.looked!.orientation.reason === "blank") return [say("unsure"), say("blank")];
    return [say("unsure"), say("guess", { turn: say(degrees(answer.best)), percent })];
  }

  forget(): void {
    if (this.thumbnailUrl) URL.revokeObjectURL(this.thumbnailUrl);
  }
}

/** Why something could not be done, in words if there are any. */
export function why({ message, kind }: Failure): string | Told {
  if (kind === undefined) return message;
  if (kind === "notFetched") return { key: "notFetched", gaps: { reason: message } };
  if (kind === "large") return { key: "large", gaps: { size: message } };
  if (kind === "late") return { key: "late", gaps: { seconds: message } };
  const key = REASONS[kind];
  return key ? { key } : { key: "foreign", gaps: { format: kind } };
}

const REASONS: Record<string, Key> = { "": "broken", locked: "locked", reload: "reload", NotReadableError: "changed", NotFoundError: "moved" };
const NOTES = { tag: "saveTag", png: "savePng", cannot: "cannotHere" } as const;

function degrees(turn: Turn) {
  return `degrees${turn}` as const;
}

function wayInWords({ mirrored, turn }: Way): string {
  return say(mirrored ? `mirrored${turn}` : degrees(turn));
}
