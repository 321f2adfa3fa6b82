"""Text of a GeoJSON collection, changed in places: what nobody changed stays as it was written, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Span", "replaced", "spans_of"]

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder()

Span = tuple[int, int]
"""First character of a value, and the one after its last."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Places of the values of a collection in its text."""

    members: dict[str, Span]
    features: list[Span]


def spans_of(text: str) -> Spans:
    """Return the places of the members of a collection and of its features.

    Parameters
    ----------
    text
        A JSON object with a member `features`, a list, that was read already and is sound.

    Examples
    --------
    >>> text = '{"name": "A", "features": [{}, 17]}'
    >>> spans = spans_of(text)
    >>> [text[start:stop] for start, stop in spans.features]
    ['{}', '17']
    """
    members, features = dict[str, Span](), list[Span]()
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)  # after the colon
        _, stop = _DECODER.raw_decode(text, start)
        members[name] = start, stop
        if name == "features":  # of two the last counts, as for the parser
            features = _items(text, start)
        at = _next(text, stop)
    return Spans(members, features)


def _items(text: str, at: int) -> list[Span]:
    """Return the places of the items of a list that begins here."""
    found = list[Span]()
    at = _skip(text, at + 1)
    while text[at] != "]":
        _, stop = _DECODER.raw_decode(text, at)
        found.append((at, stop))
        at = _next(text, stop)
    return found


def _next(text: str, at: int) -> int:
    """Return the place of what follows a value: the next one, or the end of the list or object."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def replaced(text: str, features: Sequence[int | dict[str, Any]], members: dict[str, object]) -> str:
    r"""Return the text of a collection with other features, and other values of some members that it has.

    Parameters
    ----------
    text
        As for `spans_of`.
    features
        In their new order: the number of one that stays as it is, from 0, or the content of a new one.
    members
        Values by the names of members; those that the collection lacks are passed over.

    Examples
    --------
    >>> print(replaced('{"features": [\n {"id": 1.50},\n {"id": 2}\n]}', [{"id": 3}, 0], {}))
    {"features": [
     {"id": 3},
     {"id": 1.50}
    ]}
    """
    spans = spans_of(text)
    changes = [(spans.members[name], json.dumps(value)) for name, value in members.items() if name in spans.members]
    (begin, end), items = spans.members["features"], spans.features
    pieces = [text[slice(*items[one])] if isinstance(one, int) else _dumped(one) for one in features]
    gap = text[items[0][1] : items[1][0]] if len(items) > 1 else ",\n"
    if items and pieces:
        begin, end = items[0][0], items[-1][1]
        changes.append(((begin, end), gap.join(pieces)))
    else:
        inside = f"\n{gap.join(pieces)}\n" if pieces else ""
        changes.append(((begin, end), f"[{inside}]"))
    for (start, stop), value in sorted(changes, reverse=True):
        text = text[:start] + value + text[stop:]
    return text


def _dumped(feature: dict[str, Any]) -> str:
    r"""Return a feature in one line; half a letter, which no file can hold, as its escape."""
    written = json.dumps(feature, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", written)
