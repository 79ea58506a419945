// Parts of the page. Whatever comes from somewhere else is set as text, never as markup.

/** An element. Properties are set as such, `class` and `aria-..`, `data-..` as attributes. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class" || key.includes("-")) element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/**
 * Makes `nodes` the children of `parent`. Those that were there already are not touched, so
 * that they keep the focus and do not begin their animation anew.
 */
export function sync(parent, nodes) {
  const active = document.activeElement;
  const slug = active?.closest("[data-slug]")?.dataset.slug;
  const wanted = new Set(nodes);
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, at) => {
    if (parent.childNodes[at] !== node) parent.insertBefore(node, parent.childNodes[at] ?? null);
  });
  if (slug && !active.isConnected && active.matches(".heart")) {
    document.querySelector(`[data-slug="${CSS.escape(slug)}"] .heart`)?.focus();
  }
}

export function avatar(name, size = "") {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 997;
  const initial = [...name][0]?.toUpperCase() ?? "?";
  return el("span", { class: `avatar ${size} hue-${sum % 8}`, "aria-hidden": "true" }, initial);
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

export function since(text) {
  const seconds = (Date.parse(text) - Date.now()) / 1000;
  for (const [unit, length] of UNITS) {
    if (-seconds >= length) return relative.format(Math.ceil(seconds / length), unit);
  }
  return "just now";
}

export function time(text) {
  return el("time", { dateTime: text, title: new Date(text).toLocaleString(), "data-since": text }, since(text));
}

/** Has times that are shown grow older. */
export function age() {
  for (const element of document.querySelectorAll("[data-since]")) {
    element.textContent = since(element.dataset.since);
  }
}

export function byline(author, createdAt, ...more) {
  return el("div", { class: "byline" }, avatar(author.username), el("div", {}, el("strong", {}, author.username), " · ", time(createdAt)), ...more);
}

export function heart(article, onclick) {
  const words = article.favorited ? "Unfavorite" : "Favorite";
  return el(
    "button",
    { type: "button", class: "heart", onclick, "aria-pressed": String(article.favorited), "aria-label": `${words}: ${article.title}. Now ${article.favoritesCount}.` },
    el("span", { "aria-hidden": "true" }, article.favorited ? "♥" : "♡"),
    el("span", { "aria-hidden": "true" }, String(article.favoritesCount)),
  );
}

export function chips(tags, watched) {
  if (tags.length === 0) return null;
  const chip = (tag) => el("a", { class: watched.has(tag) ? "chip watched" : "chip", href: `#/tag/${encodeURIComponent(tag)}` }, `#${tag}`);
  return el("div", { class: "chips" }, ...tags.map(chip));
}

export function empty(title, text) {
  return el("div", { class: "empty" }, el("strong", {}, title), text);
}

export function field(label, properties) {
  return el("label", {}, label, el("input", { required: true, ...properties }));
}

const TOAST_MS = 6_000;
const TOASTS_MAX = 3;

export function toast(text) {
  const box = document.getElementById("toasts");
  const shown = el("div", { class: "toast" }, text);
  box.append(shown);
  while (box.children.length > TOASTS_MAX) box.firstChild.remove();
  setTimeout(() => shown.remove(), TOAST_MS);
}

const LOG_MAX = 50;

export function note(text) {
  const log = document.getElementById("log");
  document.getElementById("log-empty").hidden = true;
  const now = new Date();
  const clock = now.toLocaleTimeString("en-GB");
  log.prepend(el("li", {}, el("time", { dateTime: now.toISOString() }, clock), el("span", {}, text)));
  while (log.children.length > LOG_MAX) log.lastChild.remove();
}

/** Runs what a form is for; what is refused is said in the form. */
export function submits(form, work) {
  const error = form.querySelector(".error");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button:not([type=button])");
    button.disabled = true;
    error.hidden = true;
    try {
      await work(Object.fromEntries(new FormData(form)));
    } catch (refused) {
      error.textContent = refused.message;
      error.hidden = false;
    }
    button.disabled = false;
  });
}
