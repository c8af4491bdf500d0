/*
 * The EXIF orientation tag, read from and written into the bytes of a JPEG or PNG, as upright's `exif` package does it:
 * no pixel and no other byte changes. Where a tag is written, an orientation in XMP follows it.
 */
import { concat, crc32, formatOf, startsWith, type Format } from "./bytes.js";
import { orientationOf, type ExifOrientation } from "./turns.js";

const ORIENTATION = 0x0112;
const SHORT = 3;
const WIDTHS: Record<number, number> = { 1: 1, 3: 2, 4: 4 };
const JPEG_XMP = "http://ns.adobe.com/xap/1.0/\0";
const PNG_XMP = "XML:com.adobe.xmp\0";
const XMP_VALUE = /tiff:Orientation\s*(?:=\s*["']|>)\s*([0-9])\s*["'<]/;

export interface Span {
  start: number;
  end: number;
}

interface Edit {
  offset: number;
  removed: number;
  bytes: Uint8Array;
}

/** Where a file keeps what tells the orientation, and where a tag goes that is not there yet. */
interface Blocks {
  tiff?: Span;
  xmp?: Span;
  mpf?: number;
  insertAt?: number;
}

/** The metadata contradicts itself, so that no tag can be written without risk. */
export class DamagedMetadata extends Error {
  override readonly name = "DamagedMetadata";
}

/** How the stored pixels are shown; 1 where the file does not say, or not rightly. */
export function readExifOrientation(bytes: Uint8Array): ExifOrientation {
  const { tiff } = find(bytes);
  try {
    return orientationOf((tiff && new Directory(bytes, tiff).orientation?.raw) ?? 1);
  } catch (error) {
    if (error instanceof DamagedMetadata) return 1;
    throw error;
  }
}

/**
 * The same file with its orientation tag set: the value bytes change, or the smallest tag is inserted.
 * Throws `DamagedMetadata`, also for formats other than JPEG and PNG, and RangeError for what is no orientation.
 */
export function patchExifOrientation(bytes: Uint8Array, orientation: ExifOrientation): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(orientation) || orientation < 1 || orientation > 8) {
    throw new RangeError(`an EXIF orientation is an integer from 1 to 8, not ${String(orientation)}`);
  }
  const format = formatOf(bytes);
  const blocks = find(bytes);
  const edits = tagEdits(bytes, format, blocks, orientation);
  const xmp = blocks.xmp && xmpOrientation(bytes, blocks.xmp);
  if (xmp && xmp.value !== orientation) {
    edits.push({ offset: xmp.offset, removed: 1, bytes: Uint8Array.of(0x30 + orientation) });
  }
  if (format === "PNG") edits.push(...seals(bytes, edits));
  return applied(bytes, edits);
}

function find(bytes: Uint8Array): Blocks {
  const format = formatOf(bytes);
  return format === "JPEG" ? findInJpeg(bytes) : format === "PNG" ? findInPng(bytes) : {};
}

function tagEdits(bytes: Uint8Array, format: Format, blocks: Blocks, orientation: ExifOrientation): Edit[] {
  if (!blocks.tiff) {
    if (orientation === 1) return [];
    if (blocks.insertAt === undefined) throw new DamagedMetadata("no orientation can be written into this file");
    return [insertion(blocks.insertAt, newBlock(format, orientation))];
  }
  const directory = new Directory(bytes, blocks.tiff);
  const found = directory.orientation;
  if (found) return found.raw === orientation ? [] : [directory.change(orientation)];
  if (orientation === 1) return [];
  const { pointer, addition } = directory.grow(orientation);
  return [pointer, enlarged(bytes, format, blocks, addition.length), insertion(blocks.tiff.end, addition)];
}

function insertion(offset: number, bytes: Uint8Array): Edit {
  return { offset, removed: 0, bytes };
}

function applied(bytes: Uint8Array, edits: Edit[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let position = 0;
  for (const edit of edits.sort((a, b) => a.offset - b.offset)) {
    parts.push(bytes.subarray(position, edit.offset), edit.bytes);
    position = edit.offset + edit.removed;
  }
  return concat(...parts, bytes.subarray(position));
}

/** The first image file directory of a TIFF structure (TIFF 6.0, section 2). */
class Directory {
  private readonly view: DataView;
  private readonly little: boolean;
  private readonly start: number;
  private readonly count: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly span: Span,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, Math.min(span.end, bytes.length));
    this.little = bytes[span.start] === 0x49;
    if (span.end - span.start < 8 || this.short(span.start + 2) !== 42) {
      throw new DamagedMetadata("the EXIF block has no TIFF header");
    }
    this.start = span.start + this.view.getUint32(span.start + 4, this.little);
    if (this.start === span.start || this.start + 2 > span.end) {
      throw new DamagedMetadata("a TIFF directory lies outside of its block");
    }
    this.count = this.short(this.start);
  }

  /** The tag: `raw` is undefined where its type is wrong, `at` is where its entry begins. */
  get orientation(): { raw: number | undefined; at: number } | undefined {
    for (let i = 0; i < this.count && this.entry(i + 1) <= this.span.end; i++) {
      const at = this.entry(i);
      if (this.short(at) === ORIENTATION) return { raw: this.raw(at), at };
    }
    return undefined;
  }

  change(value: number): Edit {
    const { raw, at } = this.orientation!;
    if (raw === undefined) return { offset: at, removed: 12, bytes: this.newEntry(value) };
    const width = WIDTHS[this.short(at + 2)]!;
    const bytes = this.newEntry(value, width).slice(8, 8 + width);
    return { offset: at + 8, removed: width, bytes };
  }

  /** A directory with the tag, to stand at the end of the block, and the edit of the offset that leads to it. */
  grow(value: number): { pointer: Edit; addition: Uint8Array } {
    const end = this.entry(this.count);
    if (end > this.span.end) throw new DamagedMetadata("a TIFF directory is cut short");
    let cut = 0;
    while (cut < this.count && this.short(this.entry(cut)) < ORIENTATION) cut++;
    const pad = new Uint8Array((this.span.end - this.span.start) % 2);
    const following = new Uint8Array(4);
    following.set(this.bytes.subarray(end, Math.min(end + 4, this.bytes.length)));
    const addition = concat(
      pad,
      this.packed(2, this.count + 1),
      this.bytes.subarray(this.entry(0), this.entry(cut)),
      this.newEntry(value),
      this.bytes.subarray(this.entry(cut), end),
      following,
    );
    const offset = this.packed(4, this.span.end - this.span.start + pad.length);
    return { pointer: { offset: this.span.start + 4, removed: 4, bytes: offset }, addition };
  }

  private entry(index: number): number {
    return this.start + 2 + index * 12;
  }

  private short(at: number): number {
    return this.view.getUint16(at, this.little);
  }

  private raw(at: number): number | undefined {
    const width = this.view.getUint32(at + 4, this.little) === 1 ? WIDTHS[this.short(at + 2)] : undefined;
    if (width === 1) return this.view.getUint8(at + 8);
    if (width === 2) return this.short(at + 8);
    return width === 4 ? this.view.getUint32(at + 8, this.little) : undefined;
  }

  private packed(width: number, value: number): Uint8Array {
    const bytes = new Uint8Array(width);
    const view = new DataView(bytes.buffer);
    if (width === 1) view.setUint8(0, value);
    else if (width === 2) view.setUint16(0, value, this.little);
    else view.setUint32(0, value, this.little);
    return bytes;
  }

  private newEntry(value: number, width = 2): Uint8Array {
    const rest = new Uint8Array(4);
    rest.set(this.packed(width, value));
    return concat(this.packed(2, ORIENTATION), this.packed(2, SHORT), this.packed(4, 1), rest);
  }
}

function findInJpeg(bytes: Uint8Array): Blocks {
  const blocks: Blocks = { insertAt: 2 };
  let onlyApp0 = true;
  for (const { marker, start, body, end } of segments(bytes)) {
    onlyApp0 &&= marker === 0xe0;
    if (onlyApp0) blocks.insertAt = end;
    if (marker === 0xe1 && !blocks.tiff && startsWith(bytes, "Exif\0", body)) blocks.tiff = { start: body + 6, end };
    if (marker === 0xe1 && !blocks.xmp && startsWith(bytes, JPEG_XMP, body)) {
      blocks.xmp = { start: body + JPEG_XMP.length, end };
    }
    if (marker === 0xe2 && startsWith(bytes, "MPF\0", body)) blocks.mpf ??= start;
  }
  return blocks;
}

/** Marker segments between SOI and the first SOS; ends quietly where the file does. */
export function* segments(bytes: Uint8Array): Generator<Span & { marker: number; body: number }> {
  let at = 2;
  while (at + 4 <= bytes.length) {
    const marker = bytes[at + 1]!;
    if (bytes[at] !== 0xff || marker === 0 || marker === 0xff) {
      at++; // padding, or garbage that decoders skip
      continue;
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;
      continue;
    }
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (marker === 0xd9 || marker === 0xda || length < 2) return;
    const end = Math.min(at + 2 + length, bytes.length);
    yield { marker, start: at, body: at + 4, end };
    at = end;
  }
}

function findInPng(bytes: Uint8Array): Blocks {
  const blocks: Blocks = {};
  for (const { kind, start, body, end } of chunks(bytes)) {
    if (kind === "IDAT") blocks.insertAt ??= start;
    // Some writers put JPEG's prefix in front.
    if (kind === "eXIf" && !blocks.tiff) {
      blocks.tiff = { start: body + (startsWith(bytes, "Exif\0\0", body) ? 6 : 0), end };
    }
    if (kind === "iTXt" && !blocks.xmp && startsWith(bytes, `${PNG_XMP}\0`, body)) {
      blocks.xmp = { start: body + PNG_XMP.length, end };
    }
  }
  return blocks;
}

function* chunks(bytes: Uint8Array): Generator<Span & { kind: string; body: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield { kind, start: at, body: at + 8, end: Math.min(at + 8 + length, bytes.length) };
    if (kind === "IEND") return;
    at += 12 + length;
  }
}

/** Where XMP in this stretch says the orientation, and what. */
export function xmpOrientation(bytes: Uint8Array, span: Span): { offset: number; value: number } | undefined {
  const match = XMP_VALUE.exec(new TextDecoder("latin1").decode(bytes.subarray(span.start, span.end)));
  if (!match) return undefined;
  const within = match[0].lastIndexOf(match[1]!);
  return { offset: span.start + match.index + within, value: Number(match[1]) };
}

function newBlock(format: Format, orientation: number): Uint8Array {
  const tiff = Uint8Array.of(0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0);
  if (format === "JPEG") {
    const prefix = new TextEncoder().encode("Exif\0\0");
    return concat(Uint8Array.of(0xff, 0xe1, 0, prefix.length + tiff.length + 2), prefix, tiff);
  }
  const body = concat(new TextEncoder().encode("eXIf"), tiff);
  return concat(bigEndian(tiff.length), body, bigEndian(crc32(body)));
}

function enlarged(bytes: Uint8Array, format: Format, blocks: Blocks, by: number): Edit {
  const tiff = blocks.tiff!;
  if (format === "JPEG") {
    const at = tiff.start - 8;
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    if (at + length !== tiff.end || length + by > 0xffff || (blocks.mpf ?? Infinity) < tiff.start) {
      throw new DamagedMetadata("the EXIF segment cannot grow");
    }
    return { offset: at, removed: 2, bytes: bigEndian(length + by).slice(2) };
  }
  const chunk = chunkOf(bytes, tiff.end);
  return { offset: chunk.start, removed: 4, bytes: bigEndian(chunk.end - chunk.body + by) };
}

/** The check sums of PNG chunks that `edits` change inside. */
function seals(bytes: Uint8Array, edits: Edit[]): Edit[] {
  const made: Edit[] = [];
  for (const chunk of chunks(bytes)) {
    const inside = edits.filter(({ offset }) => offset >= chunk.body && offset <= chunk.end);
    if (inside.length === 0) continue;
    const shifted = inside.map((edit) => ({ ...edit, offset: edit.offset - chunk.start - 4 }));
    const body = applied(bytes.subarray(chunk.start + 4, chunk.end), shifted);
    made.push({ offset: chunkOf(bytes, chunk.end).end, removed: 4, bytes: bigEndian(crc32(body)) });
  }
  return made;
}

function chunkOf(bytes: Uint8Array, end: number): Span & { body: number } {
  for (const chunk of chunks(bytes)) if (chunk.end === end && end + 4 <= bytes.length) return chunk;
  throw new DamagedMetadata("a metadata chunk is cut short");
}

function bigEndian(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}
