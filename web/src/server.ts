import type { Promised } from "../package/src/decide.js";
import type { ServerAnswer } from "./item.js";

/** What is waited for an answer: a phone's network may take seconds to send a view. */
export const MOST_SECONDS = 30;

/** There is no answer: by its HTTP status (0 where nothing is there), or since it took too long or was given up. */
export class ServerFailed extends Error {
  constructor(readonly why: number | "late" | "stopped") {
    super(`no answer: ${why}`);
  }
}

/** The upright service on this page's own origin, and an account of what it was sent. */
export class Server {
  sent = 0;
  answered = 0;
  bytesSent = 0;
  /** The API key, where the server wants one; kept for this visit alone. */
  key = "";
  private readonly asks = new Set<AbortController>();

  /** Whether there is one that takes pictures. */
  async isThere(): Promise<boolean> {
    return fetched<{ status?: string }>("readyz").then(({ status }) => status === "ready", () => false);
  }

  /** What it says about a view of a picture. */
  async ask(view: Blob, promise: Promised, tilt: boolean, mirror: boolean): Promise<ServerAnswer> {
    this.sent++;
    this.bytesSent += view.size;
    const headers = { "content-type": "application/octet-stream", ...(this.key && { authorization: `Bearer ${this.key}` }) };
    const asked = `promise=${promise}${tilt ? "&tilt=true" : ""}${mirror ? "&mirror=true" : ""}`;
    const giveUp = new AbortController();
    this.asks.add(giveUp);
    try {
      const answer = await fetched<ServerAnswer>(`v1/orientation?${asked}`, giveUp, { method: "POST", body: view, headers });
      this.answered++;
      return answer;
    } finally {
      this.asks.delete(giveUp);
    }
  }

  /** Give up what is being asked. */
  stop(): void {
    this.asks.forEach((giveUp) => giveUp.abort("stopped"));
  }
}

/** Throws `ServerFailed`. */
async function fetched<Answer>(address: string, giveUp = new AbortController(), request: RequestInit = {}): Promise<Answer> {
  const late = setTimeout(() => giveUp.abort("late"), MOST_SECONDS * 1000);
  let status = 0;
  try {
    const response = await fetch(address, { ...request, signal: giveUp.signal });
    ({ status } = response);
    if (response.ok) return (await response.json()) as Answer;
  } catch {
    if (giveUp.signal.aborted) throw new ServerFailed(giveUp.signal.reason as "late" | "stopped");
  } finally {
    clearTimeout(late);
  }
  throw new ServerFailed(status);
}
