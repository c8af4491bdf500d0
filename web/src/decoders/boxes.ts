/** The boxes that HEIC and AVIF are made of (ISO/IEC 14496-12, 4.2). */
import { DamagedMetadata } from "../../package/src/exif.js";

export interface Box {
  kind: string;
  /** Of the box itself. */
  at: number;
  /** Of what it holds. */
  start: number;
  end: number;
}

/** Boxes of a file that hold a sequence of frames, alone or beside a still picture. */
export const SEQUENCE = ["moov", "moof", "mfra"];

/** The boxes of a stretch, one after the other. Throws `DamagedMetadata` where one is cut short. */
export function* boxes(bytes: Uint8Array, start = 0, until = bytes.length): Generator<Box> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = start; at + 8 <= until; ) {
    let [size, head] = [view.getUint32(at), 8];
    if (size === 1) [size, head] = [Number(view.getBigUint64(at + 8)), 16];
    if (size === 0) size = until - at;
    if (size < head || at + size > until) throw new DamagedMetadata("the boxes are cut short");
    yield { kind: String.fromCharCode(...bytes.subarray(at + 4, at + 8)), at, start: at + head, end: at + size };
    at += size;
  }
}
