// Shows the gateways of an application and talks to them. Nothing is asked of other hosts.
"use strict";

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// What a reference of the document stands for.
function resolve(root, value) {
  for (let steps = 0; value && value.$ref && steps < 20; steps += 1) {
    const path = value.$ref.replace(/^#\//, "").split("/");
    value = path.reduce((at, key) => at?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], root);
  }
  return value ?? {};
}

// A value that a schema could describe, to begin with.
function example(root, schema, depth = 0) {
  schema = resolve(root, schema);
  if (depth > 6) return null;
  if ("default" in schema) return schema.default;
  if ("const" in schema) return schema.const;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.enum?.length) return schema.enum[0];
  for (const key of ["oneOf", "anyOf", "allOf"]) {
    if (schema[key]?.length) return example(root, schema[key][0], depth + 1);
  }
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "object": {
      const made = {};
      for (const key of schema.required ?? []) {
        made[key] = example(root, schema.properties?.[key] ?? {}, depth + 1);
      }
      return made;
    }
    case "array": return [];
    case "string": return "";
    case "integer":
    case "number": return schema.minimum ?? 0;
    case "boolean": return false;
    default: return null;
  }
}

function shown(value) {
  return JSON.stringify(value, null, 2);
}

// A schema with its references filled in once, for people.
function readable(root, schema, depth = 0) {
  if (Array.isArray(schema)) return schema.map((item) => readable(root, item, depth));
  if (typeof schema !== "object" || schema === null) return schema;
  if (schema.$ref) {
    return depth > 3 ? { $ref: schema.$ref } : readable(root, resolve(root, schema), depth + 1);
  }
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, readable(root, value, depth)]));
}

function describe(root, id, operation) {
  const message = resolve(root, operation.messages[0]);
  const data = message.payload?.properties?.data ?? message.payload;
  const parts = [
    element("summary", {}, element("code", { textContent: message.name }), " ",
      ...(operation["x-access"]
        ? [element("span", { className: "access", textContent: operation["x-access"] })] : []),
      " ", operation.summary ?? ""),
  ];
  if (operation.description) parts.push(element("p", { textContent: operation.description }));
  parts.push(element("pre", { textContent: shown(readable(root, data)) }));
  if (operation.reply) {
    const reply = resolve(root, operation.reply.messages[0]);
    parts.push(element("p", { className: "note", textContent: "With an id it is answered:" }));
    const answer = reply.payload?.properties?.data;
    parts.push(element("pre", { textContent: shown(readable(root, answer)) }));
  }
  return element("details", {}, ...parts);
}

function channel(root, id, made) {
  const operations = Object.values(root.operations)
    .filter((operation) => operation.channel.$ref === `#/channels/${id}`);
  const taken = operations.filter((operation) => operation.action === "receive");
  const sent = operations.filter((operation) => operation.action === "send");

  const left = element("div");
  if (taken.length) left.append(element("h3", { textContent: "What you may send" }));
  left.append(...taken.map((operation) => describe(root, id, operation)));
  if (sent.length) left.append(element("h3", { textContent: "What you are told" }));
  left.append(...sent.map((operation) => describe(root, id, operation)));

  const log = element("div", { className: "log", role: "log" });
  const state = element("span", { className: "state", textContent: "closed" });
  let socket = null;
  let next = 1;
  function note(kind, text) {
    const line = element("div", { className: kind, textContent: text });
    log.append(line);
    while (log.childElementCount > 500) log.firstElementChild.remove();
    line.scrollIntoView({ block: "nearest" });
  }

  const address = element("input", { value: made.address, required: true });
  const open = element("button", { textContent: "Connect" });
  const connect = element("form", {},
    element("label", {}, "Address", address), element("div", {}, open, " ", state));
  connect.addEventListener("submit", (event) => {
    event.preventDefault();
    if (socket) {
      socket.close(1000);
      return;
    }
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    try {
      socket = new WebSocket(`${scheme}//${location.host}${address.value}`);
    } catch (error) {
      note("bad", String(error));
      return;
    }
    state.textContent = "connecting";
    open.textContent = "Disconnect";
    socket.onopen = () => { state.textContent = "open"; };
    socket.onmessage = ({ data }) => note("in", typeof data === "string" ? data : "(binary)");
    socket.onclose = ({ code, reason }) => {
      socket = null;
      state.textContent = "closed";
      open.textContent = "Connect";
      note("note", `closed: ${code} ${reason}`);
    };
  });

  const select = element("select", {},
    ...taken.map((operation) => {
      const { name } = resolve(root, operation.messages[0]);
      return element("option", { value: name, textContent: name });
    }));
  const text = element("textarea", { spellcheck: false });
  const isRaw = taken.length === 1 && resolve(root, taken[0].messages[0]).name === "message";
  function prefill() {
    const operation = taken[select.selectedIndex];
    if (!operation || isRaw) return;
    const message = resolve(root, operation.messages[0]);
    text.value = shown(example(root, message.payload?.properties?.data ?? {}));
  }
  select.addEventListener("change", prefill);
  prefill();
  const send = element("form", {},
    element("label", {}, isRaw ? "Message" : "Event", ...(isRaw ? [] : [select])),
    element("label", {}, isRaw ? "" : "Data, as JSON", text),
    element("button", { textContent: "Send" }));
  send.addEventListener("submit", (event) => {
    event.preventDefault();
    if (socket?.readyState !== WebSocket.OPEN) {
      note("bad", "not connected");
      return;
    }
    let message = text.value;
    if (!isRaw) {
      try {
        const data = text.value.trim() === "" ? null : JSON.parse(text.value);
        message = JSON.stringify({ event: select.value, data, id: next });
        next += 1;
      } catch (error) {
        note("bad", String(error));
        return;
      }
    }
    socket.send(message);
    note("out", message);
  });

  const right = element("div", {}, element("h3", { textContent: "Try it" }), connect,
    ...(taken.length ? [send] : []), element("h3", { textContent: "Log" }), log);
  return element("section", { className: "channel" },
    element("h2", {}, element("code", { textContent: made.address }), " ", made.title ?? ""),
    ...(made.description ? [element("p", { textContent: made.description })] : []),
    left, right);
}

async function show() {
  const main = document.getElementById("channels");
  try {
    const response = await fetch("/asyncapi.json");
    if (response.status === 404) {
      main.replaceChildren(element("p", { textContent: "This application has no gateways." }));
      return;
    }
    const root = await response.json();
    document.getElementById("title").textContent = `${root.info.title}: sockets`;
    document.getElementById("about").textContent = root.info.description ?? "";
    main.replaceChildren(
      ...Object.entries(root.channels).map(([id, made]) => channel(root, id, made)));
  } catch (error) {
    main.replaceChildren(element("p", { className: "bad", textContent: String(error) }));
  }
}

show();
