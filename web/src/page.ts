import type { DecodedPicture } from "../package/src/pixels.js";

/** One page of a file, decoded. */
export interface Page {
  picture: DecodedPicture;
  /** How many pages the file has. */
  pages: number;
  /** How a turn of it would be written, and why so; the page has words for each reason. */
  writing: Writing;
}

export interface Writing {
  method: "tag" | "png" | "cannot";
  why?: "animated" | "noTag" | "pages" | "irot" | "pdf" | "pdfDamaged" | "pdfEncrypted";
}

/** This browser cannot open a file, which is of that `kind`; "" where it is of none that is known. */
export class Unreadable extends Error {
  constructor(readonly kind: string) {
    super(`unreadable: ${kind}`);
  }
}
