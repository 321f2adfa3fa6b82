"""Doubts about a product: warnings, which a thread that opens it ahead of its turn holds back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sarship.errors import ProductWarning

__all__ = ["doubt", "doubts_held"]

_HELD: Final[ContextVar[list[str] | None]] = ContextVar("held", default=None)


def doubt(message: str) -> None:
    """Warn whoever called the function that doubts, unless its thread holds doubts back."""
    held = _HELD.get()
    if held is None:
        warnings.warn(message, ProductWarning, stacklevel=3)
    else:
        held.append(message)


@contextmanager
def doubts_held() -> Iterator[list[str]]:
    """Hold back the doubts of this thread, and yield the list that they come into.

    Filters of warnings, and those who record them, belong to the whole process: a thread that warns at any time of its
    own would be heard by the wrong one.
    """
    held: list[str] = []
    before = _HELD.set(held)
    try:
        yield held
    finally:
        _HELD.reset(before)
