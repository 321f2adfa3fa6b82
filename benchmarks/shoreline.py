"""How far quays stand in front of the shoreline of the world: at Tartus, whose piers ship with the library.

`python -m benchmarks.shoreline` needs the extra `coast`, and writes the sentence between the markers in
docs/port_file.md. Points lie every 20 m along the piers, as OpenStreetMap has them.
"""

from __future__ import annotations

import sys

import numpy as np
import shapely

from benchmarks.pages import ROOT, write_between
from sarship import read_port
from sarship.geo import Plane, has_shoreline, land_near
from sarship.geo.shoreline import SHORE_M

STEP_M = 20.0


def main() -> None:
    """Measure and write."""
    if not has_shoreline():
        sys.exit("the shoreline is not installed: pip install 'sarship[coast]'")
    port = read_port("tartus")
    plane = Plane.around(port.area)
    land = plane.flatten_geometry(land_near(port.area, margin_m=0.0))
    piers = [plane.flatten_geometry(pier) for pier in port.piers.geometry[port.piers["kind"] == "pier"]]
    corners = shapely.get_coordinates([shapely.segmentize(pier, STEP_M) for pier in piers])
    places = shapely.points(corners)
    apart = shapely.distance(land, places)
    sentence = (
        f"Of {len(corners)} places along the {len(piers)} piers of Tartus, {np.mean(apart > 0):.0%} lie in front of "
        f"that shoreline: {np.median(apart):.0f} m in the median, {np.quantile(apart, 0.9):.0f} m or more for one in "
        f"ten, and {apart.max():.0f} m at most. A strip of {SHORE_M:.0f} m is masked with the land."
    )
    print(sentence)
    write_between(ROOT / "docs" / "port_file.md", "shoreline", sentence)


if __name__ == "__main__":
    main()
