// Runs networks over views, each of the views twice: node network.mjs DIST WASM CASES. See test_network.py.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [dist, wasm, folder] = process.argv.slice(2);
const { Network } = await import(pathToFileURL(join(dist, "network.js")).href);
const { Unsupported } = await import(pathToFileURL(join(dist, "onnx.js")).href);
const binary = readFileSync(wasm);
const { networks, views, side } = JSON.parse(readFileSync(join(folder, "cases.json"), "utf-8"));
const pixels = views.map((name) => ({ data: new Uint8Array(readFileSync(join(folder, name))), width: side, height: side }));

const answers = {};
for (const path of networks) {
  try {
    const network = await Network.open(new Uint8Array(readFileSync(path)), side, binary);
    const rows = [...pixels, ...pixels].map((view) => [...network.run(view)]);
    network.close();
    answers[path] = { rows };
  } catch (error) {
    answers[path] = { error: error.message, unsupported: error instanceof Unsupported };
  }
}
writeFileSync(join(folder, "answers.json"), JSON.stringify(answers));
