"""No test asks the network for anything: only addresses of this machine can be reached.

``forbid`` sees to it in this process and in every Python that it starts: kernels, servers and
workers too. What a test tries all the same fails there, and is noted: the whole run fails, even
where somebody catches the error.
"""

import os
import sys
from ipaddress import ip_address
from pathlib import Path

NOTES = "NNLAB_NETWORK_NOTES"  # the file in which attempts are noted, for all processes


class NetworkError(RuntimeError):
    """A test has asked the network for something. No OSError, which callers expect and excuse."""


def is_here(host: object) -> bool:
    """Whether ``host`` is this machine."""
    import socket

    if isinstance(host, bytes):
        host = host.decode()
    if not host or host in ("localhost", socket.gethostname()):
        return True
    try:
        address = ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def watch(event: str, arguments: tuple) -> None:
    """Refuse what leads away from this machine: a hook for Python's audit events."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if not isinstance(address, tuple) or is_here(address[0]):  # a path is a Unix socket
            return
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[0]
        if is_here(address):
            return
    else:
        return
    if path := os.environ.get(NOTES):
        with Path(path).open("a", encoding="utf-8") as notes:
            notes.write(f"{event} {address} by {sys.argv}\n")
    raise NetworkError(f"tests have no network, but this one asked for {address} ({event})")


def forbid(folder: Path) -> None:
    """Cut this process off, and those that it will start; take notes in ``folder``."""
    if NOTES in os.environ:  # this process was started by one that is cut off
        return
    os.environ[NOTES] = str(folder / "notes.txt")
    source = Path(__file__).read_text(encoding="utf-8")
    start = folder / "sitecustomize.py"  # which every Python runs when it starts
    start.write_text(f"{source}\n\nsys.addaudithook(watch)\n", encoding="utf-8")
    paths = [str(folder), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    sys.addaudithook(watch)


def attempts() -> list[str]:
    """What was tried so far, in all processes."""
    notes = Path(os.environ[NOTES])
    return notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
