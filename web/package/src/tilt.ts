/**
 * The tilt of text: the small angle that is left after the quarter turn, from the lines of the picture itself. The steps
 * and figures of upright's `tilt.py`, which gives the reasons.
 */
import { greyOf, surroundings } from "./grey.js";
import type { Rgb } from "./resize.js";
import { fitted, type Shape, type Squash } from "./view.js";

/** Tilts are looked for within this many degrees to either side, at this longest side of the picture. */
const MOST = 20;
const SIDE_PX = 1024;
const STEP = 0.05;
const [LEAST_INK, MOST_INK, REACH_PX] = [6, 24, 12];
const STRIP_PX = 4;
const PARTS = 8;
const [LEAST_RATIO, PARTS_OF_TEXT, DARK, LEAST_PARTS] = [2.0, 3.0, 2.0, 1.5];
const MOST_ERROR = 0.36;
const [ALIKE, UNSEEN] = [1.5, 0.02];
const TILTS = /* @__PURE__ */ Array.from({ length: Math.round((2 * MOST) / STEP) + 1 }, (_, at) => at * STEP - MOST);

/** Degrees clockwise that straighten a picture, and their standard error. */
export interface Tilt {
  degrees: number;
  error: number;
}

interface Plane<Values> {
  data: Values;
  width: number;
  height: number;
}

/** The tilt of a picture as shown; `null` where no lines of text tell it. */
export function tiltOf(shape: Shape, squash: Squash): Tilt | null {
  const [wide, high] = fitted(shape, SIDE_PX);
  return Math.min(wide, high) < 2 * REACH_PX ? null : tiltOfInk(inkOf(squash(wide, high)));
}

function tiltOfInk(ink: Plane<Int16Array>): Tilt | null {
  const down = contrasts(turnedOver(ink), TILTS.map((tilt) => -tilt));
  const parts = [...contrasts(ink, TILTS), ...down];
  const total = TILTS.map((_, at) => sum(parts.map((part) => part[at]!)));
  if (!hasLines(parts, total, ink.data.length)) return null;
  const others = parts.map((part) => peak(total.map((value, at) => value - part[at]!)));
  const mean = sum(others) / others.length;
  const spread = Math.sqrt(((others.length - 1) / others.length) * sum(others.map((value) => (value - mean) ** 2)));
  const error = Math.hypot(ALIKE * spread, UNSEEN);
  return error <= MOST_ERROR ? { degrees: peak(total), error } : null;
}

/** Whether lines of text make the peak of all parts together. */
function hasLines(parts: readonly number[][], total: readonly number[], area: number): boolean {
  const top = topOf(total);
  const here = parts.map((part) => Math.max(part[top]!, 0));
  if (here.every((value) => value === 0)) return false;
  const count = sum(here) ** 2 / sum(here.map((value) => value ** 2));
  const dark = total[top]! / area ** 0.75;
  const wanted = LEAST_RATIO / Math.min(1, count / PARTS_OF_TEXT) / Math.sqrt(Math.min(1, Math.max(dark, 1e-9) / DARK));
  const away = total.filter((_, at) => Math.abs(TILTS[at]! - TILTS[top]!) > 2);
  return count >= LEAST_PARTS && total[top]! > wanted * Math.max(...away);
}

/** How much each pixel is darker or lighter than its surroundings, so that neither light nor photographs count. */
function inkOf(picture: Rgb): Plane<Int16Array> {
  const { width, height } = picture;
  const grey = greyOf(picture);
  const mean = surroundings(grey, width, height, REACH_PX);
  const ink = new Int16Array(grey.length);
  for (let at = 0; at < ink.length; at++) {
    const away = grey[at]! - mean[at]!;
    if (Math.abs(away) >= LEAST_INK) ink[at] = Math.max(-MOST_INK, Math.min(MOST_INK, away));
  }
  return { data: ink, width, height };
}

/** For each part: how much sums along rows, tilted by so much, differ from one to the next. */
function contrasts({ data, width, height }: Plane<Int16Array>, tilts: readonly number[]): number[][] {
  const strips = Math.ceil(width / STRIP_PX);
  const padded = 2 ** Math.ceil(Math.log2(strips));
  const slope = Math.tan(((MOST + STEP) * Math.PI) / 180);
  // Lines that leave the picture come back in what is added below it.
  const rows = height + Math.ceil(slope * width);
  const columns = new Int16Array(padded * rows);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) columns[Math.floor(x / STRIP_PX) * rows + y]! += data[y * width + x]!;
  }
  const length = (padded - 1) * STRIP_PX;
  const most = Math.ceil(slope * length);
  const sums = lineSums(columns, padded, rows, most);
  // Falls are looked up from the steepest one to the left, as tilts count.
  const energies = sums.map((line) => energyOf(line)).reverse();
  const falls = energies.map((_, at) => (Math.atan((at - most) / length) * 180) / Math.PI);
  return Array.from({ length: PARTS }, (_, part) => {
    const curve = interpolated(tilts, falls, energies.map((energy) => energy[part]!));
    const middle = [...curve].sort((a, b) => a - b)[curve.length >> 1]!;
    return curve.map((value) => value - middle);
  });
}

/** For each part of the rows; a ruled line is compared by the size of its sum, not by its square. */
function energyOf(line: Int16Array): number[] {
  const rows = Math.floor((line.length - 1) / PARTS);
  return Array.from({ length: PARTS }, (_, part) => {
    let energy = 0;
    for (let at = part * rows; at < (part + 1) * rows; at++) energy += (line[at + 1]! - line[at]!) ** 2;
    return Math.sqrt(energy);
  });
}

/**
 * Sums along lines that fall by -most to most rows from the first column to the last, by the row where a line begins;
 * rows go round. A line is one through the left half and one through the right half, which begins where the first ends.
 */
function lineSums(columns: Int16Array, count: number, rows: number, most: number): Int16Array[] {
  let [sums, reach] = [[columns], 0];
  for (let blocks = count / 2; blocks >= 1; blocks /= 2) {
    const [halves, before] = [sums, reach];
    reach = Math.ceil(most / blocks);
    sums = Array.from({ length: 2 * reach + 1 }, (_, at) => {
      const [fall, sign] = [Math.abs(at - reach), at < reach ? -1 : 1];
      const half = Math.min(Math.floor(fall / 2), before) * sign;
      const by = ((fall - Math.floor(fall / 2)) * sign + rows) % rows;
      return joined(halves[before + half]!, blocks, rows, by);
    });
  }
  return sums;
}

/** Of each two neighbours the left one, and what is `by` rows further down in the right one. */
function joined(halves: Int16Array, blocks: number, rows: number, by: number): Int16Array {
  const out = new Int16Array(blocks * rows);
  for (let block = 0; block < blocks; block++) {
    const [to, left, right] = [block * rows, 2 * block * rows, (2 * block + 1) * rows];
    for (let y = 0; y < rows - by; y++) out[to + y] = halves[left + y]! + halves[right + y + by]!;
    for (let y = rows - by; y < rows; y++) out[to + y] = halves[left + y]! + halves[right + y + by - rows]!;
  }
  return out;
}

/** Where a curve is highest, by a parabola through the nine values around it. */
function peak(curve: readonly number[]): number {
  const top = topOf(curve);
  const [from, to] = [Math.max(0, top - 4), Math.min(curve.length, top + 5)];
  const [away, values] = [TILTS.slice(from, to).map((tilt) => tilt - TILTS[top]!), curve.slice(from, to)];
  const { bent, slope } = parabola(away, values);
  const moved = bent < 0 ? -slope / (2 * bent) : 0;
  return TILTS[top]! + Math.max(away[0]!, Math.min(away.at(-1)!, moved));
}

/** The least squares of `bent x² + slope x + level`: values less what a level explains, by Cramer's rule. */
function parabola(x: readonly number[], y: readonly number[]): { bent: number; slope: number } {
  const centred = (values: readonly number[]) => values.map((value) => value - sum(values) / values.length);
  const dot = (a: readonly number[], b: readonly number[]) => sum(a.map((value, at) => value * b[at]!));
  const [one, two, level] = [centred(x), centred(x.map((value) => value ** 2)), centred(y)];
  const [a, b, c, d, e] = [dot(two, two), dot(two, one), dot(one, one), dot(two, level), dot(one, level)];
  const whole = a * c - b * b;
  return { bent: (d * c - b * e) / whole, slope: (a * e - b * d) / whole };
}

/** Values between those at `places`, which rise. */
function interpolated(wanted: readonly number[], places: readonly number[], values: readonly number[]): number[] {
  const last = places.length - 1;
  return wanted.map((at) => {
    const right = places.findIndex((place) => place >= at);
    if (right <= 0) return values[right === 0 ? 0 : last]!;
    const share = (at - places[right - 1]!) / (places[right]! - places[right - 1]!);
    return values[right - 1]! + share * (values[right]! - values[right - 1]!);
  });
}

function turnedOver({ data, width, height }: Plane<Int16Array>): Plane<Int16Array> {
  const out = new Int16Array(data.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = data[y * width + x]!;
  return { data: out, width: height, height: width };
}

function topOf(curve: readonly number[]): number {
  return curve.reduce((top, value, at) => (value > curve[top]! ? at : top), 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
