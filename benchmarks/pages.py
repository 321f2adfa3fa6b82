"""Where benchmarks write what they measured: between markers in the pages of the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["ROOT", "write_between"]

ROOT: Final = Path(__file__).parents[1]


def write_between(page: Path, name: str, text: str) -> None:
    """Put a generated text between its markers in a page; a page without them stays as it is, and that is said."""
    first, last = f"<!-- benchmark:{name} -->", f"<!-- /benchmark:{name} -->"
    content = page.read_text("utf-8")
    start, stop = content.find(first), content.find(last)
    if not 0 <= start < stop:
        print(f"{page} has no {first} … {last}: nothing is written")
        return
    page.write_text(f"{content[:start]}{first}\n{text}\n{content[stop:]}", "utf-8")
