// Runs the cells of a live page, in a cage (cage.html) that no request leaves: every file comes from
// the page, through the port. `page.` messages: need, ready, show, done; its own: file, load, run.

const place = "https://nowhere.invalid/";
const waiting = new Map(); // by name of the file
let page, pyodide, shell;

function ask(name) {
  const file = new Promise((resolve, reject) => waiting.set(name, { resolve, reject }));
  page.postMessage({ type: "need", name });
  return file;
}

// Pyodide fetches its files; meanwhile, the page is where it fetches them from.
async function withFiles(work) {
  self.fetch = async (url) => {
    const name = String(url).split("/").pop();
    const type = name.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
    return new Response(await ask(name), { headers: { "Content-Type": type } });
  };
  try {
    return await work();
  } finally {
    delete self.fetch;
  }
}

async function script(name) {
  importScripts(URL.createObjectURL(new Blob([await ask(name)])));
}

async function load({ packages, modules }) {
  await Promise.all([script("pyodide.js"), script("pyodide.asm.js")]);
  pyodide = await withFiles(() => loadPyodide({ indexURL: place }));
  await withFiles(() => add(packages));
  for (const [name, text] of Object.entries(modules)) {
    pyodide.FS.writeFile(name, text);
  }
  shell = pyodide.pyimport("shell");
  shell.start((type, data) => page.postMessage({ type: "show", kind: type, data }));
  page.postMessage({ type: "ready" });
}

// Packages that are there already are left alone, without a word. Pyodide only reports a package that
// does not come.
async function add(packages, load = pyodide.loadPackage) {
  const wrong = [];
  const errorCallback = (text) => wrong.push(text);
  await load(packages, { messageCallback() {}, errorCallback });
  if (wrong.length) throw new Error(wrong.join("\n"));
}

// Whether what a cell needs is there; the cell says so if not, and nothing else is lost.
async function fetched(work) {
  try {
    await withFiles(work);
    return true;
  } catch (error) {
    const text = `${error.message}\nIs there a network? Run the cell again to try once more.`;
    page.postMessage({ type: "show", kind: "error", data: { text, kind: "a package is missing" } });
    return false;
  }
}

async function run({ number, source, packages }) {
  const there = await fetched(async () => {
    await add(packages);
    await add(source, pyodide.loadPackagesFromImports);
  });
  if (!there) return;
  const missing = shell.run(source, number);
  if (missing) await fetched(() => add([missing]));
}

const tasks = { load, run };

self.onmessage = ({ ports: [port] }) => {
  self.onmessage = null;
  page = port;
  page.onmessage = async ({ data }) => {
    if (data.type === "file") {
      const { resolve, reject } = waiting.get(data.name);
      waiting.delete(data.name);
      if (data.bytes) resolve(data.bytes);
      else reject(new Error(`${data.name} could not be loaded`));
      return;
    }
    try {
      await tasks[data.type](data);
      if (data.type === "run") page.postMessage({ type: "done" });
    } catch (error) {
      page.postMessage({ type: "failed", message: String(error.message ?? error) });
    }
  };
};
