"""Plain tables for a terminal: facts of a product, scenes, vessels (in decibel), counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # `sarship info` shows metadata, without waiting for these
    import geopandas as gpd
    import pandas as pd
    import xarray as xr

    from sarship.catalog import Pass
    from sarship.model import Scene
    from sarship.port.map_image import MapImage
    from sarship.sentinel1.product import GrdProduct

__all__ = [
    "changes_text",
    "counts_text",
    "facts_text",
    "passes_text",
    "product_facts",
    "scenes_text",
    "traffic_text",
    "vessels_text",
]

DIGITS = {"longitude": 5, "latitude": 5, "length_m": 0, "width_m": 0, "heading_deg": 0, "score": 1, "distance_m": 0}
"""Numbers of the vessel table, with their digits."""


def product_facts(product: GrdProduct | MapImage) -> dict[str, object]:
    """Return facts of a product, or of an image on a map, as plain JSON values, from metadata alone."""
    scene = product.scene
    west, south, east, north = (round(value, 4) for value in scene.footprint.bounds)
    n_lines, n_pixels = product.shape
    own: dict[str, object]
    if product.annotation is None:  # an image on a map
        said = product.facts
        own = {"quantity": said.quantity, "scale": said.scale, "noise_subtracted": said.noise_subtracted}
    else:
        own = {"ipf_version": product.ipf_version}
    return {
        "scene": scene.id,
        "path": str(product.path),
        "platform": scene.platform,
        "mode": scene.mode,
        "type": scene.product_type,
        "polarizations": list(scene.polarizations),
        "readable": list(product.polarizations),
        "start": scene.start.isoformat(),
        "stop": scene.stop.isoformat(),
        "absolute_orbit": scene.absolute_orbit,
        "relative_orbit": scene.relative_orbit,
        "orbit_pass": scene.orbit_pass,
        "n_lines": n_lines,
        "n_pixels": n_pixels,
        "line_spacing_m": round(product.line_spacing_m, 3),
        "pixel_spacing_m": round(product.pixel_spacing_m, 3),
        "resolution_m": [round(value, 1) for value in product.resolution_m],
        "enl": product.enl,
        "has_noise": product.has_noise,
        **own,
        "simulated": product.is_simulated,
        "bounds": [west, south, east, north],
    }


def facts_text(facts: dict[str, object]) -> str:
    """Return facts as lines of a name and a value.

    >>> print(facts_text({"mode": "IW", "readable": []}))
    mode             IW
    readable         none
    """
    plain = {name: (", ".join(map(str, v)) or "none") if isinstance(v, list) else v for name, v in facts.items()}
    return "\n".join(f"{name:<16} {value}" for name, value in plain.items())


def scenes_text(scenes: Iterable[Scene]) -> str:
    """Return scenes of a catalogue, a line each."""
    import pandas as pd

    rows = [
        {
            "time": f"{scene.start:%Y-%m-%d %H:%M}",
            "orbit": scene.relative_orbit,
            "pass": scene.orbit_pass,
            "channels": "+".join(scene.polarizations),
            "scene": scene.id,
        }
        for scene in scenes
    ]
    return str(pd.DataFrame(rows).to_string(index=False)) if rows else "no scenes"


def passes_text(passes: Iterable[Pass]) -> str:
    """Return passes over a place, a line each."""
    head = ("time", "state", "satellite", "orbit", "mode", "channels", "scene or data take")
    rows = [
        (
            f"{one.time:%Y-%m-%d %H:%M}",
            one.state.replace("_", " "),
            one.platform,
            str(one.relative_orbit),
            one.mode,
            one.channels,
            one.scene,
        )
        for one in passes
    ]
    wide = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ("  ".join(f"{text:<{n}}" for text, n in zip(row, wide, strict=True)).rstrip() for row in (head, *rows))
    return "\n".join(lines)


def vessels_text(vessels: gpd.GeoDataFrame) -> str:
    """Return vessels (`schema.VESSELS`), a line each, brightness in decibel."""
    import pandas as pd

    if not len(vessels):
        return "no vessels"
    table = pd.DataFrame(
        {
            "scene": vessels["scene"].str[:32],
            "time": vessels["time"].dt.strftime("%Y-%m-%d %H:%M:%S"),
            **{name: vessels[name].map(_number(digits)) for name, digits in DIGITS.items()},
            "co_db": _decibel(vessels["sigma0_co"]).map(_number(1)),
            "cross_db": _decibel(vessels["sigma0_cross"]).map(_number(1)),
            "pier": vessels["pier"].fillna("-"),
        }
    )
    return f"{table.to_string(index=False)}\n{len(table)} vessel{'s'[: len(table) != 1]}"


def counts_text(counts: xr.Dataset) -> str:
    """Return counts (`schema.COUNTS`) beneath a heading, a line a time and a column a pier."""
    if not counts["time"].size:
        return "no scenes were counted"
    table = counts.assign_coords(time=counts["time"].dt.strftime("%Y-%m-%d %H:%M"))["n_vessels"].to_pandas()
    table = table.map(_number(0))
    table.index.name = table.columns.name = None
    unseen = "; - is a pier that was not seen" if np.isnan(counts["n_vessels"]).any() else ""
    return f"vessels at each pier, times UTC{unseen}:\n\n{table.to_string()}"


def traffic_text(traffic: gpd.GeoDataFrame, counts: xr.Dataset) -> str:
    """Return the sums of the traffic (`schema.TRAFFIC`) of each pier beneath a heading; empty without any."""
    import pandas as pd

    from sarship.counts.places import traffic_at
    from sarship.schema import WHOLE_PORT

    sums = traffic_at(traffic, counts)
    if not len(sums):
        return ""
    table = pd.DataFrame(
        {
            name: [f"{n:.0f} ± {error:.0f}" for n, error in zip(sums[name], sums[f"{name}_error"], strict=True)]
            for name in ("arrived", "left", "stayed")
        },
        index=["all piers" if name == WHOLE_PORT else name for name in sums.index],
    )
    return f"vessels expected from pass to pass, ± one sigma:\n\n{table.to_string()}"


def changes_text(changes: gpd.GeoDataFrame, alerts: gpd.GeoDataFrame) -> str:
    """Return changes (`schema.CHANGES`) and what is unusual on the newest passes (`schema.ALERTS`), a line each."""
    lines = [f"change: {words}" for words in changes["words"]]
    looked_at = alerts[alerts["status"] != "too_few"]
    unusual = looked_at[looked_at["status"] != "usual"]
    for row in unusual.itertuples():
        usual = f"{row.usual_low:.0f} to {row.usual_high:.0f} are usual"
        lines.append(f"{row.status}: {row.where} has {row.n_vessels:.0f} on {row.time:%Y-%m-%d %H:%M}; {usual}")
    if len(unusual):
        lines.append(f"{len(looked_at)} places were looked at; one usual count in a hundred is called so by chance")
    return "\n".join(lines)


def _number(digits: int) -> Callable[[float], str]:
    return lambda value: "-" if np.isnan(value) else f"{value:.{digits}f}"


def _decibel(power: pd.Series[float]) -> pd.Series[float]:
    with np.errstate(divide="ignore"):
        return power.map(np.log10) * 10
