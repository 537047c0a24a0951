"""Runs a submission in a process of its own, behind walls and within limits.

The strongest walls that the machine has are taken:

* ``namespaces`` (Linux, where the kernel allows them): another root folder that holds the Python
  libraries and nothing else, no network, no other process in sight; as another user if the grader
  is root;
* ``user`` (where the grader is root): another user, without rights on the grader's files;
* ``none``: a process of the grader's own user.
"""

import ctypes
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
from nbformat import NotebookNode
from nbformat.v4 import new_output

from grading import shell
from nnlab import datasets

WALLS = ("namespaces", "user", "none")
GRACE = 3  # seconds that a cell has to react to the interrupt
FIRST_USER = 61184  # systemd keeps 61184 to 65519 for users that exist only while they work
USERS = 4336
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
PRELOAD = ["grading.shell", "grading.sandbox", "matplotlib.pyplot", "matplotlib_inline"]
PRELOAD += ["numpy.testing", "nnlab.training", "nnlab.initializers", "nnlab.plots"]
INLINE = "module://matplotlib_inline.backend_inline"
# From the kernel's headers.
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x20000, 0x8000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
CAPABILITY_VERSION_3 = 0x20080522
SHOWN = {"text/plain", "image/png", "image/jpeg"}


class SandboxError(RuntimeError):
    """The walls could not be built."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_seconds: float = 30
    seconds: float = 240
    memory: int = 2 << 30  # bytes, beyond what the libraries take
    output: int = 1_000_000  # characters that a cell may show
    disk: int = 256 << 20
    processes: int = 64


USUAL = Limits()


@dataclass(frozen=True)
class Walls:
    """The kind of walls, and what a submission reaches in spite of them, as tried."""

    kind: str
    reach: tuple[str, ...]
    network: bool

    def __str__(self) -> str:
        kinds = {
            "namespaces": "Isolation: each submission runs in namespaces of its own.",
            "user": "Isolation: each submission runs as another user.",
            "none": "NO ISOLATION: submissions run with your rights, and can read and change all "
            "that you can. Grade as root or in a container, if you do not trust them.",
        }
        return "\n".join(
            [
                kinds[self.kind],
                "It can" + ("" if self.network else "not") + " use the network.",
                *(f"It can read {path}" for path in self.reach),
            ]
        )


@dataclass(frozen=True)
class Run:
    """The outputs of the cells that were run; stopped says why those after them were not."""

    outputs: list[list[NotebookNode]]
    stopped: str = ""


def run(
    sources: Sequence[str],
    limits: Limits = USUAL,
    *,
    walls: str = "namespaces",
    number: int = 0,
    files: Path | None = None,
) -> Run:
    """Run cells, one after the other, in a new sandbox.

    Parameters
    ----------
    sources : sequence of str
        The cells.
    limits : Limits
    walls : {"namespaces", "user", "none"}
    number : int
        Tells the users of sandboxes apart that run at the same time.
    files : Path, optional
        A folder whose files the cells find in theirs.

    Returns
    -------
    Run
        With one list of outputs for each cell that was run.

    Raises
    ------
    SandboxError
        If there are no such walls on this machine.
    """
    if walls not in WALLS:
        raise SandboxError(f"walls must be one of {', '.join(WALLS)}; got {walls!r}")
    with tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True) as folder:
        ours, theirs = server().Pipe()
        job = (walls, number, asdict(limits), folder, files and str(files), *visible())
        process = server().Process(target=guard, args=(theirs, job))
        process.start()
        theirs.close()
        try:
            return converse(ours, process, sources, limits)
        finally:
            ours.close()
            process.join(GRACE)
            for end in (process.terminate, process.kill):
                if process.is_alive():
                    end()
                    process.join(GRACE)


def converse(ours: Connection, process, sources: Sequence[str], limits: Limits) -> Run:
    with alarms((60, process.terminate)):
        try:
            ready = json.loads(ours.recv_bytes(10_000))
        except (EOFError, OSError):
            raise SandboxError("the sandbox did not start") from None
    if ready != "ready":
        raise SandboxError(ready)
    outputs: list[list[NotebookNode]] = []
    last = time.monotonic() + limits.seconds
    for source in sources:
        seconds = min(limits.cell_seconds, last - time.monotonic())
        if seconds <= 0:
            return Run(outputs, f"stopped after {limits.seconds:g} s in all")
        started = time.monotonic()
        interrupt = (seconds, lambda: os.kill(process.pid, signal.SIGINT))
        try:
            with alarms(interrupt, (seconds + GRACE, process.terminate)):
                ours.send_bytes(source.encode("utf-8", "replace"))
                reply = ours.recv_bytes(8 * limits.output)
            found = [checked(output) for output in json.loads(reply)]
        except (EOFError, OSError):
            if time.monotonic() - started >= seconds:
                return Run(outputs, f"stopped after {seconds:.0f} s, and did not react to it")
            return Run(outputs, "its process ended (it quit, crashed, or took too much memory)")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return Run(outputs, "its process sent something that is not a cell's output")
        if time.monotonic() - started >= seconds:
            found = [one for one in found if one.output_type != "error"]
            found.append(error("Stopped", f"stopped after {seconds:.0f} s"))
        outputs.append(found)
    return Run(outputs)


@contextmanager
def alarms(*alarms: tuple[float, object]) -> Iterator[None]:
    """Call each function after its seconds, unless the block ends before."""
    timers = [threading.Timer(*alarm) for alarm in alarms]
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def error(name: str, message: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])


def checked(output: dict) -> NotebookNode:
    """An output as the notebook format wants it, of what is harmless to show."""
    kind = output["output_type"]
    if kind == "stream" and output["name"] in ("stdout", "stderr"):
        return new_output(kind, name=output["name"], text=str(output["text"]))
    if kind == "error":
        lines = [str(line) for line in output["traceback"]]
        return new_output(
            kind, ename=str(output["ename"]), evalue=str(output["evalue"]), traceback=lines
        )
    if kind not in ("display_data", "execute_result"):
        raise ValueError(kind)
    data = {k: str(v) for k, v in output["data"].items() if k in SHOWN}
    for mime in data.keys() - {"text/plain"}:
        if not re.fullmatch(r"[A-Za-z0-9+/=\s]*", data[mime]):
            raise ValueError(mime)
    return new_output(kind, data=data)


PROBE = """
import json, os, socket
from importlib.util import find_spec
[open(find_spec(name).origin).close() for name in ("nnlab", "numpy", "sklearn", "this")]
reach = []
for path in {paths!r}:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).close()
        reach.append(path)
    except OSError:
        pass
print(json.dumps([reach, any(name != "lo" for _, name in socket.if_nameindex())]))
"""


def strongest(private: Sequence[Path]) -> Walls:
    """The strongest walls on this machine; whether private paths are out of reach is tried."""
    if walls := next(filter(None, (tried(kind, private) for kind in WALLS)), None):
        return walls
    raise SandboxError("no sandbox could be started; grading needs Linux or macOS")


def tried(kind: str, private: Sequence[Path] = ()) -> Walls | None:
    """Walls of this kind, if the libraries can be read inside of them; else nothing."""
    probe = PROBE.format(paths=[str(path) for path in private if path.exists()])
    try:
        found = run([probe], walls=kind).outputs
    except SandboxError:
        return None
    if not found or found[0][0].get("name") != "stdout":
        return None
    reach, network = json.loads(found[0][0].text)
    return Walls(kind, tuple(reach), network)


@cache
def server():
    """A process that has loaded the libraries; every sandbox is a fork of it, and starts at once.

    It gets a new environment, so that no fork finds the grader's.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    before = dict(os.environ)
    keep = {k: before[k] for k in ("PATH", "PYTHONPATH", "LANG", "VIRTUAL_ENV") if k in before}
    os.environ.clear()
    os.environ.update(keep, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MPLBACKEND="agg")
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return context


def visible() -> tuple[str, list[str]]:
    """The folders that a submission needs: the data first, then Python, its libraries, nnlab.

    Before them the variable that tells nnlab where the data are.
    """
    variable = "NNLAB_DATA_DIR" if os.environ.get("NNLAB_DATA_DIR") else "NNLAB_CACHE_DIR"
    data = os.environ.get("NNLAB_DATA_DIR") or datasets._cache_dir()
    paths = [data, sys.prefix, sys.base_prefix, Path(datasets.__file__).parent]
    paths += [path for path in sys.path if path.endswith("-packages")]
    paths = [Path(path).absolute() for path in paths]
    paths = [path for path in dict.fromkeys(paths) if not set(path.parents) & set(paths)]
    return variable, [str(path) for path in paths if not path.is_relative_to("/usr")]


# --- What follows runs in the sandbox's own processes.


def guard(connection: Connection, job: tuple) -> None:
    """Start the sandbox, wait for its end, and leave nothing of it running."""
    walls, usage = job[0], psutil.Process().memory_info()
    memory, own = usage.vms, usage.rss
    os.setsid()
    if sys.platform == "linux":
        libc("prctl", PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        libc("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        if walls == "namespaces":
            leave_namespaces()
        elif walls == "user" and os.getuid() != 0:
            raise SandboxError("only root can become another user")
        child = os.fork()
    except (OSError, AttributeError, SandboxError) as problem:
        connection.send_bytes(json.dumps(str(problem)).encode())
        return
    if child == 0:
        try:
            inside(connection, *job, memory)
        finally:
            os._exit(0)
    connection.close()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.signal(signal.SIGINT, lambda *_: os.kill(child, signal.SIGINT))
    # A timer, because a process that has left its process namespace can start no thread.
    signal.signal(signal.SIGALRM, lambda *_: check_memory(child, job[2]["memory"], own))
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    os.waitpid(child, 0)
    while orphans := psutil.Process().children(recursive=True):  # those of setsid, too
        for orphan in orphans:
            with suppress(psutil.Error):
                orphan.kill()
        psutil.wait_procs(orphans, timeout=1)


def check_memory(child: int, most: int, own: int) -> None:
    """End the sandbox if its processes together have taken the memory that each may."""
    with suppress(psutil.Error):
        used = [one.memory_info().rss - own for one in psutil.Process().children(recursive=True)]
        if sum(more for more in used if more > 0) > most:
            os.kill(child, signal.SIGKILL)


def inside(connection, walls, number, limits, folder, files, variable, seen, memory) -> None:
    """Become the sandbox, and run what is sent."""
    try:
        null = os.open("/dev/null", os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        os.closerange(3, connection.fileno())
        os.closerange(connection.fileno() + 1, 1 << 16)
        forget_multiprocessing()
        data = seen[0]
        home = folder
        if walls == "namespaces":
            new_root(folder, seen, limits["disk"])
            home = f"{folder}/home"
            Path(home).mkdir()
        if files:
            no_notebooks = shutil.ignore_patterns("*.ipynb")
            shutil.copytree(files, home, dirs_exist_ok=True, ignore=no_notebooks)
        if walls != "none" and os.getuid() == 0:
            for path in (home, *Path(home).rglob("*")):
                os.chown(path, FIRST_USER + number % USERS, FIRST_USER + number % USERS)
        if walls == "namespaces":
            os.chroot(folder)
            home = "/home"
        os.chdir(home)
        os.environ.update(HOME=home, TMPDIR=home, IPYTHONDIR=f"{home}/.ipython", USER="student")
        os.environ["MPLBACKEND"] = INLINE
        if Path(data).is_dir():
            os.environ[variable] = data
        if walls != "none":
            lose_rights(FIRST_USER + number % USERS)
            resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"],) * 2)
        if sys.platform == "linux":  # again: a change of user clears it
            libc("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (memory + limits["memory"],) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["disk"],) * 2)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        started = shell.start(limits["output"])
    except Exception as problem:
        connection.send_bytes(json.dumps(f"{walls}: {problem}").encode())
        return
    shell.serve(connection, started)


def forget_multiprocessing() -> None:
    """Let the cells start processes as in any notebook: what we were started with is closed."""
    multiprocessing.set_start_method(None, force=True)
    multiprocessing.current_process()._config.pop("tempdir", None)
    resource_tracker._resource_tracker.__init__()


def libc(name: str, *args) -> None:
    """Call a function of the C library that Python does not have (os.unshare is in 3.12 only)."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*args) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def leave_namespaces() -> None:
    """Give the next child its own mounts, processes, network and, unless root, user."""
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC
    libc("unshare", flags if user == 0 else flags | CLONE_NEWUSER)
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def new_root(root: str, seen: Sequence[str], disk: int) -> None:
    """Build a root folder in memory that holds the system's and Python's libraries, read-only."""
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, f"size={disk},mode=755")
    for path in map(Path, (*SYSTEM, *DEVICES, *seen)):
        place = Path(root + str(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() and str(path) in SYSTEM:
            place.symlink_to(path.readlink())
        elif path.exists():
            place.mkdir(exist_ok=True) if path.is_dir() else place.touch()
            mount(str(path), str(place), None, MS_BIND | MS_REC)
            if str(path) not in DEVICES:
                kept = os.statvfs(path).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
                mount(None, str(place), None, MS_BIND | MS_REMOUNT | MS_RDONLY | kept)
    for name in ("proc", "tmp", "dev/shm"):
        Path(root, name).mkdir(exist_ok=True)  # the libraries may lie below /tmp
        Path(root, name).chmod(0o1777)
    with suppress(OSError):  # some containers forbid it
        mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    text = [value and value.encode() for value in (source, target, kind)]
    libc("mount", *text, ctypes.c_ulong(flags), data.encode())


def lose_rights(user: int) -> None:
    """Become another user if root; give up what the user namespace granted if not."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    else:
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        libc("capset", header, (ctypes.c_uint32 * 6)())
    if sys.platform == "linux":
        libc("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
