// Plays a camera's own video as it comes: fragments over a WebSocket into the browser's decoder.
// Where that cannot be (no Media Source, no WebSocket, an unknown codec), still pictures are shown.

import { base, byId, cameraId, linksTo, say, takeTicket } from "./texts.js";

const WANTED_BEHIND_S = 0.15; // what the decoder needs before it shows a picture without stopping
const CATCH_UP_S = 0.3; // above it faster, the more so the further behind
const JUMP_S = 1.2; // above it there is nothing to watch out for: to the newest picture
const LIVE_S = 2; // a delay that nobody would call live is called by its name
const SILENT_MS = 4000;
const KEEP_S = 10; // of what was shown; the rest is memory
const WAITING_MAX = 200; // pieces that wait for the decoder: the tab slept, begin anew
const RETRY_MS = [500, 1000, 2000, 5000];
const TRIES_BEFORE_PICTURES = 2; // a proxy that takes no WebSocket refuses every time
const NTP_EPOCH_S = 2208988800;

const Source = window.ManagedMediaSource ?? window.MediaSource;
const ticket = takeTicket();
const video = byId("video");
const pictures = byId("pictures");

let player = null;
let socket = null;
let tries = 0;
let wanted = "video";
let attention = false; // still pictures also show what was looked at, and why
let clockOffsetMs = 0;
let lastPieceAt = 0;
let retryTimer = 0;
let shownDelayMs = null;

/** One run of the decoder, from one init segment to the next. */
class Player {
  constructor(mime, init) {
    this.waiting = [init];
    this.moments = []; // [media time in s, UTC ms when the camera's picture came to the node]
    this.media = new Source();
    this.address = URL.createObjectURL(this.media);
    this.media.addEventListener("sourceopen", () => this.open(mime), { once: true });
    video.src = this.address;
    video.play().catch(() => {}); // autoplay is refused in some browsers until a key is pressed
  }

  open(mime) {
    URL.revokeObjectURL(this.address);
    this.buffer = this.media.addSourceBuffer(mime);
    this.buffer.addEventListener("updateend", () => this.next());
    this.buffer.addEventListener("error", () => leave("restart"));
    this.next();
  }

  take(piece) {
    const moment = momentOf(piece);
    if (moment) this.moments.push(moment);
    if (this.moments.length > 600) this.moments.splice(0, 300);
    this.waiting.push(piece);
    if (this.waiting.length > WAITING_MAX) return leave("restart");
    this.next();
  }

  next() {
    if (!this.buffer || this.buffer.updating || this.media.readyState !== "open") return;
    this.follow();
    const { buffered } = this.buffer;
    if (buffered.length && video.currentTime - buffered.start(0) > 3 * KEEP_S) {
      this.buffer.remove(0, video.currentTime - KEEP_S);
      return;
    }
    const piece = this.waiting.shift();
    if (!piece) return;
    try {
      this.buffer.appendBuffer(piece);
    } catch {
      leave("restart");
    }
  }

  follow() {
    const { buffered } = this.buffer;
    if (!buffered.length) return;
    const last = buffered.length - 1;
    const behind = buffered.end(last) - video.currentTime;
    if (behind > JUMP_S || video.currentTime < buffered.start(last)) {
      video.currentTime = Math.max(buffered.end(last) - WANTED_BEHIND_S, buffered.start(last));
    } else {
      const faster = 1 + Math.min((behind - WANTED_BEHIND_S) / 2, 0.5);
      video.playbackRate = behind > CATCH_UP_S ? faster : behind < WANTED_BEHIND_S / 2 ? 0.97 : 1;
    }
    if (video.paused) video.play().catch(() => {});
  }

  /** How old the picture that is shown at this media time is, in ms; null: not known yet. */
  delayMs(at) {
    const moment = this.moments.findLast(([time]) => time <= at + 0.001);
    if (!moment || video.readyState < 2) return null;
    return Date.now() - clockOffsetMs - moment[1];
  }

  end() {
    video.removeAttribute("src");
    video.load();
  }
}

/** Media time and arrival that a fragment's `prft` box tells. */
function momentOf(piece) {
  const view = new DataView(piece);
  if (piece.byteLength < 32 || view.getUint32(4) !== 0x70726674) return null;
  const utcMs = (view.getUint32(16) - NTP_EPOCH_S + view.getUint32(20) / 2 ** 32) * 1000;
  return [Number(view.getBigUint64(24)) / 90000, utcMs];
}

function show(mode, text = "") {
  document.body.dataset.mode = mode;
  byId("state").textContent = say(mode);
  byId("message").textContent = text;
  byId("message").hidden = !text;
}

function connect() {
  clearTimeout(retryTimer);
  if (wanted !== "video") return;
  if (!Source || !("WebSocket" in window)) return showPictures();
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const mine = new WebSocket(
    `${scheme}://${location.host}${base}/live?ticket=${encodeURIComponent(ticket)}`,
  );
  socket = mine;
  mine.binaryType = "arraybuffer";
  mine.addEventListener("message", (event) => {
    if (socket !== mine) return;
    if (typeof event.data === "string") take(JSON.parse(event.data));
    else takePiece(event.data);
  });
  mine.addEventListener("close", (event) => {
    if (socket === mine) closed(event.code);
  });
}

let pendingMime = null;

function take(word) {
  if (word.kind === "hello") {
    clockOffsetMs = Date.now() - word.utc_ms;
    tries = 0;
    lastPieceAt = performance.now();
  } else if (word.kind === "init") {
    if (!Source.isTypeSupported(word.mime)) return showPictures(say("no_codec", { codec: word.mime.split('"')[1] }));
    pendingMime = word.mime;
  } else if (word.kind === "unsupported") {
    showPictures(say("no_codec", { codec: word.codec }));
  }
}

function takePiece(data) {
  lastPieceAt = performance.now();
  if (pendingMime) {
    player?.end();
    player = new Player(pendingMime, data);
    pendingMime = null;
  } else {
    player?.take(data);
  }
}

/** Give this connection up; a new one begins at a key frame. */
function leave(why) {
  const old = socket;
  socket = null;
  old?.close();
  player?.end();
  player = null;
  if (why === "restart") retry();
}

function retry() {
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
}

function closed(code) {
  leave("closed");
  if (code === 4401 || code === 4403) return show("closed", say("expired"));
  if (code === 4404) return show("closed", say("no_camera"));
  if (tries >= TRIES_BEFORE_PICTURES && code === 1006 && !everOpened()) return showPictures();
  show("connecting", code === 1013 ? say("too_many") : "");
  retry();
}

const everOpened = () => lastPieceAt > 0;

function showPictures(text = "") {
  wanted = "pictures";
  leave("pictures");
  video.hidden = true;
  pictures.hidden = false;
  pictures.alt = say("picture_of", { camera: cameraId });
  const drawn = attention ? "&boxes=true&attention=true" : "";
  pictures.src = `${base}/live.mjpg?ticket=${encodeURIComponent(ticket)}${drawn}`;
  byId("attention").hidden = false;
  byId("attention").setAttribute("aria-pressed", String(attention));
  byId("attention").textContent = say(attention ? "attention_off" : "attention_on");
  show("pictures", text);
  byId("delay").textContent = "";
  byId("switch").textContent = say("to_video");
}

function showVideo() {
  wanted = "video";
  tries = 0;
  pictures.removeAttribute("src");
  pictures.hidden = true;
  byId("attention").hidden = true;
  video.hidden = false;
  show("connecting");
  byId("switch").textContent = say("to_pictures");
  connect();
}

/** Measure at each picture that is really shown, where the browser tells. */
function measure() {
  if (!video.requestVideoFrameCallback) return;
  video.requestVideoFrameCallback((_, shown) => {
    shownDelayMs = player?.delayMs(shown.mediaTime) ?? null;
    measure();
  });
}

function refresh() {
  if (wanted !== "video" || !socket || socket.readyState !== WebSocket.OPEN) return;
  if (performance.now() - lastPieceAt > SILENT_MS) {
    byId("delay").textContent = "";
    return show("silent");
  }
  const delayMs = shownDelayMs ?? player?.delayMs(video.currentTime) ?? null;
  if (delayMs === null) return;
  document.body.dataset.delayMs = String(Math.round(delayMs));
  byId("delay").textContent = say("delay", { s: Math.max(delayMs / 1000, 0).toFixed(1) });
  show(delayMs / 1000 > LIVE_S ? "behind" : "live");
}

byId("links").replaceChildren(...linksTo(["/zones", "zones_page"], ["/recordings", "recordings_page"]));
byId("camera").textContent = cameraId;
document.title = `${cameraId} · Zero Entry`;
byId("full").textContent = say("full");
byId("full").addEventListener("click", () => byId("stage").requestFullscreen?.());
byId("switch").addEventListener("click", () => (wanted === "video" ? showPictures() : showVideo()));
byId("attention").addEventListener("click", () => {
  attention = !attention;
  showPictures();
});
pictures.addEventListener("error", () => {
  if (wanted === "pictures") show("closed", say("expired"));
});
measure();
setInterval(refresh, 250);
const asked = new URLSearchParams(location.search);
attention = asked.get("attention") === "1";
if (asked.get("show") === "pictures" || attention) showPictures();
else showVideo();
