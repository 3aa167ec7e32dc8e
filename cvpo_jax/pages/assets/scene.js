"use strict";
// What an episode looked like: from above, drawn from tracks; as pictures; or, where nothing can be drawn, as signals.

const TRAIL = 60; // states
const BINS = 16; // of a lidar
const LEVELS = 35; // of a reading

/** The value of a variable of the style sheet. */
function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** `canvas` in the pixels of the screen; returns its context in those of the page. */
function contextOf(canvas) {
  const box = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return [context, box.width, box.height];
}

/** A navigation task from above, in meters with y upwards. */
class TopView {
  constructor(canvas, episode) {
    this.canvas = canvas;
    this.tracks = episode.tracks;
    this.starts = this.tracks.kinds.map((kind) => kind.places.map((place) => place[0]));
    this.costing = new Set();
    for (const [start, end] of episode.costing) for (let index = start; index < end; index++) this.costing.add(index);
    canvas.style.aspectRatio = "1";
  }

  draw(index, { lidars, way }) {
    const [context, width] = contextOf(this.canvas);
    this.context = context;
    const { half, reach, robot } = this.tracks;
    const at = [robot.x[index] / 1000, robot.y[index] / 1000];
    const center = at.map((place) => place - Math.min(reach, Math.max(-reach, place)));
    const scale = width / (2 * half);
    context.fillStyle = themed("--scene");
    context.fillRect(0, 0, width, width);
    context.translate(width / 2, width / 2);
    context.scale(scale, -scale);
    context.translate(-center[0], -center[1]);
    this.pixel = 1 / scale;
    this.ground(center, half);
    this.tracks.kinds.forEach((kind, number) => this.objects(kind, this.starts[number], index));
    this.trail(way ? 0 : Math.max(0, index + 1 - TRAIL), index);
    if (this.costing.has(index)) this.disc(at, 0.24, themed("--cost"), 0.4);
    this.robot(at, robot.yaw[index] / 1000);
    if (lidars) this.lidars(at, robot.yaw[index] / 1000, index);
  }

  ground(center, half) {
    const context = this.context;
    context.lineWidth = this.pixel;
    context.strokeStyle = themed("--grid");
    context.beginPath();
    for (const axis of [0, 1]) {
      for (let line = Math.ceil((center[axis] - half) * 2) / 2; line <= center[axis] + half; line += 0.5) {
        const [from, to] = [center[1 - axis] - half, center[1 - axis] + half];
        context.moveTo(...(axis === 0 ? [line, from] : [from, line]));
        context.lineTo(...(axis === 0 ? [line, to] : [to, line]));
      }
    }
    context.stroke();
    context.fillStyle = themed("--wall");
    for (const [axis, place] of this.tracks.walls) {
      for (const side of [-place, place]) {
        const from = center[1 - axis] - half;
        if (axis === 0) context.fillRect(side - 0.03, from, 0.06, 2 * half);
        else context.fillRect(from, side - 0.03, 2 * half, 0.06);
      }
    }
  }

  objects(kind, starts, index) {
    const [, places] = kind.places[lastAtMost(starts, index)];
    const blank = kind.blank.some(([start, end]) => start <= index && index < end);
    const color = blank ? "#9a9a9a" : kind.color;
    for (let start = 0; start < places.length; start += 3) {
      const [x, y, yaw] = places.slice(start, start + 3).map((value) => value / 1000);
      if (kind.outline === "disc") this.disc([x, y], kind.size, color, 0.3, 0.9);
      else if (kind.outline === "rim") this.disc([x, y], kind.size, color, 0.07, 1, 0.03);
      else if (kind.outline === "box" || kind.outline === "posts") this.box([x, y], kind.size, yaw, color, kind.outline === "posts");
      else this.disc([x, y], kind.size, color, 1, 1);
    }
  }

  disc(at, radius, color, alpha, edge = 0, width = 1.5 * this.pixel) {
    const context = this.context;
    context.beginPath();
    context.arc(...at, edge ? radius - width / 2 : radius, 0, 2 * Math.PI);
    context.globalAlpha = alpha;
    context.fillStyle = color;
    context.fill();
    if (edge) {
      context.globalAlpha = edge;
      context.lineWidth = width;
      context.strokeStyle = color;
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  box(at, half, yaw, color, posts) {
    const context = this.context;
    context.save();
    context.translate(...at);
    context.rotate(yaw);
    context.fillStyle = color;
    context.fillRect(-half, -half, 2 * half, 2 * half);
    if (posts) for (const x of [-half, half]) for (const y of [-half, half]) context.fillRect(x - half / 4, y - half / 4, half / 2, half / 2);
    context.restore();
  }

  trail(start, index) {
    const context = this.context;
    const { x, y } = this.tracks.robot;
    context.strokeStyle = themed("--ink");
    context.globalAlpha = 0.5;
    context.lineWidth = 0.02;
    context.lineJoin = "round";
    context.beginPath();
    for (let at = start; at <= index; at++) context.lineTo(x[at] / 1000, y[at] / 1000);
    context.stroke();
    context.globalAlpha = 1;
    for (let at = start; at <= index; at++) if (this.costing.has(at)) this.disc([x[at] / 1000, y[at] / 1000], 0.03, themed("--cost"), 0.7);
  }

  robot(at, yaw) {
    const context = this.context;
    context.save();
    context.translate(...at);
    context.rotate(yaw);
    for (const [shape, ahead, aside, ...extent] of this.tracks.robot.patches) {
      context.fillStyle = themed(shape === "disc" ? "--robot" : "--robot-part");
      context.beginPath();
      if (shape === "disc") context.arc(ahead, aside, extent[0], 0, 2 * Math.PI);
      else context.rect(ahead - extent[0], aside - extent[1], 2 * extent[0], 2 * extent[1]);
      context.fill();
    }
    context.restore();
  }

  lidars(at, yaw, index) {
    const context = this.context;
    const [radius, width, spacing] = this.tracks.rings;
    const span = (2 * Math.PI) / BINS;
    context.lineWidth = width;
    this.tracks.lidars.forEach((lidar, ring) => {
      context.strokeStyle = lidar.color;
      for (let bin = 0; bin < BINS; bin++) {
        const level = parseInt(lidar.readings[index * BINS + bin], LEVELS + 1);
        if (!level) continue;
        const angle = yaw + bin * span;
        context.globalAlpha = 0.08 + (0.9 * level) / LEVELS;
        context.beginPath();
        context.arc(...at, radius + ring * spacing - width / 2, angle, angle + 0.9 * span);
        context.stroke();
      }
    });
    context.globalAlpha = 1;
  }
}

/** Pictures, each until the next one. */
class PictureView {
  constructor(canvas, episode, redraw) {
    this.canvas = canvas;
    this.shown = episode.shown;
    this.images = episode.pictures.map((source) => Object.assign(new Image(), { src: source }));
    this.images[0].decode().then(() => {
      canvas.style.aspectRatio = `${this.images[0].naturalWidth} / ${this.images[0].naturalHeight}`;
      redraw();
    });
    for (const image of this.images.slice(1)) image.decode();
  }

  draw(index) {
    const image = this.images[lastAtMost(this.shown, index)];
    if (!image.complete || !image.naturalWidth) return;
    const [context, width, height] = contextOf(this.canvas);
    context.drawImage(image, 0, 0, width, height);
  }
}

/** Actions and observations over time. */
class SignalView {
  constructor(host, episode, seek) {
    host.replaceChildren();
    this.charts = ["action", "observation"].map((signal) => {
      const lines = episode.signals.filter((line) => line.signal === signal);
      const chart = new LineChart(host, `${signal}s`, seek);
      chart.show({ series: lines.map((line, number) => ({ x: line.y.map((_, at) => at), y: line.y, color: hue(number) })) });
      return chart;
    });
  }

  draw(index) {
    for (const chart of this.charts) chart.setCursor(index);
  }
}
