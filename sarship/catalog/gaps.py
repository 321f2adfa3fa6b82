"""Missing passes: a satellite repeats its track every twelve days, so a pass that a catalogue lacks can be named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import group_passes, matches, scene_as_dict, scene_from_dict
from sarship.model import OrbitPass, Scene

__all__ = ["FIRST_IMAGE", "Completeness", "MissingPass", "completeness"]

REPEAT: Final = timedelta(days=12)
"""175 orbits; Sentinel-1 keeps to it within seconds. Two satellites half a turn apart make it six days."""
_TOLERANCE: Final = timedelta(minutes=5)
FIRST_IMAGE: Final = datetime(2014, 10, 3, tzinfo=UTC)
"""Start of Sentinel-1's deliveries."""
_SERVICE: Final = {
    "S1A": (FIRST_IMAGE, None),
    "S1B": (datetime(2016, 9, 26, tzinfo=UTC), datetime(2021, 12, 23, 6, 53, tzinfo=UTC)),
    "S1C": (datetime(2025, 3, 26, tzinfo=UTC), None),
    "S1D": (datetime(2025, 11, 4, tzinfo=UTC), None),
}
"""Period of service of each satellite: nothing is missing before its opening or after its end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingPass:
    """A pass that the repeat of its orbit promises and the catalogue lacks.

    Examples
    --------
    >>> time = datetime(2024, 12, 15, 15, 42, tzinfo=UTC)
    >>> MissingPass(platform="S1A", relative_orbit=149, orbit_pass="ascending", time=time).elsewhere
    ()
    """

    platform: str
    relative_orbit: int
    orbit_pass: OrbitPass
    time: datetime
    """Start of the pass, to a few seconds."""
    elsewhere: tuple[Scene, ...] = ()
    """The scenes of it in the second catalogue; with any, the first has lost it. Empty: not acquired, or not asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completeness:
    """Passes that a catalogue has of a period, and those that it lacks.

    Examples
    --------
    >>> Completeness(n_found=3, n_expected=3, missing=()).is_whole
    True
    """

    n_found: int
    """Passes found."""
    n_expected: int
    """Passes that the repeat of the orbits promises."""
    missing: tuple[MissingPass, ...]
    """Those that are lacking, in order of time."""

    @property
    def is_whole(self) -> bool:
        """True if no pass is missing."""
        return not self.missing

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        missing = [
            {
                **{name: getattr(gap, name) for name in ("platform", "relative_orbit", "orbit_pass")},
                "time": gap.time.isoformat(),
                "elsewhere": [scene_as_dict(scene) for scene in gap.elsewhere],
            }
            for gap in self.missing
        ]
        return {"n_found": self.n_found, "n_expected": self.n_expected, "missing": missing}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Completeness:
        """Return the completeness that `as_dict` gave."""
        missing = [
            MissingPass(
                **{
                    **gap,
                    "time": datetime.fromisoformat(gap["time"]),
                    "elsewhere": tuple(map(scene_from_dict, gap["elsewhere"])),
                }
            )
            for gap in plain["missing"]
        ]
        return cls(**{**plain, "missing": tuple(missing)})

    def __str__(self) -> str:
        """Return one line, and one more for each missing pass."""
        lines = [f"{self.n_found} of {self.n_expected} passes"]
        for gap in self.missing:
            where = f"{gap.platform} orbit {gap.relative_orbit} {gap.orbit_pass} {gap.time:%Y-%m-%d %H:%M} UTC"
            lines.append(f"missing: {where}" + (", but the other catalogue has it" if gap.elsewhere else ""))
        return "\n".join(lines)


def completeness(scenes: Iterable[Scene], query: SceneQuery, other: Iterable[Scene] = ()) -> Completeness:
    """Compare the scenes of a query with the repeat of the orbits they lie on.

    A track of which no scene was found is not known of, unless the other catalogue has one.

    Parameters
    ----------
    scenes
        Scenes that a catalogue found.
    query
        The question it was asked.
    other
        Scenes that a second catalogue found for the same question: they tell a scene that was lost from one that was
        never acquired.

    Returns
    -------
    Completeness
        Passes found, expected and missing.

    Examples
    --------
    >>> from sarship.catalog import SceneQuery
    >>> from shapely import box
    >>> query = SceneQuery(area=box(35.8, 34.8, 35.9, 34.9), start="2024-12-01", end="2024-12-31")
    >>> str(completeness([], query))
    '0 of 0 passes'
    """
    known = [scene for scene in other if matches(scene, query)]
    found = group_passes(scene for scene in scenes if matches(scene, query))
    seconds = group_passes(known)
    tracks: list[Scene] = []  # the latest scene of each, from the second catalogue where the first has none
    for group in reversed([*seconds, *found]):
        if not any(_repeats(group[0], other) for other in tracks):
            tracks.append(group[0])
    missing: list[MissingPass] = []
    for track in tracks:
        here, there = ([one for one in passes if _repeats(one[0], track)] for passes in (found, seconds))
        missing += [
            MissingPass(
                platform=track.platform,
                relative_orbit=track.relative_orbit,
                orbit_pass=track.orbit_pass,
                time=time,
                elsewhere=_at(time, there),
            )
            for time in _expected(track, query)
            if not _at(time, here)
        ]
    missing.sort(key=lambda gap: gap.time)
    return Completeness(n_found=len(found), n_expected=len(found) + len(missing), missing=tuple(missing))


def _repeats(scene: Scene, other: Scene) -> bool:
    """True if two scenes of a place are of one track: by time, as its number steps in the middle of a pass."""
    apart = (scene.start - other.start) % REPEAT
    return scene.platform == other.platform and min(apart, REPEAT - apart) < _TOLERANCE


def _at(time: datetime, passes: Iterable[tuple[Scene, ...]]) -> tuple[Scene, ...]:
    """Return the scenes of the pass at about a time; none if there is no such pass."""
    return next((one for one in passes if abs(one[0].start - time) < _TOLERANCE), ())


def _expected(track: Scene, query: SceneQuery) -> Iterable[datetime]:
    """Yield the times of a track's passes within the period of a query and the satellite's time of service."""
    start, end = query.period
    first, last = _SERVICE.get(track.platform, (start, None))
    start, end = max(start, first), min(end, last or end, datetime.now(UTC) - timedelta(days=1))
    time = track.start - REPEAT * ((track.start - start) // REPEAT)
    while time <= end:
        yield time
        time += REPEAT
