/** How many pixels a file has by its header, and how many a browser can hold. */
import { formatOf, startsWith } from "./bytes.js";
import { segments } from "./exif.js";

export type Size = readonly [width: number, height: number];

/** The longest side of a canvas that every browser has; one that is too large stays blank, without an error. */
export const CANVAS_PX = 16_384;
/** The most pixels of a canvas in browsers, and its longest side in those that take a long one at all. */
const CANVAS_PIXELS = CANVAS_PX ** 2;
const CANVAS_SIDE_PX = 32_767;
/** No browser decodes what takes 2 GiB. */
const MOST_PIXELS = 2 ** 29 - 1;

export function fitsCanvas([width, height]: Size): boolean {
  return width * height <= CANVAS_PIXELS && Math.max(width, height) <= CANVAS_SIDE_PX;
}

/** Whether no browser decodes it. */
export function isTooLarge([width, height]: Size): boolean {
  return width * height > MOST_PIXELS;
}

export function inWords([width, height]: Size): string {
  return `${width} x ${height}`;
}

/** The size of a JPEG, PNG, GIF, BMP, WebP, HEIC or AVIF as its header has it; nothing where that does not say. */
export function sizeOf(bytes: Uint8Array): Size | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    return read(bytes, view);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // the header is cut short
    throw error;
  }
}

function read(bytes: Uint8Array, view: DataView): Size | undefined {
  const starts = (text: string, at?: number) => startsWith(bytes, text, at);
  const format = formatOf(bytes);
  if (format === "JPEG") return frameSize(bytes, view);
  if (format === "PNG") return [view.getUint32(16), view.getUint32(20)];
  if (starts("GIF8")) return [view.getUint16(6, true), view.getUint16(8, true)];
  if (starts("BM")) return bitmapSize(view);
  if (starts("RIFF") && starts("WEBP", 8)) return webpSize(view, starts);
  return starts("ftyp", 4) ? boxSize(bytes, view) : undefined;
}

function frameSize(bytes: Uint8Array, view: DataView): Size | undefined {
  for (const { marker, body } of segments(bytes)) {
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return [view.getUint16(body + 3), view.getUint16(body + 1)];
  }
  return undefined;
}

/** Headers of 12 bytes are OS/2's; rows from the top down have a negative height. */
function bitmapSize(view: DataView): Size {
  if (view.getUint32(14, true) === 12) return [view.getUint16(18, true), view.getUint16(20, true)];
  return [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
}

function webpSize(view: DataView, starts: (text: string, at: number) => boolean): Size {
  const of24Bits = (at: number) => view.getUint16(at, true) + view.getUint8(at + 2) * 0x10000 + 1;
  if (starts("VP8X", 12)) return [of24Bits(24), of24Bits(27)];
  if (starts("VP8 ", 12)) return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  const packed = view.getUint32(21, true);
  return [(packed & 0x3fff) + 1, ((packed >>> 14) & 0x3fff) + 1];
}

/** The largest picture that is in the file: the one that is shown, where it is not cropped. */
function boxSize(bytes: Uint8Array, view: DataView): Size | undefined {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 1 << 16));
  const sizes = [...head.matchAll(/ispe\0{4}/g)].map(({ index }): Size => [view.getUint32(index + 8), view.getUint32(index + 12)]);
  return sizes.sort(([a, b], [c, d]) => c * d - a * b)[0];
}
