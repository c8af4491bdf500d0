/** The same climb as upright's `decide.py`: one look; where that is not enough the next step of the ladder, and so on. */
import { STEPS } from "./steps.js";
import { turnOf, type Turn } from "./turns.js";
import type { Looks, Scores } from "./view.js";

/** How sure an answer has to be. */
export type Promised = "careful" | "balanced" | "best";
export const PROMISES: readonly Promised[] = ["careful", "balanced", "best"];

/** What makes the confidences of one step mean what they say, and which are enough; `null` where none is. */
export interface Calibration extends Record<Promised, number | null> {
  temperature: number;
}

/** Calibrations by the names of the steps, from one look upwards. */
export type Ladder = Record<string, Calibration>;

export interface Orientation {
  /** The clockwise turn that makes the picture, as shown, upright; `null` is *unsure: leave it alone*. */
  turn: Turn | null;
  /** What the model would have said all the same. */
  best: Turn;
  /** The probability of `best`. */
  confidence: number;
  /** Four calibrated probabilities. */
  scores: Scores;
  reason: "sure" | "below_threshold" | "blank";
  promise: Promised;
  /** The last step that was taken. */
  step: string;
  /** How many views the model was shown. */
  views: number;
  /** Whether left and right are exchanged, to be undone before the turn, where it was asked for and text tells it. */
  mirrored?: boolean;
  /** Degrees clockwise that straighten the picture after the turn, where it was asked for and lines of text tell it. */
  tilt?: number;
  /** The standard error of `tilt`. */
  tilt_error?: number;
}

/** A step that a model is not calibrated for is climbed through. */
const NEVER: Calibration = { temperature: 1, careful: null, balanced: null, best: 0 };

/** The answer that these looks amount to, or the name of the step that has to be taken first. */
export function climb(looks: Looks, ladder: Ladder, promise: Promised): Orientation | string {
  let answer: Orientation | undefined;
  for (const [at, name] of stepsOf(ladder).entries()) {
    const seen = looks[at];
    if (!seen) return name;
    if (seen.length === 0) continue;
    const calibration = ladder[name] ?? NEVER;
    answer = judge(name, looks.slice(0, at + 1), calibration, promise);
    if (isEnough(answer, calibration)) break;
  }
  if (answer) return answer;
  throw new Error(`model.json: calibration has no step that is known here, but ${Object.keys(ladder).join()}`);
}

/** The steps up to the last that is known here and that the model is calibrated for. */
function stepsOf(ladder: Ladder): string[] {
  const names = Object.keys(STEPS);
  return names.slice(0, 1 + Math.max(...Object.keys(ladder).map((name) => names.indexOf(name))));
}

function judge(step: string, looks: Looks, calibration: Calibration, promise: Promised): Orientation {
  const scores = softmax(STEPS[step]!.combine(looks), calibration.temperature);
  const confidence = Math.max(...scores);
  const best = turnOf(scores.indexOf(confidence));
  const sure = keeps(calibration, promise, confidence);
  const blank = confidence - Math.min(...scores) < 1e-6;
  return {
    turn: sure ? best : null,
    best,
    confidence,
    scores,
    reason: blank ? "blank" : sure ? "sure" : "below_threshold",
    promise,
    step,
    views: looks.flat().length,
  };
}

/** Whether further views are not worth their time. *Best* looks closer just where *balanced* would. */
function isEnough({ promise, confidence }: Orientation, calibration: Calibration): boolean {
  return keeps(calibration, promise === "best" ? "balanced" : promise, confidence);
}

function keeps(calibration: Calibration, promise: Promised, confidence: number): boolean {
  const threshold = calibration[promise];
  return threshold !== null && confidence >= threshold;
}

function softmax(row: Scores, temperature: number): Scores {
  const top = Math.max(...row);
  const weights = row.map((value) => Math.exp((value - top) / temperature));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum) as Scores;
}
