// After Vite: what runs the model beside the page, the service worker with its list of files, and what it was all built from.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";

const out = "../src/upright/web_static";
const ort = "node_modules/onnxruntime-web/dist";
const sources = ["index.html", "package-lock.json", "package/src", "public", "scripts", "src", "tsconfig.json", "vite.config.ts"];

function files(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path).flatMap((name) => files(join(path, name))).sort();
}

function digest(paths, root) {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(`${relative(root, path)}\0`).update(readFileSync(path)).update("\0");
  return hash.digest("hex");
}

mkdirSync(join(out, "ort"), { recursive: true });
copyFileSync(join(ort, "ort-wasm-simd-threaded.mjs"), join(out, "ort/ort-wasm-simd-threaded.mjs"));
// Not brotli (2.4 MB for 3.7): browsers take that over https alone, and cannot unpack it by script.
const pack = (from, to) => writeFileSync(join(out, to), gzipSync(readFileSync(from), { level: 9 }));
pack(join(ort, "ort-wasm-simd-threaded.wasm"), "ort/ort-wasm-simd-threaded.wasm.gz");
mkdirSync(join(out, "xnnpack"), { recursive: true });
pack("node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm", "xnnpack/xnnpack.wasm.gz");
// Where PDFium would look for it by itself.
for (const name of readdirSync(join(out, "assets"))) if (name.endsWith(".wasm")) rmSync(join(out, "assets", name));
mkdirSync(join(out, "decoders"), { recursive: true });
pack("node_modules/@embedpdf/pdfium/dist/pdfium.wasm", "decoders/pdfium.wasm.gz");
pack("node_modules/libheif-js/libheif-wasm/libheif.wasm", "decoders/libheif.wasm.gz");

const samples = readFileSync("src/main.ts", "utf-8").match(/^const SAMPLES = (\[.*\]);$/m)[1];
mkdirSync(join(out, "samples"), { recursive: true });
for (const name of JSON.parse(samples)) copyFileSync(join("../testdata/demo", name), join(out, "samples", name));

// What the page contains, beside ONNX Runtime and XNNPACK, whose packages have no copy of their licences.
const licences = [
  ["idb/LICENSE", "idb"],
  ["@embedpdf/pdfium/LICENSE", "embedpdf"],
  ["@embedpdf/pdfium/LICENSE.pdfium", "pdfium"],
  ["libheif-js/libheif-wasm/LICENSE", "libheif"],
  ["utif2/LICENSE", "utif"],
  ["pako/LICENSE", "pako"],
];
for (const [from, name] of licences) copyFileSync(join("node_modules", from), join(out, `LICENSE-${name}.txt`));

// The page opens without a network by these; what is large or rarely wanted is kept once it was fetched, or not at all.
const shell = files(out).filter((path) => !path.endsWith(".gz") && !/\/samples\/|\/LICENSE-/.test(path));
const names = shell.map((path) => relative(out, path)).map((name) => (name === "index.html" ? "./" : name));
const worker = readFileSync("src/sw.js", "utf-8")
  .replace("__VERSION__", digest(shell, out).slice(0, 12))
  .replace('["__FILES__"]', JSON.stringify(names));
writeFileSync(join(out, "sw.js"), worker);
writeFileSync(join(out, "build.json"), `${JSON.stringify({ sources: digest(sources.flatMap(files), ".") })}\n`);
