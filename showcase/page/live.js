// The socket: asks, watches, and comes back by itself.

const DELAY_FIRST_MS = 500;
const DELAY_MAX_MS = 15_000;
const ANSWER_MAX_MS = 10_000;
const HEARTBEAT_MS = 20_000;

/**
 * A socket at `/live` that is always there again.
 *
 * Fires `state` (`detail`: what, and until when it waits), `up` each time that everything
 * which is watched is watched again, `now` with what the server says of a watch as it
 * begins (`before`: how many events had been pushed when it was asked), and whatever the server pushes, by its name.
 */
export class Live extends EventTarget {
  #socket = null;
  #asked = new Map();
  #watched = new Map();
  #nextId = 1;
  #failures = 0;
  #timer = 0;
  #heart = 0;
  /** How many events were pushed so far. */
  pushes = 0;

  constructor() {
    super();
    addEventListener("online", () => this.retry());
    // A tab that comes back need not wait for the end of a long delay.
    document.addEventListener("visibilitychange", () => document.hidden || this.retry());
    this.#open();
  }

  /** Tries at once, if it waits. */
  retry() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#open();
  }

  /** Watches from now on, after each reconnection as well. */
  watch(topic, data = null) {
    const key = JSON.stringify([topic, data]);
    if (this.#watched.has(key)) return;
    this.#watched.set(key, [topic, data]);
    this.#begin(topic, data);
  }

  unwatch(topic, data = null) {
    if (!this.#watched.delete(JSON.stringify([topic, data]))) return;
    this.#ask(`${topic}.unwatch`, data).catch(() => {});
  }

  #begin(topic, data) {
    const asked = this.#ask(`${topic}.watch`, data);
    // What is pushed meanwhile may be newer than the answer, which comes later.
    const before = this.pushes;
    return asked.then((now) => this.#fire("now", { topic, now, before }), () => {});
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #open() {
    this.#fire("state", { state: "connecting" });
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
    this.#socket = socket;
    // One that neither opens nor fails is given up.
    const patience = setTimeout(() => this.#lost(socket), ANSWER_MAX_MS);
    socket.onopen = async () => {
      clearTimeout(patience);
      const watches = [...this.#watched.values()].map(([topic, data]) => this.#begin(topic, data));
      await Promise.all(watches);
      if (this.#socket !== socket) return;
      this.#failures = 0;
      this.#heart = setInterval(() => this.#beat(socket), HEARTBEAT_MS);
      this.#fire("state", { state: "live" });
      this.#fire("up");
    };
    socket.onmessage = ({ data }) => this.#socket === socket && this.#take(JSON.parse(data));
    socket.onclose = () => {
      clearTimeout(patience);
      this.#lost(socket);
    };
  }

  #take(message) {
    if (message.event) {
      this.pushes += 1;
      this.#fire(message.event, message.data);
      return;
    }
    const waiting = this.#asked.get(message.id);
    this.#asked.delete(message.id);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    if (message.error) waiting.reject(new Error(message.error.detail ?? message.error.title));
    else waiting.resolve(message.data);
  }

  #ask(event, data) {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return Promise.reject(new Error("not connected"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#lost(socket), ANSWER_MAX_MS);
      this.#asked.set(id, { resolve, reject, timer });
      socket.send(JSON.stringify({ event, data, id }));
    });
  }

  // Pages cannot see the server's pings; a connection that died silently answers nothing.
  #beat() {
    this.#ask("feed.watch", null).catch(() => {});
  }

  #lost(socket) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    socket.close();
    clearInterval(this.#heart);
    for (const { reject, timer } of this.#asked.values()) {
      clearTimeout(timer);
      reject(new Error("the connection is lost"));
    }
    this.#asked.clear();
    // Twice as long each time; half of it by chance, so that not everybody comes at once
    // when the server is back.
    const most = Math.min(DELAY_MAX_MS, DELAY_FIRST_MS * 2 ** this.#failures++);
    const delay = most / 2 + Math.random() * (most / 2);
    this.#timer = setTimeout(() => this.#open(), delay);
    this.#fire("state", { state: "offline", until: Date.now() + delay });
  }
}
