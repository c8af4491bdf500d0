// Runs the package's functions over cases that Python wrote: node same.mjs DIST CASES. See test_same.py.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [dist, folder] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(dist, name)).href);
const [{ resize, BILINEAR, LANCZOS }, { patchExifOrientation, readExifOrientation }, { decide, isEnough }] = await Promise.all(
  ["resize.js", "exif.js", "decide.js"].map(load),
);
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
    if (error.constructor.name !== "DamagedMetadata") throw error;
    return { tag: readExifOrientation(bytes), refused: true };
  }
  return { tag: readExifOrientation(bytes), refused: false };
});

const decisions = cases.decide.map(({ logits, promise }) => {
  const first = decide(logits.slice(0, 1), cases.calibration, promise);
  return isEnough(first, cases.calibration) ? first : decide(logits, cases.calibration, promise);
});
writeFileSync(join(folder, "answers.json"), JSON.stringify({ tags, decisions }));
