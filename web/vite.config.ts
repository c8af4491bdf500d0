import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

const ort = JSON.parse(readFileSync("node_modules/onnxruntime-web/package.json", "utf-8")) as { version: string };

export default defineConfig({
  base: "./",
  define: { ORT_VERSION: JSON.stringify(ort.version) },
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
