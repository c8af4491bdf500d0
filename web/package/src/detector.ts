/** Tells which way up pictures belong, by any model folder. */
import { climb, PROMISES, type Orientation, type Promised } from "./decide.js";
import { Engine, type WasmOptions } from "./engine.js";
import { loadModel, type Fetch, type Model } from "./model.js";
import { openPicture, squashedPicture, squashedPixels, type ImageDataLike, type Picture } from "./pixels.js";
import type { Rgb } from "./resize.js";
import { STEPS } from "./steps.js";
import { tiltOf } from "./tilt.js";
import { lookOf, type Look, type Looks, type Shape, type Squash } from "./view.js";

export interface DetectorOptions {
  /** Folder with `model.json` and its weights. */
  model: URL | string;
  wasm?: WasmOptions;
  /** How files are read. Default: `fetch`, and the file system for `file:` addresses in Node. */
  fetch?: Fetch;
}

export interface DetectOptions {
  /** How sure an answer has to be. Default: balanced. */
  promise?: Promised;
  /** Whether the answer also says by how much text is tilted. */
  tilt?: boolean;
  /** What was seen of the same picture before, as `detectPicture` gives it: these looks are not taken again. */
  looks?: Looks;
}

/** Tells which way up pictures belong. One call at a time: calls wait for each other. */
export class Detector {
  private last: Promise<unknown> = Promise.resolve();

  protected constructor(
    readonly model: Model,
    private readonly engine: Engine,
  ) {}

  static async open(options: DetectorOptions): Promise<Detector> {
    const { model, weights } = await loadModel(new URL(options.model), options.fetch ?? read);
    return new this(model, await Engine.open(model, weights, options.wasm));
  }

  get threads(): number {
    return this.engine.threads;
  }

  /** Which way up a picture belongs: a file, or pixels. Throws TypeError or RangeError for what is neither. */
  async detect(source: Blob | ImageDataLike, options: DetectOptions = {}): Promise<Orientation> {
    checkOptions(options);
    if (isPixels(source)) {
      return this.decide(source, (...size) => squashedPixels(source, ...size), options).then(([answer]) => answer);
    }
    const picture = await this.openPicture(source);
    try {
      return (await this.detectPicture(picture, options))[0];
    } finally {
      picture.pixels.close();
    }
  }

  /** Decode a file: here a `Blob`, by the browser. */
  protected openPicture(source: unknown): Promise<Picture> {
    if (source instanceof Blob) return openPicture(source);
    throw new TypeError(`detect takes a Blob, a File or pixels { data, width, height }, not ${nameOf(source)}`);
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
    const { promise = "balanced", tilt = false, looks: before = [] } = options;
    const answer = this.last.then(async (): Promise<[Orientation, Looks]> => {
      const { input_size_px: side, calibration } = this.model;
      const looks: Look[] = [...before];
      const kept = once(squash);
      for (;;) {
        const next = climb(looks, calibration, promise);
        if (typeof next !== "string") return [tilt ? tilted(next, shape, kept) : next, looks];
        const views = STEPS[next]!.views(shape, kept, side);
        looks.push(lookOf(views, await this.engine.infer(views.map(({ pixels }) => pixels))));
      }
    });
    this.last = answer.catch(() => undefined);
    return answer;
  }
}

function tilted(answer: Orientation, shape: Shape, squash: Squash): Orientation {
  const found = tiltOf(shape, squash);
  return found ? { ...answer, tilt: found.degrees, tilt_error: found.error } : answer;
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

function checkOptions(options: DetectOptions): void {
  const unknown = Object.keys(options).filter((name) => !["promise", "tilt", "looks"].includes(name));
  if (unknown.length) throw new TypeError(`detect has no option ${unknown.join()}; it has promise and tilt`);
  const { promise } = options;
  if (promise === undefined || PROMISES.includes(promise)) return;
  throw new RangeError(`no promise is called ${String(promise)}; choose one of ${PROMISES.join(", ")}`);
}

function isPixels(source: unknown): source is ImageDataLike {
  if (typeof source !== "object" || source === null || !("data" in source && "width" in source)) return false;
  const { data, width, height } = source as ImageDataLike;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new TypeError(`pixels are a Uint8Array or Uint8ClampedArray, not ${nameOf(data)}`);
  }
  const fit = [width, height].every((side) => Number.isInteger(side) && side > 0) && data.length === width * height * 4;
  if (fit) return true;
  throw new RangeError(`${width} x ${height} pixels of red, green, blue and alpha are not ${data.length} bytes`);
}

/** What a value is, for an error. */
export function nameOf(value: unknown): string {
  return typeof value === "object" && value !== null ? value.constructor?.name || "an object" : String(typeof value);
}

async function read(address: string): Promise<Response> {
  if (!address.startsWith("file:")) return fetch(address);
  const fileSystem = "node:fs/promises";
  const { readFile } = (await import(/* @vite-ignore */ fileSystem)) as {
    readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
  };
  return new Response(await readFile(new URL(address)));
}
