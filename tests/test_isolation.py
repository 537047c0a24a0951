"""Whatever a test starts reaches this machine and no other."""

import subprocess
import sys
from pathlib import Path

import isolation
import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOREIGN = {
    "an address": "socket.create_connection(('192.0.2.1', 80))",
    "an IPv6 address": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "a name": "urllib.request.urlopen('https://example.org')",
    "an old call": "socket.gethostbyname('example.org')",
    "a datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 53))",
}
HERE = """
import socket, threading
from pathlib import Path
for family, address in [(socket.AF_INET, ("localhost", 0)), (socket.AF_INET, ("", 0))]:
    with socket.create_server(address, family=family) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
if hasattr(socket, "AF_UNIX"):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("socket")
        server.listen()
        client.connect("socket")
    Path("socket").unlink()
print("reached")
"""


@pytest.fixture
def notes(tmp_path, monkeypatch) -> Path:
    """Where this test's attempts are noted: they are meant, and none of the run's."""
    monkeypatch.setenv(isolation.NOTES, str(tmp_path / "notes.txt"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "notes.txt"


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("code", FOREIGN.values(), ids=FOREIGN)
def test_another_machine_cannot_be_reached(code, notes):
    ran = python(f"import socket, urllib.request\n{code}")
    assert "NetworkError: tests have no network, but this one asked for" in ran.stderr
    assert len(isolation.attempts()) == 1


def test_this_process_is_cut_off_too(notes):
    import socket

    with pytest.raises(RuntimeError, match=r"asked for 192\.0\.2\.1 ") as caught:
        socket.create_connection(("192.0.2.1", 80))
    assert caught.typename == "NetworkError"  # of this process, or of the one that started it


def test_an_attempt_is_noted_where_its_error_is_caught(notes):
    python("import socket\ntry: socket.gethostbyname('example.org')\nexcept Exception: pass")
    assert isolation.attempts() == ["socket.gethostbyname example.org by ['-c']"]


def test_a_kernel_is_cut_off(notes):
    nb = nbformat.v4.new_notebook()
    nb.cells = [nbformat.v4.new_code_cell("import socket; socket.gethostbyname('example.org')")]
    kernel = AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        transport_encryption="auto",
    )
    with pytest.raises(CellExecutionError, match="tests have no network"):
        NotebookClient(nb, km=kernel).execute(cleanup_kc=True)


def test_this_machine_can_be_reached(notes):
    assert python(HERE).stdout == "reached\n"
    assert isolation.attempts() == []
