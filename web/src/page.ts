import type { DecodedPicture } from "../package/src/bitmap.js";
import { inWords, type Size } from "../package/src/sizes.js";
import type { Way } from "../package/src/turns.js";

/** One page of a file, decoded. */
export interface Page {
  picture: DecodedPicture;
  /** How many pages the file has. */
  pages: number;
  /** How a change of it would be written, and why so; the page has words for each reason. */
  writing: Writing;
}

export interface Writing {
  method: "tag" | "png" | "cannot";
  why?: "animated" | "noTag" | "pages" | "irot" | "pdf" | "pdfDamaged" | "pdfEncrypted" | "pdfHeader" | "pdfMirrored" | "tooLarge";
  /** How it would be written where it is also mirrored, if that is not the same. */
  mirrored?: Writing;
}

/** How these pages would be written. */
export function writingFor(writing: Writing, ways: readonly Way[]): Writing {
  return (ways.some(({ mirrored }) => mirrored) && writing.mirrored) || writing;
}

/**
 * This browser cannot open a file, which is of that `kind`; "" where it is of none that is known, "locked" where it
 * needs a password, "large" where it has more pixels than can be decoded, "notFetched" where what reads it could not be fetched, "reload" where a part of the page is gone.
 */
export class Unreadable extends Error {
  constructor(
    readonly kind: string,
    message = `unreadable: ${kind}`,
  ) {
    super(message);
  }
}

export function tooLarge(size: Size): Unreadable {
  return new Unreadable("large", inWords(size));
}

/** A part of the page that is fetched when it is first needed. Throws `Unreadable`. */
export function fetched<Part>(part: Promise<Part>): Promise<Part> {
  return part.catch(() => {
    // The parts of an old page are gone from the server, and a browser may remember that it could not fetch one.
    throw new Unreadable("reload");
  });
}
