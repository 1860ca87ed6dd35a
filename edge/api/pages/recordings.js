// Lists what a camera recorded, gaps told in words, and plays it; or plays the clip of one alert.

import { base, byId, cameraId, linksTo, say, takeTicket } from "./texts.js";

const DAY_MS = 86400000;
const CLIP_MAX_MS = 600000;
const CLIP_MIN_MS = 1000;
const PAGE = 60;

const ticket = takeTicket();
const query = new URLSearchParams(location.search);
const video = byId("video");
const list = byId("list");

let asked = null;
let next = null;
let counted = { n: 0, g: 0 };
let clipStart = null;
let waitTimer = 0;

const pad = (value) => String(value).padStart(2, "0");

/** A moment as people write it in a file: the same in every language, and never ambiguous. */
const timeOf = (utcMs) => localText(utcMs).replace("T", " ");

function durationOf(ms) {
  const seconds = Math.round(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map(pad).join(":");
}

/** An address of the node's API, with the page's ticket. */
function address(path, values = {}) {
  const search = new URLSearchParams({ ...values, ticket });
  return `${path}?${search}`;
}

function complain(text) {
  byId("message").textContent = text;
  byId("message").hidden = !text;
}

/** The answer as JSON; null once the reason of a refusal is on the page. */
async function ask(path, values) {
  let answer;
  try {
    answer = await fetch(address(path, values), { cache: "no-store" });
  } catch {
    complain(say("status.0"));
    return null;
  }
  if (answer.ok) return answer.json();
  if (answer.status === 425) return { early: Number(answer.headers.get("Retry-After") ?? 5) };
  const problem = await answer.json().catch(() => ({ detail: "" }));
  const known = say(`status.${answer.status}`);
  complain(`${known.startsWith("status.") ? say("status.0") : known} (${problem.detail})`);
  return null;
}

function element(kind, fields, ...children) {
  const made = Object.assign(document.createElement(kind), fields);
  made.append(...children);
  return made;
}

function reasonOf(gap) {
  return say(`gaps.${gap.reason}`);
}

function gapRow(gap) {
  const values = {
    from: timeOf(gap.start_utc_ms),
    to: timeOf(gap.start_utc_ms + gap.duration_ms),
    duration: durationOf(gap.duration_ms),
    reason: reasonOf(gap),
  };
  const lasting = !gap.ended && gap.start_utc_ms + gap.duration_ms >= asked.to - 90000;
  return element("li", { className: "gap", textContent: say(lasting ? "gap_lasting" : "gap", values) });
}

function segmentRow(segment) {
  const time = timeOf(segment.start_utc_ms);
  if (segment.deleted) {
    const reason = say(`reasons.${segment.deleted}`);
    return element("li", { className: "gone", textContent: say("deleted", { time, reason }) });
  }
  const duration = durationOf(segment.duration_ms);
  return playable(segment.number, time, duration, segment.media.video, () =>
    playInterval(segment.start_utc_ms, segment.start_utc_ms + segment.duration_ms),
  );
}

function openRow(open) {
  return playable(open.number, timeOf(open.start_utc_ms), say("growing"), true, () =>
    playInterval(open.start_utc_ms, null),
  );
}

function playable(number, time, duration, seen, play) {
  const button = element(
    "button",
    { type: "button", ariaLabel: say("play", { time, duration }) },
    element("span", { textContent: time }),
    element("small", { textContent: duration }),
  );
  if (seen) {
    const source = address(`${base}/recordings/${number}/thumbnail.jpg`);
    button.prepend(element("img", { src: source, alt: "", loading: "lazy" }));
  }
  button.addEventListener("click", () => {
    for (const other of list.querySelectorAll("[aria-current]")) other.ariaCurrent = null;
    button.ariaCurrent = "true";
    play();
  });
  return element("li", {}, button);
}

async function load(after) {
  complain("");
  const values = { from: asked.from, to: asked.to, limit: PAGE, ...(after ? { after } : {}) };
  const page = await ask(`${base}/recordings`, values);
  if (!page) return;
  const rows = [
    ...page.segments.map((segment) => [segment.start_utc_ms, segmentRow(segment)]),
    ...page.gaps.map((gap) => [gap.start_utc_ms, gapRow(gap)]),
    ...(page.open ? [[page.open.start_utc_ms, openRow(page.open)]] : []),
  ];
  rows.sort((one, other) => one[0] - other[0]);
  list.append(...rows.map(([, row]) => row));
  counted.n += page.segments.length + (page.open ? 1 : 0);
  counted.g += page.gaps.length;
  byId("state").textContent = counted.n + counted.g ? say("count", counted) : say("none");
  next = page.next;
  byId("more").hidden = next === null;
}

function playInterval(from, to) {
  const end = to === null ? null : Math.min(Math.max(to, from + CLIP_MIN_MS), from + CLIP_MAX_MS);
  return play(`${base}/clip`, end === null ? { from } : { from, to: end });
}

async function play(path, values) {
  clearTimeout(waitTimer);
  complain(say("making"));
  byId("take").hidden = true;
  const info = await ask(`${path}.json`, values);
  if (!info) return;
  if (info.early !== undefined) return wait(path, values, info.early);
  complain("");
  clipStart = info.start_utc_ms;
  byId("facts").replaceChildren(...factsOf(info).map((textContent) => element("li", { textContent })));
  byId("player").hidden = false;
  video.src = fixedAddress(path, values, info);
  begin();
  tick();
}

/** Play; without its sound where a browser wants a click before it lets sound be heard. */
function begin() {
  video.play().catch(() => {
    video.muted = true;
    video.play().catch(() => {});
  });
}

/** Where to fetch a clip whose end stays: "until now" is another clip at each range of it. */
function fixedAddress(path, values, info) {
  const open = values.now || (path === `${base}/clip` && values.to === undefined);
  if (!open) return address(`${path}.mp4`, values);
  return address(`${base}/clip.mp4`, { from: info.asked_from_utc_ms, to: info.asked_to_utc_ms });
}

function wait(path, values, seconds) {
  complain(say("too_early", { n: seconds }));
  byId("take").hidden = false;
  byId("take").onclick = () => play(path, { ...values, now: "true" });
  waitTimer = setTimeout(() => play(path, values), Math.min(seconds, 5) * 1000);
}

function factsOf(info) {
  const facts = [
    say(info.start_error_ms ? "starts_about" : "starts", { time: timeOf(info.start_utc_ms) }),
  ];
  for (const gap of info.gaps) {
    const from = timeOf(gap.start_utc_ms);
    const to = timeOf(gap.start_utc_ms + gap.duration_ms);
    facts.push(say("gap_inside", { from, to, reason: reasonOf(gap) }));
  }
  if (info.missing.length) facts.push(say("missing", { n: info.missing.length }));
  if (info.changed_at_utc_ms) facts.push(say("changed", { time: timeOf(info.changed_at_utc_ms) }));
  if (info.sound_left_out) facts.push(say("sound_left_out", { codec: info.sound_left_out }));
  return facts;
}

function tick() {
  if (clipStart === null) return;
  byId("clock").textContent = timeOf(clipStart + video.currentTime * 1000);
}

/** A moment as `<input type="datetime-local">` takes it. */
function localText(ms) {
  const at = new Date(ms);
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return `${day}T${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

function showInterval() {
  asked = { from: Date.parse(byId("from").value), to: Date.parse(byId("to").value) };
  counted = { n: 0, g: 0 };
  list.replaceChildren();
  return load(null);
}

/** Milliseconds of a value in the page's address: a number, or a time with its zone. */
function given(name) {
  const text = query.get(name);
  if (!text) return null;
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

byId("links").replaceChildren(...linksTo(["", "live_page"], ["/zones", "zones_page"]));
byId("camera").textContent = say("recordings", { camera: cameraId });
document.title = `${say("recordings", { camera: cameraId })} · Zero Entry`;
byId("from-label").textContent = say("from");
byId("to-label").textContent = say("to");
byId("show").textContent = say("show");
byId("more").textContent = say("more");
byId("take").textContent = say("take");
byId("zone").textContent = say("zone", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone });
byId("interval").addEventListener("submit", (event) => {
  event.preventDefault();
  showInterval();
});
byId("more").addEventListener("click", () => load(next));
video.addEventListener("timeupdate", tick);
video.addEventListener("error", () => video.getAttribute("src") && complain(say("damaged")));

const end = given("to") ?? Date.now();
byId("to").value = localText(end + 999);
byId("from").value = localText(given("from") ?? end - DAY_MS);
const alertId = query.get("alert");
if (alertId) {
  const camera = query.get("choose") ? { camera: cameraId } : {};
  play(`/api/v1/alerts/${encodeURIComponent(alertId)}/clip`, camera);
}
showInterval();
