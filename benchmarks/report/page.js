"use strict";
const doc = JSON.parse(document.getElementById("data").textContent);
const R = doc.results, NS = "http://www.w3.org/2000/svg", tip = document.getElementById("tip");
const emit = R.emit || {}, KEYS = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];
const HUES = {minutebook: 212, origin: 12, logging: 145, bus: 290, database: 35, ledger: 325, actor: 265, floor: 0};
const state = {loop: "open", on: {}, time: {}};
const START = ["construction", "buffered", "journaled", "committed", "original", "original-fixed", "structlog",
  "queue-handler", "loguru", "opentelemetry", "signledger-2.0b0", "pykka-batching", "raw apsw"];

const about = name => {
  for (const part of [R.emit, R.throughput, R.crash, R.processes]) if (part && part[name]) return part[name].about;
  return {kind: "floor", title: name, returns: "", settings: {}, versions: {}};
};
const names = [...new Set([R.emit, R.throughput, R.crash].flatMap(part => Object.keys(part || {})))];
const TIME = ["construction", "journaled", "structlog", "original-wal"];
names.forEach(name => { state.time[name] = TIME.includes(name);
  state.on[name] = START.includes(name) || names.length < 9; });
const place = {};
names.forEach(name => { const kind = about(name).kind; place[name] = (place["#" + kind] = (place["#" + kind] || 0) + 1) - 1; });
const isDark = () => { const set = document.documentElement.dataset.theme;
  return set ? set === "dark" : matchMedia("(prefers-color-scheme:dark)").matches; };
const color = name => { const kind = about(name).kind, step = place[name] || 0, dark = isDark();
  if (kind === "floor") return `hsl(220 6% ${dark ? 70 - step * 7 : 35 + step * 8}%)`;
  return `hsl(${HUES[kind] + (step % 2 ? 14 : 0)} ${dark ? 75 : 70}% ${(dark ? 72 : 34) + (dark ? -9 : 9) * (step % 4)}%)`; };
const dash = name => ["", "6 3", "2 3", "9 3 2 3", "1 2", "12 4"][(place[name] || 0) % 6];
const ours = name => about(name).kind === "minutebook";
const shown = part => names.filter(name => state.on[name] && part && part[name]);

const us = v => v === 0 ? "0" : v >= 1e6 ? sig(v / 1e6) + " s" : v >= 1e3 ? sig(v / 1e3) + " ms" : v >= 1 ? sig(v) + " µs" : sig(v * 1e3) + " ns";
const sig = v => v === 0 ? "0" : v >= 100 ? Math.round(v).toLocaleString("en") : String(+v.toPrecision(3));
const si = v => v >= 1e6 ? sig(v / 1e6) + " M" : v >= 1e3 ? sig(v / 1e3) + " k" : sig(v);
const percent = v => (100 * v).toFixed(v > 0 && v < .001 ? 2 : 1) + " %";

function el(parent, tag, attributes, text) {
  const svg = parent.namespaceURI === NS || tag === "svg";
  const one = svg ? document.createElementNS(NS, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) one.setAttribute(key, value);
  if (text !== undefined) one.textContent = text;
  parent.appendChild(one);
  return one;
}
function hover(target, text) {
  const show = event => { tip.textContent = typeof text === "function" ? text(event) : text;
    if (!tip.textContent) { tip.style.display = "none"; return; }
    tip.style.display = "block";
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(6, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = (event.clientY + box.height + 22 > innerHeight ? event.clientY - box.height - 12 : event.clientY + 16) + "px"; };
  target.addEventListener("pointermove", show);
  target.addEventListener("pointerdown", show);
  target.addEventListener("pointerleave", () => { tip.style.display = "none"; });
}
function canvas(id, height) {
  const box = document.getElementById(id);
  box.textContent = "";
  const width = Math.max(300, box.clientWidth);
  return {box, width, height, svg: el(box, "svg", {viewBox: `0 0 ${width} ${height}`, role: "img"})};
}
const log = (low, high, from, to) => v => from + (to - from) * (Math.log10(Math.max(v, low)) - Math.log10(low)) / (Math.log10(high) - Math.log10(low));
const linear = (low, high, from, to) => v => from + (to - from) * (v - low) / ((high - low) || 1);
const decades = (low, high) => { const all = []; for (let v = 10 ** Math.floor(Math.log10(low)); v <= high * 1.0001; v *= 10) if (v >= low * .999) all.push(v); return all; };
const roundTicks = high => { const step = 10 ** Math.floor(Math.log10(high || 1)), all = []; const by = high / step > 5 ? step * 2 : high / step > 2 ? step : step / 2;
  for (let v = 0; v <= high * 1.0001; v += by) all.push(v); return all; };
function nothing(id, why) { const box = document.getElementById(id); box.textContent = ""; el(box, "p", {class: "none"}, why); }

function rows(id, list, draw, high, label) {
  // One peer a row; on a phone the name stands above its row.
  if (!list.length) return nothing(id, "No peer with these figures is shown: choose some above.");
  const narrow = document.getElementById(id).clientWidth < 620, each = narrow ? 42 : 27;
  const c = canvas(id, list.length * each + 30), left = narrow ? 0 : 286, right = c.width - 62;
  const frame = {...c, left, right, bottom: list.length * each + 4};
  const x = high(frame);
  list.forEach((name, index) => {
    const top = index * each, y = narrow ? top + 29 : top + each / 2;
    const text = el(c.svg, "text", {x: 0, y: narrow ? top + 15 : y + 4, class: "name" + (ours(name) ? " ours" : "")}, about(name).title);
    if (text.textContent.length > 44 && !narrow) text.textContent = text.textContent.slice(0, 43) + "…";
    draw(frame, name, x, y);
    hover(el(c.svg, "rect", {class: "hit", x: 0, y: top, width: c.width, height: each, rx: 5}), label(name));
  });
  return frame;
}
function xGrid(frame, x, ticks, text) {
  ticks.forEach(v => { frame.svg.insertBefore(el(frame.svg, "line", {class: "grid", x1: x(v), x2: x(v), y1: 0, y2: frame.bottom}), frame.svg.firstChild);
    el(frame.svg, "text", {x: x(v), y: frame.bottom + 16, "text-anchor": "middle"}, text(v)); });
}

function drawLatency() {
  const list = shown(emit);
  let x;
  const all = list.flatMap(name => [emit[name][state.loop].p50, emit[name][state.loop].max]);
  const low = Math.min(...all) * .8, high = Math.max(...all) * 1.2;
  const frame = rows("latency", list, (f, name, scale, y) => {
    const one = emit[name][state.loop], stroke = color(name);
    el(f.svg, "line", {x1: scale(one.p50), x2: scale(one.max), y1: y, y2: y, stroke, "stroke-width": 2, opacity: .45});
    [["p50", 6], ["p99", 4.5], ["p99.9", 3.5], ["max", 2]].forEach(([key, r]) =>
      el(f.svg, "circle", {cx: scale(one[key]), cy: y, r, fill: key === "p50" ? stroke : "var(--card)", stroke, "stroke-width": 2}));
  }, f => x = log(low, high, f.left + 8, f.right), name => latencyTip(name));
  if (!frame) return;
  xGrid(frame, x, decades(low, high), us);
  const base = emit.construction;
  if (base) el(frame.svg, "line", {class: "mark", x1: x(base[state.loop].p50), x2: x(base[state.loop].p50), y1: 0, y2: frame.bottom});
}
function latencyTip(name) {
  const one = emit[name][state.loop], a = about(name);
  return `${a.title}\n${state.loop} loop, returns in: ${a.returns}\n` + KEYS.map(key => `${key}: ${us(one[key])}` +
    (one.spread ? `  (${us(one.spread[key][0])} to ${us(one.spread[key][1])})` : "")).join("\n") +
    (one.best_to_construction ? `\n${sig(one.best_to_construction)} times building the event (best rounds)` : "") +
    `\n${one.calls.reduce((p, q) => p + q, 0).toLocaleString("en")} calls, ${si(one.per_second.median)}/s` +
    (emit[name].dropped ? `\n${emit[name].dropped.toLocaleString("en")} dropped` : "") + (one.rejected ? `\n${one.rejected} rejected` : "");
}

function lines(id, series, options) {
  if (!series.length) return nothing(id, options.none || "No peer with these figures is shown: choose some above.");
  const c = canvas(id, Math.min(460, Math.max(300, c0(id) * .55))), left = 56, right = c.width - 14, top = 10, bottom = c.height - (options.rug ? 62 : 34);
  const xs = series.flatMap(s => s.points.map(p => p[0])), ys = series.flatMap(s => s.points.map(p => p[1]));
  const x = (options.xlog ? log : linear)(Math.min(...xs), Math.max(...xs), left, right);
  const lowY = options.ylog ? Math.min(...ys, options.rule || Infinity) * .8 : 0, highY = Math.max(...ys, options.rule || 0) * 1.15;
  const y = (options.ylog ? log : linear)(lowY, highY, bottom, top);
  (options.ylog ? decades(lowY, highY) : roundTicks(highY)).forEach(v => { el(c.svg, "line", {class: "grid", x1: left, x2: right, y1: y(v), y2: y(v)});
    el(c.svg, "text", {x: left - 6, y: y(v) + 4, "text-anchor": "end"}, options.ytext(v)); });
  options.xticks(xs).forEach(v => { el(c.svg, "line", {class: "grid", x1: x(v), x2: x(v), y1: top, y2: bottom});
    el(c.svg, "text", {x: Math.min(x(v), right - 12), y: bottom + 17, "text-anchor": "middle"}, options.xtext(v)); });
  if (options.rule) el(c.svg, "line", {class: "mark", x1: left, x2: right, y1: y(options.rule), y2: y(options.rule)});
  if (options.rug) options.rug(c, x, bottom);
  series.forEach(s => {
    el(c.svg, "path", {d: s.points.map((p, i) => `${i ? "L" : "M"}${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}`).join(""), fill: "none", stroke: s.color,
      "stroke-width": s.bold ? 2.8 : 1.7, "stroke-dasharray": s.dash || "", "stroke-linejoin": "round", opacity: s.bold ? 1 : .85});
    if (s.points.length < 12) s.points.forEach(p => el(c.svg, "circle", {cx: x(p[0]), cy: y(p[1]), r: 3.5, fill: s.color}));
  });
  const cursor = el(c.svg, "line", {class: "mark", y1: top, y2: bottom, visibility: "hidden"});
  const hit = el(c.svg, "rect", {x: left, y: top, width: right - left, height: bottom - top, fill: "transparent"});
  hover(hit, event => {
    const box = c.svg.getBoundingClientRect(), at = (event.clientX - box.left) * c.width / box.width, level = (event.clientY - box.top) * c.height / box.height;
    const near = series.map(s => { const p = s.points.reduce((best, p) => Math.abs(x(p[0]) - at) < Math.abs(x(best[0]) - at) ? p : best);
      return {s, p, away: Math.abs(y(p[1]) - level)}; });
    const first = near.reduce((p, q) => p.away < q.away ? p : q);
    cursor.setAttribute("x1", x(first.p[0])); cursor.setAttribute("x2", x(first.p[0])); cursor.setAttribute("visibility", "visible");
    return options.xtip(first.p[0]) + "\n" + near.sort((p, q) => q.p[1] - p.p[1]).slice(0, 16)
      .map(n => `${n === first || n.s === first.s ? "▸ " : "   "}${n.s.name}: ${n.p[2] || options.ytext(n.p[1])}`).join("\n");
  });
  hit.addEventListener("pointerleave", () => cursor.setAttribute("visibility", "hidden"));
  if (options.legend) { const box = el(c.box, "p", {class: "see"}); series.forEach(s => { const one = el(box, "span", {style: "white-space:nowrap;margin-right:14px;display:inline-block"});
    el(one, "i", {style: `display:inline-block;width:22px;border-top:3px ${s.dash ? "dashed" : "solid"} ${s.color};margin-right:6px;vertical-align:middle`}); one.append(s.name); }); }
}
const c0 = id => document.getElementById(id).clientWidth;

function drawSpectrum() {
  lines("spectrum", shown(emit).map(name => ({name: about(name).title, color: color(name), dash: dash(name), bold: ours(name), points: emit[name][state.loop].spectrum})), {
    xlog: true, ylog: true, ytext: us, legend: true, xtip: v => `${sig(100 * (1 - 1 / v))} % of the calls took at most`,
    xticks: xs => [1, 2, ...decades(10, Math.max(...xs))], xtext: v => v < 2 ? "0" : v < 3 ? "50%" : (100 - 100 / v).toFixed(Math.max(0, Math.log10(v) - 2)) + "%"});
}
function drawTimeline() {
  const list = names.filter(name => emit[name] && state.time[name] && emit[name].open.timeline);
  const commits = list.filter(name => (emit[name].open.timeline.commits_ms || []).length);
  lines("timeline", list.map(name => { const t = emit[name].open.timeline;
    return {name: about(name).title, color: color(name), dash: "", bold: ours(name), points: t.worst_us.map((v, i) => [i * t.bucket_ms, v])}; }), {
    ylog: true, ytext: us, legend: true, xtip: v => `${Math.round(v)} ms`, xticks: xs => roundTicks(Math.max(...xs)), xtext: v => Math.round(v) + " ms",
    rug: (c, x, bottom) => commits.slice(0, 3).forEach((name, row) => emit[name].open.timeline.commits_ms.filter(v => v >= 0 && v <= emit[name].open.timeline.worst_us.length * emit[name].open.timeline.bucket_ms)
      .forEach(v => el(c.svg, "line", {x1: x(v), x2: x(v), y1: bottom + 24 + 12 * row, y2: bottom + 33 + 12 * row, stroke: color(name), "stroke-width": .8, opacity: .7})))});
}
function drawThroughput() {
  const part = R.throughput || {}, list = shown(part).sort((p, q) => part[q].per_second.median - part[p].per_second.median);
  let x; const high = Math.max(...list.map(name => part[name].per_second.max));
  const frame = rows("throughput", list, (f, name, scale, y) => {
    const one = part[name];
    el(f.svg, "rect", {x: f.left, y: y - 7, width: Math.max(1, scale(one.per_second.median) - f.left), height: 14, rx: 3, fill: color(name), opacity: ours(name) ? 1 : .75});
    el(f.svg, "line", {x1: scale(one.per_second.min), x2: scale(one.per_second.max), y1: y, y2: y, stroke: "var(--ink)", "stroke-width": 1.5});
    el(f.svg, "text", {x: scale(one.per_second.max) + 6, y: y + 4}, si(one.per_second.median) + (one.recorded < one.emitted ? ` · dropped ${percent(1 - one.recorded / one.emitted)}` : ""));
  }, f => x = linear(0, high, f.left, f.right - 70), name => { const one = part[name], a = about(name);
    return `${a.title}\n${si(one.per_second.median)}/s end to end (${si(one.per_second.min)} to ${si(one.per_second.max)})\nemit returns in: ${a.returns}\n` +
      `${sig(one.cpu_us_an_event.median)} µs of processor an event\n${Object.entries(a.settings).map(([k, v]) => k + ": " + v).join(", ")}`; });
  if (frame) xGrid(frame, x, roundTicks(high), si);
}
function drawLoss() {
  const part = R.crash || {}, list = shown(part).sort((p, q) => part[q][state.loop].share - part[p][state.loop].share);
  let x;
  const frame = rows("loss", list, (f, name, scale, y) => {
    const one = part[name][state.loop];
    el(f.svg, "rect", {x: f.left, y: y - 7, width: scale(one.share) - f.left, height: 14, rx: 3, fill: "var(--bad)", opacity: .8});
    el(f.svg, "text", {x: scale(one.share) + 6, y: y + 4, style: one.lost ? "" : "fill:var(--good);font-weight:650"}, one.lost ? percent(one.share) : "none");
  }, f => x = linear(0, 1, f.left, f.right - 10), name => { const one = part[name][state.loop];
    return `${about(name).title}\n${one.lost.toLocaleString("en")} of ${one.acknowledged.toLocaleString("en")} lost\nemit returns in: ${about(name).returns}`; });
  if (frame) xGrid(frame, x, [0, .25, .5, .75, 1], v => 100 * v + " %");
}
function drawProcesses() {
  const part = R.processes || {};
  lines("processes", Object.keys(part).map(name => ({name: about(name).title, color: color(name), dash: dash(name), bold: ours(name),
    points: Object.entries(part[name].processes).map(([count, one]) => [+count, one.per_second, `${si(one.per_second)}/s, fairness ${one.fairness.toFixed(2)}, worst emit ${us(one.latency_us_max)}` + (one.lost ? `, ${one.lost} lost` : "")])})), {
    xlog: true, ylog: true, ytext: v => si(v) + "/s", legend: true, none: "Not measured in this run.", xtip: v => v + (v > 1 ? " processes" : " process"), xticks: xs => [...new Set(xs)], xtext: v => v});
}
const many = size => si(+size).replace(/ /g, "");
function drawScale() {
  const sizes = Object.entries((R.scale || {}).sizes || {});
  const of = (key, name, hue) => ({name, color: `hsl(${hue} 70% ${isDark() ? 65 : 42}%)`, bold: true, points: sizes.map(([size, one]) => [+size, one[key].median, `${us(one[key].median)} (${us(one[key].min)} to ${us(one[key].max)})`])});
  lines("scale", sizes.length ? [of("told_us", "told and committed, end to end", 212), of("told_cpu_us", "of that, processor", 265), of("appended_us", "appended to the ledger, of 1,000 users", 35)] : [], {
    xlog: true, ytext: us, legend: true, none: "Not measured in this run.", xtip: v => si(v) + " entries", xticks: xs => [...new Set(xs)], xtext: many});
}
function drawQuery() {
  const part = Object.entries(R.query || {});
  const spans = part.length ? Object.keys(part[0][1].spans) : [];
  lines("query", spans.map((span, index) =>
    ({name: span, bold: true, dash: "", color: `hsl(${index * 67 + 20} 65% ${isDark() ? 65 : 42}%)`, points: part.map(([size, one]) => [+size, one.spans[span].reader_ms.median, sig(one.spans[span].reader_ms.median) + " ms, at most " + sig(one.spans[span].reader_ms.max)])})), {
    xlog: true, ylog: true, rule: 20, ytext: v => sig(v) + " ms", legend: true, none: "Not measured in this run.", xtip: v => si(v) + " entries", xticks: xs => [...new Set(xs)], xtext: many});
}
function drawMemory() {
  lines("memory", ((R.scale || {}).memory || []).map((one, index) => ({name: `${one.delivery}, backlog_max ${one.backlog_max.toLocaleString("en")}`, bold: true, dash: ["", "6 3", "2 3"][index % 3],
    color: `hsl(${index * 80 + 212} 65% ${isDark() ? 65 : 42}%)`, points: one.told_at.map((v, i) => [v, Math.max(0, one.grown_bytes[i] / 2 ** 20)])})), {
    ytext: v => sig(v) + " MiB", legend: true, none: "Not measured in this run.", xtip: v => si(v) + " events told", xticks: xs => roundTicks(Math.max(...xs)), xtext: si});
}

function cards() {
  const box = document.getElementById("cards"), card = (value, text) => { const one = el(box, "div", {class: "card"}); el(one, "b", {}, value); el(one, "span", {}, text); };
  const j = emit.journaled, t = R.throughput || {}, c = R.crash || {};
  if (j && j.closed.best_to_construction) card(j.closed.best_to_construction.toFixed(2) + " ×", "building the event: an emit of Minutebook, safe from kill −9 (p50, best rounds)");
  if (j && emit.structlog) card((emit.structlog.closed.p50 / j.closed.p50).toFixed(1) + " ×", "as fast as a structlog line (p50, closed loop)");
  if (t.journaled && t.original) card(Math.round(t.journaled.per_second.median / t.original.per_second.median) + " ×", "the events a second of the system that we come from");
  if (t.journaled && t["raw apsw"]) card((t.journaled.per_second.median / t["raw apsw"].per_second.median).toFixed(2), "of raw APSW executemany, end to end, with the journal, order and receipts");
  if (c.journaled) card(String(c.journaled.closed.lost + c.journaled.open.lost), `of ${(c.journaled.closed.acknowledged + c.journaled.open.acknowledged).toLocaleString("en")} events lost after kill −9`);
}
function table(parent, head, body) {
  const t = el(el(parent, "div", {class: "wide"}), "table"), tr = el(t, "tr");
  head.forEach(text => el(tr, "th", {}, text));
  body.forEach(row => { const line = el(t, "tr"); row.forEach(cell => el(line, "td", cell.class ? {class: cell.class} : {}, cell.text ?? cell)); });
}
function chips(box, list, on) {
  list.forEach(name => { const b = el(box, "button", {type: "button", "aria-pressed": on[name], title: about(name).title, class: "chip"});
    const dot = el(b, "i"); b.append(name); b.recolor = () => { dot.style.background = color(name); };
    b.onclick = () => { on[name] = !on[name]; b.setAttribute("aria-pressed", on[name]); draw(); }; });
}
function once() {
  cards();
  const nav = document.getElementById("peers");
  chips(nav, names, state.on);
  chips(document.getElementById("timepeers"), names.filter(name => emit[name] && emit[name].open.timeline), state.time);
  const all = el(nav, "button", {type: "button", "aria-pressed": true}, "all / few"); let every = false;
  all.onclick = () => { every = !every; names.forEach((name, i) => { state.on[name] = every || START.includes(name); nav.children[i].setAttribute("aria-pressed", state.on[name]); }); draw(); };
  document.querySelectorAll("[data-switch]").forEach(box => [["open", "open loop, 2,000/s"], ["closed", "closed loop"]].forEach(([loop, text]) => {
    const b = el(box, "button", {type: "button", "data-loop": loop, "aria-pressed": loop === state.loop}, text);
    b.onclick = () => { state.loop = loop; document.querySelectorAll("[data-loop]").forEach(one => one.setAttribute("aria-pressed", one.dataset.loop === loop)); draw(); }; }));
  document.getElementById("theme").onclick = () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; draw(); };
  table(document.getElementById("goals"), ["", "goal", "measured"], doc.verdicts.map(v => [
    {text: v.holds === null ? "open" : v.holds ? "holds" : "not yet", class: v.holds === null ? "open" : v.holds ? "yes" : "no"}, v.goal, v.measured]));
  if (Object.keys(emit).length) table(document.getElementById("table"), ["peer", "loop", "returns in", ...KEYS, "calls", "dropped", "rejected", "to building"], Object.keys(emit).flatMap(name =>
    ["closed", "open"].map(loop => { const one = emit[name][loop]; return [about(name).title, loop, about(name).returns, ...KEYS.map(key => us(one[key])), one.calls.reduce((p, q) => p + q, 0).toLocaleString("en"),
      String(emit[name].dropped || 0), String(one.rejected), one.best_to_construction ? one.best_to_construction.toFixed(2) : ""]; })));
  const list = el(document.getElementById("conditions"), "dl"), add = (name, value) => { el(list, "dt", {}, name); el(list, "dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value)); };
  Object.entries(doc.conditions).forEach(([name, value]) => add(name.replace(/_/g, " "), value));
  if (R.verify && Object.keys(R.verify).length) Object.entries(R.verify).forEach(([size, one]) => add(`verify, ${si(+size)} entries`, `${si(one.per_second.median)} entries/s`));
  Object.entries(doc.left_out).forEach(([name, why]) => add("left out: " + name, why));
  names.forEach(name => { const a = about(name); if (Object.keys(a.settings).length) add(name, {...a.versions, ...a.settings}); });
}
function draw() {
  document.querySelectorAll(".chip").forEach(b => b.recolor());
  [drawLatency, drawSpectrum, drawTimeline, drawThroughput, drawLoss, drawProcesses, drawScale, drawQuery, drawMemory].forEach(one => one());
}
once();
draw();
let last = innerWidth;
addEventListener("resize", () => { if (innerWidth !== last) { last = innerWidth; draw(); } });
matchMedia("(prefers-color-scheme:dark)").addEventListener("change", draw);
