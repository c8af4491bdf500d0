/** `fetch` for the model and what runs it: what was once fetched is kept, so that the page works without a network. */
const CACHE = "upright-model";

/** Throws where it is neither fetched whole nor kept. */
export async function fetchKept(address: string): Promise<Response> {
  const cache = await opened();
  const kept = await cache?.match(address);
  if (kept && new URL(address).searchParams.has("v")) return kept;
  try {
    const response = await fetch(address);
    if (!response.ok) return response;
    // What is cut off replaces nothing that is kept.
    const whole = new Response(await response.arrayBuffer());
    if (cache) await keep(cache, address, whole.clone());
    return whole;
  } catch (cause) {
    if (kept) return kept;
    throw new Error(`${address}: ${(cause as Error).message}`, { cause });
  }
}

/** Keep it instead of its other versions; nothing is kept where there is no room. */
async function keep(cache: Cache, address: string, response: Response): Promise<void> {
  try {
    await cache.put(address, response);
    const versions = await cache.keys(address, { ignoreSearch: true });
    await Promise.all(versions.filter(({ url }) => url !== address).map((old) => cache.delete(old)));
  } catch {
    // It is fetched again at the next visit.
  }
}

/** Whether all of these are kept. */
export async function areKept(addresses: readonly string[]): Promise<boolean> {
  const cache = await opened();
  const kept = await Promise.all(addresses.map((address) => cache?.match(address)));
  return kept.every((each) => each !== undefined);
}

/** Forget what has this in its address, so that the next try starts afresh. */
export async function forgetKept(part: string): Promise<void> {
  const cache = await opened();
  const found = ((await cache?.keys()) ?? []).filter(({ url }) => url.includes(part));
  await Promise.all(found.map((request) => cache!.delete(request)));
}

/** Plain http, other than on localhost, has no cache storage, and a browser may block it. */
async function opened(): Promise<Cache | undefined> {
  return globalThis.caches?.open(CACHE).catch(() => undefined);
}
