/** The last step: windows of text at reading size, where upright's `close.py` cuts them. */
import { CELL_PX, textStrokes, type Strokes } from "./strokes.js";
import { turnOf, type Turn } from "./turns.js";
import { fitted, mean, round, windowOf, type Looks, type Scores, type Shape, type Squash, type Step, type View } from "./view.js";

/** Longest side at which strokes are looked for. */
const BASE_PX = 2048;
/** How many times as large as in the file windows may show it. */
const MOST_ENLARGED = 1.5;
/** At a reading size of this many times a view's side, or less, windows show nothing that the quarters did not. */
const LEAST_VIEWS = 3;
/** How wide strokes are in a window. */
const STROKE_PX = 3.5;
const MOST_WINDOWS = 12;
/** `n` windows together weigh `WEIGHT` times the root of `n` where the eight looks together weigh 1. */
const WEIGHT = 0.42;
/** A window with text in a smaller share of its cells is passed over. */
const LEAST_TEXT = 0.12;

type Corner = [left: number, top: number];

export const CLOSE: Step = { views, combine };

function views({ width, height }: Shape, squash: Squash, side: number): View[] {
  const scale = Math.min(1, BASE_PX / Math.max(width, height));
  const base = fitted({ width, height }, BASE_PX);
  const strokes = textStrokes(squash(...base));
  if (!strokes.width) return [];
  // The shorter side holds one window at the least.
  const wanted = Math.max(STROKE_PX / strokes.width, side / Math.min(...base));
  const factor = Math.min(wanted, MOST_ENLARGED / scale);
  const [wide, high] = base.map((each) => Math.max(side, round(each * factor))) as [number, number];
  if (Math.max(wide, high) <= LEAST_VIEWS * side) return [];
  const corners = cornersOf(strokes, factor, wide, high, side);
  const turns = turnsOf(corners.map(([left, top]) => [2 * left + side > wide, 2 * top + side > high]));
  const squashed = squash(wide, high);
  return corners.map((corner, at) => windowOf(squashed, ...corner, side, turns[at]!));
}

/** Windows of different text are evidence that adds up, though they are not independent. */
function combine(looks: Looks): Scores {
  const said = looks.at(-1)!;
  const weight = WEIGHT * Math.sqrt(said.length);
  const [before, windows] = [mean(looks.slice(0, -1).flat()), mean(said)];
  return before.map((value, index) => value + weight * windows[index]!) as Scores;
}

/** Left upper corners of windows in the picture of that size, most strokes first, hardly overlapping. */
function cornersOf(strokes: Strokes, factor: number, wide: number, high: number, side: number): Corner[] {
  const cells = Math.max(1, Math.min(round(side / factor / CELL_PX), strokes.rows, strokes.columns));
  const counts = windowed(strokes, cells);
  const text = windowed({ ...strokes, counts: strokes.counts.map((count) => Math.min(count, 1)) }, cells);
  counts.forEach((_, at) => text[at]! < LEAST_TEXT * cells ** 2 && (counts[at] = 0));
  const apart = Math.max(1, round(0.8 * cells));
  const columns = strokes.columns - cells + 1;
  const placed = (place: number, whole: number) => {
    const middle = (place + cells / 2) * CELL_PX * factor;
    return Math.min(Math.max(0, round(middle - side / 2)), whole - side);
  };
  const corners: Corner[] = [];
  while (corners.length < MOST_WINDOWS) {
    const most = counts.reduce((best, count, at) => (count > counts[best]! ? at : best), 0);
    if (!counts[most]) break;
    const [row, column] = [Math.floor(most / columns), most % columns];
    corners.push([placed(column, wide), placed(row, high)]);
    for (let at = 0; at < counts.length; at++) {
      const [down, across] = [Math.abs(Math.floor(at / columns) - row), Math.abs((at % columns) - column)];
      if (down < apart && across < apart) counts[at] = 0;
    }
  }
  return corners;
}

/** Sums over every square of `cells` times `cells`. */
function windowed({ counts, rows, columns }: Strokes, cells: number): Int32Array {
  const stride = columns + 1;
  const total = new Int32Array((rows + 1) * stride);
  counts.forEach((count, at) => {
    const to = (Math.floor(at / columns) + 1) * stride + (at % columns) + 1;
    total[to] = count + total[to - 1]! + total[to - stride]! - total[to - stride - 1]!;
  });
  const across = columns - cells + 1;
  return Int32Array.from({ length: (rows - cells + 1) * across }, (_, at) => {
    const from = Math.floor(at / across) * stride + (at % across);
    const below = from + cells * stride;
    return total[below + cells]! - total[from + cells]! - total[below]! + total[from]!;
  });
}

/**
 * The turn of each window, from whether it lies to the right of the middle and below it: each quarter has its own first
 * turn, and its windows change turns, so that the model's bias towards one output cancels out.
 */
function turnsOf(places: [right: boolean, below: boolean][]): Turn[] {
  const seen = [0, 0, 0, 0];
  return places.map(([right, below]) => {
    const quarter = below ? (right ? 2 : 3) : right ? 1 : 0; // clockwise from the upper left
    return turnOf(3 - quarter + seen[quarter]!++);
  });
}
