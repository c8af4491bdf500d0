/** The same flow as upright's `decide.py` at its default effort: one look; where that is not enough, four, and eight. */
import { turnOf, type Turn } from "./turns.js";

/** How sure an answer has to be. */
export type Promised = "careful" | "balanced" | "best";
export const PROMISES: readonly Promised[] = ["careful", "balanced", "best"];

/** What makes the confidences of one step of deciding mean what they say, and which are enough for each promise. */
export interface Calibration extends Record<Promised, number> {
  temperature: number;
}

/** Four calibrated probabilities in the order of turn 0, 90, 180, 270. */
export type Scores = [number, number, number, number];

/** One look; the picture turned four ways; these and its four quarters. */
export type Flow = "whole" | "turned" | "tiles";

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
  flow: Flow;
  /** How many views the model was shown. */
  views: number;
}

/** By how much each view was turned clockwise: the whole picture first, then its quarters. */
export const WHOLE_TURNS: readonly Turn[] = [0, 90, 180, 270];
export const QUARTER_TURNS: readonly Turn[] = [270, 180, 90, 0];
const VIEW_TURNS = [...WHOLE_TURNS, ...QUARTER_TURNS];

/** Logits of the first one, four or eight views. */
export type Logits = readonly Scores[];

export function decide(logits: Logits, calibration: Record<string, Calibration>, promise: Promised): Orientation {
  const flow = logits.length === 1 ? "whole" : logits.length === 4 ? "turned" : "tiles";
  const { temperature, [promise]: threshold } = stepOf(calibration, flow);
  const scores = softmax(meanLogProbabilities(logits).map((value) => value / temperature) as Scores);
  const confidence = Math.max(...scores);
  const best = turnOf(scores.indexOf(confidence));
  const sure = confidence >= threshold;
  const blank = confidence - Math.min(...scores) < 1e-6;
  return {
    turn: sure ? best : null,
    best,
    confidence,
    scores,
    reason: blank ? "blank" : sure ? "sure" : "below_threshold",
    promise,
    flow,
    views: logits.length,
  };
}

/** Whether further views are not worth their time. *Best* looks closer just where *balanced* would. */
export function isEnough(orientation: Orientation, calibration: Record<string, Calibration>): boolean {
  const stopAt = orientation.promise === "best" ? "balanced" : orientation.promise;
  return orientation.flow === "tiles" || orientation.confidence >= stepOf(calibration, orientation.flow)[stopAt];
}

function stepOf(calibration: Record<string, Calibration>, step: Flow): Calibration {
  const found = calibration[step];
  if (!found) throw new Error(`model.json: calibration lacks "${step}"`);
  return found;
}

/** A view that was turned by t and still needs u means that the picture needs t + u. */
function meanLogProbabilities(logits: Logits): Scores {
  const mean: Scores = [0, 0, 0, 0];
  logits.forEach((row, view) => {
    const turned = VIEW_TURNS[view]! / 90;
    logSoftmax(row).forEach((value, index) => (mean[(index + turned) % 4]! += value / logits.length));
  });
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
