"""Texts from files and paths, which anybody may have written: shown, they must not be obeyed."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["as_cell", "name_fault", "printable"]

LONGEST_NAME: Final = 200
"""Characters; a name stands in tables, file names and pictures."""
_OBEYED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that a terminal acts on, that turn the order of letters, or that cannot be encoded."""


def printable(text: str) -> str:
    r"""Return a text with what is obeyed or cannot be encoded written as escapes.

    >>> printable("Quay \x1b[2J")
    'Quay \\x1b[2J'
    """
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def as_cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula: with a quote before what begins one.

    >>> as_cell("=1+1"), as_cell("North quay")
    ("'=1+1", 'North quay')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def name_fault(name: str) -> str:
    """Return the reason why a name cannot be kept in tables; empty if it can.

    >>> name_fault("North quay"), name_fault("=1+1")
    ('', 'begins with =, + or @, which a spreadsheet takes for a formula')
    """
    if len(name) > LONGEST_NAME:
        return f"has {len(name)} characters, and {LONGEST_NAME} are allowed"
    if _OBEYED.search(name) or re.search(r"[\t\n]", name):
        return "has control characters or broken letters"
    if name.startswith(("=", "+", "@")):
        return "begins with =, + or @, which a spreadsheet takes for a formula"
    return ""
