// A live page: its cells become editors, and a worker in a cage runs them.

import * as cm from "./editor.min.js";
import { clean } from "./clean.js";

const here = (name) => new URL(name, import.meta.url);
const KEYS =
  "Shift-Enter runs a cell and goes to the next, Ctrl-Enter (on a Mac, Command-Enter) runs it and " +
  "stays, Tab leaves the code.";
const MODULES = ["shell.py", "backend.py", "figures.py"];

// ---------------------------------------------------------------------------- files

// Every file that Python needs is loaded by the page, checked by its hash, and handed over.
class Files {
  constructor(listed, progress) {
    this.listed = listed.files;
    this.lock = listed.lock;
    this.lent = listed.lent; // what parts of the engine import only when they are used
    this.progress = progress;
    this.loaded = new Map();
    this.total = this.done = 0;
  }

  get(name) {
    if (name === "pyodide-lock.json") return Promise.resolve(new Blob([JSON.stringify(this.lock)]));
    if (!this.loaded.has(name)) {
      const file = this.load(name);
      file.catch(() => this.loaded.delete(name)); // so that it can be tried again
      this.loaded.set(name, file);
    }
    return this.loaded.get(name);
  }

  async load(name) {
    if (!Object.hasOwn(this.listed, name)) throw new Error(`${name} is no file of this page`);
    const { url, integrity, size } = this.listed[name];
    this.total += size;
    this.progress(this.done / this.total);
    const options = { integrity, credentials: "omit", referrerPolicy: "no-referrer" };
    const response = await fetch(here(url), options);
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    const blob = await response.blob();
    this.done += size;
    this.progress(this.done / this.total);
    return blob;
  }

  // The packages that a cell's words ask for; its own imports are seen to by Python.
  needs(text) {
    const lent = Object.entries(this.lent);
    return lent.flatMap(([name, packages]) =>
      new RegExp(`\\b${name}\\b`).test(text) ? packages : [],
    );
  }

  packages(names) {
    const { packages } = this.lock;
    return names.map((name) => packages[name].file_name);
  }
}

// ---------------------------------------------------------------------------- Python

// A worker in a cage. It is ended by taking the cage away.
class Python {
  constructor(files, handlers) {
    this.files = files;
    this.handlers = handlers;
  }

  async start(packages) {
    const [source, ...texts] = await Promise.all(
      ["worker.js", ...MODULES].map(async (name) => (await fetch(here(name))).text()),
    );
    this.cage = document.createElement("iframe");
    this.cage.hidden = true;
    this.cage.sandbox = "allow-scripts";
    this.cage.title = "Where the cells run";
    this.cage.src = here("cage.html");
    const open = new Promise((resolve) => (this.cage.onload = resolve));
    document.body.append(this.cage);
    await open;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    port1.onmessage = ({ data }) => (this[data.type] ?? this.handlers[data.type])?.call(this, data);
    this.cage.contentWindow.postMessage(source, "*", [port2]);
    const modules = Object.fromEntries(MODULES.map((name, i) => [name, texts[i]]));
    this.port.postMessage({ type: "load", packages, modules });
  }

  async need({ name }) {
    const { port } = this;
    try {
      const bytes = await (await this.files.get(name)).arrayBuffer();
      port.postMessage({ type: "file", name, bytes }, [bytes]);
    } catch (error) {
      console.error(error);
      port.postMessage({ type: "file", name });
    }
  }

  run(number, source, packages) {
    this.port.postMessage({ type: "run", number, source, packages });
  }

  end() {
    this.port?.close();
    this.cage?.remove();
  }
}

// ---------------------------------------------------------------------------- cells

const setError = cm.StateEffect.define(); // the number of the line, or null
const errorLine = cm.StateField.define({
  create: () => cm.Decoration.none,
  update(marks, transaction) {
    marks = transaction.docChanged ? cm.Decoration.none : marks;
    for (const effect of transaction.effects) {
      if (effect.is(setError)) {
        const { doc } = transaction.state;
        const inside = effect.value && effect.value <= doc.lines;
        marks = inside
          ? cm.Decoration.set(
              cm.Decoration.line({ class: "nnlab-wrong" }).range(doc.line(effect.value).from),
            )
          : cm.Decoration.none;
      }
    }
    return marks;
  },
  provide: (field) => cm.EditorView.decorations.from(field),
});

function make(tag, className, text) {
  const part = document.createElement(tag);
  if (className) part.className = className;
  if (text) part.textContent = text;
  return part;
}

class Cell {
  constructor(root, number, page) {
    Object.assign(this, { root, number, page, state: "", ran: false });
    this.input = root.querySelector(".cell_input");
    this.saved = root.querySelector(".cell_output");
    this.source = this.input.querySelector("pre").textContent.replace(/\n$/, "");
    this.given = [...this.input.children];
    for (const part of this.given) part.classList.add("nnlab-away");
    this.view = new cm.EditorView({ state: this.fresh(), parent: this.input });
    this.bar = this.input.appendChild(make("div", "nnlab-bar"));
    this.bar.role = "group";
    this.bar.ariaLabel = `Cell ${number}`;
    this.runButton = this.button("Run", () => page.press(this));
    this.aboveButton = number > 1 && this.button("Run all above", () => page.runAbove(this));
    this.resetButton = this.button("Reset", () => this.reset());
    this.resetButton.disabled = true;
    this.mark = this.bar.appendChild(make("span", "nnlab-mark"));
    this.output = make("div", "nnlab-output");
    this.long = page.root.dataset.long.split(" ").includes(String(number));
    // After what was saved, and not inside a fold that hides it.
    const fold = this.saved?.closest("details.below-input");
    const after = fold ?? this.saved ?? this.input.closest("details.above-input") ?? this.input;
    this.hidden = fold ?? this.saved;
    after.after(this.output);
    this.show("");
  }

  fresh() {
    const { number, page } = this;
    const run = () => (page.run([this]), true);
    return cm.EditorState.create({
      doc: this.source,
      extensions: [
        cm.Prec.highest(
          cm.keymap.of([
            { key: "Shift-Enter", run: () => (run(), page.cells[number]?.view.focus(), true) },
            { key: "Mod-Enter", run },
          ]),
        ),
        cm.highlightSpecialChars(),
        cm.history(),
        cm.drawSelection(),
        cm.indentOnInput(),
        cm.indentUnit.of("    "),
        cm.bracketMatching(),
        cm.closeBrackets(),
        cm.syntaxHighlighting(cm.classHighlighter),
        cm.python(),
        errorLine,
        cm.keymap.of([...cm.closeBracketsKeymap, ...cm.defaultKeymap, ...cm.historyKeymap]),
        cm.EditorView.contentAttributes.of({ "aria-label": `Code of cell ${number}` }),
        cm.EditorView.updateListener.of(({ docChanged }) => docChanged && this.changed()),
      ],
    });
  }

  get text() {
    return this.view.state.doc.toString();
  }

  get edited() {
    return this.text !== this.source;
  }

  changed() {
    this.show(this.state);
  }

  button(text, action) {
    const button = this.bar.appendChild(make("button", "", text));
    button.type = "button";
    button.onclick = action;
    return button;
  }

  // What is there stays until there is something new, so that the page does not jump.
  clear() {
    if (!this.stale) return;
    this.stale = false;
    const before = this.output.hasChildNodes() ? this.output : this.hidden;
    this.output.style.minHeight = `${before?.offsetHeight ?? 0}px`; // until it ends
    this.output.replaceChildren();
    this.hidden?.classList.add("nnlab-away");
  }

  close() {
    this.clear();
    this.output.style.minHeight = "";
    clearInterval(this.clock);
  }

  end() {
    this.close();
    this.ran = true;
    this.seconds = Math.round((performance.now() - this.begun) / 1000);
    this.show(this.error ? "wrong" : "done");
  }

  stop() {
    this.close();
    this.show("stopped");
  }

  // States: "" (not run), queued, running, done, wrong, stopped.
  show(state) {
    this.state = state;
    const took = Math.round((performance.now() - this.begun) / 1000);
    const words = {
      "": this.long ? "takes minutes in a browser" : "",
      queued: this.page.ready ? "waits" : "waits until Python has loaded",
      running: took ? `runs for ${took} s` : "runs …",
      done: this.seconds ? `ran in ${this.seconds} s` : "ran",
      wrong: "stopped with an error",
      stopped: "stopped; what all cells had computed is lost",
    };
    this.mark.textContent = [words[state], this.edited && "changed"].filter(Boolean).join(", ");
    this.runButton.textContent = state === "running" || state === "queued" ? "Stop" : "Run";
    this.root.dataset.state = state;
    const fresh = !this.edited && !this.output.hasChildNodes();
    this.resetButton.disabled = state === "running" || fresh;
  }

  begin() {
    this.stale = true;
    if (this.output.querySelector(".nnlab-error")) this.clear(); // what ended it is over
    this.view.dispatch({ effects: setError.of(null) });
    this.show("running");
    this.begun = performance.now();
    this.clock = setInterval(() => this.show("running"), 1000);
  }

  reset() {
    this.view.setState(this.fresh());
    this.output.replaceChildren();
    this.hidden?.classList.remove("nnlab-away");
    this.show("");
    this.page.say(`Cell ${this.number} is as it was.`);
    this.view.focus();
  }

  add({ kind, data }) {
    this.clear();
    const last = this.output.lastElementChild;
    if (kind === "text") {
      const text = last?.classList.contains("nnlab-text")
        ? last
        : this.output.appendChild(make("pre", "nnlab-text"));
      text.append(data);
    } else if (kind === "html") {
      this.addHtml(data);
    } else {
      this.output.append(make("pre", "nnlab-error", data.text.trimEnd()));
      this.view.dispatch({ effects: setError.of(data.line) });
      const above = this.page.cells.slice(0, this.number - 1);
      if (data.missing) {
        const hint = `This cell needs ${data.missing}, which is loaded now. Run it again.`;
        this.output.append(make("p", "nnlab-hint", hint));
      } else if (data.kind === "NameError" && !above.every((cell) => cell.ran)) {
        const hint = "Cells above have not been run yet: “Run all above” does it.";
        this.output.append(make("p", "nnlab-hint", hint));
      }
      this.error = data;
    }
  }

  addHtml({ html, style }) {
    const box = make("div", "nnlab-shown");
    box.append(clean(html));
    this.page.addColors(style);
    const figure = this.saved?.querySelector("figure");
    const drawing = box.querySelector(":scope > svg.nnlab-figure");
    // The words for the saved figure fit this one as long as nothing was changed.
    if (drawing && figure && !this.page.cells.some((cell) => cell.edited)) {
      const name = figure.querySelector("svg")?.getAttribute("aria-label");
      if (name) drawing.setAttribute("aria-label", name);
      const caption = figure.querySelector("figcaption")?.cloneNode(true);
      if (caption) {
        for (const part of [caption, ...caption.querySelectorAll("[id]")]) part.removeAttribute("id");
        const shown = make("figure");
        shown.append(drawing, caption);
        box.append(shown);
      }
    }
    this.output.append(box);
    for (const explorer of box.querySelectorAll(".nnlab-explorer")) {
      document.dispatchEvent(new CustomEvent("nnlab-explorer", { detail: explorer }));
    }
  }
}

// ---------------------------------------------------------------------------- page

class Page {
  constructor(root, listed) {
    this.root = root;
    this.status = root.querySelector("[role=status]");
    this.packages = [...root.dataset.packages.split(" "), "nnlab"]; // what the first cell needs
    this.files = new Files(listed, (part) => this.progress(part));
    this.queue = [];
    this.ready = false;
    this.colors = new Map();
    this.style = document.head.appendChild(make("style"));
    const button = root.querySelector("button");
    this.meter = make("progress");
    this.meter.ariaLabel = "Loading";
    this.allButton = this.button("Run all", () => this.run(this.cells));
    this.stopButton = this.button("Stop", () => this.stop());
    button.after(this.allButton, this.stopButton, this.meter);
    const roots = [...document.querySelectorAll(".bd-article div.cell")];
    this.cells = roots
      .filter((cell) => cell.querySelector(".cell_input pre"))
      .map((cell, i) => new Cell(cell, i + 1, this));
    root.querySelector(":scope > span").textContent = KEYS;
    const focused = document.activeElement === button;
    button.remove();
    if (focused) this.allButton.focus();
    this.begin();
  }

  button(text, action) {
    const button = make("button", "", text);
    button.type = "button";
    button.onclick = action;
    return button;
  }

  say(text) {
    this.status.textContent = text;
  }

  // When every file is there, Python still has to start: a bar without an end says so.
  progress(part) {
    if (part < 1) this.meter.value = part;
    else this.meter.removeAttribute("value");
    this.meter.hidden = part === 1 && this.ready;
  }

  // Loads Python; then the first cell, which imports what the others need, is run.
  async begin(said = "Python is loading; you may read and change the code meanwhile.") {
    this.ready = false;
    this.current = null;
    this.meter.hidden = false;
    this.say(said);
    this.update();
    const core = ["pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip"];
    const names = [...core, ...this.files.packages(this.packages)]; // side by side
    for (const name of names) this.files.get(name).catch(() => {});
    this.python = new Python(this.files, {
      ready: () => this.loaded(),
      show: (data) => this.current?.add(data),
      done: () => this.done(),
      failed: ({ message }) => this.failed(message),
    });
    await this.python.start(this.packages).catch((error) => this.failed(error.message));
  }

  loaded() {
    this.ready = true;
    this.meter.hidden = true;
    this.say("Ready. Every cell can be changed and run.");
    if (!this.queue.includes(this.cells[0])) this.run([this.cells[0]], true);
    else this.next();
  }

  failed(message) {
    console.error(message);
    this.python.end();
    this.meter.hidden = true;
    this.ready = false;
    for (const cell of this.queue.splice(0)) cell.show("");
    clearInterval(this.current?.clock);
    this.current?.show("");
    this.say("Python could not be loaded. Is there a network? “Try again” tries it once more.");
    this.stopButton.textContent = "Try again";
    this.stopButton.disabled = false;
  }

  press(cell) {
    if (cell.state === "running") this.stop();
    else if (cell.state === "queued") {
      this.queue = this.queue.filter((each) => each !== cell);
      cell.show("");
    } else this.run([cell]);
  }

  run(cells, first = false) {
    for (const cell of cells) {
      if (cell.state === "running" || this.queue.includes(cell)) continue;
      if (first) this.queue.unshift(cell);
      else this.queue.push(cell);
      cell.show("queued");
    }
    this.update();
    this.next();
  }

  runAbove(cell) {
    this.run(this.cells.slice(0, cell.number - 1));
  }

  next() {
    if (!this.ready || this.current || !this.queue.length) return;
    const cell = (this.current = this.queue.shift());
    cell.error = null;
    cell.begin();
    this.say(`Cell ${cell.number} runs.`);
    this.update();
    this.python.run(cell.number, cell.text, this.files.needs(cell.text));
  }

  done() {
    const cell = this.current;
    this.current = null;
    cell.end();
    if (cell.error) {
      const where = cell.error.line ? `, line ${cell.error.line}` : "";
      this.say(`Cell ${cell.number} stopped with an error${where}: ${cell.error.kind}.`);
      for (const waiting of this.queue.splice(0)) waiting.show("");
    } else if (!this.queue.length) {
      const imports = cell.number === 1 ? " Every cell can be changed and run now." : "";
      this.say(`Cell ${cell.number} has run.${imports}`);
    }
    this.update();
    this.next();
  }

  stop() {
    this.python.end();
    this.stopButton.textContent = "Stop";
    this.queue = [];
    for (const cell of this.cells) {
      cell.ran = false;
      if (cell.state) cell.show("");
    }
    this.current?.stop();
    this.begin("Stopped. Python starts again; what the cells had computed is lost.");
  }

  update() {
    this.stopButton.disabled = !this.current;
  }

  addColors(style = "") {
    for (const [, name, color] of style.matchAll(/(--c-[0-9a-f]{6}):(#[0-9a-f]{6})/g)) {
      this.colors.set(name, color);
    }
    const rules = [...this.colors].map(([name, color]) => `${name}:${color};`).join("");
    this.style.textContent = `html[data-theme="dark"]{${rules}}`;
  }
}

export async function start(root) {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = here("live.css");
  const styled = new Promise((resolve) => (style.onload = style.onerror = resolve));
  document.head.append(style);
  const [listed] = await Promise.all([fetch(here("files.json")).then((r) => r.json()), styled]);
  return new Page(root, listed);
}
