"use strict";
// The player: which episode, which step, and everything that shows them.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const steps = { current: 0, playing: false, due: 0 };
let episode;
let view;
let charts = [];

const name = (text) => text.replace(/^cost_/, "").replaceAll("_", " ");
const last = () => episode.returns.length - 1;
const total = (values) => values[values.length - 1];
const within = (spans, index) => spans.some(([start, end]) => start <= index && index < end);

/** Show `index`, wherever it came from. */
function seek(index) {
  steps.current = Math.max(0, Math.min(last(), Math.round(index)));
  const now = steps.current;
  byId("scrub").value = now;
  byId("scrub").setAttribute("aria-valuetext", `step ${now} of ${last()}`);
  byId("step").textContent = now;
  byId("time").textContent = `of ${last()}, ${(now * episode.seconds).toFixed(2)} s`;
  byId("return").textContent = short(episode.returns[now]);
  byId("return-end").textContent = `of ${short(total(episode.returns))}`;
  data.limits.forEach((limit, number) => {
    const cost = episode.costs[number][now];
    byId(`cost-${number}`).textContent = short(cost);
    byId(`cost-${number}`).classList.toggle("over", cost > limit.limit);
    byId(`bar-${number}`).style.width = `${Math.min(100, limit.limit ? (100 * cost) / limit.limit : cost ? 100 : 0)}%`;
  });
  const costs = within(episode.costing, now);
  const causes = episode.components.filter((part) => within(part.when, now)).map((part) => name(part.name));
  byId("stage").classList.toggle("costing", costs);
  byId("badge").textContent = costs ? `cost: ${causes.join(", ") || "now"}` : "";
  for (const chart of charts) chart.setCursor(now);
  draw();
}

function draw() {
  view.draw(steps.current, { lidars: byId("lidars").checked, way: byId("way").checked });
}

function play(playing) {
  if (playing && steps.current === last()) seek(0);
  steps.playing = playing;
  byId("play").classList.toggle("playing", playing);
  byId("play").setAttribute("aria-label", playing ? "pause" : "play");
  if (playing) {
    steps.due = steps.current;
    let before = performance.now();
    const advance = (now) => {
      if (!steps.playing) return;
      steps.due += (((now - before) / 1000) * Number(byId("speed").value)) / episode.seconds;
      before = now;
      if (Math.floor(steps.due) > steps.current) seek(Math.floor(steps.due));
      if (steps.current === last()) play(false);
      else requestAnimationFrame(advance);
    };
    requestAnimationFrame(advance);
  } else remember();
}

/** Keep the moment in the address, which can be sent to others. */
function remember() {
  history.replaceState(null, "", `#episode=${data.episodes.indexOf(episode) + 1}&step=${steps.current}`);
}

/** Stop, and show `index`. */
function jump(index) {
  play(false);
  seek(index);
  remember();
}

/** To the next or the last time that cost begins. */
function jumpToCost(forward) {
  const starts = episode.costing.map(([start]) => start);
  const found = forward ? starts.find((start) => start > steps.current) : starts.findLast((start) => start < steps.current);
  if (found !== undefined) jump(found);
}

function choose(number) {
  const kept = steps.playing;
  play(false);
  episode = data.episodes[number];
  for (const button of byId("episodes").children) button.setAttribute("aria-checked", String(Number(button.value) === number));
  byId("scrub").max = last();
  const drawn = episode.tracks || episode.pictures.length;
  byId("scene").hidden = !drawn;
  byId("signals").hidden = Boolean(drawn);
  for (const id of ["lidars", "way"]) byId(id).parentElement.hidden = !episode.tracks;
  byId("undrawn").textContent = episode.undrawn && `Actions and observations, since ${episode.undrawn}`;
  byId("stage").classList.toggle("bare", !drawn);
  const scrub = (x, event) => x !== null && event.buttons && jump(x);
  if (episode.tracks) view = new TopView(byId("scene"), episode);
  else view = drawn ? new PictureView(byId("scene"), episode, draw) : new SignalView(byId("signals"), episode, scrub);
  legend();
  lane();
  plots();
  for (const id of ["before", "after"]) byId(id).disabled = !episode.costing.length;
  seek(0);
  if (kept) play(true);
}

/** What the colors stand for. */
function legend() {
  byId("kinds").replaceChildren();
  for (const kind of episode.tracks ? episode.tracks.kinds : []) {
    const entry = html("span", "kind", byId("kinds"));
    html("span", "swatch", entry).style.background = kind.color;
    entry.append(name(kind.name));
  }
}

/** The moments with a cost, over the scrub bar. */
function lane() {
  byId("lane").replaceChildren();
  for (const [start, end] of episode.costing) {
    const mark = html("i", "", byId("lane"));
    mark.style.left = `${(100 * start) / last()}%`;
    mark.style.width = `${(100 * (end - start)) / last()}%`;
  }
}

function plots() {
  const x = episode.returns.map((_, index) => index);
  const costs = data.limits.map((limit, number) => {
    const label = `limit ${short(limit.limit)}`;
    return { series: [{ x, y: episode.costs[number], color: "var(--cost)" }], limits: [{ y: limit.limit, label }], spans: episode.costing, zero: true };
  });
  [{ series: [{ x, y: episode.returns, color: "var(--accent)" }], spans: episode.costing }, ...costs].forEach((drawing, number) => charts[number].show(drawing));
}

/** Everything that stays from episode to episode. */
function build() {
  document.title = `${data.task} – replay`;
  byId("task").textContent = data.task;
  byId("about").textContent = `${data.run}, ${data.checkpoint}`;
  const scrub = (x, event) => x !== null && event.buttons && jump(x);
  charts = [new LineChart(byId("charts"), "return so far", scrub)];
  data.limits.forEach((limit, number) => {
    const title = data.limits.length > 1 ? name(limit.name) : "cost";
    charts.push(new LineChart(byId("charts"), `${title} so far`, scrub));
    const fact = html("div", "fact panel", byId("facts"));
    html("h2", "", fact, title);
    html("span", "number", fact).id = `cost-${number}`;
    html("span", "muted", fact, `limit ${short(limit.limit)}`);
    html("i", "", html("div", "bar", fact)).id = `bar-${number}`;
  });
  data.episodes.forEach((each, number) => {
    const button = html("button", "episode", byId("episodes"));
    Object.assign(button, { type: "button", value: number, onclick: () => choose(number) });
    button.setAttribute("role", "radio");
    html("b", "", button, String(number + 1));
    html("span", "", button, short(total(each.returns)));
    const over = each.costs.some((values, index) => total(values) > data.limits[index].limit);
    html("span", over ? "over" : "", button, each.costs.map((values) => short(total(values))).join(", "));
  });
  const mean = (values) => short(values.reduce((sum, value) => sum + value, 0) / values.length);
  const costs = data.limits.map((_, number) => mean(data.episodes.map((each) => total(each.costs[number]))));
  const count = data.episodes.length;
  byId("mean").textContent = count > 1 ? `the limit is on the mean; of these ${count}: return ${mean(data.episodes.map((each) => total(each.returns)))}, cost ${costs.join(", ")}` : "";
  byId("picker").hidden = count === 1;
}

build();
byId("play").onclick = () => play(!steps.playing);
byId("before").onclick = () => jumpToCost(false);
byId("after").onclick = () => jumpToCost(true);
byId("scrub").oninput = () => jump(Number(byId("scrub").value));
byId("lidars").onchange = draw;
byId("way").onchange = draw;
new ResizeObserver(draw).observe(byId("stage"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
document.addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT", "BUTTON"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
  const stride = event.shiftKey ? 20 : 1;
  const action = { " ": () => play(!steps.playing), ArrowLeft: () => jump(steps.current - stride), ArrowRight: () => jump(steps.current + stride) }[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});
const asked = new URLSearchParams(location.hash.slice(1));
const wanted = Number(asked.get("episode")) - 1;
choose(data.episodes[wanted] ? wanted : 0);
if (asked.has("step")) seek(Number(asked.get("step")) || 0);
else if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play(true);
