"""XML of a product, read by paths; entities are not expanded.

A product's XML never needs a document type, and every XML attack (billion laughs, external entities) does; so a
document type is refused outright, before anything in it is looked at.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from sarship.errors import ProductError

__all__ = ["Node", "parse_xml", "read_xml"]


@dataclass(frozen=True, slots=True)
class Node:
    """An element of a file; what is missing below it, or is not of the type asked for, raises `ProductError`.

    Paths are `a/b` from the element, or `.//a/b` at any depth, by local names whatever the namespaces.

    >>> read_xml(b"<a><b>1 2</b></a>", "a.xml").numbers("b")
    array([1., 2.])
    """

    element: ElementTree.Element
    source: str
    """Name of the file, for messages."""

    def find(self, path: str) -> list[Node]:
        """Return the elements at a path; there may be none."""
        qualified = re.sub(r"\w+", r"{*}\g<0>", path)
        return [Node(element, self.source) for element in self.element.iterfind(qualified)]

    def find_some(self, path: str) -> list[Node]:
        """Return the elements at a path, one at least."""
        if not (found := self.find(path)):
            raise self._lacks(path)
        return found

    def get(self, attribute: str) -> str:
        """Return an attribute; empty where the element has none of that name."""
        return self.element.get(attribute, "")

    def text(self, path: str, default: str | None = None) -> str:
        """Return the first text at a path, stripped; where there is none the default, if one is given."""
        texts = ((node.element.text or "").strip() for node in self.find(path))
        text = next(filter(None, texts), default)
        if text is None:
            raise self._lacks(path)
        return text

    def number(self, path: str) -> float:
        """Return a finite number."""
        return self._number(path, self.text(path))

    def positive(self, path: str) -> float:
        """Return a number above zero."""
        if (value := self.number(path)) <= 0:
            raise self._wrong(path, value, "which must be positive")
        return value

    def whole(self, path: str) -> int:
        """Return a whole number of 32 bits."""
        value = self.number(path)
        if value % 1 or abs(value) >= 2**31:
            raise self._wrong(path, value, "which is not a whole number")
        return int(value)

    def numbers(self, path: str) -> NDArray[np.float64]:
        """Return a list of finite numbers, float64."""
        texts = self.text(path).split()
        try:
            numbers = np.array(texts, np.float64)
        except ValueError:
            numbers = np.array([np.nan])
        if not np.isfinite(numbers).all():
            numbers = np.array([self._number(path, text) for text in texts])
        return numbers

    def time(self, path: str) -> datetime:
        """Return a time, UTC; one without a zone is UTC already."""
        return self.as_time(self.text(path), path)

    def as_time(self, text: str, path: str) -> datetime:
        """Return the time that a text at a path says."""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise self._wrong(path, text, "which is not a time") from error
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def error(self, message: str) -> ProductError:
        """Return the error that the file is at fault; the message goes on from the file's name."""
        return ProductError(f"{self.source} {message}", path=self.source)

    def _number(self, path: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self._wrong(path, text, "which is not a number")
        return value

    def _lacks(self, path: str) -> ProductError:
        return self.error(f"lacks {path.removeprefix('.//')}; fetch the product again")

    def _wrong(self, path: str, value: object, reason: str) -> ProductError:
        return self.error(f"gives {path.removeprefix('.//')} as {value!r}, {reason}; fetch the product again")


def read_xml(data: bytes, source: str) -> Node:
    """Return the root of an XML document; `source` is the file's name for messages.

    Raises
    ------
    ProductError
        If the bytes are not well-formed XML, or declare a document type.
    """
    return Node(parse_xml(data, source), source)


def parse_xml(data: bytes, source: str) -> ElementTree.Element:
    """Return the root of an XML document as ElementTree has it, as `read_xml` does."""
    try:
        return ElementTree.fromstring(data, ElementTree.XMLParser(target=_Builder(source)))  # noqa: S314  (no doctype)
    except ProductError:
        raise
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the last two of unknown encodings
        raise ProductError(f"{source} is damaged: {error}; fetch the product again", path=source) from error


class _Builder(ElementTree.TreeBuilder):
    """Tree builder that refuses a document type."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source

    def doctype(self, *_: object) -> None:
        message = f"{self.source} declares a document type, which no Sentinel-1 file does; it was not read"
        raise ProductError(message, path=self.source)
