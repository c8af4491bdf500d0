/**
 * Whether a picture is mirrored, by a model's second network: the steps of upright's `heads.py`, which gives the reasons.
 * Text is mirrored where its mirror image reads better, each as upright as the first network makes it, in the same windows.
 */
import { climb, type Ladder, type Orientation, type Promised } from "./decide.js";
import { isBlank, type Engine } from "./engine.js";
import type { HeadsFacts } from "./model.js";
import type { Rgb } from "./resize.js";
import { inverse, turnPixels, type Turn } from "./turns.js";
import type { Looks, Scores, View } from "./view.js";

/** What a picture's looks were, from which it can be answered for another promise. */
export interface Seen {
  looks: Looks;
  /** Where it was asked whether it is mirrored. */
  inMirror?: InMirror | undefined;
}

export interface InMirror {
  /** Of the mirror image; its turns count as if they went the other way round. */
  looks: Looks;
  reading: Reading;
}

/** Which of the two images reads better, in these turns. */
export interface Reading {
  plain: Turn;
  mirrored: Turn;
  /** By how much the mirror image reads better: nats on average, times the number of windows to the power of `growth`. */
  lead: number;
  /** Whether that is enough to call it mirrored, or plain; `null` where it is for neither. */
  verdict: boolean | null;
  /** How many views that took. */
  views: number;
}

/** Logits for each view. */
export type Infer = (views: readonly Rgb[]) => Promise<Scores[]>;

/** The second network, open. */
export class Heads {
  constructor(
    private readonly facts: HeadsFacts,
    private readonly engine: Engine,
  ) {}

  /** Read both images, each as upright as these answers make it, in the views of a picture's steps. */
  async read(views: (step: string) => View[], plain: Turn, mirrored: Turn): Promise<Reading> {
    const close = views("close");
    // Nobody can read the whole of a page in one view.
    const shown = close.length ? close : [...views("glance"), ...views("quarters")];
    const seen = shown.filter(({ pixels }) => !isBlank(pixels)).map(({ pixels, turn }) => turnPixels(pixels, inverse(turn)));
    let sum = 0;
    for (const view of seen) {
      sum += (await this.reads(turnPixels(view, mirrored, true))) - (await this.reads(turnPixels(view, plain)));
    }
    const { growth, mirrored: least, plain: most } = this.facts.mirror;
    const lead = seen.length ? (sum / seen.length) * seen.length ** growth : 0;
    return { plain, mirrored, lead, verdict: lead >= least ? true : lead <= most ? false : null, views: 2 * seen.length };
  }

  close(): Promise<void> {
    return this.engine.close();
  }

  /** How well a view reads. */
  private async reads(view: Rgb): Promise<number> {
    return (await this.engine.run(view))[0]!;
  }
}

/** Shows the mirror image of each view; answers as if turns went the other way round, see `ofMirrorImage`. */
export function mirroring(infer: Infer): Infer {
  return async (views) => (await infer(views.map((view) => turnPixels(view, 0, true)))).map(otherWayRound);
}

/** An answer that rests on `mirroring` as what it is of the mirror image: its turn comes after the mirroring. */
export function ofMirrorImage(answer: Orientation): Orientation {
  const { turn, best, scores } = answer;
  return { ...answer, turn: turn && inverse(turn), best: inverse(best), scores: otherWayRound(scores) };
}

/** The answer that also says whether the picture is mirrored, and its turn after that if it is. */
export function told(plain: Orientation, other: Orientation, { verdict, views: read }: Reading): Orientation {
  const views = plain.views + other.views + read;
  // Sideways nothing reads: an answer that is not sure of the turn cannot say that this is the better image.
  if (verdict && other.turn !== null) return { ...other, mirrored: true, views };
  return { ...plain, ...(verdict === false && plain.turn !== null ? { mirrored: false } : {}), views };
}

/** Whether it was these turns of the two images that were read. */
export function isOf(reading: Reading, plain: Orientation, other: Orientation): boolean {
  return reading.plain === plain.best && reading.mirrored === other.best;
}

/** The answer that these looks amount to; `undefined` where it takes another one. */
export function judge({ looks, inMirror }: Seen, ladder: Ladder, promise: Promised, mirror: boolean): Orientation | undefined {
  const plain = climb(looks, ladder, promise);
  if (typeof plain === "string") return undefined;
  if (!mirror) return plain;
  const found = climb(inMirror?.looks ?? [], ladder, promise);
  if (typeof found === "string") return undefined;
  const other = ofMirrorImage(found);
  return isOf(inMirror!.reading, plain, other) ? told(plain, other, inMirror!.reading) : undefined;
}

function otherWayRound([none, right, half, left]: Scores): Scores {
  return [none, left, half, right];
}
