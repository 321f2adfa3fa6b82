"""What is short at a pier, and a crane: it stands ashore, or lies where no boat can be moored."""

from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from builders.tables import make_vessels

from sarship.change.cranes import flag_cranes
from sarship.change.detection import PortMasks
from sarship.model import Hits
from sarship.port.grid import PortGrid
from sarship.schema import VESSELS

SIZE, QUAY = 60, 30
GRID = PortGrid(crs="EPSG:32636", west_m=750_000.0, north_m=3_860_000.0, shape=(SIZE, SIZE))
ASHORE = np.arange(SIZE) >= QUAY
LAND = shapely.Polygon(zip(*GRID.to_map([-9, -9, 69, 69], [QUAY - 0.5, 80, 80, QUAY - 0.5]), strict=True))
PIERS = gpd.GeoDataFrame({"name": pd.Series(["P", "A"], dtype="str"), "kind": ["pier", "anchorage"]})


class Seen(SimpleNamespace):
    """The grid as the radar sees it: range grows with the columns, layover is a metre a metre of height."""

    grid, shift, incidence_deg, line_spacing_m = GRID, (0.0, 0.0), 45.0, 10.0
    source = SimpleNamespace(line_spacing_m=10.0, pixel_spacing_m=10.0)

    def to_product(self, line, pixel):
        return np.asarray(line, float), np.asarray(pixel, float)


def flags_of(rows, change=(), *, land=LAND, hits=((28, 20.0),)):
    """Flags of vessels (row, column, options); `change` are cells (row, column, power), hits lie on row 20."""
    power = np.full((1, SIZE, SIZE), 0.1, np.float32)
    for row, column, value in change:
        power[0, row, column] = value
    coords = {"polarization": ["VV"], "y": GRID.y, "x": GRID.x, "scene": "S", "relative_orbit": 87}
    image = xr.DataArray(power, coords, ("polarization", "y", "x"), attrs=GRID.attrs)
    shape = ("relative_orbit", "polarization", "y", "x")
    levels = {"level": np.full((1, *power.shape), 0.1), "spread": np.full((1, *power.shape), 0.5)}
    reference = xr.Dataset({name: (shape, value) for name, value in levels.items()}, attrs=GRID.attrs)
    reference = reference.assign(sea=(shape[:2], [[0.1]]))
    reference = reference.assign_coords(relative_orbit=[87], polarization=["VV"], y=GRID.y, x=GRID.x)
    ashore = np.broadcast_to(ASHORE, (SIZE, SIZE))
    masks = PortMasks(water=~ashore, near=~ashore, open_water=~ashore, steady=ashore)
    table = []
    for row, column, *more in rows:
        longitude, latitude = GRID.to_map(row, column)
        place = {"line": float(row), "pixel": float(column), "longitude": float(longitude), "latitude": float(latitude)}
        table.append(("S", "P", {"length_m": 25.0, "confidence": 0.9, **place} | dict(*more)))
    line, value = np.full(len(hits), 20), np.array([hit[1] for hit in hits])
    found = Hits(
        line=line,
        pixel=np.array([hit[0] for hit in hits], np.int64),
        value=value,
        clutter=value / 20,
        score=value.astype(np.float32),
    )
    against = {"image": image, "reference": reference, "masks": masks, "piers": PIERS, "land": land}
    vessels = VESSELS.check(flag_cranes(make_vessels(*table), found, Seen(), **against))
    marked = vessels["flag"] == "crane"
    assert (vessels["n_low"] == np.where(marked, 0, 1)).all()
    assert (vessels["n_high"] == 1).all()
    assert (vessels["confidence"] == np.where(marked, 0.5, 0.9)).all()
    return vessels["flag"].tolist()


@pytest.mark.parametrize(("legs", "flag"), [
    ((20, 31, 10.0), "crane"),
    ((21, 31, 10.0), "crane"),
    ((23, 31, 10.0), ""),  # at another azimuth
    ((20, 34, 10.0), ""),  # higher than a crane is
    ((20, 31, 1.0), ""),  # as dim as a sidelobe
    ((20, 31, 0.2), ""),  # speckle
    ((20, 27, 10.0), ""),  # afloat
])  # fmt: skip
def test_what_is_new_ashore_behind_makes_a_crane(legs, flag):
    assert flags_of([(20, 29)], [legs]) == [flag]


def test_nobody_stands_behind_a_boat():
    assert flags_of([(20, 28)]) == [""]
    assert flags_of([(20, 28)], hits=()) == [""]


def test_what_is_long_or_at_anchor_or_known_already_is_left():
    legs = [(20, 31, 10.0)]
    assert flags_of([(20, 29, {"length_m": 60.0})], legs) == [""]
    assert flags_of([(20, 29, {"pier": "A"})], legs) == [""]
    assert flags_of([(20, 29, {"pier": None})], legs) == [""]
    assert flags_of([(20, 29, {"flag": "ambiguity"})], legs) == ["ambiguity"]


def test_nobody_is_moored_so_far_off_unless_rafted():
    assert flags_of([(20, 28)]) == [""]
    assert flags_of([(20, 25)]) == ["crane"]
    assert flags_of([(20, 25)], land=None) == [""]
    assert flags_of([(20, 25), (20, 28, {"length_m": 80.0})]) == ["", ""]
    assert flags_of([(20, 25), (40, 28, {"length_m": 80.0})]) == ["crane", ""]
