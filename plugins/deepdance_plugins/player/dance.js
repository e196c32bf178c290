/** An endless dance as pictures: keyframes of a model, made when they are due, and what lies between them. */
export class Dance {
  /**
   * @param {Decoder} decoder
   * @param {MotionField} model
   * @param {number} fps keyframes a second
   */
  constructor(decoder, model, fps) {
    this.decoder = decoder;
    this.model = model;
    this.fps = fps;
    this.#begin();
  }

  /** Begin anew, at another movement. */
  restart() {
    this.model.restart();
    this.#begin();
  }

  #begin() {
    this.keys = [];
    this.position = 0;
  }

  /** @returns {{field: Float32Array, placement: number[]}} the picture so many seconds later */
  advance(seconds) {
    this.position += seconds * this.fps;
    this.#makeKeys();
    this.#forgetKeys();
    return this.decoder.decode(interpolate(this.keys, this.position));
  }

  /** All four keys of a frame's curve have to be there, and with them the cuts between them. */
  #makeKeys() {
    while (this.keys.length < Math.floor(this.position) + 3) {
      this.#forgetKeys();
      this.keys.push(...this.model.advance());
    }
  }

  /** Only the keys from the one before the curve on are needed. */
  #forgetKeys() {
    const spent = Math.min(Math.floor(this.position) - 2, this.keys.length);
    if (spent <= 0) return;
    this.keys.splice(0, spent);
    this.position -= spent;
  }
}

/**
 * The latents at a position among keys `{latents, cut}`, 1 being the second: a Catmull-Rom spline (Catmull and Rom
 * 1974) through the keys of one shot. A cut lies halfway between two keys; up to there either shot goes on as it was.
 * @returns {Float32Array}
 */
export function interpolate(keys, position) {
  const left = Math.floor(position);
  const [first, last] = findShot(keys, Math.floor(position + 0.5), left);
  const [before, start, end, after] = [-1, 0, 1, 2].map((step) => takeKey(keys, left + step, first, last));
  return drawCurve(before, start, end, after, position - left);
}

/** The first and the last key of the shot that a key is of, no farther than the curve looks. */
function findShot(keys, number, left) {
  let first = number, last = number;
  while (first > 0 && first >= left - 1 && !keys[first].cut) first--;
  while (last + 1 < keys.length && last <= left + 2 && !keys[last + 1].cut) last++;
  return [first, last];
}

/** A key by its number; past an end of its shot it goes on as the keys were going there. */
function takeKey(keys, number, first, last) {
  const inside = Math.min(Math.max(number, first), last);
  const neighbour = number < first ? Math.min(first + 1, last) : Math.max(last - 1, first);
  const [{latents: key}, {latents: other}] = [keys[inside], keys[neighbour]];
  const beyond = Math.abs(number - inside);
  return beyond ? key.map((value, at) => value + beyond * (value - other[at])) : key;
}

/** Hermite's cubic from `start` to `end`; a key's slope is that from its left neighbour to its right one. */
function drawCurve(before, start, end, after, fraction) {
  return start.map((from, number) => {
    const to = end[number];
    const slopeStart = (to - before[number]) / 2;
    const slopeEnd = (after[number] - from) / 2;
    const square = 3 * (to - from) - 2 * slopeStart - slopeEnd;
    const cube = 2 * (from - to) + slopeStart + slopeEnd;
    return from + fraction * (slopeStart + fraction * (square + fraction * cube));
  });
}
