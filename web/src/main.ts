import { PROMISES, type Promised } from "../package/src/decide.js";
import { shownBeside, type Act } from "./card.js";
import { find, show, unsay } from "./dom.js";
import { why } from "./item.js";
import { takeIn } from "./intake.js";
import { Passed } from "./passed.js";
import { Pictures, type OpenedModel } from "./pictures.js";
import type { Failure } from "./protocol.js";
import { recall, remember } from "./settings.js";
import { currentLanguage, say, setLanguage, type Language } from "./texts.js";

const SAMPLES = ["astronaut.jpg", "receipt.png", "camera.jpg", "coffee.jpg", "settings.png", "rocket.jpg"];
const started = performance.now();
const [tilts, mirrors] = ["tilts", "mirrors"].map((name) => recall(name, ["on", "off"]) === "on") as [boolean, boolean];
const pictures = new Pictures(recall("promise", PROMISES) ?? "balanced", tilts, mirrors, open);
const passed = new Passed();
let opened: { model: OpenedModel; seconds: number } | undefined;
let keptOffline = false;

async function open(): Promise<OpenedModel | undefined> {
  show("#engine", { key: "loading" });
  try {
    const model = await pictures.pool.open();
    opened = { model, seconds: (performance.now() - started) / 1000 };
    unsay("#trouble", "trouble");
    tellEngine();
    return model;
  } catch (error) {
    show("#trouble", { key: "trouble", gaps: { reason: why(error as Failure) } });
    show("#engine", "");
    return undefined;
  }
}

/* What the page says. */

function tellEngine(): void {
  if (!opened) return;
  const { model, seconds } = opened;
  const facts = { model: model.name, version: model.version, workers: pictures.pool.size, seconds: seconds.toFixed(1) };
  show("#engine", say("ready", facts) + (keptOffline && model.kept ? ` · ${say("offline")}` : ""));
}

function tellPromise(promise: Promised): void {
  show("#promise-meaning", { key: `${promise}Meaning` });
}

function speak(language: Language): void {
  setLanguage(language, document);
  const other = find("#language");
  other.textContent = language === "zh" ? "English" : "中文";
  other.lang = language === "zh" ? "en" : "zh";
  pictures.cards.forEach((card) => card.update());
  // What was just announced was said in the other language.
  find("#news").textContent = "";
  tellEngine();
  pictures.summary.refresh();
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
  const promise = (event.target as HTMLInputElement).value as Promised;
  remember("promise", promise);
  tellPromise(promise);
  void pictures.change(promise);
});

find<HTMLInputElement>("#tilts").addEventListener("change", (event) => {
  const tilts = (event.target as HTMLInputElement).checked;
  remember("tilts", tilts ? "on" : "off");
  pictures.showTilts(tilts);
});

find<HTMLInputElement>("#mirrors").addEventListener("change", (event) => {
  const mirrors = (event.target as HTMLInputElement).checked;
  remember("mirrors", mirrors ? "on" : "off");
  show("#trouble", "");
  void pictures.lookForMirrors(mirrors);
});

find<HTMLInputElement>("#server").addEventListener("change", async ({ target }) => {
  const box = target as HTMLInputElement;
  show("#trouble", "");
  if (!box.checked) return pictures.server.stop();
  const isThere = await pictures.server.isThere();
  // It may have been switched off meanwhile.
  if (isThere || !box.checked) return pictures.askAll();
  box.checked = false;
  show("#trouble", { key: "serverMissing" });
});

find("#key").addEventListener("submit", (event) => {
  event.preventDefault();
  pictures.server.key = find<HTMLInputElement>("#key input").value.trim();
  find("#key").hidden = true;
  show("#trouble", "");
  find<HTMLInputElement>("#server").checked = true;
  pictures.askAll();
});

find("#samples").addEventListener("click", async () => {
  try {
    const fetched = SAMPLES.map(async (name) => {
      const response = await fetch(`samples/${name}`);
      if (!response.ok) throw new Error(`samples/${name}: HTTP ${response.status}`);
      const blob = await response.blob();
      return { file: new File([blob], name, { type: blob.type }), name };
    });
    await pictures.add(await Promise.all(fetched));
  } catch (error) {
    show("#trouble", (error as Error).message);
  }
});

find("#clear").addEventListener("click", () => {
  void pictures.clear();
  passed.clear();
  find<HTMLInputElement>("#files").focus();
});

find("#download").addEventListener("click", () => void pictures.downloads.all());

find("#cards").addEventListener("keydown", (event) => {
  const step = { n: 1, p: -1 }[event.key.toLowerCase()];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  const here = pictures.cards.find(({ element }) => element.contains(event.target as Node));
  if (here) shownBeside(pictures.cards, here, step)?.focus(((event.target as HTMLElement).dataset.act as Act | undefined) ?? "right");
});

const theme = recall("theme", ["light", "dark"]);
if (theme) chooseTheme(theme);
find<HTMLInputElement>(`#promise [value="${pictures.promise}"]`).checked = true;
find<HTMLInputElement>("#tilts").checked = pictures.tilts;
find<HTMLInputElement>("#mirrors").checked = pictures.mirrors;
find<HTMLInputElement>("#server").checked = false;
tellPromise(pictures.promise);
speak(recall("language", ["en", "zh"]) ?? (navigator.language.startsWith("zh") ? "zh" : "en"));
takeIn(
  find("#drop"),
  [find<HTMLInputElement>("#files"), find<HTMLInputElement>("#folder")],
  (given) => {
    passed.add(given.passed);
    if (given.pictures.length) void pictures.add(given.pictures);
    else show("#trouble", { key: "noPicture" });
  },
  () => show("#trouble", { key: "noFile" }),
);
find("#stalled").remove();
void pictures.restore();
void pictures.run();
window.addEventListener("online", () => {
  if (!opened) void pictures.run();
});
// Plain http, other than on localhost, has no service workers.
if (navigator.serviceWorker && import.meta.env.PROD) {
  navigator.serviceWorker.register("sw.js").catch(() => undefined);
  void navigator.serviceWorker.ready.then(() => {
    keptOffline = true;
    tellEngine();
  });
}
