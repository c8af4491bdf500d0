import { PROMISES, type Promised } from "../package/src/decide.js";
import { then } from "../package/src/turns.js";
import { Worked } from "./calls.js";
import { Card, type Act } from "./card.js";
import { find, show } from "./dom.js";
import { takeIn, type Found } from "./intake.js";
import { Item } from "./item.js";
import { Server, ServerFailed } from "./server.js";
import { recall, remember } from "./settings.js";
import { Summary } from "./summary.js";
import { currentLanguage, say, setLanguage, type Language } from "./texts.js";
import { MAX_BYTES, MAX_FILES } from "./zip.js";

const worker = new Worked();
const server = new Server();
const cards: Card[] = [];
const summary = new Summary(cards, server);
const started = performance.now();
const STEPS = { left: 270, right: 90, half: 180 } as const;
/** New cards a task: 300 at once would hold the page up for a quarter of a second. */
const CARDS_PER_TASK = 12;

let promise: Promised = recall("promise", PROMISES) ?? "balanced";
let opened: Awaited<ReturnType<typeof open>> | undefined;
let running = false;
let keptOffline = false;

async function open() {
  find("#engine").textContent = say("loading");
  try {
    const answer = { ...(await worker.call("open", [])), seconds: (performance.now() - started) / 1000 };
    find("#trouble").hidden = true;
    return answer;
  } catch (error) {
    show("#trouble", say("trouble", { reason: (error as Error).message }));
    find("#engine").textContent = "";
    return undefined;
  }
}

/* Pictures come in, and are looked at one after another. */

async function add(found: Found[]): Promise<void> {
  find("#results").hidden = false;
  document.body.classList.add("busy");
  for (let from = 0; from < found.length; from += CARDS_PER_TASK) {
    const fragment = document.createDocumentFragment();
    for (const { file, name } of found.slice(from, from + CARDS_PER_TASK)) {
      const card: Card = new Card(new Item(file, name), (act) => void perform(card, act));
      cards.push(card);
      fragment.append(card.element);
    }
    find("#cards").append(fragment);
    await new Promise((done) => setTimeout(done));
    void run();
  }
  summary.refreshSoon();
}

async function run(): Promise<void> {
  if (running) return;
  running = true;
  opened ??= await open();
  if (opened) {
    tellEngine();
    for (let card = next(); card; card = next()) await look(card);
  }
  running = false;
  const items = cards.map(({ item }) => item);
  const unsure = items.filter((item) => item.unsure).length;
  find("#news").textContent = items.length ? say("news", { done: items.length, all: items.length, unsure }) : "";
}

function next(): Card | undefined {
  return cards.find(({ item }) => item.state === "waiting");
}

async function look(card: Card): Promise<void> {
  const { item } = card;
  item.state = "working";
  card.update();
  const asked = promise;
  try {
    item.looked = await worker.call("look", [item.file, asked, item.looked?.looks ?? []]);
    if (!item.thumbnailUrl) item.thumbnailUrl = URL.createObjectURL(item.looked.thumbnail);
    // The promise may have been changed meanwhile.
    item.state = asked === promise || item.judge(opened!.model.calibration, promise) ? "done" : "waiting";
    if (item.unsure) await askServer(item);
  } catch {
    item.state = "failed";
    item.error = say(/\.(hei[cf]|tiff?|jp2|jxl|psd|dng|pdf)$/i.test(item.name) ? "foreign" : "broken");
  }
  card.update();
  summary.refreshSoon();
}

const asking = new Set<Item>();

async function askServer(item: Item): Promise<void> {
  const box = find<HTMLInputElement>("#server");
  if (!box.checked || item.server || asking.has(item)) return;
  asking.add(item);
  const view = await worker.call("view", [item.file]);
  try {
    item.server = await server.ask(view, promise);
  } catch (error) {
    box.checked = false;
    const { status } = error as ServerFailed;
    show("#trouble", status ? say("serverRefused", { status }) : say("serverMissing"));
  }
  asking.delete(item);
  summary.account();
}

/* The user's own hand. */

async function perform(card: Card, act: Act): Promise<void> {
  const { item } = card;
  if (act === "save") return save(item);
  item.hand = act === "undo" ? undefined : act === "accept" ? item.answer!.best : then(item.turn, STEPS[act]);
  card.update();
  if (document.activeElement === document.body) card.focus("right");
  find("#news").textContent = say("newsTurn", { name: item.name, verdict: item.verdict().join(" ") });
  summary.refreshSoon();
}

async function save(item: Item): Promise<void> {
  try {
    const { blob, name } = await worker.call("save", [item.wanted]);
    hand(blob, name.split("/").at(-1)!);
  } catch (error) {
    show("#trouble", say("failedWrite", { name: item.name, reason: (error as Error).message }));
  }
}

async function saveAll(): Promise<void> {
  const button = find<HTMLButtonElement>("#download");
  const wanted = summary.savable.map(({ item }) => item.wanted);
  if (wanted.length > MAX_FILES || wanted.reduce((sum, { file }) => sum + file.size, 0) > MAX_BYTES * 0.98) {
    show("#trouble", say("zipLarge"));
    return;
  }
  button.disabled = true;
  try {
    const progress = (done: number) => (button.textContent = say("zipping", { done, all: wanted.length }));
    hand(await worker.call("zip", [wanted], progress), "upright.zip");
  } catch (error) {
    show("#trouble", say("failedWrite", { name: "upright.zip", reason: (error as Error).message }));
  }
  summary.refreshSoon();
}

function hand(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/* What the page says. */

function tellEngine(): void {
  if (!opened) return;
  const { model, threads, seconds } = opened;
  const facts = { model: model.name, version: model.version, threads, seconds: seconds.toFixed(1) };
  show("#engine", say("ready", facts) + (keptOffline ? ` · ${say("offline")}` : ""));
}

function speak(language: Language): void {
  setLanguage(language, document);
  const other = find("#language");
  other.textContent = language === "zh" ? "English" : "中文";
  other.lang = language === "zh" ? "en" : "zh";
  find("#promise-meaning").textContent = say(`${promise}Meaning`);
  cards.forEach((card) => card.update());
  if (!opened) show("#engine", say("loading"));
  tellEngine();
  summary.refresh();
}

/* Everything that can be pressed. */

function chooseTheme(theme: "light" | "dark"): void {
  document.documentElement.dataset.theme = theme;
  remember("theme", theme);
}

find("#language").addEventListener("click", () => {
  const language = currentLanguage() === "zh" ? "en" : "zh";
  remember("language", language);
  speak(language);
});

find("#theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  chooseTheme(dark === "dark" ? "light" : "dark");
});

find("#promise").addEventListener("change", (event) => {
  promise = (event.target as HTMLInputElement).value as Promised;
  remember("promise", promise);
  find("#promise-meaning").textContent = say(`${promise}Meaning`);
  for (const card of cards.filter(({ item }) => item.state === "done")) {
    if (!card.item.judge(opened!.model.calibration, promise)) card.item.state = "waiting";
    card.update();
  }
  summary.refreshSoon();
  void askAll().then(run);
});

find<HTMLInputElement>("#server").addEventListener("change", async ({ target }) => {
  const box = target as HTMLInputElement;
  show("#trouble", "");
  if (!box.checked) return;
  if (await server.isThere()) return askAll();
  box.checked = false;
  show("#trouble", say("serverMissing"));
});

async function askAll(): Promise<void> {
  for (const card of cards.filter(({ item }) => item.unsure)) {
    await askServer(card.item);
    card.update();
    summary.refreshSoon();
  }
}

find("#clear").addEventListener("click", () => {
  cards.splice(0).forEach(({ item, element }) => {
    item.forget();
    element.remove();
  });
  find("#results").hidden = true;
  show("#trouble", "");
  document.body.classList.remove("busy");
  summary.refresh();
  find<HTMLInputElement>("#files").focus();
});

find("#download").addEventListener("click", () => void saveAll());

find("#cards").addEventListener("keydown", (event) => {
  const step = { n: 1, p: -1 }[event.key.toLowerCase()];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  const visible = cards.filter(({ element }) => !element.hidden);
  const at = visible.findIndex(({ element }) => element.contains(event.target as Node));
  visible[at + step]?.focus(((event.target as HTMLElement).dataset.act as Act | undefined) ?? "right");
});

const theme = recall("theme", ["light", "dark"]);
if (theme) chooseTheme(theme);
find<HTMLInputElement>(`#promise [value="${promise}"]`).checked = true;
find<HTMLInputElement>("#server").checked = false;
speak(recall("language", ["en", "zh"]) ?? (navigator.language.startsWith("zh") ? "zh" : "en"));
takeIn(find("#drop"), find<HTMLInputElement>("#files"), (found) => void add(found));
void run();
// Plain http, other than on localhost, has no service workers.
if (navigator.serviceWorker && import.meta.env.PROD) {
  navigator.serviceWorker.register("sw.js").catch(() => undefined);
  void navigator.serviceWorker.ready.then(() => {
    keptOffline = true;
    tellEngine();
  });
}
