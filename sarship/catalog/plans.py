"""Acquisition plans: which passes over a port are to come, and whether one that is not there had been planned.

ESA publishes the plans of each satellite as KML files of some twenty days (sentinels.copernicus.eu, "acquisition
plans"): a placemark a data take, with its outline, its times and its orbit. A later file replaces an earlier one within
its own period, which its name gives; a file of a few days leaves the rest of the earlier plan as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from xml.etree import ElementTree

import shapely
from shapely.geometry.base import BaseGeometry

from sarship.catalog.gaps import REPEAT, Completeness
from sarship.catalog.scenes import group_passes
from sarship.errors import CatalogError, ProductError
from sarship.files import read_file, reason
from sarship.geo.local_plane import mend_antimeridian
from sarship.sentinel1.xml import parse_xml

if TYPE_CHECKING:
    from sarship.model import Scene

__all__ = ["AcquisitionPlan", "DataTake", "Pass", "list_passes", "read_plans"]

NAMED_PERIOD: Final = re.compile(r"_(\d{8}T\d{6})_(\d{8}T\d{6})")
LARGEST: Final = 100 * 2**20
"""Size in bytes of a file that is read; those of twenty days have some ten million."""
NEAR: Final = timedelta(minutes=5)
"""Time by which the repeat of an orbit, or the end of a planned data take, may be off."""
ARRIVAL: Final = timedelta(days=1)
"""Time after a data take within which its products come."""
State = Literal["done", "missing", "not_planned", "absent", "awaited", "planned"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataTake:
    """One planned data take: some minutes of imaging, of which products are slices."""

    platform: str
    """`S1A`, `S1B`, `S1C` or `S1D`."""
    number: str
    """Hexadecimal number, which stands in the names of its products too."""
    mode: str
    """`IW`, `EW` or `SM`."""
    polarization: str
    """`DV`, `DH`, `SV` or `SH`: dual or single, of a vertical or horizontal transmission."""
    start: datetime
    """First moment, UTC."""
    stop: datetime
    """Last moment, UTC."""
    absolute_orbit: int
    """Orbit since launch."""
    relative_orbit: int
    """Track, 1 … 175."""
    footprint: BaseGeometry
    """Outline, longitude and latitude in degrees, simplified by the planners."""

    def holds(self, time: datetime) -> bool:
        """Return True of a time within it, some minutes off at most."""
        return self.start - NEAR <= time <= self.stop + NEAR


@dataclass(frozen=True, kw_only=True, slots=True)
class AcquisitionPlan:
    """The data takes of plans, and the periods that these cover."""

    takes: tuple[DataTake, ...]
    """In order of time, without what a later file replaced."""
    periods: tuple[tuple[str, datetime, datetime], ...]
    """Satellite, first and last moment of each file."""

    def covers(self, platform: str, time: datetime) -> bool:
        """Return True if the plans say all that a satellite was to do at a time."""
        return any(of == platform and first <= time <= last for of, first, last in self.periods)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """A pass over a place: one that was, one that was not, or one that will be."""

    time: datetime
    """Start, UTC; of a data take whose products nobody has yet, the repeat of an earlier pass, or its start."""
    state: State
    """`done`: the catalogue has it; `missing`: planned or in another catalogue, and not in this one; `not_planned`: the
    orbit repeats, and the plan has nothing; `absent`: the orbit repeats, and no plan of that time is known; `awaited`:
    over since less than a day; `planned`: to come."""
    platform: str
    """`S1A`, `S1B`, `S1C` or `S1D`."""
    relative_orbit: int
    """Track, 1 … 175."""
    mode: str = ""
    """`IW`, `EW`, `SM` or a beam; empty where nothing is known."""
    channels: str = ""
    """`VV+VH` of a scene, `DV` and its like of a plan."""
    scene: str = ""
    """Id of the first scene, or number of the data take."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"time": self.time.isoformat()}


def read_plans(paths: Iterable[str | Path]) -> AcquisitionPlan:
    """Read acquisition plans.

    Parameters
    ----------
    paths
        KML files, and folders of them.

    Returns
    -------
    AcquisitionPlan
        Wave mode, which images no port, is left out.

    Raises
    ------
    CatalogError
        A file cannot be read, or is no acquisition plan.

    References
    ----------
    ESA, Sentinel-1 acquisition segments: the fields of a placemark, and how updates are published.

    Examples
    --------
    >>> read_plans([]).takes
    ()
    """
    issues: list[tuple[datetime, datetime, list[DataTake]]] = []
    for path in _files(paths):
        takes = _read(path)
        named = NAMED_PERIOD.search(path.name)
        first, last = map(_time, named.groups()) if named else (takes[0].start, max(one.stop for one in takes))
        issues.append((first, last, takes))
    issues.sort(key=lambda issue: issue[0])  # each begins about the day on which it is published
    kept: list[DataTake] = []
    periods: list[tuple[str, datetime, datetime]] = []
    for k, (first, last, takes) in enumerate(issues):
        periods += [(platform, first, last) for platform in sorted({one.platform for one in takes})]
        later = [(begin, end, {one.platform for one in others}) for begin, end, others in issues[k + 1 :]]
        kept += [
            one
            for one in takes
            if not any(one.platform in of and begin <= one.start <= end for begin, end, of in later)
        ]
    kept.sort(key=lambda one: (one.start, one.platform))
    return AcquisitionPlan(takes=tuple(kept), periods=tuple(periods))


def list_passes(
    area: BaseGeometry,
    plan: AcquisitionPlan,
    *,
    scenes: Sequence[Scene] = (),
    gaps: Completeness | None = None,
    period: tuple[datetime, datetime] | None = None,
    now: datetime | None = None,
) -> list[Pass]:
    """Return the passes over a place: those that a catalogue has, those that it lacks, and those to come.

    Parameters
    ----------
    area
        The place, longitude and latitude in degrees.
    plan
        From `read_plans`.
    scenes, gaps
        What a catalogue found, and the passes that it lacks (`completeness`).
    period
        First and last moment that the catalogue was asked for, UTC; without one nothing is called missing.
    now
        The time that divides what is over from what is to come; the present for None.

    Returns
    -------
    list of Pass
        In order of time.

    Examples
    --------
    >>> list_passes(shapely.Point(35.86, 34.9), read_plans([]))
    []
    """
    now = now or datetime.now(UTC)
    found = [
        Pass(
            time=one[0].start,
            state="done",
            platform=one[0].platform,
            relative_orbit=one[0].relative_orbit,
            mode=one[0].mode,
            channels="+".join(one[0].polarizations),
            scene=one[0].id,
        )
        for one in group_passes(scenes)
    ]
    asked_from, asked_to = period or (now, now)
    takes = [
        take
        for take in plan.takes
        if (take.stop >= now or (take.start >= asked_from and take.stop <= asked_to))
        and area.intersects(take.footprint)
        and not any(one.platform == take.platform and take.holds(one.time) for one in found)
    ]
    rows = [*found, *(_of_plan(take, found, now) for take in takes)]
    for gap in gaps.missing if gaps is not None else ():
        if not any(one.platform == gap.platform and abs(one.time - gap.time) < NEAR for one in rows):
            state: State = "not_planned" if plan.covers(gap.platform, gap.time) else "absent"
            state = "missing" if gap.elsewhere else state
            rows.append(Pass(time=gap.time, state=state, platform=gap.platform, relative_orbit=gap.relative_orbit))
    return sorted(rows, key=lambda one: (one.time, one.platform))


def _of_plan(take: DataTake, found: Sequence[Pass], now: datetime) -> Pass:
    """Return the pass of a data take, at the time that the last pass of its track promises within it."""
    times = [
        one.time + round((take.start - one.time) / REPEAT) * REPEAT
        for one in found
        if one.platform == take.platform and one.relative_orbit == take.relative_orbit
    ]
    over: State = "missing" if take.stop + ARRIVAL < now else "awaited"
    return Pass(
        time=next((time for time in reversed(times) if take.holds(time)), take.start),
        state="planned" if take.stop >= now else over,
        platform=take.platform,
        relative_orbit=take.relative_orbit,
        mode=take.mode,
        channels=take.polarization,
        scene=take.number,
    )


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    for path in map(Path, paths):
        files = sorted(path.glob("*.kml")) if path.is_dir() else [path]
        if not files:
            raise CatalogError(f"{path} holds no .kml; download acquisition plans from sentinels.copernicus.eu into it")
        yield from files


def _read(path: Path) -> list[DataTake]:
    """Return the data takes of a file, in order of time."""
    try:
        if path.stat().st_size > LARGEST:
            raise CatalogError(f"{path} is larger than {LARGEST // 2**20} MB, so it is no acquisition plan")
        root = parse_xml(read_file(path), str(path))
    except OSError as error:
        raise CatalogError(f"{path}: {reason(error)}; give the KML file of an acquisition plan") from error
    except ProductError as error:
        raise CatalogError(f"{path} is no acquisition plan: {_cause(error)}") from error
    marks = [mark for mark in root.iter() if _local(mark) == "Placemark"]
    takes = [take for mark in marks if (take := _data_take(mark, path)) is not None]
    if not takes:
        raise CatalogError(f"{path} has no data take of a Sentinel-1 satellite; give an acquisition plan of ESA's")
    return sorted(takes, key=lambda one: one.start)


def _cause(error: ProductError) -> str:
    """Return the words of an error without the file's name, and without the advice about products."""
    return str(error).removeprefix(f"{error.path} ").partition(";")[0]


def _data_take(mark: ElementTree.Element, path: Path) -> DataTake | None:
    """Return a placemark's data take; None of wave mode, and of one that is none."""
    fields = {each.get("name", ""): "".join(each.itertext()).strip() for each in mark.iter() if _local(each) == "Data"}
    if "DatatakeId" not in fields or fields.get("Mode") == "WV":
        return None
    try:
        return DataTake(
            platform=fields["SatelliteId"],
            number=fields["DatatakeId"],
            mode=fields["Mode"],
            polarization=fields.get("Polarisation", ""),
            start=_time(fields["ObservationTimeStart"]),
            stop=_time(fields["ObservationTimeStop"]),
            absolute_orbit=int(fields["OrbitAbsolute"]),
            relative_orbit=int(fields["OrbitRelative"]),
            footprint=_outline(mark),
        )
    except KeyError as error:
        raise CatalogError(
            f"{path}: data take {fields['DatatakeId']!r} lacks {error.args[0]}; download it again"
        ) from None
    except (ValueError, shapely.errors.GEOSException) as error:
        doubt = "cannot be read"
        raise CatalogError(f"{path}: data take {fields['DatatakeId']!r} {doubt} ({error}); download it again") from None


def _outline(mark: ElementTree.Element) -> BaseGeometry:
    """Return the outline of a placemark, valid, and split at the antimeridian."""
    texts = [each.text or "" for each in mark.iter() if _local(each) == "coordinates"]
    rings = [[tuple(map(float, place.split(",")[:2])) for place in text.split()] for text in texts]
    if not rings:
        raise ValueError("it has no coordinates")
    parts = [mend_antimeridian(shapely.make_valid(shapely.Polygon(ring))) for ring in rings]
    return shapely.union_all(parts)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def _local(element: ElementTree.Element) -> str:
    """Return an element's name without its namespace: plans have had several."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
