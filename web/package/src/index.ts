import { climb, type Orientation, type Promised } from "./decide.js";
import { Engine, type WasmOptions } from "./engine.js";
import { loadModel, type Fetch, type Model } from "./model.js";
import { openPicture, squashedPicture, squashedPixels, type ImageDataLike, type Picture } from "./pixels.js";
import type { Rgb } from "./resize.js";
import { STEPS } from "./steps.js";
import { lookOf, type Look, type Looks, type Shape, type Squash } from "./view.js";

export { patchExifOrientation, readExifOrientation } from "./exif.js";
export type { ExifOrientation, Turn } from "./turns.js";
export type { Fetch, ImageDataLike, Looks, Model, Orientation, Picture, Promised, WasmOptions };

export interface DetectorOptions {
  /** Folder with `model.json` and its weights. Default: the model that comes with this package. */
  model?: URL | string;
  wasm?: WasmOptions;
  /** How files are read. Default: `fetch`, and the file system for `file:` addresses in Node. */
  fetch?: Fetch;
}

export interface DetectOptions {
  /** How sure an answer has to be. Default: balanced. */
  promise?: Promised;
  /** What was seen of the same picture before, as `detectPicture` gives it: these looks are not taken again. */
  looks?: Looks;
}

/** Tells which way up pictures belong. One call at a time: calls wait for each other. */
export class Detector {
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly model: Model,
    private readonly engine: Engine,
  ) {}

  static async open(options: DetectorOptions = {}): Promise<Detector> {
    const folder = new URL(options.model ?? packagedModel());
    const { model, weights } = await loadModel(folder, options.fetch ?? read);
    return new Detector(model, await Engine.open(model, weights, options.wasm));
  }

  get threads(): number {
    return this.engine.threads;
  }

  /** Which way up a picture belongs. A `Blob` needs a browser to decode it; Node takes pixels. */
  async detect(source: Blob | ImageDataLike, options: DetectOptions = {}): Promise<Orientation> {
    if (!(source instanceof Blob)) {
      return this.decide(source, (...size) => squashedPixels(source, ...size), options).then(([answer]) => answer);
    }
    const picture = await openPicture(source);
    try {
      return (await this.detectPicture(picture, options))[0];
    } finally {
      picture.bitmap.close();
    }
  }

  /** The same for a decoded picture; gives what was seen, too, from which `climb` can answer for another promise. */
  detectPicture(picture: Picture, options: DetectOptions = {}): Promise<[Orientation, Looks]> {
    return this.decide(picture, (...size) => squashedPicture(picture, ...size), options);
  }

  async close(): Promise<void> {
    await this.last.catch(() => undefined);
    await this.engine.close();
  }

  private decide(shape: Shape, squash: Squash, options: DetectOptions): Promise<[Orientation, Looks]> {
    const { promise = "balanced", looks: before = [] } = options;
    const answer = this.last.then(async (): Promise<[Orientation, Looks]> => {
      const { input_size_px: side, calibration } = this.model;
      const looks: Look[] = [...before];
      const kept = once(squash);
      for (;;) {
        const next = climb(looks, calibration, promise);
        if (typeof next !== "string") return [next, looks];
        const views = STEPS[next]!.views(shape, kept, side);
        looks.push(lookOf(views, await this.engine.infer(views.map(({ pixels }) => pixels))));
      }
    });
    this.last = answer.catch(() => undefined);
    return answer;
  }
}

/** Several steps show the whole picture at one size. */
function once(squash: Squash): Squash {
  const kept = new Map<string, Rgb>();
  return (width, height) => {
    const key = `${width},${height}`;
    if (!kept.has(key)) kept.set(key, squash(width, height));
    return kept.get(key)!;
  };
}

let shared: Promise<Detector> | undefined;

/** Which way up a picture belongs, by the model of this package, which is loaded at the first call and kept. */
export async function detect(source: Blob | ImageDataLike, options: DetectOptions = {}): Promise<Orientation> {
  shared ??= Detector.open();
  const opened = shared;
  opened.catch(() => {
    if (shared === opened) shared = undefined;
  });
  return (await opened).detect(source, options);
}

function packagedModel(): URL {
  const here = import.meta.url;
  return new URL("../model/", here);
}

async function read(address: string): Promise<Response> {
  if (!address.startsWith("file:")) return fetch(address);
  const fileSystem = "node:fs/promises";
  const { readFile } = (await import(/* @vite-ignore */ fileSystem)) as {
    readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
  };
  return new Response(await readFile(new URL(address)));
}
