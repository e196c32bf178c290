/**
 * What a dance has shown so far, so that it comes by every pose and pace about as often as the video does.
 *
 * Movements that were followed lately, or whose region and pace were shown too often, seem farther away.
 */
export class Coverage {
  /** @param {MotionField} material  @param {number} temperature */
  constructor(material, temperature) {
    this.material = material;
    this.shown = new Float64Array(material.options.regions);
    this.totalShown = 0;
    this.restsUntil = new Float64Array(material.regions.length);
    this.factors = new Float64Array(material.starts.length);
    this.lean(temperature);
  }

  /** Want calm movements more often, or lively ones. */
  lean(temperature) {
    if (temperature === this.leansBy) return;
    this.leansBy = temperature;
    const {regions, liveliness, starts, options} = this.material;
    const [least, most] = options.leans;
    const exponent = options.leaning * Math.log2(Math.min(Math.max(temperature, least), most));
    const preference = liveliness.map((lively) => lively ** exponent);
    this.target = normalizeShares(regions, preference, options.regions);
    // Squared, as the distances are.
    starts.forEach((start, number) => (this.factors[number] = preference[start] ** -2));
  }

  /** Multiply squared distances `(m,)` from all starts by how little each movement is wanted at frame `now`. */
  stretch(distances, now) {
    const {regions, starts, options} = this.material;
    const overshown = this.#measureOvershown();
    let total = 0;
    for (let number = 0; number < distances.length; number++) {
      distances[number] *= overshown[regions[starts[number]]] * this.factors[number];
      total += distances[number];
    }
    // Far, but not excluded: in a short video everything may be resting.
    const least = total / distances.length / 1000;
    for (let number = 0; number < distances.length; number++) {
      if (this.restsUntil[starts[number]] > now) distances[number] = options.far * Math.max(distances[number], least);
    }
  }

  /** Shown beside what should have been by now; one more of each, or the first movements would decide alone. */
  #measureOvershown() {
    const exponent = 2 * this.material.options.variety;
    return this.shown.map((shown, region) => ((shown + 1) / (this.totalShown * this.target[region] + 1)) ** exponent);
  }

  /** Note that the movement from `start` up to `stop` was followed, which took until frame `now`. */
  add(start, stop, now) {
    const {regions, options, amounts} = this.material;
    for (let latent = start + 1; latent < stop; latent++) this.shown[regions[latent]]++;
    this.totalShown += Math.max(stop - start - 1, 0);
    const margin = Math.min(2 * options.longest, Math.floor(amounts[start] / 8));
    const rest = Math.min(options.rest * options.longest, Math.floor(amounts[start] / 4));
    this.restsUntil.fill(now + rest, Math.max(0, start - margin), stop - 1 + margin);
  }
}

/** The share of each region in what is preferred, `(regions,)`. */
function normalizeShares(regions, preference, count) {
  const shares = new Float64Array(count);
  let total = 0;
  for (let latent = 0; latent < regions.length; latent++) {
    shares[regions[latent]] += preference[latent];
    total += preference[latent];
  }
  return shares.map((share) => share / total);
}
