"""Small helpers to write the XML of a product in ESA's spelling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["element", "listing", "real", "reals", "stamp", "to_bytes", "vector"]

Element = ElementTree.Element


def stamp(time: datetime) -> str:
    """UTC time as the annotation spells it: microseconds, no zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")


def real(value: float) -> str:
    """A real number with sixteen digits."""
    return f"{value:.15e}"


def reals(values: ArrayLike) -> str:
    """Real numbers with seven digits, space-separated, as look-up tables have them."""
    return " ".join(f"{value:.6e}" for value in np.asarray(values, np.float64).tolist())


def element(name: str, content: object = "", **attributes: str) -> Element:
    """An element of text, a number, a mapping of children, or several children."""
    made = ElementTree.Element(name, attributes)
    if isinstance(content, Mapping):
        made.extend(_child(key, value) for key, value in content.items())
    elif isinstance(content, str | int | float):
        made.text = _text(content)
    elif isinstance(content, Iterable):
        made.extend(content)
    return made


def _child(name: str, value: object) -> Element:
    return value if isinstance(value, ElementTree.Element) else element(name, value)


def _text(value: str | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return real(value) if isinstance(value, float) else str(value)


def listing(item: str, rows: Sequence[Mapping[str, object]]) -> dict[str, Element]:
    """A list with its count, named after its items, one element a row."""
    name = f"{item}List"
    return {name: element(name, [element(item, row) for row in rows], count=str(len(rows)))}


def vector(name: str, values: Sequence[int] | ArrayLike, text: str | None = None) -> dict[str, Element]:
    """Numbers in one element with their count; whole numbers unless their text is given."""
    numbers = np.atleast_1d(np.asarray(values))
    return {name: element(name, text or " ".join(str(int(v)) for v in numbers), count=str(numbers.size))}


def to_bytes(root: Element) -> bytes:
    """A document: declaration, indented, UTF-8."""
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
