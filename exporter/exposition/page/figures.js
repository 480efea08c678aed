// Numbers and sentences of the page. Text of others goes in as text alone, by textContent.

export const SIGNS = { pass: "✓", fail: "✕", warning: "▲", inconclusive: "?", not_judged: "–" };
const WORDS = { pass: "pass", fail: "fail", warning: "warning", inconclusive: "inconclusive", not_judged: "not judged yet" };
const UNKNOWN = "–";
// The alerts that have a page of the runbook.
const ALERTS = new Set((document.body.dataset.alerts ?? "").split(" ").filter(Boolean));

export const element = (id) => document.getElementById(id);

export function made(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

export function put(id, text) {
  const node = element(id);
  // What is the same is not written again: a screen reader would read it again.
  if (node.textContent !== text) node.textContent = text;
  return node;
}

const two = (number) => String(number).padStart(2, "0");
export const clock = (unix, seconds = true) => {
  const date = new Date(unix * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}${seconds ? `:${two(date.getSeconds())}` : ""}`;
};
export const span = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds)), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
};
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);
export const count = (value) => (known(value) ? value.toLocaleString("en-US", { maximumFractionDigits: 0 }) : UNKNOWN);
export const number = (value) => {
  if (!known(value)) return UNKNOWN;
  const digits = Math.abs(value) >= 100 || value === 0 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
};
export const time = (seconds) =>
  !known(seconds) ? UNKNOWN : seconds < 0.9995 ? `${(seconds * 1000).toLocaleString("en-US", { maximumSignificantDigits: 3 })} ms` : `${number(seconds)} s`;
export const bytes = (value) =>
  !known(value) ? UNKNOWN : Math.abs(value) >= 2 ** 30 ? `${number(value / 2 ** 30)} GiB` : `${number(value / 2 ** 20)} MiB`;
const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${bytes(Math.abs(value))}`;

const forShell = (text) => (/^[\w.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const named = (counts) => Object.entries(counts).map(([name, value]) => `${name}: ${count(value)}`).join(", ");

function sentence(run, verdict) {
  const outcome = verdict ? verdict.outcome : "not_judged";
  const word = `${SIGNS[outcome]} ${WORDS[outcome]}`;
  if (!verdict) return run.active ? word : "No verdict is known";
  if (!verdict.so_far) return `Verdict: ${word}`;
  if (run.active) return outcome === "not_judged" ? word : `${word} so far`;
  return `No verdict: last judged ${clock(verdict.at)}, ${word}`;
}

function timeOf(run) {
  const info = run.info;
  if (!info) return "";
  const elapsed = run.elapsed_seconds, planned = info.planned_duration_seconds;
  const phase = run.phase === "load" && !info.engine ? "watching" : run.phase;
  if (run.ended) return `ended ${clock(run.ended)}, after ${span(run.ended - info.start_timestamp_seconds)}`;
  if (run.silent_since) return `no sign of life since ${clock(run.silent_since)}: its command was killed, or cannot reach this exporter`;
  const rest = info.starts > 1 ? " of load, without its rest" : "";
  if (run.left_seconds > 0) return `${phase} · ${span(elapsed)} of ${span(planned)} · ${span(run.left_seconds)} left${rest}`;
  return `${phase} · ${span(elapsed)} since the begin${planned ? `, ${span(planned)} of load planned` : ""}`;
}

function findings(verdict) {
  const all = verdict ? verdict.findings : [];
  const rows = ["fail", "inconclusive", "warning"].flatMap((outcome) => all.filter((each) => each.outcome === outcome)).map((each) => {
    const row = made("li");
    row.append(made("b", `${SIGNS[each.outcome]} ${each.outcome} · ${each.check}`, each.outcome), " ", ...linked(each.text));
    return row;
  });
  element("reasons").replaceChildren(...rows);
  const passed = all.filter((each) => each.outcome === "pass").map((each) => each.check);
  put("passed", passed.length ? `${SIGNS.pass} pass: ${passed.join(", ")}` : "").hidden = !passed.length;
  const byText = new Map();
  for (const each of all) if (each.outcome === "not_judged") byText.set(each.text, [...(byText.get(each.text) ?? []), each.check]);
  const box = element("unjudged");
  box.hidden = !byText.size;
  const names = [...byText.values()].flat();
  box.firstElementChild.textContent = `${SIGNS.not_judged} not judged: ${names.join(", ")}`;
  box.lastElementChild.replaceChildren(...[...byText].map(([text, checks]) => made("li", `${checks.join(", ")}: ${text}`)));
}

export function showVerdict(state) {
  const run = state.run, verdict = run?.verdict, info = run?.info;
  element("verdict").className = run && verdict ? verdict.outcome : "";
  const text = !run ? (state.takes_runs ? "No run yet" : "This exporter takes no runs") : sentence(run, verdict);
  put("sentence", text);
  const models = info ? info.pairs.map((each) => each.model).join(", ") : "";
  put("about", !run
    ? state.takes_runs ? "Start one on this machine, and it is shown here:" : "Its --ingest.listen-address is empty."
    : info ? `${info.label} · ${info.engine ? `${models} at ${info.target} · ${info.connections} connections, ${info.engine}` : `${info.target} · watched; the load is somebody else's`}` : "The exporter was restarted since: of this run its verdict alone is known.");
  const command = element("command");
  command.hidden = Boolean(run) || !state.takes_runs;
  put("command", `soak run --target ${forShell(state.router ?? "http://ROUTER:8080")} --duration 45m --exporter ${location.origin}`);
  const left = timeOf(run ?? {});
  element("time").hidden = !left;
  put("left", left);
  const progress = element("progress");
  // What ends when somebody ends it has no share that is done.
  progress.hidden = !run?.active || !info?.planned_duration_seconds;
  if (info) progress.value = Math.min(1, run.elapsed_seconds / Math.max(1, info.planned_duration_seconds));
  findings(verdict);
  const late = verdict?.so_far && run.active && state.now - verdict.at > 30;
  put("judged", late ? `judged ${clock(verdict.at)}, and not since` : "").hidden = !late;
  document.title = run ? `${text}${run.left_seconds > 0 ? ` · ${span(run.left_seconds)} left` : ""} – soak` : "soak, live";
}

function figure(name, main, more, kind, words) {
  const box = made("div", undefined, kind);
  box.append(made("dt", name), made("dd", main, words ? "main words" : "main"), made("dd", more, "more"));
  return box;
}

function memoryTrend(around, memory) {
  if (known(around?.router_memory_bytes_per_hour)) return `${signed(around.router_memory_bytes_per_hour)} an hour`;
  const start = around?.router_memory_at_start_bytes;
  return known(start) && known(memory) ? `${signed(memory - start)} since the start; a trend needs 20 min` : "trend not known yet";
}

function alerts(run) {
  const verdict = run.verdict, names = verdict?.around.alerts;
  if (!names) return figure("Alerts", "not known", "the run asks no Prometheus (--prometheus)", "", true);
  const title = verdict.so_far ? "Alerts firing" : "Alerts that fired";
  const box = figure(title, names.length ? "" : "none", "as the run passes them on", names.length ? "bad" : "", true);
  for (const name of names) box.querySelector(".main").append(breakable(name));
  return box;
}

function breakable(name) {
  const line = made("div", "▲ "), node = ALERTS.has(name) ? toRunbook(name, "") : made("span");
  // A long name may be parted before each of its words.
  for (const part of name.split(/(?<=[a-z])(?=[A-Z])/)) node.append(part, made("wbr"));
  line.append(node);
  return line;
}

// A text in which the name of an alert is a link to its page.
function linked(text) {
  return text.split(/(\w+)/).map((part) => (ALERTS.has(part) ? toRunbook(part, part) : part));
}

function toRunbook(alert, text) {
  const link = made("a", text);
  link.href = `runbook/${alert}`;
  return link;
}

const BROKEN = ["truncated", "stalled", "disconnect", "timeout"];

function streamFigures(run, streams) {
  if (!streams.counted) return [figure("Streams", "0", "none has ended yet", "")];
  const now = streams.recent_first_token, whole = streams.first_token, live = known(now.p99);
  const ends = Object.keys(streams.ends), left = streams.aborted ? `; ${count(streams.aborted)} left by us` : "";
  const skipped = streams.skipped ? `; ${count(streams.skipped)} not sent, too many in flight` : "";
  const flagged = streams.without_usage ? `; of ${count(streams.without_usage)} streams events, for want of usage` : "";
  const late = known(streams.send_lateness) ? ` · sends ${time(streams.send_lateness)}` : "";
  const boxes = [
    figure("First token p99", time(live ? now.p99 : whole.p99), live ? `p50 ${time(now.p50)}, newest · p99 ${time(whole.p99)}, whole run` : `p50 ${time(whole.p50)}, whole run`),
    run.active
      ? figure("Tokens now", `${number(streams.tokens_per_second)} /s`, `${count(streams.output_tokens)} in all${flagged}`)
      : figure("Output tokens", count(streams.output_tokens), `whole run${flagged}`),
    figure("Streams complete", count(streams.complete), `${ends.length ? named(streams.ends) : "every one"}${left}${skipped}`, ends.some((end) => BROKEN.includes(end)) ? "bad" : ends.length ? "doubt" : ""),
  ];
  if (run.info.goodput) boxes.push(figure("Goodput", known(streams.goodput) ? `${number(streams.goodput * 100)} %` : UNKNOWN, `${run.info.goodput}, ${run.active ? "last minute" : "whole run"}`));
  const added = streams.overhead;
  if (added) boxes.push(figure("Router adds", time(added.median), `to the first token; 95 %: ${time(added.low)} to ${time(added.high)}, ${count(added.pairs)} pairs`));
  boxes.push(figure("Own lag p99", time(streams.client_lag), `reads${late}; more than ${time(streams.late_bound)} is too late`, streams.is_late ? "doubt" : ""));
  return boxes;
}

export function showFigures(state) {
  const run = state.run, scrape = state.scrape, boxes = [];
  if (run?.info?.engine) {
    const whole = run.active ? "last 10 s" : "whole run";
    const failed = { ...run.statuses, ...run.failures }, bad = Object.keys(failed).length > 0;
    const lastSuccess = run.active && run.last_success && state.now - run.last_success > 10 ? `; the last ${clock(run.last_success)}` : "";
    boxes.push(
      run.active
        ? figure("Success now", `${number(run.successes_per_second)} /s`, `${count(run.successes)} in all${lastSuccess}`, lastSuccess ? "bad" : "")
        : figure("Successes", count(run.successes), "whole run", ""),
      run.active
        ? figure("Failed now", `${number(run.failures_per_second)} /s`, bad ? named(failed) : "none so far", run.failures_per_second > 0 ? "bad" : bad ? "doubt" : "")
        : figure("Failures", count(Object.values(failed).reduce((sum, each) => sum + each, 0)), bad ? named(failed) : "whole run", bad ? "doubt" : ""),
      figure("p99", time(run.quantiles["0.99"]), `p50 ${time(run.quantiles["0.5"])} · p95 ${time(run.quantiles["0.95"])}, ${whole}`),
    );
    if (run.streams) boxes.push(...streamFigures(run, run.streams));
    if (run.stalled) boxes.push(figure("Stalled", `${count(run.stalled)} of ${count(run.open)}`, "connections without an answer", "bad"));
  }
  const around = run?.active ? run.verdict?.around : undefined, down = around?.router_down_seconds;
  if (scrape) {
    boxes.push(figure("Router memory", bytes(scrape.memory), run?.active ? memoryTrend(around, scrape.memory) : "resident"));
    const nodes = Object.values(scrape.nodes).reduce((sum, each) => sum + each, 0), online = scrape.nodes.online ?? 0;
    const isDown = known(down) || scrape.router_up === false;
    boxes.push(figure("Router", isDown ? "✕ down" : scrape.router_up ? "up" : "not known", [known(down) ? `no answer for ${span(down)}` : "", nodes ? `${count(online)} of ${count(nodes)} nodes online` : ""].filter(Boolean).join(", ") || "its probe", isDown ? "bad" : nodes && online < nodes ? "doubt" : ""));
  }
  if (run?.info) boxes.push(alerts(run));
  element("figures").replaceChildren(...boxes);
  element("figures").hidden = !boxes.length;
}

export function showTables(state) {
  const scrape = state.scrape;
  put("router", state.router ?? "watches no router");
  put("release", `soak exporter ${state.release} on ${state.host}`);
  put("watched", state.router ? `The router ${state.router}, from ${state.host}.` : "No router.");
  element("tables").hidden = false;
  const age = scrape ? state.now - scrape.at : 0;
  put("scrape", !scrape ? "Nobody has scraped /metrics since this exporter began; this page makes no scrape of its own."
    : age > 30 ? `Nobody scrapes /metrics: this is as of ${clock(scrape.at)}.` : `as of ${clock(scrape.at)}`);
  element("processes").replaceChildren(...(scrape?.processes ?? []).map((each) => {
    const row = made("tr");
    row.append(made("td", each.name), made("td", each.role), made("td", each.up ? `${SIGNS.pass} found` : `${SIGNS.fail} not found`, each.up ? "" : "bad"), made("td", bytes(each.memory_bytes), "n"));
    return row;
  }));
  element("collectors").replaceChildren(...(scrape?.collectors ?? []).map((each) => {
    const row = made("tr"), since = each.last_success ? `, last succeeded ${clock(each.last_success)}` : ", never yet";
    row.append(made("td", each.name), made("td", each.works ? `${SIGNS.pass} succeeded` : `${SIGNS.fail} failed${since}`, each.works ? "" : "bad"), made("td", time(each.seconds), "n"));
    return row;
  }));
}
