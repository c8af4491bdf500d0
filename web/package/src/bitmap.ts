/** Pictures that a browser decodes. Apart from `pixels.ts`, whose types are read without a browser's, too. */
import { formatOf } from "./bytes.js";
import { UnreadablePicture } from "./errors.js";
import { patchExifOrientation, readExifOrientation } from "./exif.js";
import { pictureOf, type ImageDataLike, type Picture, type Pixels } from "./pixels.js";
import { CANVAS_PX, fitsCanvas, inWords, isTooLarge, sizeOf, type Size } from "./sizes.js";

/** One that a browser has decoded. */
export interface DecodedPicture extends Picture {
  pixels: BitmapPixels;
}

export class BitmapPixels implements Pixels {
  readonly width: number;
  readonly height: number;
  private canvas: OffscreenCanvas | undefined;

  constructor(readonly bitmap: ImageBitmap) {
    this.width = bitmap.width;
    this.height = bitmap.height;
  }

  strip(top: number, height: number, ground: "white" | "black"): ImageDataLike {
    const { width } = this;
    if (Math.max(width, height) <= CANVAS_PX) return this.tile(0, top, width, height, ground);
    const data = new Uint8ClampedArray(width * height * 4);
    for (let x = 0; x < width; x += CANVAS_PX) {
      for (let y = 0; y < height; y += CANVAS_PX) {
        const tile = this.tile(x, top + y, Math.min(CANVAS_PX, width - x), Math.min(CANVAS_PX, height - y), ground);
        for (let row = 0, wide = tile.width * 4; row < tile.height; row++) {
          data.set(tile.data.subarray(row * wide, (row + 1) * wide), ((y + row) * width + x) * 4);
        }
      }
    }
    return { data, width, height };
  }

  private tile(left: number, top: number, width: number, height: number, ground: string): ImageData {
    if (!this.canvas || this.canvas.width < width || this.canvas.height < height) this.canvas = new OffscreenCanvas(width, height);
    const context = this.canvas.getContext("2d", { willReadFrequently: true, alpha: false })!;
    context.fillStyle = ground;
    context.fillRect(0, 0, width, height);
    context.drawImage(this.bitmap, -left, -top);
    return context.getImageData(0, 0, width, height);
  }

  close(): void {
    this.bitmap.close();
  }
}

/** Decode a picture; close its `pixels` afterwards. Throws `UnreadablePicture` where the browser cannot. */
export async function openPicture(blob: Blob): Promise<DecodedPicture> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const format = formatOf(bytes);
  const size = sizeOf(bytes);
  if (size && isTooLarge(size)) throw unreadable(blob, size);
  const exif = readExifOrientation(bytes);
  // Browsers turn while they decode and do not agree on how to ask for stored pixels. Those are wanted, because
  // libjpeg shrinks them in blocks that are counted from the stored corner; so the tag is taken away beforehand.
  const stored = exif === 1 ? blob : new Blob([patchExifOrientation(bytes, 1)], { type: blob.type });
  const bitmap = await createImageBitmap(stored).catch((cause: unknown) => {
    throw unreadable(blob, size && !fitsCanvas(size) ? size : undefined, cause);
  });
  return pictureOf(new BitmapPixels(bitmap), format, exif);
}

function unreadable(blob: Blob, size: Size | undefined, cause?: unknown): UnreadablePicture {
  const what = size ? `${inWords(size)} pixels are more than this browser decodes` : "not a picture that this browser reads";
  return new UnreadablePicture(`${blob instanceof File ? `${blob.name}: ` : ""}${what}`, size, { cause });
}
