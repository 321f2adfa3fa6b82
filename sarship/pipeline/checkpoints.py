"""Checkpoints of a survey: the tables of each scene that was searched, which the next run then need not search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypedDict, cast

import geopandas as gpd

from sarship.errors import OutputError
from sarship.files import atomic_folder, write_file
from sarship.pipeline.table_files import read_note, read_table, table_bytes
from sarship.schema import COVERAGE, SCENES, VESSELS, Table

__all__ = ["CONTRACTS", "Tables", "digest", "has_checkpoint", "resume"]

CONTRACTS: Final[dict[str, Table]] = {"vessels": VESSELS, "scenes": SCENES, "coverage": COVERAGE}
"""The tables of a scene, by name."""


class Tables(TypedDict):
    """Findings of one scene."""

    vessels: gpd.GeoDataFrame
    scenes: gpd.GeoDataFrame
    coverage: gpd.GeoDataFrame
    is_simulated: bool


def resume(place: Path | None, fingerprint: str, search: Callable[[], Tables]) -> tuple[Tables, bool]:
    """Return the tables of a scene from its checkpoint; else search, and write one.

    Parameters
    ----------
    place
        Folder of the checkpoint; None for none.
    fingerprint
        Digest of all that the tables depend on: a checkpoint of another is not used.
    search
        Makes the tables.

    Returns
    -------
    tables
        Of the scene.
    is_resumed
        True if they come from the checkpoint.

    Raises
    ------
    OutputError
        The checkpoint cannot be written.
    """
    tables = None if place is None else _read(place, fingerprint)
    if tables is not None:
        return tables, True
    tables = search()
    if place is not None:
        _write(place, fingerprint, tables)
    return tables, False


def has_checkpoint(place: Path, fingerprint: str) -> bool:
    """Return True if a folder looks like a checkpoint with this fingerprint. Its tables are not read."""
    try:
        return read_note(place / "scenes.parquet").get("fingerprint") == fingerprint
    except OutputError:
        return False


def _read(place: Path, fingerprint: str) -> Tables | None:
    """Return the tables of a checkpoint; None where there is none, or a damaged one, or one of another fingerprint."""
    found: dict[str, object] = {}
    for name, contract in CONTRACTS.items():
        try:
            found[name], note = read_table(place / f"{name}.parquet", contract)
        except OutputError:
            return None
        if note.get("fingerprint") != fingerprint or "is_simulated" not in note:
            return None
        found["is_simulated"] = bool(note["is_simulated"])
    return cast("Tables", found)


def _write(place: Path, fingerprint: str, tables: Tables) -> None:
    note = {"fingerprint": fingerprint, "is_simulated": tables["is_simulated"]}
    with atomic_folder(place) as part:
        for name in CONTRACTS:
            write_file(part / f"{name}.parquet", table_bytes(cast("dict[str, gpd.GeoDataFrame]", tables)[name], note))


def digest(values: object) -> str:
    """Return the fingerprint of plain JSON values."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
