"""The shell that runs a submission's cells, inside of the sandbox."""

import io
import json
import signal
import subprocess
import sys
from multiprocessing.connection import Connection

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Int, Type
from traitlets.config import Config

CUT = "\n[The rest of the output was left out: it was longer than {limit:,} characters.]"


class Capped(io.StringIO):
    """A stream that keeps no more than its limit, however much is written to it."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.left, self.limit = limit, limit

    def write(self, text: str) -> int:
        if self.left:
            kept = text[: self.left]
            self.left -= len(kept)
            super().write(kept if self.left else kept + CUT.format(limit=self.limit))
        return len(text)


class Publisher(DisplayPublisher):
    def publish(self, data, metadata=None, **others) -> None:
        self.shell.keep({"output_type": "display_data", "data": data})


class Hook(DisplayHook):
    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict, md_dict=None) -> None:
        self.shell.keep({"output_type": "execute_result", "data": format_dict})

    def finish_displayhook(self) -> None:
        pass


class Shell(InteractiveShell):
    """IPython without a terminal: what a cell shows is collected, up to a limit."""

    limit = Int()
    displayhook_class = Type(Hook)
    display_pub_class = Type(Publisher)

    def keep(self, output: dict) -> None:
        if "data" in output:
            output["data"] = {k: v for k, v in output["data"].items() if isinstance(v, str)}
        self.size += len(json.dumps(output))
        if self.size <= self.limit:
            self.outputs.append(output)

    def _showtraceback(self, etype, evalue, stb) -> None:
        text = self.InteractiveTB.stb2text(stb)[-20_000:]
        self.outputs.append(
            {
                "output_type": "error",
                "ename": etype.__name__,
                "evalue": str(evalue)[:2000],
                "traceback": text.splitlines(),
            }
        )

    def system(self, cmd: str) -> None:
        """Run what stands after a "!", where there is no terminal."""
        command = self.var_expand(cmd, depth=1)
        done = subprocess.run(command, shell=True, capture_output=True, text=True, errors="replace")
        print(done.stdout + done.stderr, end="")
        self.user_ns["_exit_code"] = done.returncode

    def enable_gui(self, gui=None) -> None:
        """There is no window."""

    def ask_exit(self) -> None:
        """Let quit() do nothing."""

    def answer(self, source: str) -> list[dict]:
        """Run a cell and return its outputs."""
        self.outputs, self.size = [], 0
        streams = {"stdout": Capped(self.limit), "stderr": Capped(self.limit)}
        sys.stdout, sys.stderr = streams["stdout"], streams["stderr"]
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.run_cell(source, store_history=True)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except KeyboardInterrupt as error:  # between two lines of ours
            self._showtraceback(type(error), error, [])
        return [
            {"output_type": "stream", "name": name, "text": stream.getvalue()}
            for name, stream in streams.items()
            if stream.getvalue()
        ] + self.outputs


def start(limit: int) -> Shell:
    """A new shell, whose cells may show as many characters each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"xmode": "Plain"}})
    shell = Shell.instance(config=config, limit=limit, colors="nocolor")
    shell.enable_matplotlib("inline")
    return shell


def serve(connection: Connection, shell: Shell) -> None:
    """Run each cell that comes, and send its outputs back, until the other end closes."""
    send = connection.send_bytes  # all taken now: the cells can change what the names mean
    receive, dumps, answer = connection.recv_bytes, json.dumps, shell.answer
    send(b'"ready"')
    while True:
        source = receive().decode()
        send(dumps(answer(source)).encode("utf-8", "replace"))
