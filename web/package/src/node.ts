/** The same for Node, which reads files by sharp. */
import { readFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { formatOf } from "./bytes.js";
import type { Orientation } from "./decide.js";
import { nameOf, type DetectOptions } from "./detector.js";
import { UnreadablePicture } from "./errors.js";
import { readExifOrientation } from "./exif.js";
import { Detector as PackagedDetector, type DetectorOptions } from "./index.js";
import { once } from "./once.js";
import { over, pictureOf, type ImageDataLike, type Picture, type Pixels } from "./pixels.js";
import type { ExifOrientation } from "./turns.js";

export * from "./index.js";

/** A path, a `file:` address, the bytes of a file, a `Blob`, or pixels. */
export type Source = string | URL | Uint8Array | ArrayBuffer | Blob | ImageDataLike;

export class Detector extends PackagedDetector {
  static override async open(options: DetectorOptions = {}): Promise<Detector> {
    const { model } = options ?? {};
    const folder = typeof model === "string" && !isAddress(model) ? { model: pathToFileURL(model) } : {};
    return super.open(options && { ...options, ...folder }) as Promise<Detector>;
  }

  override detect(source: Source, options: DetectOptions = {}): Promise<Orientation> {
    return super.detect(source as Blob, options);
  }

  protected override async openPicture(source: unknown): Promise<Picture> {
    const bytes = await bytesOf(source);
    const { default: sharp } = await import("sharp").catch((cause: unknown) => {
      throw new Error("reading files in Node needs sharp: npm install sharp", { cause });
    });
    const name = typeof source === "string" || source instanceof URL ? `${source}: ` : "";
    try {
      const file = sharp(bytes);
      const [{ orientation = 1 }, { data, info }] = await Promise.all([
        file.metadata(),
        file.clone().toColourspace("srgb").ensureAlpha().raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true }),
      ]);
      const format = formatOf(bytes);
      const exif = format === "other" ? (orientation as ExifOrientation) : readExifOrientation(bytes);
      return pictureOf(new RawPixels({ data, width: info.width, height: info.height }), format, exif);
    } catch (cause) {
      throw new UnreadablePicture(`${name}not a picture that sharp reads: ${(cause as Error).message}`, undefined, { cause });
    }
  }
}

class RawPixels implements Pixels {
  constructor(private readonly image: ImageDataLike) {}

  get width(): number {
    return this.image.width;
  }

  get height(): number {
    return this.image.height;
  }

  strip(top: number, height: number, ground: "white" | "black"): ImageDataLike {
    const { width, data } = this.image;
    return over({ data: data.subarray(top * width * 4, (top + height) * width * 4), width, height }, ground);
  }

  close(): void {
    // Nothing holds them but this picture.
  }
}

/** Whether a text is an address and no path, which may begin with the letter of a drive. */
function isAddress(text: unknown): text is string {
  return typeof text === "string" && /^[a-z][a-z\d+.-]+:\//i.test(text);
}

async function bytesOf(source: unknown): Promise<Uint8Array> {
  if (source instanceof URL || isAddress(source)) return readFile(fileURLToPath(source));
  if (typeof source === "string") return readFile(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  const known = "a path, a file: address, bytes, a Blob or pixels { data, width, height }";
  throw new TypeError(`detect takes ${known}, not ${nameOf(source)}`);
}

const opened = /* @__PURE__ */ once(() => Detector.open());

/** Which way up a picture belongs, by the model of this package, which is loaded at the first call and kept. */
export async function detect(source: Source, options: DetectOptions = {}): Promise<Orientation> {
  return (await opened()).detect(source, options);
}
