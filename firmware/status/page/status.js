"use strict";

// The page asks for status.json and draws what has changed. Every text goes in as text.

const keep = 120; // samples in a plot
const svgns = "http://www.w3.org/2000/svg";
const $ = id => document.getElementById(id);

function element(name, text, cls) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (cls) e.className = cls;
  return e;
}

// 1234567 -> "1.23 M" + unit
function amount(n, unit) {
  const steps = ["", "k", "M", "G", "T"];
  let i = 0;
  while (Math.abs(n) >= 1000 && i < steps.length - 1) { n /= 1000; i++; }
  const digits = i === 0 && Number.isInteger(n) ? 0 : n >= 100 ? 0 : n >= 10 ? 1 : 2;
  return (n.toFixed(digits) + " " + steps[i] + unit).trim();
}

function duration(seconds) {
  const s = Math.floor(seconds), two = n => String(n).padStart(2, "0");
  const days = Math.floor(s / 86400);
  return (days ? days + " d " : "") + two(Math.floor(s / 3600) % 24) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
}

// A Plot shows one or two series, newest to the right, from zero to the largest value.
class Plot {
  constructor(parent, title, names, unit) {
    this.title = title; this.names = names; this.unit = unit;
    this.series = names.map(() => []);
    const figure = element("figure"), caption = element("figcaption");
    caption.append(element("b", title));
    this.values = names.map((name, i) => {
      const span = element("span", undefined, "s" + i);
      if (names.length > 1) span.append(element("i"), " " + name + " ");
      const value = element("span");
      span.append(value);
      caption.append(span);
      return value;
    });
    this.svg = document.createElementNS(svgns, "svg");
    this.svg.setAttribute("viewBox", "0 0 " + (keep - 1) + " 40");
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    const base = document.createElementNS(svgns, "line");
    for (const [k, v] of Object.entries({ x1: 0, x2: keep - 1, y1: 39.5, y2: 39.5, class: "base" })) base.setAttribute(k, v);
    this.svg.append(base);
    this.lines = names.map((_, i) => {
      const line = document.createElementNS(svgns, "polyline");
      line.setAttribute("class", "s" + i);
      this.svg.append(line);
      return line;
    });
    figure.append(caption, this.svg);
    parent.append(figure);
    this.figure = figure;
  }
  add(...values) {
    values.forEach((v, i) => {
      const s = this.series[i];
      s.push(Math.max(v, 0));
      if (s.length > keep) s.shift();
    });
    const top = Math.max(...this.series.flat()) || 1;
    const texts = this.series.map((s, i) => {
      const from = keep - s.length;
      this.lines[i].setAttribute("points", s.map((v, x) => (from + x) + "," + (39 - 37 * v / top).toFixed(2)).join(" "));
      const text = amount(s[s.length - 1], this.unit);
      this.values[i].textContent = text;
      return (this.names.length > 1 ? this.names[i] + " " : "") + text;
    });
    this.svg.setAttribute("aria-label", this.title + ": " + texts.join(", ") + "; largest " + amount(top, this.unit));
  }
}

const plots = {}, rates = new Map();
let last = null;

function facts(s) {
  const list = [
    ["Uptime", duration(s.uptime)],
    ["Clock", s.time.replace("T", " ").replace(/\.\d+/, "")],
    ["Time source", s.timeSource],
    ["Entropy source", s.entropySource],
    ["Addresses", s.addresses.join(", ") || "those of the operating system"],
    ["RAM", s.memory.ram ? amount(s.memory.ram - s.memory.free, "B") + " of " + amount(s.memory.ram, "B") : "unknown"],
    ["Heap, limit", amount(s.memory.heap, "B") + (s.memory.limit ? ", " + amount(s.memory.limit, "B") : ", none")],
    ["Goroutines", String(s.memory.goroutines)],
    ["Go", s.go],
  ];
  const dl = $("facts");
  if (!dl.children.length) {
    for (const [name] of list) {
      const div = element("div");
      div.append(element("dt", name), element("dd"));
      dl.append(div);
    }
  }
  list.forEach(([, value], i) => { dl.children[i].lastChild.textContent = value; });
}

function rows(s) {
  const body = $("rows");
  while (body.children.length > s.services.length) body.lastChild.remove();
  s.services.forEach((v, i) => {
    let tr = body.children[i];
    if (!tr) {
      tr = element("tr");
      const th = element("th");
      th.scope = "row";
      tr.append(th);
      for (let n = 0; n < 8; n++) tr.append(element("td"));
      body.append(tr);
    }
    tr.children[0].replaceChildren(v.name + " ", element("small", v.kind === v.name ? "" : v.kind));
    const errors = Object.entries(v.errors).map(([k, n]) => k + " " + n).join(", ") || "none";
    [v.open, v.accepted, v.handshakes, v.resumed, v.messages, amount(v.received, "B"), amount(v.sent, "B"), errors]
      .forEach((x, n) => { tr.children[n + 1].textContent = x; });
  });
}

function draw(s) {
  const sum = f => s.services.reduce((n, v) => n + f(v), 0);
  if (!plots.busy) {
    plots.busy = new Plot($("plots"), "Processor", ["busy"], "%");
    plots.memory = new Plot($("plots"), "Memory", ["heap", "stacks"], "B");
    plots.open = new Plot($("plots"), "Connections", ["open"], "");
    plots.hand = new Plot($("plots"), "Handshakes, errors", ["handshakes", "errors"], "/s");
  }
  const errors = v => Object.values(v.errors).reduce((a, b) => a + b, 0);
  plots.memory.add(s.memory.heap, s.memory.stacks);
  plots.open.add(sum(v => v.open));
  const span = last ? s.uptime - last.uptime : 0;
  if (span > 0) {
    // Services are told apart by their order, which stays.
    const before = last.services;
    const per = f => s.services.reduce((n, v, i) => n + (before[i] ? (f(v) - f(before[i])) / span : 0), 0);
    plots.busy.add(100 * (s.busy - last.busy) / span);
    plots.hand.add(per(v => v.handshakes), per(errors));
    s.services.forEach((v, i) => {
      const b = before[i];
      if (!b) return;
      if (!rates.has(i)) rates.set(i, new Plot($("rates"), v.name, ["in", "out"], "B/s"));
      rates.get(i).add((v.received - b.received) / span, (v.sent - b.sent) / span);
    });
  }
  last = s;
}

let timer = 0, paused = false;

function state(text, bad) {
  const e = $("state");
  if (e.textContent !== text) e.textContent = text;
  e.classList.toggle("bad", bad);
}

async function refresh() {
  clearTimeout(timer);
  try {
    const answer = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error("status " + answer.status);
    const s = await answer.json();
    if (last && s.uptime < last.uptime) last = null; // it has started anew
    $("board").textContent = s.board;
    facts(s);
    rows(s);
    draw(s);
    state(paused ? "Paused" : "Live", false);
  } catch (error) {
    state("No answer: " + error.message, true);
  }
  schedule();
}

function schedule() {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(refresh, 1000 * Number($("every").value));
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").textContent = paused ? "Resume" : "Pause";
  $("pause").setAttribute("aria-pressed", String(paused));
  state(paused ? "Paused" : "Live", false);
  if (paused) clearTimeout(timer); else refresh();
});
$("every").addEventListener("change", schedule);
document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else if (!paused) refresh(); });
refresh();
