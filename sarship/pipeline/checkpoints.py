"""What a survey keeps of each scene that is done, so that the next run need not search it again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final, NamedTuple

import geopandas as gpd

from sarship.errors import OutputError
from sarship.files import atomic_folder, write_file
from sarship.pipeline.results import read_table, table_bytes
from sarship.schema import COVERAGE, SCENES, VESSELS, Table

__all__ = ["CONTRACTS", "Kept", "Tables", "digest", "files_mark", "keep", "recall"]

Tables = dict[str, gpd.GeoDataFrame]
"""Vessels, scenes and coverage of one scene, by name."""
CONTRACTS: Final[dict[str, Table]] = {"vessels": VESSELS, "scenes": SCENES, "coverage": COVERAGE}
"""The tables."""


class Kept(NamedTuple):
    """What is kept of a scene."""

    tables: Tables
    is_simulated: bool
    """Whether the product was made up."""


def keep(place: Path, fingerprint: str, kept: Kept) -> None:
    """Store a scene's tables in a folder that gets its name only when it is complete."""
    note = {"fingerprint": fingerprint, "is_simulated": kept.is_simulated}
    with atomic_folder(place) as part:
        for name, frame in kept.tables.items():
            write_file(part / f"{name}.parquet", table_bytes(frame, note))


def recall(place: Path, fingerprint: str) -> Kept | None:
    """What an earlier run kept of a scene, or None where it must be searched (again)."""
    tables, is_simulated = {}, False
    for name, contract in CONTRACTS.items():
        try:
            tables[name], written = read_table(place / f"{name}.parquet", contract)
        except OutputError:
            return None
        if written.get("fingerprint") != fingerprint or "is_simulated" not in written:
            return None
        is_simulated = bool(written["is_simulated"])
    return Kept(tables, is_simulated)


def files_mark(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of every file of a product: enough to notice one that was replaced."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def digest(values: object) -> str:
    """A fingerprint of plain JSON values."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
