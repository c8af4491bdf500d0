/** What was turned goes back to the disk: one file, or all that are shown as a zip. */
import type { Pool } from "./calls.js";
import { show, unsay } from "./dom.js";
import { why, type Source } from "./item.js";
import type { Failure } from "./protocol.js";
import type { Summary } from "./summary.js";
import type { Key, Told } from "./texts.js";
import { MAX_BYTES, MAX_FILES } from "./zip.js";

const TROUBLES: Key[] = ["failedWrite", "zipLacks", "zipLarge"];

export class Downloads {
  constructor(
    private readonly pool: Pool,
    private readonly summary: Summary,
  ) {}

  async one({ wanted }: Source): Promise<void> {
    unsay("#trouble", ...TROUBLES);
    try {
      const { blob, name } = await this.pool.call("save", [wanted]);
      hand(blob, name.split("/").at(-1)!);
    } catch (error) {
      failed(wanted.name, error);
    }
  }

  async all(): Promise<void> {
    unsay("#trouble", ...TROUBLES);
    const wanted = this.summary.savable.map((source) => source.wanted);
    if (wanted.length > MAX_FILES || wanted.reduce((sum, { file }) => sum + file.size, 0) > MAX_BYTES * 0.98) {
      show("#trouble", { key: "zipLarge" });
      return;
    }
    const progress = (done: number) => this.summary.pack({ done, all: wanted.length });
    progress(0);
    try {
      const { zip, lacking } = await this.pool.call("zip", [wanted], progress);
      if (lacking.length < wanted.length) hand(zip, "upright.zip");
      const list = lacking.map(({ name, failure }): Told => ({ key: "lacking", gaps: { name, reason: why(failure) } }));
      if (list.length) show("#trouble", { key: "zipLacks", gaps: { list } });
    } catch (error) {
      failed("upright.zip", error);
    }
    this.summary.pack();
  }
}

function failed(name: string, error: unknown): void {
  show("#trouble", { key: "failedWrite", gaps: { name, reason: why(error as Failure) } });
}

function hand(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
