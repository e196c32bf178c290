import {findKind, record} from "./recording.js";

const HIDDEN_AFTER = 3000; // milliseconds without a touch
const KEY_NAMES = {" ": "Space", h: "?"};

/** What the keys, buttons and sliders of the page do. */
export class Controls {
  #hiding = 0;
  #stopRecording = null;

  /** @param {Stage} stage  @param {(text: string, isLasting?: boolean) => void} tell */
  constructor(stage, tell) {
    this.stage = stage;
    this.tell = tell;
    this.#connectButtons();
    this.#connectSliders();
    this.#connectColours();
    addEventListener("keydown", (event) => this.#takeKey(event));
    for (const kind of ["pointermove", "pointerdown", "keydown"]) addEventListener(kind, () => this.#wake());
    this.#wake();
  }

  /** Play, or show the same picture until it goes on. */
  play(isPlaying) {
    this.stage.isPlaying = isPlaying;
    document.body.classList.toggle("paused", !isPlaying);
    find("pause").ariaLabel = isPlaying ? "Pause" : "Play";
    find("pause").title = `${find("pause").ariaLabel} (space)`;
    this.tell("");
    this.#wake();
  }

  #connectButtons() {
    const {stage} = this;
    const actions = {
      pause: () => this.play(!stage.isPlaying),
      restart: () => stage.restart(),
      mirror: () => this.#mirror(),
      swap: () => this.#swap(),
      record: () => this.#record(),
      fullscreen: () => toggleFullscreen(),
      help: () => toggleHelp(),
    };
    for (const [name, action] of Object.entries(actions)) find(name).onclick = action;
    find("mirror").ariaPressed = stage.look.mirror;
    find("fullscreen").hidden = !document.fullscreenEnabled;
    find("record").ariaDisabled = !findKind(stage.canvas);
  }

  #connectSliders() {
    const {stage} = this;
    connectSlider("tempo", stage.tempo, (value) => (stage.tempo = value), (value) => `${value.toFixed(2)}×`);
    const {model} = stage.dance;
    connectSlider("temperature", model.temperature, (value) => (model.temperature = value), (value) => value.toFixed(1));
  }

  #connectColours() {
    for (const name of ["ink", "ground"]) {
      find(name).oninput = () => this.stage.changeLook({[name]: find(name).value});
    }
    this.#showColours();
  }

  #showColours() {
    const {ink, ground} = this.stage.look;
    find("ink").value = ink;
    find("ground").value = ground ?? "#ffffff";
    document.body.style.background = ground ?? "none";
  }

  #mirror() {
    const mirror = !this.stage.look.mirror;
    this.stage.changeLook({mirror});
    find("mirror").ariaPressed = mirror;
  }

  #swap() {
    const {ink, ground} = this.stage.look;
    if (ground) this.stage.changeLook({ink: ground, ground: ink});
    this.#showColours();
  }

  #record() {
    const {canvas} = this.stage;
    const kind = findKind(canvas);
    if (!kind) return this.tell("This browser cannot record: use a current Chrome, Edge or Firefox.");
    if (this.#stopRecording) this.#stopRecording();
    this.#stopRecording = this.#stopRecording ? null : record(canvas, kind);
    const isRecording = Boolean(this.#stopRecording);
    find("record").ariaPressed = isRecording;
    this.tell(isRecording ? "Recording. R ends it and saves the file." : "Saved where this browser puts downloads.");
  }

  /** A key does what its button does; sliders, lists and buttons that are in focus keep their own keys. */
  #takeKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || (find("sheet").open && event.key !== "?")) return;
    const key = KEY_NAMES[event.key] ?? (event.key.length === 1 ? event.key.toLowerCase() : event.key);
    const control = document.querySelector(`[aria-keyshortcuts~="${CSS.escape(key)}"]`);
    if (!control || isKeptBy(event.target, key)) return;
    event.preventDefault();
    if (control.type === "range") step(control, key);
    else control.click();
  }

  /** Show the controls, and hide them when nobody needs them. */
  #wake() {
    clearTimeout(this.#hiding);
    document.body.classList.remove("idle");
    this.#hiding = setTimeout(() => this.#hide(), HIDDEN_AFTER);
  }

  #hide() {
    const isUsed = find("controls").matches(":hover, :has(:focus-visible)");
    if (isUsed || !this.stage.isPlaying || find("sheet").open) return this.#wake();
    document.body.classList.add("idle");
  }
}

function find(name) {
  return document.getElementById(name);
}

function connectSlider(name, value, change, format) {
  const slider = find(name);
  slider.oninput = () => {
    change(slider.valueAsNumber);
    find(`${name}-shown`).value = format(slider.valueAsNumber);
  };
  slider.value = value;
  slider.oninput();
}

function step(slider, key) {
  if (key === "ArrowUp" || key === "ArrowRight") slider.stepUp();
  else slider.stepDown();
  slider.oninput();
}

function isKeptBy(element, key) {
  if (key === "Space") return element.matches("button, input");
  return key.startsWith("Arrow") && element.matches("input[type=range]");
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
}

function toggleHelp() {
  if (find("sheet").open) find("sheet").close();
  else find("sheet").showModal();
}
