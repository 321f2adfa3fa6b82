"""Rows of vessels at piers: their bounds, what CFAR says of them, and how they take the place of boxes."""

from __future__ import annotations

from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from sarship.model import Hits
from sarship.schema import VESSELS
from sarship.vessels.at_piers import PierVessels
from sarship.vessels.pier_table import replace_at_piers, table_at_piers

DEGREE_M = 111_195.0


def image():
    """A grid of 10 m about longitude and latitude 0."""
    geometry = SimpleNamespace(
        to_map=lambda line, pixel: (np.asarray(pixel) * 10 / DEGREE_M, -np.asarray(line) * 10 / DEGREE_M),
        time_at=lambda line: np.full(np.shape(line), np.datetime64("2024-12-01T04:00:00", "ns")),
    )
    return SimpleNamespace(
        scene=SimpleNamespace(id="S1A"), line_spacing_m=10.0, pixel_spacing_m=10.0, geometry=geometry
    )


def piers():
    """A quay along row 40, columns 10 to 110, and an anchorage around it."""
    quay = shapely.LineString([(100 / DEGREE_M, -400 / DEGREE_M), (1_100 / DEGREE_M, -400 / DEGREE_M)])
    columns = {"name": ["Quay", "Roads"], "kind": ["pier", "anchorage"], "max_distance_m": [60.0, 0.0]}
    return gpd.GeoDataFrame(columns, geometry=[quay, shapely.box(-0.05, -0.05, 0.05, 0.05)], crs="EPSG:4326")


def candidates(*rows: tuple[float, float, float]) -> PierVessels:
    """Of columns, rows and chances; 100 m long and along the quay."""
    x, y, chance = np.array(rows, float).T
    n = len(rows)
    return PierVessels(np.zeros(n, int), x, y, np.full(n, 100.0), np.full(n, 15.0), np.zeros(n), chance)


def hits(*places: tuple[int, int], evidence: str = "reference") -> Hits:
    column, row = np.array(places, int).reshape(-1, 2).T
    order = np.lexsort((column, row))
    n = len(places)
    return Hits(
        line=row[order],
        pixel=column[order],
        value=np.ones(n),
        clutter=np.ones(n),
        score=np.arange(2, n + 2, dtype=np.float32),
        sigma0={"VV": np.arange(1.0, n + 1), "VH": np.full(n, 0.1)},
        is_edge=np.zeros(n, bool),
        evidence=np.full(n, evidence),
    )


def test_bounds_of_a_pier_are_quantiles_of_its_count():
    found = candidates((20, 42, 0.97), (40, 42, 0.96), (60, 42, 0.6), (80, 42, 0.3), (100, 42, 0.02))
    table = VESSELS.check(table_at_piers(found, hits(), image(), piers()))
    assert table["pier"].unique().tolist() == ["Quay"]
    # P(at most 1) = 0.02, P(at most 2) = 0.31, P(at most 3) = 0.83, P(at most 4) = 1.0
    assert table["n_low"].sum() == 2
    assert table["n_high"].sum() == 4
    assert table["n_vessels"].sum() == 3
    assert table.loc[table["n_vessels"] == 1, "confidence"].min() == 0.6
    assert table.loc[table["n_low"] == 1, "confidence"].min() > 0.9


def test_headings_follow_the_axis():
    across = candidates((20, 45, 0.9))._replace(angle=np.array([np.pi / 2]))
    assert table_at_piers(across, hits(), image(), piers())["heading_deg"].item() == pytest.approx(0, abs=0.1)
    assert table_at_piers(candidates((20, 42, 0.9)), hits(), image(), piers())["heading_deg"].item() == pytest.approx(
        90, abs=0.1
    )


def test_cfars_evidence_is_a_column():
    found = candidates((20, 42, 0.9), (60, 42, 0.9))
    table = table_at_piers(found, hits((22, 42), (18, 42), (90, 42)), image(), piers()).sort_values("pixel")
    assert table["n_hits"].tolist() == [2, 0]
    assert table["evidence"].tolist() == ["reference", "network"]
    assert table["score"].tolist()[0] == 3.0
    assert np.isnan(table["score"].tolist()[1])
    assert table["sigma0_co"].tolist()[0] == 2.0


def test_what_lies_beyond_a_piers_waters_is_not_at_the_pier():
    assert len(table_at_piers(candidates((60, 50, 0.9)), hits(), image(), piers())) == 0


def test_boxes_give_way_at_piers_and_stay_elsewhere():
    found = table_at_piers(candidates((20, 42, 0.9), (60, 42, 0.9)), hits(), image(), piers())
    other = table_at_piers(candidates((25, 42, 0.9), (61, 42, 0.9), (90, 42, 0.9)), hits(), image(), piers())
    names = ["Quay", None, "Roads"]
    boxes = other.assign(pier=pd.Series(names, index=other.index, dtype="str"))
    table = VESSELS.check(replace_at_piers(boxes, found, piers()))
    # the one at the quay is the network's to tell, the second is one of its own, the third is at anchor
    assert len(table) == 3
    assert table["vessel"].tolist() == ["S1A/1", "S1A/2", "S1A/3"]
    assert sorted(table["pier"]) == ["Quay", "Quay", "Roads"]


def test_no_candidates_leave_what_is_afloat():
    assert len(replace_at_piers(VESSELS.empty(), VESSELS.empty(), piers())) == 0
