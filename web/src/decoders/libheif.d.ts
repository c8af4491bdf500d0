declare module "libheif-js/libheif-wasm/libheif.js" {
  const start: (options: { wasmBinary: ArrayBuffer }) => unknown;
  export default start;
}
