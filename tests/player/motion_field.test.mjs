import assert from "node:assert/strict";
import test from "node:test";
import {importPlayer, makeRandom, measureDifference, readFixture} from "./fixtures.mjs";

const {unpack} = await importPlayer("arrays.js");
const {MotionField} = await importPlayer("motion_field.js");

async function open({meta, data}, random = makeRandom(3)) {
  return new MotionField(await unpack(data, meta), meta, random);
}

function danceOn(model, steps) {
  const keys = [];
  while (keys.length < steps) keys.push(...model.advance());
  return keys.slice(0, steps);
}

test("where nothing is left to chance the dance is Python's", async () => {
  const fixture = readFixture("nearest");
  const model = await open(fixture);
  const first = model.starts.indexOf(fixture.first);
  model.random = () => (first + 0.5) / model.starts.length;
  model.restart();
  danceOn(model, fixture.dance.length).forEach(({latents}, step) => {
    assert.ok(measureDifference(latents, fixture.dance[step]) < 1e-3, `step ${step}`);
  });
});

/** As `measure_dance` in Python. */
function measureDance(keys, model) {
  const steps = [];
  keys.forEach(({latents, cut}, number) => {
    if (number && !cut) steps.push(Math.hypot(...latents.map((value, at) => value - keys[number - 1].latents[at])));
  });
  steps.sort((one, other) => one - other);
  const nearest = keys.map(({latents}) => findNearest(latents, model));
  return {
    step: steps.reduce((sum, step) => sum + step, 0) / steps.length,
    "calm steps": steps[Math.floor(0.1 * steps.length)],
    "lively steps": steps[Math.floor(0.9 * steps.length)],
    regions: measureOverlap(nearest.map((latent) => model.regions[latent]), model.regions),
    distinct: new Set(nearest).size / model.regions.length,
    cuts: keys.filter(({cut}) => cut).length,
  };
}

function findNearest(latents, {latents: real, dimension, regions}) {
  let nearest = 0, least = Infinity;
  for (let latent = 0; latent < regions.length; latent++) {
    let square = 0;
    for (let at = 0; at < dimension; at++) square += (latents[at] - real[latent * dimension + at]) ** 2;
    if (square < least) [nearest, least] = [latent, square];
  }
  return nearest;
}

/** How much two distributions of regions have in common, at most 1. */
function measureOverlap(one, other) {
  const share = (regions) => {
    const shares = new Float64Array(300);
    regions.forEach((region) => (shares[region] += 1 / regions.length));
    return shares;
  };
  const others = share(other);
  return share(one).reduce((sum, value, region) => sum + Math.min(value, others[region]), 0);
}

const dances = readFixture("dances");
for (const [name, fixture] of Object.entries(dances)) {
  test(`a long dance has the figures of Python's: ${name}`, async (t) => {
    const model = await open(fixture);
    const figures = measureDance(danceOn(model, fixture.steps), model);
    t.diagnostic(JSON.stringify([figures, fixture.figures]));
    for (const [figure, expected] of Object.entries(fixture.figures)) {
      const off = Math.abs(figures[figure] - expected) / Math.max(expected, 1e-9);
      assert.ok(off < (figure === "cuts" ? 0.15 : 0.05), `${figure}: ${figures[figure]} beside ${expected}`);
    }
  });
}

test("a movement is as long as the options say, and a shot as in the video", async () => {
  const model = await open(dances.usual);
  const lengths = [];
  for (let movement = 0; movement < 500; movement++) lengths.push(model.advance().length);
  assert.ok(Math.max(...lengths) === 15 && lengths.filter((length) => length < 6).length < 50);
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  assert.ok(Math.abs(mean - 10) < 1, `${mean}`);
});

test("the temperature may change on the way", async () => {
  const model = await open(dances.uncut);
  const measure = (temperature) => {
    model.temperature = temperature;
    danceOn(model, 1000);
    return measureDance(danceOn(model, 5000), model).step;
  };
  assert.ok(measure(4) > 1.1 * measure(0.25));
});

test("a new start forgets what was shown, and the same random numbers give the same dance", async () => {
  const [one, other] = [await open(dances.usual), await open(dances.usual, makeRandom(5))];
  danceOn(one, 300);
  one.random = makeRandom(5);
  one.restart();
  other.random = makeRandom(5);
  other.restart();
  const [first, second] = [danceOn(one, 300), danceOn(other, 300)];
  assert.deepEqual(first, second);
});
