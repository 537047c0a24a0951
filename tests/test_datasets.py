"""The data is right, or an error says what is wrong: with bad files, bad mirrors and no network."""

import errno
import gzip
import hashlib
import math
import os
import pickle
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import faults
import numpy as np
import pytest
import requests  # noqa: F401, loaded here because the patience below is too short for it
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nnlab import datasets
from nnlab.datasets import DatasetError, FallbackWarning, load_mnist, read_idx
from nnlab.files import HOUR

# Read before the tests below change them.
REAL = os.environ.get("NNLAB_DATA_DIR")
MIRRORS = datasets.MIRRORS
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (f"{name}.gz" for name in datasets.SHA256)
N_TRAIN, N_TEST = 30, 20


def idx(array: np.ndarray) -> bytes:
    """Write an array as a gzipped IDX file, as the format's definition says."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


def small_mnist() -> dict[str, bytes]:
    """Four files like those of MNIST, but with few images."""
    rng = np.random.default_rng(0)
    return {
        TRAIN_IMAGES: idx(rng.integers(0, 256, (N_TRAIN, 28, 28))),
        TRAIN_LABELS: idx(np.arange(N_TRAIN) % 10),
        TEST_IMAGES: idx(rng.integers(0, 256, (N_TEST, 28, 28))),
        TEST_LABELS: idx(np.arange(N_TEST) % 10),
    }


FILES = small_mnist()
SIGN_IN_PAGE = b"\n<!DOCTYPE html><title>Please sign in</title>"


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    return {
        name.removesuffix(".gz"): hashlib.sha256(gzip.decompress(data)).hexdigest()
        for name, data in files.items()
    }


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, small files, no mirror and no proxy: a test asks for what it needs."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("NNLAB_DATA_DIR", raising=False)
    monkeypatch.delenv("NNLAB_OFFLINE", raising=False)
    monkeypatch.setenv("NNLAB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "SHA256", hashes(FILES))
    monkeypatch.setattr(datasets, "MIRRORS", ())
    monkeypatch.setattr(datasets, "TIMEOUT", 0.5)
    monkeypatch.setattr(datasets, "PATIENCE", 1.5)
    monkeypatch.setattr(datasets, "LARGEST", 2**20)
    return tmp_path / "cache"


def fill(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """All that is in a folder, temporary files included."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


SLOW = 5.0  # seconds until a stalling mirror goes on: nobody should have waited for that


OK = b"HTTP/1.1 200 OK\r\n"
FOUND = b"HTTP/1.1 302 Found\r\nLocation: "
# What proxies and broken servers answer, byte by byte, whatever they are asked for.
REPLIES = {
    "a page": OK + b"\r\n" + faults.PAGE,
    "a gzipped page": OK + b"\r\n" + gzip.compress(faults.PAGE),
    "an encoded page": OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(faults.PAGE),
    "a redirect to a page": FOUND + b"/sign-in\r\n\r\n",
    "a redirect to itself": FOUND + f"/{TRAIN_IMAGES}\r\n\r\n".encode(),
    "a redirect to no host": FOUND + b"http://.example.org/\r\n\r\n",
    "a redirect to no address": FOUND + b"http://[\r\n\r\n",
    "a redirect to a file": FOUND + b"file:///etc/passwd\r\n\r\n",
    "407": b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "no number of bytes": OK + b"Content-Length: many\r\n\r\n" + FILES[TRAIN_IMAGES],
    "too few bytes": OK + b"Content-Length: 99999\r\n\r\n" + FILES[TRAIN_IMAGES],
    "too many bytes": OK + b"Content-Length: 99\r\n\r\n" + FILES[TRAIN_IMAGES],
    "half a file": OK + b"\r\n" + FILES[TRAIN_IMAGES][:99],
    "chunks cut off": OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\n\x1f\x8b",
    "chunks of no size": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n\x1f\x8b",
    "not as encoded": OK + b"Content-Encoding: gzip\r\n\r\nwhatever",
}


class Mirror(BaseHTTPRequestHandler):
    """A server of the small files that behaves as its ``behaviour`` says.

    That may also be a status, or all bytes of a reply.
    """

    def do_GET(self) -> None:
        name = self.path.strip("/")
        self.server.asked.append(name)
        self.server.when_asked()
        behaviour = "sign-in" if name == "sign-in" else self.server.behaviour
        data = FILES.get(name)
        if isinstance(behaviour, bytes):
            self.wfile.write(behaviour)
            return
        if behaviour == "silent":
            self.server.stop.wait(SLOW)
        if isinstance(behaviour, int):
            self.send_error(behaviour)
            return
        if behaviour == "corrupt":
            data = data[:-1] + bytes([data[-1] ^ 1])
        if behaviour == "other":
            data = idx(np.zeros(N_TEST))
        if behaviour == "sign-in":
            data = SIGN_IN_PAGE
        self.send_response(200)
        if behaviour not in ("shortened", "endless"):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        half = len(data) // 2
        self.wfile.write(data[:half])
        with suppress(OSError):  # nobody listens any more
            for _ in range(1000 if behaviour == "endless" else 0):  # 64 MB are as good as no end
                self.wfile.write(bytes(2**16))
            for _ in range(int(10 * SLOW) if behaviour == "dripping" else 0):
                if self.server.stop.wait(0.1):
                    break
                self.wfile.write(b"0")
        if behaviour == "stalled":
            self.server.stop.wait(SLOW)
        if behaviour not in ("shortened", "truncated"):
            self.wfile.write(data[half:])

    def log_message(self, *args) -> None:
        pass


@contextmanager
def serve(behaviour: str | int):
    """Run a mirror on this machine; yield the server, which knows its ``url``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        server.behaviour, server.asked, server.stop = behaviour, [], threading.Event()
        server.when_asked = lambda: None
        server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            server.stop.set()
            thread.join()


@pytest.fixture
def mirrors(monkeypatch):
    """Start mirrors that behave as told, and make them the mirrors of MNIST."""
    with ExitStack() as stack:

        def start(*behaviours):
            servers = [stack.enter_context(serve(behaviour)) for behaviour in behaviours]
            monkeypatch.setattr(datasets, "MIRRORS", tuple(server.url for server in servers))
            return servers

        yield start


# What a mirror does: nothing arrives, or the wrong thing arrives.
UNREACHABLE = ["silent", "stalled", "dripping", "truncated", "endless", "sign-in", 404, 503]
DAMAGED = ["corrupt", "shortened", "other"]


# ---------------------------------------------------------------------- the files on this machine


@pytest.mark.skipif(not REAL, reason="NNLAB_DATA_DIR is not set, so the real MNIST is not here")
class TestReal:
    @pytest.fixture(autouse=True)
    def real(self, cache, monkeypatch):
        monkeypatch.undo()  # the real hashes again

    def test_mnist_has_its_known_size_and_statistics(self):
        data = load_mnist()
        assert data.X_train.shape == (60_000, 784)
        assert data.X_test.shape == (10_000, 784)
        assert data.X_train.mean(dtype=float) == pytest.approx(0.1307, abs=5e-5)
        assert data.X_train.std(dtype=float) == pytest.approx(0.3081, abs=5e-5)
        assert data.y_train[:5].tolist() == [5, 0, 4, 1, 9]
        assert np.bincount(data.y_test).tolist() == [
            *(980, 1135, 1032, 1010, 982),
            *(892, 958, 1028, 974, 1009),
        ]
        assert not data.is_fallback

    def test_standard_scaling_is_exact_in_float32(self):
        # A sum of 47 million pixels in float32 would be off in the third digit.
        data = load_mnist(scaling="standard")
        assert data.X_train.dtype == np.float32
        assert data.X_train.mean(dtype=float) == pytest.approx(0, abs=1e-6)
        assert data.X_train.std(dtype=float) == pytest.approx(1, abs=1e-6)


def test_data_dir_comes_first(cache, tmp_path, monkeypatch, mirrors):
    (server,) = mirrors("good")
    fill(cache, dict.fromkeys(FILES, b"never read"))
    monkeypatch.setenv("NNLAB_DATA_DIR", str(fill(tmp_path / "mine")))
    data = load_mnist()
    assert data.source == "NNLAB_DATA_DIR"
    assert not server.asked


def test_an_empty_data_dir_counts_as_not_set(cache, monkeypatch):
    monkeypatch.setenv("NNLAB_DATA_DIR", "")
    fill(cache)
    assert load_mnist().source == "cache"


def test_pixels_and_labels_arrive_unchanged(cache):
    fill(cache)
    data = load_mnist(dtype=np.float64)
    images = np.random.default_rng(0).integers(0, 256, (N_TRAIN, 28, 28))
    np.testing.assert_array_equal(data.X_train, images.reshape(N_TRAIN, 784) / 255)
    np.testing.assert_array_equal(data.y_test, np.arange(N_TEST) % 10)
    assert data.X_test.shape == (N_TEST, 784)
    assert data.y_train.dtype == data.y_test.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_scaling_keeps_the_dtype(cache, dtype, scaling):
    fill(cache)
    data = load_mnist(scaling=scaling, dtype=dtype)
    assert data.X_train.dtype == data.X_test.dtype == dtype


def test_unit_scaling_fills_0_to_1(cache):
    fill(cache)
    X = load_mnist().X_train
    assert (X.min(), X.max()) == (0, 1)


def test_standard_scaling_uses_the_two_numbers_of_the_training_set(cache):
    fill(cache)
    unit = load_mnist(dtype=np.float64)
    data = load_mnist(scaling="standard", dtype=np.float64)
    mean, std = unit.X_train.mean(), unit.X_train.std()
    np.testing.assert_allclose(data.X_train, (unit.X_train - mean) / std, atol=1e-12)
    np.testing.assert_allclose(data.X_test, (unit.X_test - mean) / std, atol=1e-12)
    assert data.X_train.mean() == pytest.approx(0, abs=1e-12)
    assert data.X_train.std() == pytest.approx(1, abs=1e-12)
    assert abs(data.X_test.mean()) > 1e-4  # not scaled by its own numbers


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"scaling": "minmax"}, ValueError, "scaling must be one of standard, unit; got 'minmax'"),
        ({"dtype": np.float16}, ValueError, "dtype must be float32 or float64"),
        ({"download": "no"}, TypeError, "download must be True, False or None; got 'no'"),
    ],
)
def test_bad_arguments_are_named(cache, wrong, error, message):
    fill(cache)
    with pytest.raises(error, match=message):
        load_mnist(**wrong)


def test_the_repr_is_short_and_names_no_path(cache):
    fill(cache)
    assert repr(load_mnist()) == (
        "Dataset(MNIST: 30 training and 20 test rows of 784 features, float32, from cache)"
    )


@pytest.mark.parametrize("missing", FILES)
def test_a_file_missing_from_data_dir_is_an_error(missing, cache, tmp_path, monkeypatch):
    fill(cache)  # in order, but not what the user asked for
    folder = fill(tmp_path / "mine")
    (folder / missing).unlink()
    monkeypatch.setenv("NNLAB_DATA_DIR", str(folder))
    with pytest.raises(DatasetError, match=r"found none.*NNLAB_DATA_DIR") as error:
        load_mnist()
    assert str(error.value).startswith(str(folder / missing.removesuffix(".gz")))


def test_a_relative_data_dir_is_reported_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNLAB_DATA_DIR", "mine")
    with pytest.raises(DatasetError) as error:
        load_mnist()
    assert str(error.value).startswith(str(tmp_path / "mine" / TRAIN_IMAGES.removesuffix(".gz")))


@pytest.mark.parametrize("where", ["cache", "NNLAB_DATA_DIR"])
@pytest.mark.parametrize("damaged", FILES)
def test_a_damaged_file_is_an_error_and_stays(damaged, where, cache, monkeypatch, mirrors):
    (server,) = mirrors("good")
    fill(cache)
    (cache / damaged).write_bytes(FILES[damaged][:-1])
    if where == "NNLAB_DATA_DIR":
        monkeypatch.setenv("NNLAB_DATA_DIR", str(cache))
    with pytest.raises(
        DatasetError, match=r"expected complete gzip data; found .* Delete it"
    ) as error:
        load_mnist()
    assert str(error.value).startswith(str(cache / damaged))
    assert (cache / damaged).exists()
    assert not server.asked


def test_mnist_is_local_where_load_mnist_looks_first(cache, tmp_path, monkeypatch):
    assert not datasets.mnist_is_local()
    fill(cache)
    assert datasets.mnist_is_local()
    (cache / TEST_LABELS).unlink()
    assert not datasets.mnist_is_local()
    monkeypatch.setenv("NNLAB_DATA_DIR", str(fill(tmp_path / "mine")))
    assert datasets.mnist_is_local()


def other_name(name: str) -> str:
    return name.replace("-idx", ".idx")


FORMS = {
    "dotted": lambda name, data: (other_name(name), data),
    "unpacked": lambda name, data: (name.removesuffix(".gz"), gzip.decompress(data)),
    "unpacked and dotted": lambda name, data: (
        other_name(name).removesuffix(".gz"),
        gzip.decompress(data),
    ),
    "packed again": lambda name, data: (name, gzip.compress(gzip.decompress(data), 1, mtime=1)),
    "unpacked under its old name": lambda name, data: (name, gzip.decompress(data)),
    "as torchvision has it": lambda name, data: (
        f"MNIST/raw/{name.removesuffix('.gz')}",
        gzip.decompress(data),
    ),
}


@pytest.mark.parametrize("where", ["cache", "NNLAB_DATA_DIR"])
@pytest.mark.parametrize("form", FORMS)
def test_the_files_are_known_by_their_contents(form, where, cache, monkeypatch, mirrors):
    (server,) = mirrors("good")
    for name, data in FILES.items():
        new_name, new_data = FORMS[form](name, data)
        (cache / new_name).parent.mkdir(parents=True, exist_ok=True)
        (cache / new_name).write_bytes(new_data)
    if where == "NNLAB_DATA_DIR":
        monkeypatch.setenv("NNLAB_DATA_DIR", str(cache))
    assert datasets.mnist_is_local()
    assert load_mnist().source == where
    if where == "cache":
        datasets.main()
    assert not server.asked


@pytest.mark.parametrize("form", ["packed again", "unpacked"])
def test_another_data_set_is_named_as_such(form, cache):
    fill(cache)
    other = np.zeros((N_TRAIN, 28, 28))
    name, data = FORMS[form](TRAIN_IMAGES, idx(other))
    (cache / TRAIN_IMAGES).unlink()
    (cache / name).write_bytes(data)
    with pytest.raises(DatasetError, match="found 30 × 28 × 28 other values, SHA-256") as error:
        load_mnist()
    message = str(error.value)
    assert message.startswith(f"{cache / name}: expected MNIST, SHA-256")
    assert "This is not MNIST: Fashion-MNIST, KMNIST and others use the same file names" in message
    assert "Delete" not in message


def test_a_web_page_in_place_of_a_file_is_named(cache):
    fill(cache)
    (cache / TEST_LABELS).write_bytes(SIGN_IN_PAGE)
    what = f"{TEST_LABELS}: expected an IDX file; found a web page"
    with pytest.raises(DatasetError, match=what):
        load_mnist()


# ------------------------------------------------------------------------------- the IDX format


@pytest.mark.parametrize("shape", [(5,), (0,), (4, 3, 2)])
def test_read_idx_returns_what_was_written(tmp_path, shape):
    array = np.arange(math.prod(shape)).reshape(shape)
    (tmp_path / "x.gz").write_bytes(idx(array))
    result = read_idx(tmp_path / "x.gz")
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, array)


def raw(*header: int, values: bytes = b"") -> bytes:
    return gzip.compress(bytes(header) + values, mtime=0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (idx(np.zeros(9))[:-9], "expected complete gzip data; found Compressed file ended"),
        (idx(np.zeros(9))[:5], "expected complete gzip data"),
        (SIGN_IN_PAGE, r"expected an IDX file; found a web page\. Does this network ask you to"),
        (gzip.compress(SIGN_IN_PAGE), "expected an IDX file; found a web page"),
        (b"PK\3\4 a zip archive", "expected magic number .*; found 50 4b 03 04"),
        (
            idx(np.zeros(9))[:-8] + bytes(8),
            "expected complete gzip data; found Error -3 .* data check",
        ),
        (idx(np.zeros(9))[:10] + b"\xff" * 20, "expected complete gzip data; found Error -3"),
        (b"", "expected magic number 00 00 08 01 or 00 00 08 03; found nothing"),
        (raw(0, 0, 13, 1, 0, 0, 0, 1, values=b"1234"), "magic number .*; found 00 00 0d 01"),
        (raw(0, 0, 8, 2, *bytes(8)), "magic number .*; found 00 00 08 02"),
        (raw(0, 0, 8, 3, 0, 0, 0, 1), "a header of 16 bytes; found 8 bytes"),
        (raw(0, 0, 8, 1, 0, 0, 0, 5, values=b"1234"), "expected 5 values; found 4 values"),
        (raw(0, 0, 8, 1, 0, 0, 0, 5, values=b"123456"), "expected 5 values; found more"),
        (
            raw(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28),
            "expected 2 × 28 × 28 values; found 0 values",
        ),
        # The product is 2⁶⁴, which overflows to 0.
        (raw(0, 0, 8, 3, 128, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 4), "× 2147483648 × 4 announced"),
        # The product is 0, but no array has these axes.
        (raw(0, 0, 8, 3, *bytes(4), *b"\xff" * 8), "at most .*; found 0 × 4294967295 × 42949"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_read_idx_names_the_file_and_the_damage(tmp_path, data, message):
    path = tmp_path / "x.gz"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=message) as error:
        read_idx(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "Delete it and get a fresh copy" in str(error.value)


WHOLE = [*FILES.values(), idx(np.zeros(0)), idx(np.arange(24).reshape(4, 3, 2))]


def read(folder: Path, data: bytes) -> np.ndarray | None:
    """What ``read_idx`` returns for such a file, or None for a DatasetError: nothing else."""
    (folder / "x.gz").write_bytes(data)
    try:
        return read_idx(folder / "x.gz")
    except DatasetError:
        return None


def pickier(data: bytes) -> bool:
    """Whether zlib may refuse what gzip takes: some flag has no meaning, or a header's checksum."""
    return data[3] & 0b1110_0010


@given(st.sampled_from(list(faults.FAULTS)), st.integers(0, 2**32))
@example("lengths beyond any machine", 71)
@settings(max_examples=400)
def test_a_damaged_file_is_refused_or_read_exactly(tmp_path_factory, fault, seed):
    rng = Random(seed)
    data = faults.FAULTS[fault](rng, rng.choice(WHOLE))
    array, expected = read(tmp_path_factory.getbasetemp(), data), faults.reference(data)
    if expected is None or (array is None and pickier(data)):
        assert array is None
    else:
        np.testing.assert_array_equal(array, expected, strict=True)


@given(st.sampled_from(list(faults.HARMLESS)), st.sampled_from(WHOLE), st.integers(0, 2**32))
def test_a_file_packed_otherwise_is_the_same(tmp_path_factory, change, data, seed):
    array = read(tmp_path_factory.getbasetemp(), faults.HARMLESS[change](Random(seed), data))
    np.testing.assert_array_equal(array, faults.reference(data), strict=True)
    assert not array.flags.writeable


@contextmanager
def memory(limit: int):
    """What happens in here needs fewer bytes at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("seed", range(8))
def test_a_bomb_stays_packed(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(datasets, "LIMIT", 2**27)
    data = faults.bomb(200)(Random(seed), WHOLE[1])
    with memory(2**20):
        assert read(tmp_path, data) is None


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "x.gz").open("wb") as file:
        file.write(faults.member(bytes([0, 0, 8, 1, 0, 0, 0, 0])))
        file.truncate(datasets.LIMIT + 1)  # a good one, with a gigabyte of padding on no disk
    what = "at most 1073741824 bytes; found 1073741825 bytes"
    with memory(2**20), pytest.raises(DatasetError, match=what):
        read_idx(tmp_path / "x.gz")


def test_read_idx_takes_unpacked_files(tmp_path):
    (tmp_path / "x").write_bytes(gzip.decompress(idx(np.arange(5))))
    np.testing.assert_array_equal(read_idx(tmp_path / "x"), np.arange(5))


def test_read_idx_names_what_it_may_not_read(tmp_path):
    with pytest.raises(DatasetError, match="expected a file to read; found Is a directory"):
        read_idx(tmp_path)


def test_read_idx_names_a_missing_file(tmp_path):
    with pytest.raises(DatasetError, match=r"x\.gz: expected a file; found none"):
        read_idx(tmp_path / "x.gz")


def test_the_error_survives_a_process_pool():
    error = DatasetError("file.gz", "this", "that", "Do it.")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "file.gz: expected this; found that. Do it."


# ------------------------------------------------------------------------------------- downloads


def test_there_is_more_than_one_mirror_and_all_are_https():
    assert len(MIRRORS) > 1
    assert all(url.startswith("https://") and url.endswith("/") for url in MIRRORS)


def test_a_good_mirror_fills_the_cache_and_is_asked_once(cache, mirrors):
    first, second = mirrors("good", "good")
    assert load_mnist().source == "cache"
    assert load_mnist().source == "cache"
    assert contents(cache) == FILES
    assert first.asked == list(FILES)
    assert not second.asked


def test_only_what_is_missing_is_downloaded(cache, mirrors):
    (server,) = mirrors("good")
    fill(cache, {name: FILES[name] for name in (TRAIN_IMAGES, TEST_LABELS)})
    load_mnist()
    assert server.asked == [TRAIN_LABELS, TEST_IMAGES]
    assert contents(cache) == FILES


@pytest.mark.parametrize("behaviour", UNREACHABLE + DAMAGED)
def test_the_second_mirror_helps(cache, mirrors, behaviour):
    bad, good = mirrors(behaviour, "good")
    fill(cache, {name: FILES[name] for name in FILES if name != TEST_IMAGES})
    assert not load_mnist().is_fallback
    assert contents(cache) == FILES
    assert bad.asked == good.asked == [TEST_IMAGES]


@pytest.mark.parametrize("behaviour", UNREACHABLE)
def test_without_a_mirror_the_digits_stand_in(cache, mirrors, behaviour):
    servers = mirrors(behaviour, behaviour)
    with pytest.warns(FallbackWarning) as record:
        data = load_mnist()
    assert data.is_fallback
    assert contents(cache) == {}
    # One file is enough to know: no waiting for the other three.
    assert [server.asked for server in servers] == [[TRAIN_IMAGES]] * 2
    message = str(record[0].message)
    assert all(server.url in message for server in servers)
    assert record[0].filename == __file__  # the warning points at the caller


def test_a_mirror_that_refuses_is_unreachable(cache, mirrors, monkeypatch):
    with serve("good") as gone:
        pass  # its port is closed now
    monkeypatch.setattr(datasets, "MIRRORS", (gone.url,))
    with pytest.warns(FallbackWarning, match="refused"):
        assert load_mnist().is_fallback


@pytest.mark.parametrize("behaviour", DAMAGED)
@pytest.mark.parametrize("other", ["same", 404])
def test_damaged_downloads_are_an_error(cache, mirrors, behaviour, other):
    servers = mirrors(behaviour, behaviour if other == "same" else other)
    with pytest.raises(DatasetError, match="Nothing was kept") as error:
        load_mnist()
    message = str(error.value)
    name = TRAIN_IMAGES.removesuffix(".gz")
    assert message.startswith(f"{name}: expected SHA-256 {datasets.SHA256[name]}")
    assert all(server.url in message for server in servers)
    assert contents(cache) == {}


@pytest.mark.parametrize("reply", REPLIES)
def test_whatever_answers_the_next_mirror_is_asked(cache, mirrors, reply):
    bad, good = mirrors(REPLIES[reply], "good")
    assert not load_mnist().is_fallback
    assert contents(cache) == FILES
    assert set(FILES) <= {*bad.asked} and good.asked == list(FILES)


@pytest.mark.parametrize("reply", REPLIES)
def test_whatever_answers_nothing_wrong_is_kept(cache, mirrors, reply):
    mirrors(REPLIES[reply])
    with pytest.raises((OSError, DatasetError)) as error:
        datasets.download_mnist()
    assert contents(cache) == {}
    assert ("sign in" in str(error.value)) == ("page" in reply)


def test_a_file_that_is_unpacked_on_its_way_is_taken(cache, mirrors):
    mirrors(OK + b"Content-Encoding: gzip\r\n\r\n" + FILES[TRAIN_IMAGES])
    fill(cache, {name: FILES[name] for name in FILES if name != TRAIN_IMAGES})
    assert not load_mnist().is_fallback
    assert contents(cache)[TRAIN_IMAGES] == gzip.decompress(FILES[TRAIN_IMAGES])


def test_a_mirror_that_drips_or_never_ends_is_given_up(cache, mirrors):
    mirrors("dripping", "endless")
    with pytest.raises(ConnectionError, match=r"fewer than 65536 bytes in 1\.5 .* than 1048576 b"):
        datasets.download_mnist()


def test_a_mirror_of_bombs_is_not_unpacked(cache, mirrors):
    mirrors(OK + b"\r\n" + faults.zeros(900, bytes([0, 0, 8, 1, 0, 0, 0, 5])))
    what = "found more instead of 5 values"
    with memory(2**23), pytest.raises(DatasetError, match=what):
        datasets.download_mnist()
    assert contents(cache) == {}


def test_files_that_came_whole_are_kept_when_a_later_one_fails(cache, mirrors):
    (server,) = mirrors("good")

    def stall_at_the_second_file():
        if len(server.asked) == 2:
            server.behaviour = "stalled"

    server.when_asked = stall_at_the_second_file
    with pytest.warns(FallbackWarning):
        load_mnist()
    assert contents(cache) == {TRAIN_IMAGES: FILES[TRAIN_IMAGES]}


@pytest.mark.parametrize("kind", ["file", "link to itself"])
def test_an_unwritable_cache_is_a_reason_for_the_stand_in(cache, mirrors, kind):
    mirrors("good")
    if kind == "file":
        cache.write_text("a file where the folder should be")
    else:
        cache.symlink_to(cache)
    with pytest.warns(FallbackWarning, match="Reason: .*cache"):
        assert load_mnist().is_fallback


def test_a_page_to_sign_in_is_named(cache, mirrors):
    mirrors("sign-in")
    what = r"a web page instead\. Does this network ask you to sign in"
    with pytest.warns(FallbackWarning, match=what):
        load_mnist()
    with pytest.raises(SystemExit, match=what):
        datasets.main()


def refused(*args, **kwargs):
    raise OSError(errno.EROFS, "Read-only file system", "somewhere")


@pytest.mark.parametrize("method", ["pathlib.Path.mkdir", "tempfile.TemporaryFile"])
def test_a_read_only_home_is_named(cache, mirrors, monkeypatch, method):
    (server,) = mirrors("good")
    monkeypatch.setattr(method, refused)
    what = f"{cache}: Read-only file system. Set NNLAB_CACHE_DIR to a folder that can be written"
    with pytest.warns(FallbackWarning, match=what):
        assert load_mnist().is_fallback
    with pytest.raises(SystemExit, match=what):
        datasets.main()
    assert not server.asked


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    """A user without HOME and without an entry in the password file, in an empty folder."""
    pwd = pytest.importorskip("pwd", reason="only POSIX has a password file")

    def no_entry(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "NNLAB_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_home_the_digits_stand_in(homeless, mirrors):
    (server,) = mirrors("good")
    what = "There is no home directory. Set NNLAB_CACHE_DIR to a full path"
    with pytest.warns(FallbackWarning, match=what):
        assert load_mnist().is_fallback
    with pytest.raises(SystemExit, match=what):
        datasets.main()
    assert not datasets.mnist_is_local()
    assert not server.asked
    assert not list(homeless.iterdir())


def test_without_a_home_a_data_dir_in_it_is_named(homeless, monkeypatch):
    monkeypatch.setenv("NNLAB_DATA_DIR", "~/mnist")
    with pytest.warns(FallbackWarning, match=r"no home directory\. Set NNLAB_DATA_DIR to a full"):
        load_mnist()


def test_a_home_that_may_not_be_entered_holds_nothing(cache, mirrors, monkeypatch):
    stat = os.stat

    def refuse(path, *args, **kwargs):
        if str(path).startswith(str(cache)):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refuse)
    assert not datasets.mnist_is_local()
    with pytest.warns(FallbackWarning):
        assert load_mnist(download=False).is_fallback


def test_without_a_home_full_paths_work(homeless, monkeypatch):
    monkeypatch.setenv("NNLAB_DATA_DIR", str(fill(homeless / "mine")))
    assert load_mnist().source == "NNLAB_DATA_DIR"


def test_a_failed_write_leaves_nothing(cache, mirrors, monkeypatch):
    mirrors("good")

    def full_disk(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match=f"{cache}: No space left on device. Set NNLAB_CACHE_DIR"):
        datasets.download_mnist()
    assert contents(cache) == {}


@pytest.mark.parametrize(
    ("offline", "download", "asks"),
    [
        (None, None, True),
        ("", None, True),
        ("0", None, True),
        ("1", None, False),
        ("yes", None, False),
        (None, False, False),
        ("1", True, True),
    ],
)
def test_who_may_download(mirrors, monkeypatch, offline, download, asks):
    (server,) = mirrors("good")
    if offline is not None:
        monkeypatch.setenv("NNLAB_OFFLINE", offline)
    if asks:
        assert not load_mnist(download=download).is_fallback
    else:
        with pytest.warns(FallbackWarning, match="downloading is switched off"):
            load_mnist(download=download)
    assert bool(server.asked) == asks


def run_main(*mirrors: str, wait: str | None = None) -> subprocess.Popen:
    """Start ``make data`` in a process of its own, with these mirrors and the small files.

    It waits where it calls ``wait``.
    """
    code = (
        "import os, time\nfrom nnlab import datasets\n"
        f"{f'{wait} = lambda *_: time.sleep(60)' if wait else ''}\n"
        f"datasets.MIRRORS, datasets.SHA256 = {mirrors!r}, {hashes(FILES)!r}\n"
        "datasets.main()"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_can_download_at_once(cache, mirrors):
    (server,) = mirrors("good")
    together = threading.Barrier(2, timeout=30)
    server.when_asked = together.wait  # for each file, until both have found it missing
    processes = [run_main(server.url) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert contents(cache) == FILES


def test_a_killed_download_leaves_nothing(cache, mirrors):
    (server,) = mirrors("stalled")
    waiting = threading.Event()
    server.when_asked = waiting.set
    process = run_main(server.url)
    assert waiting.wait(timeout=30)
    process.kill()
    process.communicate(timeout=30)
    assert contents(cache) == {}


def test_what_a_killed_download_left_is_removed_when_nobody_writes_it(cache, mirrors):
    (server,) = mirrors("good")
    process = run_main(server.url, wait="os.fsync")  # it has written a file, without its name
    while not (left := [path for path in cache.glob("*/*") if path.read_bytes()]):
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=30)
    (part,) = cache.iterdir()
    assert left == [part / TRAIN_IMAGES]
    datasets.download_mnist()
    assert part.exists()  # for all that is known, another process writes it still
    now = time.time()
    os.utime(part, (now, now - 2 * HOUR))
    (cache / "mine.part").mkdir()
    os.utime(cache / "mine.part", (now, now - 2 * HOUR))
    datasets.download_mnist()
    assert {path.name for path in cache.iterdir()} == {*FILES, "mine.part"}


def test_main_shows_progress_and_says_where_the_files_are(cache, mirrors):
    (server,) = mirrors("good")
    process = run_main(server.url)
    output, progress = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output.split() == [str(cache / name) for name in FILES]
    assert "100%" in progress
    datasets.main()  # a second time
    assert server.asked == list(FILES)


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [(503, "No mirror delivered train-images.*503"), ("corrupt", "expected SHA-256")],
)
def test_main_fails_with_a_message(mirrors, behaviour, message):
    mirrors(behaviour)
    with pytest.raises(SystemExit, match=f"MNIST could not be downloaded.*{message}"):
        datasets.main()  # a text as the exit code is printed, and the process returns 1


def test_main_reports_a_damaged_cache(cache):
    fill(cache, FILES | {TEST_IMAGES: b"half"})
    with pytest.raises(SystemExit, match=f"{TEST_IMAGES}.*Delete it"):
        datasets.main()


# ---------------------------------------------------------------------------------- the stand-in


@pytest.fixture
def digits(monkeypatch):
    monkeypatch.setenv("NNLAB_OFFLINE", "1")

    def load(**options):
        with pytest.warns(FallbackWarning):
            return load_mnist(**options)

    return load


def test_the_warning_says_what_happened_and_what_to_do(monkeypatch):
    with pytest.warns(FallbackWarning) as record:
        load_mnist(download=False)
    message = str(record[0].message)
    for part in ("MNIST is not available", "1,797 digits", "make data", "NNLAB_DATA_DIR"):
        assert part in message


def test_the_digits_look_like_mnist(digits):
    data = digits()
    assert (data.name, data.source, data.is_fallback) == ("digits", "scikit-learn", True)
    assert data.X_train.shape == (1500, 784)
    assert data.X_test.shape == (297, 784)
    assert data.X_train.dtype == np.float32
    assert data.y_train.dtype == np.int64
    assert (data.X_train.min(), data.X_train.max()) == (0, 1)
    assert np.unique(data.y_train).tolist() == list(range(10))


def test_the_digits_are_those_of_scikit_learn(digits):
    from sklearn.datasets import load_digits

    data = digits(dtype=np.float64)
    images = np.vstack([data.X_train, data.X_test]).reshape(-1, 28, 28)
    scans = images[:, 3:-2:3, 3:-2:3] * 16  # the middle of each 3 × 3 square
    bunch = load_digits()
    shrunk = np.column_stack([scans.reshape(-1, 64), np.concatenate([data.y_train, data.y_test])])
    given = np.column_stack([bunch.data, bunch.target])
    order, given_order = np.lexsort(np.rint(shrunk).T), np.lexsort(given.T)
    np.testing.assert_allclose(shrunk[order], given[given_order], atol=16 / 255 / 2 + 1e-12)
    assert not images[:, :2].any()
    assert not images[:, :, -2:].any()
    np.testing.assert_array_equal(images[:, 2:-2:3], images[:, 4:-2:3])


def test_the_split_is_stratified(digits):
    data = digits()
    train, test = np.bincount(data.y_train), np.bincount(data.y_test)
    assert np.all(np.abs(test - (train + test) * 297 / 1797) < 1)


def test_the_digits_are_the_same_each_time_and_leave_global_randomness_alone(digits):
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    one, two = digits(), digits()
    np.testing.assert_array_equal(one.X_train, two.X_train)
    np.testing.assert_array_equal(one.y_test, two.y_test)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert one.y_test[:10].tolist() == [7, 3, 1, 3, 0, 3, 4, 7, 3, 5]  # on any machine


def test_the_digits_can_be_standardised(digits):
    X = digits(scaling="standard").X_train
    assert X.mean(dtype=float) == pytest.approx(0, abs=1e-6)
    assert X.std(dtype=float) == pytest.approx(1, abs=1e-6)


# ---------------------------------------------------------------------------------- small problems


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("centred", [False, True])
def test_xor(centred, dtype):
    X, y = datasets.xor(centred=centred, dtype=dtype)
    assert X.dtype == dtype
    assert y.dtype == np.int64
    assert {tuple(x) for x in X} == {(a, b) for a in (-centred, 1) for b in (-centred, 1)}
    np.testing.assert_array_equal(y, X[:, 0] != X[:, 1])


def test_xor_refuses_a_bad_dtype():
    with pytest.raises(ValueError, match="dtype must be float32 or float64"):
        datasets.xor(dtype=int)


def test_blobs_are_two_unit_gaussians_at_the_given_distance():
    n, distance = 40_000, 3.0
    X, y = datasets.blobs(np.random.default_rng(0), n, distance=distance)
    assert np.bincount(y).tolist() == [n / 2, n / 2]
    below, above = X[y == 0], X[y == 1]
    error = 5 / math.sqrt(n / 2)  # five standard errors of a mean
    np.testing.assert_allclose(above.mean(0), [distance / 2 / math.sqrt(2)] * 2, atol=error)
    np.testing.assert_allclose(below.mean(0), [-distance / 2 / math.sqrt(2)] * 2, atol=error)
    for points in (below, above):
        np.testing.assert_allclose(np.cov(points.T), np.eye(2), atol=2 * error)


def test_blobs_come_from_the_generator_in_either_dtype():
    def draw(seed, dtype):
        return datasets.blobs(np.random.default_rng(seed), 7, distance=1, dtype=dtype)[0]

    np.testing.assert_array_equal(draw(0, np.float64), draw(0, np.float64))
    np.testing.assert_array_equal(draw(0, np.float32), draw(0, np.float64).astype(np.float32))
    assert draw(0, np.float32).dtype == np.float32
    assert not np.array_equal(draw(0, np.float64), draw(1, np.float64))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"rng": 0}, TypeError, "rng must be a numpy Generator"),
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"n": 2.0}, TypeError, "n must be a whole number"),
        ({"distance": -1}, ValueError, "distance must be at least 0"),
        ({"distance": np.nan}, ValueError, "distance must be finite"),
        ({"dtype": int}, ValueError, "dtype must be float32 or float64"),
    ],
)
def test_blobs_name_bad_arguments(wrong, error, message):
    arguments = {"rng": np.random.default_rng(0), "n": 4, "distance": 1.0} | wrong
    with pytest.raises(error, match=message):
        datasets.blobs(**arguments)


@given(st.integers(1, 200), st.integers(1, 250), st.integers(0, 5))
def test_batches_are_a_partition(n, batch_size, seed):
    parts = list(datasets.batches(np.random.default_rng(seed), n, batch_size))
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert all(len(part) == batch_size for part in parts[:-1])
    assert 1 <= len(parts[-1]) <= batch_size


def test_batches_are_shuffled_afresh_and_reproducibly():
    rng = np.random.default_rng(0)
    one, two = (np.concatenate(list(datasets.batches(rng, 100, 7))) for _ in range(2))
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, np.arange(100))
    again = np.concatenate(list(datasets.batches(np.random.default_rng(0), 100, 7)))
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"rng": np.random}, TypeError, "rng must be a numpy Generator"),
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be a whole number"),
    ],
)
def test_batches_name_bad_arguments_at_the_call(wrong, error, message):
    arguments = {"rng": np.random.default_rng(0), "n": 4, "batch_size": 2} | wrong
    with pytest.raises(error, match=message):
        datasets.batches(**arguments)  # nothing has been asked of the iterator yet
