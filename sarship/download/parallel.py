"""Several downloads side by side, with one progress for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sarship.download.request import Progress
from sarship.errors import DownloadError

__all__ = ["STOPPED", "TotalProgress", "side_by_side"]

STOPPED = "the download was stopped; run it again to go on from where it was"

Result = TypeVar("Result")


@contextmanager
def side_by_side(
    calls: Sequence[Callable[[], Result]], n_parallel: int, stop: Callable[[], None]
) -> Iterator[list[Future[Result]]]:
    """Run calls in `n_parallel` threads; on any end, Ctrl-C too, stop those under way and wait for them."""
    pool = ThreadPoolExecutor(max_workers=n_parallel, thread_name_prefix="sarship-download")
    try:
        yield [pool.submit(call) for call in calls]
    finally:
        stop()
        pool.shutdown(wait=True, cancel_futures=True)


class TotalProgress:
    """Sum of the bytes of several downloads.

    Parameters
    ----------
    sizes
        Bytes of each download, None where unknown.
    progress
        Called with the sum, from one thread at a time; None for no one.
    guesses
        True to take the mean of the known sizes for the unknown ones; else their total is None.
    """

    def __init__(self, sizes: Sequence[int | None], progress: Progress | None, *, guesses: bool = False) -> None:
        self._sizes, self._done = list(sizes), [0] * len(sizes)
        self._progress, self._guesses = progress, guesses
        self._lock, self._stopped = threading.Lock(), threading.Event()

    def of(self, index: int) -> Progress:
        """Return the callback of one download."""

        def report(done: int, size: int | None) -> None:
            if self._stopped.is_set():
                raise DownloadError(STOPPED)
            with self._lock:
                self._done[index] = done
                self._sizes[index] = size if size is not None or not self._guesses else self._sizes[index]
                if self._progress is not None:
                    self._progress(sum(self._done), self._total())

        return report

    def stop(self) -> None:
        """Have whatever is still under way end at its next bytes."""
        self._stopped.set()

    def _total(self) -> int | None:
        known = [size for size in self._sizes if size is not None]
        if not known or (len(known) < len(self._sizes) and not self._guesses):
            return None
        return round(sum(known) / len(known) * len(self._sizes))
