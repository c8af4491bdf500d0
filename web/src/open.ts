/** A page of a file as pixels: by the browser's own decoder, or by one that is fetched when it is first needed. */
import { openPicture, type DecodedPicture } from "../package/src/bitmap.js";
import { UnreadablePicture } from "../package/src/errors.js";
import { fetched, tooLarge, Unreadable, type Page } from "./page.js";
import { writingOf } from "./save.js";
import { sniff, type Kind } from "./sniff.js";

/** Reads the WebAssembly of a decoder by its name. */
export type Wasm = (name: "pdfium" | "libheif") => Promise<ArrayBuffer>;

/** Kinds that every browser reads: one that cannot be opened is damaged. */
const EVERYWHERE = ["JPEG", "PNG", "GIF", "WebP"];

/** Open a page, counted from 0; close its picture's `pixels` afterwards. Throws `Unreadable`. */
export async function openPage(file: Blob, page: number, wasm: Wasm): Promise<Page> {
  const kind = await sniff(file);
  if (kind === "PDF") return (await fetched(import("./decoders/pdf.js"))).openPdf(file, page, () => wasm("pdfium"));
  const [picture, pages] = await decoded(file, kind, page, wasm);
  return { picture, pages, writing: await writingOf(file, pages) };
}

async function decoded(file: Blob, kind: Kind | undefined, page: number, wasm: Wasm): Promise<[DecodedPicture, number]> {
  if (kind === "TIFF") return (await fetched(import("./decoders/tiff.js"))).openTiff(file, page);
  try {
    return [await openPicture(file), 1];
  } catch (error) {
    if (error instanceof UnreadablePicture && error.size) throw tooLarge(error.size);
    if (kind === "HEIC") return (await fetched(import("./decoders/heic.js"))).openHeic(file, page, () => wasm("libheif"));
    throw new Unreadable(!kind || EVERYWHERE.includes(kind) ? "" : kind);
  }
}
