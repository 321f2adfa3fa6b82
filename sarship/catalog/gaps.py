"""Missing passes: a satellite repeats its track every twelve days, so a pass that a catalogue lacks can be named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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

    A gap is claimed between the first and the last pass of a track only, of both catalogues together: satellites begin,
    end, and are moved along their orbits, and a pass that was not planned is not missing.

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
    found, elsewhere = (group_passes(one for one in each if matches(one, query)) for each in (scenes, other))
    missing = [
        MissingPass(
            platform=track[-1].platform,
            relative_orbit=track[-1].relative_orbit,
            orbit_pass=track[-1].orbit_pass,
            time=time,
            elsewhere=_at(time, track, elsewhere),
        )
        for track in _tracks([*found, *elsewhere])
        for time in _repeats(track)
        if not _at(time, track, found)
    ]
    missing.sort(key=lambda gap: gap.time)
    return Completeness(n_found=len(found), n_expected=len(found) + len(missing), missing=tuple(missing))


def _tracks(passes: Iterable[tuple[Scene, ...]]) -> list[list[Scene]]:
    """Return the first scenes of the passes of each track, in order of time.

    Passes are of one track by time, as its number steps in the middle of a pass at the equator. A satellite that was
    moved along its orbit begins new tracks.
    """
    tracks: list[list[Scene]] = []
    for scene in sorted((one[0] for one in passes), key=lambda scene: scene.start):
        for track in tracks:
            apart = (scene.start - track[-1].start) % REPEAT
            if scene.platform == track[-1].platform and min(apart, REPEAT - apart) < _TOLERANCE:
                track.append(scene)
                break
        else:
            tracks.append([scene])
    return tracks


def _repeats(track: Sequence[Scene]) -> Iterator[datetime]:
    """Yield the times at which a satellite repeats a track between its first and its last pass."""
    time = track[0].start
    while time < track[-1].start + _TOLERANCE:
        yield time
        time += REPEAT


def _at(time: datetime, track: Sequence[Scene], passes: Iterable[tuple[Scene, ...]]) -> tuple[Scene, ...]:
    """Return the scenes of the satellite's pass at about a time; none if there is no such pass."""
    platform = track[0].platform
    return next((one for one in passes if one[0].platform == platform and abs(one[0].start - time) < _TOLERANCE), ())
