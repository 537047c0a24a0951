"""Damage files, kill downloads and fill disks, thousands of times: is what is read always right?

On Linux, without a network; about five minutes. The results go into README.md.
"""

import contextlib
import errno
import gzip
import multiprocessing
import os
import resource
import shutil
import signal
import socketserver
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
import requests  # noqa: F401, loaded once and not by each process

os.environ["TQDM_DISABLE"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))
import faults
import tables
import test_datasets as small

from nnlab import datasets

MUTANTS, KILLS, REPLIES = 10_000, 1000, 1000
SHARES = 4  # processes that kill
ROOM = 2**27  # bytes that a process may take on top of what it has
FORK = multiprocessing.get_context("fork")
BASE = Path(tempfile.mkdtemp(prefix="nnlab-robustness-"))
BOMB = faults.bomb(3072)
NOBODY = 65534
Row = tuple[str, int, str, str]


def apart(function: Callable, *args: object) -> object:
    """Return what a function returns, or raise what it raises, in a process of its own."""
    with ProcessPoolExecutor(1, FORK) as pool:
        return pool.submit(function, *args).result()


def told(counts: Counter) -> str:
    return ", ".join(f"{n} {what}" for what, n in sorted(counts.items()) if n)


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


# ------------------------------------------------------------------------------------ the files


def mutants() -> list[Row]:
    """Read damaged files: the array that the definition says, or a DatasetError."""
    limit_memory()
    every = faults.FAULTS | {"gigabytes of zeros": BOMB} | faults.HARMLESS
    rng, rows = Random(0), []
    path = BASE / "mutant"
    tries = -(-MUTANTS // len(every))
    for fault, damage in every.items():
        counts = Counter()
        for _ in range(tries):
            whole = rng.choice(small.WHOLE)
            data = damage(rng, whole)
            array = small.read(path, data)
            if damage is BOMB:
                assert array is None
            else:
                expected = faults.reference(data)
                if array is None:
                    assert expected is None or small.pickier(data), fault
                    assert fault not in faults.HARMLESS
                else:
                    np.testing.assert_array_equal(array, expected, strict=True)
            counts["refused" if array is None else "read exactly"] += 1
            # As a file of MNIST, only what MNIST's file holds is taken.
            (path / "x.gz").replace(path / small.TRAIN_IMAGES)
            with contextlib.suppress(datasets.DatasetError):
                image = datasets._read(path, small.TRAIN_IMAGES.removesuffix(".gz"))
                right = faults.reference(small.FILES[small.TRAIN_IMAGES])
                np.testing.assert_array_equal(image, right, strict=True)
        rows.append((f"{fault}", tries, told(counts), "nothing"))
    return rows


def giants() -> list[Row]:
    """Compare the time for the worst files, as large as any may be, with that for a good one."""
    path = BASE / "giant"
    first = bytes([0, 0, 8, 1, 0, 0, 0, 5])
    images = np.random.default_rng(0).binomial(255, 0.02, (60_000, 28, 28))
    room = datasets.LARGEST
    empty = faults.member(b"")
    giants = {
        "a good file of MNIST's size": small.idx(images),
        "3 GiB of zeros, 5 announced": faults.zeros(3072, first),
        "64 MiB of empty members": room // len(empty) * empty,
        "64 MiB of a file name": b"\x1f\x8b\x08\x08" + bytes(6) + (room - 10) * b"a",
        "64 MiB of padding": faults.member(first + bytes(5)).ljust(room, b"\0"),
        "64 MiB of noise": first + np.random.default_rng(1).bytes(room - 8),
    }
    rows, good = [], None
    for what, data in giants.items():
        path.write_bytes(data)
        start = time.process_time()
        with contextlib.suppress(datasets.DatasetError):
            datasets._contents(path, datasets.LARGEST)
        seconds = time.process_time() - start
        good = good or seconds
        assert seconds < 100 * good, what
        rows.append((what, 1, f"{seconds / good:.2g} times as long as a good file", "nothing"))
    return rows


# -------------------------------------------------------------------------------- the downloads


def download(cache: Path, *urls: str) -> str:
    """Download what is missing: it succeeds, or says why not."""
    datasets.MIRRORS = urls
    os.environ["NNLAB_CACHE_DIR"] = str(cache)
    try:
        datasets.download_mnist()
    except (OSError, datasets.DatasetError) as error:
        return type(error).__name__
    return "downloaded"


def look(cache: Path) -> tuple[int, int]:
    """Return how many files and temporary folders there are. The files must be right."""
    names = {path.name for path in cache.iterdir()} if cache.is_dir() else set()
    parts = {name for name in names if name.startswith(".") and name.endswith(".part")}
    for name in names - parts:
        data = (cache / name).read_bytes()
        found = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        assert found == gzip.decompress(small.FILES[name]), (cache, name)
    return len(names - parts), len(parts)


@contextlib.contextmanager
def mirror() -> Iterator[str]:
    """Serve the files from a process of its own, so that this one has no threads and can fork."""

    def work(pipe):
        with small.serve("good") as server:
            pipe.send(server.url)
            signal.pause()

    here, there = FORK.Pipe()
    process = FORK.Process(target=work, args=(there,), daemon=True)
    process.start()
    yield here.recv()
    process.kill()
    process.join()


def finish(cache: Path, url: str) -> None:
    """Let a download complete the cache, and one an hour later remove what is left."""
    assert apart(download, cache, url) == "downloaded"
    for part in cache.glob(".*.part"):
        os.utime(part, (0, 0))
    assert apart(download, cache, url) == "downloaded"
    assert look(cache) == (len(small.FILES), 0)


def start(cache: Path, url: str) -> multiprocessing.Process:
    process = FORK.Process(target=download, args=(cache, url))
    process.start()
    return process


def usual_time(url: str) -> float:
    """How long a download takes that nobody disturbs."""
    times = []
    for i in range(9):
        begin = time.monotonic()
        start(BASE / f"usual{os.getpid()}-{i}", url).join()
        times.append(time.monotonic() - begin)
    return sorted(times)[len(times) // 2]


def kills(share: int, url: str) -> tuple[Counter, int]:
    """Kill downloads at random moments, some again and again in the same cache.

    Return how many files they left, and how many left a temporary folder.
    """
    rng, counts, caches = Random(share), Counter(), [BASE / f"killed{share}"]
    usual, left = usual_time(url), 0
    while counts.total() < KILLS // SHARES:
        cache = caches[-1]
        before = look(cache)[1]
        process = start(cache, url)
        time.sleep(rng.uniform(0, 1.2 * usual))
        process.kill()
        process.join()
        whole, parts = look(cache)
        if process.exitcode:  # not too late
            counts[f"left {whole} of 4 files"] += 1
            left += parts > before
        if whole == len(small.FILES) or rng.random() < 0.5:
            finish(cache, url)
            caches.append(BASE / f"killed{share}-{len(caches)}")
    finish(caches[-1], url)
    return counts, left


def together(url: str) -> list[Row]:
    """Let several processes fill one cache, and kill all but one of them in every second round."""
    rng, usual, rows = Random(2), usual_time(url), []
    for n in (2, 8):
        rounds, counts = 50, Counter()
        for i in range(rounds):
            cache = BASE / f"together{n}-{i}"
            processes = [start(cache, url) for _ in range(n)]
            for process in processes[1:] if i % 2 else ():
                time.sleep(rng.uniform(0, usual))
                process.kill()
            for process in processes:
                process.join()
            assert processes[0].exitcode == 0
            counts["killed"] += sum(process.exitcode != 0 for process in processes)
            assert look(cache)[0] == len(small.FILES)
            finish(cache, url)
        what = f"every cache whole; {counts['killed']} of {n * rounds} processes killed meanwhile"
        rows.append((f"{n} processes at once", rounds, what, "nothing"))
    return rows


# ---------------------------------------------------------------------------------- the folders


def as_nobody(cache: Path, url: str) -> str:
    if os.getuid() == 0:  # whom no permission stops
        os.setuid(NOBODY)
    return download(cache, url)


def with_room(size: int, cache: Path, url: str) -> str:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return download(cache, url)


def without(call: str, after: int, cache: Path, url: str) -> str:
    """Let a call fail as on a full disk, but for the first times."""
    module, name = call.split(".")
    whole, calls = getattr(sys.modules[module], name), iter(range(10**6))

    def full(*args, **kwargs):
        if next(calls) >= after:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*args, **kwargs)

    with mock.patch(call, full):
        return download(cache, url)


def stands_in(cache: Path, url: str) -> str:
    """What a reader of the course sees."""
    datasets.MIRRORS = (url,)
    os.environ["NNLAB_CACHE_DIR"] = str(cache)
    os.environ.pop("NNLAB_DATA_DIR", None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = datasets.load_mnist()
    if not data.is_fallback:
        return "MNIST"
    assert "Set NNLAB_CACHE_DIR to a folder that can be written" in str(caught[-1].message)
    return "digits"


def folders(url: str) -> list[Row]:
    """Download into folders that do not take it."""
    rows = []

    def row(what: str, outcomes: list[str]) -> None:
        rows.append((what, len(outcomes), told(Counter(outcomes)), "nothing"))

    def fresh(name: str) -> Path:
        (BASE / name).mkdir()
        return BASE / name

    cache = fresh("read-only")
    cache.chmod(0o555)
    BASE.chmod(0o755)
    row("read-only folder", [apart(as_nobody, cache, url)])
    assert look(cache) == (0, 0)

    (BASE / "file").write_text("not a folder")
    (BASE / "loop").symlink_to(BASE / "loop")
    (BASE / "nowhere").symlink_to(BASE / "read-only" / "not" / "there")
    bad = {
        "a file in place of the folder": BASE / "file",
        "a file above it": BASE / "file" / "cache",
        "a link to itself": BASE / "loop",
        "a link to nowhere": BASE / "nowhere",
        "a name that is too long": BASE / ("a" * 300),
    }
    for what, cache in bad.items():
        assert apart(stands_in, cache, url) == "digits"
        row(what, [apart(download, cache, url)])
    assert (BASE / "file").read_text() == "not a folder"

    cache = BASE / "missing" / "with" / "parents"
    row("missing folder", [apart(download, cache, url)])
    assert look(cache) == (4, 0)

    rng, outcomes = Random(3), []
    largest = max(map(len, small.FILES.values()))
    for i in range(100):
        cache = BASE / f"small{i}"
        outcomes.append(apart(with_room, rng.randrange(int(1.1 * largest)), cache, url))
        assert look(cache)[1] == 0
        finish(cache, url)
    row("files may not grow beyond a size", outcomes)

    outcomes = []
    for call in ("os.fsync", "os.mkdir", "os.replace", "os.unlink", "os.open"):
        for after in range(5):
            cache = BASE / f"{call}{after}"
            outcomes.append(apart(without, call, after, cache, url))
            look(cache)
            finish(cache, url)
    row("a call that fails, as on a full disk", outcomes)

    if os.getuid() == 0 and os.system(f"mount -t tmpfs -o size=4k tmpfs {fresh('disk')}") == 0:
        cache, outcomes = BASE / "disk", []
        total = sum(map(len, small.FILES.values()))
        for size in range(0, int(1.2 * total), total // 40):
            os.system(f"mount -o remount,size={size // 1024 + 4}k {cache}")
            outcomes.append(apart(download, cache, url))
            look(cache)
            for file in cache.glob("*.gz"):
                file.unlink()
        os.system(f"mount -o remount,ro {cache}")
        row("full disk", outcomes)
        row("read-only disk", [apart(download, cache, url)])
        os.system(f"umount {cache}")
    return rows


# ---------------------------------------------------------------------------------- the network


class Reply(socketserver.BaseRequestHandler):
    """Reads a request and answers with the server's ``reply``, whatever was asked."""

    def handle(self) -> None:
        self.request.recv(2**16)
        with contextlib.suppress(OSError):
            self.request.sendall(self.server.reply)


def answers(bomb: bytes) -> list[Row]:
    """Take the last missing file from servers that answer anything."""
    datasets.TIMEOUT, datasets.PATIENCE, datasets.LARGEST = 1.0, 3.0, 2**24
    name = small.TEST_LABELS
    good = small.FILES[name]
    cache = BASE / "answers"
    small.fill(cache, small.FILES)
    length = b"Content-Length: %d\r\n" % len(good)
    chunk = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(good)
    healthy = [
        small.OK + length + b"Content-Type: application/x-gzip\r\n\r\n" + good,
        small.OK + chunk + good + b"\r\n0\r\n\r\n",
        small.OK + b"Content-Encoding: gzip\r\n" + length + b"\r\n" + good,
    ]
    twice = gzip.compress(bomb)
    groups = {
        "proxies' answers": list(small.REPLIES.values()),
        "gigabytes of zeros, gzipped once, or twice on the way": [
            small.OK + b"\r\n" + bomb,
            small.OK + b"Content-Encoding: gzip\r\n\r\n" + bomb,
            small.OK + b"Content-Encoding: gzip, gzip\r\n\r\n" + twice,
        ],
    }
    rng = Random(4)
    damages = [faults.flip, faults.cut, faults.overwrite, faults.move]
    groups["a damaged answer"] = [
        rng.choice(damages)(rng, rng.choice(healthy)) for _ in range(REPLIES)
    ]
    rows = []

    def attempt(url: str, missing: str = name) -> str:
        (cache / missing).unlink(missing_ok=True)
        outcome = download(cache, url)
        assert look(cache) == (3 + (outcome == "downloaded"), 0)
        return outcome

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Reply) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        small.threading.Thread(target=server.serve_forever, daemon=True).start()
        server.reply = healthy[0]
        assert attempt(url) == "downloaded"
        limit_memory()
        for what, replies in groups.items():
            outcomes = Counter()
            for server.reply in replies:
                outcomes[attempt(url)] += 1
            rows.append((what, len(replies), told(outcomes), "nothing"))
        server.shutdown()
    small.fill(cache, small.FILES)
    missing = small.TRAIN_IMAGES  # large enough to stop in its midst
    for behaviour in ("silent", "stalled", "dripping", "endless"):
        with small.serve(behaviour) as server:
            rows.append(
                (f"a server that is {behaviour}", 1, attempt(server.url, missing), "nothing")
            )
    return rows


def larger_files() -> dict[str, bytes]:
    """Return four files that take some milliseconds to send and to write."""
    rng = np.random.default_rng(0)
    return {
        name: small.idx(rng.integers(0, 256, (n, 28, 28) if "images" in name else n))
        for name, n in zip(small.FILES, (4000, 60_000, 2000, 10_000), strict=True)
    }


def served(function: Callable, *args: object) -> object:
    """Call a function with the address of a server of the larger files."""
    small.FILES.update(larger_files())
    datasets.SHA256 = small.hashes(small.FILES)
    with mirror() as url:
        return function(*args, url)


def main() -> None:
    (BASE / "mutant").mkdir()
    datasets.SHA256 = small.hashes(small.FILES)
    BOMB(Random(0), small.WHOLE[0])  # which keeps its parts; memory is short from here on
    bomb = faults.zeros(3072, bytes([0, 0, 8, 1, 0, 0, 0, 5]))
    with ProcessPoolExecutor(SHARES + 2, FORK) as pool:
        shares = [pool.submit(apart, served, kills, share) for share in range(SHARES)]
        jobs = [
            pool.submit(apart, *job)
            for job in (
                (mutants,),
                (giants,),
                (answers, bomb),
                (served, together),
                (served, folders),
            )
        ]
        files, times, network, crowds, disks = (job.result() for job in jobs)
        counts = sum((share.result()[0] for share in shares), Counter())
        left = sum(share.result()[1] for share in shares)
    what = f"{told(counts)}; {left} left a temporary folder; each cache could be completed"
    killed = [("download killed", counts.total(), what, "nothing")]
    lines = ["| fault | tried | what happened | lost |", "|---|--:|---|---|"]
    for fault, n, what, lost in [*files, *times, *network, *killed, *crowds, *disks]:
        lines.append(f"| {fault} | {n:,} | {what} | {lost} |")
    tables.write("data", "\n".join(lines))
    shutil.rmtree(BASE)


if __name__ == "__main__":
    main()
