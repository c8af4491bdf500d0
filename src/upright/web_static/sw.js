/* Keeps the page itself, so that it opens without a network. The model is kept by the page's worker (kept.ts). */
const VERSION = "6b6ed34a9180";
const FILES = ["assets/_commonjsHelpers-DaWZu8wl.js","assets/heic-DDRWme5n.js","assets/index-CB2k7vqr.js","assets/index-DwnA8GDU.css","assets/libheif-C2AtIKQT.js","assets/ort-DPoRk1l7.js","assets/pdf-BS1qj0Ql.js","assets/tiff-CM3OR9Zd.js","assets/worker-DvwcTIhj.js","icon.svg","./","manifest.webmanifest","ort/ort-wasm-simd-threaded.mjs"];
const CACHE = `upright-page-${VERSION}`;

self.addEventListener("install", (event) => {
  const requests = FILES.map((file) => new Request(file, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (key) => key.startsWith("upright-page-") && key !== CACHE;
  const tidied = caches.keys().then((keys) => Promise.all(keys.filter(old).map((key) => caches.delete(key))));
  event.waitUntil(tidied.then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.origin !== location.origin) return;
  const folder = new URL("./", location.href).pathname;
  const name = address.pathname.startsWith(folder) ? address.pathname.slice(folder.length) : undefined;
  if (name === undefined || !FILES.includes(name || "./")) return;
  event.respondWith(
    caches
      .open(CACHE)
      .then((cache) => cache.match(new URL(name || "./", location.href)))
      .then((kept) => kept ?? fetch(event.request)),
  );
});
