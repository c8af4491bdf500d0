/** The pictures on the page: handed in, decided, turned by hand, saved, kept for the next visit. */
import type { Promised } from "../package/src/decide.js";
import { inverse, then, type Way } from "../package/src/turns.js";
import { Pool } from "./calls.js";
import { Card, type Act } from "./card.js";
import { Crew } from "./crew.js";
import { find, show, unsay } from "./dom.js";
import { Downloads } from "./downloads.js";
import type { Found } from "./intake.js";
import { Source, why, type Heap, type Item } from "./item.js";
import type { Failure } from "./protocol.js";
import { MOST_SECONDS, Server, ServerFailed } from "./server.js";
import { remember } from "./settings.js";
import { batches, copied, Store } from "./store.js";
import { Summary } from "./summary.js";
import { say } from "./texts.js";
import { Viewer } from "./viewer.js";

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
  readonly downloads = new Downloads(this.pool, this.summary);
  private readonly store = new Store(() => void this.lose());
  private readonly viewer = new Viewer(
    this.cards,
    ({ item }, side) => this.pool.call("view", [item.source.file, item.page, side]),
  );
  private readonly asked = new Set<Item>();
  private readonly measured = new Set<Item>();
  private model: OpenedModel | undefined;
  private heads: Promise<void> | undefined;
  private heap: Heap = { cleared: false };
  private opening: Promise<OpenedModel | undefined> | undefined;
  private large: Item | undefined;
  private cleared = false;
  private readonly looking = new Crew(this.pool.size, () => this.nextLook(), () => this.decided());
  private readonly asking = new Crew(this.pool.size, () => this.nextAsk());
  private readonly measuring = new Crew(this.pool.size, () => this.nextTilt());

  constructor(
    public promise: Promised,
    public tilts: boolean,
    public mirrors: boolean,
    private readonly open: () => Promise<OpenedModel | undefined>,
  ) {}

  /** Show what an earlier visit left here. */
  async restore(): Promise<void> {
    const { heap } = this;
    const kept = await this.store.all();
    if (kept.length) show("#kept", { key: "keptHere" });
    await this.show(
      kept.map(({ id, file, name, answers }) => {
        const source = new Source(file, name, heap);
        Object.assign(source, { id, kept: true });
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
    unsay("#trouble", "noPicture", "noFile");
    const { heap } = this;
    const sources = found.map(({ file, name }) => new Source(file, name, heap));
    show("#kept", "");
    await this.show(sources);
    if (heap.cleared) return;
    const works = await this.store.works();
    for (const batch of batches(sources)) {
      const copies = works ? await Promise.all(batch.map(({ file }) => copied(file))) : [];
      if (heap.cleared) return;
      // A "Clear all" from here on comes after it in the store, too.
      const kept = await this.store.add(batch.flatMap(({ name }, at) => (copies[at] ? [{ file: copies[at], name }] : [])));
      batch.forEach((source, at) => {
        const given = copies[at] && kept.shift();
        Object.assign(source, given, { kept: given !== undefined });
        source.items.forEach((item) => void this.keep(item));
      });
    }
    this.tellKept();
  }

  /** Another window, or the browser, may have cleared what is shown here. */
  private async lose(): Promise<void> {
    const there = await this.store.ids();
    const lost = this.sources.filter(({ id }) => id !== undefined && !there.has(id));
    if (!lost.length) return;
    // A new file may get the number of one that is gone.
    lost.forEach((source) => Object.assign(source, { id: undefined, kept: false }));
    this.cleared = true;
    this.tellKept();
  }

  private get sources(): Source[] {
    return [...new Set(this.cards.map(({ item }) => item.source))];
  }

  /** Say how much of what is shown outlives a reload. */
  private tellKept(): void {
    const { sources } = this;
    const lost = sources.filter(({ kept }) => kept === false).length;
    if (!lost) show("#kept", { key: "keptHere" });
    else if (this.cleared) show("#kept", { key: "keptNoMore", gaps: { lost, all: sources.length } });
    else show("#kept", lost === sources.length ? { key: "notKept" } : { key: "keptInPart", gaps: { lost, all: sources.length } });
  }

  async run(): Promise<void> {
    if (!this.model) {
      this.opening ??= this.open();
      this.model = await this.opening;
      this.opening = undefined;
    }
    if (this.model) this.looking.work();
    else this.decided();
  }

  private decided(): void {
    this.measure();
    const all = this.cards.length;
    const done = this.cards.filter(({ item }) => item.state === "done").length;
    const unsure = this.cards.filter(({ item }) => item.unsure).length;
    find("#news").textContent = all ? say("news", { done, all, unsure }) : "";
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
    this.askAll();
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
      show("#trouble", { key: "noMirrors", gaps: { reason: why(error as Failure) } });
    }
  }

  /** Whether tilts are shown. */
  showTilts(tilts: boolean): void {
    this.tilts = tilts;
    if (tilts) return this.measure();
    this.measured.clear();
    this.cards.forEach((card) => {
      card.item.tilt = undefined;
      card.update();
    });
    this.viewer.update();
  }

  private measure(): void {
    if (this.tilts) this.measuring.work();
  }

  private nextTilt(): Promise<void> | undefined {
    const card = this.tilts && this.cards.find(({ item }) => item.state === "done" && !this.measured.has(item));
    return card ? this.measureOne(card) : undefined;
  }

  private async measureOne(card: Card): Promise<void> {
    const { item } = card;
    this.measured.add(item);
    const found = await this.pool.call("tilt", [item.source.file, item.page]).catch(() => null);
    if (!this.tilts || item.source.gone) return;
    item.tilt = found;
    card.update();
    this.viewer.update();
  }

  /** Ask the server about all that is unsure, beside the looking: an answer may take long, or never come. */
  askAll(): void {
    this.asked.clear();
    this.asking.work();
  }

  async clear(): Promise<void> {
    this.heap.cleared = true;
    this.heap = { cleared: false };
    this.cleared = false;
    this.server.stop();
    this.asked.clear();
    this.measured.clear();
    this.summary.forget();
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
    if (!sources[0] || sources[0].gone) return;
    find("#results").hidden = false;
    document.body.classList.add("busy");
    const items = sources.flatMap((source) => source.items);
    for (let from = 0; from < items.length; from += CARDS_PER_TASK) {
      const cards = items.slice(from, from + CARDS_PER_TASK).map((item) => this.cardOf(item));
      this.cards.push(...cards);
      find("#cards").append(...cards.map(({ element }) => element));
      await new Promise((done) => setTimeout(done));
      if (sources[0].gone) return;
      void this.run();
    }
    this.summary.refreshSoon();
  }

  private cardOf(item: Item): Card {
    const card: Card = new Card(item, (act) => void this.perform(card, act));
    return card;
  }

  private nextLook(): Promise<void> | undefined {
    for (;;) {
      const card = this.cards.find(({ item }) => item.state === "waiting" && !(this.large && isLarge(item)));
      if (!card) return undefined;
      if (!this.known(card)) return this.look(card);
    }
  }

  /** What an earlier visit saw with the same model need not be looked at again; what another model saw is nothing. */
  private known(card: Card): boolean {
    const { item } = card;
    const { server } = item;
    if (item.model !== this.identity) item.looked = item.server = undefined;
    if (!this.judged(item)) return false;
    Object.assign(item, { state: "done", server });
    card.update();
    this.summary.refreshSoon();
    return true;
  }

  private async look(card: Card): Promise<void> {
    const { item } = card;
    item.state = "working";
    if (isLarge(item)) this.large = item;
    card.update();
    if (this.mirrors) await this.openHeads();
    const { promise, mirrors } = this;
    const { looks = [], inMirror } = item.looked ?? {};
    try {
      const looked = await this.pool.call("look", [item.source.file, item.page, promise, mirrors, { looks, inMirror }]);
      if (item.source.gone) return;
      Object.assign(item, { looked, model: this.identity });
      if (!item.thumbnailUrl) item.thumbnailUrl = URL.createObjectURL(looked.thumbnail);
      this.growBehind(card, looked.pages);
      // Another question may have been asked meanwhile.
      item.state = (promise === this.promise && mirrors === this.mirrors) || this.judged(item) ? "done" : "waiting";
    } catch (error) {
      if (item.source.gone) return;
      if (item.looked) this.stays(item, error);
      Object.assign(item, { state: item.looked ? "done" : "failed", error });
    } finally {
      if (this.large === item) this.large = undefined;
    }
    this.changed(card);
  }

  /** Cards for the further pages of a file. */
  private growBehind(card: Card, pages: number): void {
    const more = card.item.source.grow(pages).map((item) => this.cardOf(item));
    if (!more.length) return;
    this.cards.splice(this.cards.indexOf(card) + 1, 0, ...more);
    card.element.after(...more.map(({ element }) => element));
  }

  private nextAsk(): Promise<void> | undefined {
    if (!find<HTMLInputElement>("#server").checked) return undefined;
    const card = this.cards.find(({ item }) => item.unsure && !item.server && !this.asked.has(item));
    return card && this.ask(card);
  }

  private async ask(card: Card): Promise<void> {
    const { item } = card;
    const { promise, mirrors } = this;
    const meant = () => !item.source.gone && promise === this.promise && mirrors === this.mirrors;
    this.asked.add(item);
    try {
      const view = await this.pool.call("view", [item.source.file, item.page, SERVER_VIEW_PX]);
      if (!meant() || !item.unsure || !find<HTMLInputElement>("#server").checked) return void this.asked.delete(item);
      const server = await this.server.ask(view, promise, this.tilts, mirrors);
      if (meant()) item.server = server;
      this.changed(card);
    } catch (error) {
      if (error instanceof ServerFailed) this.unanswered(error);
      else this.stays(item, error);
    }
    this.summary.account();
  }

  private unanswered({ why }: ServerFailed): void {
    if (why === "stopped") return;
    find<HTMLInputElement>("#server").checked = false;
    this.server.stop();
    find("#key").hidden = why !== 401;
    if (why === 401) show("#trouble", { key: this.server.key ? "keyWrong" : "keyWanted" });
    else if (why === "late") show("#trouble", { key: "serverLate", gaps: { seconds: MOST_SECONDS } });
    else show("#trouble", why ? { key: "serverRefused", gaps: { status: why } } : { key: "serverMissing" });
  }

  private async perform(card: Card, act: Act): Promise<void> {
    const { item } = card;
    if (act === "save") return this.downloads.one(item.source);
    if (act === "enlarge") return this.viewer.open(card);
    item.hand = wantedBy(act, item);
    this.changed(card);
    find("#news").textContent = say("newsTurn", { name: item.name, verdict: item.verdict().join(" ") });
  }

  private changed(card: Card): void {
    if (card.item.source.gone) return;
    card.update();
    this.viewer.update();
    this.summary.refreshSoon();
    void this.keep(card.item);
    this.asking.work();
  }

  /** It could not be looked at once more, and what was seen of it before is no less true. */
  private stays({ name }: Item, error: unknown): void {
    show("#trouble", { key: "failedAgain", gaps: { name, reason: why(error as Failure) } });
  }

  private async keep(item: Item): Promise<void> {
    const { source } = item;
    if (source.id === undefined || source.gone || item.state !== "done") return;
    const kept = await this.store.keep(source.id, item.page, item.kept);
    if (kept === source.kept || source.gone) return;
    source.kept = kept;
    this.tellKept();
  }

  /** A release may change what it says of the same looks: its calibration, its second network. */
  private get identity(): string {
    return `${this.model!.version} ${this.model!.sha256}`;
  }
}

function isLarge({ source }: Item): boolean {
  return source.file.size >= LARGE_BYTES;
}

function wantedBy(act: Exclude<Act, "save" | "enlarge">, { way, answer }: Item): Way | undefined {
  const { mirrored, turn } = way;
  if (act === "undo") return undefined;
  if (act === "accept") return { mirrored: false, turn: answer!.best };
  // What is seen is mirrored, so that a turn before it goes the other way round.
  return act === "mirror" ? { mirrored: !mirrored, turn: inverse(turn) } : { mirrored, turn: then(turn, STEPS[act]) };
}
