// The page of `upright review`. The server writes each decision before it answers; nothing is kept here alone.

const $ = (selector) => document.querySelector(selector);
const LISTS = { unsure: "Unsure", turn: "To turn", upright: "Upright", failed: "Not opened", decided: "Settled" };
const WORDS = { 0: "as it lies", 90: "turned right", 180: "turned over", 270: "turned left" };
const AHEAD = 3;

const entries = new Map();
// What a person tries before it is decided: turn and mirrored of an entry.
const tried = new Map();
let list = "unsure";
let current;
let picked = new Set();
let changes = 0;
let complete = false;
let sending = Promise.resolve();
// How many decisions are not answered yet; those behind the first are not even sent.
let waiting = 0;

function shown(entry) {
  return tried.get(entry.id) ?? { turn: entry.turn, mirrored: entry.mirror };
}

function listOf(entry) {
  return entry.decided === null ? entry.group : "decided";
}

function members(name) {
  return [...entries.values()].filter((entry) => listOf(entry) === name);
}

function group(entry) {
  if (picked.size > 1 && picked.has(entry.id)) return [...picked].map((id) => entries.get(id));
  return entry.job ? [...entries.values()].filter((other) => other.job === entry.job && other.decided === null) : [];
}

function source(entry, large) {
  return `picture?id=${entry.id}&version=${entry.version}${large ? "&large=1" : ""}`;
}

function lay(image, { turn, mirrored }) {
  image.className = `turn${turn}${mirrored ? " mirrored" : ""}`;
}

function title(entry) {
  return entry.page ? `${entry.name}, page ${entry.page} of ${entry.pages}` : entry.name;
}

// --- drawing ---

function draw() {
  drawAccount();
  drawStrip();
  drawWork();
}

function drawAccount() {
  const all = [...entries.values()];
  const settled = all.filter((entry) => entry.decided !== null).length;
  const unsure = members("unsure").length;
  const looking = complete ? "" : ` · ${all.length} looked at so far`;
  $("#left").textContent = `${unsure} unsure left · ${members("turn").length} to turn · ${settled} settled${looking}`;
  $("#progress").max = Math.max(1, unsure + settled + members("turn").length);
  $("#progress").value = settled;
  for (const [name, words] of Object.entries(LISTS)) {
    const count = members(name).length;
    let button = $(`#lists [data-list="${name}"]`);
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.dataset.list = name;
      button.addEventListener("click", () => choose(name));
      $("#lists").append(button);
    }
    button.hidden = !count && name !== list;
    button.textContent = `${words} ${count}`;
    button.setAttribute("aria-pressed", String(name === list));
  }
}

function drawStrip() {
  const found = members(list);
  const strip = $("#strip");
  const there = new Map([...strip.children].map((item) => [Number(item.dataset.id), item]));
  for (const [id, item] of there) if (!found.some((entry) => entry.id === id)) item.remove();
  found.forEach((entry, index) => {
    const item = there.get(entry.id) ?? thumbnail(entry);
    if (strip.children[index] !== item) strip.insertBefore(item, strip.children[index] ?? null);
    const image = item.querySelector("img");
    if (image.getAttribute("src") !== source(entry, false)) image.src = source(entry, false);
    lay(image, shown(entry));
    const button = item.firstElementChild;
    button.setAttribute("aria-current", String(entry.id === current));
    button.setAttribute("aria-label", title(entry));
    button.classList.toggle("grouped", picked.has(entry.id));
  });
  const all = $("#all");
  all.hidden = !found.length || !["turn", "upright"].includes(list);
  all.textContent = list === "turn" ? `All ${found.length} are right like this: turn them` : `All ${found.length} are right`;
}

function thumbnail(entry) {
  const item = document.createElement("li");
  item.dataset.id = entry.id;
  item.innerHTML = '<button type="button"><span class="small"><img alt="" loading="lazy"></span><span class="label"></span></button>';
  item.querySelector(".label").textContent = entry.page ? `page ${entry.page}` : entry.name;
  item.firstElementChild.addEventListener("click", (event) => {
    if (event.shiftKey) pick(entry.id);
    else go(entry.id);
  });
  return item;
}

function drawWork() {
  const entry = entries.get(current);
  $("#work").hidden = !entry;
  $("#nothing").hidden = Boolean(entry);
  if (!entry) return drawNothing();
  const now = shown(entry);
  drawLarge(entry);
  const large = $("#large");
  large.alt = `${title(entry)}, shown ${WORDS[now.turn]}${now.mirrored ? ", mirrored" : ""}`;
  lay(large, now);
  $("#name").textContent = title(entry);
  $("#words").textContent = entry.error || entry.words;
  $("#found-mirror").hidden = !entry.mirror;
  $("#found-tilt").hidden = !entry.tilt;
  $("#found-tilt").textContent = `tilt ${entry.tilt}`;
  for (const button of document.querySelectorAll("#ways button")) {
    const turn = Number(button.dataset.turn);
    const image = button.querySelector("img");
    if (image.getAttribute("src") !== source(entry, false)) image.src = source(entry, false);
    lay(image, { turn, mirrored: now.mirrored });
    button.setAttribute("aria-pressed", String(turn === now.turn));
  }
  $("#mirror").setAttribute("aria-pressed", String(now.mirrored));
  const others = group(entry);
  $("#group").hidden = others.length < 2;
  $("#group").innerHTML = `<kbd>Shift Enter</kbd> All ${others.length} like this`;
  return undefined;
}

// The small picture is here already, and stands in until the large one is decoded.
function drawLarge(entry) {
  const large = $("#large");
  const wanted = source(entry, true);
  if (large.dataset.wanted === wanted) return;
  large.dataset.wanted = wanted;
  large.style.transition = "none";
  large.src = source(entry, false);
  const image = new Image();
  image.src = wanted;
  image
    .decode()
    .then(() => {
      if (large.dataset.wanted === wanted) large.src = wanted;
    })
    .catch(() => {});
  requestAnimationFrame(() => (large.style.transition = ""));
}

function drawNothing() {
  const next = ["unsure", "turn"].find((name) => members(name).length);
  const seen = entries.size > 0 || complete;
  $("#nothing-head").textContent = next ? "This list is settled." : complete ? "Everything is settled." : "Looking…";
  $("#nothing-words").textContent = !seen
    ? "The first pictures come in a moment."
    : next
      ? ""
      : complete
        ? "Every decision is written. Finish ends the program, which says how all of it can be undone."
        : "More pictures are being looked at.";
  const act = document.createElement("button");
  act.type = "button";
  act.className = "main";
  act.textContent = next ? `Look at ${members(next).length}: ${LISTS[next].toLowerCase()}` : "Finish";
  act.addEventListener("click", () => (next ? choose(next) : finish()));
  $("#nothing-acts").replaceChildren(...(next || complete ? [act] : []));
}

// --- moving ---

function choose(name) {
  list = name;
  picked = new Set();
  current = members(name)[0]?.id;
  draw();
  $("#stage").focus({ preventScroll: true });
}

function go(id) {
  current = id;
  picked = new Set();
  draw();
  $(`#strip [data-id="${id}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  $("#stage").focus({ preventScroll: true });
  const found = members(list);
  const at = found.findIndex((entry) => entry.id === id);
  for (const entry of found.slice(at + 1, at + 1 + AHEAD)) new Image().src = source(entry, true);
}

function step(by) {
  const found = members(list);
  if (!found.length) return;
  const at = found.findIndex((entry) => entry.id === current);
  go(found[(at + by + found.length) % found.length].id);
}

function pick(id) {
  const found = members(list).map((entry) => entry.id);
  const [a, b] = [found.indexOf(current), found.indexOf(id)].sort((x, y) => x - y);
  picked = new Set(found.slice(a, b + 1));
  draw();
}

// --- deciding ---

function turn(degrees) {
  const entry = entries.get(current);
  if (!entry) return;
  tried.set(entry.id, { ...shown(entry), turn: degrees });
  drawStrip();
  drawWork();
  say(`${title(entry)}: ${WORDS[shown(entry).turn]}`);
}

function mirror() {
  const entry = entries.get(current);
  if (!entry) return;
  const now = shown(entry);
  tried.set(entry.id, { turn: (360 - now.turn) % 360, mirrored: !now.mirrored });
  drawStrip();
  drawWork();
}

function keep(found) {
  const at = members(list).findIndex((entry) => entry.id === current);
  const choices = found.map((entry) => ({ id: entry.id, version: entry.version, ...shown(entry) }));
  for (const entry of found) entry.decided = shown(entry).turn;
  picked = new Set();
  const rest = members(list);
  const next = rest[Math.min(Math.max(at, 0), rest.length - 1)];
  if (next) go(next.id);
  else {
    current = undefined;
    draw();
  }
  say(`${found.length === 1 ? title(found[0]) : `${found.length} pictures`} settled`);
  post("decide", { choices });
}

function keepCurrent() {
  const entry = entries.get(current);
  if (entry) keep([entry]);
}

function keepGroup() {
  const entry = entries.get(current);
  if (!entry) return;
  const now = shown(entry);
  const found = group(entry);
  for (const other of found) tried.set(other.id, { ...now });
  keep(found.length ? found : [entry]);
}

async function undo() {
  const answer = await post("undo", {});
  const id = answer?.ids?.[0];
  if (id === undefined) return;
  answer.ids.forEach((each) => tried.delete(each));
  list = listOf(entries.get(id));
  go(id);
  say(`${answer.ids.length === 1 ? title(entries.get(id)) : `${answer.ids.length} pictures`}: taken back`);
}

async function finish() {
  await post("finish", {});
  end("Everything that you decided is written. You may close this tab; the terminal says how to undo it.");
}

// One after the other, so that versions stay true; kept alive when the tab is closed.
function post(path, body) {
  waiting += 1;
  const sent = sending.then(async () => {
    try {
      const headers = { "Content-Type": "application/json" };
      const small = JSON.stringify(body);
      const answer = await fetch(path, { method: "POST", headers, body: small, keepalive: small.length < 60000 });
      const values = await answer.json();
      if (!answer.ok) {
        trouble(values.error ?? `The program refused it (${answer.status}).`);
        changes = 0; // what was taken for settled may not be
      }
      await refresh();
      return values;
    } catch {
      gone();
      return undefined;
    } finally {
      waiting -= 1;
    }
  });
  sending = sent;
  return sent;
}

async function refresh() {
  const answer = await fetch(`state?since=${changes}`);
  const state = await answer.json();
  const wasComplete = complete;
  ({ changes, complete } = state);
  $("#undo").disabled = !state.undoable;
  for (const entry of state.entries) {
    const before = entries.get(entry.id);
    if (!before || before.version !== entry.version) tried.delete(entry.id);
    entries.set(entry.id, entry);
    if (entry.error && entry.decided === null && before && before.error !== entry.error) trouble(`${entry.name}: ${entry.error}`);
  }
  const here = entries.get(current);
  if (!here || listOf(here) !== list) current = members(list)[0]?.id;
  if (state.entries.length || wasComplete !== complete) draw();
}

async function poll() {
  try {
    await refresh();
    setTimeout(poll, complete ? 4000 : 700);
  } catch {
    gone();
  }
}

function trouble(words) {
  $("#trouble").textContent = words;
  $("#trouble").hidden = !words;
}

function gone() {
  if (!document.body.dataset.ended) trouble("The program has ended. What was decided until then is written; start it again to go on.");
}

function end(words) {
  document.body.dataset.ended = "1";
  document.querySelectorAll("button").forEach((button) => (button.disabled = true));
  $("#work").hidden = true;
  $("#nothing").hidden = false;
  $("#nothing-head").textContent = "Done.";
  $("#nothing-words").textContent = words;
  $("#nothing-acts").replaceChildren();
}

function say(words) {
  $("#news").textContent = words;
}

const KEYS = {
  ArrowLeft: () => turn(270),
  ArrowRight: () => turn(90),
  ArrowDown: () => turn(180),
  ArrowUp: () => turn(0),
  Enter: keepCurrent,
  m: mirror,
  u: undo,
  n: () => step(1),
  p: () => step(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.ended) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = KEYS[key];
  // Enter on a button is that button's.
  if (!act || (key === "Enter" && event.target.closest?.("button"))) return;
  event.preventDefault();
  if (key === "Enter" && event.shiftKey) keepGroup();
  else act();
});

for (const held of ["keydown", "keyup"]) {
  document.addEventListener(held, (event) => {
    const entry = entries.get(current);
    if (event.key !== "Shift" || !entry) return;
    const ids = new Set(held === "keydown" ? group(entry).map((each) => each.id) : [...picked]);
    for (const item of $("#strip").children) item.firstElementChild.classList.toggle("grouped", ids.has(Number(item.dataset.id)));
  });
}

for (const button of document.querySelectorAll("#ways button")) {
  button.addEventListener("click", () => {
    turn(Number(button.dataset.turn));
    $("#stage").focus({ preventScroll: true });
  });
}
$("#keep").addEventListener("click", keepCurrent);
$("#group").addEventListener("click", keepGroup);
$("#mirror").addEventListener("click", mirror);
$("#next").addEventListener("click", () => step(1));
$("#before").addEventListener("click", () => step(-1));
$("#all").addEventListener("click", () => keep(members(list)));
$("#undo").addEventListener("click", undo);
$("#finish").addEventListener("click", finish);
addEventListener("beforeunload", (event) => {
  if (waiting) event.preventDefault();
});
poll();
