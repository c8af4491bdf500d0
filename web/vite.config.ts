import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

const version = (name: string) =>
  (JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf-8")) as { version: string }).version;

export default defineConfig({
  base: "./",
  define: {
    VERSIONS: JSON.stringify({
      xnnpack: version("@tensorflow/tfjs-backend-wasm"),
      ort: version("onnxruntime-web"),
      pdfium: version("@embedpdf/pdfium"),
      libheif: version("libheif-js"),
    }),
  },
  // ONNX Runtime without its WebAssembly inside: scripts/finish.mjs puts that beside the page.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "production"] },
  worker: { format: "es" },
  build: {
    target: "es2022",
    outDir: "../src/upright/web_static",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
});
