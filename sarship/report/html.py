"""Parts of pages: this room's files, styles, values for scripts, and the policy that lets in only those."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files
from typing import Any

import jinja2

from sarship.plots.style import BAND, BLUE, GREY
from sarship.plots.visits import CLASSES

__all__ = ["as_json", "policy_of", "read_part", "styles_of", "template"]


def template(name: str) -> jinja2.Template:
    """Return a template of the room; texts that it is given are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({name: read_part(name)}),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)


def read_part(name: str) -> str:
    """Return a file of the room; the maps of minified sources are not shipped, so nothing may ask for them."""
    text = (files("sarship.report") / name).read_text("utf-8")
    return re.sub(r"\n?//# sourceMappingURL=\S+", "", text)


def styles_of(*names: str) -> str:
    """Return Leaflet's styles and others as one, without the pictures that Leaflet's ask for, which are not used."""
    leaflet = re.sub(r"[^{}]+\{[^{}]*url\([^{}]*\}", "", read_part("vendor/leaflet.css"))
    colours = {"blue": BLUE, "grey": GREY, "band": BAND} | {f"length-{k}": c for k, (_, c, _) in enumerate(CLASSES)}
    named = "".join(f"--{name}:{colour};" for name, colour in colours.items())
    return "\n".join([leaflet, f":root{{{named}}}", *map(read_part, names)])


def policy_of(styles: str, scripts: list[str], *more: str) -> str:
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
