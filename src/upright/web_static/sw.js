/* Keeps the page itself, so that it opens without a network. The model is kept by the page's worker (kept.ts). */
const VERSION = "734369c28135";
const FILES = ["assets/_commonjsHelpers-DaWZu8wl.js","assets/heic-B4GJJGEJ.js","assets/index-Aq6awkeK.js","assets/index-CLKSP6ho.css","assets/libheif-C2AtIKQT.js","assets/ort-DPoRk1l7.js","assets/pdf-BCDQV7xr.js","assets/tiff-C3V8OFjO.js","assets/worker-DZOz_YmC.js","icon.svg","./","manifest.webmanifest","ort/ort-wasm-simd-threaded.mjs"];
const CACHE = `upright-page-${VERSION}`;

self.addEventListener("install", (event) => {
  const requests = FILES.map((file) => new Request(file, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  // In the order in which they were made; the last old one has the parts that a page still fetches which is open.
  const old = (keys) => keys.filter((key) => key.startsWith("upright-page-") && key !== CACHE).slice(0, -1);
  const tidied = caches.keys().then((keys) => Promise.all(old(keys).map((key) => caches.delete(key))));
  event.waitUntil(tidied.then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.origin !== location.origin) return;
  const folder = new URL("./", location.href).pathname;
  const name = address.pathname.startsWith(folder) ? address.pathname.slice(folder.length) : undefined;
  const own = FILES.includes(name || "./");
  // Parts in assets/ have their version in their name.
  if (name === undefined || !(own || name.startsWith("assets/"))) return;
  event.respondWith(
    caches
      .match(new URL(name || "./", location.href), own ? { cacheName: CACHE } : {})
      .then((kept) => kept ?? fetch(event.request)),
  );
});
