import assert from "node:assert/strict";
import test from "node:test";
import {importPlayer, makeRandom, measureDifference, readFixture} from "./fixtures.mjs";

const {unpack} = await importPlayer("arrays.js");
const {MotionField} = await importPlayer("motion_field.js");
const {Dance, interpolate} = await importPlayer("dance.js");

/** A decoder that shows what it is given. */
const transparent = {decode: (latents) => latents};

/** A model that gives keys, two at a time. */
function playKeys(keys, cuts) {
  let at = 0;
  return {
    advance: () => [0, 1].map(() => ({latents: Float32Array.from(keys[at]), cut: cuts[at++]})),
    restart: () => (at = 0),
  };
}

test("what lies between keys is what Python puts there, and nothing is mixed across a cut", () => {
  const {keys, cuts, frames, ratio} = readFixture("curve");
  const all = keys.map((key, number) => ({latents: Float32Array.from(key), cut: cuts[number]}));
  frames.forEach((frame, number) => {
    assert.ok(measureDifference(interpolate(all, number * ratio), frame) < 1e-5, `frame ${number}`);
  });
});

test("a dance is the same, however its time passes", () => {
  const {keys, cuts, frames} = readFixture("curve");
  const dance = new Dance(transparent, playKeys(keys, cuts), 10);
  frames.forEach((frame, number) => {
    assert.ok(measureDifference(dance.advance(number ? 1 / 30 : 0), frame) < 1e-4, `frame ${number}`);
  });
  dance.restart();
  assert.ok(measureDifference(dance.advance(0), frames[0]) < 1e-4);
  assert.ok(measureDifference(dance.advance(100 / 30), frames[100]) < 1e-4);
});

test("an hour has no NaN, does not freeze, and does not grow", async () => {
  const {meta, data} = readFixture("dances").usual;
  const model = new MotionField(await unpack(data, meta), meta, makeRandom(1));
  const dance = new Dance(transparent, model, meta.fps);
  let before = dance.advance(0), still = 0, longest = 0;
  for (let frame = 0; frame < 3600 * 30; frame++) {
    const latents = dance.advance(1 / 30);
    still = measureDifference(latents, before) > 1e-6 ? 0 : still + 1;
    longest = Math.max(longest, dance.keys.length);
    assert.ok(latents.every(Number.isFinite) && still < 30, `frame ${frame}`);
    before = latents;
  }
  assert.ok(longest < 30, `${longest} keys are held`);
  assert.ok(model.window.length === meta.motion_field.context);
});
