"""A port file out of a map: piers as lines along the water's edge, and the land behind it.

The map has quays as lines, piers as lines or outlines, and the shore as lines with land on their left. Vessels lie
along the part of an outline that faces the water; outlines and land, widened as `docs/port_file.md` asks for, are
masked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, count
from typing import Any, Final

import numpy as np
import shapely
import shapely.geometry
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError
from sarship.geo.local_plane import Plane
from sarship.port.index import PortEntry, port_area, port_file_of
from sarship.port.overpass import MapFeature
from sarship.texts import name_fault

__all__ = ["port_of_map"]

KINDS: Final = ("quay", "pier", "jetty", "breakwater")
"""Values of `man_made`, in the order in which they claim a piece of shore that is drawn twice."""
MIN_M: Final = 40.0
"""Length of the shortest pier: at less lie boats that the radar does not show."""
BESIDE_M: Final = 5.0
"""Distance from a pier within which another line is the same pier, and from land within which an outline is ashore."""
NEAR_M: Final = 100.0
"""Distance from a pier within which a berth is the pier's."""
BEYOND_M: Final = 15.0
"""Width by which land and outlines are widened: a quay's echo reaches that far over the water's edge."""
STEP_M: Final = 3.0
"""Detail of the land, far under a pixel."""
ASIDE_M: Final = 0.5
"""Distance beside a shore at which its face is looked for."""
MAX_DOUBT: Final = 0.1
"""Part of a face's shore that may say the opposite: more, and the shore is drawn wrong or has a gap."""
DIGITS: Final = 6


def port_of_map(entry: PortEntry, features: Sequence[MapFeature]) -> dict[str, object]:
    """Return a port file of what the map has around a port.

    Parameters
    ----------
    entry
        The port, from `find_port`.
    features
        From `ask_overpass`.

    Returns
    -------
    dict
        The FeatureCollection, for `json.dump`, with OpenStreetMap's credit.

    Raises
    ------
    PortError
        The map has no pier that a ship can lie at.

    Examples
    --------
    >>> from sarship.port.index import only_port
    >>> quay = shapely.LineString([(35.86, 34.90), (35.86, 34.91)])
    >>> file = port_of_map(only_port("Tartus"), [MapFeature({"man_made": "quay", "name": "Quay 3"}, quay)])
    >>> [(feature["properties"]["name"], feature["geometry"]["type"]) for feature in file["features"]]
    [('Quay 3', 'LineString')]
    """
    area = port_area(entry)
    plane = Plane.around(area)
    frame = plane.flatten_geometry(area)
    flat = [(feature.tags, plane.flatten_geometry(feature.geometry)) for feature in features]
    shore = [line for tags, line in flat if tags.get("natural") == "coastline"]
    built = [(tags, shape) for tags, shape in flat if tags.get("man_made") in KINDS and tags.get("floating") != "yes"]
    outlines = [outline for _, shape in built if (outline := _outline(shape)) is not None]
    ashore = _land(shore, frame)
    ground = shapely.union_all([ashore, *outlines])
    piers = _piers(built, ashore, ground, frame)
    piers += _berths(flat, [line for _, line in piers], frame)
    if not piers:
        raise PortError(f"the map has no pier, quay or berth within 3 km of {entry}")
    names = _names([title for title, _ in piers])
    rows: list[tuple[dict[str, object], BaseGeometry]] = [
        ({"name": name, "kind": "pier"}, line) for name, (_, line) in zip(names, piers, strict=True)
    ]
    grounds = list(_anchorages(flat, frame))
    named = _names([title for title, _ in grounds], taken=names)
    rows += [({"name": n, "kind": "anchorage"}, shape) for n, (_, shape) in zip(named, grounds, strict=True)]
    masked = shapely.simplify(ground.buffer(BEYOND_M), STEP_M).intersection(frame)
    rows += [({"kind": "land"}, part) for part in shapely.get_parts(masked) if part.area > 0]
    description = (
        f"Piers, quays, breakwaters and land around {entry} as OpenStreetMap has them. Delete what no ship lies "
        "at, and look at the rest with `sarship port preview`: thirty metres off matters."
    )
    drawn = ((properties, _degrees(plane, shape)) for properties, shape in rows)
    return port_file_of(entry, description, drawn, attribution="© OpenStreetMap contributors, ODbL 1.0")


def _degrees(plane: Plane, shape: BaseGeometry) -> dict[str, Any]:
    raised = shapely.set_precision(plane.raise_geometry(shape), 10.0**-DIGITS)
    return shapely.geometry.mapping(raised)


def _outline(shape: BaseGeometry) -> BaseGeometry | None:
    """Return the area of an outline; None of a line or a point."""
    if isinstance(shape, shapely.LineString) and shape.is_ring:
        shape = shapely.Polygon(shape)
    return shapely.make_valid(shape) if shape.geom_type == "Polygon" else None


def _land(shore: Sequence[BaseGeometry], frame: BaseGeometry) -> BaseGeometry:
    """Return the land within a frame, whose shores have it on their left; nothing where they contradict each other."""
    lines = [line.intersection(frame) for line in shore]
    lines = [part for line in lines for part in shapely.get_parts(line) if part.geom_type == "LineString"]
    if not lines:
        return shapely.Polygon()
    faces = shapely.get_parts(shapely.polygonize([shapely.node(shapely.union_all([*lines, frame.boundary]))]))
    faces = shapely.get_parts(faces)
    left, right = (_lengths(faces, lines, side) for side in (ASIDE_M, -ASIDE_M))
    if np.any(np.minimum(left, right) > MAX_DOUBT * (left + right)):
        return shapely.Polygon()
    return shapely.union_all(faces[left > right])


def _lengths(faces: NDArray[np.object_], lines: Sequence[BaseGeometry], aside_m: float) -> NDArray[np.float64]:
    """Return the length of the shores that have each face at a distance to their left."""
    ends = [shapely.get_coordinates(line) for line in lines]
    start, stop = (np.concatenate([each[part] for each in ends]) for part in (slice(None, -1), slice(1, None)))
    along = stop - start
    length = np.hypot(*along.T)
    start, along, length = start[length > 0], along[length > 0], length[length > 0]
    beside = start + along / 2 + aside_m * np.column_stack([-along[:, 1], along[:, 0]]) / length[:, None]
    point, face = shapely.STRtree(faces).query(shapely.points(beside), predicate="within")
    return np.bincount(face, length[point], len(faces)).astype(np.float64)


def _piers(
    built: Sequence[tuple[Any, BaseGeometry]], ashore: BaseGeometry, ground: BaseGeometry, frame: BaseGeometry
) -> list[tuple[str, BaseGeometry]]:
    """Return the lines of piers with their names, or the kind of those without, no piece of shore twice."""
    inland, dry, covered = ashore.buffer(-BESIDE_M), ashore.buffer(BESIDE_M), ground.buffer(-1.0)
    found: list[tuple[str, BaseGeometry]] = []
    taken: BaseGeometry = shapely.Polygon()
    for tags, shape in sorted(built, key=lambda each: KINDS.index(each[0]["man_made"])):
        outline = _outline(shape)
        # where two outlines meet there is no water
        line = shape if outline is None else outline.boundary.difference(dry).difference(covered)
        line = line.difference(inland).difference(taken).intersection(frame)
        title = tags.get("name") or tags.get("ref") or tags["man_made"].capitalize()
        for part in shapely.get_parts(shapely.line_merge(line)):
            if part.length >= MIN_M:
                found.append((title, shapely.simplify(part, 1.0)))
                taken = taken.union(part.buffer(BESIDE_M + 1.0))
    return found


def _berths(
    flat: Sequence[tuple[Any, BaseGeometry]], piers: Sequence[BaseGeometry], frame: BaseGeometry
) -> list[tuple[str, BaseGeometry]]:
    """Return the berths of the sea marks that lie at no pier, such as buoys and dolphins."""
    lines = shapely.union_all(piers)
    berths = [
        (tags.get("seamark:name") or tags.get("name") or "Berth", shape.centroid)
        for tags, shape in flat
        if tags.get("seamark:type") == "berth"
    ]
    return [(title, at) for title, at in berths if frame.contains(at) and not at.dwithin(lines, NEAR_M)]


def _anchorages(flat: Sequence[tuple[Any, BaseGeometry]], frame: BaseGeometry) -> Iterator[tuple[str, BaseGeometry]]:
    """Yield the anchorages whose outline, or radius, the map knows."""
    for tags, shape in flat:
        if tags.get("seamark:type") not in {"anchorage", "anchor_berth"}:
            continue
        outline = _outline(shape)
        if outline is None and shape.geom_type == "Point":
            radius = tags.get("seamark:anchor_berth:radius", "")
            outline = shape.buffer(float(radius)) if radius.isdecimal() and 0 < int(radius) < 5000 else None
        if outline is not None and outline.intersects(frame):
            yield tags.get("seamark:name") or tags.get("name") or "Anchorage", outline


def _names(titles: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Return names that differ: those that come more than once are numbered, and what no file may hold is left out."""
    clean = ["Pier" if name_fault(title.strip()) else title.strip() for title in titles]
    often, names = Counter(clean), list(taken)
    for title in clean:
        numbered = (f"{title} {n}" for n in count(1))
        names.append(next(name for name in chain([title] * (often[title] == 1), numbered) if name not in names))
    return names[len(taken) :]
