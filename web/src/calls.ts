import type { Calls, Failure, Parts, Reply, Request } from "./protocol.js";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  progress?: ((done: number) => void) | undefined;
}

type Arguments<Name extends keyof Calls> = Name extends "zip" ? [Parameters<Calls["zip"]>[0]] : Parameters<Calls[Name]>;
type Progress = (done: number) => void;

/** Each takes about 150 MB, and four times 12 megapixels are in memory at once for each. */
const MOST_WORKERS = 6;
/** A decoder may go round a damaged file for ever; 50 megapixels take a phone some ten seconds. */
const MOST_SECONDS = 120;
/** What is waited for however long it takes: what is fetched, and what says how far it is. */
const PATIENT: (keyof Calls)[] = ["open", "zip"];

/** A worker as functions that can be awaited. */
class Worked {
  /** Whether it ended: it did not answer, or its script could not be fetched or failed. */
  stopped = false;
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly waiting = new Map<number, Waiting>();
  private count = 0;

  constructor() {
    this.worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => this.receive(data));
    // What could not be fetched has no message.
    this.worker.addEventListener("error", ({ message }) => this.stop(message ? { message } : { message: "", kind: "reload" }));
  }

  call<Name extends keyof Calls>(call: Name, args: Arguments<Name>, progress?: Progress): ReturnType<Calls[Name]> {
    const id = ++this.count;
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject, progress }));
    this.worker.postMessage({ id, call, args } satisfies Request);
    const late = PATIENT.includes(call) ? undefined : setTimeout(() => this.stop({ message: String(MOST_SECONDS), kind: "late" }), MOST_SECONDS * 1000);
    return answer.finally(() => clearTimeout(late)) as ReturnType<Calls[Name]>;
  }

  private stop(failure: Failure): void {
    this.stopped = true;
    this.worker.terminate();
    this.waiting.forEach(({ reject }) => reject(Object.assign(new Error(), failure)));
    this.waiting.clear();
  }

  private receive(reply: Reply): void {
    const waiting = this.waiting.get(reply.id);
    if (!waiting) return;
    if ("progress" in reply) {
      waiting.progress?.(reply.progress);
      return;
    }
    this.waiting.delete(reply.id);
    if ("failure" in reply) waiting.reject(Object.assign(new Error(), reply.failure));
    else waiting.resolve(reply.result);
  }
}

/**
 * Workers that each decode and decide one picture at a time, on one thread: threads would share one view at a loss. The
 * second and further ones begin when pictures wait for them, with what the first fetched.
 */
export class Pool {
  readonly size = Math.max(1, Math.min(navigator.hardwareConcurrency || 2, MOST_WORKERS));
  private readonly free: Worked[] = [new Worked()];
  private readonly queue: ((worker: Worked) => void)[] = [];
  private parts: Parts | undefined;
  private begun = 1;

  /** Load the model. */
  async open() {
    const { model, parts, kept } = await this.call("open", [{}, false]);
    this.parts = parts;
    this.growIfNeeded();
    return { ...model, kept };
  }

  /** Load its second network, which tells what is mirrored; workers that have begun find it in the cache. */
  async openHeads(): Promise<void> {
    this.parts = (await this.call("open", [{}, true])).parts;
  }

  /** Call a function of the next worker that is free. */
  async call<Name extends keyof Calls>(
    call: Name,
    args: Arguments<Name>,
    progress?: Progress,
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    const free = await this.taken();
    const worker = free.stopped ? new Worked() : free;
    try {
      return (await worker.call(call, args, progress)) as Awaited<ReturnType<Calls[Name]>>;
    } finally {
      this.give(worker);
    }
  }

  private taken(): Promise<Worked> {
    const worker = this.free.pop();
    if (worker) return Promise.resolve(worker);
    const waiting = new Promise<Worked>((resolve) => this.queue.push(resolve));
    this.growIfNeeded();
    return waiting;
  }

  private give(worker: Worked): void {
    const next = this.queue.shift();
    if (next) next(worker);
    else this.free.push(worker);
  }

  private growIfNeeded(): void {
    if (!this.parts) return;
    for (let wanted = this.queue.length; wanted > 0 && this.begun < this.size; wanted--) {
      this.begun++;
      const worker = new Worked();
      // A device without memory for it does with those that it has.
      void worker.call("open", [this.parts, false]).then(() => this.give(worker), () => undefined);
    }
  }
}
