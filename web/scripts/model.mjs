// Copies the default model's folder to where the page looks for it: node scripts/model.mjs TARGET
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../src/upright");

/** The default model's folder, which of its files holds the weights, and those of its second network. */
export function modelFiles() {
  const name = /^DEFAULT_MODEL = "(.+)"$/m.exec(readFileSync(join(root, "model.py"), "utf-8"))[1];
  const folder = join(root, "models", name);
  const { int8_sha256 } = JSON.parse(readFileSync(join(folder, "model.json"), "utf-8"));
  return { folder, weights: int8_sha256 ? "model-int8.onnx" : "model.onnx", heads: ["heads.json", "heads.onnx"] };
}

if (process.argv[2]) {
  const target = resolve(process.argv[2]);
  mkdirSync(target, { recursive: true });
  const { folder, weights, heads } = modelFiles();
  for (const file of ["model.json", weights, ...heads]) copyFileSync(join(folder, file), join(target, file));
}
