/** XNNPACK in WebAssembly, packed by gzip, in base64; made by scripts/assets.mjs. */
export const wasm: string;
