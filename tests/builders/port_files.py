"""Port files and vessels at places given in metres."""

import json
import math

import pandas as pd
from pyproj import Geod
from shapely.geometry import LineString, Point, Polygon, mapping

from builders.tables import BLANK
from sarship.port.port_file import read_port
from sarship.schema import VESSELS

GEOD = Geod(ellps="WGS84")
CORNER = (35.86, 34.90)


def at(east, north, corner=CORNER):
    """Longitude and latitude of a place in metres from a corner."""
    azimuth = math.degrees(math.atan2(east, north))
    return GEOD.fwd(*corner, azimuth, math.hypot(east, north))[:2]


def feature(name, kind, geometry, **properties):
    geometry = mapping(geometry) if hasattr(geometry, "geom_type") else geometry
    return {"type": "Feature", "properties": {"name": name, "kind": kind, **properties}, "geometry": geometry}


QUAY = LineString([at(0, 0), at(0, 400)])
PIER = feature("North quay", "pier", QUAY)


def write(tmp_path, features, **members):
    path = tmp_path / "port.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def square(east, north, half=50.0, corner=CORNER):
    return Polygon([at(east + x * half, north + y * half, corner) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


def make_vessels(*rows, corner=CORNER):
    """Vessels from (east, north, length, heading)."""
    places = [at(east, north, corner) for east, north, *_ in rows]
    n = len(rows)
    columns = {column.name: [BLANK[column.dtype]] * n for column in VESSELS.columns}
    columns |= {
        "vessel": [f"scene/{i}" for i in range(n)],
        "scene": ["scene"] * n,
        "time": [pd.Timestamp("2024-12-01", tz="UTC")] * n,
        "longitude": [x for x, _ in places],
        "latitude": [y for _, y in places],
        "length_m": [row[2] for row in rows],
        "heading_deg": [row[3] for row in rows],
        "n_hits": [5] * n,
        "is_edge": [False] * n,
        "pier": [None] * n,
    }
    return VESSELS.make(columns, [Point(*place) for place in places])


def piers_of(tmp_path, *features):
    return read_port(write(tmp_path, list(features))).piers
