/** Tells which way up pictures belong, by any model folder. */
import { openPicture } from "./bitmap.js";
import { climb, PROMISES, type Orientation, type Promised } from "./decide.js";
import { Engine, type WasmOptions } from "./engine.js";
import { DetectorClosed } from "./errors.js";
import { Heads, isOf, mirroring, told, turnsOf, type Infer, type InMirror, type Seen } from "./heads.js";
import { loadHeads, loadModel, type Fetch, type Model } from "./model.js";
import { squashedPicture, squashedPixels, type ImageDataLike, type Picture } from "./pixels.js";
import { STEPS } from "./steps.js";
import { tiltOf } from "./tilt.js";
import { lookOf, type Look, type Looks, type Shape, type Squash, type View } from "./view.js";

export interface DetectorOptions {
  /** The address of a folder with `model.json` and its weights; `heads.json` and its weights are read when `mirror` is first asked for. */
  model: URL | string;
  wasm?: WasmOptions;
  /** How files are read. Default: `fetch`, and the file system for `file:` addresses in Node. */
  fetch?: Fetch;
}

/** `looks` and `inMirror` are what was seen of the same picture before, as `detectPicture` gives it: those are not taken again. */
export interface DetectOptions extends Partial<Seen> {
  /** How sure an answer has to be. Default: balanced. */
  promise?: Promised;
  /** Whether the answer also says by how much text is tilted. */
  tilt?: boolean;
  /** Whether it also says if the picture is mirrored: two decisions, and two looks at each window. */
  mirror?: boolean;
  /** Gives the call up, before it begins or between two looks; it then fails with the signal's reason. */
  signal?: AbortSignal;
}

/** An answer, and what was seen for it. */
export type Decided = [Orientation, Looks, InMirror | undefined];

/** Tells which way up pictures belong. One call at a time: calls wait for each other. */
export class Detector {
  private last: Promise<unknown> = Promise.resolve();
  private closed: Promise<void> | undefined;
  private heads: Promise<Heads> | undefined;

  protected constructor(
    readonly model: Model,
    private readonly engine: Engine,
    private readonly loadHeads: () => Promise<Heads>,
  ) {}

  static async open({ model: address, wasm, fetch = read }: DetectorOptions): Promise<Detector> {
    // In a page it may be relative to the page's.
    const folder = new URL(address, globalThis.location?.href);
    if (!folder.pathname.endsWith("/")) folder.pathname += "/";
    const { model, weights } = await loadModel(folder, fetch);
    return new this(model, await Engine.open(model, weights, wasm), async () => {
      const { facts, weights } = await loadHeads(folder, model, fetch);
      return new Heads(facts, await Engine.open(model, weights, wasm));
    });
  }

  /** Load the model's second network now, not when `mirror` is first asked for. Throws where it has none, and `DetectorClosed`. */
  openHeads(): Promise<Heads> {
    return this.closed ? Promise.reject(new DetectorClosed()) : this.loadedHeads();
  }

  private loadedHeads(): Promise<Heads> {
    this.heads ??= this.loadHeads().catch((error: unknown) => {
      this.heads = undefined;
      throw error;
    });
    return this.heads;
  }

  /**
   * Which way up a picture belongs: a file, or pixels. Throws TypeError or RangeError for what is neither,
   * `UnreadablePicture` for a file that cannot be decoded, `DetectorClosed` after `close`.
   */
  detect(source: Blob | ImageDataLike, options: DetectOptions = {}): Promise<Orientation> {
    return this.queued(options, async () => {
      if (isPixels(source)) {
        return (await this.decide(source, (...size) => squashedPixels(source, ...size), options))[0];
      }
      const picture = await this.openPicture(source);
      try {
        return (await this.decidePicture(picture, options))[0];
      } finally {
        picture.pixels.close();
      }
    });
  }

  /** Decode a file: here a `Blob`, by the browser. */
  protected openPicture(source: unknown): Promise<Picture> {
    if (source instanceof Blob) return openPicture(source);
    throw new TypeError(`detect takes a Blob, a File or pixels { data, width, height }, not ${nameOf(source)}`);
  }

  /** The same for a decoded picture; gives what was seen, too, from which `climb` can answer for another promise. */
  detectPicture(picture: Picture, options: DetectOptions = {}): Promise<Decided> {
    return this.queued(options, async () => {
      checkPicture(picture);
      return this.decidePicture(picture, options);
    });
  }

  /** Free the memory, once the calls that were made before are answered. */
  close(): Promise<void> {
    this.closed ??= this.last.then(async () => {
      await this.engine.close();
      await (await this.heads?.catch(() => undefined))?.close();
    });
    return this.closed;
  }

  private queued<Answer>(options: DetectOptions, run: () => Promise<Answer>): Promise<Answer> {
    if (this.closed) return Promise.reject(new DetectorClosed());
    const answer = this.last.then(() => {
      checkOptions(options);
      options.signal?.throwIfAborted();
      return run();
    });
    this.last = answer.catch(() => undefined);
    return answer;
  }

  private decidePicture(picture: Picture, options: DetectOptions): Promise<Decided> {
    return this.decide(picture, (...size) => squashedPicture(picture, ...size), options);
  }

  private async decide(shape: Shape, squash: Squash, options: DetectOptions): Promise<Decided> {
    const { promise = "balanced", tilt = false, mirror = false, looks: before = [], inMirror } = options;
    const kept = remembered(squash);
    const views = remembered((step: string) => STEPS[step]!.views(shape, kept, this.model.input_size_px));
    const goOn = () => options.signal?.throwIfAborted();
    const infer: Infer = (pixels) => {
      goOn();
      return this.engine.infer(pixels);
    };
    const [plain, looks] = await this.climbed(views, before, promise, infer);
    const result = (answer: Orientation, seen = inMirror): Decided => [tilt ? tilted(answer, shape, kept) : answer, looks, seen];
    if (!mirror) return result(plain);
    const heads = await this.loadedHeads();
    const [image, mirrorLooks] = await this.climbed(views, inMirror?.looks ?? [], promise, mirroring(infer));
    const turns = turnsOf(plain, image);
    const known = inMirror && isOf(inMirror.reading, turns) ? inMirror.reading : undefined;
    const reading = known ?? (await heads.read(views, turns, goOn));
    return result(told(plain, image, reading), { looks: mirrorLooks, reading });
  }

  /** Take the steps that are missing until one is sure, or there is no further one. */
  private async climbed(
    views: (step: string) => View[],
    before: Looks,
    promise: Promised,
    infer: Infer,
  ): Promise<[Orientation, Looks]> {
    const looks: Look[] = [...before];
    for (;;) {
      const next = climb(looks, this.model.calibration, promise);
      if (typeof next !== "string") return [next, looks];
      const shown = views(next);
      looks.push(lookOf(shown, await infer(shown.map(({ pixels }) => pixels))));
    }
  }
}

function tilted(answer: Orientation, shape: Shape, squash: Squash): Orientation {
  const found = tiltOf(shape, squash);
  return found ? { ...answer, tilt: answer.mirrored ? -found.degrees : found.degrees, tilt_error: found.error } : answer;
}

/** Keeps what was made: several steps show the whole picture at one size, and both images have the same views. */
function remembered<Key extends (string | number)[], Value>(make: (...key: Key) => Value): (...key: Key) => Value {
  const kept = new Map<string, Value>();
  return (...key) => {
    const name = key.join();
    if (!kept.has(name)) kept.set(name, make(...key));
    return kept.get(name)!;
  };
}

/** Throw TypeError for options that `of` does not have; `seen` are those that are not for everyone. */
export function checkNames(of: string, options: object, known: readonly string[], seen: readonly string[] = []): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`the options of ${of} are an object with ${known.join(", ")}, not ${nameOf(options)}`);
  }
  const unknown = Object.keys(options).filter((name) => ![...known, ...seen].includes(name));
  if (unknown.length) throw new TypeError(`${of} has no option ${unknown.join()}; it has ${known.join(", ")}`);
}

function checkOptions(options: DetectOptions): void {
  checkNames("detect", options, ["promise", "tilt", "mirror", "signal"], ["looks", "inMirror"]);
  const { promise, signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError(`signal is an AbortSignal, not ${nameOf(signal)}`);
  if (promise === undefined || PROMISES.includes(promise)) return;
  throw new RangeError(`no promise is called ${String(promise)}; choose one of ${PROMISES.join(", ")}`);
}

function checkPicture(picture: Picture): void {
  if (typeof picture?.pixels?.strip !== "function") throw new TypeError(`detectPicture takes a decoded Picture, not ${nameOf(picture)}`);
  const { width, height } = picture;
  if (width > 0 && height > 0) return;
  throw new RangeError(`a picture of ${width} x ${height} pixels shows nothing; one whose pixels were closed has none left`);
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
  if (value === null) return "null";
  return typeof value === "object" ? value.constructor?.name || "an object" : typeof value;
}

async function read(address: string): Promise<Response> {
  if (!address.startsWith("file:")) return fetch(address);
  const fileSystem = "node:fs/promises";
  const { readFile } = (await import(/* @vite-ignore */ fileSystem)) as {
    readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
  };
  return new Response(await readFile(new URL(address)));
}
