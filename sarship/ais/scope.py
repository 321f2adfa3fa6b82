"""Area and period that reports are read of, and what lies outside, for the message when nothing lies inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from sarship.geo.antimeridian import recentred

__all__ = ["AROUND", "AROUND_KM", "Scope", "Seen"]

AROUND_KM: Final = 150.0
"""Margin of the area: vessels so far off tell whether AIS was received, and jammed."""
AROUND: Final = pd.Timedelta(25, "h")
"""Margin of the period: a vessel at rest is known from the reports a day around."""
KM_PER_DEGREE: Final = 111.2

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A box of longitude and latitude around an area, and a period."""

    middle: tuple[float, float] = (0.0, 0.0)
    """Longitude and latitude, degrees."""
    half: tuple[float, float] = (180.0, 90.0)
    """Half of its width and height, degrees."""
    start: pd.Timestamp | None = None
    stop: pd.Timestamp | None = None

    @classmethod
    def around(cls, area: BaseGeometry | None, period: tuple[object, object] | None) -> Scope:
        """Return the scope of an area and a period, with their margins; None for all.

        Raises
        ------
        ValueError
            If the period ends before it begins.
        """
        start = stop = None
        if period is not None:
            start, stop = (_utc(time) for time in period)
            if stop < start:
                raise ValueError(f"the period ends at {stop}, before it begins at {start}")
            start, stop = start - AROUND, stop + AROUND
        if area is None:
            return cls(start=start, stop=stop)
        west, south, east, north = area.bounds
        if east - west > 180:  # in two parts at the antimeridian
            west, south, east, north = recentred(area, 180.0).bounds
        high = AROUND_KM / KM_PER_DEGREE
        wide = high / max(0.02, np.cos(np.radians(min(89.0, max(abs(south), abs(north)) + high))))
        half = (min(180.0, (east - west) / 2 + wide), (north - south) / 2 + high)
        return cls(middle=((west + east) / 2, (south + north) / 2), half=half, start=start, stop=stop)

    def off(self, longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.float64]:
        """Return degrees east and north of the middle, (2, n)."""
        east = (np.asarray(longitude, float) - self.middle[0] + 180) % 360 - 180
        return np.stack([east, np.asarray(latitude, float) - self.middle[1]])

    def holds(self, longitude: ArrayLike, latitude: ArrayLike) -> Booleans:
        """Return True for places in the box."""
        east, north = np.abs(self.off(longitude, latitude))
        return np.asarray((east <= self.half[0]) & (north <= self.half[1]))

    def is_near(self, longitude: ArrayLike, latitude: ArrayLike) -> Booleans:
        """Return True for places in a quarter of the margin around the area."""
        inner = (0.75 * AROUND_KM) / KM_PER_DEGREE
        wide = inner / max(0.02, np.cos(np.radians(min(89.0, abs(self.middle[1])))))
        east, north = np.abs(self.off(longitude, latitude))
        return np.asarray((east <= self.half[0] - wide) & (north <= self.half[1] - inner))

    def lasts(self, times: pd.Series) -> Booleans:
        """Return True for times in the period."""
        if self.start is None or self.stop is None:
            return times.notna().to_numpy(bool)
        return times.between(self.start, self.stop).to_numpy(bool)


def _utc(time: object) -> pd.Timestamp:
    stamp = pd.Timestamp(time)  # type: ignore[arg-type]
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


@dataclass
class Seen:
    """Tally of the reports of a file, inside and outside of a scope."""

    n_rows: int = 0
    n_placed: int = 0
    """Rows with a place on Earth."""
    n_off_earth: int = 0
    """Rows with a place that is none."""
    n_inside: int = 0
    n_near: int = 0
    """Rows near the port itself."""
    n_near_if_swapped: int = 0
    """Rows that would be near the port were latitude and longitude swapped."""
    n_malformed: int = 0
    """Lines that have not the columns of the header."""
    first_malformed: str = ""
    first_off_earth: str = ""
    nearest_km: float = np.inf
    nearest_when: str = ""
    """Distance from the port and time of the nearest place, where none is inside."""
    nearest_time: pd.Timestamp | None = None
    """Of the places inside, the time nearest to the period."""
    notes: list[str] = field(default_factory=list)

    def begin_again(self) -> None:
        """Forget what was counted."""
        vars(self).update(vars(Seen()))

    def keep(self, frame: pd.DataFrame, scope: Scope) -> pd.DataFrame:
        """Return the rows in the scope's area and those without a place, which may tell sizes and names."""
        longitude, latitude = (frame[name].to_numpy(float) for name in ("longitude", "latitude"))
        # 181 and 91 degrees say that the place is not known
        unknown = ~np.isfinite(longitude) | ~np.isfinite(latitude) | (longitude == 181) | (latitude == 91)
        on_earth = (np.abs(longitude) <= 180.0001) & (np.abs(latitude) <= 90)
        off_earth = ~unknown & ~on_earth
        inside = on_earth & ~unknown & scope.holds(longitude, latitude)
        self.n_rows += len(frame)
        self.n_placed += int((on_earth & ~unknown).sum())
        self.n_off_earth += int(off_earth.sum())
        self.n_inside += int(inside.sum())
        if off_earth.any() and not self.first_off_earth:
            k = int(np.argmax(off_earth))
            self.first_off_earth = f"row {frame.index[k]}: latitude {latitude[k]:g}, longitude {longitude[k]:g}"
        self.n_near += int((inside & scope.is_near(longitude, latitude)).sum())
        self.n_near_if_swapped += int((~unknown & scope.is_near(latitude, longitude)).sum())
        if not self.n_inside and (on_earth & ~unknown).any():
            east, north = scope.off(longitude, latitude)
            beyond = np.hypot(
                np.maximum(0, np.abs(east) - scope.half[0]) * np.cos(np.radians(scope.middle[1])),
                np.maximum(0, np.abs(north) - scope.half[1]),
            )
            beyond = np.where(on_earth & ~unknown, beyond * KM_PER_DEGREE + AROUND_KM, np.inf)
            k = int(np.argmin(beyond))
            if beyond[k] < self.nearest_km:
                self.nearest_km, self.nearest_when = float(beyond[k]), str(frame["time"].iloc[k])
        kept: pd.DataFrame = frame.loc[inside | unknown]
        return kept
