/** A zip archive of files as they are: pictures do not get smaller. */
import { concat, crc32 } from "../package/src/bytes.js";
import type { Saved } from "./protocol.js";

/** The limits of zip without its 64-bit extension. */
export const MAX_FILES = 0xffff;
export const MAX_BYTES = 0xffffffff;

const UTF8_NAMES = 0x0800;
const EXACT_BYTES = 9;

/**
 * Pack `count` members, asked for one after another, without those that `lack` is told of. The blobs are referred to,
 * not copied into memory.
 */
export async function zipped(
  count: number,
  member: (index: number) => Promise<Saved>,
  lack: (index: number, error: unknown) => void,
): Promise<Blob> {
  const parts: BlobPart[] = [];
  const directory: Uint8Array[] = [];
  const taken = new Set<string>();
  let offset = 0;
  for (let index = 0; index < count; index++) {
    const found = await checked(member(index)).catch((error: unknown) => void lack(index, error));
    if (!found) continue;
    const { name, blob, modified, crc } = found;
    const path = new TextEncoder().encode(unique(name, taken));
    const described = concat(
      shorts(UTF8_NAMES, 0, ...localTime(modified)),
      longs(crc, blob.size, blob.size),
      shorts(path.length, EXACT_BYTES),
    );
    // The extended timestamp (0x5455): seconds in UTC, as local time has even ones of a zone that nobody knows.
    const exact = concat(shorts(0x5455, 5), Uint8Array.of(1), longs(Math.floor(modified / 1000)));
    const header = concat(longs(0x04034b50), shorts(20), described, path, exact);
    const listed = concat(longs(0x02014b50), shorts(20, 20), described, shorts(0, 0, 0), longs(0, offset), path, exact);
    directory.push(listed);
    parts.push(header as Uint8Array<ArrayBuffer>, blob);
    offset += header.length + blob.size;
  }
  const entries = concat(...directory);
  const packed = directory.length;
  if (packed > MAX_FILES || offset + entries.length > MAX_BYTES) throw new RangeError("zip limits");
  const end = concat(longs(0x06054b50), shorts(0, 0, packed, packed), longs(entries.length, offset), shorts(0));
  return new Blob([...parts, entries, end], { type: "application/zip" });
}

/** Time and date as MS-DOS has them, from 1980 to 2107. */
function localTime(modified: number): [time: number, date: number] {
  const at = new Date(modified);
  const year = at.getFullYear() - 1980;
  if (!(year >= 0 && year < 128)) return [0, 0x0021];
  const time = (at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1);
  return [time, (year << 9) | ((at.getMonth() + 1) << 5) | at.getDate()];
}

async function checked(member: Promise<Saved>): Promise<Saved & { crc: number }> {
  const found = await member;
  return { ...found, crc: await checksum(found.blob) };
}

async function checksum(blob: Blob): Promise<number> {
  let crc = 0;
  const reader = blob.stream().getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) crc = crc32(read.value, crc);
  return crc;
}

function unique(name: string, taken: Set<string>): string {
  const [, stem, ending] = /^(.*?)(\.[^./]*)?$/s.exec(name)!;
  let free = name;
  for (let count = 2; taken.has(free.toLowerCase()); count++) free = `${stem} (${count})${ending ?? ""}`;
  taken.add(free.toLowerCase());
  return free;
}

function shorts(...values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [value, value >>> 8]));
}

function longs(...values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [value, value >>> 8, value >>> 16, value >>> 24]));
}
