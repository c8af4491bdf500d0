/** A picture's file with its turn written into it. */
import { formatOf } from "../package/src/bytes.js";
import { DamagedMetadata, patchExifOrientation, readExifOrientation } from "../package/src/exif.js";
import { compose, type Turn } from "../package/src/turns.js";
import type { Saved, Wanted } from "./protocol.js";

/** Whether a turn of this file is a matter of its orientation tag alone. */
export async function canPatch(file: Blob): Promise<boolean> {
  return formatOf(new Uint8Array(await file.slice(0, 16).arrayBuffer())) !== "other";
}

/** JPEG and PNG get a tag, anything else becomes a PNG of its turned pixels; a turn of 0 is the file itself. */
export async function saved({ file, name, turn }: Wanted, turned: (turn: Turn) => Promise<Blob>): Promise<Saved> {
  if (turn === 0) return { name, blob: file, method: "keep" };
  if (await canPatch(file)) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    try {
      const patched = patchExifOrientation(bytes, compose(readExifOrientation(bytes), turn));
      return { name, blob: new Blob([patched], { type: file.type }), method: "tag" };
    } catch (error) {
      if (!(error instanceof DamagedMetadata)) throw error;
    }
  }
  return { name: `${name.replace(/\.\w{1,5}$/, "")}.png`, blob: await turned(turn), method: "png" };
}
