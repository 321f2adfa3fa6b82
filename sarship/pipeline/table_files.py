"""Tables as files: GeoParquet and GeoPackage, GeoJSON, and plain CSV.

In Parquet the geometry of a vessel is its place, as in the table. In files for a GIS it is the footprint: the box of
its length and width around its place. The provenance travels inside each file, as schema metadata of Parquet, as
metadata of a GeoPackage's layer and as a top-level member of GeoJSON. CSV has no place for it: lines above the header
are read as data.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
from pyproj import CRS, Geod
from pyproj.exceptions import ProjError
from shapely.errors import ShapelyError

from sarship.ais import AIS_COUNTS
from sarship.errors import OutputError
from sarship.files import reason
from sarship.geo.antimeridian import ring_polygon
from sarship.geo.geojson import as_geojson
from sarship.pipeline.results import KEY, Provenance
from sarship.schema import Table
from sarship.texts import as_cell

__all__ = [
    "VESSEL_FORMATS",
    "counts_csv",
    "footprints",
    "json_bytes",
    "read_note",
    "read_table",
    "table_bytes",
    "table_csv",
    "vessels_csv",
    "vessels_geojson",
    "vessels_json",
]

_DAMAGED = (OSError, ValueError, KeyError, TypeError, pa.ArrowException, ProjError, ShapelyError)
"""Errors of reading a table that is not ours, or a damaged one: each library on the way has its own."""


def table_bytes(frame: gpd.GeoDataFrame, provenance: Mapping[str, Any], *, compression: str = "snappy") -> bytes:
    """Return the table as a GeoParquet file that carries the provenance in its schema metadata."""
    plain = io.BytesIO()
    frame.to_parquet(plain, index=False)
    table = pq.read_table(plain)
    metadata = {**(table.schema.metadata or {}), KEY.encode(): json.dumps(provenance).encode()}
    marked = io.BytesIO()
    marked_table = table.replace_schema_metadata(metadata)
    pq.write_table(marked_table, marked, compression=compression, write_page_checksum=True)
    return marked.getvalue()


def read_table(path: Path, contract: Table | None = None) -> tuple[gpd.GeoDataFrame, dict[str, Any]]:
    """Read a GeoParquet file that sarship wrote.

    Returns
    -------
    frame
        The table, checked against its contract.
    provenance
        As plain JSON values.

    Raises
    ------
    OutputError
        The file is missing, damaged, or not one that sarship wrote.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        frame = _with_geometry(table)
        if contract is not None:
            frame = contract.check(frame)
        return frame, _note(table.schema)
    except _DAMAGED as error:
        raise _damaged(path, error) from error


def _with_geometry(table: pa.Table) -> gpd.GeoDataFrame:
    """Return what geopandas reads of a table, which makes its reference system anew and takes ten times as long."""
    frame, geo = table.to_pandas(), json.loads(table.schema.metadata[b"geo"])
    name = geo["primary_column"]
    crs = _reference_system(json.dumps(geo["columns"][name]["crs"]))
    return gpd.GeoDataFrame(frame.assign(**{name: gpd.array.from_wkb(frame[name].to_numpy(), crs=crs)}), geometry=name)


@lru_cache(maxsize=4)
def _reference_system(text: str) -> CRS | None:
    """Return a reference system from JSON; None where a table has none, as that of no piers."""
    found = json.loads(text)
    return found and CRS.from_user_input(found)


def read_note(path: Path) -> dict[str, Any]:
    """Return the provenance of a GeoParquet file that sarship wrote, as plain JSON values, without reading its table.

    Raises
    ------
    OutputError
        The file is missing, damaged, or not one that sarship wrote.
    """
    try:
        return _note(pq.read_schema(path))
    except _DAMAGED as error:
        raise _damaged(path, error) from error


def _note(schema: pa.Schema) -> dict[str, Any]:
    provenance: dict[str, Any] = json.loads(schema.metadata[KEY.encode()])
    return provenance


def _damaged(path: Path, error: Exception) -> OutputError:
    return OutputError(f"{path}: not a table that sarship wrote, or damaged ({reason(error)}); run the survey again")


def footprints(vessels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the vessels (`schema.VESSELS`) with the box of their length and width as geometry."""
    along, across = (vessels[name].to_numpy()[:, None] / 2 for name in ("length_m", "width_m"))
    turn = np.degrees(np.arctan2(across, along))
    azimuth = vessels[["heading_deg"]].to_numpy() + np.hstack([turn, -turn, turn + 180, 180 - turn])  # counterclockwise
    start = [np.broadcast_to(vessels[[name]], azimuth.shape) for name in ("longitude", "latitude")]
    distance = np.broadcast_to(np.hypot(along, across), azimuth.shape)
    longitude, latitude, _ = Geod(ellps="WGS84").fwd(start[0], start[1], azimuth, distance)
    return vessels.set_geometry(
        [ring_polygon(*ring) for ring in zip(longitude, latitude, strict=True)], crs=vessels.crs
    )


def vessels_json(vessels: gpd.GeoDataFrame, provenance: Provenance) -> dict[str, Any]:
    """Return the vessels as a GeoJSON FeatureCollection with the provenance as its member `sarship`."""
    frame = footprints(vessels)
    rows = json.loads(_plain(frame).to_json(orient="records", double_precision=9))  # NaN is not JSON, and comes as null
    features = [
        {"type": "Feature", "id": row["vessel"], "properties": row, "geometry": as_geojson(shape)}
        for row, shape in zip(rows, frame.geometry, strict=True)
    ]
    return {"type": "FeatureCollection", KEY: provenance.as_dict(), "features": features}


def vessels_geojson(vessels: gpd.GeoDataFrame, provenance: Provenance) -> bytes:
    """Return `vessels_json` as a file."""
    return json_bytes(vessels_json(vessels, provenance))


def vessels_gpkg(vessels: gpd.GeoDataFrame, provenance: Provenance) -> bytes:
    """Return the vessels as a GeoPackage of one layer, with the provenance as its metadata."""
    content = io.BytesIO()
    note = {KEY: json.dumps(provenance.as_dict())}
    footprints(vessels).to_file(content, driver="GPKG", layer="vessels", layer_metadata=note)
    return content.getvalue()


def vessels_csv(vessels: gpd.GeoDataFrame, _: Provenance | None = None) -> bytes:
    """Return the vessels as plain CSV, one row a vessel."""
    return _csv(_plain(vessels), digits=9)


VESSEL_FORMATS: Final[Mapping[str, Callable[[gpd.GeoDataFrame, Provenance], bytes]]] = {
    ".csv": vessels_csv,
    ".geojson": vessels_geojson,
    ".gpkg": vessels_gpkg,
    ".parquet": lambda vessels, provenance: table_bytes(vessels, provenance.as_dict()),
}
"""Ending of a file of vessels → what makes its content."""


def counts_csv(counts: xr.Dataset) -> bytes:
    """Return the counts as plain CSV, one row a time and pier; an empty `n_vessels` means not seen."""
    frame = counts.to_dataframe().reset_index()
    whole = ["n_vessels", "n_low", "n_high", *(each.name for each in AIS_COUNTS if each.name in frame)]
    frame[whole] = frame[whole].astype("Int64")
    frame["time"] = pd.to_datetime(frame["time"]).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    first = ["time", "pier", *whole]
    return _csv(frame[first + [name for name in frame.columns if name not in first]], digits=6)


def table_csv(frame: gpd.GeoDataFrame) -> bytes:
    """Return a table without its geometry as plain CSV, times to the second."""
    return _csv(_plain(frame, "%Y-%m-%dT%H:%M:%SZ"), digits=9)


def json_bytes(value: object) -> bytes:
    """Return plain values as a JSON file."""
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    return text.encode(errors="backslashreplace") + b"\n"  # a path may have bytes that are no letters: as JSON has them


def _plain(frame: gpd.GeoDataFrame, time: str = "%Y-%m-%dT%H:%M:%S.%fZ") -> pd.DataFrame:
    """Return a table without geometry, its times as text."""
    plain = pd.DataFrame(frame.drop(columns="geometry"))
    times = plain.select_dtypes("datetimetz")
    return plain.assign(**{str(name): column.dt.strftime(time) for name, column in times.items()})


def _csv(frame: pd.DataFrame, digits: int) -> bytes:
    texts = [name for name, dtype in frame.dtypes.items() if dtype == "str"]
    frame = frame.assign(**{str(name): frame[name].map(as_cell, na_action="ignore") for name in texts})
    return frame.to_csv(index=False, float_format=f"%.{digits}g", lineterminator="\n").encode()
