"use strict";
// Line charts in SVG, drawn anew in each size so that letters keep theirs.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 46, right: 10, top: 8, bottom: 20 };

/** A child of `parent`: an element of SVG, with attributes and perhaps a text. */
function svg(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/** A child of `parent`: an element of HTML, with a class and perhaps a text. */
function html(name, className, parent, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/** `value` in at most four digits, large ones with k, M or G; "–" for what is not known. */
function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (size >= unit) return `${trim(value / (letter === "k" ? 1e3 : unit))}${letter}`;
  }
  return trim(value);
}

function trim(value) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value !== 0 && Math.abs(value) < 0.01 ? value.toPrecision(2) : String(Number(value.toFixed(digits)));
}

/** Colors that can be told apart, in light and in dark. */
function hue(number) {
  return `hsl(${(215 + 137.5 * number) % 360} 65% 52%)`;
}

/** Round numbers from `low` to `high`, about `count` of them. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => power * factor >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9 * step; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

/** The index of the last of the ascending `values` that is at most `wanted`, or 0. */
function lastAtMost(values, wanted) {
  let low = 0;
  let high = values.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * A chart of curves. `show` takes
 * - `series`: of each `x`, `y` (null: not known), `color`, perhaps `low` and `high` of a band, `dashed`, `faint`;
 * - `limits`: of each `y` and `label`; `spans`: `[start, end]` in x to shade; `zero`: whether 0 is in view;
 * - `late`: whether the first third of each curve may leave the view, so that it does not flatten the others.
 * `onPoint(x, event)` hears of the pointer, x null once it leaves.
 */
class LineChart {
  constructor(host, title, onPoint) {
    this.figure = html("figure", "chart panel", host);
    const caption = html("figcaption", "", this.figure);
    html("h2", "", caption, title);
    this.value = html("span", "value", caption);
    this.svg = svg("svg", { role: "img", "aria-label": title }, this.figure);
    this.clip = `clip-${document.querySelectorAll(".chart").length}`;
    this.at = null;
    this.drawing = { series: [] };
    new ResizeObserver(() => this.draw()).observe(this.svg);
    if (onPoint) {
      const tell = (event) => onPoint(this.pointed(event), event);
      for (const kind of ["pointermove", "pointerdown"]) this.svg.addEventListener(kind, tell);
      this.svg.addEventListener("pointerleave", (event) => onPoint(null, event));
    }
  }

  show(drawing) {
    this.drawing = drawing;
    this.draw();
  }

  /** Put the cursor at `x`; null takes it away. */
  setCursor(x) {
    this.at = x;
    if (!this.cursor) return;
    this.cursor.setAttribute("visibility", x === null ? "hidden" : "visible");
    if (x !== null) this.cursor.setAttribute("transform", `translate(${this.toX(x)} 0)`);
  }

  pointed(event) {
    const across = (event.clientX - this.svg.getBoundingClientRect().left - MARGIN.left) / this.width;
    const [low, high] = this.xRange;
    return low + Math.min(1, Math.max(0, across)) * (high - low);
  }

  ranges() {
    const { series, limits = [], zero, late } = this.drawing;
    const from = (values) => (late && values.length >= 6 ? values.slice(Math.floor(values.length / 3)) : values);
    const xs = series.flatMap((line) => [line.x[0], line.x[line.x.length - 1]]).filter(Number.isFinite);
    let [low, high] = [zero ? 0 : Infinity, zero ? 0 : -Infinity];
    for (const values of [...series.flatMap((line) => [from(line.y), line.low || [], line.high || []]), limits.map((limit) => limit.y)]) {
      for (const value of values) {
        if (value === null || !Number.isFinite(value)) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (low > high) [low, high] = [0, 1];
    if (high - low < 1e-9 * Math.max(1, Math.abs(high))) high = low + 1;
    const room = 0.06 * (high - low);
    this.yRange = [zero && low === 0 ? 0 : low - room, high + room];
    this.xRange = xs.length ? [Math.min(...xs), Math.max(...xs)] : [0, 1];
    if (this.xRange[0] === this.xRange[1]) this.xRange[1] += 1;
  }

  draw() {
    const box = this.svg.getBoundingClientRect();
    if (!box.width) return;
    this.width = box.width - MARGIN.left - MARGIN.right;
    const height = box.height - MARGIN.top - MARGIN.bottom;
    this.ranges();
    const [x0, x1] = this.xRange;
    const [y0, y1] = this.yRange;
    this.toX = (x) => MARGIN.left + ((x - x0) / (x1 - x0)) * this.width;
    this.toY = (y) => MARGIN.top + (1 - (y - y0) / (y1 - y0)) * height;
    this.svg.replaceChildren();
    this.axes(height, box.width);
    for (const [start, end] of this.drawing.spans || []) {
      const left = this.toX(Math.max(start, x0));
      svg("rect", { class: "span", x: left, y: MARGIN.top, width: Math.max(1, this.toX(Math.min(end, x1)) - left), height }, this.svg);
    }
    const clip = svg("clipPath", { id: this.clip }, this.svg);
    svg("rect", { x: MARGIN.left - 2, y: MARGIN.top, width: this.width + 4, height: height + 2 }, clip);
    const curves = svg("g", { "clip-path": `url(#${this.clip})` }, this.svg);
    for (const line of this.drawing.series) this.curve(line, curves);
    for (const limit of this.drawing.limits || []) {
      const y = this.toY(limit.y);
      svg("line", { class: "limit", x1: MARGIN.left, x2: box.width - MARGIN.right, y1: y, y2: y }, this.svg);
      const above = y > MARGIN.top + 14 ? -4 : 12;
      svg("text", { class: "limit-label", x: MARGIN.left + 4, y: y + above }, this.svg, limit.label);
    }
    this.cursor = svg("line", { class: "cursor", y1: MARGIN.top, y2: MARGIN.top + height }, this.svg);
    this.setCursor(this.at);
  }

  axes(height, width) {
    for (const value of ticks(...this.yRange, Math.max(2, Math.round(height / 38)))) {
      const y = this.toY(value);
      svg("line", { class: "tick", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }, this.svg);
      svg("text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, this.svg, short(value));
    }
    for (const value of ticks(...this.xRange, Math.max(2, Math.round(this.width / 110)))) {
      const x = this.toX(value);
      const anchor = x > width - 30 ? "end" : "middle";
      svg("text", { x: Math.min(x, width - 4), y: height + MARGIN.top + 15, "text-anchor": anchor }, this.svg, short(value));
    }
  }

  curve(line, parent) {
    if (line.low) {
      const known = line.x.map((_, index) => index).filter((index) => line.low[index] !== null && line.high[index] !== null);
      const there = known.map((index) => `${this.toX(line.x[index])},${this.toY(line.high[index])}`);
      const back = known.reverse().map((index) => `${this.toX(line.x[index])},${this.toY(line.low[index])}`);
      svg("polygon", { class: "band", points: [...there, ...back].join(" "), style: `fill: ${line.color}` }, parent);
    }
    let path = "";
    let drawing = false;
    line.x.forEach((x, index) => {
      const y = line.y[index];
      if (y === null || y === undefined) drawing = false;
      else {
        path += `${drawing ? "L" : "M"}${this.toX(x).toFixed(1)} ${this.toY(y).toFixed(1)}`;
        drawing = true;
      }
    });
    const looks = `curve${line.dashed ? " dashed" : ""}${line.faint ? " faint" : ""}`;
    svg("path", { class: looks, d: path, style: `stroke: ${line.color}` }, parent);
    // One evaluation makes no line.
    if (line.x.length === 1 && line.y[0] !== null) svg("circle", { cx: this.toX(line.x[0]), cy: this.toY(line.y[0]), r: 3, style: `fill: ${line.color}` }, parent);
  }
}
