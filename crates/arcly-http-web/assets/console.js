"use strict";

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

const drawn = (name, attributes = {}, text = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};

const last = (path) => path.replace(/[\w]+::/g, "");

function table(target, heads, rows) {
  const head = element("tr", {}, ...heads.map((h) => element("th", h.number ? { class: "number" } : {}, h.text)));
  const body = rows.map((row) =>
    element("tr", {}, ...row.map((cell, at) => element("td", heads[at].number ? { class: "number" } : {}, cell))));
  document.getElementById(target).replaceChildren(head, ...body);
}

const code = (text) => element("code", {}, text);

function routes(list) {
  const heads = [{ text: "Method" }, { text: "Path" }, { text: "Access" }, { text: "Handler" },
    { text: "Requests", number: true }, { text: "Failed", number: true }, { text: "Mean", number: true }];
  table("routes", heads, list.map(({ route, count, failures, mean_ms }) => [
    code(route.method),
    code(route.path),
    route.access,
    element("span", { title: route.place }, route.handler.split("::").slice(-2).join("::")),
    String(count),
    element("span", failures ? { class: "bad" } : {}, String(failures)),
    count ? `${mean_ms.toFixed(2)} ms` : "",
  ]));
}

function config(list) {
  table("config", [{ text: "Key" }, { text: "Value" }, { text: "From" }],
    list.map((entry) => [code(entry.key), code(String(entry.value ?? "")), String(entry.origin ?? "")]));
}

function tasks(list) {
  const heads = [{ text: "Name" }, { text: "Kind" }, { text: "State" }, { text: "Restarts", number: true }, { text: "Last fault" }];
  table("tasks", heads, list.map((task) => [
    code(task.name), task.kind,
    element("span", task.state === "failed" || task.state === "cut" ? { class: "bad" } : {}, task.state),
    String(task.restarts ?? 0), String(task.last_fault ?? ""),
  ]));
}

// Times of spans on a line as long as their request.
const WIDE = 200;

function bars(spans, whole) {
  const svg = drawn("svg", { width: WIDE, height: 10, viewBox: `0 0 ${WIDE} 10`, "aria-hidden": "true" });
  svg.append(drawn("rect", { class: "whole", width: WIDE, height: 10 }));
  for (const span of spans) {
    // What is very short is still to be seen, and what ends the request, too.
    const wide = Math.min(WIDE, Math.max(1, (span.took_ms / whole) * WIDE));
    const x = Math.min(WIDE - wide, (span.offset_ms / whole) * WIDE);
    svg.append(drawn("rect", { class: span.failure === null ? "span" : "span bad", x, y: 1, width: wide, height: 8 }));
  }
  return svg;
}

const millis = (time) => `${time.toFixed(2)} ms`;

// The page is drawn anew every few seconds: what was opened stays open.
const opened = new Set();

function timeline(request) {
  const own = { name: [request.method, request.route ?? request.path].join(" "), depth: 0, offset_ms: 0, took_ms: request.took_ms, failure: request.failure };
  const all = [own, ...request.spans];
  // A span may be over after its request.
  const whole = Math.max(...all.map((span) => span.offset_ms + span.took_ms)) || 1;
  const made = all.length === 1 ? "no spans" : all.length === 2 ? "1 span" : `${all.length - 1} spans`;
  const summary = element("summary", {}, bars(request.spans.filter((span) => span.depth === 1), whole), ` ${made}`);
  const rows = all.map((span) => element("tr", {},
    element("td", {}, "\u2003".repeat(span.depth), code(span.name), span.failure === null ? "" : element("span", { class: "bad" }, ` ${span.failure}`)),
    element("td", {}, bars([span], whole)),
    element("td", { class: "number" }, millis(span.took_ms))));
  const ids = element("div", { class: "soft" }, "trace ", code(request.trace));
  // A request that begins its trace has the trace's id.
  if (request.request !== request.trace) ids.append(" request ", code(request.request ?? ""));
  const details = element("details", {}, summary, element("table", {}, ...rows), ids);
  details.open = opened.has(request.span);
  details.addEventListener("toggle", () => (details.open ? opened.add(request.span) : opened.delete(request.span)));
  return details;
}

function requests(list) {
  document.getElementById("recent").hidden = !list;
  if (!list) return;
  const shown = new Set(list.map((request) => request.span));
  for (const span of opened) if (!shown.has(span)) opened.delete(span);
  const heads = [{ text: "Begun" }, { text: "Request" }, { text: "Status", number: true }, { text: "Principal" }, { text: "Took", number: true }, { text: "Spans" }];
  table("requests", heads, list.map((request) => [
    element("span", { title: request.begun }, new Date(request.begun).toLocaleTimeString()),
    code(`${request.method} ${request.route ?? request.path ?? ""}`),
    element("span", request.failure === null ? {} : { class: "bad" }, String(request.status ?? request.failure)),
    request.principal ?? "",
    millis(request.took_ms),
    timeline(request),
  ]));
}

// What plugins show: text and tables, never HTML.
function pages(list) {
  const part = ({ text, table }) => {
    if (!table) return element("p", {}, text);
    const cells = (kind, row) => element("tr", {}, ...row.map((cell) => element(kind, {}, cell)));
    return element("table", {}, cells("th", table.heads), ...table.rows.map((row) => cells("td", row)));
  };
  document.getElementById("pages").replaceChildren(...list.map((page) =>
    element("section", {}, element("h2", {}, page.title), ...page.parts.map(part))));
}

// Modules in columns: one that imports stands to the left of what it imports.
function graph(modules) {
  const byName = new Map(modules.map((module) => [module.name, module]));
  const depth = new Map();
  const walk = (name, at) => {
    if ((depth.get(name) ?? -1) >= at) return;
    depth.set(name, at);
    for (const next of byName.get(name)?.imports ?? []) walk(next, at + 1);
  };
  const imported = new Set(modules.flatMap((module) => module.imports));
  for (const module of modules) if (!imported.has(module.name)) walk(module.name, 0);
  const columns = [];
  for (const module of modules) (columns[depth.get(module.name) ?? 0] ??= []).push(module);

  const wide = 240, gap = 70, row = 17;
  const place = new Map();
  let high = 0;
  columns.forEach((column, x) => {
    let y = 10;
    for (const module of column) {
      const tall = 26 + module.members.length * row;
      place.set(module.name, { x: 10 + x * (wide + gap), y, tall });
      y += tall + 18;
    }
    high = Math.max(high, y);
  });
  const svg = drawn("svg", { width: columns.length * (wide + gap), height: high, role: "img" });
  const marker = drawn("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" });
  marker.append(drawn("path", { d: "M0 0L8 4L0 8z" }));
  svg.append(marker);
  for (const module of modules) {
    const from = place.get(module.name);
    for (const name of module.imports) {
      const to = place.get(name);
      if (!to) continue;
      const [x1, y1, x2, y2] = [from.x + wide, from.y + 13, to.x, to.y + 13];
      const bend = Math.max(30, Math.abs(x2 - x1) / 2);
      svg.append(drawn("path", { d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, "marker-end": "url(#tip)" }));
    }
  }
  for (const module of modules) {
    const { x, y, tall } = place.get(module.name);
    svg.append(drawn("rect", { x, y, width: wide, height: tall, rx: 4 }));
    svg.append(drawn("text", { x: x + 8, y: y + 17, class: "name" }, last(module.name) + (module.global ? " (global)" : "")));
    module.members.forEach((member, at) => {
      const mark = module.exports.includes(member.name) ? "◆ " : "  ";
      const label = mark + last(member.name);
      const text = drawn("text", { x: x + 12, y: y + 34 + at * row }, label.length > 34 ? label.slice(0, 33) + "…" : label);
      text.append(drawn("title", {}, `${member.kind} ${member.name} (${member.scope})`));
      svg.append(text);
    });
  }
  document.getElementById("graph").replaceChildren(svg);
}

async function show() {
  const data = await (await fetch("console.json")).json();
  document.title = `${data.title}: console`;
  document.getElementById("title").textContent = data.title;
  document.getElementById("summary").textContent =
    `version ${data.version}, up ${data.uptime_s} s, ${data.active} requests in progress`;
  routes(data.routes);
  tasks(data.tasks);
  config(data.config);
  requests(data.requests);
  pages(data.pages);
  graph(data.modules);
  const ready = await (await fetch("readyz")).json();
  const checks = (ready.checks ?? []).map((check) =>
    element("span", { class: check.healthy ? "good" : "bad", title: check.fault ?? "" }, ` ${check.name}`));
  document.getElementById("checks").replaceChildren(
    element("span", { class: ready.status === "ready" ? "good" : "bad" }, ready.status), ...checks);
}

show();
setInterval(show, 5000);
