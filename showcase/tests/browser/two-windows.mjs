// Two windows of a real browser: what one does, the other shows without a reload, also
// after the server was away. Needs Node.js 20 and Chromium, and nothing of npm:
//
//     cargo build -p showcase
//     node showcase/tests/browser/two-windows.mjs target/debug/showcase [folder for pictures]
//
// CHROMIUM names another program than `chromium`.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [program = "target/debug/showcase", pictures] = process.argv.slice(2);
const WAIT_MAX_MS = 30_000;
const folder = mkdtempSync(join(tmpdir(), "two-windows-"));

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const listen = `127.0.0.1:${await freePort()}`;
const admin = `127.0.0.1:${await freePort()}`;

async function serve() {
  const args = ["--profile", "dev", "--listen", listen, "--admin", admin, "--data", folder];
  const server = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  for (const end = Date.now() + WAIT_MAX_MS; ; ) {
    const isUp = await fetch(`http://${listen}/api/tags`).then((answer) => answer.ok, () => false);
    if (isUp) return server;
    if (Date.now() > end) throw new Error("the server does not answer");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function stop(child) {
  return new Promise((resolve) => {
    child.once("exit", resolve);
    child.kill("SIGTERM");
  });
}

/** A browser, spoken to through a pipe. */
class Browser {
  #next = 1;
  #asked = new Map();
  #rest = "";

  constructor() {
    const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", `--user-data-dir=${join(folder, "browser")}`, "--remote-debugging-pipe"];
    this.process = spawn(process.env.CHROMIUM ?? "chromium", args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.process.stdio[4].setEncoding("utf8").on("data", (text) => this.#take(text));
  }

  #take(text) {
    const messages = (this.#rest + text).split("\0");
    this.#rest = messages.pop();
    for (const message of messages.map((text) => JSON.parse(text))) {
      const asked = this.#asked.get(message.id);
      this.#asked.delete(message.id);
      if (message.error) asked?.reject(new Error(message.error.message));
      else asked?.resolve(message.result);
    }
  }

  ask(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
  }

  /** A window of its own, with a session of its own. */
  async window(width, colors) {
    const { browserContextId } = await this.ask("Target.createBrowserContext");
    const { targetId } = await this.ask("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.ask("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page((method, params) => this.ask(method, params, sessionId));
    await page.ask("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: false });
    await page.ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: colors }] });
    await page.ask("Page.enable");
    await page.ask("Page.navigate", { url: `http://${listen}/` });
    return page;
  }
}

class Page {
  constructor(ask) {
    this.ask = ask;
  }

  async run(expression) {
    const { result, exceptionDetails } = await this.ask("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until it is so. */
  async until(what, expression) {
    for (const end = Date.now() + WAIT_MAX_MS; ; ) {
      if (await this.run(expression).catch(() => false)) return console.log(`ok: ${what}`);
      if (Date.now() > end) {
        const text = await this.run("document.body.innerText");
        throw new Error(`not so: ${what}\n--- the page says\n${text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  sees(what, text) {
    return this.until(what, `document.body.innerText.includes(${JSON.stringify(text)})`);
  }

  isLive(what) {
    return this.until(what, `document.getElementById("link").dataset.state === "live"`);
  }

  click(selector) {
    return this.run(`document.querySelector(${JSON.stringify(selector)}).click()`);
  }

  /** Fills a form and sends it, as a person would: the form's own checks hold. */
  fill(selector, fields) {
    return this.run(`{
      const form = document.querySelector(${JSON.stringify(selector)});
      for (const [name, value] of Object.entries(${JSON.stringify(fields)})) form.elements[name].value = value;
      form.requestSubmit();
    }`);
  }

  async register(name) {
    await this.until("the form is there", `document.querySelector("#account form") !== null`);
    await this.fill("#account form", { username: name, email: `${name}@example.org`, password: "correct horse" });
    await this.until(`${name} is in`, `document.getElementById("account-title").textContent === "You"`);
  }

  async publish(title, description, body, tags) {
    await this.run(`[...document.querySelectorAll("main button")].find((button) => button.textContent === "Write an article").click()`);
    await this.fill("#compose-form", { title, description, body, tags });
    await this.until(`“${title}” is published`, `!document.getElementById("compose").open`);
  }

  async picture(name) {
    if (!pictures) return;
    // What moves has come to rest.
    await new Promise((resolve) => setTimeout(resolve, 700));
    const { data } = await this.ask("Page.captureScreenshot", { format: "png" });
    writeFileSync(join(pictures, `${name}.png`), Buffer.from(data, "base64"));
  }
}

let server = await serve();
const browser = new Browser();
try {
  const ann = await browser.window(1240, "light");
  const bob = await browser.window(1240, "dark");
  await ann.isLive("ann's window is live");
  await bob.isLive("bob's window is live");
  await ann.picture("1-empty");
  // A page that is loaded again forgets this.
  await bob.run("window.isTheSame = true");
  await ann.run("window.isTheSame = true");
  await bob.fill("#watch", { tag: "rust" });

  await ann.register("ann");
  await ann.publish("Proofs at cargo check", "What a compiler can know about a whole application, before it runs.", "A graph of modules is walked in constant evaluation.\n\nSo a missing provider is a compile error.", "rust compilers");
  await bob.sees("bob sees the article of ann", "Proofs at cargo check");
  await bob.sees("and is told, as he watches its tag", "New about #rust");
  await bob.register("bob");
  await bob.publish("<script>alert(1)</script> is only text", "<img src=x onerror=\"document.title='broken'\">", "<b>bold?</b>", "html <i>tag</i>");
  await ann.sees("ann sees the article of bob, as text", "<script>alert(1)</script> is only text");

  await bob.click('[data-slug="proofs-at-cargo-check"] .heart');
  await ann.until("ann sees that bob likes it", `document.querySelector('[data-slug="proofs-at-cargo-check"] .heart').textContent === "♡1"`);
  await bob.until("bob sees that he does", `document.querySelector('[data-slug="proofs-at-cargo-check"] .heart').textContent === "♥1"`);
  await ann.picture("2-list");
  await bob.picture("2-list-dark");

  await ann.run(`location.hash = "#/article/proofs-at-cargo-check"`);
  await bob.run(`location.hash = "#/article/proofs-at-cargo-check"`);
  await ann.sees("ann reads it", "So a missing provider is a compile error.");
  await bob.until("bob may comment", `document.getElementById("comment") !== null`);
  await bob.fill("#comment", { body: "And a cycle?" });
  await ann.sees("ann sees his comment", "And a cycle?");
  await ann.fill("#comment", { body: "Named, with every step of it." });
  await bob.sees("bob sees her answer", "Named, with every step of it.");
  await ann.picture("3-article");

  await stop(server);
  for (const page of [ann, bob]) await page.until("the window says that the server is away", `document.getElementById("link").dataset.state !== "live"`);
  await ann.until("and when it tries again", `document.getElementById("link-wait").textContent.startsWith("· again in")`);
  await ann.picture("4-offline");
  server = await serve();
  await ann.isLive("ann's window is live again");
  await bob.isLive("bob's window is live again");
  await bob.run(`location.hash = "#/"`);
  await ann.run(`location.hash = "#/"`);
  await ann.until("ann is back at the list", `document.getElementById("list") !== null`);
  await ann.publish("After the restart", "Everything that was watched is watched again.", "Nobody had to reload.", "rust");
  await bob.sees("bob sees what ann publishes after the restart", "After the restart");
  await bob.sees("and is told, as he still watches its tag", "New about #rust: “After the restart”");

  await ann.run(`window.confirm = () => true; location.hash = "#/article/after-the-restart"`);
  await ann.until("ann may delete it", `document.querySelector("#whole .danger") !== null`);
  await ann.click("#whole .danger");
  await bob.until("it is gone for bob", `document.querySelector('[data-slug="after-the-restart"]') === null`);
  for (const page of [ann, bob]) {
    await page.until("no window was loaded again, and no text became markup", `window.isTheSame === true && document.title === "Conduit live"`);
  }
  const phone = await browser.window(390, "light");
  await phone.isLive("a narrow window is live");
  await phone.until("and as wide as it is", `document.documentElement.scrollWidth <= 390`);
  await phone.picture("5-phone");
  console.log("all is well");
} finally {
  browser.process.kill();
  await stop(server);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
