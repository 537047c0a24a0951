"""Time what a reader waits for, on a cold cache: `make times`, on a machine that does nothing else.

Paint is when the first words show; interaction is when an explorer, tried again and again from the
moment it is there, shows another frame. The phone is an emulated one: a quarter of this machine's
speed, 1.6 Mbit/s, 150 ms to the server and back.
"""

import functools
import gzip
import statistics
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

from offline import BUILD
from pdf import launch
from playwright.sync_api import Browser, sync_playwright

CHAPTERS = ("02_symmetry", "04_xavier_he")
RUNS = 5
WIDTHS = {"desktop": 1280, "phone": 390}
NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 2e5, "uploadThroughput": 9e4}
TRY = """() => {
  const attempt = () => {
    const explorer = document.querySelector('.nnlab-explorer');
    const control = explorer?.querySelector('select, input[type=range]');
    const picture = explorer?.querySelector('.frame > svg');
    if (picture) {
      window.first ??= picture;
      if (picture !== window.first) return window.interaction = performance.now();
      control.value = (Number(control.value) || 2) - 1;
      control.dispatchEvent(new Event('input'));
    }
    setTimeout(attempt, 20);
  };
  attempt();
}"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


class Handler(SimpleHTTPRequestHandler):
    """A server like others: it compresses, and keeps its connections."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        pass

    def send_head(self) -> BytesIO | None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return None
        text = path.suffix not in {".png", ".woff", ".woff2"}
        data = packed(path) if text else path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(data)))
        if text:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        return BytesIO(data)


@functools.cache
def packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes())


def visit(browser: Browser, device: str, address: str) -> tuple[float, float]:
    """Open a page as a new reader; return the seconds until paint and interaction."""
    page = browser.new_page(viewport={"width": WIDTHS[device], "height": 800})
    if device == "phone":
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", NETWORK)
    page.add_init_script(f"({TRY})()")
    page.goto(address)
    page.wait_for_function("window.interaction", timeout=60_000)
    seconds = page.evaluate(f"[{PAINT} / 1000, window.interaction / 1000]")
    page.context.close()
    return tuple(seconds)


def main() -> None:
    handler = functools.partial(Handler, directory=BUILD / "html")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("| chapter | device | first paint, s | first interaction, s |\n|---|---|---|---|")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            sys.exit("There is no Chromium: install it, or say in CHROMIUM where it is.")
        for chapter in CHAPTERS:
            for device in WIDTHS:
                address = f"http://127.0.0.1:{server.server_port}/book/{chapter}.html"
                times = [visit(browser, device, address) for _ in range(RUNS)]
                paint, interaction = map(statistics.median, zip(*times, strict=True))
                print(f"| {chapter} | {device} | {paint:.2f} | {interaction:.2f} |", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
