"""Reports that cannot both be right.

Each report becomes claims: of a set of vessels there were from `low` to `high` at a place during a time. A vessel that
arrived was not there before and was after; one that left was there before and was not after. Two claims contradict each
other if they are about one time and the sets are such that the smaller has more vessels than the larger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

import geopandas as gpd
import numpy as np

from sarship.schema import WHOLE_PORT

__all__ = ["find_contradictions", "marked_contradictions"]

STAY: Final = 48.0
"""Hours in which a vessel is not thought to come and go again, or to go and come."""
NEAR: Final = 3.0
"""Times whose middles are nearer than this are one time, hours."""
LEVELS: Final = {"empty": 0.0, "some": np.nan, "full": 1.0}
"""Bounds of an apron's fullness; some may be nearly none or nearly all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claim:
    """Number of the vessels of a set at a place during a time."""

    report: str
    what: str
    vessel: str
    where: str
    least_length_m: float
    start: float
    """Hours since 1970."""
    stop: float
    low: float
    high: float

    def is_with(self, other: _Claim) -> bool:
        """Return True if both are about one time."""
        overlap = min(self.stop, other.stop) - max(self.start, other.start)
        is_instant = self.start == self.stop or other.start == other.stop
        apart = abs(self.start + self.stop - other.start - other.stop) / 2
        return overlap > 0 or (is_instant and overlap == 0) or apart < NEAR

    def is_within(self, other: _Claim) -> bool:
        """Return True if all vessels of this claim's set are in the other's."""
        return (
            self.what == other.what
            and (self.where == other.where or (other.where == WHOLE_PORT and self.what == "vessels"))
            and (self.vessel == other.vessel or not other.vessel)
            and (self.least_length_m >= other.least_length_m or bool(self.vessel))
        )

    def exceeds(self, other: _Claim) -> bool:
        """Return True if this set is within the other's, and has more vessels."""
        return self.low > other.high and self.is_within(other)


def find_contradictions(observations: gpd.GeoDataFrame) -> set[tuple[str, str]]:
    r"""Find the pairs of reports that cannot both be right.

    Parameters
    ----------
    observations
        `schema.OBSERVATIONS`, from `read_observations`.

    Returns
    -------
    set of pairs of str
        Names of the reports, each pair in alphabetical order.

    Examples
    --------
    One says that a vessel left, another that it lay there on the day after:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import shapely
    >>> from sarship.analysis.observations import read_observations
    >>> quay = {"name": ["Quay"], "kind": ["pier"], "max_distance_m": [50.0]}
    >>> piers = gpd.GeoDataFrame(quay, geometry=[shapely.Point(35.86, 34.91)], crs="EPSG:4326")
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "reports.csv")
    ...     _ = path.write_text(
    ...         "id,time,where,what,vessel,value\n"
    ...         "paper,2025-01-26,port,left,Sparta,\n"
    ...         "image,2025-01-27,port,vessels,Sparta,1\n"
    ...         "later,2025-01-29,port,vessels,Sparta,0\n"
    ...     )
    ...     find_contradictions(read_observations(path, piers))
    {('image', 'paper')}
    """
    claims = sorted((claim for row in observations.itertuples() for claim in _claims(row)), key=lambda one: one.start)
    pairs = set()
    for k, one in enumerate(claims):
        for other in islice(claims, k + 1, None):
            if other.start >= one.stop + NEAR:
                break
            if one.report != other.report and (one.exceeds(other) or other.exceeds(one)) and one.is_with(other):
                pairs.add((min(one.report, other.report), max(one.report, other.report)))
    return pairs


def marked_contradictions(observations: gpd.GeoDataFrame) -> set[tuple[str, str]]:
    """Return the pairs that are marked in the file, on either report."""
    return {
        (min(name, other), max(name, other))
        for name, others in zip(observations["observation"], observations["contradicts"], strict=True)
        for other in str(others).split()
    }


def _claims(row: Any) -> Iterator[_Claim]:
    """Yield what a report claims of numbers; nothing of AIS, nor of who came or went without a name."""
    start, stop = (when.timestamp() / 3600 for when in (row.time_from, row.time_to))
    claim = partial(
        _Claim,
        report=row.observation,
        what="apron" if row.what == "apron" else "vessels",
        vessel=row.vessel,
        where=row.where,
        least_length_m=0.0 if np.isnan(row.least_length_m) else row.least_length_m,
    )
    if row.what == "apron":
        yield claim(start=start, stop=stop, low=LEVELS[row.fullness], high=LEVELS[row.fullness])
    elif row.what == "vessels":
        yield claim(start=start, stop=stop, low=row.low, high=row.high)
    elif row.what in {"arrived", "left"} and row.vessel:
        before, after = (0.0, 1.0) if row.what == "arrived" else (1.0, 0.0)
        yield claim(start=start - STAY, stop=start, low=before, high=before)
        yield claim(start=stop, stop=stop + STAY, low=after, high=after)
