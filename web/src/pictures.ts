/** The pictures on the page: handed in, decided, turned by hand, saved, kept for the next visit. */
import type { Promised } from "../package/src/decide.js";
import { inverse, then, type Way } from "../package/src/turns.js";
import { Pool } from "./calls.js";
import { Card, type Act } from "./card.js";
import { find, show } from "./dom.js";
import type { Found } from "./intake.js";
import { Source, type Item } from "./item.js";
import type { Looked } from "./protocol.js";
import { Server, type ServerFailed } from "./server.js";
import { remember } from "./settings.js";
import { Store } from "./store.js";
import { Summary } from "./summary.js";
import { say } from "./texts.js";
import { Viewer } from "./viewer.js";
import { MAX_BYTES, MAX_FILES } from "./zip.js";

const STEPS = { left: 270, right: 90, half: 180 } as const;
/** New cards a task: 300 at once would hold the page up for a quarter of a second. */
const CARDS_PER_TASK = 12;
/** Larger files are looked at one after another, whatever the number of workers: 50 megapixels are 200 MB decoded. */
const LARGE_BYTES = 8e6;
/** What the server is shown of a picture: as large as strokes of text are looked for. */
const SERVER_VIEW_PX = 2048;

export type OpenedModel = Awaited<ReturnType<Pool["open"]>>;

export class Pictures {
  readonly pool = new Pool();
  readonly server = new Server();
  readonly cards: Card[] = [];
  readonly summary = new Summary(this.cards, this.server);
  private readonly store = new Store();
  private readonly viewer = new Viewer(
    () => this.cards.filter(({ element }) => !element.hidden),
    ({ item }, side) => this.pool.call("view", [item.source.file, item.page, side]),
  );
  private readonly asking = new Set<Item>();
  private readonly measured = new Set<Item>();
  private model: OpenedModel | undefined;
  private heads: Promise<void> | undefined;
  private running = false;
  private measuring = false;
  private lastLarge: Promise<unknown> = Promise.resolve();

  constructor(
    public promise: Promised,
    public tilts: boolean,
    public mirrors: boolean,
    private readonly open: () => Promise<OpenedModel | undefined>,
  ) {}

  /** Show what an earlier visit left here. */
  async restore(): Promise<void> {
    const kept = await this.store.all();
    if (kept.length) find("#kept").textContent = say("keptHere");
    await this.show(
      kept.map(({ id, file, name, answers }) => {
        const source = new Source(file, name);
        source.id = id;
        source.grow(Math.max(1, ...[...answers.values()].map(({ looked }) => looked?.pages ?? 1)));
        for (const item of source.items) {
          const answer = answers.get(item.page);
          if (answer) item.restore(answer);
        }
        return source;
      }),
    );
  }

  async add(found: Found[]): Promise<void> {
    const sources = found.map(({ file, name }) => new Source(file, name));
    await this.show(sources);
    const numbers = await this.store.add(found);
    sources.forEach((source, at) => {
      source.id = numbers[at];
      source.items.forEach((item) => this.keep(item));
    });
    find("#kept").textContent = say(this.store.works ? "keptHere" : "notKept");
  }

  async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    this.model ??= await this.open();
    if (this.model) {
      this.judgeRestored();
      const { size } = this.pool;
      await Promise.all(Array.from({ length: size }, () => this.runOne()));
    }
    this.running = false;
    void this.measure();
    const items = this.cards.map(({ item }) => item);
    const unsure = items.filter((item) => item.unsure).length;
    find("#news").textContent = items.length ? say("news", { done: items.length, all: items.length, unsure }) : "";
  }

  /** Answer for another promise, from what was seen where that is enough. */
  async change(promise: Promised): Promise<void> {
    this.promise = promise;
    await this.judgeAgain();
  }

  /** Whether mirrored pictures are looked for. */
  async lookForMirrors(mirrors: boolean): Promise<void> {
    this.mirrors = mirrors;
    if (mirrors) void this.openHeads();
    await this.judgeAgain();
  }

  private async judgeAgain(): Promise<void> {
    for (const card of this.cards.filter(({ item }) => item.state === "done")) {
      if (!this.judged(card.item)) card.item.state = "waiting";
      this.changed(card);
    }
    await this.askAll();
    await this.run();
  }

  private judged(item: Item): boolean {
    return item.judge(this.model!.calibration, this.promise, this.mirrors);
  }

  /** Load what tells mirrored pictures; where that fails, the page says so and goes on without. */
  private async openHeads(): Promise<void> {
    this.heads ??= this.pool.openHeads();
    try {
      await this.heads;
    } catch (error) {
      this.heads = undefined;
      this.mirrors = find<HTMLInputElement>("#mirrors").checked = false;
      remember("mirrors", "off");
      show("#trouble", say("noMirrors", { reason: (error as Error).message }));
    }
  }

  /** Whether tilts are shown. */
  async showTilts(tilts: boolean): Promise<void> {
    this.tilts = tilts;
    if (tilts) return this.measure();
    this.measured.clear();
    this.cards.forEach((card) => {
      card.item.tilt = undefined;
      card.update();
    });
    this.viewer.update();
  }

  private async measure(): Promise<void> {
    if (this.measuring || !this.tilts) return;
    this.measuring = true;
    await Promise.all(Array.from({ length: this.pool.size }, () => this.measureOne()));
    this.measuring = false;
  }

  private async measureOne(): Promise<void> {
    for (;;) {
      const card = this.cards.find(({ item }) => item.state === "done" && !this.measured.has(item));
      if (!card || !this.tilts) return;
      const { item } = card;
      this.measured.add(item);
      const found = await this.pool.call("tilt", [item.source.file, item.page]).catch(() => null);
      if (this.tilts) item.tilt = found;
      card.update();
      this.viewer.update();
    }
  }

  async askAll(): Promise<void> {
    for (const card of this.cards.filter(({ item }) => item.unsure)) {
      await this.askServer(card.item);
      this.changed(card);
    }
  }

  async saveAll(): Promise<void> {
    const button = find<HTMLButtonElement>("#download");
    const wanted = this.summary.savable.map((source) => source.wanted);
    if (wanted.length > MAX_FILES || wanted.reduce((sum, { file }) => sum + file.size, 0) > MAX_BYTES * 0.98) {
      show("#trouble", say("zipLarge"));
      return;
    }
    button.disabled = true;
    try {
      const progress = (done: number) => (button.textContent = say("zipping", { done, all: wanted.length }));
      hand(await this.pool.call("zip", [wanted], progress), "upright.zip");
    } catch (error) {
      show("#trouble", say("failedWrite", { name: "upright.zip", reason: (error as Error).message }));
    }
    this.summary.refreshSoon();
  }

  async clear(): Promise<void> {
    this.cards.splice(0).forEach(({ item, element }) => {
      item.forget();
      element.remove();
    });
    find("#results").hidden = true;
    show("#trouble", "");
    document.body.classList.remove("busy");
    this.summary.refresh();
    await this.store.clear();
  }

  private async show(sources: Source[]): Promise<void> {
    if (!sources.length) return;
    find("#results").hidden = false;
    document.body.classList.add("busy");
    const items = sources.flatMap((source) => source.items);
    for (let from = 0; from < items.length; from += CARDS_PER_TASK) {
      const cards = items.slice(from, from + CARDS_PER_TASK).map((item) => this.cardOf(item));
      this.cards.push(...cards);
      find("#cards").append(...cards.map(({ element }) => element));
      await new Promise((done) => setTimeout(done));
      void this.run();
    }
    this.summary.refreshSoon();
  }

  private cardOf(item: Item): Card {
    const card: Card = new Card(item, (act) => void this.perform(card, act));
    return card;
  }

  /** What an earlier visit saw with the same model need not be looked at again. */
  private judgeRestored(): void {
    for (const card of this.cards.filter(({ item }) => item.state === "waiting" && item.model)) {
      const { item } = card;
      const { server } = item;
      if (item.model !== this.identity) item.looked = item.server = undefined;
      else if (this.judged(item)) {
        item.state = "done";
        item.server = server;
      }
      item.model = "";
      card.update();
    }
    this.summary.refreshSoon();
  }

  private async runOne(): Promise<void> {
    for (;;) {
      const card = this.cards.find(({ item }) => item.state === "waiting");
      if (!card) return;
      await this.look(card);
    }
  }

  private async look(card: Card): Promise<void> {
    const { item } = card;
    item.state = "working";
    card.update();
    if (this.mirrors) await this.openHeads();
    const { promise, mirrors } = this;
    try {
      const looked = await this.looked(item);
      item.looked = looked;
      if (!item.thumbnailUrl) item.thumbnailUrl = URL.createObjectURL(looked.thumbnail);
      this.growBehind(card, looked.pages);
      // Another question may have been asked meanwhile.
      item.state = (promise === this.promise && mirrors === this.mirrors) || this.judged(item) ? "done" : "waiting";
      if (item.unsure) await this.askServer(item);
    } catch (error) {
      item.state = "failed";
      item.error = error as Item["error"];
    }
    this.changed(card);
  }

  private looked(item: Item): Promise<Looked> {
    const { promise, mirrors } = this;
    const { file } = item.source;
    const { looks = [], inMirror } = item.looked ?? {};
    const look = () => this.pool.call("look", [file, item.page, promise, mirrors, { looks, inMirror }]);
    if (file.size < LARGE_BYTES) return look();
    const looked = this.lastLarge.then(look);
    this.lastLarge = looked.catch(() => undefined);
    return looked;
  }

  /** Cards for the further pages of a file. */
  private growBehind(card: Card, pages: number): void {
    const more = card.item.source.grow(pages).map((item) => this.cardOf(item));
    if (!more.length) return;
    this.cards.splice(this.cards.indexOf(card) + 1, 0, ...more);
    card.element.after(...more.map(({ element }) => element));
  }

  private async askServer(item: Item): Promise<void> {
    const box = find<HTMLInputElement>("#server");
    if (!box.checked || item.server || this.asking.has(item)) return;
    this.asking.add(item);
    try {
      const view = await this.pool.call("view", [item.source.file, item.page, SERVER_VIEW_PX]);
      item.server = await this.server.ask(view, this.promise, this.tilts, this.mirrors);
    } catch (error) {
      box.checked = false;
      const { status } = error as ServerFailed;
      find("#key").hidden = status !== 401;
      show("#trouble", status === 401 ? say(this.server.key ? "keyWrong" : "keyWanted") : status ? say("serverRefused", { status }) : say("serverMissing"));
    }
    this.asking.delete(item);
    this.summary.account();
  }

  private async perform(card: Card, act: Act): Promise<void> {
    const { item } = card;
    if (act === "save") return this.save(item.source);
    if (act === "enlarge") return this.viewer.open(card);
    item.hand = wantedBy(act, item);
    this.changed(card);
    if (document.activeElement === document.body) card.focus("right");
    find("#news").textContent = say("newsTurn", { name: item.name, verdict: item.verdict().join(" ") });
  }

  private async save({ wanted }: Source): Promise<void> {
    try {
      const { blob, name } = await this.pool.call("save", [wanted]);
      hand(blob, name.split("/").at(-1)!);
    } catch (error) {
      show("#trouble", say("failedWrite", { name: wanted.name, reason: (error as Error).message }));
    }
  }

  private changed(card: Card): void {
    card.update();
    this.viewer.update();
    this.summary.refreshSoon();
    this.keep(card.item);
  }

  private keep(item: Item): void {
    const { id } = item.source;
    if (id === undefined || item.state !== "done") return;
    void this.store.keep(id, item.page, { ...item.kept, model: this.identity });
  }

  /** A release may change what it says of the same looks: its calibration, its second network. */
  private get identity(): string {
    return `${this.model!.version} ${this.model!.sha256}`;
  }
}

function wantedBy(act: Exclude<Act, "save" | "enlarge">, { way, answer }: Item): Way | undefined {
  const { mirrored, turn } = way;
  if (act === "undo") return undefined;
  if (act === "accept") return { mirrored: false, turn: answer!.best };
  // What is seen is mirrored, so that a turn before it goes the other way round.
  return act === "mirror" ? { mirrored: !mirrored, turn: inverse(turn) } : { mirrored, turn: then(turn, STEPS[act]) };
}

function hand(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
