// Lets somebody draw zones on a camera's live picture, and shows who would trigger them now.

import {
  addTexts, base, byId, cameraId, language, linksTo, say, speak, takeTicket,
} from "./texts.js";
import {
  CORNERS_MIN, History, clamped, holds, isLine, meets, middleOf, placed, rightOf, shifted, tooSmall,
} from "./zones_plane.js";
import { ZONES_EN, ZONES_ZH } from "./zones_texts.js";

const POLL_MS = 350; // two pictures at 5 fps
const RETRY_PICTURE_MS = 3000;
const FLASH_MS = 4000; // a crossing is over before anybody could read of it
const STEP = 0.01;
const FINE_STEP = 0.002;
const CLOSE_PX = 14; // a click so near to the first corner closes the polygon
const SAME_PX = 4; // a double click is one point
const ID = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

addTexts(ZONES_EN, ZONES_ZH);
const ticket = takeTicket();
const stage = byId("stage");
const plane = byId("plane");
const picture = byId("picture");
const list = byId("list");
const form = byId("form");

let info = null; // what the node said of the camera
let etag = "";
const history_ = new History([]);
let work = []; // the zones as they stand in the editor
let selected = -1;
let draft = null; // { kind, points, cursor } while drawing
let drag = null;
let problems = new Map(); // index of a zone -> [{ field, text }]
let told = { key: "", values: {} }; // what the message box says
let seen = null; // who is where, as the node said last
const feet = new Map(); // track -> where it stood at the last look
const flashes = new Map(); // index of a line -> { key, until }
let size = [1600, 900];
let formKey = "";

const aspect = () => size[0] / size[1];
const unit = () => size[0] / Math.max(stage.clientWidth, 1); // picture units in a pixel of the page
const at = ([x, y]) => [x * size[0], y * size[1]];
const nameOf = (zone) => (language === "en" ? zone.name.en : zone.name.zh) || zone.id;
const kindOf = (kind) => info?.kinds.find((one) => one.kind === kind);
const address = (path) => `${base}${path}?ticket=${encodeURIComponent(ticket)}`;

function element(kind, fields = {}, ...children) {
  const made = Object.assign(document.createElement(kind), fields);
  made.append(...children);
  return made;
}

function shape(kind, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// ---- what the node says and is told ----------------------------------------------------------

function tell(key, values = {}) {
  told = { key, values };
  renderMessage();
}

async function load() {
  const answer = await ask("GET");
  if (!answer?.ok) return refuse(answer);
  await take(answer);
  document.body.dataset.mode = "live";
}

async function ask(method, headers = {}, body = undefined) {
  try {
    return await fetch(address("/zones"), { method, headers, body, cache: "no-store" });
  } catch {
    return null;
  }
}

async function take(answer) {
  info = await answer.json();
  etag = answer.headers.get("ETag");
  work = info.zones;
  history_.reset(work);
  selected = Math.min(selected, work.length - 1);
  problems = new Map();
  draft = null;
  byId("conflict").hidden = true;
  byId("second").hidden = true;
  byId("second-token").value = "";
  tell("");
  render();
}

async function refuse(answer) {
  const problem = answer ? await answer.json().catch(() => ({})) : {};
  const status = answer?.status ?? 0;
  if (status === 412) {
    byId("conflict").hidden = false;
    byId("conflict").dataset.etag = answer.headers.get("ETag") ?? "";
    return tell("conflict");
  }
  if (status === 409) {
    byId("second").hidden = false;
    return tell("frozen");
  }
  if (status === 422) {
    mark(problem.errors ?? []);
    return tell("invalid");
  }
  const known = say(`failed.${status}`);
  tell(known.startsWith("failed.") ? "failed.0" : `failed.${status}`, { detail: problem.detail });
  if (!info) document.body.dataset.mode = "closed";
  render();
}

/** Put the node's own words at the zones they are about: `zones.2 (door-1).points: ...`. */
function mark(errors) {
  problems = new Map();
  for (const error of errors) {
    const [, index, field, text] = error.match(/^zones\.(\d+)[^.:]*\.?([\w.]*):?\s*(.*)$/) ?? [];
    const row = index === undefined ? Math.max(selected, 0) : Number(index);
    const rows = problems.get(row) ?? [];
    problems.set(row, [...rows, { field: field?.split(".")[0] ?? "", text: text || error }]);
  }
  render();
}

async function save(mark_ = etag) {
  problems = faults();
  if (problems.size) {
    selected = [...problems.keys()][0];
    tell("invalid");
    return render();
  }
  const second = byId("second-token").value;
  const headers = { "If-Match": mark_, "Content-Type": "application/json" };
  if (second) headers["X-Second-Token"] = second;
  const answer = await ask("PUT", headers, JSON.stringify({ zones: work }));
  if (!answer?.ok) return refuse(answer);
  await take(answer);
  tell("saved");
}

async function toDeclared() {
  if (!confirm(say("declared_sure"))) return;
  const second = byId("second-token").value;
  const answer = await ask("DELETE", {
    "If-Match": etag,
    ...(second ? { "X-Second-Token": second } : {}),
  });
  if (!answer?.ok) return refuse(answer);
  await take(answer);
}

function faults() {
  const found = new Map();
  const put = (index, field, key) =>
    found.set(index, [...(found.get(index) ?? []), { field, text: say(`wrong.${key}`) }]);
  work.forEach((zone, index) => {
    const names = [zone.name.zh, zone.name.en];
    if (names.some((name) => !name || name.length > 60)) put(index, "name", "name");
    if (!ID.test(zone.id)) put(index, "id", "id");
    else if (work.some((other, j) => j < index && other.id === zone.id)) put(index, "id", "twice");
    if (zone.kind === "seat" && !(zone.seat && zone.seat.length <= 16)) put(index, "seat", "seat");
    if (zone.kind === "door" && !zone.leads_to) put(index, "leads_to", "leads_to");
    if (tooSmall(zone.kind, zone.points)) put(index, "points", "small");
    if (isLine(zone.kind) && String(zone.points[0]) === String(zone.points[1])) {
      put(index, "points", "short");
    }
  });
  return found;
}

// ---- changes ---------------------------------------------------------------------------------

function commit() {
  history_.put(work);
  work = history_.value;
  problems = new Map([...problems].filter(([index]) => faults().has(index)));
  if (told.key === "saved") tell("");
  render();
}

function travel(step) {
  step();
  work = history_.value;
  selected = Math.min(selected, work.length - 1);
  problems = new Map();
  render();
}

function begin(kind) {
  selected = -1;
  draft = { kind, points: [], cursor: [0.5, 0.5] };
  render();
  plane.focus({ preventScroll: true });
}

function addPoint(point) {
  const [x, y] = at(point);
  const near = (other, px) => {
    const [x2, y2] = at(other);
    return Math.hypot(x - x2, y - y2) < px * unit();
  };
  const last = draft.points.at(-1);
  if (!isLine(draft.kind) && draft.points.length >= CORNERS_MIN && near(draft.points[0], CLOSE_PX)) {
    return finish();
  }
  if (last && near(last, SAME_PX)) return;
  if (draft.points.length < info.points_max) draft.points.push(placed(point));
  if (isLine(draft.kind) && draft.points.length === 2) return finish();
  renderPlane();
}

function finish() {
  const { kind, points } = draft;
  if (points.length < (isLine(kind) ? 2 : CORNERS_MIN)) return;
  draft = null;
  let number = 1;
  while (work.some((zone) => zone.id === `${kind}-${number}`)) number += 1;
  const name = { zh: `${ZONES_ZH.kinds[kind]} ${number}`, en: `${ZONES_EN.kinds[kind]} ${number}` };
  work.push({
    id: `${kind}-${number}`, name, kind, points,
    seat: kind === "seat" ? String(number) : null, leads_to: null, sealed_only: false,
  });
  selected = work.length - 1;
  commit();
}

function change(fields) {
  const zone = { ...work[selected], ...fields };
  if (fields.kind) {
    zone.seat = zone.kind === "seat" ? zone.seat ?? "1" : null;
    zone.leads_to = zone.kind === "door" ? zone.leads_to : null;
  }
  work[selected] = zone;
  commit();
}

function removeZone() {
  work.splice(selected, 1);
  selected = -1;
  problems = new Map();
  commit();
}

function removeCorner(index) {
  const { kind, points } = work[selected];
  if (isLine(kind) || points.length <= CORNERS_MIN) return;
  points.splice(index, 1);
  commit();
  focusOn(`corner ${Math.min(index, points.length - 1)}`);
}

function insertCorner(index) {
  const { points } = work[selected];
  if (points.length >= info.points_max) return;
  points.splice(index + 1, 0, clamped(middleOf([points[index], points[(index + 1) % points.length]])));
  commit();
  focusOn(`corner ${index + 1}`);
}

const focusOn = (key) => plane.querySelector(`[data-key="${key}"]`)?.focus({ preventScroll: true });

// ---- mouse, touch, keys on the picture ---------------------------------------------------------

function pointOf(event) {
  const box = plane.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

plane.addEventListener("pointerdown", (event) => {
  if (draft || event.button) return;
  const { key, zone } = event.target.dataset;
  if (zone !== undefined && Number(zone) !== selected) {
    selected = Number(zone);
    return render();
  }
  if (!key) {
    selected = -1;
    return render();
  }
  const [what, index] = key.split(" ");
  if (what === "between") insertCorner(Number(index));
  plane.setPointerCapture(event.pointerId);
  drag = {
    corner: what === "whole" ? null : Number(index) + (what === "between" ? 1 : 0),
    from: pointOf(event),
    points: work[selected].points,
  };
});

plane.addEventListener("pointermove", (event) => {
  const point = pointOf(event);
  if (draft) {
    draft.cursor = clamped(point);
    return renderPlane();
  }
  if (!drag) return;
  const zone = work[selected];
  if (drag.corner === null) {
    zone.points = shifted(drag.points, [point[0] - drag.from[0], point[1] - drag.from[1]]);
  } else {
    zone.points = zone.points.map((one, index) => (index === drag.corner ? placed(point) : one));
  }
  renderPlane();
});

for (const end of ["pointerup", "pointercancel"]) {
  plane.addEventListener(end, () => {
    if (!drag) return;
    drag = null;
    commit();
  });
}

plane.addEventListener("click", (event) => {
  if (draft) addPoint(pointOf(event));
});

plane.addEventListener("dblclick", (event) => {
  if (draft) return finish();
  const [what, index] = (event.target.dataset.key ?? "").split(" ");
  if (what === "corner") removeCorner(Number(index));
});

plane.addEventListener("keydown", (event) => {
  const step = event.shiftKey ? FINE_STEP : STEP;
  const arrow = ARROWS[event.key]?.map((one) => one * step);
  if (draft) {
    if (arrow) draft.cursor = clamped([draft.cursor[0] + arrow[0], draft.cursor[1] + arrow[1]]);
    else if (event.key === " ") addPoint(draft.cursor);
    else if (event.key === "Enter") finish();
    else if (event.key === "Backspace") draft.points.pop();
    else return;
    event.preventDefault();
    return renderPlane();
  }
  const [what, text] = (event.target.dataset.key ?? "").split(" ");
  if (!what) return;
  const index = Number(text);
  if (arrow && what === "whole") work[selected].points = shifted(work[selected].points, arrow);
  else if (arrow && what === "corner") {
    const [x, y] = work[selected].points[index];
    work[selected].points[index] = clamped([x + arrow[0], y + arrow[1]]);
  } else if (what === "corner" && (event.key === "Delete" || event.key === "Backspace")) {
    event.preventDefault();
    return removeCorner(index);
  } else if (what === "between" && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    return insertCorner(index);
  } else return;
  event.preventDefault();
  commit();
});

document.addEventListener("keydown", (event) => {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
  if (event.key === "Escape") {
    if (draft) draft = null;
    else if (!typing) selected = -1;
    return render();
  }
  if (!(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  if (key === "s") save();
  else if (typing) return;
  else if (key === "y" || (key === "z" && event.shiftKey)) travel(() => history_.redo());
  else if (key === "z") travel(() => history_.undo());
  else return;
  event.preventDefault();
});

// ---- the picture -----------------------------------------------------------------------------

function renderPlane() {
  const key = plane.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  plane.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  plane.setAttribute("aria-label", say("plane"));
  plane.classList.toggle("drawing", Boolean(draft));
  const order = [...work.keys()].sort((a, b) => (a === selected) - (b === selected));
  plane.replaceChildren(
    hatch(),
    ...order.map(zoneShape),
    shape("g", { id: "people" }),
    ...(selected >= 0 && !draft ? handles() : []),
    ...(draft ? draftShapes() : []),
  );
  renderPeople();
  if (key) focusOn(key);
}

function hatch() {
  const u = unit();
  const line = shape("path", { d: `M0 ${8 * u}L${8 * u} 0`, class: "hatch", "stroke-width": 1.5 * u });
  return shape("defs", {}, shape("pattern", {
    id: "hatch", width: 8 * u, height: 8 * u, patternUnits: "userSpaceOnUse",
  }, line));
}

const pathOf = (points) => points.map((point) => at(point).join(",")).join(" ");

function zoneShape(index) {
  const zone = work[index];
  const u = unit();
  const faulty = problems.has(index) ? " faulty" : "";
  const chosen = index === selected ? " chosen" : "";
  const group = shape("g", { class: `zone kind-${zone.kind}${chosen}${faulty}`, "data-index": index });
  const points = pathOf(zone.points);
  if (isLine(zone.kind)) {
    group.append(
      shape("polyline", { points, class: "wide", "stroke-width": 22 * u, "data-zone": index }),
      shape("polyline", { points, class: "stroke halo", "stroke-width": 6 * u }),
      shape("polyline", { points, class: "stroke", "stroke-width": 3 * u }),
      ...arrow(zone),
    );
  } else {
    group.append(
      shape("polygon", { points, class: "stroke halo", "stroke-width": 4.5 * u }),
      shape("polygon", { points, class: "fill stroke", "stroke-width": 2 * u, "data-zone": index }),
    );
  }
  const top = zone.points.reduce((best, point) => (point[1] < best[1] ? point : best));
  const [x, y] = at(isLine(zone.kind) ? top : [middleOf(zone.points)[0], top[1]]);
  const rises = y < 30 * u ? 24 * u : -12 * u; // above it, where no corner is in the way
  group.append(shape("text", {
    x: Math.min(Math.max(x, 6 * u), size[0] - 6 * u), y: y + rises, "font-size": 14 * u,
    class: "name", "text-anchor": x < size[0] * 0.12 ? "start" : x > size[0] * 0.88 ? "end" : "middle",
    "stroke-width": 4 * u,
  }, nameOf(zone)));
  return group;
}

/** The arrow of a line: to its right hand. */
function arrow(zone) {
  const u = unit();
  const [[ax, ay], [bx, by]] = zone.points.map(at);
  const length = Math.hypot(bx - ax, by - ay);
  if (!length) return [];
  const [rx, ry] = [-(by - ay) / length, (bx - ax) / length];
  const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
  const [tx, ty] = [mx + rx * 34 * u, my + ry * 34 * u];
  const wing = (side) => {
    const [wx, wy] = [tx - rx * 11 * u + side * ry * 8 * u, ty - ry * 11 * u - side * rx * 8 * u];
    return `L${wx} ${wy}L${tx} ${ty}`;
  };
  const d = `M${mx} ${my}L${tx} ${ty}${wing(1)}${wing(-1)}`;
  const label = zone.kind === "gate" ? say("inside") : say("allowed");
  return [
    shape("path", { d, class: "stroke halo", "stroke-width": 6 * u }),
    shape("path", { d, class: "stroke", "stroke-width": 3 * u }),
    shape("text", {
      x: tx + rx * 12 * u, y: ty + ry * 16 * u + 4 * u, "font-size": 12 * u, class: "name",
      "text-anchor": rx > 0.5 ? "start" : rx < -0.5 ? "end" : "middle", "stroke-width": 4 * u,
    }, label),
  ];
}

function handles() {
  const zone = work[selected];
  const u = unit();
  const { points } = zone;
  const made = [];
  const handle = (key, point, radius, name, label) => {
    const [cx, cy] = at(point);
    made.push(
      shape("circle", { cx, cy, r: radius * u, class: name, "stroke-width": 2 * u }),
      shape("circle", {
        cx, cy, r: 15 * u, class: "grip", "data-key": key, tabindex: 0, role: "button",
        "aria-label": label, "stroke-width": 3 * u,
      }),
    );
  };
  if (!isLine(zone.kind)) {
    points.forEach((point, index) => handle(
      `between ${index}`, middleOf([point, points[(index + 1) % points.length]]), 4, "between",
      say("between", { n: index + 1 }),
    ));
  }
  handle("whole 0", middleOf(points), 6, "whole", say("whole", { zone: nameOf(zone) }));
  points.forEach((point, index) => handle(`corner ${index}`, point, 7, "corner", say("corner", {
    n: index + 1, of: points.length, x: Math.round(point[0] * 100), y: Math.round(point[1] * 100),
  })));
  return made;
}

function draftShapes() {
  const u = unit();
  const [x, y] = at(draft.cursor);
  const arm = 14 * u;
  const all = [...draft.points, draft.cursor];
  const dots = draft.points.map((point) => {
    const [cx, cy] = at(point);
    return shape("circle", { cx, cy, r: 6 * u, class: "corner", "stroke-width": 2 * u });
  });
  return [
    shape("polyline", { points: pathOf(all), class: `draft kind-${draft.kind}`, "stroke-width": 2.5 * u }),
    ...dots,
    shape("path", {
      d: `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`, class: "cross", "stroke-width": 2 * u,
    }),
  ];
}

// ---- who is where now ------------------------------------------------------------------------

const pointIn = (zone, person) => (zone.kind === "seat" ? person.trunk : person.standing);
const within = (zone) => (seen?.people ?? []).filter((one) => holds(zone.points, pointIn(zone, one)));

function renderPeople() {
  const group = plane.querySelector("#people");
  if (!group) return;
  const u = unit();
  const hit = new Set();
  work.forEach((zone, index) => {
    const is = isLine(zone.kind) ? flashes.has(index) : within(zone).length > 0;
    plane.querySelector(`[data-index="${index}"]`)?.classList.toggle("hit", is);
    if (!isLine(zone.kind) && zone.kind !== "mask") within(zone).forEach((one) => hit.add(one.track));
  });
  group.replaceChildren(...(seen?.people ?? []).flatMap((person) => {
    const { x1, y1, x2, y2 } = person.box;
    const [x, y] = at([x1, y1]);
    const [width, height] = at([x2 - x1, y2 - y1]);
    const [cx, cy] = at(person.standing);
    const name = hit.has(person.track) ? "person hit" : "person";
    return [
      shape("rect", { x, y, width, height, rx: 4 * u, class: name, "stroke-width": 2 * u }),
      shape("circle", { cx, cy, r: 4 * u, class: `${name} dot` }),
    ];
  }));
}

function follow() {
  const now = performance.now();
  for (const person of seen?.people ?? []) {
    const before = feet.get(person.track);
    feet.set(person.track, person.standing);
    if (!before) continue;
    work.forEach((zone, index) => {
      if (!isLine(zone.kind) || !meets(zone.points, before, person.standing, aspect())) return;
      const right = rightOf(zone.points, person.standing, aspect()) >= 0;
      const keys = zone.kind === "gate" ? ["crossed_in", "crossed_out"] : ["crossed_right", "crossed_wrong"];
      flashes.set(index, { key: keys[right ? 0 : 1], until: now + FLASH_MS });
    });
  }
  const here = new Set((seen?.people ?? []).map((one) => one.track));
  for (const track of feet.keys()) if (!here.has(track)) feet.delete(track);
  for (const [index, { until }] of flashes) {
    if (until < now || index >= work.length) flashes.delete(index);
  }
}

const rulesOf = (kind) => {
  const rules = kindOf(kind)?.rules ?? [];
  const named = rules.map((rule) => {
    const title = language === "en" ? rule.title.en : rule.title.zh;
    return `${title} (${rule.code}, ${say(`modes.${rule.mode}`)})`;
  });
  return named.length ? say("serves", { rules: named.join(language === "en" ? "; " : "；") }) : say("no_rules");
};

function renderNow() {
  const rows = [];
  for (const alert of seen?.alerts ?? []) {
    const time = new Date(alert.since_utc_ms).toLocaleTimeString(language);
    const saw = alert.saw ? alert.saw[language === "en" ? "en" : "zh"] : alert.rule;
    rows.push(element("li", { className: "alert", textContent: say("alert_stands", { time, saw }) }));
  }
  work.forEach((zone, index) => {
    const flash = flashes.get(index);
    const n = isLine(zone.kind) || zone.kind === "mask" ? 0 : within(zone).length;
    if (!flash && !n) return;
    const values = { zone: nameOf(zone), n };
    rows.push(element("li", {}, element("strong", {
      textContent: say(flash ? flash.key : "inside_now", values),
    }), element("small", { textContent: rulesOf(zone.kind) })));
  });
  if (!rows.length) {
    const why = !seen?.frame_utc_ms ? "not_seen" : seen.people.length ? "nobody" : "nobody_seen";
    rows.push(element("li", { className: "quiet", textContent: say(why) }));
  }
  const text = rows.map((row) => row.textContent).join("\n");
  if (byId("now").dataset.said === text) return; // what is said again is not to be read aloud again
  byId("now").dataset.said = text;
  byId("now").replaceChildren(...rows);
}

async function watch() {
  try {
    const answer = document.hidden ? null : await fetch(address("/zones/people"), { cache: "no-store" });
    if (answer?.ok) {
      seen = await answer.json();
      follow();
      renderPeople();
      renderNow();
    }
  } catch {
    seen = null;
  }
  setTimeout(watch, POLL_MS);
}

// ---- tools, list, form -----------------------------------------------------------------------

function renderTools() {
  const chosen = byId("kind").value || "forbidden";
  byId("kind").replaceChildren(...(info?.kinds ?? []).map(({ kind }) =>
    element("option", { value: kind, textContent: say(`kinds.${kind}`), selected: kind === chosen })));
  byId("kind").disabled = Boolean(draft);
  byId("about").textContent = info ? `${say(`abouts.${chosen}`)} ${rulesOf(chosen)}` : "";
  byId("draw").textContent = say(draft ? "stop" : "draw");
  const full = info && work.length >= info.zones_max;
  byId("draw").disabled = !info || (full && !draft);
  byId("undo").disabled = !history_.past.length || Boolean(draft);
  byId("redo").disabled = !history_.future.length || Boolean(draft);
  byId("save").disabled = !history_.changed;
  byId("discard").disabled = !history_.changed;
  byId("declared").hidden = info?.source !== "drawn";
  byId("export").href = address("/zones.yaml");
  const hint = draft ? (isLine(draft.kind) ? "hint_draw_line" : "hint_draw_zone")
    : full ? "limit" : selected >= 0 ? "hint_edit" : "hint_none";
  const text = say(hint, { n: info?.zones_max });
  if (byId("hint").textContent !== text) byId("hint").textContent = text;
}

function renderList() {
  const focused = document.activeElement?.closest?.("#list button")?.dataset.index;
  list.replaceChildren(...work.map((zone, index) => {
    const button = element(
      "button", { type: "button" },
      element("span", { className: `swatch kind-${zone.kind}` }),
      element("span", { className: "words" },
        element("strong", { textContent: nameOf(zone) }),
        element("small", { textContent: say(`kinds.${zone.kind}`) })),
    );
    button.dataset.index = index;
    button.setAttribute("aria-current", String(index === selected));
    button.addEventListener("click", () => {
      selected = index;
      draft = null;
      render();
    });
    const row = element("li", {}, button);
    for (const { text } of problems.get(index) ?? []) {
      row.append(element("p", { className: "fault", textContent: text }));
    }
    return row;
  }));
  if (!work.length && info) list.append(element("li", { className: "quiet", textContent: say("empty") }));
  if (focused !== undefined) list.querySelector(`[data-index="${focused}"]`)?.focus();
}

function field(name, input, wide = false) {
  input.name = name;
  input.dataset.testid = `field-${name}`;
  return element("label", { className: wide ? "wide" : "" }, element("span", {
    textContent: say(`field.${name}`),
  }), input);
}

function renderForm() {
  const zone = draft ? null : work[selected];
  form.hidden = !zone;
  const key = zone ? `${selected} ${zone.kind} ${language} ${work.length}` : "";
  if (key !== formKey) {
    formKey = key;
    form.replaceChildren(...(zone ? fieldsOf(zone) : []));
  }
  if (!zone) return;
  const values = { ...zone, name_zh: zone.name.zh, name_en: zone.name.en };
  const faulty = new Set((problems.get(selected) ?? []).map((one) => one.field));
  for (const input of form.elements) {
    if (!input.name) continue;
    if (input.type === "checkbox") input.checked = values[input.name];
    else if (input !== document.activeElement) input.value = values[input.name] ?? "";
    const wrong = faulty.has(input.name) || (input.name.startsWith("name_") && faulty.has("name"));
    input.setAttribute("aria-invalid", String(wrong));
  }
}

function fieldsOf(zone) {
  const input = (more = {}) => element("input", { type: "text", autocomplete: "off", ...more });
  const kinds = info.kinds.filter((one) => one.line === isLine(zone.kind));
  const rows = [
    field("name_zh", input({ maxLength: 60 })),
    field("name_en", input({ maxLength: 60 })),
    field("kind", element("select", {}, ...kinds.map(({ kind }) =>
      element("option", { value: kind, textContent: say(`kinds.${kind}`) })))),
    field("id", input({ maxLength: 40, spellcheck: false })),
  ];
  if (zone.kind === "seat") rows.push(field("seat", input({ maxLength: 16 })));
  if (zone.kind === "door") {
    rows.push(field("leads_to", element("select", {},
      element("option", { value: "", textContent: say("choose") }),
      ...info.areas.map((area) => element("option", {
        value: area.id, textContent: language === "en" ? area.name.en : area.name.zh,
      })))));
  }
  const only = field("sealed_only", element("input", { type: "checkbox" }), true);
  only.classList.add("check");
  const buttons = [];
  const button = (id, key, act) => {
    const made = element("button", { type: "button", textContent: say(key) });
    made.dataset.testid = id;
    made.addEventListener("click", act);
    buttons.push(made);
  };
  if (isLine(zone.kind)) button("flip", "flip", () => change({ points: [...work[selected].points].reverse() }));
  button("remove", "remove", removeZone);
  return [
    ...rows, only,
    element("p", { className: "hint wide", textContent: `${say(`abouts.${zone.kind}`)} ${rulesOf(zone.kind)}` }),
    element("div", { className: "actions wide" }, ...buttons),
  ];
}

form.addEventListener("submit", (event) => event.preventDefault());
byId("second").addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
form.addEventListener("change", ({ target }) => {
  const zone = work[selected];
  if (!zone) return;
  const text = target.value.trim();
  if (target.name === "name_zh") change({ name: { ...zone.name, zh: text } });
  else if (target.name === "name_en") change({ name: { ...zone.name, en: text } });
  else if (target.name === "sealed_only") change({ sealed_only: target.checked });
  else change({ [target.name]: text || null });
});

// ---- the page --------------------------------------------------------------------------------

function renderMessage() {
  const text = told.key ? say(told.key, told.values) : "";
  byId("message").textContent = text;
  byId("message").hidden = !text || told.key === "saved";
  const key = history_.changed ? "unsaved" : told.key === "saved" ? "saved" : info ? "zones" : "loading";
  byId("state").textContent = say(key === "zones" ? "live" : key);
  document.body.classList.toggle("unsaved", history_.changed);
}

function renderTexts() {
  byId("camera").textContent = say("zones_of", {
    camera: info ? (language === "en" ? info.name.en : info.name.zh) : cameraId,
  });
  document.title = `${byId("camera").textContent} · Zero Entry`;
  byId("language").textContent = say("other_language");
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = say(one.dataset.text);
  byId("source").textContent = !info ? "" : info.source === "declared" ? say("source_declared")
    : say("source_drawn", { by: info.drawn_by, time: new Date(info.drawn_utc_ms).toLocaleString(language) });
  byId("blind").textContent = say("blind");
  picture.alt = say("picture_of", { camera: cameraId });
  byId("links").replaceChildren(...linksTo(["", "live_page"], ["/recordings", "recordings_page"]));
}

function render() {
  renderTexts();
  renderTools();
  renderPlane();
  renderList();
  renderForm();
  renderMessage();
  renderNow();
}

function showPicture() {
  picture.src = address("/live.mjpg");
}

/** A stream of pictures says its size once the first is there; no event tells. */
function measure() {
  const [width, height] = [picture.naturalWidth, picture.naturalHeight];
  byId("blind").hidden = width > 0;
  if (width && (width !== size[0] || height !== size[1])) {
    size = [width, height];
    stage.style.aspectRatio = `${width} / ${height}`;
    renderPlane();
  }
  setTimeout(measure, width ? 2000 : 200);
}

byId("kind").addEventListener("change", () => renderTools());
byId("draw").addEventListener("click", () => {
  if (!draft) return begin(byId("kind").value);
  draft = null;
  render();
});
byId("undo").addEventListener("click", () => travel(() => history_.undo()));
byId("redo").addEventListener("click", () => travel(() => history_.redo()));
byId("save").addEventListener("click", () => save());
byId("discard").addEventListener("click", () => {
  work = JSON.parse(history_.saved);
  selected = -1;
  commit();
  tell("");
});
byId("declared").addEventListener("click", toDeclared);
byId("theirs").addEventListener("click", () => {
  if (confirm(say("theirs_sure"))) load();
});
byId("mine").addEventListener("click", () => save(byId("conflict").dataset.etag || "*"));
byId("language").addEventListener("click", () => {
  speak(language === "en" ? "zh-CN" : "en");
  const query = new URLSearchParams(location.search);
  query.set("lang", language);
  history.replaceState(null, "", `${location.pathname}?${query}`);
  byId("now").dataset.said = "";
  render();
});
picture.addEventListener("error", () => setTimeout(showPicture, RETRY_PICTURE_MS));
addEventListener("beforeunload", (event) => {
  if (history_.changed) event.preventDefault();
});
new ResizeObserver(() => renderPlane()).observe(stage);

// The live page is of the same camera: this tab may show it with the same ticket.
const livePath = `ticket /view/${encodeURIComponent(cameraId)}`;
if (ticket && !sessionStorage.getItem(livePath)) sessionStorage.setItem(livePath, ticket);
render();
showPicture();
measure();
load();
watch();
