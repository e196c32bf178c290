const PLACEMENT = 5; // numbers of a placement: column, row, lean, log width, log height

/**
 * Latents → a distance field in the dancer's own frame, and where the dancer stands: `sdf-ae`'s decoder.
 *
 * The network is residual blocks of dense layers beside a linear path, on principal components of the field.
 */
export class Decoder {
  /** @param {Arrays} arrays  @param {object} meta  both as `unpack` takes and gives them */
  constructor(arrays, meta) {
    this.arrays = arrays;
    this.meta = meta;
    this.blocks = Object.keys(arrays).filter((name) => /^decoder\.inner\d+\.kernel$/.test(name)).length;
    this.pose = new Float32Array(arrays.importance.length);
    this.hidden = new Float32Array(arrays["decoder.first.bias"].length);
    this.normal = this.hidden.slice();
    this.inner = this.hidden.slice();
    this.components = new Float32Array(arrays["decoder.end.bias"].length);
  }

  /**
   * @param {Float32Array} latents `(d,)`, of which the first five place the dancer
   * @returns {{field: Float32Array, placement: number[]}} the field, `canvas.height` rows of `canvas.width`
   */
  decode(latents) {
    const {mean, basis, importance} = this.arrays;
    for (let number = 0; number < this.pose.length; number++) {
      this.pose[number] = latents[PLACEMENT + number] / importance[number];
    }
    const components = this.#decodeComponents();
    for (let number = 0; number < components.length; number++) components[number] *= this.meta.deviation;
    return {field: addProduct(Float32Array.from(mean), components, basis), placement: this.#place(latents)};
  }

  #decodeComponents() {
    this.#apply("first", this.pose, this.hidden);
    for (let block = 0; block < this.blocks; block++) {
      this.#normalize(`norm${block}`);
      activate(this.#apply(`inner${block}`, this.normal, this.inner));
      addVector(this.hidden, this.#apply(`outer${block}`, this.inner, this.normal));
    }
    this.#normalize("norm");
    this.#apply("end", this.normal, this.components);
    return addProduct(this.components, this.pose, this.arrays["decoder.straight.kernel"]);
  }

  /** A dense layer: `outputs = inputs · kernel + bias`. */
  #apply(layer, inputs, outputs) {
    outputs.set(this.arrays[`decoder.${layer}.bias`]);
    return addProduct(outputs, inputs, this.arrays[`decoder.${layer}.kernel`]);
  }

  #normalize(layer) {
    const {[`decoder.${layer}.gamma`]: gamma, [`decoder.${layer}.beta`]: beta} = this.arrays;
    normalize(this.hidden, gamma, beta, this.meta.epsilon, this.normal);
  }

  /** Guessed latents may lie anywhere, and the dancer's width and height are exponentials of them. */
  #place(latents) {
    const {mean, deviation, least, largest} = this.meta.placement;
    const placement = mean.map((middle, number) => latents[number] * deviation[number] + middle);
    for (const number of [0, 1]) {
      placement[3 + number] = Math.min(Math.max(placement[3 + number], least), largest[number]);
    }
    return placement;
  }
}

/** `sums += inputs · kernel`, the kernel `(inputs, sums)`. */
function addProduct(sums, inputs, kernel) {
  const width = sums.length;
  let input = 0;
  for (; input + 7 < inputs.length; input += 8) addRows(sums, inputs.subarray(input, input + 8), kernel, input * width);
  for (; input < inputs.length; input++) {
    for (let output = 0, at = input * width; output < width; output++, at++) sums[output] += inputs[input] * kernel[at];
  }
  return sums;
}

/** The same of eight rows of the kernel at once, from a place in it: each sum is read and written once for them all. */
function addRows(sums, [a, b, c, d, e, f, g, h], kernel, from) {
  const width = sums.length;
  for (let output = 0, at = from; output < width; output++, at++) {
    sums[output] +=
      a * kernel[at] +
      b * kernel[at + width] +
      c * kernel[at + 2 * width] +
      d * kernel[at + 3 * width] +
      e * kernel[at + 4 * width] +
      f * kernel[at + 5 * width] +
      g * kernel[at + 6 * width] +
      h * kernel[at + 7 * width];
  }
}

function addVector(sums, values) {
  for (let number = 0; number < sums.length; number++) sums[number] += values[number];
}

/** Layer normalisation (Ba, Kiros and Hinton 2016). */
function normalize(values, gamma, beta, epsilon, out) {
  const count = values.length;
  let mean = 0, variance = 0;
  for (let number = 0; number < count; number++) mean += values[number] / count;
  for (let number = 0; number < count; number++) variance += (values[number] - mean) ** 2 / count;
  const scale = 1 / Math.sqrt(variance + epsilon);
  for (let number = 0; number < count; number++) {
    out[number] = (values[number] - mean) * scale * gamma[number] + beta[number];
  }
}

/** GELU, x·Φ(x) (Hendrycks and Gimpel 2016), in place. */
function activate(values) {
  for (let number = 0; number < values.length; number++) {
    values[number] *= 0.5 * (1 + erf(values[number] * Math.SQRT1_2));
  }
}

/** The error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const polynomial = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - polynomial * Math.exp(-x * x));
}
