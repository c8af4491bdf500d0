/** What a step of the ladder is, what it shows the model, and what the model answered, as in upright's `steps`. */
import type { Rgb } from "./resize.js";
import { turnPixels, type Turn } from "./turns.js";

/** The whole picture as shown, squashed to this size. */
export type Squash = (width: number, height: number) => Rgb;

export interface Shape {
  width: number;
  height: number;
}

/** Pixels as the model sees them: `turn` is by how much they were turned clockwise before. */
export interface View {
  pixels: Rgb;
  turn: Turn;
}

/** Four values in the order of turn 0, 90, 180, 270. */
export type Scores = [number, number, number, number];

/** Logits for each view of one step, by turns of the picture; none where the step has shown nothing new of it. */
export type Look = readonly Scores[];

/** What was seen on the first steps of a ladder, one entry a step. */
export type Looks = readonly Look[];

export interface Step {
  views(picture: Shape, squash: Squash, side: number): View[];
  /** What the looks up to this step amount to. */
  combine(looks: Looks): Scores;
}

/** The size of a picture that is made so small that no side is over `most`. */
export function fitted({ width, height }: Shape, most: number): [number, number] {
  const scale = Math.min(1, most / Math.max(width, height));
  return [width, height].map((side) => Math.max(1, round(side * scale))) as [number, number];
}

/** Python's `round`: halves become even. */
export function round(value: number): number {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

/** A window of this side, with its left upper corner there, in a squashed picture. */
export function windowOf(picture: Rgb, left: number, top: number, side: number, turn: Turn): View {
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * picture.width + left) * 3;
    data.set(picture.data.subarray(from, from + side * 3), y * side * 3);
  }
  return { pixels: turnPixels({ data, width: side, height: side }, turn), turn };
}

/** From logits by turns of the views: one that was turned by t and still needs u means that the picture needs t + u. */
export function lookOf(views: readonly { turn: Turn }[], logits: readonly Scores[]): Look {
  return logits.map((row, at) => [0, 1, 2, 3].map((index) => row[(index + 4 - views[at]!.turn / 90) % 4]!) as Scores);
}

export function mean(rows: readonly Scores[]): Scores {
  return [0, 1, 2, 3].map((index) => rows.reduce((sum, row) => sum + row[index]!, 0) / rows.length) as Scores;
}
