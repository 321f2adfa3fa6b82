"""Files of a survey's results: each written whole or not at all, all read back with one call.

Every file stands alone: the version, the parameters and the scenes it came from travel inside it, as a top-level member
of GeoJSON, as schema metadata of Parquet, as attributes of NetCDF and as leading `#` lines of CSV.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
from pyproj.exceptions import ProjError
from shapely.errors import ShapelyError

from sarship.catalog import Completeness
from sarship.errors import OutputError
from sarship.files import make_folder, reason, write_file
from sarship.pipeline.results import KEY, SIMULATED, Failure, Provenance, Results
from sarship.schema import COVERAGE, SCENES, VESSELS, WGS84, Table, netcdf_bytes

__all__ = ["read_results", "read_table", "table_bytes", "vessels_bytes", "write_results"]


def table_bytes(frame: gpd.GeoDataFrame, provenance: Mapping[str, Any]) -> bytes:
    """Return the table as a GeoParquet file that carries the provenance in its schema metadata."""
    plain = io.BytesIO()
    frame.to_parquet(plain, index=False)
    table = pq.read_table(plain)
    metadata = {**(table.schema.metadata or {}), KEY.encode(): json.dumps(provenance).encode()}
    marked = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), marked, write_page_checksum=True)
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
        frame = gpd.read_parquet(path, page_checksum_verification=True)
        provenance = json.loads(pq.read_schema(path).metadata[KEY.encode()])
        if contract is not None:
            frame = contract.check(frame)
    except _DAMAGED as error:
        message = f"{path}: not a table that sarship wrote, or damaged ({reason(error)}); run the survey again"
        raise OutputError(message) from error
    return frame, provenance


def vessels_bytes(vessels: gpd.GeoDataFrame, provenance: Provenance) -> bytes:
    """Return the vessels as a GeoJSON FeatureCollection with the provenance as its member `sarship`."""
    frame = vessels.assign(time=vessels["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    collection = json.loads(frame.to_json(drop_id=True))
    collection.pop("crs", None)  # GeoJSON is longitude and latitude on WGS 84 by definition
    return _json_bytes({"type": collection["type"], KEY: provenance.as_dict(), "features": collection["features"]})


def counts_csv(counts: xr.Dataset, provenance: Provenance) -> bytes:
    """Return the counts as a tidy table, one row a time and pier, below `#` lines with the provenance."""
    frame = counts.to_dataframe().reset_index()
    whole = ["n_vessels", "n_low", "n_high"]
    frame[whole] = frame[whole].astype("Int64")
    frame["time"] = pd.to_datetime(frame["time"]).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    first = ["time", "pier", *whole]
    frame = frame[first + [name for name in frame.columns if name not in first]]
    return _csv(frame, "vessels per time and pier; an empty n_vessels means not seen", provenance)


def visits_csv(visits: gpd.GeoDataFrame, provenance: Provenance) -> bytes:
    """Return the visits as a table, one row a vessel and pass, below `#` lines with the provenance."""
    frame = pd.DataFrame(visits.drop(columns="geometry"))
    frame["time"] = frame["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return _csv(frame, "vessels that stayed, arrived and left; an empty vessel was found gone", provenance, "%.7g")


def _csv(frame: pd.DataFrame, content: str, provenance: Provenance, numbers: str = "%.6g") -> bytes:
    mark = f" {SIMULATED}" if provenance.is_simulated else ""
    lines = [
        f"# sarship {provenance.version}{mark}: {content}",
        f"# {json.dumps(provenance.as_dict(), ensure_ascii=False)}",
        frame.to_csv(index=False, float_format=numbers, lineterminator="\n"),
    ]
    return "\n".join(lines).encode()


def write_results(results: Results, folder: str | Path) -> tuple[Path, ...]:
    """Write the vessels, scenes, coverage, piers and counts of a survey to a folder.

    Parameters
    ----------
    results
        From `survey` or `search`.
    folder
        Made if need be; files of other results are replaced.

    Returns
    -------
    tuple of Path
        The files written: `vessels.geojson`, `vessels.parquet`, `scenes.parquet`, `coverage.parquet`,
        `piers.parquet`, `counts.csv`, `counts.nc`, `visits.csv` and `results.json`.

    Raises
    ------
    OutputError
        The folder cannot be written to. Nothing half-written is left under a final name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.pipeline import search
    >>> with TemporaryDirectory() as folder:
    ...     [path.name for path in write_results(search([]), folder)][:2]
    ['vessels.geojson', 'vessels.parquet']
    """
    folder = make_folder(folder)
    provenance = results.provenance
    mark = f"{SIMULATED} " if provenance.is_simulated else ""
    summary = {
        KEY: provenance.as_dict(),
        "failures": [asdict(failure) for failure in results.failures],
        "sources": dict(results.sources),
        "completeness": results.completeness and results.completeness.as_dict(),
    }
    contents = {
        "vessels.geojson": vessels_bytes(results.vessels, provenance),
        **{f"{name}.parquet": table_bytes(getattr(results, name), provenance.as_dict()) for name in _TABLES},
        "counts.csv": counts_csv(results.counts, provenance),
        "counts.nc": netcdf_bytes(results.counts, WGS84, title=f"{mark}vessels at the piers of {provenance.port}"),
        "visits.csv": visits_csv(results.visits, provenance),
        "results.json": _json_bytes(summary),
    }
    return tuple(write_file(folder / name, content) for name, content in contents.items())


def read_results(folder: str | Path) -> Results:
    """Read all that `write_results` wrote to a folder.

    Parameters
    ----------
    folder
        Folder of a survey.

    Returns
    -------
    Results
        Equal to those that were written.

    Raises
    ------
    OutputError
        The folder holds no results, damaged ones, or files of two different runs.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.pipeline import search
    >>> with TemporaryDirectory() as folder:
    ...     files = write_results(search([]), folder)
    ...     len(read_results(folder).vessels)
    0
    """
    folder = Path(folder)
    try:
        summary = json.loads((folder / "results.json").read_bytes())
        provenance = Provenance.from_dict(summary[KEY])
        failures = tuple(Failure(**failure) for failure in summary["failures"])
        sources = dict(summary["sources"])
        completeness = summary["completeness"] and Completeness.from_dict(summary["completeness"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{folder}: no results of sarship here ({reason(error)}); give the folder that a survey wrote"
        raise OutputError(message) from error
    frames = {}
    for name, contract in _TABLES.items():
        frames[name], written = read_table(folder / f"{name}.parquet", contract)
        if written != summary[KEY]:
            raise OutputError(f"{folder}: {name}.parquet and results.json are of different runs; run the survey again")
    return Results(**frames, provenance=provenance, failures=failures, sources=sources, completeness=completeness)


_DAMAGED = (OSError, ValueError, KeyError, TypeError, pa.ArrowException, ProjError, ShapelyError)
"""Errors of reading a table that is not ours, or a damaged one: each library on the way has its own."""
_TABLES: dict[str, Table | None] = {"vessels": VESSELS, "scenes": SCENES, "coverage": COVERAGE, "piers": None}


def _json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"
