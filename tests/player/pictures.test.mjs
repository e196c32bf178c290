import assert from "node:assert/strict";
import test from "node:test";
import {importPlayer, measureDifference, readFixture} from "./fixtures.mjs";
import {RecordingContext, rasterize} from "./raster.mjs";

const {unpack} = await importPlayer("arrays.js");
const {Decoder} = await importPlayer("decoder.js");
const {draw} = await importPlayer("outline.js");
const {meta, data, poses, fields, sizes, silhouettes} = readFixture("pictures");
const decoder = new Decoder(await unpack(data, meta), meta);
/** Silhouettes of this size, of which the dance reaches all. */
const reachAll = (size) => ({...meta, size, reach: {top: 0, bottom: size[0], left: 0, right: size[1]}});
const whole = reachAll(meta.size);
const pictures = poses.map((pose) => decoder.decode(Float32Array.from(pose)));

function drawPicture(picture, width, height, look = {}, changed = meta) {
  const context = new RecordingContext();
  draw(context, picture, changed, {width, height, ink: "#000", ground: "#fff", mirror: false, ...look});
  return context;
}

function cover(picture, width, height, look, changed) {
  return rasterize(drawPicture(picture, width, height, look, changed), width, height);
}

function unpackBits(bytes, count) {
  return Uint8Array.from({length: count}, (_, bit) => (bytes[bit >> 3] >> (7 - (bit & 7))) & 1);
}

function measureIou(one, other) {
  let shared = 0, either = 0;
  one.forEach((value, at) => {
    shared += value & other[at];
    either += value | other[at];
  });
  return either ? shared / either : 1;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

test("fields are those of Python, to a thousandth of a pixel", () => {
  pictures.forEach(({field}, number) => assert.ok(measureDifference(field, fields[number]) < 1e-3));
});

test("silhouettes are those of Python, at any size", () => {
  sizes.forEach(([height, width], which) => {
    const bits = unpackBits(silhouettes[which], poses.length * height * width);
    const ious = pictures.map((picture, number) => {
      const drawn = bits.subarray(number * height * width, (number + 1) * height * width);
      return measureIou(cover(picture, width, height, {}, whole), drawn);
    });
    assert.ok(sum(ious) / ious.length > 0.995, `${width}×${height}: ${ious}`);
  });
});

test("a mirror image is one", () => {
  const [height, width] = sizes[0];
  const plain = cover(pictures[0], width, height);
  const mirrored = cover(pictures[0], width, height, {mirror: true});
  const turned = plain.map((_, at) => plain[at - (at % width) + width - 1 - (at % width)]);
  assert.ok(measureIou(mirrored, turned) > 0.99);
  assert.ok(measureIou(mirrored, plain) < 0.9);
});

test("without a ground nothing but the dancer is painted", () => {
  const painted = (ground) => drawPicture(pictures[0], 100, 60, {ground}).calls.filter(([name]) => name === "fillRect");
  assert.equal(painted(null).length, 0);
  assert.deepEqual(painted("#fed"), [["fillRect", "#fed", 0, 0, 100, 60]]);
  assert.deepEqual(drawPicture(pictures[0], 100, 60, {ground: null}).calls[1], ["clearRect", 0, 0, 100, 60]);
});

test("the dancer is painted once, in ink, by the even-odd rule", () => {
  const fills = drawPicture(pictures[0], 100, 60, {ink: "teal"}).calls.filter(([name]) => name === "fill");
  assert.deepEqual(fills, [["fill", "teal", "evenodd"]]);
});

/** A field of discs `[x, y, radius]` on a canvas of 60 × 40; those of a negative radius are holes. */
function drawDiscs(discs) {
  const field = new Float32Array(60 * 40).fill(-8);
  for (let y = 0; y < 40; y++) {
    for (let x = 0; x < 60; x++) {
      for (const [cx, cy, radius] of discs) {
        const inside = Math.max(Math.min(Math.abs(radius) - Math.hypot(x - cx, y - cy), 8), -8);
        const at = y * 60 + x;
        field[at] = radius < 0 ? Math.min(field[at], -inside) : Math.max(field[at], inside);
      }
    }
  }
  return {field, placement: [29.5, 19.5, 0, 0, 0]};
}

const canvas = {width: 60, height: 40, row: 19.5, across: 1, down: 1, reference: 1};
const discs = {...reachAll([40, 60]), canvas, outward: 0};

test("the area of a disc is its own, and that of a ring less its hole", () => {
  for (const [shown, area] of [
    [[[30, 20, 12]], Math.PI * 12 ** 2],
    [[[30, 20, 12], [30, 20, -6]], Math.PI * (12 ** 2 - 6 ** 2)],
  ]) {
    const covered = sum(cover(drawDiscs(shown), 600, 400, {}, discs)) / 100;
    assert.ok(Math.abs(covered / area - 1) < 0.01, `${covered} beside ${area}`);
  }
});

test("pieces below a share of the largest one are left out, and their holes with them", () => {
  const shown = drawDiscs([[20, 20, 12], [48, 20, 6], [48, 20, -3]]);
  const measure = (smallest) => sum(cover(shown, 600, 400, {}, {...discs, smallest})) / 100;
  const [large, ring] = [Math.PI * 144, Math.PI * 27];
  assert.ok(Math.abs(measure(0.1) / (large + ring) - 1) < 0.01);
  assert.ok(Math.abs(measure(0.2) / large - 1) < 0.01);
  assert.ok(Math.abs(measure(1) / large - 1) < 0.01);
});

test("only what lies in the picture counts for the largest piece", () => {
  const shown = {...drawDiscs([[10, 20, 9], [45, 20, 4]]), placement: [12.5, 19.5, 0, 0, 0]}; // most of the first is outside
  const covered = sum(cover(shown, 600, 400, {}, {...discs, smallest: 0.5})) / 100;
  assert.ok(Math.abs(covered / (Math.PI * 16) - 1) < 0.02, `${covered}`);
});

test("what lies beyond the silhouette's frame is not painted, and an empty field paints nothing", () => {
  const beside = {...drawDiscs([[30, 20, 12]]), placement: [0, 19.5, 0, 0, 0]};
  const covered = cover(beside, 1000, 400, {}, discs);
  assert.equal(sum(covered.filter((_, at) => at % 1000 < 200)), 0);
  assert.ok(sum(covered) > 0);
  assert.equal(sum(cover(drawDiscs([]), 600, 400, {}, discs)), 0);
});

/** Where a disc in the middle of the frame, 24 wide, is drawn: its left, top, right and bottom on the canvas. */
function findBounds(reach, width, height, look) {
  const drawn = {...discs, reach: {...discs.reach, ...reach}};
  const places = [...cover(drawDiscs([[30, 20, 12]]), width, height, look, drawn).entries()].filter(([, ink]) => ink);
  const [xs, ys] = [places.map(([at]) => at % width), places.map(([at]) => Math.floor(at / width))];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1];
}

function assertNear(bounds, wanted) {
  assert.ok(measureDifference(bounds, wanted) <= 2, `${bounds} beside ${wanted}`);
}

test("an upright window is filled by what the dance reaches of a wide frame, and mirrored as it is", () => {
  assertNear(findBounds({}, 300, 600), [92, 242, 212, 362]);
  const reach = {left: 15, right: 45}; // ten pixels each, and the disc is half a pixel right of the middle of it
  assertNear(findBounds(reach, 300, 600), [35, 185, 275, 425]);
  assertNear(findBounds(reach, 300, 600, {mirror: true}), [25, 185, 265, 425]);
  assertNear(findBounds({left: 20}, 300, 600), [0, 214, 169, 394]); // the frame's right edge is the window's
});

test("a lying window is filled by what the dance reaches of an upright frame, and the frame's own shape shows all", () => {
  const reach = {top: 10, bottom: 30, left: 15, right: 45};
  assertNear(findBounds(reach, 600, 400), [185, 85, 425, 325]);
  assertNear(findBounds(reach, 900, 400), [278, 28, 638, 388]);
});

test("an outline has no ripple of the canvas", () => {
  const [ring] = drawPicture(drawDiscs([[30, 20, 15]]), 600, 400, {}, discs).rings;
  const points = ring.map(([x, y]) => Math.hypot(x - 305, y - 205));
  const mean = sum(points) / points.length;
  const ripple = Math.sqrt(sum(points.map((radius) => (radius - mean) ** 2)) / points.length);
  assert.ok(ripple < 0.17, `${ripple} px`);
});
