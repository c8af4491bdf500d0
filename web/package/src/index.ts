import { fromBase64, unzipped } from "./bytes.js";
import type { Orientation } from "./decide.js";
import { checkNames, Detector as AnyDetector, type DetectOptions, type DetectorOptions as AnyOptions } from "./detector.js";
import { once } from "./once.js";
import type { ImageDataLike } from "./pixels.js";

export { DetectorClosed, UnreadablePicture } from "./errors.js";
export { DamagedMetadata, patchExifOrientation, readExifOrientation } from "./exif.js";
export type { ExifOrientation, Turn } from "./turns.js";
export type { DetectOptions } from "./detector.js";
export type { Orientation, Promised } from "./decide.js";
export type { WasmOptions } from "./engine.js";
export type { Fetch, Model } from "./model.js";
export type { ImageDataLike, Picture } from "./pixels.js";
export type { InMirror } from "./heads.js";
export type { Looks } from "./view.js";

/** All that `AnyDetector` takes. Default for `model` and the WebAssembly: those that come with this package. */
export type DetectorOptions = Partial<AnyOptions>;

/** Where the packaged model is said to lie; nothing is read from there. */
const PACKAGED = "packaged:/";

/** Tells which way up pictures belong. One call at a time: calls wait for each other. */
export class Detector extends AnyDetector {
  static override async open(options: DetectorOptions = {}): Promise<Detector> {
    checkNames("Detector.open", options, ["model", "wasm", "fetch"]);
    const { model, fetch, wasm: { binary, ort } = {} } = options;
    const wasm = { binary: binary ?? packaged("xnnpack"), ort: { binary: () => packaged("ort"), ...ort } };
    const folder = model === undefined ? { model: PACKAGED, fetch: readPackaged } : { model, fetch };
    return super.open({ ...folder, wasm } as AnyOptions);
  }
}

const opened = /* @__PURE__ */ once(() => Detector.open());

/** Which way up a picture belongs, by the model of this package, which is loaded at the first call and kept. */
export async function detect(source: Blob | ImageDataLike, options: DetectOptions = {}): Promise<Orientation> {
  return (await opened()).detect(source, options);
}

/*
 * Model and WebAssembly are modules: `import()` is the one reference to a file that Vite, webpack, esbuild and Node all
 * follow, in development, too, and without a setting. It costs a third in size, which compression takes back.
 */

async function readPackaged(address: string): Promise<Response> {
  const { json, weights } = await (address.includes("heads") ? import("../assets/heads.js") : import("../assets/model.js"));
  return address.includes(".json") ? Response.json(json) : new Response(fromBase64(weights));
}

async function packaged(name: "xnnpack" | "ort"): Promise<ArrayBuffer> {
  const { wasm } = await (name === "ort" ? import("../assets/ort.js") : import("../assets/xnnpack.js"));
  return unzipped(fromBase64(wasm));
}
