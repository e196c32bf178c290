import {unpack} from "./arrays.js";
import {Controls} from "./controls.js";
import {Dance} from "./dance.js";
import {Decoder} from "./decoder.js";
import {MotionField} from "./motion_field.js";
import {Stage} from "./stage.js";

const TOLD_FOR = 4000; // milliseconds
const told = document.getElementById("told");
let forgetting = 0;

addEventListener("error", ({error, message}) => fail(error?.message ?? message));
addEventListener("unhandledrejection", ({reason}) => fail(reason.message));
await begin();

async function begin() {
  if (!globalThis.DecompressionStream) throw new Error("this browser is too old; use one of the last years");
  const {meta, arrays} = await readDance();
  const settings = readSettings(new URLSearchParams(`${location.search.slice(1)}&${location.hash.slice(1)}`));
  document.body.classList.toggle("transparent", settings.ground === null);
  const stage = makeStage(meta, arrays, settings);
  const controls = new Controls(stage, tell);
  showNote(meta.note);
  stage.run();
  stage.figures.readyMs = performance.now();
  globalThis.deepdance = stage;
  tell(settings.wrong);
  keepAwake(stage);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    controls.play(false);
    tell("Paused, for your system asks for less motion. Space or the first button plays.", true);
  }
}

/** The dance of this page, which may have lost its end on the way here: its script stands before it. */
async function readDance() {
  try {
    const meta = JSON.parse(document.getElementById("meta").textContent);
    return {meta, arrays: await unpack(document.getElementById("data").textContent, meta)};
  } catch {
    throw new Error("this file is not whole; copy or export it once more");
  }
}

/** What the address asks for; `wrong` tells what of it cannot be. */
function readSettings(given) {
  const settings = {ink: "#000000", ground: "#ffffff", mirror: given.get("mirror") === "1", wrong: ""};
  for (const name of ["ink", "ground"]) {
    if (!given.has(name)) continue;
    if (CSS.supports("color", given.get(name))) settings[name] = writeHex(given.get(name));
    else settings.wrong = `${name}: expected a colour such as teal or %23204060, got ${given.get(name)}`;
  }
  for (const name of ["tempo", "temperature"]) {
    if (given.has(name)) settings[name] = Number(given.get(name)) || 0;
  }
  if (given.get("transparent") === "1") settings.ground = null;
  return settings;
}

/** A colour as the fields for colours want it. */
function writeHex(colour) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = colour;
  return context.fillStyle.slice(0, 7);
}

function makeStage(meta, arrays, {ink, ground, mirror, tempo = 1, temperature = meta.temperature}) {
  const model = new MotionField(arrays, meta);
  model.temperature = temperature;
  const dance = new Dance(new Decoder(arrays, meta), model, meta.fps);
  return Object.assign(new Stage(document.querySelector("canvas"), dance, meta, {ink, ground, mirror}), {tempo});
}

function showNote(note) {
  for (const place of ["note", "sheet-note"].map((name) => document.getElementById(name))) {
    place.textContent = note;
    place.hidden = !note;
  }
}

/** Show a sentence, for some seconds or, if it is to be lasting, until the next. */
function tell(text, isLasting = false) {
  clearTimeout(forgetting);
  told.textContent = text;
  told.classList.toggle("lasting", isLasting);
  if (!isLasting) forgetting = setTimeout(() => (told.textContent = ""), TOLD_FOR);
}

function fail(reason) {
  tell(`The dance cannot be shown: ${reason}.`, true);
  told.classList.add("failed");
}

/** The screen stays on while somebody watches, where the browser can do that. */
function keepAwake(stage) {
  const ask = () => stage.isPlaying && navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && ask());
  ask();
}
