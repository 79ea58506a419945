// Calls of the API, and who is logged in. Each window has a session of its own, so that two
// of them can be two users.

const KEY = "conduit.user";

export const session = {
  user: JSON.parse(sessionStorage.getItem(KEY) ?? "null"),
  set(user) {
    this.user = user;
    if (user) sessionStorage.setItem(KEY, JSON.stringify(user));
    else sessionStorage.removeItem(KEY);
  },
};

/** What the API refused, in lines for people. */
export class Refused extends Error {
  constructor(status, lines) {
    super(lines.join("\n"));
    this.status = status;
  }
}

async function call(method, path, body) {
  const headers = { accept: "application/json" };
  if (body) headers["content-type"] = "application/json";
  if (session.user) headers.authorization = `Token ${session.user.token}`;
  let response;
  try {
    response = await fetch(`/api${path}`, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Refused(0, ["The server cannot be reached."]);
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    // Not of the API; the status has to do.
  }
  if (response.ok) return answer;
  throw new Refused(response.status, answer?.errors?.body ?? [answer?.title ?? `Refused: ${response.status}`]);
}

const at = (slug) => `/articles/${encodeURIComponent(slug)}`;

export const api = {
  login: (user) => call("POST", "/users/login", { user }),
  register: (user) => call("POST", "/users", { user }),
  articles: (tag) => call("GET", `/articles?limit=30${tag ? `&tag=${encodeURIComponent(tag)}` : ""}`),
  article: (slug) => call("GET", at(slug)),
  publish: (article) => call("POST", "/articles", { article }),
  remove: (slug) => call("DELETE", at(slug)),
  favorite: (slug, wanted) => call(wanted ? "POST" : "DELETE", `${at(slug)}/favorite`),
  comments: (slug) => call("GET", `${at(slug)}/comments`),
  comment: (slug, body) => call("POST", `${at(slug)}/comments`, { comment: { body } }),
  uncomment: (slug, id) => call("DELETE", `${at(slug)}/comments/${id}`),
  tags: () => call("GET", "/tags"),
};
