/** What the model is shown, as upright's `views.py` cuts it. */
import { QUARTER_TURNS, WHOLE_TURNS } from "./decide.js";
import type { Rgb } from "./resize.js";
import { turnPixels } from "./turns.js";

/** The whole picture as shown, squashed to this size. */
export type Squash = (width: number, height: number) => Rgb;

/** Which of four windows along a wide and along a high picture each quarter is, counted from the left or the top. */
const ACROSS = [2, 3, 1, 0];
const DOWN = [0, 2, 3, 1];

/** The whole picture turned by 90, 180 and 270 degrees. */
export function turnedViews(square: Rgb): Rgb[] {
  return WHOLE_TURNS.slice(1).map((turn) => turnPixels(square, turn));
}

/** Its four quarters, or four windows along a picture that is at least twice as long as it is wide; each turned. */
export function quartersOf({ width, height }: { width: number; height: number }, squash: Squash, side: number): Rgb[] {
  const [wide, high] = quarteredSize(width, height, side);
  const squashed = squash(wide, high);
  return QUARTER_TURNS.map((turn, quarter) => turnPixels(cut(squashed, ...corner(wide, high, quarter), side), turn));
}

export function quarteredSize(width: number, height: number, side: number): [number, number] {
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
