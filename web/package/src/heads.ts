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

/** By how much the mirror image reads better. */
export interface Reading {
  /** Turned each of these ways: nats on average, times the number of windows to the power of `growth`. */
  leads: Partial<Record<Turn, number>>;
  /** Whether their mean is enough to call it mirrored, or plain; `null` where it is for neither. */
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

  /** Read both images, turned each of these ways, in the views of a picture's steps; `goOn` throws where it is to stop. */
  async read(views: (step: string) => View[], turns: readonly Turn[], goOn: () => void): Promise<Reading> {
    const close = views("close");
    // Nobody can read the whole of a page in one view.
    const shown = close.length ? close : [...views("glance"), ...views("quarters")];
    const seen = shown.filter(({ pixels }) => !isBlank(pixels)).map(({ pixels, turn }) => turnPixels(pixels, inverse(turn)));
    const { growth, mirrored, plain } = this.facts.mirror;
    const leads: Reading["leads"] = {};
    for (const turn of turns) {
      let sum = 0;
      for (const view of seen) {
        goOn();
        const asItIs = turnPixels(view, turn);
        sum += (await this.reads(turnPixels(asItIs, 0, true))) - (await this.reads(asItIs));
      }
      leads[turn] = seen.length ? (sum / seen.length) * seen.length ** growth : 0;
    }
    const all = Object.values(leads);
    const lead = all.reduce((sum, each) => sum + each, 0) / all.length;
    return { leads, verdict: lead >= mirrored ? true : lead <= plain ? false : null, views: 2 * seen.length * all.length };
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
function ofMirrorImage(answer: Orientation): Orientation {
  const { turn, best, scores } = answer;
  return { ...answer, turn: turn && inverse(turn), best: inverse(best), scores: otherWayRound(scores) };
}

/** The answer that also says whether the picture is mirrored, from those that rest on its looks and on its mirror image's. */
export function told(plain: Orientation, image: Orientation, { verdict, leads, views: read }: Reading): Orientation {
  const views = plain.views + image.views + read;
  const [asItIs, inMirror] = [leads[plain.best]!, leads[image.best]!];
  const likelier = verdict ? (asItIs > inMirror ? plain : image) : inMirror < asItIs ? image : plain;
  // Sideways nothing reads: an answer that is not sure of the turn cannot say which image is the better one.
  if (verdict === null || likelier.turn === null) return { ...plain, views };
  return { ...(verdict ? ofMirrorImage(likelier) : likelier), mirrored: verdict, views };
}

/** The turns in which a picture is read for these two answers. */
export function turnsOf(plain: Orientation, image: Orientation): Turn[] {
  return [...new Set([plain.best, image.best])];
}

/** Whether it was read in just these turns. */
export function isOf({ leads }: Reading, turns: readonly Turn[]): boolean {
  return Object.keys(leads).length === turns.length && turns.every((turn) => turn in leads);
}

/** The answer that these looks amount to; `undefined` where it takes another one. */
export function judge({ looks, inMirror }: Seen, ladder: Ladder, promise: Promised, mirror: boolean): Orientation | undefined {
  const plain = climb(looks, ladder, promise);
  if (typeof plain === "string") return undefined;
  if (!mirror) return plain;
  const image = climb(inMirror?.looks ?? [], ladder, promise);
  if (typeof image === "string") return undefined;
  return isOf(inMirror!.reading, turnsOf(plain, image)) ? told(plain, image, inMirror!.reading) : undefined;
}

function otherWayRound([none, right, half, left]: Scores): Scores {
  return [none, left, half, right];
}
