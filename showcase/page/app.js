// The page: what it knows, what it shows, and what changes it.

import { api, session } from "./api.js";
import { Live } from "./live.js";
import { age, avatar, byline, chips, el, empty, field, heart, note, submits, sync, toast } from "./view.js";

const $ = (id) => document.getElementById(id);
const SHOWN_MAX = 30;
const WATCHED_KEY = "conduit.tags";

const live = new Live();
const state = {
  /** Newest first. */
  articles: [],
  isLoaded: false,
  /** The article that is open, and its comments. */
  open: null,
  comments: [],
  /** The tags of the API, and those that are watched. */
  tags: [],
  watched: new Set(JSON.parse(sessionStorage.getItem(WATCHED_KEY) ?? "[]")),
  /** Slugs that have just come. */
  fresh: new Set(),
  /** When a slug that is followed was last pushed, counted in pushes. */
  pushed: new Map(),
};

/** Where one is: `#/`, `#/tag/rust`, `#/article/slug`. */
function place() {
  const [kind, name] = location.hash.replace(/^#\//, "").split("/");
  try {
    return { kind, name: name && decodeURIComponent(name) };
  } catch {
    return { kind: "" };
  }
}

// What is shown.

function shown() {
  return place().kind === "article" ? [state.open].filter(Boolean) : state.articles;
}

function known(slug) {
  return [state.open, ...state.articles].find((article) => article?.slug === slug);
}

/** Draws what is somewhere else than before, and else changes what has changed. */
function render() {
  const { kind, name } = place();
  const main = $("main");
  const isArticle = kind === "article";
  const isThere = isArticle ? state.open !== null : state.articles.length > 0;
  const view = JSON.stringify([kind, name, session.user?.username, state.isLoaded, isThere]);
  if (main.dataset.view !== view) {
    main.dataset.view = view;
    main.replaceChildren(...(isArticle ? whole(name) : list(kind === "tag" ? name : null)));
  }
  if (isArticle && isThere) {
    // What is the same stays, so that a selection does.
    const box = $("whole");
    sync(box, parts(state.open).map((part, at) => (box.children[at]?.isEqualNode(part) ? box.children[at] : part)));
    renderComments();
  } else if (isThere && state.isLoaded) {
    sync($("list"), state.articles.map(card));
    const slugs = new Set(state.articles.map(({ slug }) => slug));
    for (const slug of cards.keys()) if (!slugs.has(slug)) cards.delete(slug);
  }
  follow();
}

function list(tag) {
  const write = el("button", { type: "button", class: "primary", onclick: compose }, "Write an article");
  const title = tag ? `Articles about #${tag}` : "Newest articles";
  const head = el("div", { class: "row between head" }, el(session.user || tag ? "h1" : "h2", { class: "title" }, title), session.user ? write : null);
  const above = tag ? [el("a", { class: "back", href: "#/" }, "← All articles")] : session.user ? [] : [intro()];
  if (!state.isLoaded) return [...above, head];
  if (state.articles.length > 0) return [...above, head, el("ol", { class: "list", id: "list" })];
  const hint = session.user ? "Write the first one." : "Register, which takes a moment, and write the first one.";
  return [...above, head, empty("Nothing here yet", hint)];
}

/** For those who are new here. */
function intro() {
  const text = "This is Conduit, the RealWorld API, with a socket beside it. Put a second window next to this one and be somebody else there: articles, comments and hearts of the one appear in the other as they are stored.";
  return el("section", { class: "card intro" }, el("h1", {}, "Write here, read there."), el("p", {}, text));
}

/** The cards that are drawn, each with the article as it was then. */
const cards = new Map();

function card(article) {
  const drawn = cards.get(article.slug);
  const marks = article.tagList.filter((tag) => state.watched.has(tag)).join(" ");
  if (drawn?.article === article && drawn.marks === marks) return drawn.node;
  const isFresh = state.fresh.delete(article.slug);
  const node = el(
    "li",
    { class: isFresh ? "card article fresh" : "card article", "data-slug": article.slug },
    el("div", { class: "row between" }, byline(article.author, article.createdAt), heart(article, () => favorite(article.slug))),
    el("h3", {}, el("a", { href: `#/article/${encodeURIComponent(article.slug)}` }, article.title)),
    el("p", {}, article.description),
    chips(article.tagList, state.watched),
  );
  cards.set(article.slug, { article, marks, node });
  return node;
}

function whole(slug) {
  const back = el("a", { class: "back", href: "#/" }, "← All articles");
  if (state.open) return [back, el("article", { class: "card whole", id: "whole", "data-slug": slug }), commentsBox()];
  if (!state.isLoaded) return [back];
  return [back, empty("There is no such article", "It may have been deleted, or have another title now.")];
}

function parts(article) {
  const isOwn = session.user?.username === article.author.username;
  const remove = el("button", { type: "button", class: "plain danger", onclick: () => removeArticle(article) }, "Delete");
  return [
    el("h1", {}, article.title),
    el("p", { class: "lead" }, article.description),
    el("div", { class: "row between" }, byline(article.author, article.createdAt), el("div", { class: "row" }, isOwn ? remove : null, heart(article, () => favorite(article.slug)))),
    el("div", { class: "text" }, article.body ?? ""),
    chips(article.tagList, state.watched),
  ].filter(Boolean);
}

function commentsBox() {
  const form = el(
    "form",
    { class: "card", id: "comment" },
    el("label", {}, "Your comment", el("textarea", { name: "body", rows: 3, maxLength: 8192, required: true })),
    el("p", { class: "error", role: "alert", hidden: true }),
    el("div", { class: "row end" }, el("button", { class: "primary" }, "Comment")),
  );
  submits(form, async ({ body }) => {
    const { comment } = await api.comment(state.open.slug, body);
    form.reset();
    addComment(comment);
  });
  const hint = el("p", { class: "hint" }, "Log in to comment.");
  return el("section", { class: "comments", "aria-labelledby": "comments-title" }, el("h2", { id: "comments-title" }), session.user ? form : hint, el("div", { class: "list", id: "comments", "aria-live": "polite" }));
}

function renderComments() {
  const box = $("comments");
  if (!box) return;
  const count = state.comments.length;
  $("comments-title").textContent = count === 1 ? "1 comment" : `${count} comments`;
  // Those that are there stay, so that only new ones are read out.
  const drawn = new Map([...box.children].map((child) => [child.dataset.id, child]));
  sync(box, state.comments.map((comment) => drawn.get(String(comment.id)) ?? commentCard(comment)));
}

function commentCard(comment) {
  const isOwn = session.user?.username === comment.author.username;
  const isFresh = state.fresh.delete(comment.id);
  const remove = async () => {
    const answer = await attempt(() => api.uncomment(state.open.slug, comment.id));
    if (answer !== undefined) dropComment(comment.id);
  };
  const button = isOwn ? el("button", { type: "button", class: "plain", onclick: remove }, "Delete") : null;
  return el("div", { class: isFresh ? "card comment fresh" : "card comment", "data-id": comment.id }, byline(comment.author, comment.createdAt, button), el("p", {}, comment.body));
}

function renderAccount() {
  const body = $("account-body");
  const { user } = session;
  $("account-title").textContent = user ? "You" : "Join in";
  if (user) {
    const out = el("button", { type: "button", class: "plain", onclick: () => enter(null) }, "Log out");
    body.replaceChildren(el("div", { class: "row between" }, el("div", { class: "byline" }, avatar(user.username), el("strong", {}, user.username)), out));
    return;
  }
  const kinds = { register: "Register", login: "Log in" };
  const kind = body.dataset.kind ?? "register";
  const choose = (other) => () => {
    body.dataset.kind = other;
    renderAccount();
  };
  const tabs = Object.entries(kinds).map(([name, text]) => el("button", { type: "button", onclick: choose(name), "aria-pressed": String(name === kind) }, text));
  const form = el(
    "form",
    {},
    kind === "register" ? field("Name", { name: "username", maxLength: 64, autocomplete: "username" }) : null,
    field("Email", { name: "email", type: "email", maxLength: 254, autocomplete: "email" }),
    field("Password, 8 letters at least", { name: "password", type: "password", minLength: 8, maxLength: 256, autocomplete: kind === "login" ? "current-password" : "new-password" }),
    el("p", { class: "error", role: "alert", hidden: true }),
    el("button", { class: "primary" }, kinds[kind]),
  );
  submits(form, async (user) => enter((await api[kind](user)).user));
  body.replaceChildren(el("div", { class: "tabs" }, ...tabs), form);
  body.classList.add("list");
}

function renderTags() {
  const names = [...new Set([...state.watched, ...state.tags])].slice(0, 24);
  const chip = (tag) => el("button", { type: "button", class: "chip", onclick: () => watchTag(tag, !state.watched.has(tag)), "aria-pressed": String(state.watched.has(tag)) }, `#${tag}`);
  $("tags").replaceChildren(...names.map(chip));
}

// What one does.

/** What came of it; `undefined` when it was refused, which the page says. */
async function attempt(work) {
  try {
    return await work();
  } catch (refused) {
    if (refused.status === 401 && session.user) enter(null);
    toast(refused.message);
    return undefined;
  }
}

function enter(user) {
  session.set(user);
  renderAccount();
  render();
  load();
}

async function favorite(slug) {
  if (!session.user) return toast("Log in to say what you like.");
  const answer = await attempt(() => api.favorite(slug, !known(slug)?.favorited));
  if (answer) change(answer.article.slug, answer.article, true);
}

async function removeArticle({ slug, title }) {
  if (!confirm(`Delete “${title}”?`)) return;
  if ((await attempt(() => api.remove(slug))) !== undefined) location.hash = "#/";
}

function compose() {
  $("compose-form").querySelector(".error").hidden = true;
  $("compose").showModal();
}

function watchTag(tag, isWatched) {
  if (isWatched) {
    state.watched.add(tag);
    live.watch("tag", { tag });
  } else {
    state.watched.delete(tag);
    live.unwatch("tag", { tag });
  }
  sessionStorage.setItem(WATCHED_KEY, JSON.stringify([...state.watched]));
  renderTags();
  render();
}

// What the server says.

let loading = 0;
const LOADS_MAX = 3;

/** Reads how things are: at the beginning, in another place, and after a reconnection. */
async function load(tries = LOADS_MAX) {
  const { kind, name } = place();
  const turn = ++loading;
  const before = live.pushes;
  try {
    const [tags, found, comments] = await Promise.all([
      api.tags(),
      kind === "article" ? missing(api.article(name)) : api.articles(kind === "tag" ? name : null),
      kind === "article" ? missing(api.comments(name)) : null,
    ]);
    // Somebody is elsewhere by now, or something happened meanwhile: what was read is old.
    if (turn !== loading) return;
    if (live.pushes !== before && tries > 1) return load(tries - 1);
    state.tags = tags.tags;
    state.isLoaded = true;
    if (kind === "article") {
      state.open = found?.article ?? null;
      state.comments = comments?.comments ?? [];
    } else {
      state.open = null;
      state.articles = found.articles;
    }
  } catch (refused) {
    if (turn !== loading) return;
    if (refused.status === 401 && session.user) return enter(null);
    // Without a server the page says so already; it is read again when there is one.
    if (refused.status !== 0) toast(refused.message);
  }
  renderTags();
  render();
}

async function missing(asked) {
  try {
    return await asked;
  } catch (refused) {
    if (refused.status === 404) return null;
    throw refused;
  }
}

/** Watches the articles that are shown, and no others. */
let followed = new Set();
function follow() {
  const { kind, name } = place();
  const slugs = new Set(shown().map(({ slug }) => slug));
  if (kind === "article" && name) slugs.add(name);
  for (const slug of followed) {
    if (slugs.has(slug)) continue;
    live.unwatch("article", { slug });
    state.pushed.delete(slug);
  }
  for (const slug of slugs) live.watch("article", { slug });
  followed = slugs;
}

/** Changes an article wherever it is. What is pushed is as nobody in particular sees it. */
function change(slug, fields, isOwn = false) {
  const { favorited, author, ...neutral } = fields;
  const change = isOwn ? { ...neutral, favorited } : neutral;
  const isSame = (article) => Object.entries(change).every(([key, value]) => JSON.stringify(article[key]) === JSON.stringify(value));
  const changed = (article) => (article.slug !== slug || isSame(article) ? article : { ...article, ...change });
  state.articles = state.articles.map(changed);
  if (state.open) state.open = changed(state.open);
  render();
}

function titleOf(slug) {
  const article = known(slug);
  return article ? `“${article.title}”` : "an article";
}

function addComment(comment) {
  if (!state.comments.some(({ id }) => id === comment.id)) {
    state.fresh.add(comment.id);
    state.comments = [comment, ...state.comments];
  }
  renderComments();
}

function dropComment(id) {
  state.comments = state.comments.filter((comment) => comment.id !== id);
  renderComments();
}

function watchedTag(tags) {
  return tags?.find((tag) => state.watched.has(tag));
}

const happens = {
  "article.published"({ article }) {
    const { kind, name } = place();
    const tag = watchedTag(article.tagList);
    note(`${article.author.username} published “${article.title}”`);
    if (tag && article.author.username !== session.user?.username) toast(`New about #${tag}: “${article.title}”`);
    state.tags = [...new Set([...state.tags, ...article.tagList])];
    renderTags();
    if (kind === "article" && name === article.slug) return load();
    if (kind === "article" || (kind === "tag" && !article.tagList.includes(name))) return;
    if (state.articles.some(({ slug }) => slug === article.slug)) return;
    state.fresh.add(article.slug);
    state.articles = [article, ...state.articles].slice(0, SHOWN_MAX);
    render();
  },

  "article.updated"({ slug, article }) {
    note(`${article.author.username} changed “${article.title}”`);
    const isOpen = place().kind === "article" && place().name === slug;
    change(slug, article);
    if (!isOpen) return;
    // The body is not pushed, and the slug may be another.
    if (slug === article.slug) load();
    else location.replace(`#/article/${encodeURIComponent(article.slug)}`);
  },

  "article.deleted"({ slug }) {
    note(`${titleOf(slug)} was deleted`);
    state.articles = state.articles.filter((article) => article.slug !== slug);
    if (state.open?.slug === slug) state.open = null;
    render();
  },

  "comment.added"({ slug, comment }) {
    note(`${comment.author.username} commented on ${titleOf(slug)}`);
    const tag = watchedTag(known(slug)?.tagList);
    if (tag && comment.author.username !== session.user?.username) toast(`${comment.author.username} commented on ${titleOf(slug)}, about #${tag}`);
    if (state.open?.slug === slug) addComment(comment);
  },

  "comment.deleted"({ slug, id }) {
    if (state.open?.slug === slug) dropComment(id);
  },

  "favorite.changed"({ slug, favoritesCount }) {
    note(`${titleOf(slug)} is liked by ${favoritesCount === 1 ? "1 reader" : `${favoritesCount} readers`}`);
    change(slug, { favoritesCount });
    for (const button of document.querySelectorAll(`[data-slug="${CSS.escape(slug)}"] .heart`)) button.classList.add("bump");
  },
};

for (const [name, happen] of Object.entries(happens)) {
  live.addEventListener(name, ({ detail }) => {
    const slug = detail.slug ?? detail.article.slug;
    if (followed.has(slug)) state.pushed.set(slug, live.pushes);
    happen(detail);
  });
}

live.addEventListener("now", ({ detail: { topic, now, before } }) => {
  if (topic !== "article" || (state.pushed.get(now.slug) ?? 0) > before) return;
  const isNew = state.open?.slug === now.slug && state.open.updatedAt !== now.article?.updatedAt;
  if (now.article && !isNew) change(now.slug, now.article);
  else if (known(now.slug)) load();
});

live.addEventListener("up", () => load());

let countdown = 0;
live.addEventListener("state", ({ detail: { state: link, until } }) => {
  clearInterval(countdown);
  const text = { live: "Live", connecting: "Connecting", offline: "Offline" }[link];
  $("link").dataset.state = link;
  $("link-text").textContent = text;
  $("link-retry").hidden = link !== "offline";
  const tick = () => {
    const seconds = until ? Math.max(0, Math.ceil((until - Date.now()) / 1000)) : 0;
    $("link-wait").textContent = seconds ? `· again in ${seconds} s` : "";
  };
  tick();
  if (until) countdown = setInterval(tick, 250);
});

// Once.

$("link-retry").addEventListener("click", () => live.retry());
$("compose-cancel").addEventListener("click", () => $("compose").close());
submits($("compose-form"), async ({ tags, ...fields }) => {
  const tagList = tags.split(/[\s,#]+/).filter(Boolean);
  const { article } = await api.publish({ ...fields, tagList });
  $("compose-form").reset();
  $("compose").close();
  // It is pushed as well; without a connection it is there all the same.
  if (!state.articles.some(({ slug }) => slug === article.slug)) load();
});
$("watch").addEventListener("submit", (event) => {
  event.preventDefault();
  const tag = $("watch-tag").value.trim().replace(/^#/, "");
  if (tag) watchTag(tag, true);
  $("watch").reset();
});
addEventListener("hashchange", () => {
  state.open = null;
  state.comments = [];
  state.isLoaded = false;
  load();
  $("main").focus({ preventScroll: true });
  scrollTo(0, 0);
});
$("console").href = `${location.protocol}//${location.hostname}:3001/`;
setInterval(age, 30_000);

live.watch("feed");
for (const tag of state.watched) live.watch("tag", { tag });
renderAccount();
renderTags();
load();
