/** Runs a network by ONNX Runtime Web, which knows every operator: its WebAssembly is 25 times as large as XNNPACK's. */
import * as ort from "onnxruntime-web/wasm";
import type { Running } from "./engine.js";

export interface OrtOptions {
  /** Threads; more than 1 needs a page that is cross-origin isolated. Default: up to 4 where it is, else 1. */
  threads?: number;
  /** Its WebAssembly, when the page fetches it by itself. */
  binary?: () => Promise<ArrayBuffer>;
  /** Address of `ort-wasm-simd-threaded.mjs`. Default: where the onnxruntime-web package has it. */
  script?: string;
}

export async function openOrt(weights: Uint8Array, { threads, binary, script }: OrtOptions): Promise<Running> {
  const isolated = globalThis.crossOriginIsolated === true;
  ort.env.wasm.numThreads = threads ?? (isolated ? Math.min(4, navigator.hardwareConcurrency) : 1);
  if (binary) ort.env.wasm.wasmBinary = await binary();
  if (script) ort.env.wasm.wasmPaths = { mjs: script };
  const session = await ort.InferenceSession.create(weights, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  return {
    async run({ data, width, height }) {
      const answer = await session.run({ [session.inputNames[0]!]: new ort.Tensor("uint8", data, [1, height, width, 3]) });
      return answer[session.outputNames[0]!]!.data as Float32Array;
    },
    close: () => session.release(),
  };
}
