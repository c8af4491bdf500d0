/** A picture's file with what is done to it written into it. */
import { formatOf } from "../package/src/bytes.js";
import { DamagedMetadata, patchExifOrientation, readExifOrientation } from "../package/src/exif.js";
import { fitsCanvas, sizeOf } from "../package/src/sizes.js";
import { compose, isNothing, type Way } from "../package/src/turns.js";
import { isAnimated } from "./animated.js";
import { changeHeif } from "./decoders/irot.js";
import type { Wasm } from "./open.js";
import { fetched, writingFor, type Writing } from "./page.js";
import type { Saved, Wanted } from "./protocol.js";
import { sniff, type Kind } from "./sniff.js";

/** How a change of this file, which is no PDF, would be written. */
export async function writingOf(file: Blob, pages: number): Promise<Writing> {
  const kind = await sniff(file);
  const bytes = new Uint8Array(await file.arrayBuffer());
  try {
    if (isAnimated(bytes)) return { method: "cannot", why: "animated" };
    const turned = await changedBytes(bytes, kind, Array.from({ length: pages }, () => ({ mirrored: false, turn: 90 })));
    if (turned) return kind === "HEIC" || kind === "AVIF" ? { method: "tag", why: "irot" } : { method: "tag" };
  } catch (error) {
    // A view of bytes refuses with a RangeError what lies outside of a file that is cut short.
    if (!(error instanceof DamagedMetadata || error instanceof RangeError)) throw error;
    if (kind !== "HEIC" && kind !== "AVIF") return { method: "cannot", why: "noTag" };
  }
  if (pages > 1) return { method: "cannot", why: "pages" };
  const size = sizeOf(bytes);
  return size && !fitsCanvas(size) ? { method: "cannot", why: "tooLarge" } : { method: "png" };
}

/** The file with its pages changed; where nothing is to be done, or it cannot be, it is the file itself. */
export async function saved(wanted: Wanted, png: (way: Way) => Promise<Blob>, wasm: Wasm): Promise<Saved> {
  const { file, name, ways } = wanted;
  const as = (blob: Blob, called = name): Saved => ({ name: called, blob, modified: file.lastModified });
  if (ways.every(isNothing)) return as(file);
  const kind = await sniff(file);
  if (kind === "PDF") {
    // Pages that are mirrored stay as they are.
    const turns = ways.map(({ mirrored, turn }) => (mirrored ? 0 : turn));
    if (!turns.some(Boolean)) return as(file);
    return as(await (await fetched(import("./decoders/pdf.js"))).turnPdf(file, turns, () => wasm("pdfium")));
  }
  const { method } = writingFor(await writingOf(file, ways.length), ways);
  if (method === "cannot") return as(file);
  if (method === "png") return as(await png(ways[0]!), `${name.replace(/\.\w{1,5}$/, "")}.png`);
  const changed = await changedBytes(new Uint8Array(await file.arrayBuffer()), kind, ways);
  return as(new Blob([changed!], { type: file.type }));
}

/** Changed without touching a pixel, where that is possible. Throws `DamagedMetadata`. */
async function changedBytes(
  bytes: Uint8Array,
  kind: Kind | undefined,
  ways: readonly Way[],
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (kind === "TIFF") return (await fetched(import("./decoders/tiff.js"))).turnTiff(bytes, ways);
  if (ways.length > 1) return undefined;
  const [way] = ways as [Way];
  if (kind === "HEIC" || kind === "AVIF") return changeHeif(bytes, way);
  if (formatOf(bytes) === "other") return undefined;
  return patchExifOrientation(bytes, compose(readExifOrientation(bytes), way));
}
