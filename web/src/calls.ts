import type { Calls, Reply, Request } from "./protocol.js";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  progress?: ((done: number) => void) | undefined;
}

type Arguments<Name extends keyof Calls> = Name extends "zip" ? [Parameters<Calls["zip"]>[0]] : Parameters<Calls[Name]>;

/** The worker as functions that can be awaited. */
export class Worked {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly waiting = new Map<number, Waiting>();
  private count = 0;

  constructor() {
    this.worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => this.receive(data));
    this.worker.addEventListener("error", ({ message }) => {
      this.waiting.forEach(({ reject }) => reject(new Error(message || "the worker stopped")));
      this.waiting.clear();
    });
  }

  call<Name extends keyof Calls>(
    call: Name,
    args: Arguments<Name>,
    progress?: (done: number) => void,
  ): ReturnType<Calls[Name]> {
    const id = ++this.count;
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject, progress }));
    this.worker.postMessage({ id, call, args } satisfies Request);
    return answer as ReturnType<Calls[Name]>;
  }

  private receive(reply: Reply): void {
    const waiting = this.waiting.get(reply.id);
    if (!waiting) return;
    if ("progress" in reply) {
      waiting.progress?.(reply.progress);
      return;
    }
    this.waiting.delete(reply.id);
    if ("error" in reply) waiting.reject(new Error(reply.error));
    else waiting.resolve(reply.result);
  }
}
