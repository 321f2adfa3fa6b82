"""Tables to count with, from the few columns that matter to a test."""

import math

import geopandas as gpd
import pandas as pd
from shapely.geometry import Point, box
from shapely.geometry.base import BaseGeometry

from sarship.schema import COVERAGE, SCENES, TIME, VESSELS

BLANK = {"float64": math.nan, "int64": 1, "bool": False, "str": "", TIME: pd.Timestamp("2024-12-01", tz="UTC")}
WATERS = {"A": box(35.80, 34.90, 35.82, 34.92), "B": box(35.90, 34.90, 35.92, 34.92)}
PIERS = gpd.GeoDataFrame(
    {"name": pd.Series(["A", "B"], dtype="str"), "kind": ["pier", "anchorage"], "max_distance_m": [50.0, 0.0]},
    geometry=list(WATERS.values()),
    crs="EPSG:4326",
)
NOTHING = box(0, 0, 0, 0).difference(box(-1, -1, 1, 1))


def make_scenes(*rows):
    """Scenes from (id, start) or (id, start, options)."""
    table = {column.name: [] for column in SCENES.columns}
    for scene, start, *rest in rows:
        begin = pd.Timestamp(start, tz="UTC")
        row = {
            "scene": scene,
            "platform": "S1A",
            "mode": "IW",
            "product_type": "GRDH",
            "polarizations": "VV VH",
            "start": begin,
            "stop": begin + pd.Timedelta(25, "s"),
            "absolute_orbit": 56000,
            "relative_orbit": 87,
            "orbit_pass": "descending",
            "has_noise": True,
            "land_is_masked": True,
        } | dict(*rest)
        for name, value in row.items():
            table[name].append(value)
    return SCENES.make(table, [box(35, 34, 36, 35)] * len(rows))


def make_coverage(*rows):
    """Coverage from (scene, pier, seen) or (scene, pier, seen, geometry, detectable length, incidence)."""
    full = [(*row, *(None, 40.0, 35.0)[len(row) - 3 :]) for row in rows]
    table = {column.name: [BLANK[column.dtype]] * len(full) for column in COVERAGE.columns} | {
        "scene": [row[0] for row in full],
        "pier": [row[1] for row in full],
        "seen": [row[2] for row in full],
        "detectable_length_m": [row[4] if row[2] else math.nan for row in full],
        "n_reference_dates": [0] * len(full),
        "incidence_deg": [row[5] if row[2] else math.nan for row in full],
    }
    return COVERAGE.make(table, [part_of(row[1], row[2]) if row[3] is None else row[3] for row in full])


def part_of(pier, seen, *, from_north=False) -> BaseGeometry:
    """The southern (or northern) part of a pier's waters."""
    west, south, east, north = WATERS[pier].bounds
    if seen == 0:
        return NOTHING
    height = (north - south) * seen
    return box(west, north - height, east, north) if from_north else box(west, south, east, south + height)


def make_vessels(*rows):
    """Vessels from (scene, pier, options); each somewhere of its own unless options say where."""
    table = {column.name: [] for column in VESSELS.columns}
    for number, (scene, pier, *rest) in enumerate(rows):
        row = {column.name: BLANK[column.dtype] for column in VESSELS.columns} | {
            "vessel": f"{scene}/{number}",
            "scene": scene,
            "time": pd.Timestamp("2024-12-01", tz="UTC"),
            "longitude": 35.81 + 0.01 * number,
            "latitude": 34.91,
            "length_m": 100.0,
            "length_error_m": 15.0,
            "heading_deg": 0.0,
            "confidence": 1.0,
            "n_hits": 9,
            "is_edge": False,
            "pier": pier,
            "distance_m": 10.0,
        }
        for name, value in (row | dict(*rest)).items():
            table[name].append(value)
    places = zip(table["longitude"], table["latitude"], strict=True)
    return VESSELS.make(table, [Point(*place) for place in places])
