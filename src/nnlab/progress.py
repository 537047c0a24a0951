"""A bar that shows how far a long computation is."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

#: What moves a bar on by so many steps. Several threads may call it at once.
Advance = Callable[[int], None]


def bar(total: int, label: str | None) -> AbstractContextManager[Advance]:
    """Return a context that shows a progress bar, which goes away at the end.

    Parameters
    ----------
    total : int
        How many steps there are.
    label : str or None
        What stands before the bar. Without it there is none; nor is there one where the environment
        variable ``TQDM_DISABLE`` is set to something other than 0.

    Returns
    -------
    context manager
        It yields ``advance(n)``, to be called when n more steps are done.

    Raises
    ------
    TypeError
        If ``label`` is no text.

    Examples
    --------
    >>> with bar(2, None) as advance:  # shows nothing
    ...     advance(2)
    """
    if not isinstance(label, str | None):
        raise TypeError(f"progress must be the label of the bar; got {label!r}")
    return _bar(total, label)


@contextmanager
def _bar(total: int, label: str | None) -> Iterator[Advance]:
    # tqdm's notebook bar ignores TQDM_DISABLE by itself, and would be saved with the outputs.
    if label is None or os.environ.get("TQDM_DISABLE", "0") not in ("", "0"):
        yield lambda n: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=label, leave=False, disable=False) as shown:
        lock = Lock()

        def advance(n: int) -> None:
            with lock:
                shown.update(n)

        yield advance
