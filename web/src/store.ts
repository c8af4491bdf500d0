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

interface Schema extends DBSchema {
  files: { key: number; value: { file: File; name: string } };
  answers: { key: [id: number, page: number]; value: KeptAnswer };
}

/** Every call does nothing where the browser keeps nothing (blocked storage, a full disk), and `works` says so. */
export class Store {
  works = true;
  private readonly opened: Promise<IDBPDatabase<Schema> | undefined>;

  constructor() {
    this.opened = this.tried(() =>
      openDB<Schema>("upright", 1, {
        upgrade(database) {
          database.createObjectStore("files", { autoIncrement: true });
          database.createObjectStore("answers");
        },
      }),
    );
  }

  /** Keep files, all or none of them; their numbers, and the files as they are kept, unless they are cleared already. */
  async add(files: { file: File; name: string }[]): Promise<({ id: number; file: File } | undefined)[]> {
    const database = await this.opened;
    const added = await this.tried(async () => {
      if (!database) return [];
      const writing = database.transaction("files", "readwrite");
      const ids = await Promise.all(files.map((each) => writing.store.add(each)));
      await writing.done;
      const reading = database.transaction("files");
      const kept = ids.map(async (id) => ({ id, ...(await reading.store.get(id)) }));
      return (await Promise.all(kept)).map(({ id, file }) => file && { id, file });
    });
    return added ?? [];
  }

  async keep(id: number, page: number, answer: KeptAnswer): Promise<void> {
    const database = await this.opened;
    await this.tried(async () => database?.put("answers", answer, [id, page]));
  }

  /** Everything that is kept, in the order in which it came. */
  async all(): Promise<KeptSource[]> {
    const database = await this.opened;
    if (!database) return [];
    const found = new Map<number, KeptSource>();
    await this.tried(async () => {
      const reading = database.transaction(["files", "answers"], "readwrite");
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

  async clear(): Promise<void> {
    const database = await this.opened;
    await this.tried(async () => Promise.all([database?.clear("files"), database?.clear("answers")]));
  }

  private async tried<Value>(asked: () => Promise<Value>): Promise<Value | undefined> {
    try {
      return await asked();
    } catch {
      this.works = false;
      return undefined;
    }
  }
}
