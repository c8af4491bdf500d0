/** What the page asks its workers, and what it gets. */
import type { Orientation, Promised } from "../package/src/decide.js";
import type { Seen } from "../package/src/heads.js";
import type { Model } from "../package/src/model.js";
import type { Tilt } from "../package/src/tilt.js";
import type { Way } from "../package/src/turns.js";
import type { Writing } from "./page.js";

export interface Looked extends Seen {
  orientation: Orientation;
  /** Whether the answer is also about mirroring. */
  mirror: boolean;
  width: number;
  height: number;
  /** How a change of it would be written. */
  writing: Writing;
  /** How many pages the file has. */
  pages: number;
  thumbnail: Blob;
}

export interface Saved {
  name: string;
  blob: Blob;
  /** When the file that was handed in was changed last, in milliseconds since 1970. */
  modified: number;
}

/** Why something could not be done; of a file that cannot be opened, what it is ("" where nobody knows). */
export interface Failure {
  message: string;
  kind?: string;
}

export interface Packed {
  zip: Blob;
  /** What is not in it. */
  lacking: { name: string; failure: Failure }[];
}

export interface Wanted {
  file: File;
  name: string;
  /** What is done to each page. */
  ways: Way[];
}

/** What one worker fetched, by address, so that the others need not. */
export type Parts = Record<string, ArrayBuffer>;

export interface Opened {
  model: Pick<Model, "name" | "version" | "calibration" | "sha256">;
  parts: Parts;
  kept: boolean;
}

export interface Calls {
  /** Load the model, with `heads` its second network, too; whether it is kept for the next visit. */
  open(parts: Parts, heads: boolean): Promise<Opened>;
  /** Decide a picture, with `mirror` also whether it is mirrored; `seen` is what was seen of it before. */
  look(file: File, page: number, promise: Promised, mirror: boolean, seen: Seen): Promise<Looked>;
  /** How far text is tilted; `null` where no lines of text tell it. */
  tilt(file: File, page: number): Promise<Tilt | null>;
  /** The picture as a JPEG, upright by its own tag, with sides of at most so many pixels. */
  view(file: File, page: number, side: number): Promise<Blob>;
  save(wanted: Wanted): Promise<Saved>;
  zip(wanted: Wanted[], progress: (done: number) => void): Promise<Packed>;
}

export interface Request {
  id: number;
  call: keyof Calls;
  args: unknown[];
}

export type Content = { result: unknown } | { failure: Failure } | { progress: number };
export type Reply = { id: number } & Content;
