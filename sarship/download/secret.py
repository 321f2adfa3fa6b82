"""A secret: text that is sent, and not shown in messages, logs, tables or tracebacks, locals of frames included."""

from __future__ import annotations

from typing import Any, NoReturn, Self

__all__ = ["Secret"]


class Secret(str):
    """A text that is not shown. Libraries that send it take its letters; whoever prints it gets none.

    >>> Secret("word")
    Secret(…)
    >>> f"{Secret('word')} {[Secret('word')[:2]]}"
    'Secret(…) [Secret(…)]'
    >>> Secret("word").reveal()
    'word'
    """

    __slots__ = ()

    def __new__(cls, text: object = "") -> Self:
        """Hide a text; one that is hidden already stays what it is."""
        return super().__new__(cls, text.reveal() if isinstance(text, Secret) else text)

    def reveal(self) -> str:
        """Return the text, for the call that sends it."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return repr(self)

    def __getitem__(self, part: Any) -> Secret:
        return Secret(super().__getitem__(part))  # those who shorten what they show would else show it

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: it would lie open in a cache or between processes")
