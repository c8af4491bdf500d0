/** A picture's file with its turn written into it. */
import { formatOf } from "../package/src/bytes.js";
import { DamagedMetadata, patchExifOrientation, readExifOrientation } from "../package/src/exif.js";
import { compose, type Turn } from "../package/src/turns.js";
import { isAnimated } from "./animated.js";
import { turnHeif } from "./decoders/irot.js";
import type { Wasm } from "./open.js";
import type { Writing } from "./page.js";
import type { Saved, Wanted } from "./protocol.js";
import { sniff, type Kind } from "./sniff.js";

/** How a turn of this file, which is no PDF, would be written. */
export async function writingOf(file: Blob, pages: number): Promise<Writing> {
  const kind = await sniff(file);
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (isAnimated(bytes)) return { method: "cannot", why: "animated" };
  try {
    const turned = await turnedBytes(bytes, kind, Array.from({ length: pages }, () => 90));
    if (turned) return kind === "HEIC" || kind === "AVIF" ? { method: "tag", why: "irot" } : { method: "tag" };
  } catch (error) {
    // A view of bytes refuses with a RangeError what lies outside of a file that is cut short.
    if (!(error instanceof DamagedMetadata || error instanceof RangeError)) throw error;
    if (kind !== "HEIC" && kind !== "AVIF") return { method: "cannot", why: "noTag" };
  }
  return pages > 1 ? { method: "cannot", why: "pages" } : { method: "png" };
}

/** The file with the turns of its pages; one without any is the file itself, as is one that cannot be turned. */
export async function saved(wanted: Wanted, png: (turn: Turn) => Promise<Blob>, wasm: Wasm): Promise<Saved> {
  const { file, name, turns } = wanted;
  const as = (blob: Blob, called = name): Saved => ({ name: called, blob, modified: file.lastModified });
  if (turns.every((turn) => turn === 0)) return as(file);
  const kind = await sniff(file);
  if (kind === "PDF") return as(await (await import("./decoders/pdf.js")).turnPdf(file, turns, () => wasm("pdfium")));
  const { method } = await writingOf(file, turns.length);
  if (method === "cannot") return as(file);
  if (method === "png") return as(await png(turns[0]!), `${name.replace(/\.\w{1,5}$/, "")}.png`);
  const turned = await turnedBytes(new Uint8Array(await file.arrayBuffer()), kind, turns);
  return as(new Blob([turned!], { type: file.type }));
}

/** Turned without touching a pixel, where there is a way. Throws `DamagedMetadata`. */
async function turnedBytes(
  bytes: Uint8Array,
  kind: Kind | undefined,
  turns: readonly Turn[],
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (kind === "TIFF") return (await import("./decoders/tiff.js")).turnTiff(bytes, turns);
  if (turns.length > 1) return undefined;
  const [turn] = turns as [Turn];
  if (kind === "HEIC" || kind === "AVIF") return turnHeif(bytes, turn);
  if (formatOf(bytes) === "other") return undefined;
  return patchExifOrientation(bytes, compose(readExifOrientation(bytes), turn));
}
