/** A picture's file with its turn written into it. */
import { formatOf } from "../package/src/bytes.js";
import { DamagedMetadata, patchExifOrientation, readExifOrientation } from "../package/src/exif.js";
import { compose, type Turn } from "../package/src/turns.js";
import type { Looked, Saved, Wanted } from "./protocol.js";

type Method = Pick<Looked, "method" | "why">;

/** How a turn of this file would be written. */
export async function methodOf(file: Blob): Promise<Method> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (formatOf(bytes) === "other") return isAnimated(bytes) ? { method: "cannot", why: "animated" } : { method: "png" };
  try {
    patchExifOrientation(bytes, compose(readExifOrientation(bytes), 90));
    return { method: "tag" };
  } catch (error) {
    if (error instanceof DamagedMetadata) return { method: "cannot", why: "noTag" };
    throw error;
  }
}

/** JPEG and PNG get a tag, anything else becomes a PNG of its turned pixels; a turn of 0 is the file itself. */
export async function saved({ file, name, turns }: Wanted, turned: (turn: Turn) => Promise<Blob>): Promise<Saved> {
  const [turn, modified] = [turns[0]!, file.lastModified];
  const { method } = turn === 0 ? { method: "cannot" } : await methodOf(file);
  if (method === "cannot") return { name, blob: file, modified };
  if (method === "png") return { name: `${name.replace(/\.\w{1,5}$/, "")}.png`, blob: await turned(turn), modified };
  const bytes = new Uint8Array(await file.arrayBuffer());
  const patched = patchExifOrientation(bytes, compose(readExifOrientation(bytes), turn));
  return { name, blob: new Blob([patched], { type: file.type }), modified };
}

/** Whether there is more than one picture in a GIF, WebP or AVIF, which a PNG would lose. */
function isAnimated(bytes: Uint8Array): boolean {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 64));
  if (head.startsWith("GIF8")) return frames(bytes) > 1;
  if (head.startsWith("RIFF") && head.slice(8, 16) === "WEBPVP8X") return (bytes[20]! & 2) !== 0;
  return head.startsWith("ftypavis", 4);
}

/** Frames of a GIF, two at the most: its blocks are followed, as their bytes may look like anything. */
function frames(bytes: Uint8Array): number {
  const table = (packed: number) => (packed & 0x80 ? 3 << ((packed & 7) + 1) : 0);
  let count = 0;
  let at = 13 + table(bytes[10]!);
  while (at < bytes.length && bytes[at] !== 0x3b && count < 2) {
    if (bytes[at] === 0x2c) {
      count++;
      at += 11 + table(bytes[at + 9]!);
    } else at += 2;
    for (let size = bytes[at]; size; size = bytes[at]) at += size + 1;
    at++;
  }
  return count;
}
