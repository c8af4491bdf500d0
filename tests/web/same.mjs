// Runs the package's functions over cases that Python wrote: node same.mjs DIST CASES. See test_same.py.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [dist, folder] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(dist, name)).href);
const { resize, BILINEAR, LANCZOS } = await load("resize.js");
const { patchExifOrientation, readExifOrientation } = await load("exif.js");
const [{ climb }, { STEPS }, { textStrokes }, { tiltOf }, { lookOf }] = await Promise.all(
  ["decide.js", "steps.js", "strokes.js", "tilt.js", "view.js"].map(load),
);
const { Detector } = await load("node.js");
const cases = JSON.parse(readFileSync(join(folder, "cases.json"), "utf-8"));

for (const { name, from, to, filter } of cases.resize) {
  const picture = { data: readFileSync(join(folder, name)), width: from[0], height: from[1] };
  writeFileSync(join(folder, `${name}.out`), resize(picture, to[0], to[1], { BILINEAR, LANCZOS }[filter]).data);
}

const tags = cases.exif.map(({ name, orientation }) => {
  const bytes = new Uint8Array(readFileSync(join(folder, name)));
  try {
    writeFileSync(join(folder, `${name}.${orientation}.out`), patchExifOrientation(bytes, orientation));
  } catch (error) {
    if (error.name !== "DamagedMetadata") throw error;
    return { tag: readExifOrientation(bytes), refused: true };
  }
  return { tag: readExifOrientation(bytes), refused: false };
});

const readPicture = ({ name, from }) => ({ data: readFileSync(join(folder, name)), width: from[0], height: from[1] });

for (const { step, side, ...each } of cases.views) {
  const picture = readPicture(each);
  const seen = STEPS[step].views(picture, (width, height) => resize(picture, width, height), side);
  writeFileSync(join(folder, `${each.name}-${side}.out`), Buffer.concat(seen.map(({ pixels }) => pixels.data)));
}

const strokes = cases.texts.map((each) => {
  const { counts, ...found } = textStrokes(readPicture(each));
  return { ...found, counts: [...counts] };
});

const tilts = cases.tilts.map((each) => {
  const picture = readPicture(each);
  return tiltOf(picture, (width, height) => resize(picture, width, height));
});

const decisions = cases.decide.map(({ logits, turns, promise }) => {
  const looks = [];
  for (;;) {
    const answer = climb(looks, cases.calibration, promise);
    if (typeof answer !== "string") return answer;
    looks.push(lookOf(turns[answer].map((turn) => ({ turn })), logits[answer]));
  }
});

// Leads of the same views, which are squashed from the same pixels; answers about the files.
const detector = await Detector.open({ model: pathToFileURL(`${cases.model}/`) });
const heads = await detector.openHeads();
const found = [];
for (const { turns, ...each } of cases.mirrors) {
  const picture = readPicture(each);
  const squash = (width, height) => resize(picture, width, height);
  const { leads } = await heads.read((step) => STEPS[step].views(picture, squash, 224), turns, () => undefined);
  found.push({ leads, answer: await detector.detect(join(folder, `${each.name}.png`), { mirror: true, tilt: true }) });
}
await detector.close();
writeFileSync(join(folder, "answers.json"), JSON.stringify({ tags, strokes, tilts, decisions, found }));
