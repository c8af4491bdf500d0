/** Where a picture has text and how wide its strokes are: `text_strokes` of upright's `close.py`, to the bit. */
import { greyOf, surroundings } from "./grey.js";
import type { Rgb } from "./resize.js";

/** Strokes are counted in cells of this side. */
export const CELL_PX = 16;
/** A pixel belongs to a stroke if it differs by this much from the mean of its surroundings. */
const CONTRAST = 14;
const REACH_PX = 15;
/** A cell shows a stroke if at least this many begin in it along rows and columns, and cover this share of it. */
const LEAST_STARTS = 8;
const LEAST_COVERED = 0.03;
/** Strokes of text are as wide as most strokes of the picture, within this factor. */
const SPREAD = 1.8;
/** Logarithms of widths are counted in bins of 0.1. */
const EDGES = /* @__PURE__ */ Array.from({ length: 42 }, (_, at) => -0.2 + at * 0.1);

export interface Strokes {
  /** Their width in pixels, 0 without text. */
  width: number;
  /** How many begin in each cell, row by row. */
  counts: Int32Array;
  rows: number;
  columns: number;
}

/**
 * A stroke is a run along a row or a column of pixels darker, or lighter, than their surroundings; in each cell those of
 * the two that cover less of it.
 */
export function textStrokes(picture: Rgb): Strokes {
  const [rows, columns] = [Math.floor(picture.height / CELL_PX), Math.floor(picture.width / CELL_PX)];
  const { starts, covered } = runs(inkOf(picture), picture.width, rows, columns);
  const shown = [...starts.keys()].filter(
    (cell) => starts[cell]! >= LEAST_STARTS && covered[cell]! >= LEAST_COVERED * CELL_PX ** 2,
  );
  const counts = new Int32Array(rows * columns);
  if (shown.length < 4) return { width: 0, counts, rows, columns };
  // Each pixel of a stroke lies in a run along its row and in one along its column.
  const widthOf = (cell: number) => Math.log((2 * covered[cell]!) / starts[cell]!);
  const most = mostOf(shown.map((cell) => [widthOf(cell), starts[cell]!]));
  for (const cell of shown) if (Math.abs(widthOf(cell) - most) < Math.log(SPREAD)) counts[cell] = starts[cell]!;
  return { width: Math.exp(most), counts, rows, columns };
}

/** The middle of the bin around which values weigh most. */
function mostOf(values: [value: number, weight: number][]): number {
  const bins = new Array<number>(EDGES.length - 1).fill(0);
  for (const [value, weight] of values) {
    const bin = EDGES.findLastIndex((edge) => edge <= value);
    if (bin >= 0 && value <= EDGES.at(-1)!) bins[Math.min(bin, bins.length - 1)]! += weight;
  }
  const smooth = bins.map((_, at) => [1, 2, 3, 2, 1].reduce((sum, share, i) => sum + share * (bins[at + i - 2] ?? 0), 0));
  return EDGES[smooth.indexOf(Math.max(...smooth))]! + 0.05;
}

/** How many runs of ink begin in each cell, along rows and columns, and how many pixels are ink. */
function runs(ink: Int8Array, width: number, rows: number, columns: number) {
  const [dark, light] = [0, 1].map(() => ({
    starts: new Int32Array(rows * columns),
    covered: new Int32Array(rows * columns),
  })) as [Record<"starts" | "covered", Int32Array>, Record<"starts" | "covered", Int32Array>];
  for (let y = 0; y < rows * CELL_PX; y++) {
    for (let x = 0; x < columns * CELL_PX; x++) {
      const at = y * width + x;
      const kind = ink[at]!;
      if (kind === 0) continue;
      const { starts, covered } = kind < 0 ? dark : light;
      const cell = Math.floor(y / CELL_PX) * columns + Math.floor(x / CELL_PX);
      covered[cell]!++;
      if (x > 0 && ink[at - 1] !== kind) starts[cell]!++;
      if (y > 0 && ink[at - width] !== kind) starts[cell]!++;
    }
  }
  for (let cell = 0; cell < rows * columns; cell++) {
    if (light.covered[cell]! >= dark.covered[cell]!) continue;
    dark.starts[cell] = light.starts[cell]!;
    dark.covered[cell] = light.covered[cell]!;
  }
  return dark;
}

/** -1 for each pixel that is darker than its surroundings, 1 for those that are lighter. */
function inkOf(picture: Rgb): Int8Array {
  const grey = greyOf(picture);
  const around = surroundings(grey, picture.width, picture.height, REACH_PX);
  const ink = new Int8Array(grey.length);
  for (let at = 0; at < ink.length; at++) {
    const away = grey[at]! - around[at]!;
    ink[at] = away < -CONTRAST ? -1 : away > CONTRAST ? 1 : 0;
  }
  return ink;
}
