// The curves: one time axis, one cursor. A value that is missing is a gap, never zero.

import { bytes, clock, element, made, number, put, time } from "./figures.js";

const FLOOR_SECONDS = 300, GAP_SECONDS = 30, HEIGHT = 168, MAX_POINTS = 720;
const MIB = 2 ** 20, GIB = 2 ** 30;
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

const FIXED = [
  { title: "Requests", unit: "a second", lines: [["successes", "success", 0], ["failures", "failed", 1]], show: (v) => `${number(v)} /s` },
  { title: "Latency of successes", unit: "ms", factor: 1000, lines: [["p50", "p50", 2], ["p95", "p95", 0], ["p99", "p99", 1]], show: (v) => time(v / 1000) },
  { title: "Router memory", unit: "MiB", factor: 1 / MIB, lines: [["memory", "resident", 0], ["private", "private, with swap", 2], ["floor", "floor of 5 min", 1]], show: (v) => bytes(v * MIB) },
  { title: "Router files and sockets", unit: "", lines: [["open_fds", "open files", 0], ["sockets", "connections", 2], ["close_wait", "of them CLOSE_WAIT", 1]], show: number },
  { title: "CPU", unit: "cores busy", lines: [["router_cores", "router", 0], ["host_cores", "whole host", 6]], show: number },
];

const STREAMS = [
  { title: "First token", unit: "ms", factor: 1000, lines: [["first_p50", "p50", 2], ["first_p99", "p99", 1], ["lag_p99", "own lag p99", 6]], show: (v) => time(v / 1000) },
  { title: "Output tokens", unit: "a second", lines: [["tokens", "of complete streams", 0]], show: (v) => `${number(v)} /s` },
];

let times = [], columns = {}, charts = [], spans = [], counted = true;

function derived() {
  const source = columns.private;
  if (!source) return {};
  let from = 0;
  const floor = source.map((_, at) => {
    while (times[at] - times[from] > FLOOR_SECONDS) from += 1;
    const seen = source.slice(from, at + 1).filter((value) => value !== null);
    // Before five minutes there is no floor yet.
    return seen.length && times[at] - times[0] >= FLOOR_SECONDS ? Math.min(...seen) : null;
  });
  return { floor };
}

function wanted() {
  const gpus = [...Array(8).keys()].filter((gpu) => `gpu${gpu}_busy` in columns || `gpu${gpu}_memory` in columns);
  const of = (what) => gpus.filter((gpu) => `gpu${gpu}_${what}` in columns).map((gpu, place) => [`gpu${gpu}_${what}`, `GPU ${gpu}`, place]);
  return [
    // Of a load that somebody else sends nothing is known.
    ...(counted ? FIXED.slice(0, 2) : []),
    // Of a load without streams it is not said that nothing is known of them.
    ...("tokens" in columns ? STREAMS : []),
    ...FIXED.slice(2),
    { title: "GPU", unit: "% busy", factor: 100, lines: of("busy"), show: (v) => `${number(v)} %` },
    { title: "GPU memory", unit: "GiB", factor: 1 / GIB, lines: of("memory"), show: (v) => bytes(v * GIB) },
  ];
}

function colour(place) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--c${place}`).trim();
}

function aligned(lines, factor = 1) {
  const all = { ...columns, ...derived() };
  const data = [[], ...lines.map(() => [])];
  times.forEach((at, place) => {
    if (place && at - times[place - 1] > GAP_SECONDS) {
      data[0].push((at + times[place - 1]) / 2);
      lines.forEach((_, line) => data[line + 1].push(null));
    }
    data[0].push(at);
    lines.forEach(([column], line) => {
      const value = all[column]?.[place] ?? null;
      data[line + 1].push(value === null ? null : value * factor);
    });
  });
  return data;
}

function key(line, place) {
  const node = made("span", undefined, "key"), swatch = made("canvas"), value = made("span");
  swatch.width = 52;
  swatch.height = 16;
  const context = swatch.getContext("2d");
  context.strokeStyle = colour(line[2]);
  context.lineWidth = 4;
  context.setLineDash(DASHES[place % DASHES.length].map((each) => each * 2));
  context.moveTo(0, 8);
  context.lineTo(52, 8);
  context.stroke();
  node.append(swatch, `${line[1]} `, value);
  return [node, value];
}

function showValues(chart) {
  const { plot, lines, values, show } = chart, data = plot.data;
  const at = plot.cursor.idx ?? data[0].length - 1;
  lines.forEach((_, line) => {
    const value = data[line + 1][at];
    values[line].textContent = value === null || value === undefined ? "–" : show(value);
  });
  put("moment", plot.cursor.idx === null || plot.cursor.idx === undefined
    ? "Values are the newest; point at a curve, or use ← and → on it, for those of another moment."
    : `Values of ${clock(data[0][at])}`);
}

function shade(plot) {
  const context = plot.ctx, { left, top, width, height } = plot.bbox;
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.fillStyle = colourOf("--failed");
  for (const each of spans) {
    const from = plot.valToPos(each.since, "x", true), until = plot.valToPos(each.until, "x", true);
    context.fillRect(from, top, Math.max(until - from, 2), height);
  }
  context.restore();
}

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axis(more) {
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const grid = { stroke: colourOf("--line"), width: 1 };
  return { stroke: colourOf("--quiet"), font, grid, ticks: { ...grid, size: 4 }, ...more };
}

function moveCursor(plot, event) {
  const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12 }[event.key];
  const last = plot.data[0].length - 1;
  if (event.key === "Escape") plot.setCursor({ left: -10, top: -10 });
  else if (step === undefined && event.key !== "Home" && event.key !== "End") return;
  else {
    const now = plot.cursor.idx ?? last;
    const at = event.key === "Home" ? 0 : event.key === "End" ? last : Math.min(last, Math.max(0, now + step));
    plot.setCursor({ left: plot.valToPos(plot.data[0][at], "x"), top: 10 });
  }
  event.preventDefault();
}

function draw({ title, unit, factor, lines, show }) {
  const box = made("figure", undefined, "chart"), caption = made("figcaption"), holder = made("div", undefined, "plot");
  const head = made("b", title);
  if (unit) head.append(made("span", ` ${unit}`));
  const keys = lines.map(key);
  caption.append(head, ...keys.map(([node]) => node));
  box.append(caption, holder);
  element("charts").append(box);
  const chart = { box, lines, factor, show, values: keys.map(([, value]) => value) };
  chart.plot = new uPlot({
    width: holder.clientWidth || 300,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: "soak" }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
    scales: { x: { time: false, range: (_, min, max) => (min === null ? [0, 1] : [min, Math.max(max, min + 60)]) }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
    series: [{}, ...lines.map((line, place) => ({ stroke: colour(line[2]), width: 1.7, dash: DASHES[place % DASHES.length].map((each) => each * uPlot.pxRatio), points: { show: false }, spanGaps: false }))],
    axes: [
      axis({ size: 28, space: 70, incrs: [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600], values: (_, at, __, ___, step) => at.map((each) => clock(each, step < 60)) }),
      axis({ size: 52, space: 26, values: (_, at) => at.map((each) => each.toLocaleString("en-US", { maximumFractionDigits: 2 })) }),
    ],
    hooks: { drawClear: [shade], setCursor: [() => showValues(chart)] },
  }, aligned(lines, factor), holder);
  holder.tabIndex = 0;
  holder.setAttribute("role", "img");
  holder.setAttribute("aria-label", `${title}: ${lines.map((line) => line[1]).join(", ")}`);
  holder.addEventListener("keydown", (event) => moveCursor(chart.plot, event));
  new ResizeObserver(() => {
    if (holder.clientWidth && holder.clientWidth !== chart.plot.width) chart.plot.setSize({ width: holder.clientWidth, height: HEIGHT });
  }).observe(holder);
  return chart;
}

let drawn = "";

export function redraw() {
  drawn = "";
  show();
}

function show() {
  const known = { ...columns, ...derived() };
  const all = wanted().map((chart) => ({ ...chart, lines: chart.lines.filter(([column]) => known[column]?.some((value) => value !== null)) }));
  const some = all.filter((chart) => chart.lines.length && times.length > 1);
  const none = all.filter((chart) => !some.includes(chart)).map((chart) => chart.title);
  put("nothing", none.length ? `Nothing known of: ${none.join(", ")}.` : "");
  element("curves").hidden = !some.length;
  const shape = some.map((chart) => chart.lines.map(([column]) => column)).join(";");
  if (shape !== drawn) {
    charts.forEach((chart) => chart.plot.destroy());
    element("charts").replaceChildren();
    charts = some.map(draw);
    drawn = shape;
  } else {
    charts.forEach((chart) => chart.plot.setData(aligned(chart.lines, chart.factor)));
  }
  charts.forEach(showValues);
}

export function setHour(hour) {
  times = hour.times;
  columns = hour.columns;
  show();
}

export function addPoints(points) {
  const before = times.length;
  times = [...times, ...points.times];
  for (const name of new Set([...Object.keys(columns), ...Object.keys(points.columns)])) {
    const old = columns[name] ?? Array(before).fill(null), added = points.columns[name] ?? Array(points.times.length).fill(null);
    columns[name] = [...old, ...added].slice(-MAX_POINTS);
  }
  times = times.slice(-MAX_POINTS);
  show();
}

export function setCounted(run) {
  const before = counted;
  counted = !run?.info || Boolean(run.info.engine);
  if (before !== counted) show();
}

export function setSpans(verdict) {
  const found = (verdict?.findings ?? []).filter((each) => each.outcome === "fail" || each.outcome === "warning").flatMap((each) => each.spans);
  if (JSON.stringify(found) === JSON.stringify(spans)) return;
  spans = found;
  charts.forEach((chart) => chart.plot.redraw(false));
}

export function showBegin(state) {
  const info = state.run?.info, late = info && state.since > info.start_timestamp_seconds;
  const shaded = spans.length ? "Shaded: when what failed, or is warned of, happened. " : "";
  put("begun", `${shaded}${late ? `The exporter was started again at ${clock(state.since)}: the curves begin there.` : "The curves are of the last hour, a point every 5 seconds at most."}`);
}
