"""Scenes as items of a SpatioTemporal Asset Catalog (STAC), which GIS and other catalogues read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sarship.geo.geojson import as_geojson, bbox_of
from sarship.model import Scene

__all__ = ["STAC_VERSION", "as_items", "stac_time"]

STAC_VERSION: Final = "1.1.0"
_EXTENSIONS: Final = [f"https://stac-extensions.github.io/{name}/v1.0.0/schema.json" for name in ("sar", "sat")]


def as_items(scenes: Iterable[Scene]) -> dict[str, Any]:
    """Return scenes as STAC items in a GeoJSON FeatureCollection, their footprints as geometry.

    References
    ----------
    SpatioTemporal Asset Catalog Specification 1.1.0, Item; the extensions SAR and Satellite, 1.0.0.
    """
    return {"type": "FeatureCollection", "features": [_item(scene) for scene in scenes]}


def _item(scene: Scene) -> dict[str, Any]:
    properties = {
        "datetime": stac_time(scene.start),
        "start_datetime": stac_time(scene.start),
        "end_datetime": stac_time(scene.stop),
        "platform": f"sentinel-{scene.platform[1:].lower()}",
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "sar:instrument_mode": scene.mode,
        "sar:frequency_band": "C",
        "sar:polarizations": list(scene.polarizations),
        "sar:product_type": scene.product_type,
        "sat:orbit_state": scene.orbit_pass,
        "sat:relative_orbit": scene.relative_orbit,
        "sat:absolute_orbit": scene.absolute_orbit,
    }
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": _EXTENSIONS,
        "id": scene.id,
        "geometry": as_geojson(scene.footprint),
        "bbox": bbox_of(scene.footprint),
        "properties": properties,
        "links": [],
        "assets": {name: {"href": href} for name, href in scene.assets.items()},
    }


def stac_time(moment: datetime) -> str:
    """Return a time in UTC as items have it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"
