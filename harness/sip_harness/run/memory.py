"""Python's collector, kept from stopping the event loop for long.

A full collection walks every object of the process: tens of milliseconds once a record has grown, in which sockets
fill and the harness is late. While something runs, new objects are therefore looked at early, and old ones, which are
nearly all entries of records, not again before a hundred million have been made. Objects that are not part of a cycle
are freed at once all the same.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_CALM = (10_000, 10, 1000)
_open: list[tuple[int, int, int]] = []
"""What was set before the first of those who now want calm."""


@contextmanager
def calm() -> Iterator[None]:
    """No full collection in this context, nor in another one of the kind that overlaps it; afterwards all is as it was
    before."""
    _open.append(_open[0] if _open else gc.get_threshold())
    gc.freeze()
    gc.set_threshold(*_CALM)
    try:
        yield
    finally:
        before = _open.pop()
        if not _open:
            gc.set_threshold(*before)
            gc.unfreeze()
