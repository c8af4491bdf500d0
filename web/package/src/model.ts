import type { Ladder } from "./decide.js";

/** The facts of a model folder, `model.json`, as far as they are needed here. */
export interface Model {
  name: string;
  version: string;
  sha256: string;
  /** Of `model-int8.onnx`, which is read instead of `model.onnx` where it is there. */
  int8_sha256: string | null;
  licence: string;
  input_size_px: number;
  fit: "squash";
  turns: number[];
  /** The steps of a decision, from one look upwards. */
  calibration: Ladder;
}

/** The facts of its second network, `heads.json`, as far as they are needed here. */
export interface HeadsFacts {
  sha256: string;
  /** When a picture counts as mirrored and as plain; see upright's `heads.py`. */
  mirror: Record<"growth" | "mirrored" | "plain", number>;
}

/** Something that reads a URL, as `fetch` does. */
export type Fetch = (url: string) => Promise<Response>;

/** Read a model folder, `model.json` and its weights, and check that the two belong together. */
export async function loadModel(folder: URL, read: Fetch): Promise<{ model: Model; weights: Uint8Array }> {
  const model = checked(await (await readWhole(new URL("model.json", folder), read)).json());
  const [name, digest] = model.int8_sha256 ? ["model-int8.onnx", model.int8_sha256] : ["model.onnx", model.sha256];
  return { model, weights: await readWeights(new URL(name, folder), digest, "model.json", read) };
}

/** The same of its second network, `heads.json` and `heads.onnx`. Throws where the folder has none. */
export async function loadHeads(folder: URL, model: Model, read: Fetch): Promise<{ facts: HeadsFacts; weights: Uint8Array }> {
  const remedy = "a model that can has heads.json and heads.onnx";
  const json = await readWhole(new URL("heads.json", folder), read, remedy).catch((cause: Error) => {
    throw new Error(`${model.name} cannot tell what is mirrored: ${cause.message}`, { cause });
  });
  const facts = (await json.json()) as HeadsFacts;
  return { facts, weights: await readWeights(new URL("heads.onnx", folder), facts.sha256, "heads.json", read) };
}

async function readWeights(address: URL, digest: string, facts: string, read: Fetch): Promise<Uint8Array> {
  // The version in the address lets a server and a cache keep the weights for good.
  if (address.protocol !== "file:") address.search = `v=${digest.slice(0, 12)}`;
  const weights = new Uint8Array(await (await readWhole(address, read)).arrayBuffer());
  // crypto.subtle is not there on plain http, other than on localhost.
  if (globalThis.crypto?.subtle && (await sha256(weights)) !== digest) {
    throw new Error(`${address}: not the weights that ${facts} names; reload the page, or copy the folder again`);
  }
  return weights;
}

async function readWhole(address: URL, read: Fetch, remedy = "the model folder belongs beside the page"): Promise<Response> {
  const response = await read(address.href);
  if (!response.ok) throw new Error(`${address}: HTTP ${response.status}; ${remedy}`);
  return response;
}

function checked(model: Model): Model {
  if (model.fit !== "squash" || [...model.turns].sort((a, b) => a - b).join() !== "0,90,180,270") {
    throw new Error(`model.json: fit ${model.fit} or turns ${model.turns} unknown; take a newer version of this page`);
  }
  return model;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
