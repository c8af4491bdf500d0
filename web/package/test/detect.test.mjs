import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Detector } from "../dist/index.js";
import { climb } from "../dist/decide.js";
import { DamagedMetadata, patchExifOrientation, readExifOrientation } from "../dist/exif.js";
import { judge } from "../dist/heads.js";
import * as inNode from "../dist/node.js";
import { pictureOf, squashedPicture } from "../dist/pixels.js";
import { sizeOf } from "../dist/sizes.js";

// A model of a kilobyte that turns the bright side up, and reads what is brighter on the left: tests/web/tiny_model.py.
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

test("the tilt of lines is told when asked", async () => {
  const detector = await Detector.open({ model: tiny });
  const [width, height] = [600, 500];
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // Lines of letters, 8 pixels high and 20 apart, that fall by 3 degrees to the right.
      const down = y - x * Math.tan((3 * Math.PI) / 180) + 40;
      const line = Math.floor(down / 20);
      const letter = Math.abs(Math.sin(line * 12.9898 + Math.floor(x / 4) * 78.233) * 43758.5453) % 1 > 0.5;
      if (down - line * 20 < 8 && letter) data.fill(20, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  const found = await detector.detect({ data, width, height }, { tilt: true });
  assert.ok(Math.abs(found.tilt + 3) < 0.1 && found.tilt_error < 0.1, JSON.stringify(found));
  assert.ok(!("tilt" in (await detector.detect({ data, width, height }))));
  assert.ok(!("tilt" in (await detector.detect(sky(0), { tilt: true }))));
  await detector.close();
});

/** A picture that is upright and readable, brighter above and on the left, once it is mirrored or not and then turned. */
function lying(mirrored, turn, [width, height] = [120, 90]) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [right, down] = [mirrored ? 1 - x / width : x / width, y / height];
      const [from, below] = { 0: [right, down], 90: [1 - down, right], 180: [1 - right, 1 - down], 270: [down, 1 - right] }[turn];
      const grey = 240 - 150 * below - 60 * from;
      data.set([grey, grey, grey, 255], (y * width + x) * 4);
    }
  }
  return { data, width, height };
}

/** The addresses that a detector of the tiny model reads, some of them otherwise. */
async function watched(otherwise = {}) {
  const read = [];
  const fetch = async (address) => {
    const name = address.replace(/.*\/|\?.*/g, "");
    read.push(name);
    return otherwise[name]?.() ?? new Response(readFileSync(fileURLToPath(address.replace(/\?.*/, ""))));
  };
  return { read, detector: await Detector.open({ model: pathToFileURL(`${fileURLToPath(tiny)}/`), fetch }) };
}

test("each of the eight ways a picture can lie is told when asked", async () => {
  const detector = await Detector.open({ model: tiny });
  for (const mirrored of [false, true]) {
    for (const turn of [0, 90, 180, 270]) {
      const picture = lying(mirrored, turn);
      const found = await detector.detect(picture, { mirror: true });
      assert.deepEqual([found.mirrored, found.turn], [mirrored, turn]);
      const alone = await detector.detect(picture);
      assert.ok(!("mirrored" in alone) && found.views > alone.views);
      // Turned without mirroring, the bright side is up as well.
      assert.equal(alone.turn, mirrored ? (360 - turn) % 360 : turn);
    }
  }
  const symmetrical = await detector.detect(sky(90), { mirror: true });
  assert.equal(symmetrical.turn, 90);
  assert.ok(!("mirrored" in symmetrical), "nothing tells it");
  assert.equal((await detector.detect(sky(0, { alpha: 0 }), { mirror: true })).reason, "blank");
  await detector.close();
});

test("the second network is read when it is first asked for, and once", async () => {
  const { detector, read } = await watched();
  await detector.detect(sky(0));
  assert.deepEqual(read, ["model.json", "model.onnx"]);
  await Promise.all([90, 180].map((turn) => detector.detect(lying(true, turn), { mirror: true })));
  assert.deepEqual(read.slice(2), ["heads.json", "heads.onnx"]);
  await detector.close();
});

test("a model without a second network, or with another's weights, says so", async () => {
  const gone = { "heads.json": () => new Response(null, { status: 404 }) };
  const { detector } = await watched(gone);
  await assert.rejects(detector.detect(sky(0), { mirror: true }), /cannot tell what is mirrored: .*404; a model that can has heads/);
  assert.equal((await detector.detect(sky(0))).turn, 0, "and goes on without");
  delete gone["heads.json"];
  assert.equal((await detector.detect(lying(true, 0), { mirror: true })).mirrored, true, "and tries again");
  await detector.close();
  const other = await watched({ "heads.onnx": () => new Response("other") });
  await assert.rejects(other.detector.detect(sky(0), { mirror: true }), /not the weights that heads.json names/);
  await other.detector.close();
});

test("both images are looked at again only where another promise takes it", async () => {
  const detector = await Detector.open({ model: tiny });
  const picture = { width: 120, height: 90 };
  const squash = (width, height) => {
    const { data } = lying(true, 90, [width, height]);
    return { data: Uint8Array.from({ length: width * height * 3 }, (_, at) => data[Math.floor(at / 3) * 4]), width, height };
  };
  const [first, looks, inMirror] = await detector.decide(picture, squash, { mirror: true });
  assert.deepEqual([first.mirrored, first.turn], [true, 90]);
  let views = 0;
  for (const engine of [detector.engine, (await detector.openHeads()).engine]) {
    const before = engine.run.bind(engine);
    engine.run = (view) => (views++, before(view));
  }
  const [again] = await detector.decide(picture, squash, { mirror: true, promise: "best", looks, inMirror });
  assert.deepEqual([again.mirrored, again.turn, again.views, views], [true, 90, first.views, 0]);
  assert.deepEqual(judge({ looks, inMirror }, detector.model.calibration, "best", true), again);
  const alone = judge({ looks, inMirror }, detector.model.calibration, "best", false);
  assert.deepEqual([alone.mirrored, alone.turn], [undefined, 270]);
  assert.equal(judge({ looks }, detector.model.calibration, "best", true), undefined);
  await detector.close();
});

test("calls at the same time do not disturb each other", async () => {
  const detector = await Detector.open({ model: tiny });
  const turns = [90, 270, 0, 180, 90];
  const found = await Promise.all(turns.map((turn) => detector.detect(sky(turn))));
  assert.deepEqual(found.map(({ turn }) => turn), turns);
  await detector.close();
});

const demo = new URL("../../../testdata/demo/receipt.png", import.meta.url);

test("what was asked before a detector is closed is answered, and nothing afterwards", async () => {
  const detector = await inNode.Detector.open({ model: tiny });
  const asked = [detector.detect(demo), detector.detect("nowhere.jpg"), detector.detect(sky(90)), detector.detect(demo, { mirror: true })];
  const closed = detector.close();
  const [file, none, pixels, mirror] = await Promise.allSettled(asked);
  assert.deepEqual([file.status, pixels.value?.turn, mirror.status], ["fulfilled", 90, "fulfilled"]);
  assert.match(none.reason.message, /nowhere.jpg/);
  await closed;
  for (const source of [demo, sky(0)]) await assert.rejects(detector.detect(source), /this Detector is closed; open another/);
  await detector.close();
});

test("a path, an address as text and as URL are the same file", async () => {
  const model = fileURLToPath(tiny).replace(/\/$/, "");
  for (const folder of [model, `${model}/`, pathToFileURL(model), pathToFileURL(model).href]) {
    const detector = await inNode.Detector.open({ model: folder });
    const [found, ...same] = await Promise.all([demo, demo.href, fileURLToPath(demo)].map((source) => detector.detect(source)));
    assert.deepEqual(same, [found, found]);
    await detector.close();
  }
  await assert.rejects(inNode.Detector.open({ model: "/nowhere" }), /no such file.*\/nowhere\/model.json/);
});

test("what detect and open do not take is a TypeError that says so", async () => {
  const detector = await inNode.Detector.open({ model: tiny });
  const refused = [
    [() => detector.detect(demo, null), /the options of detect are an object with promise, tilt, mirror, signal, not null/],
    [() => detector.detect(demo, { promis: 1 }), /detect has no option promis; it has promise, tilt, mirror/],
    [() => detector.detect(null), /detect takes a path.*, not null/],
    [() => detector.detect("https://example.org/a.jpg"), /must be of scheme file/],
    [() => inNode.Detector.open(null), /the options of Detector.open are an object with model, wasm, fetch, not null/],
    [() => inNode.Detector.open({ modle: 1 }), /no option modle/],
  ];
  for (const [call, message] of refused) await assert.rejects(call, (error) => error instanceof TypeError && message.test(error.message));
  await detector.close();
});

test("an orientation that is none is not written", () => {
  const png = readFileSync(demo);
  for (const none of [0, 9, -1, 6.7, NaN, undefined, null, "6"]) assert.throws(() => patchExifOrientation(png, none), RangeError);
  for (const each of [1, 2, 3, 4, 5, 6, 7, 8]) assert.equal(readExifOrientation(patchExifOrientation(png, each)), each);
  assert.equal(inNode.DamagedMetadata, DamagedMetadata);
  assert.throws(() => patchExifOrientation(new Uint8Array(20), 6), { name: "DamagedMetadata" });
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

/** Logits of one view, by which the model is so sure that this turn sets the picture upright. */
const says = (turn, sure) => [0, 90, 180, 270].map((each) => (each === turn ? sure : 0));
const step = (least) => ({ temperature: 1, careful: null, balanced: least, best: 0 });
const ladder = { glance: step(0.99), opposite: step(0.98), turned: step(0.9), quarters: step(0.9), close: step(0.9) };

test("looks that were taken answer for every promise, with as many of them as it takes", () => {
  // Two looks are unsure, four are sure enough for balanced; the quarters were looked at for careful.
  const looks = [[says(0, 4)], [says(0, 4)], Array(2).fill(says(0, 9)), Array(4).fill(says(180, 2))];
  assert.equal(climb(looks, ladder, "careful"), "close");
  const balanced = climb(looks, ladder, "balanced");
  assert.deepEqual([balanced.step, balanced.turn, balanced.views], ["turned", 0, 4]);
  assert.equal(climb(looks.slice(0, 2), ladder, "balanced"), "turned", "the step to take next");
  assert.equal(climb([], ladder, "best"), "glance");
});

test("a step without views is passed over, and windows of text add to what was seen", () => {
  const looks = [[says(0, 1)], [says(0, 1)], Array(2).fill(says(0, 1)), Array(4).fill(says(0, 1))];
  const without = climb([...looks, []], ladder, "balanced");
  assert.deepEqual([without.step, without.turn, without.views], ["quarters", null, 8]);
  const found = climb([...looks, Array(4).fill(says(0, 3))], ladder, "balanced");
  // 1 + 0.42 * sqrt(4) * 3 against 0.
  const wanted = Math.exp(3.52) / (Math.exp(3.52) + 3);
  assert.ok(Math.abs(found.confidence - wanted) < 1e-9, `${found.confidence} is not ${wanted}`);
  assert.deepEqual([found.step, found.best, found.views], ["close", 0, 12]);
});

test("a promise that cannot be kept is never met", () => {
  const never = { glance: step(null), turned: step(null) };
  const looks = [[says(0, 2000)], [says(0, 2000)], Array(2).fill(says(0, 2000))];
  assert.equal(climb(looks.slice(0, 2), never, "balanced"), "turned");
  const found = climb(looks, never, "balanced");
  assert.deepEqual([found.confidence, found.turn, found.step], [1, null, "turned"]);
  assert.equal(climb(looks, never, "best").turn, 0);
});

test("a step that the model is not calibrated for is climbed through, and none beyond its last is taken", () => {
  const older = { glance: step(0.99), turned: step(0.9) };
  assert.equal(climb([[says(0, 1)]], older, "balanced"), "opposite");
  assert.equal(climb([[says(0, 1)], [says(0, 2000)]], older, "balanced"), "turned");
  const looks = [[says(0, 1)], [says(0, 1)], Array(2).fill(says(0, 1))];
  assert.deepEqual([climb(looks, older, "balanced").step, climb(looks, older, "balanced").turn], ["turned", null]);
  assert.throws(() => climb([], { whole: step(0.9) }, "balanced"), /no step that is known here, but whole/);
});

test("a picture is neither looked at nor squashed again for another promise", async () => {
  const detector = await Detector.open({ model: tiny });
  detector.model.calibration.close = step(0.9);
  const before = detector.engine.infer.bind(detector.engine);
  let views = 0;
  detector.engine.infer = (asked) => ((views += asked.length), before(asked));
  const picture = { width: 50, height: 40 };
  const sizes = [];
  const squash = (width, height) => {
    sizes.push(`${width} x ${height}`);
    return { data: new Uint8Array(width * height * 3).map((_, at) => at % 7), width, height };
  };
  const [first, looks] = await detector.decide(picture, squash, { promise: "careful" });
  assert.deepEqual([first.views, first.step], [8, "quarters"], "there is no text to look at closely");
  assert.deepEqual(sizes, ["32 x 32", "64 x 64", "50 x 40"]);
  const [again] = await detector.decide(picture, squash, { promise: "best", looks });
  assert.deepEqual([again.best, views, sizes.length], [first.best, 8, 3]);
  await detector.decide(picture, squash, { promise: "careful", looks: looks.slice(0, 1) });
  assert.equal(views, 8 + 7, "only the steps that are missing");
  await detector.close();
});

test("means of blocks over 256 pixels long are those of all their pixels", () => {
  const [width, height] = [40_000, 4];
  const data = new Uint8Array(width * height * 4).map((_, at) => [255, 7, 254, 255][at % 4]);
  const strip = (top, rows) => ({ data: data.subarray(top * width * 4, (top + rows) * width * 4), width, height: rows });
  const picture = pictureOf({ width, height, strip, close() {} }, "PNG", 1);
  const { data: found } = squashedPicture(picture, 32, 2); // 312 pixels to a block
  assert.deepEqual([...found], Array(32 * 2).fill([255, 7, 254]).flat());
});

test("what is closed refuses every call, and closing twice is closing once", async () => {
  const detector = await Detector.open({ model: tiny });
  const waiting = detector.detect(sky(90), { mirror: true });
  const closing = detector.close();
  assert.equal(detector.close(), closing);
  assert.equal((await waiting).turn, 90, "calls from before are answered");
  await closing;
  const picture = { format: "other", exif: 1, width: 50, height: 40, pixels: { strip: () => sky(0) } };
  for (const call of [() => detector.detect(sky(0)), () => detector.openHeads(), () => detector.detectPicture(picture)]) {
    await assert.rejects(call, { name: "DetectorClosed", message: "this Detector is closed; open another" });
  }
  assert.equal(new inNode.DetectorClosed().name, "DetectorClosed");
});

test("a signal gives up what waits and what goes on, and nothing else", async () => {
  const detector = await Detector.open({ model: tiny });
  const given = new Error("enough");
  const [before, between] = [new AbortController(), new AbortController()];
  before.abort(given);
  const grey = { format: "other", exif: 1, width: 50, height: 40 };
  const strip = () => {
    between.abort(given);
    return sky(90);
  };
  const calls = [
    detector.detect(sky(0), { signal: before.signal }),
    detector.detectPicture({ ...grey, pixels: { width: 50, height: 40, strip } }, { signal: between.signal, mirror: true }),
  ];
  const after = detector.detect(sky(180), { signal: new AbortController().signal });
  for (const call of calls) await assert.rejects(call, given);
  assert.equal((await after).turn, 180);
  await assert.rejects(detector.detect(sky(0), { signal: {} }), /^TypeError: signal is an AbortSignal, not Object$/);
  await detector.close();
});

test("what is no picture is refused with its reason", async () => {
  const detector = await inNode.Detector.open({ model: tiny });
  const detached = new ArrayBuffer(800);
  structuredClone(detached, { transfer: [detached] });
  const shown = sky(0);
  const gone = { ...shown, data: new Uint8ClampedArray(shown.data) };
  structuredClone(gone.data.buffer, { transfer: [gone.data.buffer] });
  const refused = [
    [null, "TypeError", /not null/],
    [detached, "TypeError", /detached/],
    [gone, "RangeError", /50 x 40 pixels .* are not 0 bytes/],
    [{ data: new Uint8Array(4), width: 1e9, height: 1e9 }, "RangeError", /are not 4 bytes/],
    [new Blob([]), "UnreadablePicture", /is empty/],
    [new File(["text"], "a.jpg"), "UnreadablePicture", /not a picture that sharp reads/],
  ];
  for (const [source, name, message] of refused) await assert.rejects(detector.detect(source), { name, message });
  await assert.rejects(detector.detect(shown, null), { name: "TypeError", message: /options of detect/ });
  await assert.rejects(detector.detectPicture(null), { name: "TypeError", message: /a decoded Picture, not null/ });
  const none = { format: "other", exif: 1, width: 0, height: 0, pixels: { strip: () => shown } };
  await assert.rejects(detector.detectPicture(none), { name: "RangeError", message: /0 x 0 pixels/ });
  await detector.close();
});

test("the size of a picture is read from its header", () => {
  const demo = new URL("../../../testdata/demo/", import.meta.url);
  const bytes = (part) => (typeof part === "string" ? [...Buffer.from(part, "latin1")] : part);
  const of = (...parts) => sizeOf(Uint8Array.from(parts.flatMap(bytes)));
  assert.deepEqual(sizeOf(readFileSync(new URL("astronaut.jpg", demo))), [512, 512]);
  assert.deepEqual(sizeOf(readFileSync(new URL("receipt.png", demo))), [520, 1100]);
  assert.deepEqual(of("GIF89a", 64, 156, 144, 1), [40_000, 400]);
  assert.deepEqual(of("BM", Array(12).fill(0), 40, 0, 0, 0, 32, 78, 0, 0, 104, 197, 255, 255), [20_000, 15_000]);
  assert.deepEqual(of("RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0", 255, 62, 0, 99, 0, 0), [16_128, 100]);
  assert.deepEqual(of("\0\0\0\x18ftypavif\0\0\0\0\0\0\0\x14ispe\0\0\0\0\0\0\x75\x30\0\0\x4e\x20"), [30_000, 20_000]);
  for (const cut of ["\xff\xd8\xff\xe0", "\x89PNG", "GIF8", "BM", "RIFF\0\0\0\0WEBP", "\0\0\0\x18ftypavifispe\0\0\0\0", "text"]) {
    assert.equal(of(cut), undefined, cut);
  }
});
