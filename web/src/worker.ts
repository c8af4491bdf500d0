/** Everything that takes time: decoding, deciding, writing. Each worker has one picture at a time, to bound memory. */
import type { DecodedPicture } from "../package/src/bitmap.js";
import { startsWith, unzipped } from "../package/src/bytes.js";
import { Detector } from "../package/src/detector.js";
import { squashedPicture } from "../package/src/pixels.js";
import { tiltOf } from "../package/src/tilt.js";
import { compose, partsOf, type Way } from "../package/src/turns.js";
import { areKept, fetchKept, forgetKept } from "./kept.js";
import { once } from "../package/src/once.js";
import { openPage, type Wasm } from "./open.js";
import { Unreadable, type Page } from "./page.js";
import { saved } from "./save.js";
import type { Calls, Content, Failure, Packed, Parts, Reply, Request } from "./protocol.js";
import { zipped } from "./zip.js";

declare const VERSIONS: Record<"xnnpack" | "ort" | "pdfium" | "libheif", string>;

const THUMBNAIL_PX = 360;
const base = new URL(/* @vite-ignore */ "../", import.meta.url);
const parts: Parts = {};

const calls: Calls = {
  async open(given, heads) {
    Object.assign(parts, given);
    const judge = await opened();
    if (heads) await judge.openHeads().catch((error: unknown) => forget("/model/heads.", error));
    return { model: judge.model, parts, kept: await areKept(Object.keys(parts)) };
  },

  async look(file, page, promise, mirror, seen) {
    const judge = await opened();
    return withPage(file, page, async ({ picture, pages, writing }) => {
      const [orientation, looks, inMirror] = await judge.detectPicture(picture, { promise, mirror, ...seen });
      const { width, height } = picture;
      const thumbnail = await drawn(picture, THUMBNAIL_PX);
      return { orientation, mirror, looks, inMirror, width, height, writing, pages, thumbnail };
    });
  },

  async tilt(file, page) {
    return withPage(file, page, ({ picture }) => tiltOf(picture, (...size) => squashedPicture(picture, ...size)));
  },

  async view(file, page, side) {
    return withPage(file, page, ({ picture }) => drawn(picture, side));
  },

  async save(wanted) {
    return saved(wanted, (way) => pixelsOf(wanted.file, way), decoder);
  },

  async zip(wanted, progress) {
    const lacking: Packed["lacking"] = [];
    const member = (index: number) => {
      progress(index);
      return calls.save(wanted[index]!);
    };
    const lack = (index: number, error: unknown) => lacking.push({ name: wanted[index]!.name, failure: failureOf(error) });
    return { zip: await zipped(wanted.length, member, lack), lacking };
  },
};

const opened = once(async (): Promise<Detector> => {
  try {
    const binary = unpacked(`xnnpack/xnnpack.wasm.gz?v=${VERSIONS.xnnpack}`); // beside the model, not before it
    binary.catch(() => undefined);
    const script = new URL("ort/ort-wasm-simd-threaded.mjs", base).href;
    const ort = { binary: () => unpacked(`ort/ort-wasm-simd-threaded.wasm.gz?v=${VERSIONS.ort}`), script, threads: 1 };
    const read = async (address: string) => new Response(await part(address, (response) => response.arrayBuffer()));
    return await Detector.open({ model: new URL("model/", base), fetch: read, wasm: { binary, ort } });
  } catch (error) {
    return forget("", error);
  }
});

/** Forget what has this in its address: it may be that which failed. */
async function forget(part: string, error: unknown): Promise<never> {
  for (const address of Object.keys(parts)) if (address.includes(part)) delete parts[address];
  await forgetKept(part);
  throw error;
}

/** What lies there, unless another worker has fetched it already. */
async function part(address: string, read: (response: Response) => Promise<ArrayBuffer>): Promise<ArrayBuffer> {
  if (parts[address]) return parts[address];
  const response = await fetchKept(address);
  if (!response.ok) throw new Error(`${address}: HTTP ${response.status}; the model and the WebAssembly that runs it belong beside the page`);
  return (parts[address] = await read(response));
}

const decoder: Wasm = (name) =>
  unpacked(`decoders/${name}.wasm.gz?v=${VERSIONS[name]}`).catch((error: unknown) => {
    throw new Unreadable("notFetched", `${name}: ${error instanceof Error ? error.message : String(error)}`);
  });

/** Kept as gzip in a name of its own: no server has to know how to serve it, and PDFium's 5 MB become 2. */
function unpacked(name: string): Promise<ArrayBuffer> {
  const wasm = part(new URL(name, base).href, async (response) => {
    const bytes = new Uint8Array(await response.arrayBuffer());
    // Some servers announce .gz files as Content-Encoding: gzip; the browser has unpacked those already.
    const whole = startsWith(bytes, "\x1f\x8b") ? await unzipped(bytes) : bytes.buffer;
    // A hotel's network answers each address with its own page, which would be kept for ever.
    if (!startsWith(new Uint8Array(whole), "\0asm")) throw new Error("what was fetched is no WebAssembly");
    return whole;
  });
  return wasm.catch((error: unknown) => forget(name, error));
}

function drawn(picture: DecodedPicture, side: number): Promise<Blob> {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  return canvasOf(picture, { mirrored: false, turn: 0 }, scale, "white").convertToBlob({ type: "image/jpeg", quality: 0.85 });
}

function pixelsOf(file: File, way: Way): Promise<Blob> {
  return withPage(file, 0, ({ picture }) => canvasOf(picture, way, 1).convertToBlob({ type: "image/png" }));
}

/** What is made of a page, whose pixels are let go then. */
async function withPage<Made>(file: File, page: number, make: (page: Page) => Made | Promise<Made>): Promise<Made> {
  const found = await openPage(file, page, decoder);
  try {
    return await make(found);
  } finally {
    found.picture.pixels.close();
  }
}

function canvasOf({ pixels, exif, width, height }: DecodedPicture, way: Way, scale: number, ground?: string): OffscreenCanvas {
  const swaps = way.turn % 180 !== 0;
  const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
  const canvas = new OffscreenCanvas(swaps ? high : wide, swaps ? wide : high);
  const context = canvas.getContext("2d")!;
  if (ground) {
    context.fillStyle = ground;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  const { mirrored, turn } = partsOf(compose(exif, way));
  context.imageSmoothingQuality = "high";
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((turn * Math.PI) / 180);
  context.scale(mirrored ? -1 : 1, 1);
  const [w, h] = partsOf(exif).turn % 180 === 0 ? [wide, high] : [high, wide];
  context.drawImage(pixels.bitmap, -w / 2, -h / 2, w, h);
  return canvas;
}

/** Browsers give these names to a file that is not as it was when it was handed in. */
const NOT_AS_IT_WAS = ["NotReadableError", "NotFoundError"];

function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Unreadable) return { message, kind: error.kind };
  return error instanceof DOMException && NOT_AS_IT_WAS.includes(error.name) ? { message, kind: error.name } : { message };
}

let last: Promise<unknown> = Promise.resolve();

addEventListener("message", ({ data: { id, call, args } }: MessageEvent<Request>) => {
  const reply = (content: Content) => (postMessage as (message: Reply) => void)({ id, ...content });
  const progress = (done: number) => reply({ progress: done });
  const run = calls[call] as (...all: unknown[]) => Promise<unknown>;
  last = last.then(() => run(...args, progress)).then(
    (result) => reply({ result }),
    (error: unknown) => reply({ failure: failureOf(error) }),
  );
});
