// Writes the default model and the WebAssembly that runs it as modules of the package: node scripts/assets.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { modelFiles } from "./model.mjs";

const web = join(dirname(fileURLToPath(import.meta.url)), "..");
const assets = join(web, "package/assets");
const { folder, weights, heads } = modelFiles();
const json = JSON.parse(readFileSync(join(folder, "model.json"), "utf-8"));
// What it was trained on and how it was judged is in the model's card.
const { name, version, sha256, int8_sha256, licence, input_size_px, fit, turns, calibration } = json;
const facts = { name, version, sha256, int8_sha256, licence, input_size_px, fit, turns, calibration };
const text = (bytes) => JSON.stringify(bytes.toString("base64"));
const write = (name, json, file) =>
  writeFileSync(
    join(assets, name),
    `export const json = ${JSON.stringify(json)};\nexport const weights = ${text(readFileSync(join(folder, file)))};\n`,
  );
write("model.js", facts, weights);
// The second network has a module of its own: it is imported where somebody asks for what is mirrored.
write("heads.js", JSON.parse(readFileSync(join(folder, heads[0]), "utf-8")), heads[1]);
const modules = {
  xnnpack: "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm",
  ort: "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
};
for (const [name, path] of Object.entries(modules)) {
  const wasm = gzipSync(readFileSync(join(web, "node_modules", path)), { level: 9 });
  writeFileSync(join(assets, `${name}.js`), `export const wasm = ${text(wasm)};\n`);
}
