const KINDS = {
  "video/webm;codecs=vp9": "webm",
  "video/webm": "webm",
  "video/mp4": "mp4",
};
const BITS_PER_SECOND = 12_000_000;

/** @returns {string | undefined} the first kind of video that this browser can make of a canvas */
export function findKind(canvas) {
  if (!canvas.captureStream || !globalThis.MediaRecorder) return undefined;
  return Object.keys(KINDS).find((kind) => MediaRecorder.isTypeSupported(kind));
}

/** Record a canvas. @returns {() => void} what ends the recording and saves it as a file, `dance` and its ending */
export function record(canvas, kind) {
  const parts = [];
  const recorder = new MediaRecorder(canvas.captureStream(), {mimeType: kind, videoBitsPerSecond: BITS_PER_SECOND});
  recorder.ondataavailable = ({data}) => parts.push(data);
  recorder.onstop = () => save(new Blob(parts, {type: kind}), `dance.${KINDS[kind]}`);
  recorder.start();
  return () => recorder.stop();
}

function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
