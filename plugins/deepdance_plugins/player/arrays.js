/** @typedef {Object<string, Float32Array | Int32Array | Int16Array>} Arrays Arrays by their names, rows one after another. */

const NUMBERS = {float32: Float32Array, int8: Int8Array, int16: Int16Array, int32: Int32Array};

/**
 * The arrays that `material.pack` wrote: gzip in base64, and where each lies by `meta.arrays`.
 *
 * One of int8 is multiplied by its `NAME.scale`, `(rows, 1)` or `(1, columns)`, and comes as float32.
 * @returns {Promise<Arrays>}
 */
export async function unpack(base64, meta) {
  const buffer = await inflate(base64);
  const stored = {};
  for (const [name, {offset, shape, dtype}] of Object.entries(meta.arrays)) {
    stored[name] = new NUMBERS[dtype](buffer, offset, countNumbers(shape));
  }
  return restoreArrays(stored, meta.arrays);
}

async function inflate(base64) {
  const characters = atob(base64);
  const bytes = new Uint8Array(characters.length);
  for (let number = 0; number < bytes.length; number++) bytes[number] = characters.charCodeAt(number);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

function countNumbers(shape) {
  return shape.reduce((product, side) => product * side, 1);
}

function restoreArrays(stored, layout) {
  const arrays = {};
  for (const [name, values] of Object.entries(stored)) {
    if (name.endsWith(".scale")) continue;
    const scale = stored[`${name}.scale`];
    arrays[name] = scale ? multiply(values, scale, layout[name].shape, layout[`${name}.scale`].shape) : values;
  }
  return arrays;
}

/** Integers `(rows, columns)` times a scale that is broadcast as NumPy does: `(rows, 1)` or `(1, columns)`. */
function multiply(integers, scale, [rows, columns], [, scaleColumns]) {
  const product = new Float32Array(integers.length);
  const [rowStep, columnStep] = scaleColumns === 1 ? [1, 0] : [0, 1];
  for (let row = 0, at = 0; row < rows; row++) {
    let scaled = row * rowStep;
    for (let column = 0; column < columns; column++, at++, scaled += columnStep) {
      product[at] = integers[at] * scale[scaled];
    }
  }
  return product;
}
