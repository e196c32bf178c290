import {readFileSync} from "node:fs";
import {join} from "node:path";

/** What `tests/plugins/test_player.py` wrote for a test. */
export function readFixture(name) {
  return JSON.parse(readFileSync(join(process.env.PLAYER_FIXTURES, `${name}.json`), "utf8"));
}

/** A module of the player. */
export function importPlayer(name) {
  return import(join(process.env.PLAYER, name));
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function makeRandom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The largest difference of two lists of numbers. */
export function measureDifference(one, other) {
  return one.reduce((largest, value, number) => Math.max(largest, Math.abs(value - other[number])), 0);
}
