import {draw} from "./outline.js";

const LONGEST_STEP = 0.1; // seconds: a page that nobody saw for a while goes on where it was
const SMOOTHING = 0.05; // how much a new frame weighs in the averages of the figures

/** A dance on a canvas, at the pace of the screen. */
export class Stage {
  /** What the frames took, milliseconds, and how many there were. */
  figures = {frames: 0, intervalMs: 0, advanceMs: 0, drawMs: 0};
  tempo = 1;
  isPlaying = true;
  #isStale = true;
  #shownAt = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Dance} dance
   * @param {object} meta
   * @param {{ink: string, ground: ?string, mirror: boolean}} look a ground that is null is transparent
   */
  constructor(canvas, dance, meta, look) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.dance = dance;
    this.meta = meta;
    this.look = look;
    this.picture = dance.advance(0);
  }

  /** Show a frame, and the next ones as the screen wants them. An error ends it. */
  run(now = performance.now()) {
    const interval = now - this.#shownAt;
    this.#shownAt = now;
    if (this.isPlaying) this.#advance(interval);
    if (this.#fitCanvas() || this.#isStale) this.#draw();
    requestAnimationFrame((next) => this.run(next));
  }

  /** @param {object} look what changes of it */
  changeLook(look) {
    Object.assign(this.look, look);
    this.#isStale = true;
  }

  restart() {
    this.dance.restart();
    this.picture = this.dance.advance(0);
    this.#isStale = true;
  }

  #advance(interval) {
    const seconds = Math.min(interval / 1000, LONGEST_STEP);
    this.#measure("advanceMs", () => (this.picture = this.dance.advance(seconds * this.tempo)));
    this.figures.frames++;
    this.#average("intervalMs", interval);
    this.#isStale = true;
  }

  #draw() {
    const {width, height} = this.canvas;
    this.#measure("drawMs", () => draw(this.context, this.picture, this.meta, {width, height, ...this.look}));
    this.#isStale = false;
  }

  /** @returns {boolean} whether the window has another size, or the screen another density, than before */
  #fitCanvas() {
    const [width, height] = [innerWidth, innerHeight].map((side) => Math.max(1, Math.round(side * devicePixelRatio)));
    if (this.canvas.width === width && this.canvas.height === height) return false;
    Object.assign(this.canvas, {width, height});
    return true;
  }

  #measure(name, work) {
    const start = performance.now();
    work();
    this.#average(name, performance.now() - start);
  }

  #average(name, value) {
    const kept = this.figures[name] || value;
    this.figures[name] = kept + SMOOTHING * (value - kept);
  }
}
