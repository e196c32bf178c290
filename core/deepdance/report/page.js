"use strict";
// One clock: the longest dance's, which alone is heard. Other dances are set to it; the sources are drawn for it, frame
// by frame.
const STEP = 0.1; // seconds
const DRIFT = 0.1; // seconds that nobody sees
const videos = [...document.querySelectorAll("[data-video]")];
const canvases = [...document.querySelectorAll("canvas")];
const paths = [...document.querySelectorAll("polyline.dance")];
const [play, scrub, time] = ["play", "scrub", "time"].map((id) => document.getElementById(id));
let clock = videos[0];

const duration = (video) => (Number.isFinite(video.duration) && video.duration > 0 ? video.duration : 1);

function drawSprite(canvas, seconds) {
  const { count, columns, fps } = canvas.dataset;
  const frame = Math.floor(seconds * fps + 1e-6) % count;
  const [x, y] = [(frame % columns) * canvas.width, Math.floor(frame / columns) * canvas.height];
  const size = [canvas.width, canvas.height];
  canvas.getContext("2d").drawImage(canvas.nextElementSibling, x, y, ...size, 0, 0, ...size);
}

function moveMark(path, number, seconds) {
  const length = duration(videos[number]);
  const last = path.points.numberOfItems - 1;
  const { x, y } = path.points.getItem(Math.round(Math.min((seconds % length) / length, 1) * last));
  path.nowMark.setAttribute("cx", x);
  path.nowMark.setAttribute("cy", y);
}

function addMark(path) {
  path.nowMark = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  path.nowMark.setAttribute("class", "now");
  path.nowMark.setAttribute("r", 6);
  path.parentNode.append(path.nowMark);
}

function follow(video, seconds) {
  const wanted = seconds % duration(video);
  if (Math.abs(video.currentTime - wanted) > DRIFT) video.currentTime = wanted;
}

function show() {
  const seconds = clock.currentTime;
  videos.filter((video) => video !== clock).forEach((video) => follow(video, seconds));
  canvases.forEach((canvas) => drawSprite(canvas, seconds));
  paths.forEach((path, number) => moveMark(path, number, seconds));
  scrub.value = Math.round((seconds / duration(clock)) * scrub.max);
  scrub.setAttribute("aria-valuetext", `${seconds.toFixed(1)} seconds`);
  time.textContent = `${seconds.toFixed(1)} / ${duration(clock).toFixed(1)} s`;
}

function run() {
  show();
  if (!clock.paused) requestAnimationFrame(run);
}

function toggle() {
  videos.forEach((video) => (clock.paused ? video.play() : video.pause()));
}

function seek(seconds) {
  clock.currentTime = (seconds + duration(clock)) % duration(clock);
}

function press(event) {
  const taken = event.target.closest("button, input, summary, .scroll, pre");
  if (taken || event.ctrlKey || event.metaKey || event.altKey) return;
  const actions = { " ": toggle, ArrowRight: () => seek(clock.currentTime + STEP), ArrowLeft: () => seek(clock.currentTime - STEP), Home: () => seek(0) };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
}

function label() {
  play.textContent = clock.paused ? "Play" : "Pause";
  play.setAttribute("aria-label", play.textContent);
  if (!clock.paused) run();
}

function begin() {
  clock = videos.reduce((longest, video) => (duration(video) > duration(longest) ? video : longest));
  for (const kind of ["play", "pause"]) clock.addEventListener(kind, label);
  for (const kind of ["seeked", "timeupdate"]) clock.addEventListener(kind, show);
  videos.forEach((video) => { video.controls = false; video.muted = video !== clock; video.addEventListener("click", toggle); });
  play.addEventListener("click", toggle);
  scrub.addEventListener("input", () => seek((scrub.value / scrub.max) * duration(clock) * 0.9999));
  document.addEventListener("keydown", press);
  document.getElementById("controls").hidden = false;
  show();
}

const isKnown = (video) => video.readyState > 0 || video.error;
const wait = (video) => isKnown(video) || new Promise((done) => ["loadedmetadata", "error"].forEach((kind) => video.addEventListener(kind, done)));
paths.forEach(addMark);
Promise.all([...videos.map(wait), ...[...document.querySelectorAll(".sprite")].map((image) => image.decode())]).then(begin);
