"""XML from files we did not write, read without expanding entities.

A product's XML never needs a document type, and every XML attack (billion laughs, external entities) does; so a
document type is refused outright, before anything in it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.parsers import expat

from sarship.errors import ProductError

__all__ = ["find_all", "parse_xml"]


def parse_xml(data: bytes, source: str) -> ElementTree.Element:
    """Root element of an XML document.

    Parameters
    ----------
    data
        The document's bytes.
    source
        File name for the error message.

    Raises
    ------
    ProductError
        If the bytes are not well-formed XML, or declare a document type.
    """

    def refuse(*_: object) -> None:
        raise ProductError(f"{source} declares a document type, which no Sentinel-1 file does; it was not read")

    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, attributes: builder.start(_qualified(name), attributes)
    parser.EndElementHandler = lambda name: builder.end(_qualified(name))
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        root = builder.close()
    except (expat.ExpatError, AssertionError) as error:
        raise ProductError(f"{source} is damaged: {error}; fetch the product again") from error
    assert isinstance(root, ElementTree.Element)
    return root


def _qualified(name: str) -> str:
    """`{namespace}tag`, as ElementTree spells it, from expat's `namespace}tag`."""
    return "{" + name if "}" in name else name


def find_all(root: ElementTree.Element, path: str) -> Iterator[ElementTree.Element]:
    """Elements by local names, `a/b` being every b below every a, whatever their namespaces."""
    first, _, rest = path.partition("/")
    for element in root.iter():
        if element.tag.rpartition("}")[2] == first:
            yield from find_all(element, rest) if rest else (element,)
