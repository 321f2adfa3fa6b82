"""Parts of pages: this room's files, styles, values for scripts, and the policy that lets in only those."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import jinja2

from sarship.plots.style import BAND, BLUE, GREY
from sarship.plots.visits import CLASSES

__all__ = ["Page", "as_json", "read_part", "render"]


class Page(NamedTuple):
    """A page and the content-security policy that it was made for."""

    html: bytes
    policy: str


def render(template: str, styles: Sequence[str], scripts: Sequence[str], *policy: str, data: Any, **texts: Any) -> Page:
    """Return a page of this room's files; the texts that its template is given are escaped.

    Parameters
    ----------
    template, styles, scripts
        Files of the room; Leaflet's styles stand before the others.
    policy
        More parts of the policy.
    data
        Plain values for the scripts.
    texts
        Values for the template.
    """
    style, parts = _styles_of(*styles), [read_part(name) for name in scripts]
    allowed = _policy_of(style, parts, *policy)
    options: dict[str, Any] = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True}
    page = jinja2.Template(read_part(template), undefined=jinja2.StrictUndefined, **options)
    text = page.render(policy=allowed, style=style, scripts=parts, data=as_json(data), **texts)
    return Page(text.encode(errors="backslashreplace"), allowed)


def read_part(name: str) -> str:
    """Return a file of the room; the maps of minified sources are not shipped, so nothing may ask for them."""
    text = (files("sarship.report") / name).read_text("utf-8")
    return re.sub(r"\n?//# sourceMappingURL=\S+", "", text)


def _styles_of(*names: str) -> str:
    """Return Leaflet's styles and others as one, without the pictures that Leaflet's ask for, which are not used."""
    leaflet = re.sub(r"[^{}]+\{[^{}]*url\([^{}]*\}", "", read_part("vendor/leaflet.css"))
    colours = {"blue": BLUE, "grey": GREY, "band": BAND} | {f"length-{k}": c for k, (_, c, _) in enumerate(CLASSES)}
    named = "".join(f"--{name}:{colour};" for name, colour in colours.items())
    return "\n".join([leaflet, f":root{{{named}}}", *map(read_part, names)])


def _policy_of(styles: str, scripts: list[str], *more: str) -> str:
    """Return the content-security policy: pictures within the page, these styles and scripts by digest, and more."""
    digests = " ".join(map(_digest, scripts))
    parts = ["default-src 'none'", "img-src data:", f"style-src {_digest(styles)}", f"script-src {digests}"]
    return "; ".join([*parts, "base-uri 'none'", *more])


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def as_json(value: Any) -> str:
    """Return plain values as JSON that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)
