"""Files that are there whole or not at all, at whatever moment their writer is stopped."""

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HOUR = 3600  # longer than any file takes to write


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a place to write to, which becomes ``path`` at the end, unless there is an error.

    A process that is killed on the way leaves what was at ``path`` as it was, and beside it what
    :func:`clear` removes. Of two writers at once, the last one wins.

    Parameters
    ----------
    path : Path
        A file or a folder, in a folder that exists. A file is replaced at once. A folder is moved
        away first, so a kill may leave none, but never a part of one.

    Yields
    ------
    Path
        Of the same name, in a folder of its own.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "result.txt")
    ...     with whole(path) as part:
    ...         size = part.write_text("42")
    ...         path.exists()
    ...     path.read_text()
    False
    '42'
    """
    path = path.resolve()  # a link stays one
    clear(path)
    with tempfile.TemporaryDirectory(
        prefix=f".{path.name}.", suffix=".part", dir=path.parent
    ) as folder:
        part = Path(folder, path.name)
        yield part
        if part.is_file():
            with part.open("rb+") as file:
                os.fsync(file.fileno())  # or a power cut could leave its name without its bytes
        if path.is_dir():
            path.replace(Path(folder, f"{path.name}.old"))
        elif path.exists():
            shutil.copymode(path, part)
        part.replace(path)


def clear(path: Path) -> None:
    """Remove what writers of ``path`` have left that were killed an hour ago or more.

    It is a hidden folder ``.<name>.<letters>.part`` beside ``path``. A younger one may be in use.

    Parameters
    ----------
    path : Path
        What they were to write.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(FileNotFoundError):  # its writer was alive
            if time.time() - left.stat().st_mtime > HOUR:
                shutil.rmtree(left, ignore_errors=True)
