"""The style of a layer of vessels for QGIS, which takes it up from a `.qml` of the same name beside the layer."""

from __future__ import annotations

from html import escape
from typing import Final

__all__ = ["vessels_qml"]

_PLAIN: Final = "coalesce(\"flag\", '') = '' AND \"n_vessels\" > 0"
_RULES: Final = (
    ("at a pier", f'{_PLAIN} AND "pier" IS NOT NULL', "255,122,51", "solid"),
    ("elsewhere", f'{_PLAIN} AND "pier" IS NULL', "0,114,178", "solid"),
    ("flagged, or a candidate that is not counted", f"NOT ({_PLAIN})", "110,110,110", "dash"),
)
"""Name of the rule, its condition, and colour and line of the footprints: those of the pictures."""
_LABELED_TO: Final = 25_000
"""Denominator of the smallest scale at which lengths are written: a vessel of 100 m is 4 mm there."""


def vessels_qml() -> bytes:
    """Return the style as a file: footprints by place and flag, and close up their lengths.

    >>> vessels_qml().count(b"<rule ")
    4
    """
    rules = "".join(
        f'<rule key="rule{k}" symbol="{k}" label="{escape(label)}" filter="{escape(condition)}"/>'
        for k, (label, condition, _, _) in enumerate(_RULES)
    )
    symbols = "".join(_symbol(k, colour, line) for k, (_, _, colour, line) in enumerate(_RULES))
    text = (
        f'<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM">\n'
        f'<qgis version="3.22" styleCategories="Symbology|Labeling" labelsEnabled="1">'
        f'<renderer-v2 type="RuleRenderer" symbollevels="0"><rules key="rules">{rules}</rules>'
        f"<symbols>{symbols}</symbols></renderer-v2>"
        f'<labeling type="rule-based"><rules key="labels"><rule key="length" scalemaxdenom="{_LABELED_TO}">'
        f'<settings><text-style fieldName="round(&quot;length_m&quot;) || \' m\'" isExpression="1" fontSize="8"'
        f' textColor="40,40,40,255"><text-buffer bufferDraw="1" bufferSize="0.8" bufferColor="255,255,255,255"/>'
        f'</text-style><placement placement="1"/></settings></rule></rules></labeling></qgis>\n'
    )
    return text.encode()


def _symbol(k: int, colour: str, line: str) -> str:
    """Return the symbol of a rule: an outline, so that ships beside each other stay apart, and a pale filling."""
    options = {
        "color": f"{colour},70",
        "style": "solid",
        "outline_color": f"{colour},255",
        "outline_style": line,
        "outline_width": "0.5",
        "outline_width_unit": "MM",
    }
    values = "".join(f'<Option name="{name}" type="QString" value="{value}"/>' for name, value in options.items())
    layer = f'<layer class="SimpleFill" enabled="1" pass="0"><Option type="Map">{values}</Option></layer>'
    return f'<symbol type="fill" name="{k}" alpha="1">{layer}</symbol>'
