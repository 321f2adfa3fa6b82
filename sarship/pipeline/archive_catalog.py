"""Archives as one static STAC collection, with an item for each year of each port.

Items lie in `stac/` of the archive and lead to its parts by relative addresses, so that all of it can be copied
anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from shapely.geometry.base import BaseGeometry

from sarship.catalog.items import STAC_VERSION, stac_time
from sarship.errors import OutputError
from sarship.files import reason, safe_name, write_file
from sarship.geo.geojson import as_geojson, bbox_of
from sarship.pipeline.archive import ARCHIVED, SCHEMA_VERSION, YearOfPort, part_of
from sarship.pipeline.results import KEY, SIMULATED, Results
from sarship.pipeline.table_files import json_bytes

__all__ = ["COLLECTION", "write_collection", "write_items"]

COLLECTION: Final = "stac/collection.json"
"""The collection, within an archive."""
_ID: Final = "sarship-archive"
_TABLES: Final = "https://stac-extensions.github.io/table/v1.2.0/schema.json"
_PARQUET: Final = "application/vnd.apache.parquet"


def write_items(years: Iterable[YearOfPort], results: Results, area: BaseGeometry, archive: Path) -> None:
    """Write an item for each year of a port, and remove those of other years.

    Parameters
    ----------
    years
        From `archive_results`.
    results
        The survey that they are of.
    area
        Place of the port, longitude and latitude in degrees.
    archive
        Folder of the archive.

    References
    ----------
    SpatioTemporal Asset Catalog Specification 1.1.0, Item; the extension Table, 1.2.0.
    """
    port, written = results.provenance.port, set[Path]()
    for each in (year for year in years if len(year.scenes)):  # a vessel may be seen a second after the last midnight
        path = archive / "stac" / safe_name(port) / f"{each.year}.json"
        written.add(write_file(path, json_bytes(_item(each, results, area)), parents=True))
    folder = archive / "stac" / safe_name(port)
    for path in sorted(folder.glob("*.json")):
        if path not in written:
            path.unlink(missing_ok=True)
    if folder.is_dir() and not written:
        folder.rmdir()


def write_collection(archive: Path) -> Path:
    """Write the collection of all items that are in an archive.

    References
    ----------
    SpatioTemporal Asset Catalog Specification 1.1.0, Collection; the extension Table, 1.2.0.
    """
    items = {path: _read(path) for path in sorted((archive / "stac").glob("*/*.json"))}
    boxes = [item["bbox"] for item in items.values()]
    spans = [(item["properties"]["start_datetime"], item["properties"]["end_datetime"]) for item in items.values()]
    links = [
        {"rel": "item", "href": f"./{path.parent.name}/{path.name}", "type": "application/geo+json"} for path in items
    ]
    root = {"rel": "root", "href": "./collection.json", "type": "application/json"}
    collection = {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [_TABLES],
        "id": _ID,
        "title": "Vessels at the piers of ports",
        "description": "Vessels, counts, visits and changes at ports from Sentinel-1, an item a port and year, "
        f"by sarship; `{KEY}:schema` of each item is the version of its tables.",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [_around(boxes), *boxes] if len(boxes) > 1 else boxes or [[-180, -90, 180, 90]]},
            "temporal": {"interval": [_span(spans)]},
        },
        "item_assets": {
            name: {"type": _PARQUET, "roles": ["data"], "table:columns": _columns(name)} for name in ARCHIVED
        },
        "links": [root, *links],
    }
    return write_file(archive / COLLECTION, json_bytes(collection), parents=True)


def _item(each: YearOfPort, results: Results, area: BaseGeometry) -> dict[str, Any]:
    provenance = results.provenance
    port, scenes = provenance.port, each.scenes
    mark = f"{SIMULATED} " if provenance.is_simulated else ""
    addresses = [results.sources.get(name, "") for name in scenes["scene"]]
    derived = [{"rel": "derived_from", "href": address} for address in addresses if "://" in address]
    up = "../collection.json"
    above = [{"rel": rel, "href": up, "type": "application/json"} for rel in ("root", "parent", "collection")]
    start, end = stac_time(scenes["start"].min()), stac_time(scenes["stop"].max())
    owed = {f"{KEY}:port_attribution": provenance.port_attribution} if provenance.port_attribution else {}
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [_TABLES],
        "id": f"{safe_name(port)}-{each.year}",
        "collection": _ID,
        "geometry": as_geojson(area),
        "bbox": bbox_of(area),
        "properties": {
            "title": f"{mark}{port}, {each.year}",
            "datetime": None,
            "start_datetime": start,
            "end_datetime": end,
            "constellation": "sentinel-1",
            f"{KEY}:port": port,
            f"{KEY}:year": each.year,
            f"{KEY}:schema": SCHEMA_VERSION,
            f"{KEY}:version": provenance.version,
            f"{KEY}:simulated": provenance.is_simulated,
            f"{KEY}:scenes": scenes["scene"].tolist(),
            **owed,
        },
        "links": [*above, *derived],
        "assets": {
            name: {
                "href": f"../../{quote(part_of(name, port, each.year).as_posix(), safe='/=')}",
                "type": _PARQUET,
                "roles": ["data"],
                "table:primary_geometry": "geometry",
                "table:row_count": n_rows,
            }
            for name, n_rows in each.n_rows.items()
        },
    }


def _read(path: Path) -> dict[str, Any]:
    """Return the item of a file, checked as far as the collection needs it."""
    try:
        item: dict[str, Any] = json.loads(path.read_bytes())
        _ = item["bbox"][3], item["properties"]["start_datetime"], item["properties"]["end_datetime"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        message = f"{path}: not an item of an archive, or damaged ({reason(error)}); remove it, and run again"
        raise OutputError(message, path=path) from error
    return item


def _columns(name: str) -> list[dict[str, str]]:
    columns = [{"name": each.name, "type": each.dtype, "description": each.meaning} for each in ARCHIVED[name].columns]
    return [*columns, {"name": "geometry", "type": "geometry", "description": "place, longitude and latitude, WGS 84"}]


def _around(boxes: list[list[float]]) -> list[float]:
    """Return the box of all boxes; around the globe where one crosses the antimeridian."""
    west, south, east, north = zip(*boxes, strict=True)
    crosses = any(one > other for one, other in zip(west, east, strict=True))
    return [-180.0 if crosses else min(west), min(south), 180.0 if crosses else max(east), max(north)]


def _span(spans: list[tuple[str, str]]) -> list[str | None]:
    return [min(start for start, _ in spans), max(end for _, end in spans)] if spans else [None, None]
