import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Detector } from "../dist/index.js";

// A model of a kilobyte that turns the bright side up: tests/web/tiny_model.py.
const tiny = new URL("../../../tests/web/tiny_model/", import.meta.url);

/** A picture whose side at `turn` is bright, so that this turn sets it upright: top, left, bottom, right. */
function sky(turn, { width = 50, height = 40, alpha = 255 } = {}) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const away = { 0: y / height, 90: x / width, 180: 1 - y / height, 270: 1 - x / width }[turn];
      data.set([230 - away * 200, 230 - away * 200, 230 - away * 200, alpha], (y * width + x) * 4);
    }
  }
  return { data, width, height };
}

test("each turn of pixels is told", async () => {
  const detector = await Detector.open({ model: tiny });
  for (const turn of [0, 90, 180, 270]) {
    const found = await detector.detect(sky(turn));
    assert.equal(found.turn, turn);
    assert.equal(found.reason, "sure");
    assert.ok(found.confidence > 0.9 && Math.abs(found.scores.reduce((a, b) => a + b) - 1) < 1e-6);
  }
  await detector.close();
});

test("calls at the same time do not disturb each other", async () => {
  const detector = await Detector.open({ model: tiny });
  const turns = [90, 270, 0, 180, 90];
  const found = await Promise.all(turns.map((turn) => detector.detect(sky(turn))));
  assert.deepEqual(found.map(({ turn }) => turn), turns);
  await detector.close();
});

test("a blank picture is left alone", async () => {
  const detector = await Detector.open({ model: tiny });
  const found = await detector.detect(sky(0, { alpha: 0 }));
  assert.equal(found.turn, null);
  assert.equal(found.reason, "blank");
  await detector.close();
});

test("a model folder that is not there is named", async () => {
  await assert.rejects(Detector.open({ model: new URL("nowhere/", tiny) }), /nowhere/);
});

test("weights that are not those of model.json are refused", async () => {
  const fetch = async (address) => {
    const bytes = readFileSync(fileURLToPath(address.replace(/\?.*/, "")));
    return new Response(address.includes(".onnx") ? bytes.subarray(1) : bytes);
  };
  await assert.rejects(Detector.open({ model: pathToFileURL(`${fileURLToPath(tiny)}/`), fetch }), /not the weights/);
});
