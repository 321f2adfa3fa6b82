"""Work on the scenes of a survey, shared out between this process and others that help it.

Whoever is free takes what comes next, so that none waits; what is found is handed over in the order of the scenes. A
helper writes what it finds into the folder of the survey, as this process would. What it fails at is done again here in
its turn, and told then, so a helper that is killed costs time and nothing else.
"""

from __future__ import annotations

import pickle
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sarship.errors import ProductWarning
from sarship.pipeline.worker_processes import Submit, spawned

__all__ = ["NO_HELPERS", "Helpers", "held_warnings", "helpers"]

MIN_SHARED: Final = 8
"""Fewest scenes that are shared out: to begin a process costs two seconds of a processor, a scene half of one."""

Key = TypeVar("Key", str, int)
Common = TypeVar("Common")
Item = TypeVar("Item")
Found = TypeVar("Found")


class Helpers:
    """Processes that help this one.

    Parameters
    ----------
    submit
        Gives work to one of them.
    n_helpers
        Number of them; 0 for none.
    """

    def __init__(self, submit: Submit | None = None, n_helpers: int = 0) -> None:
        self.submit, self.n_helpers = submit, n_helpers

    def share_out(
        self, call: Callable[[Common, Item], Found], common: Common, items: Mapping[Key, Item]
    ) -> Callable[[Key], Found | None]:
        """Begin to work on items, and return the function that gives what was found of each in its turn.

        Parameters
        ----------
        call
            Does the work; a function that a module has by its name. Called here too, where a turn has to be waited for.
        common
            What all items need.
        items
            Each by its key, in the order in which the answers will be asked for.

        Returns
        -------
        Callable
            Gives the answer for a key, and warns as the work did; or gives None where the caller is to do it: there are
            no helpers, too few items to be worth one, it is not among the items, nobody has begun with it, or it
            failed.
        """
        if self.submit is None or len(items) < MIN_SHARED:
            return lambda _: None
        packed = pickle.dumps(common)
        shared = _Shared(partial(_heard, call, common), partial(self.submit, _heard_apart, call, packed), items)
        for _ in range(self.n_helpers):
            shared.give_next()
        return shared


NO_HELPERS: Final = Helpers()


@contextmanager
def helpers(n_workers: int) -> Iterator[Helpers]:
    """Yield processes that help this one, which make up so many workers with it. They begin when there is work."""
    if n_workers == 1:
        yield NO_HELPERS
        return
    with spawned(n_workers - 1, n_workers) as submit:
        yield Helpers(submit, n_workers - 1)


class _Heard(NamedTuple, Generic[Found]):
    """Answer, and the warnings that came with it."""

    found: Found
    doubts: list[str]


class _Shared(Generic[Key, Item, Found]):
    """Items that are worked on, here or by a helper."""

    def __init__(
        self,
        call: Callable[[Item], _Heard[Found]],
        submit: Callable[[Item], Future[_Heard[Found]]],
        items: Mapping[Key, Item],
    ) -> None:
        self.call, self.submit = call, submit
        self.items: Mapping[Key, Item] = items
        self.waiting: deque[Key] = deque(items)
        self.found: dict[Key, Future[_Heard[Found] | None]] = {key: Future() for key in items}

    def __call__(self, key: Key) -> Found | None:
        """Return what was found of an item; meanwhile work on those that come after it."""
        found = self.found.get(key)
        while found is not None and not found.done():
            try:
                other = self.waiting.popleft()
            except IndexError:
                break
            if other == key:  # nobody has begun with it
                return None
            try:
                self.found[other].set_result(self.call(self.items[other]))
            except Exception:  # it comes up again in its turn
                self.found[other].set_result(None)
        heard = None if found is None else found.result()
        if heard is None:
            return None
        for text in heard.doubts:
            warnings.warn(text, ProductWarning, stacklevel=2)
        return heard.found

    def give_next(self) -> None:
        """Give a helper what comes next."""
        try:
            key = self.waiting.popleft()
        except IndexError:
            return
        found = self.found[key]
        try:
            self.submit(self.items[key]).add_done_callback(partial(self._take, found))
        except (BrokenExecutor, RuntimeError):  # it was killed, or all is being left
            found.set_result(None)

    def _take(self, found: Future[_Heard[Found] | None], done: Future[_Heard[Found]]) -> None:
        failed = done.cancelled() or done.exception() is not None
        found.set_result(None if failed else done.result())
        self.give_next()


def _heard(call: Callable[[Common, Item], Found], common: Common, item: Item) -> _Heard[Found]:
    with held_warnings() as doubts:
        found = call(common, item)
    return _Heard(found, doubts)


def _heard_apart(call: Callable[[Any, Item], Found], packed: bytes, item: Item) -> _Heard[Found]:
    return _heard(call, _unpacked(packed), item)


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> Any:
    """Return what the items of some work have in common; it stays, as do the masks that are made of it."""
    return pickle.loads(packed)  # noqa: S301  (the process that began this one wrote it)


@contextmanager
def held_warnings() -> Iterator[list[str]]:
    """Hold back the warnings about products of a block, and yield the list that has their texts after it."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ProductWarning)
        yield texts
    texts.extend(str(each.message) for each in heard)
