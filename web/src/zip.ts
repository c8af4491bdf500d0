/** A zip archive of files as they are: pictures do not get smaller. */
import { concat, crc32 } from "../package/src/bytes.js";

export interface Member {
  name: string;
  blob: Blob;
}

/** The limits of zip without its 64-bit extension. */
export const MAX_FILES = 0xffff;
export const MAX_BYTES = 0xffffffff;

const UTF8_NAMES = 0x0800;
const EARLIEST = 0x0021; // 1980-01-01: no time is known, and equal pictures give equal archives

/** Pack `count` members, asked for one after another. The blobs are referred to, not copied into memory. */
export async function zipped(count: number, member: (index: number) => Promise<Member>): Promise<Blob> {
  const parts: BlobPart[] = [];
  const directory: Uint8Array[] = [];
  const taken = new Set<string>();
  let offset = 0;
  for (let index = 0; index < count; index++) {
    const { name, blob } = await member(index);
    const path = new TextEncoder().encode(unique(name, taken));
    const described = concat(
      shorts(UTF8_NAMES, 0, 0, EARLIEST),
      longs(await checksum(blob), blob.size, blob.size),
      shorts(path.length, 0),
    );
    const header = concat(longs(0x04034b50), shorts(20), described, path);
    directory.push(concat(longs(0x02014b50), shorts(20, 20), described, shorts(0, 0, 0), longs(0, offset), path));
    parts.push(header as Uint8Array<ArrayBuffer>, blob);
    offset += header.length + blob.size;
  }
  const entries = concat(...directory);
  if (count > MAX_FILES || offset + entries.length > MAX_BYTES) throw new RangeError("zip limits");
  const end = concat(longs(0x06054b50), shorts(0, 0, count, count), longs(entries.length, offset), shorts(0));
  return new Blob([...parts, entries, end], { type: "application/zip" });
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
