/** Pictures that were handed in, and what became of them, kept in this browser until they are cleared. */
import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { ServerAnswer } from "./item.js";
import type { Looked } from "./protocol.js";
import type { Way } from "../package/src/turns.js";

/** What is known of one page of a file, without the file, so that a turn by hand does not write megabytes again. */
export interface KeptAnswer {
  /** Version and sha256 of the model that looked. */
  model: string;
  looked: Looked | undefined;
  server: ServerAnswer | undefined;
  hand: Way | undefined;
}

export interface KeptSource {
  id: number;
  file: File;
  name: string;
  answers: Map<number, KeptAnswer>;
}

interface Kept {
  id: number;
  file?: File;
}

interface Schema extends DBSchema {
  files: { key: number; value: { file: File; name: string } };
  answers: { key: [id: number, page: number]; value: KeptAnswer };
}

/** Larger files are kept as the browser keeps them. */
const COPIED_BYTES = 256e6;
/** How much is copied and kept at a time: file by file 500 would take longer than to decide them. */
const BATCH_FILES = 50;
const BATCH_BYTES = 64e6;

/** Every call does nothing where the browser keeps nothing (blocked storage, a full disk), and says so; the next may work. */
export class Store {
  private opened: Promise<IDBPDatabase<Schema>> | undefined;
  private readonly windows = windows();

  /** `lost` is called when something may have been cleared by another window, or by the browser. */
  constructor(private readonly lost: () => void) {
    this.windows?.addEventListener("message", lost);
  }

  /** Whether the browser keeps anything now. */
  async works(): Promise<boolean> {
    return (await tried(() => this.database())) !== undefined;
  }

  /** Keep files; their numbers, and the files as they are kept, unless they are cleared already. Nothing of one that is not kept. */
  async add(files: readonly { file: File; name: string }[]): Promise<(Kept | undefined)[]> {
    const kept = await tried(async () => {
      const database = await this.database();
      const writing = database.transaction("files", "readwrite");
      const ids = await Promise.all(files.map((each) => writing.store.add(each)));
      await writing.done;
      const reading = database.transaction("files");
      return Promise.all(ids.map(async (id) => ({ id, ...(await reading.store.get(id)) })));
    });
    if (kept) return kept.map(({ id, file }) => (file ? { id, file } : { id }));
    if (files.length < 2) return files.map(() => undefined);
    // There may be no room for one of them alone.
    const each: (Kept | undefined)[] = [];
    for (const file of files) each.push(...(await this.add([file])));
    return each;
  }

  /** Keep what is known of a page; whether that was possible. */
  async keep(id: number, page: number, answer: KeptAnswer): Promise<boolean> {
    return (await tried(async () => (await this.database()).put("answers", answer, [id, page]))) !== undefined;
  }

  /** Everything that is kept, in the order in which it came. */
  async all(): Promise<KeptSource[]> {
    const found = new Map<number, KeptSource>();
    await tried(async () => {
      const reading = (await this.database()).transaction(["files", "answers"], "readwrite");
      for (let at = await reading.objectStore("files").openCursor(); at; at = await at.continue()) {
        found.set(at.key, { id: at.key, ...at.value, answers: new Map() });
      }
      for (let at = await reading.objectStore("answers").openCursor(); at; at = await at.continue()) {
        const source = found.get(at.key[0]);
        // A page that was closed while it was cleared may have left an answer without its file.
        if (source) source.answers.set(at.key[1], at.value);
        else await at.delete();
      }
    });
    return [...found.values()];
  }

  /** The numbers of the files that are kept. */
  async ids(): Promise<Set<number>> {
    return new Set(await tried(async () => (await this.database()).getAllKeys("files")));
  }

  async clear(): Promise<void> {
    await tried(async () => {
      const database = await this.database();
      await Promise.all([database.clear("files"), database.clear("answers")]);
    });
    this.windows?.postMessage("cleared");
  }

  /** Opened when it is first needed, and again after the browser has closed it or could not open it. */
  private database(): Promise<IDBPDatabase<Schema>> {
    const forget = () => void (this.opened = undefined);
    this.opened ??= openDB<Schema>("upright", 1, {
      upgrade(database) {
        database.createObjectStore("files", { autoIncrement: true });
        database.createObjectStore("answers");
      },
      terminated: () => {
        forget();
        this.lost();
      },
    });
    this.opened.catch(forget);
    return this.opened;
  }
}

/** The file without the one on the disk, to which a private window would keep a reference alone; nothing where it is not to be read. */
export async function copied(file: File): Promise<File | undefined> {
  if (file.size > COPIED_BYTES) return file;
  const { name, type, lastModified } = file;
  return tried(async () => new File([await file.arrayBuffer()], name, { type, lastModified }));
}

/** What is kept together. */
export function* batches<Each extends { file: File }>(all: readonly Each[]): Generator<Each[]> {
  let batch: Each[] = [];
  let bytes = 0;
  for (const each of all) {
    if (batch.length && (batch.length === BATCH_FILES || bytes + each.file.size > BATCH_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(each);
    bytes += each.file.size;
  }
  if (batch.length) yield batch;
}

/** What the windows that share a store tell each other by; blocked storage may block it, too. */
function windows(): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel("upright");
  } catch {
    return undefined;
  }
}

async function tried<Value>(asked: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await asked();
  } catch {
    return undefined;
  }
}
