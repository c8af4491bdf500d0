import { boxes, SEQUENCE } from "./decoders/boxes.js";

/** Whether there are frames in a GIF, WebP, HEIC or AVIF, which a PNG would lose. Throws `DamagedMetadata`. */
export function isAnimated(bytes: Uint8Array): boolean {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 64));
  if (head.startsWith("GIF8")) return frames(bytes) > 1;
  if (head.startsWith("RIFF") && head.slice(8, 16) === "WEBPVP8X") return (bytes[20]! & 2) !== 0;
  if (!head.startsWith("ftyp", 4)) return false;
  if (head.startsWith("avis", 8)) return true;
  for (const { kind } of boxes(bytes)) if (SEQUENCE.includes(kind)) return true;
  return false;
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
