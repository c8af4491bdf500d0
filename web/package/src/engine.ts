import * as ort from "onnxruntime-web/wasm";
import type { Model } from "./model.js";
import type { Rgb } from "./resize.js";
import type { Scores } from "./view.js";

/** A view whose brightest and darkest values are nearer than this shows nothing; the same as in upright's `drive.py`. */
const BLANK_RANGE = 10;

export interface WasmOptions {
  /** Threads; more than 1 needs a page that is cross-origin isolated. Default: up to 4 where it is, else 1. */
  threads?: number;
  /** ONNX Runtime's WebAssembly, when the page fetches it by itself. */
  binary?: ArrayBuffer | Promise<ArrayBuffer>;
  /** Address of `ort-wasm-simd-threaded.mjs`. Default: where the onnxruntime-web package has it. */
  script?: string;
}

/** Runs a network of a model by WebAssembly. */
export class Engine {
  private constructor(
    private readonly session: ort.InferenceSession,
    private readonly model: Model,
    readonly threads: number,
  ) {}

  static async open(model: Model, weights: Uint8Array, wasm: WasmOptions = {}): Promise<Engine> {
    const isolated = globalThis.crossOriginIsolated === true;
    const threads = wasm.threads ?? (isolated ? Math.min(4, navigator.hardwareConcurrency) : 1);
    ort.env.wasm.numThreads = threads;
    if (wasm.binary) ort.env.wasm.wasmBinary = await wasm.binary;
    if (wasm.script) ort.env.wasm.wasmPaths = { mjs: wasm.script };
    const session = await ort.InferenceSession.create(weights, { executionProviders: ["wasm"], logSeverityLevel: 3 });
    return new Engine(session, model, threads);
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
    const pixels = new ort.Tensor("uint8", view.data, [1, view.height, view.width, 3]);
    const answer = await this.session.run({ [this.session.inputNames[0]!]: pixels });
    return answer[this.session.outputNames[0]!]!.data as Float32Array;
  }

  async close(): Promise<void> {
    await this.session.release();
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
