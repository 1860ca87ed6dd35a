// Decides where points lie: the same answers as the node's own, for zones that are still drawn.
// Points are [x, y] in shares of the picture; distances are in picture widths (`aspect` = w / h).

export const CORNERS_MIN = 3;
const AREA_MIN = 1e-4;
const EDGE = 0.008; // nearer to the edge of the picture than this is the edge

export const isLine = (kind) => kind === "gate" || kind === "line";

const round = (share) => Math.round(share * 10000) / 10000;

/** A point within the picture; near its edge, on it. */
export function placed([x, y]) {
  return [x, y].map((share) => (share < EDGE ? 0 : share > 1 - EDGE ? 1 : round(share)));
}

/** A point within the picture, as exact as it was. */
export const clamped = ([x, y]) => [x, y].map((share) => round(Math.min(Math.max(share, 0), 1)));

export function holds(polygon, [x, y]) {
  let inside = false;
  let [x1, y1] = polygon[polygon.length - 1];
  for (const [x2, y2] of polygon) {
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
    [x1, y1] = [x2, y2];
  }
  return inside;
}

/** How far a point lies on the right hand of who looks along a line; below zero: on the left. */
export function rightOf([[ax, ay], [bx, by]], [px, py], aspect) {
  const [dx, dy] = [bx - ax, (by - ay) / aspect];
  const length = Math.hypot(dx, dy);
  return length ? (dx * ((py - ay) / aspect) - dy * (px - ax)) / length : 0;
}

/** Whether a step meets a line between its two points. */
export function meets([a, b], before, after, aspect) {
  const start = rightOf([a, b], before, aspect);
  const end = rightOf([a, b], after, aspect);
  if (start < 0 === end < 0) return false;
  const part = start / (start - end);
  const x = before[0] + (after[0] - before[0]) * part;
  const y = (before[1] + (after[1] - before[1]) * part) / aspect;
  const [dx, dy] = [b[0] - a[0], (b[1] - a[1]) / aspect];
  const along = ((x - a[0]) * dx + (y - a[1] / aspect) * dy) / (dx * dx + dy * dy);
  return along >= 0 && along <= 1;
}

export function areaOf(points) {
  let twice = 0;
  points.forEach(([x1, y1], index) => {
    const [x2, y2] = points[(index + 1) % points.length];
    twice += x1 * y2 - x2 * y1;
  });
  return Math.abs(twice) / 2;
}

export const tooSmall = (kind, points) => !isLine(kind) && areaOf(points) < AREA_MIN;

export const middleOf = (points) => [
  points.reduce((sum, [x]) => sum + x, 0) / points.length,
  points.reduce((sum, [, y]) => sum + y, 0) / points.length,
];

/** Moved as a whole, as far as the picture goes. */
export function shifted(points, [dx, dy]) {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const moveX = Math.min(Math.max(dx, -Math.min(...xs)), 1 - Math.max(...xs));
  const moveY = Math.min(Math.max(dy, -Math.min(...ys)), 1 - Math.max(...ys));
  return points.map(([x, y]) => clamped([x + moveX, y + moveY]));
}

/** What was drawn, step by step, and back again. */
export class History {
  constructor(value) {
    this.reset(value);
  }

  reset(value) {
    this.past = [];
    this.future = [];
    this.saved = JSON.stringify(value);
    this.current = this.saved;
  }

  get value() {
    return JSON.parse(this.current);
  }

  get changed() {
    return this.current !== this.saved;
  }

  put(value) {
    const text = JSON.stringify(value);
    if (text === this.current) return;
    this.past.push(this.current);
    if (this.past.length > 200) this.past.shift();
    this.future = [];
    this.current = text;
  }

  undo() {
    if (!this.past.length) return;
    this.future.push(this.current);
    this.current = this.past.pop();
  }

  redo() {
    if (!this.future.length) return;
    this.past.push(this.current);
    this.current = this.future.pop();
  }
}
