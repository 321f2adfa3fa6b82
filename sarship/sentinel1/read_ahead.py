"""The next of some items made by a thread while the caller works on the last one."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["read_ahead"]

T = TypeVar("T")


def read_ahead(items: Generator[T, None, None]) -> Iterator[T]:
    """Yield what a generator does; all of it runs in one thread, one item ahead of the caller.

    Examples
    --------
    >>> list(read_ahead(n * n for n in range(4)))
    [0, 1, 4, 9]
    """
    # GDAL's options and handles belong to a thread, so one alone runs the generator, and closes it
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sarship-read") as reader:
        try:
            following = reader.submit(next, items, None)
            while (item := following.result()) is not None:
                following = reader.submit(next, items, None)
                yield item
        finally:
            reader.submit(items.close).result()
