/** What the page asks its worker, and what it gets. */
import type { Orientation, Promised } from "../package/src/decide.js";
import type { Model } from "../package/src/model.js";
import type { Turn } from "../package/src/turns.js";
import type { Looks } from "../package/src/view.js";

export interface Looked {
  orientation: Orientation;
  /** What was seen, one entry a step. */
  looks: Looks;
  width: number;
  height: number;
  /** How a turn of it would be written. */
  method: "tag" | "png";
  thumbnail: Blob;
}

export interface Saved {
  name: string;
  blob: Blob;
  method: "keep" | "tag" | "png";
}

export interface Wanted {
  file: File;
  name: string;
  turn: Turn;
}

export interface Calls {
  open(): Promise<{ model: Pick<Model, "name" | "version" | "calibration">; threads: number }>;
  /** Decide a picture; `looks` are those that were taken before, for another promise. */
  look(file: File, promise: Promised, looks: Looks): Promise<Looked>;
  view(file: File): Promise<Blob>;
  save(wanted: Wanted): Promise<Saved>;
  zip(wanted: Wanted[], progress: (done: number) => void): Promise<Blob>;
}

export interface Request {
  id: number;
  call: keyof Calls;
  args: unknown[];
}

export type Reply = { id: number } & ({ result: unknown } | { error: string } | { progress: number });
