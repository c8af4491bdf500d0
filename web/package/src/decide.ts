/** The same climb as upright's `decide.py`: one look; where that is not enough the next step of the ladder, and so on. */
import { STEPS } from "./steps.js";
import { turnOf, type Turn } from "./turns.js";

/** How sure an answer has to be. */
export type Promised = "careful" | "balanced" | "best";
export const PROMISES: readonly Promised[] = ["careful", "balanced", "best"];

/** What makes the confidences of one step mean what they say, and which are enough; `null` where none is. */
export interface Calibration extends Record<Promised, number | null> {
  temperature: number;
}

/** Calibrations by the names of the steps, from one look upwards. */
export type Ladder = Record<string, Calibration>;

/** Four calibrated probabilities in the order of turn 0, 90, 180, 270. */
export type Scores = [number, number, number, number];

export interface Orientation {
  /** The clockwise turn that makes the picture, as shown, upright; `null` is *unsure: leave it alone*. */
  turn: Turn | null;
  /** What the model would have said all the same. */
  best: Turn;
  /** The probability of `best`. */
  confidence: number;
  scores: Scores;
  reason: "sure" | "below_threshold" | "blank";
  promise: Promised;
  /** The last step that was taken. */
  step: string;
  /** How many views the model was shown. */
  views: number;
}

/** Logits for each view of one step, in the order of turn 0, 90, 180, 270. */
export type Logits = readonly Scores[];

/** What was seen on the first steps of a ladder, one entry a step. */
export type Looks = readonly Logits[];

/** The answer that these looks amount to, or the name of the step that has to be taken first. */
export function climb(looks: Looks, ladder: Ladder, promise: Promised): Orientation | string {
  const names = stepsOf(ladder);
  for (const [at, name] of names.entries()) {
    if (at === looks.length) return name;
    const answer = judge(looks.slice(0, at + 1), names, ladder[name]!, promise);
    if (at === names.length - 1 || isEnough(answer, ladder[name]!)) return answer;
  }
  throw new Error(`model.json: calibration has no step that is known here, but ${Object.keys(ladder).join()}`);
}

/** The steps of a model's ladder, up to the first that has no views here: tiles of large files are left to a server. */
function stepsOf(ladder: Ladder): string[] {
  const names = Object.keys(ladder);
  const unknown = names.findIndex((name) => !(name in STEPS));
  return unknown < 0 ? names : names.slice(0, unknown);
}

function judge(looks: Looks, names: string[], calibration: Calibration, promise: Promised): Orientation {
  const mean = meanLogProbabilities(looks, names);
  const scores = softmax(mean.map((value) => value / calibration.temperature) as Scores);
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
    step: names[looks.length - 1]!,
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

/** All looks count alike. A view that was turned by t and still needs u means that the picture needs t + u. */
function meanLogProbabilities(looks: Looks, names: string[]): Scores {
  const mean: Scores = [0, 0, 0, 0];
  const count = looks.flat().length;
  looks.forEach((logits, at) =>
    logits.forEach((row, view) => {
      const turned = STEPS[names[at]!]!.turns[view]! / 90;
      logSoftmax(row).forEach((value, index) => (mean[(index + turned) % 4]! += value / count));
    }),
  );
  return mean;
}

function logSoftmax(row: Scores): Scores {
  const top = Math.max(...row);
  const rest = Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return row.map((value) => value - top - rest) as Scores;
}

function softmax(row: Scores): Scores {
  return logSoftmax(row).map(Math.exp) as Scores;
}
