// The stream of events, and what happens where it is lost.

import { clock, element, made, put, showFigures, showTables, showVerdict, span, SIGNS } from "./figures.js";
import { addPoints, redraw, setHour, setCounted, setSpans, showBegin } from "./curves.js";

const SILENT_MS = 15000, AGAIN_MS = 5000;
const REASONS = { 401: "it asks for a password: load the page again", 403: "it is asked from another site", 503: "8 viewers are here already; close one of these pages" };

let chosen = new URLSearchParams(location.search).get("run") ?? "";
let source = null, heard = Date.now(), lostSince = null, reason = "", again = null;

function lost() {
  lostSince ??= Date.now();
  showStream();
}

function showStream() {
  const node = element("stream");
  node.className = lostSince ? "lost" : "quiet";
  element("main").className = lostSince ? "stale" : "";
  put("stream", lostSince
    ? `no news since ${clock(lostSince / 1000)} (${span((Date.now() - lostSince) / 1000)})${reason ? `: ${reason}` : ""}; trying again`
    : "● live");
}

async function why(address) {
  try {
    const { status } = await fetch(address, { method: "HEAD" });
    if (status === 404 && chosen) choose("");
    return REASONS[status] ?? (status === 200 ? "" : `the exporter answers HTTP ${status}`);
  } catch {
    return "the exporter gives no answer";
  }
}

function connect() {
  clearTimeout(again);
  source?.close();
  heard = Date.now();
  const address = `live/events${chosen ? `?run=${encodeURIComponent(chosen)}` : ""}`, own = (source = new EventSource(address));
  const on = (name, take) => own.addEventListener(name, (event) => {
    if (own !== source) return;
    heard = Date.now();
    lostSince = null;
    reason = "";
    take(JSON.parse(event.data));
    showStream();
  });
  on("hour", setHour);
  on("points", addPoints);
  on("state", showState);
  own.addEventListener("error", async () => {
    if (own !== source) return;
    lost();
    // A browser tries again by itself after a stream that ended, and never after a refusal.
    if (own.readyState === EventSource.CLOSED) again = setTimeout(connect, AGAIN_MS);
    reason = await why(address);
    showStream();
  });
}

function choose(run) {
  chosen = run;
  history.replaceState(null, "", run ? `?run=${encodeURIComponent(run)}` : location.pathname);
  connect();
}

function showRuns(state) {
  const select = element("runs");
  element("choice").hidden = state.runs.length < 2 && !chosen;
  const named = state.runs.map((each) => [each.run, `${each.outcome ? SIGNS[each.outcome] : SIGNS.not_judged} ${each.label ?? each.run}${each.start ? `, ${clock(each.start, false)}` : ""}${each.active ? " (under way)" : ""}`]);
  const options = [["", "the newest"], ...named];
  const texts = JSON.stringify(options);
  if (select.dataset.texts === texts) return;
  select.dataset.texts = texts;
  select.replaceChildren(...options.map(([value, text]) => {
    const option = made("option", text);
    option.value = value;
    return option;
  }));
  select.value = chosen;
}

function showState(state) {
  showRuns(state);
  showVerdict(state);
  showFigures(state);
  setCounted(state.run);
  setSpans(state.run?.verdict);
  showBegin(state);
  showTables(state);
}

element("runs").addEventListener("change", (event) => choose(event.target.value));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
setInterval(() => {
  if (Date.now() - heard > SILENT_MS) {
    lost();
    if (!again || source.readyState !== EventSource.CLOSED) connect();
  } else if (lostSince) showStream();
}, 1000);
connect();
