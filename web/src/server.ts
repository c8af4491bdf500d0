import type { Promised } from "../package/src/decide.js";
import type { ServerAnswer } from "./item.js";

/** The server could not be asked; `status` is 0 where there is none. */
export class ServerFailed extends Error {
  constructor(readonly status: number) {
    super(`HTTP ${status}`);
  }
}

/** The upright service on this page's own origin, and an account of what it was sent. */
export class Server {
  sent = 0;
  answered = 0;
  bytesSent = 0;
  /** The API key, where the server wants one; kept for this visit alone. */
  key = "";

  /** Whether there is one that takes pictures. */
  async isThere(): Promise<boolean> {
    try {
      const response = await fetch("readyz");
      return response.ok && ((await response.json()) as { status?: string }).status === "ready";
    } catch {
      return false;
    }
  }

  /** What it says about a view of a picture. */
  async ask(view: Blob, promise: Promised, tilt: boolean, mirror: boolean): Promise<ServerAnswer> {
    this.sent++;
    this.bytesSent += view.size;
    const headers = { "content-type": "application/octet-stream", ...(this.key && { authorization: `Bearer ${this.key}` }) };
    const request = { method: "POST", body: view, headers };
    const asked = `promise=${promise}${tilt ? "&tilt=true" : ""}${mirror ? "&mirror=true" : ""}`;
    const response = await fetch(`v1/orientation?${asked}`, request).catch(() => undefined);
    if (!response?.ok) throw new ServerFailed(response?.status ?? 0);
    const answer = (await response.json()) as ServerAnswer;
    this.answered++;
    return answer;
  }
}
