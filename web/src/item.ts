import { climb, type Ladder, type Promised } from "../package/src/decide.js";
import type { Turn } from "../package/src/turns.js";
import type { Looked, Saved, Wanted } from "./protocol.js";
import { say } from "./texts.js";

export const GROUPS = ["turned", "kept", "unsure", "failed"] as const;
export type Group = (typeof GROUPS)[number] | "waiting";

/** What the server answers about a view: as much of upright's `Orientation` as is shown. */
export interface ServerAnswer {
  turn: Turn | null;
  best: Turn;
  confidence: number;
}

/** One picture that the user handed in, and what is known about it. */
export class Item {
  state: "waiting" | "working" | "done" | "failed" = "waiting";
  looked: Looked | undefined;
  server: ServerAnswer | undefined;
  /** The user's own turn, if there is one. */
  hand: Turn | undefined;
  error = "";
  thumbnailUrl = "";

  constructor(
    readonly file: File,
    /** With folders, where it came from one. */
    readonly name: string,
  ) {}

  /** The server's answer, or this device's. */
  get answer(): ServerAnswer | undefined {
    return this.server ?? this.looked?.orientation;
  }

  get turn(): Turn {
    return this.hand ?? this.answer?.turn ?? 0;
  }

  get unsure(): boolean {
    return this.state === "done" && this.hand === undefined && this.answer!.turn === null;
  }

  get group(): Group {
    if (this.state === "failed") return "failed";
    if (this.state !== "done") return "waiting";
    return this.unsure ? "unsure" : this.turn === 0 ? "kept" : "turned";
  }

  get method(): Saved["method"] {
    return this.turn === 0 ? "keep" : (this.looked?.method ?? "keep");
  }

  get wanted(): Wanted {
    return { file: this.file, name: this.name, turn: this.turn };
  }

  /** Answer again for another promise from what was seen; false where that takes another look at the picture. */
  judge(ladder: Ladder, promise: Promised): boolean {
    if (!this.looked) return true;
    this.server = undefined;
    const answer = climb(this.looked.looks, ladder, promise);
    if (typeof answer === "string") return false;
    this.looked.orientation = answer;
    return true;
  }

  /** The badge and the words beside it. */
  verdict(): [badge: string, detail: string] {
    if (this.state === "waiting" || this.state === "working") return [say(this.state), ""];
    if (this.state === "failed") return [say("failed"), say("cannotOpen", { reason: this.error })];
    if (this.hand !== undefined) return [say(this.hand === 0 ? "handKept" : "hand"), this.hand ? say(degrees(this.hand)) : ""];
    const answer = this.answer!;
    // 100 % is a promise that no model can keep.
    const percent = Math.min(99.9, Math.floor(answer.confidence * 1000) / 10);
    if (answer.turn !== null) {
      return [say(`turn${answer.turn}`), say(this.server ? "byServer" : "confident", { percent })];
    }
    if (!this.server && this.looked!.orientation.reason === "blank") return [say("unsure"), say("blank")];
    return [say("unsure"), say("guess", { turn: say(degrees(answer.best)), percent })];
  }

  forget(): void {
    if (this.thumbnailUrl) URL.revokeObjectURL(this.thumbnailUrl);
  }
}

function degrees(turn: Turn) {
  return `degrees${turn}` as const;
}
