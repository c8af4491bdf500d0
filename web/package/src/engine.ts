import type { Model } from "./model.js";
import { Network } from "./network.js";
import { Unsupported } from "./onnx.js";
import type { OrtOptions } from "./ort.js";
import type { Rgb } from "./resize.js";
import type { Scores } from "./view.js";

/** A view whose brightest and darkest values are nearer than this shows nothing; the same as in upright's `drive.py`. */
const BLANK_RANGE = 10;

export interface WasmOptions {
  /** XNNPACK's WebAssembly, `tfjs-backend-wasm-simd.wasm`. Default: what this package has. */
  binary?: ArrayBuffer | Promise<ArrayBuffer>;
  /** Of ONNX Runtime, which is fetched for a network that XNNPACK cannot run, and then only. */
  ort?: OrtOptions;
}

/** A network that is open. */
export interface Running {
  run(view: Rgb): Float32Array | Promise<Float32Array>;
  close(): void | Promise<void>;
}

/** Runs a network of a model by WebAssembly. */
export class Engine {
  private constructor(
    private readonly network: Running,
    private readonly model: Model,
  ) {}

  static async open(model: Model, weights: Uint8Array, { binary, ort = {} }: WasmOptions = {}): Promise<Engine> {
    return new Engine(await opened(weights, model.input_size_px, binary, ort), model);
  }

  /** Logits in the order of turn 0, 90, 180, 270 for each view; a blank view says nothing, so its logits are zero. */
  async infer(views: readonly Rgb[]): Promise<Scores[]> {
    const rows: Scores[] = [];
    // One view a call: a batch costs more for each view on a processor.
    for (const view of views) rows.push(isBlank(view) ? [0, 0, 0, 0] : await this.inferOne(view));
    return rows;
  }

  private async inferOne(view: Rgb): Promise<Scores> {
    const logits = await this.run(view);
    return [0, 90, 180, 270].map((turn) => logits[this.model.turns.indexOf(turn)]!) as Scores;
  }

  /** What the network answers of one view. */
  async run(view: Rgb): Promise<Float32Array> {
    return this.network.run(view);
  }

  async close(): Promise<void> {
    await this.network.close();
  }
}

async function opened(weights: Uint8Array, side: number, binary: WasmOptions["binary"], ort: OrtOptions): Promise<Running> {
  if (!binary) throw new TypeError("wasm.binary is missing: the bytes of tfjs-backend-wasm-simd.wasm");
  try {
    return await Network.open(weights, side, await binary);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    return (await import("./ort.js")).openOrt(weights, ort);
  }
}

export function isBlank(view: Rgb): boolean {
  let low = 255;
  let high = 0;
  for (const value of view.data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high - low < BLANK_RANGE;
}
