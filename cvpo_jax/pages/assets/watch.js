"use strict";
// The dashboard: asks for the numbers of all runs again and again, and draws those that are chosen.

const EVERY = 2000; // ms between questions
const MOST = 12; // runs drawn at first
const byId = (id) => document.getElementById(id);
const title = JSON.parse(byId("data").textContent).title;
const hidden = new Map(); // name of a run -> whether it is, where somebody said so
const colors = new Map(); // name of a run -> its color, which it keeps
let runs = [];
let pointed = null; // the name of the run under the pointer
let answer = "";
let heard = 0;

const CHARTS = [
  { title: "return", lines: (run) => [line(run, run.columns.return_mean, { low: run.columns.return_q10, high: run.columns.return_q90 })] },
  { title: "cost", lines: (run) => [line(run, scaled(run, "cost"))], limited: true, zero: true },
  { title: "pressure", lines: (run) => [line(run, constraint(run).pressure)] },
  { title: "multiplier, normalized", lines: (run) => [line(run, constraint(run).multiplier)], zero: true },
  { title: "predicted (dashed) and measured cost", lines: (run) => [line(run, scaled(run, "measured")), line(run, scaled(run, "predicted"), { dashed: true })], limited: true, zero: true },
  { title: "steps/s", lines: (run) => [line(run, run.columns.steps_per_second)], zero: true },
];

const drawn = () => runs.filter((run) => !run.problem && run.columns.step.length && !isHidden(run));
const last = (values) => values[values.length - 1];
const constraint = (run) => run.constraints[Math.min(Number(byId("constraint").value) || 0, run.constraints.length - 1)];
const across = (run) => (byId("across").value === "seconds" ? run.columns.seconds.map((value) => value / 60) : run.columns[byId("across").value]);

/** Whether all that is drawn has one limit; else costs are drawn relative to each one's. */
function commonLimit() {
  const limits = new Set(drawn().map((run) => constraint(run).limit));
  return limits.size === 1 ? [...limits][0] : null;
}

function scaled(run, name) {
  const { limit, [name]: values } = constraint(run);
  return commonLimit() !== null ? values : values.map((value) => (value === null || !limit ? null : value / limit));
}

function line(run, y, more = {}) {
  const many = drawn().length > 3;
  const made = { x: across(run), y, color: colors.get(run.name), faint: pointed !== null && pointed !== run.name, ...more };
  if (many && pointed !== run.name) made.low = made.high = undefined;
  return made;
}

function isHidden(run) {
  if (hidden.has(run.name)) return hidden.get(run.name);
  return runs.filter((each) => !each.problem).indexOf(run) >= MOST;
}

/** Draw everything anew. */
function show() {
  const limit = commonLimit();
  for (const { chart, lines, limited, zero } of CHARTS) {
    const limits = !limited || !drawn().length ? [] : limit === null ? [{ y: 1, label: "limit" }] : [{ y: limit, label: `limit ${short(limit)}` }];
    chart.show({ series: drawn().flatMap(lines), limits, zero, late: limited });
    if (limited) chart.value.textContent = limit === null && drawn().length ? "relative to the limit" : "";
  }
  table();
}

function table() {
  const body = byId("runs").tBodies[0];
  const focused = document.activeElement.dataset && document.activeElement.dataset.run;
  body.replaceChildren();
  for (const run of runs) {
    const row = html("tr", run.problem ? "broken" : "", body);
    row.dataset.run = run.name;
    row.onpointerenter = () => point(run.name);
    row.onpointerleave = () => point(null);
    const label = html("label", "", html("td", "name", row));
    const box = html("input", "", label);
    Object.assign(box, { type: "checkbox", checked: !isHidden(run), disabled: Boolean(run.problem) });
    box.dataset.run = run.name;
    box.onchange = () => { hidden.set(run.name, !box.checked); show(); };
    html("span", "swatch", label).style.background = run.problem ? "var(--muted)" : colors.get(run.name);
    const words = html("span", "", label);
    html("b", "", words, run.name);
    if (run.problem) {
      html("td", "muted", row, run.problem).colSpan = 5;
      continue;
    }
    html("span", "muted", words, `${run.task}, seed ${run.seed}`);
    progress(run, html("td", "progress", row));
    numbers(run, row);
    if (focused === run.name) box.focus();
  }
}

function progress(run, cell) {
  const share = run.columns.step.length ? Math.min(1, last(run.columns.step) / run.total) : 0;
  html("span", `status ${run.status}`, cell, run.status);
  const left = run.left === null ? "" : `, ${duration(run.left)} left`;
  html("span", "muted", cell, ` ${Math.round(100 * share)} %${left}`);
  html("i", run.status, html("div", "bar", cell)).style.width = `${100 * share}%`;
}

function numbers(run, row) {
  const { limit, cost, pressure } = constraint(run);
  const cell = (heading, text, className = "") => { html("td", className, row, text).dataset.heading = heading; };
  const now = last(cost);
  cell("return", short(last(run.columns.return_mean)));
  cell("cost / limit", `${short(now)} / ${short(limit)}`, now > limit ? "over" : "");
  cell("pressure", short(last(pressure)));
  cell("steps/s", short(last(run.columns.steps_per_second)));
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86400).toFixed(1)} days`;
}

/** Make the lines of one run stand out. */
function point(name) {
  if (pointed === name) return;
  pointed = name;
  for (const { chart, lines } of CHARTS) chart.show({ ...chart.drawing, series: drawn().flatMap(lines) });
}

/** Tell the values under the pointer, in all charts at the same place. */
function tell(x, event, asked) {
  for (const { chart } of CHARTS) chart.setCursor(x);
  const tip = byId("tip");
  tip.hidden = x === null || !drawn().length;
  if (tip.hidden) return;
  tip.replaceChildren();
  const { chart, lines } = CHARTS.find((each) => each.title === asked);
  html("p", "muted", tip, `${short(x)} ${byId("across").selectedOptions[0].textContent}`);
  const there = drawn().filter((run) => across(run)[0] <= x && x <= last(across(run)));
  const told = there.map((run) => ({ run, values: lines(run).map((each) => each.y[lastAtMost(each.x, x)]) }));
  told.sort((one, other) => other.values[0] - one.values[0]);
  for (const { run, values } of told) {
    const entry = html("div", "entry", tip);
    html("span", "swatch", entry).style.background = colors.get(run.name);
    html("span", "who", entry, run.name);
    html("b", "", entry, values.reverse().map(short).join(", "));
  }
  const box = chart.figure.getBoundingClientRect();
  const right = event.clientX + 16 + tip.offsetWidth < innerWidth;
  tip.style.left = `${right ? event.clientX + 16 : Math.max(4, event.clientX - 16 - tip.offsetWidth)}px`;
  tip.style.top = `${Math.max(4, Math.min(box.top + 30, innerHeight - tip.offsetHeight - 4))}px`;
}

function receive(text) {
  runs = JSON.parse(text);
  for (const run of [...runs].reverse()) if (!colors.has(run.name)) colors.set(run.name, hue(colors.size));
  const names = [...new Set(runs.flatMap((run) => (run.problem ? [] : run.constraints.map((each) => each.name))))];
  byId("constraints").hidden = !runs.some((run) => !run.problem && run.constraints.length > 1);
  if (byId("constraint").options.length !== names.length) byId("constraint").replaceChildren(...names.map((name, index) => new Option(name.replace(/^cost_/, ""), index)));
  show();
}

async function ask() {
  if (document.visibilityState === "visible") {
    try {
      const response = await fetch("runs.json");
      if (!response.ok) throw new Error(String(response.status));
      const text = await response.text();
      heard = Date.now();
      if (text !== answer) receive(text);
      answer = text;
      byId("trouble").hidden = true;
    } catch {
      byId("trouble").textContent = "Nobody answers any more: start python -m cvpo_jax.watch again. Shown is what was known last.";
      byId("trouble").hidden = false;
    }
    const training = runs.filter((run) => run.status === "training" || run.status === "starting").length;
    byId("state").textContent = runs.length ? `${runs.length} run${runs.length > 1 ? "s" : ""}, ${training} training` : "no run here yet: this page shows it as soon as there is one";
  }
  setTimeout(ask, EVERY);
}

document.title = `${title} – trainings`;
byId("title").textContent = title;
for (const each of CHARTS) each.chart = new LineChart(byId("charts"), each.title, (x, event) => tell(x, event, each.title));
for (const id of ["across", "constraint"]) byId(id).onchange = show;
for (const [id, value] of [["all", false], ["none", true]]) byId(id).onclick = () => { for (const run of runs) hidden.set(run.name, value); show(); };
ask();
