/** The steps of the ladder that a browser can take, and what the model is shown on each, as upright's `steps` cut it. */
import type { Rgb } from "./resize.js";
import { turnPixels, type Turn } from "./turns.js";

/** The whole picture as shown, squashed to this size. */
export type Squash = (width: number, height: number) => Rgb;

/** Which of four windows along a wide and along a high picture each quarter is, counted from the left or the top. */
const ACROSS = [2, 3, 1, 0];
const DOWN = [0, 2, 3, 1];

export interface Shape {
  width: number;
  height: number;
}

export interface Step {
  /** By how much each view is turned clockwise. */
  turns: readonly Turn[];
  /** Its views, before they are turned: one for each turn. */
  views(picture: Shape, squash: Squash, side: number): Rgb[];
}

/** By the names that `model.json` has for them; their order is that of its calibration. */
export const STEPS: Record<string, Step> = {
  /** The whole picture. */
  glance: { turns: [0], views: (_, squash, side) => [squash(side, side)] },
  /** The whole picture, turned. */
  turned: { turns: [90, 180, 270], views: (_, squash, side) => Array<Rgb>(3).fill(squash(side, side)) },
  /** Its four quarters, or four windows along a picture that is at least twice as long as it is wide. */
  quarters: {
    turns: [270, 180, 90, 0],
    views({ width, height }, squash, side) {
      const [wide, high] = quarteredSize(width, height, side);
      const squashed = squash(wide, high);
      return [0, 1, 2, 3].map((quarter) => cut(squashed, ...corner(wide, high, quarter), side));
    },
  },
};

/** What the model is shown on a step. */
export function viewsOf({ turns, views }: Step, picture: Shape, squash: Squash, side: number): Rgb[] {
  return views(picture, squash, side).map((view, at) => turnPixels(view, turns[at]!));
}

function quarteredSize(width: number, height: number, side: number): [number, number] {
  const [longer, shorter] = [Math.max(width, height), Math.min(width, height)];
  if (longer < 2 * shorter) return [2 * side, 2 * side];
  const stretched = Math.min(4 * side, Math.floor((2 * side * longer + shorter) / (2 * shorter)));
  return width > height ? [stretched, side] : [side, stretched];
}

function corner(wide: number, high: number, quarter: number): [left: number, top: number] {
  if (wide === high) return [quarter === 1 || quarter === 2 ? wide / 2 : 0, quarter >= 2 ? high / 2 : 0];
  const space = Math.abs(wide - high);
  const step = Math.floor((2 * space + 3) / 6);
  const start = [0, step, space - step, space][(wide > high ? ACROSS : DOWN)[quarter]!]!;
  return wide > high ? [start, 0] : [0, start];
}

function cut(picture: Rgb, left: number, top: number, side: number): Rgb {
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * picture.width + left) * 3;
    data.set(picture.data.subarray(from, from + side * 3), y * side * 3);
  }
  return { data, width: side, height: side };
}
