import {Coverage} from "./coverage.js";

/**
 * `motion-field`: follows real movements from where the dancer stands, and changes over to others that lie near.
 *
 * The dance goes on as one of the real movements went on that began most like it: `z(t+1) = x(i+1) + pᵐ(z(t) - x(i))`.
 * It is the model of `sequences/motion_field/model.py`, whose comments say why; lengths are in keyframes.
 */
export class MotionField {
  /** @param {Arrays} arrays  @param {object} meta  @param {() => number} random uniform in [0, 1) */
  constructor(arrays, meta, random = Math.random) {
    this.options = meta.motion_field;
    this.random = random;
    this.temperature = meta.temperature;
    this.latents = arrays.latents;
    this.regions = arrays.regions;
    this.dimension = this.latents.length / this.regions.length;
    this.#layOutClips(arrays.clip_lengths, arrays.framings);
    this.#findStarts();
    this.#computeStates();
    this.#measureTravel();
    this.#measureLiveliness();
    this.restart();
  }

  /** Forget what was shown, and begin at a real movement that is drawn. */
  restart() {
    this.followed = this.starts[this.#drawInteger(this.starts.length)];
    this.window = this.#takeContext(this.followed);
    this.coverage = new Coverage(this, this.temperature);
    this.now = 0;
    this.cutAt = this.#measureShot(this.followed);
  }

  /** @returns {{latents: Float32Array, cut: boolean}[]} the next movement; `cut` where a new shot begins */
  advance() {
    this.coverage.lean(this.temperature);
    const cuts = this.now === this.cutAt;
    if (cuts) this.#cut();
    const start = this.#drawStart();
    const stop = Math.min(start + 1 + this.#drawLength(), this.stops[start]);
    const movement = this.#follow(start, stop);
    this.now += movement.length;
    this.window = [...this.window, ...movement].slice(-this.options.context);
    this.coverage.add(start, stop, this.now);
    this.followed = start;
    return movement.map((latents, number) => ({latents, cut: cuts && number === 0}));
  }

  /** For each latent where its clip begins and ends, how many latents its framing has, and which framing it is. */
  #layOutClips(lengths, framings) {
    const count = this.regions.length;
    this.firsts = new Int32Array(count);
    this.stops = new Int32Array(count);
    this.framings = new Int32Array(count);
    let first = 0;
    lengths.forEach((length, clip) => {
      this.firsts.fill(first, first, first + length);
      this.stops.fill(first + length, first, first + length);
      this.framings.fill(framings[clip], first, first + length);
      first += length;
    });
    const sizes = new Map();
    for (const framing of this.framings) sizes.set(framing, (sizes.get(framing) ?? 0) + 1);
    this.amounts = this.framings.map((framing) => sizes.get(framing));
  }

  /** The latents `(m,)` that a movement can be followed from. */
  #findStarts() {
    const {context, shortest, most_starts: most} = this.options;
    const inside = [];
    this.firsts.forEach((first, latent) => latent - first >= context - 1 && inside.push(latent));
    const remaining = (latent) => this.stops[latent] - 1 - latent;
    const longest = inside.reduce((longest, latent) => Math.max(longest, remaining(latent)), 0);
    // Where no clip is long enough for the shortest movement, the longest that there is will do.
    const starts = inside.filter((latent) => remaining(latent) >= Math.min(shortest, longest));
    const apart = Math.ceil(starts.length / most);
    this.starts = Int32Array.from(starts.filter((_, number) => number % apart === 0));
  }

  /** Motion states `(m, 3d)` of all starts, and their squared lengths. */
  #computeStates() {
    const size = 3 * this.dimension;
    this.states = new Float32Array(this.starts.length * size);
    this.squares = new Float64Array(this.starts.length);
    this.starts.forEach((start, number) => {
      const state = this.states.subarray(number * size, (number + 1) * size);
      this.#joinState(this.#takeContext(start), state);
      this.squares[number] = dot(state, state, 0);
    });
  }

  /** Pose, last change, and the change over the context: what two moving dancers are compared by. */
  #joinState(window, state) {
    const [last, before, first] = [window.at(-1), window.at(-2), window[0]];
    const {movement, context} = this.options;
    const size = this.dimension;
    for (let number = 0; number < size; number++) {
      state[number] = last[number];
      state[size + number] = movement * (last[number] - before[number]);
      state[2 * size + number] = (movement * (last[number] - first[number])) / Math.sqrt(context - 1);
    }
    return state;
  }

  /** The mean step, and in these the way from the first latent to each, `(n,)`: none from clip to clip. */
  #measureTravel() {
    const steps = new Float64Array(this.regions.length);
    let total = 0, linked = 0;
    for (let latent = 1; latent < steps.length; latent++) {
      if (this.firsts[latent] === latent) continue;
      steps[latent] = distance(this.#take(latent), this.#take(latent - 1));
      total += steps[latent];
      linked++;
    }
    this.stride = Math.max(total / Math.max(linked, 1), 1e-9);
    let travelled = 0;
    this.travelled = steps.map((step) => (travelled += step / this.stride));
  }

  /** How fast what follows each latent is, `(n,)`: the mean change over the shortest movement, 1 on average. */
  #measureLiveliness() {
    const speeds = this.travelled.map((travelled, latent) => {
      const end = Math.min(latent + this.options.shortest, this.stops[latent] - 1);
      return (this.travelled[end] - travelled) / Math.max(end - latent, 1);
    });
    const mean = Math.max(speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length, 1e-9);
    this.liveliness = speeds.map((speed) => Math.max(speed / mean, this.options.least_liveliness));
  }

  /** Go on at another shot, more likely one of which little was shown. */
  #cut() {
    this.followed = this.#chooseShot();
    this.window = this.#takeContext(this.followed);
    this.cutAt = this.now + this.#measureShot(this.followed);
    this.coverage.add(this.followed, this.followed + 1, this.now); // or it would be followed itself: a copy
  }

  #chooseShot() {
    const sizes = new Map();
    for (const start of this.starts) sizes.set(this.stops[start], (sizes.get(this.stops[start]) ?? 0) + 1);
    // Each shot is as likely as any other, however long it is: so those of a dance are as long as the video's.
    const distances = Float64Array.from(this.starts, (start) => sizes.get(this.stops[start]));
    this.coverage.stretch(distances, this.now);
    const odds = distances.map((distance, number) => {
      const same = this.stops[this.starts[number]] === this.stops[this.followed];
      return 1 / (same ? distance * this.options.far : distance);
    });
    return this.starts[this.#draw(odds)];
  }

  /** Frames of the shot that a latent is of: a dance stays as long in one. */
  #measureShot(latent) {
    const single = this.stops[0] === this.stops.at(-1);
    return this.options.cuts === "none" || single ? Infinity : this.stops[latent] - this.firsts[latent];
  }

  /** A latent to go on from, of the framing of what was followed. */
  #drawStart() {
    const distances = this.#measureDistances();
    this.coverage.stretch(distances, this.now);
    const framing = this.framings[this.followed];
    const isAlike = (number) => this.framings[this.starts[number]] === framing;
    const nearest = findNearest(distances, this.options.neighbours, isAlike);
    return this.starts[this.#drawNeighbour(nearest, distances)];
  }

  /** Squared distances `(m,)` of where the dance is from all starts: |a - b|² = |a|² + |b|² - 2ab. */
  #measureDistances() {
    const state = this.#joinState(this.window, new Float32Array(3 * this.dimension));
    const square = dot(state, state, 0);
    return this.squares.map((other, number) =>
      Math.max(other - 2 * dot(state, this.states, number * state.length) + square, 0),
    );
  }

  /** One of the nearest, by `exp(-distance / (temperature · the mean distance of them))`; at 0 the nearest. */
  #drawNeighbour(nearest, distances) {
    if (this.temperature === 0) return nearest[0];
    const roots = nearest.map((number) => Math.sqrt(distances[number]));
    const mean = roots.reduce((sum, root) => sum + root, 0) / roots.length;
    const unit = Math.max(this.temperature * mean, 1e-9);
    return nearest[this.#draw(roots.map((root) => Math.exp(-(root - roots[0]) / unit)))];
  }

  #drawLength() {
    const {shortest, longest} = this.options;
    return Math.min(shortest + this.#drawInteger(longest - shortest + 1), this.cutAt - this.now);
  }

  #drawInteger(count) {
    return Math.floor(this.random() * count);
  }

  /** A number from 0, as likely as its odds say. */
  #draw(odds) {
    let left = this.random() * odds.reduce((sum, odd) => sum + odd, 0);
    const drawn = odds.findIndex((odd) => (left -= odd) < 0);
    return drawn < 0 ? odds.length - 1 : drawn;
  }

  /** The latents on the movement from `start` up to `stop`, beside it at first and then nearer. */
  #follow(start, stop) {
    const origin = this.#take(start);
    const beside = this.window.at(-1).map((value, number) => value - origin[number]);
    // A distance of more than a step fades faster: between far movements there may be no body.
    const steps = Math.min(Math.max(Math.hypot(...beside) / this.stride, 1), this.options.most_hurried);
    const movement = [];
    for (let latent = start + 1; latent < stop; latent++) {
      // By the way travelled and not by time, or the dancer would slide while the movement holds still.
      const kept = this.options.persistence ** (steps * (this.travelled[latent] - this.travelled[start]));
      movement.push(this.#take(latent).map((value, number) => value + kept * beside[number]));
    }
    return movement;
  }

  /** The latent of a number, `(d,)`. */
  #take(latent) {
    return this.latents.subarray(latent * this.dimension, (latent + 1) * this.dimension);
  }

  /** The latents up to that of a number, as many as are compared. */
  #takeContext(latent) {
    const {context} = this.options;
    return Array.from({length: context}, (_, number) => this.#take(latent + 1 - context + number));
  }
}

/** The numbers of the smallest distances among those that are allowed, nearest first. */
function findNearest(distances, count, isAllowed) {
  const nearest = [];
  for (let number = 0; number < distances.length; number++) {
    if (nearest.length === count && distances[number] >= distances[nearest.at(-1)]) continue;
    if (!isAllowed(number)) continue;
    const place = nearest.findIndex((other) => distances[other] > distances[number]);
    nearest.splice(place < 0 ? nearest.length : place, 0, number);
    nearest.length = Math.min(nearest.length, count);
  }
  return nearest;
}

/** The product of a vector with as much of an array, from a place in it; four sums, so that none waits for another. */
function dot(vector, array, from) {
  let a = 0, b = 0, c = 0, d = 0, number = 0;
  for (; number + 3 < vector.length; number += 4, from += 4) {
    a += vector[number] * array[from];
    b += vector[number + 1] * array[from + 1];
    c += vector[number + 2] * array[from + 2];
    d += vector[number + 3] * array[from + 3];
  }
  for (; number < vector.length; number++, from++) a += vector[number] * array[from];
  return a + b + c + d;
}

function distance(one, other) {
  return Math.sqrt(one.reduce((sum, value, number) => sum + (value - other[number]) ** 2, 0));
}
