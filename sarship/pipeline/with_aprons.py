"""Aprons of a port, on the passes that were searched against the empty port: from the stack and the references."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity

from sarship.analysis import judge_aprons
from sarship.change import measure_aprons
from sarship.counts.passes import group_passes
from sarship.errors import ProductWarning, ReferenceImageError
from sarship.pipeline.one_scene import SearchedScene
from sarship.pipeline.plan import Plan
from sarship.pipeline.results import Results
from sarship.pipeline.second_pass import reference_file, stack_folder
from sarship.pipeline.table_files import footprints
from sarship.port.grid import PortGrid, cells_within
from sarship.port.stack import read_reference, read_stack
from sarship.schema import APRONS

__all__ = ["find_aprons"]

LARGE_M: Final = 100.0
"""Length from which on vessels alongside show beyond their hulls, and how far: sidelobes and layover lie along azimuth
and range."""
NOT_COMPARED: Final = "counted by the image alone, so there is no empty apron to compare with"


def find_aprons(again: Mapping[str, SearchedScene], results: Results, plan: Plan, folder: Path) -> gpd.GeoDataFrame:
    """Measure the port's aprons, and tell when they filled or emptied.

    Parameters
    ----------
    again
        Scenes that were searched against the empty port, from `run_second_pass`.
    results
        Of all scenes.
    plan
        The port.
    folder
        Folder of the survey.

    Returns
    -------
    GeoDataFrame
        Table after `schema.APRONS`, a row an apron and pass.
    """
    aprons = plan.port.aprons
    if not len(aprons):
        return APRONS.empty()
    alongside = results.vessels[results.vessels["pier"].notna() & (results.vessels["length_m"] > LARGE_M)]
    tables = []
    for orbit in sorted({one.scene.relative_orbit for one in again.values()}):
        scenes = [name for name, one in again.items() if one.scene.relative_orbit == orbit]
        try:
            reference = read_reference(reference_file(folder, orbit)).sel(relative_orbit=orbit)
            stack = read_stack(stack_folder(folder, plan.grid), relative_orbit=orbit, scenes=scenes)
        except ReferenceImageError as error:
            warnings.warn(f"{error}; its dates say nothing of aprons", ProductWarning, stacklevel=3)
            continue
        hidden = {
            str(date): _beside(alongside[alongside["scene"].isin(str(date).split())], plan.grid)
            for date in stack["scene"].to_numpy()
        }
        land, piers, exclude = plan.ground, plan.berths, plan.port.exclude
        tables.append(measure_aprons(stack, reference, aprons, land=land, piers=piers, exclude=exclude, hidden=hidden))
    table = APRONS.concat(tables)
    table = judge_aprons(APRONS.concat([table, _not_compared(results, table, aprons)]))
    for name, rows in table.groupby("apron", sort=False):
        if rows["level_db"].isna().all() and tables:
            reason = rows["note"].mode()[0]
            warnings.warn(f"nothing can be said of apron {name!r}: {reason}", ProductWarning, stacklevel=3)
    return table


def _beside(vessels: gpd.GeoDataFrame, grid: PortGrid) -> NDArray[np.bool_]:
    """Return the cells that vessels cover, and those beside them along range and azimuth."""
    hidden = np.zeros(grid.shape, np.bool_)
    reach = LARGE_M / grid.spacing_m
    for hull, flight_deg in zip(footprints(vessels).geometry, vessels["flight_deg"], strict=True):
        placed = grid.place(hull)
        if np.isnan(flight_deg):
            hidden |= cells_within(placed.buffer(reach), grid.shape)
            continue
        east, north = np.sin(np.radians(flight_deg)), np.cos(np.radians(flight_deg))
        for column, row in ((east, -north), (north, east)):  # along the flight, and across it
            ends = [affinity.translate(placed, by * column, by * row) for by in (-reach, reach)]
            hidden |= cells_within(shapely.union_all(ends).convex_hull, grid.shape)
    return hidden


def _not_compared(results: Results, table: gpd.GeoDataFrame, aprons: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a row for each apron on each pass that was not searched against the empty port: it is not known."""
    known = {scene for scenes in table["scene"] for scene in str(scenes).split()}
    missing = [rows for rows in group_passes(results.scenes, results.coverage) if not known.intersection(rows["scene"])]
    pairs = [(apron, rows) for apron in aprons.itertuples() for rows in missing]
    empty = APRONS.blank | {"state": "unknown", "note": NOT_COMPARED, "may_be_wet": False}
    empty |= dict.fromkeys(("n_cells", "n_reference_dates"), 0)
    unknown = [
        empty
        | {
            "apron": apron.name,
            "surface": apron.surface,
            "time": rows["start"].iloc[0],
            "scene": " ".join(rows["scene"]),
            "relative_orbit": int(rows["relative_orbit"].iloc[0]),
        }
        for apron, rows in pairs
    ]
    return APRONS.of_rows(unknown, [apron.geometry for apron, _ in pairs])
