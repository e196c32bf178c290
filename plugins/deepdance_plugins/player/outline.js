const REFINEMENT = 2; // samples of the refined field a pixel of the canvas, each way
const SHARPNESS = -0.75; // the slope of the cubic's weights a pixel away, as OpenCV has it
const SMOOTHING_PASSES = 2; // the cubic leaves a ripple, as wide as a pixel of the canvas; more would round off fingers
const SMALLEST_RING = 3; // points of an outline

/**
 * Draw a picture on a 2D canvas: one even-odd path of quadratic curves along the level of its field.
 *
 * The silhouette keeps its shape: what the dance reaches of its frame is fitted into `width` × `height`.
 * @param {CanvasRenderingContext2D} context
 * @param {{field: Float32Array, placement: number[]}} picture
 * @param {object} meta
 * @param {{width: number, height: number, ink: string, ground: ?string, mirror: boolean}} look colours are those of
 *   CSS; without a ground it is transparent
 */
export function draw(context, picture, meta, {width, height, ink = "black", ground = "white", mirror = false}) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  if (ground) {
    context.fillStyle = ground;
    context.fillRect(0, 0, width, height);
  }
  const frame = fitFrame(meta, width, height, mirror);
  context.save();
  context.beginPath();
  context.rect(frame.left, frame.top, frame.width, frame.height);
  context.clip();
  context.beginPath();
  for (const ring of findOutline(picture, meta, frame).map(smoothRing)) tracePath(context, moveInto(frame, ring, mirror));
  context.fillStyle = ink;
  context.fill("evenodd");
  context.restore();
}

/**
 * The silhouettes' frame in whole pixels of the canvas: the largest that shows all that the dance reaches.
 *
 * It leaves no more of the canvas empty than it has to, and sticks out only where the canvas has another shape: a
 * dancer in the middle of a wide frame fills a phone that is held upright.
 */
function fitFrame({size: [rows, columns], reach: {top, bottom, left, right}}, width, height, mirror) {
  const filling = Math.max(height / rows, width / columns);
  const scale = Math.min(filling, height / (bottom - top), width / (right - left));
  const frame = {width: Math.max(1, Math.round(columns * scale)), height: Math.max(1, Math.round(rows * scale))};
  const start = placeFrame(frame.width, width, (scale * (left + right)) / 2);
  return {
    ...frame,
    left: mirror ? width - frame.width - start : start,
    top: placeFrame(frame.height, height, (scale * (top + bottom)) / 2),
  };
}

/** Where a side begins: in the middle if it fits, else so that what lies at `middle` of it is nearest to there. */
function placeFrame(side, available, middle) {
  if (side <= available) return Math.floor((available - side) / 2);
  return Math.round(Math.min(Math.max(available / 2 - middle, available - side), 0));
}

/** A ring in pixels of the frame → in pixels of the canvas. */
function moveInto(frame, ring, mirror) {
  return ring.map((value, at) => {
    if (at % 2) return frame.top + value;
    return frame.left + (mirror ? frame.width - value : value);
  });
}

/** A ring whose points are drawn towards the middle of their neighbours. */
function smoothRing(ring) {
  for (let pass = 0; pass < SMOOTHING_PASSES; pass++) {
    const count = ring.length;
    ring = ring.map((value, at) => (ring[(at + count - 2) % count] + 2 * value + ring[(at + 2) % count]) / 4);
  }
  return ring;
}

/** A closed ring as quadratic curves: its points are their control points, and they meet halfway. */
function tracePath(context, ring) {
  const count = ring.length;
  context.moveTo((ring[count - 2] + ring[0]) / 2, (ring[count - 1] + ring[1]) / 2);
  for (let at = 0; at < count; at += 2) {
    const [x, y] = [ring[at], ring[at + 1]];
    const next = (at + 2) % count;
    context.quadraticCurveTo(x, y, (x + ring[next]) / 2, (y + ring[next + 1]) / 2);
  }
  context.closePath();
}

/** The rings of the pieces that are shown, each `[x0, y0, x1, y1, …]` in pixels of the frame. */
function findOutline({field, placement}, meta, frame) {
  const {canvas, outward, outside, smallest} = meta;
  const unit = Math.exp(placement[4]) / canvas.reference; // pixels of the silhouette in a unit of the field
  const refined = refine(field, canvas.height, canvas.width, outside / unit);
  const place = buildMap(placement, meta, frame);
  return selectPieces(traceRings(refined, -outward / unit).map(place), smallest, frame);
}

/** The map of a ring from samples of the refined field to pixels: `distance_field._build_maps`, and the frame's. */
function buildMap([column, row, lean, logWidth, logHeight], {canvas, size}, frame) {
  const zoomX = Math.exp(logWidth) / canvas.across;
  const zoomY = Math.exp(logHeight) / canvas.down;
  const [scaleX, scaleY] = [frame.width / size[1], frame.height / size[0]];
  return (ring) => {
    const points = new Float64Array(ring.length);
    for (let at = 0; at < ring.length; at += 2) {
      // Pixels are areas, and their centres lie at halves; the refined field has a border of one sample.
      const u = (ring[at] - 0.5) / REFINEMENT - 0.5 - (canvas.width - 1) / 2;
      const v = (ring[at + 1] - 0.5) / REFINEMENT - 0.5 - canvas.row;
      points[at] = (column + zoomX * u + lean * zoomY * v + 0.5) * scaleX;
      points[at + 1] = (row + zoomY * v + 0.5) * scaleY;
    }
    return points;
  };
}

/**
 * A field `(rows, columns)` finer, by the cubic that OpenCV enlarges with, and with a border of `outside`.
 * @returns {{values: Float32Array, rows: number, columns: number}}
 */
function refine(field, rows, columns, outside) {
  const [taller, wider] = [rows * REFINEMENT, columns * REFINEMENT + 2];
  const tall = new Float32Array(taller * columns);
  for (let column = 0; column < columns; column++) refineLine(field, column, columns, rows, tall, column, columns);
  const values = new Float32Array((taller + 2) * wider).fill(outside);
  for (let row = 0; row < taller; row++) refineLine(tall, row * columns, 1, columns, values, (row + 1) * wider + 1, 1);
  return {values, rows: taller + 2, columns: wider};
}

/** `REFINEMENT` samples for each of a line; pixels are areas, so the first lies before the centre of the first one. */
function refineLine(line, from, step, count, out, to, outStep) {
  const last = from + (count - 1) * step;
  for (let part = 0; part < REFINEMENT; part++) {
    const place = (part + 0.5) / REFINEMENT - 0.5;
    const shift = Math.floor(place);
    const [a, b, c, d] = weigh(place - shift);
    for (let number = 0; number < count; number++) {
      const at = from + (number + shift) * step;
      const before = Math.max(at - step, from);
      const after = Math.min(at + step, last);
      const sum = a * line[before] + b * line[Math.max(at, from)] + c * line[after];
      out[to + (number * REFINEMENT + part) * outStep] = sum + d * line[Math.min(at + 2 * step, last)];
    }
  }
}

/** The weights of four neighbours, at a fraction of the way from the second to the third (Keys 1981). */
function weigh(fraction) {
  const near = (way) => ((SHARPNESS + 2) * way - (SHARPNESS + 3)) * way * way + 1;
  const first = SHARPNESS * fraction * (1 - fraction) ** 2;
  const second = near(fraction);
  const third = near(1 - fraction);
  return [first, second, third, 1 - first - second - third];
}

/**
 * The closed rings along a level, by marching squares (Lorensen and Cline 1987); what is above lies to their right.
 *
 * An outline crosses edges between neighbouring samples; edge `2 · sample` leads right from it, `2 · sample + 1` down.
 */
function traceRings(refined, level) {
  const {next, edges} = linkEdges(refined, level);
  const rings = [];
  for (const edge of edges) {
    if (next[edge] < 0) continue;
    const ring = followRing(refined, level, next, edge);
    if (ring.length >= 2 * SMALLEST_RING) rings.push(ring);
  }
  return rings;
}

/** For each edge that is crossed the one where the outline leaves the square that it enters there, else -1. */
function linkEdges({values, rows, columns}, level) {
  const next = new Int32Array(2 * rows * columns).fill(-1);
  const edges = [];
  for (let row = 0; row + 1 < rows; row++) {
    for (let column = 0, at = row * columns; column + 1 < columns; column++, at++) {
      const corners =
        (values[at] > level) |
        ((values[at + 1] > level) << 1) |
        ((values[at + columns + 1] > level) << 2) |
        ((values[at + columns] > level) << 3);
      if (corners === 0 || corners === 15) continue;
      const sides = [2 * at, 2 * at + 3, 2 * (at + columns), 2 * at + 1]; // top, right, bottom, left
      for (const [enters, leaves] of SEGMENTS[corners]) {
        next[sides[enters]] = sides[leaves];
        edges.push(sides[enters]);
      }
    }
  }
  return {next, edges};
}

const [TOP, RIGHT, BOTTOM, LEFT] = [0, 1, 2, 3];
/** By which corners are above (1 top left, 2 top right, 4 bottom right, 8 bottom left): sides from and to which an outline goes.
 * Corners that touch are one piece. */
const SEGMENTS = [
  [],
  [[TOP, LEFT]],
  [[RIGHT, TOP]],
  [[RIGHT, LEFT]],
  [[BOTTOM, RIGHT]],
  [[TOP, RIGHT], [BOTTOM, LEFT]],
  [[BOTTOM, TOP]],
  [[BOTTOM, LEFT]],
  [[LEFT, BOTTOM]],
  [[TOP, BOTTOM]],
  [[LEFT, TOP], [RIGHT, BOTTOM]],
  [[RIGHT, BOTTOM]],
  [[LEFT, RIGHT]],
  [[TOP, RIGHT]],
  [[LEFT, TOP]],
  [],
];

function followRing({values, columns}, level, next, edge) {
  const ring = [];
  while (next[edge] >= 0) {
    const at = edge >> 1;
    const down = edge & 1;
    const there = values[at + (down ? columns : 1)];
    const share = (level - values[at]) / (there - values[at]);
    ring.push((at % columns) + (down ? 0 : share), Math.floor(at / columns) + (down ? share : 0));
    const following = next[edge];
    next[edge] = -1;
    edge = following;
  }
  return ring;
}

/** The rings of pieces that show, less their holes, at least the share `smallest` of what the largest one shows. */
function selectPieces(rings, smallest, frame) {
  const outer = rings.filter((ring) => measureArea(ring) > 0).sort((one, other) => measureArea(one) - measureArea(other));
  const pieces = outer.map((ring) => ({rings: [ring], area: measureShown(ring, frame)}));
  for (const hole of rings.filter((ring) => measureArea(ring) < 0)) {
    const around = pieces.find((piece) => contains(piece.rings[0], hole[0], hole[1]));
    around?.rings.push(hole);
    if (around) around.area += measureShown(hole, frame);
  }
  const largest = Math.max(...pieces.map((piece) => piece.area));
  return pieces.filter((piece) => piece.area >= smallest * largest).flatMap((piece) => piece.rings);
}

/** Twice the area of a ring, positive around what is above the level, negative around a hole. */
function measureArea(ring) {
  let area = 0;
  for (let at = 0; at < ring.length; at += 2) {
    const next = (at + 2) % ring.length;
    area += ring[at] * ring[next + 1] - ring[next] * ring[at + 1];
  }
  return area;
}

/** The same of what of the ring lies in the frame: cut off side by side (Sutherland and Hodgman 1974). */
function measureShown(ring, {width, height}) {
  const sides = [[0, 0, 1], [0, width, -1], [1, 0, 1], [1, height, -1]];
  return measureArea(sides.reduce((part, [axis, edge, sign]) => cutOff(part, axis, edge, sign), ring));
}

/** The part of a ring whose coordinate, 0 for x and 1 for y, times `sign` is at least the edge's. */
function cutOff(ring, axis, edge, sign) {
  const kept = [];
  for (let at = 0, before = ring.length - 2; at < ring.length; before = at, at += 2) {
    const [from, to] = [sign * (ring[before + axis] - edge), sign * (ring[at + axis] - edge)];
    if (from >= 0 !== to >= 0) {
      const share = from / (from - to);
      for (const other of [0, 1]) kept.push(ring[before + other] + share * (ring[at + other] - ring[before + other]));
    }
    if (to >= 0) kept.push(ring[at], ring[at + 1]);
  }
  return kept;
}

/** Whether a ring goes around a point: a ray from it crosses the ring an odd number of times. */
function contains(ring, x, y) {
  let inside = false;
  for (let at = 0, before = ring.length - 2; at < ring.length; before = at, at += 2) {
    const [x0, y0, x1, y1] = [ring[before], ring[before + 1], ring[at], ring[at + 1]];
    if (y0 > y !== y1 > y && x < x0 + ((y - y0) / (y1 - y0)) * (x1 - x0)) inside = !inside;
  }
  return inside;
}
