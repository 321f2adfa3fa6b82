"""Mutations of bytes, XML and JSON, each drawn from a seeded generator."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from typing import Any

NUMBERS = ("nan", "inf", "-inf", "0", "-1", "1e9", "1e308", "-1e308", "1e400", "0.5", "", "x", "1_000", "９", "9" * 400)
TIMES = ("0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "2024-12-03T15:42:60", "2024-12-03", "now", "")
ENCODINGS = ("utf-16", "utf-7", "cp500", "rot13", "idna", "nonsense", "ascii", "utf-8\x00", "latin-1", "base64")
TEXTS = (
    "",
    " ",
    "\ud800",
    "a\x00b",
    "\x1b[2J\x1b]0;title\x07",
    r"$\frac{$",
    "$",
    "=1+1",
    "@SUM(A1)",
    "\tx",
    "../../x",
    "a/b\\c",
    "\u202eabc",
    "x" * 200_000,
    "two\nlines",
    "港",
    "%s %d {}",
    "nan",
)
VALUES = (None, True, False, 0, -1, 1, 1e308, float("nan"), float("inf"), 10**400, [], {}, [[]], [None], *TEXTS)
_LEAF = re.compile(rb"<([\w:]+)([^<>]*)>([^<>]+)</\1>")
_ELEMENT = re.compile(rb"<([\w:]+)[^<>/]*>[^<>]*(?:<([\w:]+)[^<>]*>[^<>]*</\2>[^<>]*)*</\1>")


def damage_bytes(data: bytes, chance: random.Random) -> bytes:
    """Flip, cut, repeat, clear or insert something somewhere."""
    place = chance.randrange(len(data)) if data else 0
    length = min(chance.choice((1, 4, 100, 5000)), len(data) - place)
    kind = chance.choice(("flip", "flips", "cut", "drop", "repeat", "clear", "insert", "empty"))
    if kind == "empty" or not data:
        return b""
    if kind == "flips":
        harmed = bytearray(data)
        for _ in range(chance.choice((2, 10, 100))):
            harmed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(harmed)
    piece, rest = data[place : place + length], data[place + length :]
    return {
        "flip": data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :],
        "cut": data[:place],
        "drop": data[:place] + rest,
        "repeat": data[:place] + piece + piece + rest,
        "clear": data[:place] + bytes(length) + rest,
        "insert": data[:place] + chance.randbytes(length) + data[place:],
    }[kind]


def damage_xml(data: bytes, chance: random.Random) -> bytes:
    """Damage a document as bytes, as text or as a tree."""
    leaves, elements = [*_LEAF.finditer(data)], [*_ELEMENT.finditer(data)]
    leaf, other, element = chance.choice(leaves), chance.choice(leaves), chance.choice(elements)
    words = leaf[3].split()
    number = chance.choice(NUMBERS).encode()
    time = chance.choice(TIMES).encode()
    body = re.sub(rb"<\?xml.*?\?>", b"", data, count=1)
    edits: list[Callable[[], bytes]] = [
        lambda: damage_bytes(data, chance),
        lambda: _replaced(data, leaf.span(3), number),
        lambda: _replaced(data, leaf.span(3), _nudged(leaf[3], chance)),
        lambda: _replaced(data, leaf.span(3), time),
        lambda: _replaced(data, leaf.span(3), b" ".join(words[: len(words) // 2])),
        lambda: _replaced(data, leaf.span(3), b" ".join([*words, *words[-1:], number])),
        lambda: _replaced(data, leaf.span(3), other[3]),
        lambda: _replaced(data, element.span(), b""),
        lambda: _replaced(data, element.span(), element[0] * 2),
        lambda: _replaced(data, leaf.span(1), b"other"),
        lambda: f'<?xml version="1.0" encoding="{chance.choice(ENCODINGS)}"?>'.encode() + body,
        lambda: body.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-32", "cp500", "utf-8-sig"))),
        lambda: b'<!DOCTYPE a [<!ENTITY b "c">]>' + body,
        lambda: b"<a>" * 20_000 + body + b"</a>" * 20_000,
    ]
    return chance.choice(edits)()


def _replaced(data: bytes, span: tuple[int, int], text: bytes) -> bytes:
    return data[: span[0]] + text + data[span[1] :]


def _nudged(text: bytes, chance: random.Random) -> bytes:
    """Change one digit, which leaves a number that may well be one."""
    digits = [match.start() for match in re.finditer(rb"\d", text)]
    if not digits:
        return text[::-1]
    place = chance.choice(digits)
    return text[:place] + str(chance.randrange(10)).encode() + text[place + 1 :]


def damage_json(data: bytes, chance: random.Random) -> bytes:
    """Damage a document as bytes, or put something else in a place of its tree."""
    if chance.random() < 0.2:
        return damage_bytes(data, chance)
    if chance.random() < 0.05:
        return data.replace(b"[", b"[" * chance.choice((10, 100_000)), 1)
    tree = json.loads(data)
    for _ in range(chance.choice((1, 1, 1, 3))):
        if not (places := [*_places(tree)]):
            break
        parent, key = chance.choice(places)
        old = parent[key]
        put = chance.choice(VALUES)
        if isinstance(old, str):
            put = chance.choice((put, chance.choice(TEXTS)))
        elif isinstance(old, (int, float)) and abs(old) < 1e300:
            put = chance.choice((put, -old, old * 10, old + chance.gauss(0, 1), 1e9, 90.0, 180.0, -180.0))
        elif isinstance(old, list):
            put = chance.choice((put, old[::-1], old[:1], old * 3, [*old, chance.choice(VALUES)]))
        elif isinstance(old, dict) and chance.random() < 0.5:
            put = {**old, chance.choice(TEXTS): chance.choice(VALUES)}
        if isinstance(parent, dict) and chance.random() < 0.1:
            del parent[key]
        else:
            parent[key] = copy.deepcopy(put)  # the next turn, or seed, may change it
    return json.dumps(tree).encode("utf-8", "surrogatepass")


def _places(tree: Any) -> Any:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield tree, key
        yield from _places(value)
