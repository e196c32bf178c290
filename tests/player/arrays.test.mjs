import assert from "node:assert/strict";
import test from "node:test";
import {gzipSync} from "node:zlib";
import {importPlayer} from "./fixtures.mjs";

const {unpack} = await importPlayer("arrays.js");

function pack(...parts) {
  return gzipSync(Buffer.concat(parts.map((part) => Buffer.from(part.buffer)))).toString("base64");
}

test("integers are multiplied by a scale a row, or a column; others stay as they are", async () => {
  const integers = Int8Array.of(1, -2, 3, 4, 5, -127, 0, 0);
  const data = pack(integers, Float32Array.of(0.5, 2), Float32Array.of(1, 10, 100), Int16Array.of(7, 300));
  const int8 = {offset: 0, shape: [2, 3], dtype: "int8"};
  const layout = {
    rows: int8,
    "rows.scale": {offset: 8, shape: [2, 1], dtype: "float32"},
    columns: int8,
    "columns.scale": {offset: 16, shape: [1, 3], dtype: "float32"},
    plain: {offset: 28, shape: [2], dtype: "int16"},
  };
  const arrays = await unpack(data, {arrays: layout});
  assert.deepEqual([...arrays.rows], [0.5, -1, 1.5, 8, 10, -254]);
  assert.deepEqual([...arrays.columns], [1, -20, 300, 4, 50, -12700]);
  assert.deepEqual([...arrays.plain], [7, 300]);
  assert.deepEqual(Object.keys(arrays), ["rows", "columns", "plain"]);
});
