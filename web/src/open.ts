/** A page of a file as pixels, by the browser's own decoder. */
import { openPicture, type DecodedPicture } from "../package/src/pixels.js";
import { sniff } from "./sniff.js";

/** This browser cannot open a file, which is of that `kind`; "" where it is of none that is known. */
export class Unreadable extends Error {
  constructor(readonly kind: string) {
    super(`unreadable: ${kind}`);
  }
}

/** Kinds that every browser reads: one that cannot be opened is damaged. */
const EVERYWHERE = ["JPEG", "PNG", "GIF", "WebP"];

/** Open a picture; close its `pixels` afterwards. Throws `Unreadable`. */
export async function openPage(file: Blob): Promise<{ picture: DecodedPicture; pages: number }> {
  try {
    return { picture: await openPicture(file), pages: 1 };
  } catch {
    const kind = await sniff(file);
    throw new Unreadable(!kind || EVERYWHERE.includes(kind) ? "" : kind);
  }
}
