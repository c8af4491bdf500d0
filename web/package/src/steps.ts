/** The steps of the ladder, as upright's `steps` has them. */
import { CLOSE } from "./close.js";
import { turnOf, turnPixels, type Turn } from "./turns.js";
import { mean, windowOf, type Looks, type Step } from "./view.js";

/** Which of four windows along a wide and along a high picture each quarter is, counted from the left or the top. */
const ACROSS = [2, 3, 1, 0];
const DOWN = [0, 2, 3, 1];
const TURNED: readonly Turn[] = [90, 270];

/** All looks count alike. */
const combine = (looks: Looks) => mean(looks.flat());

/** By the names that `model.json` has for them, in the order of the ladder. */
export const STEPS: Record<string, Step> = {
  /** The whole picture. */
  glance: { combine, views: (_, squash, side) => [{ pixels: squash(side, side), turn: 0 }] },
  /** The whole picture upside down. */
  opposite: { combine, views: (_, squash, side) => [{ pixels: turnPixels(squash(side, side), 180), turn: 180 }] },
  /** The other two ways. */
  turned: {
    combine,
    views: (_, squash, side) => TURNED.map((turn) => ({ pixels: turnPixels(squash(side, side), turn), turn })),
  },
  /** Its four quarters, or four windows along a picture that is at least twice as long as it is wide. */
  quarters: {
    combine,
    views({ width, height }, squash, side) {
      const [wide, high] = quarteredSize(width, height, side);
      const squashed = squash(wide, high);
      return [0, 1, 2, 3].map((quarter) => windowOf(squashed, ...corner(wide, high, quarter), side, turnOf(3 - quarter)));
    },
  },
  close: CLOSE,
};

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
