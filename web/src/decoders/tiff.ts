/** TIFF: pages decoded by UTIF, and their orientation tags set as the command sets them, without touching a pixel. */
import UTIF, { type IFD } from "utif2";
import { DamagedMetadata, xmpOrientation } from "../../package/src/exif.js";
import { BitmapPixels, type DecodedPicture } from "../../package/src/bitmap.js";
import { pictureOf } from "../../package/src/pixels.js";
import { fitsCanvas, isTooLarge, type Size } from "../../package/src/sizes.js";
import { compose, isNothing, orientationOf, type Way } from "../../package/src/turns.js";
import { tooLarge, Unreadable } from "../page.js";

const ORIENTATION = 274;
const XMP = 700;
const PALETTE = 3;
const YCBCR = 6;
/** What UTIF decodes; of anything else it makes an empty picture. */
const COMPRESSIONS = [1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946];
const FAX = [2, 3, 4];
const JPEG = [6, 7];
/** By bits of a sample and how it is to be understood: of the pictures of 748 TIFF files UTIF showed these as they are. */
const PHOTOMETRICS: Record<number, number[]> = { 1: [0, 1, PALETTE], 2: [PALETTE], 4: [PALETTE], 8: [0, 1, 2, PALETTE, YCBCR], 16: [2] };
/** Bits of grey that are unpacked here: UTIF shows none of these, or a part of their range. */
const GREYS = [4, 16];
/** Of strips, and of tiles. */
const LENGTHS = [279, 325];

export async function openTiff(file: Blob, page: number): Promise<[DecodedPicture, number]> {
  const bytes = await file.arrayBuffer();
  const view = new DataView(bytes);
  const directories = decoded(() => {
    if (view.getUint16(2, isLittle(view)) !== 42) throw new Unreadable("TIFF"); // a BigTIFF
    [...chain(view)]; // in a circle UTIF would go round until memory ends
    return UTIF.decode(bytes);
  });
  const directory = directories[page];
  if (!directory || !isShownAsItIs(directory)) throw new Unreadable("TIFF");
  const size: Size = [value(directory, 256, 0), value(directory, 257, 0)];
  if (isTooLarge(size)) throw tooLarge(size);
  // UTIF counts up to whatever length a strip or tile claims.
  if (LENGTHS.some((tag) => values(directory, tag).some((length) => length > bytes.byteLength))) throw new Unreadable("");
  const pixels = decoded(() => {
    UTIF.decodeImage(bytes, directory);
    const shown = isGrey(directory) ? grey(directory) : new Uint8ClampedArray(UTIF.toRGBA8(directory));
    return new ImageData(shown, directory.width, directory.height);
  }, size);
  const exif = orientationOf(value(directory, ORIENTATION, 1));
  const picture = pictureOf(new BitmapPixels(await createImageBitmap(pixels)), "other", exif);
  return [picture, directories.length];
}

/** What UTIF gives; whatever it throws, the file cannot be opened, most likely by its size where that is beyond a canvas. */
function decoded<Result>(decode: () => Result, size: Size = [0, 0]): Result {
  try {
    return decode();
  } catch (error) {
    throw error instanceof Unreadable ? error : fitsCanvas(size) ? new Unreadable("") : tooLarge(size);
  }
}

/** Whether UTIF decodes a picture of this kind, and as others do. */
function isShownAsItIs(directory: IFD): boolean {
  const compression = value(directory, 259, 1);
  const photometric = value(directory, 262, -1);
  const [bits = 1, ...more] = values(directory, 258);
  const samples = value(directory, 277, 1);
  const jpeg = JPEG.includes(compression);
  return (
    COMPRESSIONS.includes(compression) &&
    (isGrey(directory) || (PHOTOMETRICS[bits] ?? []).includes(photometric)) &&
    samples <= (photometric === 2 ? 4 : photometric === YCBCR ? 3 : 2) &&
    (bits === 8 || more.every((each) => each === bits)) &&
    (value(directory, 284, 1) === 1 || samples === 1) && // each colour by itself is read as if they were together
    (value(directory, 266, 1) === 1 || FAX.includes(compression)) && // the first pixel in the lowest bit
    value(directory, 339, 1) === 1 && // neither signed nor a fraction
    value(directory, 317, 1) <= (bits >= 8 ? 2 : 1) &&
    (photometric === YCBCR ? jpeg && samples === 3 : photometric === 2 || !jpeg)
  );
}

function isGrey(directory: IFD): boolean {
  return GREYS.includes(value(directory, 258, 1)) && value(directory, 262, -1) < 2 && value(directory, 277, 1) === 1;
}

/** Grey of 4 or 16 bits as RGBA. */
function grey(directory: IFD): Uint8ClampedArray<ArrayBuffer> {
  const { data, width, height } = directory;
  const deep = value(directory, 258, 1) === 16;
  const line = Math.ceil((width * (deep ? 16 : 4)) / 8);
  // UTIF has put 16 bits into the order of the least byte first.
  const at = deep
    ? (x: number, y: number) => data[y * line + 2 * x]! | (data[y * line + 2 * x + 1]! << 8)
    : (x: number, y: number) => (data[y * line + (x >> 1)]! >> (x & 1 ? 0 : 4)) & 15;
  const values = new Uint16Array(width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) values[y * width + x] = at(x, y);
  const [low, high] = deep ? rangeOf(values) : [0, 15];
  const white = value(directory, 262, -1) === 0;
  const shown = new Uint32Array(values.length);
  values.forEach((each, index) => {
    const level = Math.floor(Math.min(255, Math.max(0, ((each - low) * 255) / Math.max(high - low, 1e-12))) + 0.5);
    shown[index] = (white ? 255 - level : level) * 0x010101 + 0xff000000;
  });
  return new Uint8ClampedArray(shown.buffer);
}

/** What becomes black and what white of 16 bits, as upright's `to_8_bits` has it. */
function rangeOf(values: Uint16Array): [low: number, high: number] {
  const counts = new Uint32Array(65536);
  for (const each of values) counts[each]!++;
  const at = (share: number) => {
    let [rank, each] = [share * (values.length - 1), 0];
    while (rank >= counts[each]! && each < 65535) rank -= counts[each++]!;
    return each;
  };
  const [low, high] = [at(0.005), at(0.995)];
  return high - low >= 65535 / 4 ? [0, 65535] : [low, high];
}

function value(directory: IFD, tag: number, otherwise: number): number {
  return values(directory, tag)[0] ?? otherwise;
}

function values(directory: IFD, tag: number): number[] {
  const found = directory[`t${tag}`];
  return Array.isArray(found) ? found.filter((each) => typeof each === "number") : [];
}

/** The same file with each page's tag mirrored and turned: value bytes change; a page without a tag gets a directory at the end. */
export function turnTiff(file: Uint8Array, ways: readonly Way[]): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(file);
  let view = new DataView(bytes.buffer);
  const little = isLittle(view);
  let pointer = 4;
  for (const way of ways) {
    const start = view.getUint32(pointer, little);
    const count = start + 2 <= bytes.length ? view.getUint16(start, little) : 0;
    const end = start + 2 + count * 12;
    if (start < 8 || count === 0 || end + 4 > bytes.length) throw new DamagedMetadata("a TIFF directory is cut short");
    const entries = Array.from({ length: count }, (_, index) => start + 2 + index * 12);
    const tag = (at: number) => view.getUint16(at, little);
    const found = entries.find((at) => tag(at) === ORIENTATION);
    pointer = end;
    if (isNothing(way)) continue;
    if (found !== undefined) {
      // Anything but one short value is not a tag that readers agree on.
      if (tag(found + 2) !== 3 || view.getUint32(found + 4, little) !== 1) throw new DamagedMetadata("a tag of another type");
      const after = compose(orientationOf(view.getUint16(found + 8, little)), way);
      view.setUint16(found + 8, after, little);
      const packet = entries.find((at) => tag(at) === XMP);
      if (packet === undefined) continue;
      const start = view.getUint32(packet + 8, little);
      const xmp = xmpOrientation(bytes, { start, end: start + view.getUint32(packet + 4, little) });
      if (xmp) bytes[xmp.offset] = 0x30 + after;
      continue;
    }
    const cut = entries.find((at) => tag(at) > ORIENTATION) ?? end;
    const from = bytes.length + (bytes.length % 2);
    const grown = new Uint8Array(from + 2 + (count + 1) * 12 + 4);
    grown.set(bytes);
    grown.set(bytes.subarray(start, cut), from);
    const added = from + cut - start;
    grown.set(bytes.subarray(cut, end + 4), added + 12);
    view = new DataView(grown.buffer);
    view.setUint16(from, count + 1, little);
    view.setUint16(added, ORIENTATION, little);
    view.setUint16(added + 2, 3, little);
    view.setUint32(added + 4, 1, little);
    view.setUint16(added + 8, compose(1, way), little);
    view.setUint32(pointerTo(view, start), from, little);
    pointer = added + 12 + end - cut;
    bytes = grown;
  }
  return bytes;
}

/** Where the file says that a directory begins there. */
function pointerTo(view: DataView, start: number): number {
  for (const [pointer, found] of chain(view)) if (found === start) return pointer;
  throw new DamagedMetadata("a TIFF directory lies outside of the file");
}

/** Where the offset of each directory is, and that offset. */
function* chain(view: DataView): Generator<[pointer: number, start: number]> {
  const little = isLittle(view);
  const seen = new Set<number>();
  for (let pointer = 4; pointer + 4 <= view.byteLength; ) {
    const start = view.getUint32(pointer, little);
    if (!start || start + 2 > view.byteLength) return;
    if (seen.has(start)) throw new DamagedMetadata("TIFF directories go round in a circle");
    seen.add(start);
    yield [pointer, start];
    pointer = start + 2 + view.getUint16(start, little) * 12;
  }
}

function isLittle(view: DataView): boolean {
  return view.getUint8(0) === 0x49;
}
