/** A canvas that only notes what is drawn on it, and what of its pixels that covers. */

const CURVE_PARTS = 8;

/** As much of a 2D context as `draw` uses. */
export class RecordingContext {
  constructor() {
    this.calls = [];
    this.rings = [];
    for (const name of ["setTransform", "clearRect", "save", "restore", "beginPath", "clip", "closePath"]) {
      this[name] = (...values) => this.calls.push([name, ...values]);
    }
  }

  fillRect(...rect) {
    this.calls.push(["fillRect", this.fillStyle, ...rect]);
  }

  rect(left, top, width, height) {
    this.frame = {left, top, width, height};
  }

  moveTo(x, y) {
    this.rings.push([[x, y]]);
  }

  quadraticCurveTo(cx, cy, x, y) {
    const ring = this.rings.at(-1);
    const [fromX, fromY] = ring.at(-1);
    for (let part = 1; part <= CURVE_PARTS; part++) {
      const t = part / CURVE_PARTS, s = 1 - t;
      ring.push([s * s * fromX + 2 * s * t * cx + t * t * x, s * s * fromY + 2 * s * t * cy + t * t * y]);
    }
  }

  fill(rule) {
    this.calls.push(["fill", this.fillStyle, rule]);
  }
}

/** Which pixels of `width` × `height` have their centres inside, by the even-odd rule and the clip: 1, else 0. */
export function rasterize({rings, frame}, width, height) {
  const covered = new Uint8Array(width * height);
  const crossings = Array.from({length: height}, () => []);
  for (const ring of rings) ring.forEach((to, number) => cross(crossings, ring.at(number - 1), to, height));
  crossings.forEach((line, row) => {
    if (row < frame.top || row >= frame.top + frame.height) return;
    line.sort((one, other) => one - other);
    for (let number = 0; number + 1 < line.length; number += 2) {
      const from = Math.max(Math.ceil(line[number] - 0.5), frame.left, 0);
      const to = Math.min(Math.ceil(line[number + 1] - 0.5), frame.left + frame.width, width);
      if (to > from) covered.fill(1, row * width + from, row * width + to);
    }
  });
  return covered;
}

function cross(crossings, [x0, y0], [x1, y1], height) {
  const [top, bottom] = [Math.min(y0, y1), Math.max(y0, y1)];
  for (let row = Math.max(Math.ceil(top - 0.5), 0); row + 0.5 < bottom && row < height; row++) {
    crossings[row].push(x0 + ((row + 0.5 - y0) / (y1 - y0)) * (x1 - x0));
  }
}
