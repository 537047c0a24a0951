"""The data that the course learns from: MNIST, and problems small enough to check by hand."""

import hashlib
import io
import math
import os
import sys
import tempfile
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike

from nnlab import checks
from nnlab.files import clear, whole

#: Where MNIST is downloaded from, in the order in which they are tried.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
#: The files of MNIST, and the SHA-256 of each when it is unpacked.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
#: Seconds without a single byte before a mirror is given up.
TIMEOUT = 10.0
#: Seconds in which at least ``PIECE`` bytes must arrive: a byte now and then is not enough.
PATIENCE = 30.0
#: How many bytes are received, read or unpacked at a time.
PIECE = 2**16
#: No file of MNIST is larger, packed or not: they have up to 47 million bytes.
LARGEST = 2**26
#: Nor is any other file read that is.
LIMIT = 2**30
REPLACE = (
    "Delete it and get a fresh copy: `make data` (or `python -m nnlab.datasets`) downloads one "
    "into the cache, which is used unless NNLAB_DATA_DIR is set."
)
OTHER = (
    "This is not MNIST: Fashion-MNIST, KMNIST and others use the same file names. Set "
    "NNLAB_DATA_DIR to the folder that holds MNIST, or move this file out of the way."
)
SIGN_IN = "Does this network ask you to sign in? Open any page in a browser, and try again."
WRITABLE = "Set NNLAB_CACHE_DIR to a folder that can be written."
GZIP = b"\x1f\x8b"
MAGIC = (b"\0\0\x08\x01", b"\0\0\x08\x03")  # unsigned bytes along 1 axis (labels) or 3 (images)


class DatasetError(RuntimeError):
    """A data file is missing or damaged: what was expected, what was found, what to do.

    Parameters
    ----------
    file : str or Path
        Which file.
    expected, found, advice : str
        Parts of the message.

    Examples
    --------
    >>> print(DatasetError("labels.gz", "60000 values", "59999 values", "Get a fresh copy."))
    labels.gz: expected 60000 values; found 59999 values. Get a fresh copy.
    """

    def __init__(self, file: str | Path, expected: str, found: str, advice: str) -> None:
        super().__init__(file, expected, found, advice)  # all of them, or it could not be pickled

    def __str__(self) -> str:
        file, expected, found, advice = self.args
        return f"{file}: expected {expected}; found {found}. {advice}"


class FallbackWarning(UserWarning):
    """MNIST could not be had, and scikit-learn's digits stand in for it."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels, split into a training and a test set.

    Attributes
    ----------
    X_train, X_test : ndarray (n, n_features)
        Inputs, float32 or float64.
    y_train, y_test : ndarray (n,)
        Labels, int64.
    name : str
        ``"MNIST"``, or ``"digits"`` for the stand-in.
    source : str
        Where the data came from: ``"NNLAB_DATA_DIR"``, ``"cache"`` or ``"scikit-learn"``.

    Examples
    --------
    >>> X, y = xor()
    >>> Dataset(X, y, X, y, name="xor", source="here")
    Dataset(xor: 4 training and 4 test rows of 2 features, float64, from here)
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    name: str
    source: str

    @property
    def is_fallback(self) -> bool:
        """Whether these are the digits that stand in for MNIST."""
        return self.name == "digits"

    def __repr__(self) -> str:
        n, features = self.X_train.shape
        return (
            f"Dataset({self.name}: {n} training and {len(self.X_test)} test rows of {features} "
            f"features, {self.X_train.dtype}, from {self.source})"
        )


def load_mnist(
    *, scaling: str = "unit", dtype: DTypeLike = np.float32, download: bool | None = None
) -> Dataset:
    """Return MNIST: 60,000 training and 10,000 test images of handwritten digits.

    The files are taken from the folder in ``NNLAB_DATA_DIR`` if that is set, else from the user's
    cache, else downloaded into it. They may be packed or unpacked, with a dot in the name or not
    (``train-images.idx3-ubyte``), and in ``MNIST/raw`` inside of the folder, as torchvision has
    them: they are known by their contents. Where there are none, scikit-learn's digits (1,500
    training and 297 test scans of 8 × 8 pixels, enlarged to 28 × 28) stand in, with a warning.

    Parameters
    ----------
    scaling : {"unit", "standard"}
        ``"unit"`` maps the pixels to [0, 1]. ``"standard"`` then subtracts the mean of all
        training pixels and divides by their standard deviation, in both sets.
    dtype : numpy.dtype
        float32 or float64, for the inputs.
    download : bool, optional
        Whether missing files may be downloaded. By default they may, unless the environment
        variable ``NNLAB_OFFLINE`` is set to something other than 0.

    Returns
    -------
    Dataset
        ``X_train`` and ``X_test`` have shape (n, 784), the labels are 0 to 9.

    Raises
    ------
    DatasetError
        If a file is damaged, is not MNIST's, or is missing from ``NNLAB_DATA_DIR``.
    TypeError, ValueError
        If an argument is none of those above.

    Warns
    -----
    FallbackWarning
        If the stand-in is returned.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):  # where MNIST is not at hand
    ...     data = load_mnist(scaling="standard", download=False)
    >>> data.X_train.shape[1], data.X_train.dtype
    (784, dtype('float32'))

    References
    ----------
    LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document
    recognition", sec. III.
    """
    checks.one_of("scaling", scaling, ("unit", "standard"))
    dtype = checks.float_dtype(dtype)
    if download is None:
        download = os.environ.get("NNLAB_OFFLINE", "") in ("", "0")
    elif not isinstance(download, bool):
        raise TypeError(f"download must be True, False or None; got {download!r}")

    try:
        folder, source = _obtain(download)
    except OSError as error:
        name, source, reason = "digits", "scikit-learn", str(error)
        (train, y_train), (test, y_test) = _read_digits()
        warnings.warn(
            "MNIST is not available: these are scikit-learn's 1,797 digits, enlarged to 28 × 28, "
            "and results will differ. For the real data run `make data` (or `python -m "
            "nnlab.datasets`) once with a network, or set NNLAB_DATA_DIR to a folder that holds "
            f"the four MNIST files. Reason: {reason}",
            FallbackWarning,
            stacklevel=2,
        )
    else:
        name = "MNIST"
        train, y_train, test, y_test = (_read(folder, name) for name in SHA256)

    # The loops run in `dtype` and in place: a float64 copy of the pixels would take 376 MB.
    X_train = np.divide(train.reshape(len(train), -1), 255, dtype=dtype)
    X_test = np.divide(test.reshape(len(test), -1), 255, dtype=dtype)
    if scaling == "standard":
        mean = float(X_train.mean(dtype=np.float64))
        X_train -= mean
        X_test -= mean
        std = math.sqrt(np.einsum("ij,ij->", X_train, X_train, dtype=np.float64) / X_train.size)
        X_train /= std
        X_test /= std
    return Dataset(X_train, y_train.astype(np.int64), X_test, y_test.astype(np.int64), name, source)


def mnist_is_local() -> bool:
    """Return whether all four files are where :func:`load_mnist` looks first.

    They are not opened.

    Returns
    -------
    bool

    Examples
    --------
    >>> mnist_is_local() in (True, False)
    True
    """
    try:
        folder = _data_dir() or _cache_dir()
    except OSError:
        return False
    return all(_find(folder, name) for name in SHA256)


def download_mnist() -> Path:
    """Download into the cache what is not there yet, and return the cache's folder.

    A file is kept only if its contents are right. The mirrors are tried in turn.

    Returns
    -------
    Path

    Raises
    ------
    DatasetError
        If a file in the cache is damaged, or a mirror sent a damaged one and no other was better.
    OSError
        If no mirror delivered a file, or the cache cannot be written.
    """
    folder = _cache_dir()
    with _needs_room(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # before there is a download to lose
    for name in SHA256:
        clear(folder / f"{name}.gz")
        if _find(folder, name):
            _read(folder, name)
        else:
            data = _fetch(name)
            with _needs_room(folder), whole(folder / f"{name}.gz") as part:
                part.write_bytes(data)
    return folder


def read_idx(path: str | Path) -> np.ndarray:
    """Return the array of an IDX file of unsigned bytes, the format of MNIST, gzipped or not.

    It is a magic number of four bytes, which says how many axes there are, 1 or 3; the length of
    each as a big-endian 32-bit integer; then the values. No more is unpacked than these lengths
    announce, and nothing that would be larger than 2³⁰ bytes.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    ndarray
        Labels (n,) or images (n, rows, columns), as the header says; uint8, read-only.

    Raises
    ------
    DatasetError
        If the file cannot be read, is not complete gzip, is not what its header says, or is too
        large.

    Examples
    --------
    >>> import gzip
    >>> labels = bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.gz")
    ...     size = path.write_bytes(gzip.compress(labels))
    ...     read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    return _array(_contents(path, LIMIT))


def xor(*, centred: bool = False, dtype: DTypeLike = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Return the four points of exclusive or, which no single straight line separates.

    Parameters
    ----------
    centred : bool
        Give the inputs as −1 and 1 instead of 0 and 1.
    dtype : numpy.dtype
        float32 or float64, for the inputs.

    Returns
    -------
    X : ndarray (4, 2)
        The corners of a square.
    y : ndarray (4,)
        1 where the two inputs differ, else 0; int64.

    Raises
    ------
    ValueError
        If ``dtype`` is neither float32 nor float64.

    Examples
    --------
    >>> X, y = xor()
    >>> X.tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    >>> y.tolist()
    [0, 1, 1, 0]
    """
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], checks.float_dtype(dtype))
    return (2 * X - 1 if centred else X), np.array([0, 1, 1, 0], np.int64)


def blobs(
    rng: np.random.Generator, n: int, *, distance: float, dtype: DTypeLike = np.float64
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return two round Gaussian classes in the plane.

    .. math:: x \sim \mathcal N\!\left(\pm \tfrac{d}{2} \tfrac{(1, 1)}{\sqrt 2},\; I\right)

    No classifier is right more often than :math:`\Phi(d/2)`, and the line
    :math:`x_1 + x_2 = 0` is.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the points are drawn from.
    n : int
        How many points. The classes take turns, so they are equally large if ``n`` is even.
    distance : float
        The distance d between the two means, in standard deviations.
    dtype : numpy.dtype
        float32 or float64, for the inputs. Both give the same points, up to rounding.

    Returns
    -------
    X : ndarray (n, 2)
        The points.
    y : ndarray (n,)
        The classes: 0 below left, 1 above right; int64.

    Raises
    ------
    TypeError, ValueError
        If ``rng`` is no Generator, ``n`` no whole number of at least 1, ``distance`` negative or
        not finite, or ``dtype`` neither float32 nor float64.

    Examples
    --------
    >>> X, y = blobs(np.random.default_rng(0), 1000, distance=4)
    >>> print(f"{np.mean((X.sum(axis=1) > 0) == y):.2f}")  # Φ(2) = 0.977
    0.98
    """
    n = checks.positive_int("n", n)
    distance = checks.number("distance", distance, low=0)
    dtype = checks.float_dtype(dtype)
    y = np.arange(n, dtype=np.int64) % 2
    X = checks.generator(rng).standard_normal((n, 2))
    X += ((y - 0.5) * distance / math.sqrt(2))[:, None]
    return X.astype(dtype, copy=False), y


def batches(rng: np.random.Generator, n: int, batch_size: int) -> Iterator[np.ndarray]:
    """Yield the indices 0 … n − 1, freshly shuffled, in batches.

    Parameters
    ----------
    rng : numpy.random.Generator
        What shuffles. It is used once, at the call.
    n : int
        How many examples there are.
    batch_size : int
        How many indices a batch holds; the last one holds what is left, at least one.

    Returns
    -------
    iterator of ndarray (batch_size,)
        Every index occurs exactly once; int64.

    Raises
    ------
    TypeError, ValueError
        If ``rng`` is no Generator, or a size no whole number of at least 1. Raised at the call.

    Examples
    --------
    >>> [len(batch) for batch in batches(np.random.default_rng(0), 10, 4)]
    [4, 4, 2]
    """
    n = checks.positive_int("n", n)
    batch_size = checks.positive_int("batch_size", batch_size)
    order = checks.generator(rng).permutation(n)
    return (order[start : start + batch_size] for start in range(0, n, batch_size))


def main() -> None:
    """Download MNIST into the cache and print where it is (``python -m nnlab.datasets``).

    Raises
    ------
    SystemExit
        If that is impossible, with the reason.
    """
    try:
        folder = download_mnist()
    except (DatasetError, OSError) as error:
        sys.exit(f"MNIST could not be downloaded. {error}")
    for name in SHA256:
        print(_find(folder, name))


def _data_dir() -> Path | None:
    """Return the folder that the user chose, absolute so that messages are unmistakable."""
    chosen = os.environ.get("NNLAB_DATA_DIR")
    with _needs_home("NNLAB_DATA_DIR"):
        return Path(chosen).expanduser().absolute() if chosen else None


def _cache_dir() -> Path:
    """Return the folder for downloads."""
    chosen = os.environ.get("NNLAB_CACHE_DIR")
    with _needs_home("NNLAB_CACHE_DIR"):
        return Path(chosen or _pooch().os_cache("nnlab")).expanduser().absolute()


def _pooch() -> Any:
    """Return the package that downloads; ``OSError`` where it does not work, as in a browser."""
    try:
        import pooch
    except ImportError as error:
        raise OSError(f"nothing can be downloaded here: {error}.") from error
    return pooch


@contextmanager
def _needs_home(variable: str) -> Iterator[None]:
    """Say what to set where there is no home directory; ``OSError``."""
    try:
        yield
    except RuntimeError as error:
        message = f"There is no home directory. Set {variable} to a full path."
        raise FileNotFoundError(message) from error


def _find(folder: Path, name: str) -> Path | None:
    """Return where a file of MNIST is, under one of its usual names, or None."""
    for place in (folder, folder / "MNIST" / "raw"):
        for stem in (name, name.replace("-idx", ".idx")):
            for path in (place / f"{stem}.gz", place / stem):
                if os.path.isfile(path):  # noqa: PTH113, Path's raises a PermissionError
                    return path
    return None


def _obtain(download: bool) -> tuple[Path, str]:
    """Return the folder that holds MNIST and its name; ``OSError`` if it cannot be had."""
    if folder := _data_dir():
        return folder, "NNLAB_DATA_DIR"
    if not mnist_is_local():
        if not download:
            raise FileNotFoundError("it is not in the cache, and downloading is switched off.")
        download_mnist()
    return _cache_dir(), "cache"


@contextmanager
def _needs_room(folder: Path) -> Iterator[None]:
    """Say what to set where a folder cannot be written; ``OSError``."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{folder}: {error.strerror or error}. {WRITABLE}") from error


def _fetch(name: str) -> bytes:
    """Return a file, gzipped, from the first mirror that has it whole."""
    damaged, failed = [], []
    for mirror in MIRRORS:
        url = f"{mirror}{name}.gz"
        try:
            data = _receive(url)
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no thread to be had
            failed.append(f"{url}: {error}")
            continue
        if _is_web_page(data):
            failed.append(f"{url} sent a web page instead. {SIGN_IN}")
            continue
        try:
            contents = _unpacked(url, io.BytesIO(data), LARGEST)
            found = f"SHA-256 {hashlib.sha256(contents).hexdigest()}"
        except DatasetError as error:
            _, expected, found, _ = error.args
            found = f"{found} instead of {expected}"
        if found == f"SHA-256 {SHA256[name]}":
            return data
        damaged.append(f"{found} from {url}")
    if damaged:
        advice = "Nothing was kept. Try again later, or from another network."
        raise DatasetError(name, f"SHA-256 {SHA256[name]}", ", ".join([*damaged, *failed]), advice)
    raise ConnectionError(f"No mirror delivered {name}: {'; '.join(failed)}")


class _Received(io.BytesIO):
    """What a mirror has sent; it refuses what is more than a file of MNIST."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        if self.tell() + len(data) > LARGEST:
            raise OSError(f"it sent more than {LARGEST} bytes.")
        return super().write(data)


def _receive(url: str) -> bytes:
    """Return what a mirror sends, unless it sends too much or too slowly.

    The downloader waits for each byte; only another thread can watch how many come in all.
    """
    received = _Received()
    errors: list[str] = []
    download = _pooch().HTTPDownloader(progressbar=True, chunk_size=PIECE, timeout=TIMEOUT)

    def work() -> None:
        try:
            download(url, received, None)
        except Exception as error:  # of four libraries, as the answer may be anything
            errors.append(str(error) or repr(error))  # what it refers to, sockets, ends here

    thread = threading.Thread(target=work, daemon=True)  # it must not keep the process alive
    thread.start()
    while thread.is_alive():
        size = received.tell()
        thread.join(PATIENCE)
        if thread.is_alive() and received.tell() == size:
            received.close()  # the thread ends when it writes next
            raise TimeoutError(f"it sent fewer than {PIECE} bytes in {PATIENCE:g} seconds.")
    if errors:
        raise ConnectionError(errors[0])
    return received.getvalue()


def _is_web_page(data: bytes) -> bool:
    """Whether this is HTML, gzipped or not, as a network sends that wants its users to sign in."""
    with suppress(EOFError, zlib.error):
        data = next(_pieces(io.BytesIO(data)), b"")
    return data.lstrip(b"\xef\xbb\xbf\t\n\r ")[:1] == b"<"


def _contents(path: str | Path, limit: int) -> bytearray:
    """Return the contents of an IDX file, gzipped or not, if that has at most ``limit`` bytes."""
    try:
        with Path(path).open("rb") as file:
            if (size := os.fstat(file.fileno()).st_size) > limit:
                raise DatasetError(path, f"at most {limit} bytes", f"{size} bytes", REPLACE)
            return _unpacked(path, file, limit)
    except FileNotFoundError as error:
        raise DatasetError(path, "a file", "none", "Check the path.") from error
    except OSError as error:
        found = error.strerror or str(error)
        raise DatasetError(path, "a file to read", found, "Check who may read it.") from error


def _unpacked(path: str | Path, file: BinaryIO, limit: int) -> bytearray:
    """Return what an open IDX file holds, if that is what its first bytes announce."""
    pieces, data = _pieces(file), bytearray()
    try:
        for piece in pieces:
            data += piece
            if len(data) >= 16:  # no header is longer
                break
        shape = _announced(path, data, limit)
        size = 4 + 4 * len(shape) + math.prod(shape)
        for piece in pieces:
            data += piece
            if len(data) > size:  # it is wrong: however much there is, leave it packed
                break
    except (EOFError, zlib.error) as error:
        raise DatasetError(path, "complete gzip data", str(error), REPLACE) from error
    if len(data) != size:
        sizes = " × ".join(map(str, shape))
        found = "more" if len(data) > size else f"{len(data) - size + math.prod(shape)} values"
        raise DatasetError(path, f"{sizes} values", found, REPLACE)
    return data


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield what a file holds, unpacked if it is gzipped; ``EOFError`` or ``zlib.error``.

    No piece is longer than ``PIECE``. The standard library's gzip would take seconds for a header
    of many bytes or for many empty members, and its ``decompress`` all the memory that there is.
    """
    data = file.read(PIECE)
    if not data.startswith(GZIP):
        while data:
            yield data
            data = file.read(PIECE)
    while data:  # one member after another
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        while not member.eof:
            if not data:
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            yield member.decompress(data, PIECE)
            data = member.unused_data or member.unconsumed_tail
            if not data:
                data = file.read(PIECE)
        while data and not (data := data.lstrip(b"\0")):  # zeros may fill the last block
            data = file.read(PIECE)


def _announced(path: str | Path, data: bytearray, limit: int) -> list[int]:
    """Return the lengths of the axes that the first bytes of an IDX file announce."""
    if _is_web_page(bytes(data)):
        raise DatasetError(path, "an IDX file", "a web page", f"{SIGN_IN} {REPLACE}")
    if data[:4] not in MAGIC:
        valid, found = " or ".join(magic.hex(" ") for magic in MAGIC), data[:4].hex(" ")
        raise DatasetError(path, f"magic number {valid}", found or "nothing", REPLACE)
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise DatasetError(path, f"a header of {start} bytes", f"{len(data)} bytes", REPLACE)
    shape = _lengths(data)
    if math.prod(length or 1 for length in shape) > limit:  # a 0 must not hide the others
        found = f"{' × '.join(map(str, shape))} announced"
        raise DatasetError(path, f"at most {limit} values", found, REPLACE)
    return shape


def _lengths(data: bytearray) -> list[int]:
    """Return the lengths of the axes, big-endian numbers after the magic number."""
    lengths: list[int] = np.frombuffer(data, ">u4", count=data[3], offset=4).tolist()
    return lengths


def _array(data: bytearray) -> np.ndarray:
    """Return the array that the right contents of an IDX file describe."""
    shape = _lengths(data)
    array = np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    array.flags.writeable = False
    return array


def _read(folder: Path, name: str) -> np.ndarray:
    """Return the array of a file of MNIST, if it is that."""
    path = _find(folder, name)
    if path is None:
        advice = (
            f"NNLAB_DATA_DIR must hold {', '.join(SHA256)}, gzipped or not; correct it or unset it."
        )
        raise DatasetError(folder / name, "a file", "none", advice)
    data = _contents(path, LARGEST)
    array = _array(data)
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256[name]:
        sizes = " × ".join(map(str, array.shape))
        found = f"{sizes} other values, SHA-256 {found}"
        raise DatasetError(path, f"MNIST, SHA-256 {SHA256[name]} unpacked", found, OTHER)
    return array


def _read_digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return scikit-learn's digits as MNIST would have them, split by a fixed seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    scans, labels = load_digits(return_X_y=True)  # pixels 0 to 16
    # Each pixel becomes 3 × 3, inside a black margin of 2 as MNIST has one: 2 + 8 · 3 + 2 = 28.
    scans = np.kron(scans.reshape(-1, 8, 8), np.ones((3, 3)))
    images = np.pad(np.rint(scans * 255 / 16).astype(np.uint8), ((0, 0), (2, 2), (2, 2)))
    train, test, y_train, y_test = train_test_split(
        images, labels, train_size=1500, stratify=labels, random_state=0
    )
    return (train, y_train), (test, y_test)


if __name__ == "__main__":
    main()
