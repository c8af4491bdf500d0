/** Everything that takes time: decoding, deciding, writing. One picture at a time, so that memory stays bounded. */
import { Detector } from "../package/src/index.js";
import { openPicture, type Picture } from "../package/src/pixels.js";
import { partsOf, then, type Turn } from "../package/src/turns.js";
import { fetchKept, forgetKept } from "./kept.js";
import type { Calls, Reply, Request } from "./protocol.js";
import { canPatch, saved } from "./save.js";
import { zipped } from "./zip.js";

declare const ORT_VERSION: string;

const THUMBNAIL_PX = 360;
const VIEW_PX = 1024;
const base = new URL(/* @vite-ignore */ "../", import.meta.url);
let detector: Promise<Detector> | undefined;

const calls: Calls = {
  async open() {
    const { model, threads } = await opened();
    return { model, threads };
  },

  async look(file, promise, before) {
    const judge = await opened();
    const picture = await openPicture(file);
    try {
      const [orientation, looks] = await judge.detectPicture(picture, { promise, looks: before });
      const { width, height } = picture;
      const thumbnail = await drawn(picture, THUMBNAIL_PX);
      return { orientation, looks, width, height, method: (await canPatch(file)) ? "tag" : "png", thumbnail };
    } finally {
      picture.bitmap.close();
    }
  },

  async view(file) {
    const picture = await openPicture(file);
    try {
      return await drawn(picture, VIEW_PX);
    } finally {
      picture.bitmap.close();
    }
  },

  async save(wanted) {
    return saved(wanted, (turn) => pixelsOf(wanted.file, turn));
  },

  async zip(wanted, progress) {
    return zipped(wanted.length, async (index) => {
      progress(index);
      const each = wanted[index]!;
      return calls.save(each).catch((error: unknown) => {
        throw new Error(`${each.name}: ${String(error)}`);
      });
    });
  },
};

function opened(): Promise<Detector> {
  detector ??= open();
  return detector;
}

async function open(): Promise<Detector> {
  try {
    const binary = wasm(); // beside the model, not before it
    binary.catch(() => undefined);
    const script = new URL("ort/ort-wasm-simd-threaded.mjs", base).href;
    return await Detector.open({ model: new URL("model/", base), fetch: fetchKept, wasm: { binary, script } });
  } catch (error) {
    detector = undefined;
    await forgetKept();
    throw error;
  }
}

/** Kept as gzip in a name of its own: no server has to know how to serve it, and 14 MB become 4. */
async function wasm(): Promise<ArrayBuffer> {
  const address = new URL(`ort/ort-wasm-simd-threaded.wasm.gz?v=${ORT_VERSION}`, base);
  const response = await fetchKept(address.href);
  if (!response.ok) throw new Error(`${address}: HTTP ${response.status}`);
  const bytes = await response.arrayBuffer();
  const head = new Uint8Array(bytes, 0, 2);
  // Some servers announce .gz files as Content-Encoding: gzip; the browser has unpacked those already.
  if (head[0] !== 0x1f || head[1] !== 0x8b) return bytes;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

function drawn(picture: Picture, side: number): Promise<Blob> {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  return canvasOf(picture, 0, scale, "white").convertToBlob({ type: "image/jpeg", quality: 0.85 });
}

async function pixelsOf(file: File, turn: Turn): Promise<Blob> {
  const picture = await openPicture(file);
  try {
    return await canvasOf(picture, turn, 1).convertToBlob({ type: "image/png" });
  } finally {
    picture.bitmap.close();
  }
}

function canvasOf({ bitmap, exif, width, height }: Picture, turn: Turn, scale: number, ground?: string): OffscreenCanvas {
  const swaps = turn % 180 !== 0;
  const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
  const canvas = new OffscreenCanvas(swaps ? high : wide, swaps ? wide : high);
  const context = canvas.getContext("2d")!;
  if (ground) {
    context.fillStyle = ground;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  const { mirrored, turn: shown } = partsOf(exif);
  context.imageSmoothingQuality = "high";
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((then(shown, turn) * Math.PI) / 180);
  context.scale(mirrored ? -1 : 1, 1);
  const [w, h] = shown % 180 === 0 ? [wide, high] : [high, wide];
  context.drawImage(bitmap, -w / 2, -h / 2, w, h);
  return canvas;
}

let last: Promise<unknown> = Promise.resolve();

addEventListener("message", ({ data: { id, call, args } }: MessageEvent<Request>) => {
  const reply = (content: { result: unknown } | { error: string } | { progress: number }) =>
    (postMessage as (message: Reply) => void)({ id, ...content });
  const progress = (done: number) => reply({ progress: done });
  const run = calls[call] as (...all: unknown[]) => Promise<unknown>;
  last = last.then(() => run(...args, progress)).then(
    (result) => reply({ result }),
    (error: unknown) => reply({ error: error instanceof Error ? error.message : String(error) }),
  );
});
