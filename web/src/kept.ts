/** `fetch` for the model and what runs it: what was once fetched is kept, so that the page works without a network. */
const CACHE = "upright-model";

export async function fetchKept(address: string): Promise<Response> {
  // Plain http, other than on localhost, has no cache storage.
  if (!globalThis.caches) return fetch(address);
  const cache = await caches.open(CACHE);
  const kept = await cache.match(address);
  if (kept && new URL(address).searchParams.has("v")) return kept;
  try {
    const response = await fetch(address);
    if (response.ok) {
      await cache.delete(address, { ignoreSearch: true });
      await cache.put(address, response.clone());
    }
    return response;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

/** Forget what has this in its address, so that the next try starts afresh. */
export async function forgetKept(part: string): Promise<void> {
  const cache = await globalThis.caches?.open(CACHE);
  const found = ((await cache?.keys()) ?? []).filter(({ url }) => url.includes(part));
  await Promise.all(found.map((request) => cache!.delete(request)));
}
