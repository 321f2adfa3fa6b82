"""Results of a survey, with their provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from html import escape
from typing import Any, Final

import geopandas as gpd
import pandas as pd
import xarray as xr

from sarship.ais import AisMatches, count_ais
from sarship.analysis.agreement import compare_observations
from sarship.analysis.aprons import find_apron_changes
from sarship.catalog import Completeness
from sarship.counts.by_pier import count_by_pier
from sarship.counts.changes import find_alerts, find_changes
from sarship.counts.visits import StrungVisits, string_visits
from sarship.detection.params import DetectionParams
from sarship.schema import APRONS, CHANGES, OBSERVATIONS

__all__ = ["KEY", "SIMULATED", "Failure", "Provenance", "Results"]

KEY: Final = "sarship"
"""Name under which the provenance travels in every file."""
N_SHOWN: Final = 10
"""Newest passes in the table that notebooks show."""
SIMULATED: Final = "SIMULATED"
"""Mark on everything that comes from simulated scenes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A product that could not be counted.

    Examples
    --------
    >>> Failure(path="S1A_….SAFE", message="S1A_….SAFE does not exist").path
    'S1A_….SAFE'
    """

    path: str
    """Path or id of the scene, as it was given."""
    message: str
    """One sentence: what is wrong, and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Version, parameters and scenes that results come from.

    Examples
    --------
    >>> from datetime import UTC
    >>> created = datetime(2025, 1, 1, tzinfo=UTC)
    >>> made = Provenance(
    ...     version="0.1.0", parameters=DetectionParams(), port="Tartus", scenes=(), created=created
    ... )
    >>> Provenance.from_dict(made.as_dict()) == made
    True
    """

    version: str
    """Version of sarship."""
    parameters: DetectionParams
    """Settings of the detector."""
    port: str
    """Name of the port; empty when none was given."""
    scenes: tuple[str, ...]
    """Ids of the scenes that were searched."""
    created: datetime
    """Time at which the results were put together, UTC."""
    is_simulated: bool = False
    """True if any of the scenes was simulated (`sarship.simulate`)."""
    water_level_m: float = 0.0
    """Height of the water over the geoid that the scenes were searched at, metres."""
    lake: str = ""
    """Name of the known lake whose level that is; empty at sea, and where the port file gave it."""
    port_attribution: str = ""
    """Whom the content of the port file is owed to, as it says."""

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain JSON values."""
        return asdict(self) | {"scenes": list(self.scenes), "created": self.created.isoformat()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Provenance:
        """Return the provenance that `as_dict` gave."""
        changed = {
            "parameters": DetectionParams(**values["parameters"]),
            "scenes": tuple(values["scenes"]),
            "created": datetime.fromisoformat(values["created"]),
        }
        return cls(**{**values, **changed})


@dataclass(frozen=True, kw_only=True)
class Results:
    """Vessels, scenes and coverage of a survey, and the counts that they make.

    Examples
    --------
    >>> from sarship.pipeline import search
    >>> results = search([])
    >>> len(results.vessels), results.counts.sizes["time"]
    (0, 0)
    >>> results
    <Results: 0 passes, 0 vessels, 0 piers>
    """

    vessels: gpd.GeoDataFrame
    """One row a vessel (`schema.VESSELS`)."""
    scenes: gpd.GeoDataFrame
    """One row a scene that was searched (`schema.SCENES`), also where nothing was found."""
    coverage: gpd.GeoDataFrame
    """One row a scene and pier (`schema.COVERAGE`), also for piers that were not seen."""
    piers: gpd.GeoDataFrame
    """The piers that vessels were counted at: name, kind, max_distance_m, geometry."""
    provenance: Provenance
    """Version, parameters, port and scenes."""
    failures: tuple[Failure, ...] = ()
    """Products that could not be counted, with the reason."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Path or address of the product that each scene was read from."""
    completeness: Completeness | None = None
    """Passes of the period that are missing, if a catalogue was asked."""
    observations: gpd.GeoDataFrame = field(default_factory=OBSERVATIONS.empty)
    """Dated reports by others (`schema.OBSERVATIONS`)."""
    aprons: gpd.GeoDataFrame = field(default_factory=APRONS.empty)
    """Yards ashore on each pass (`schema.APRONS`), if the port has any."""
    ais: AisMatches | None = None
    """The vessels beside those of AIS, if files of it were given."""

    @property
    def given(self) -> dict[str, gpd.GeoDataFrame]:
        """Tables that a survey has only of AIS or of aprons, by the names of their files."""
        found = {} if self.ais is None else {"ais_matches": self.ais.table}
        return found | ({"aprons": self.aprons} if len(self.aprons) else {})

    def __repr__(self) -> str:
        name = f"Results {SIMULATED}" if self.provenance.is_simulated else "Results"
        port = f" of {self.provenance.port}" if self.provenance.port else ""
        times = self.counts["time"].dt.strftime("%Y-%m-%d").to_numpy()
        period = f" from {times[0]} to {times[-1]}" if times.size else ""
        missed = f", {len(self.failures)} products not counted" if self.failures else ""
        numbers = f"{times.size} passes{period}, {len(self.vessels)} vessels, {len(self.piers)} piers"
        return f"<{name}{port}: {numbers}{missed}>"

    def _repr_html_(self) -> str:
        """Return the counts of the newest passes as notebooks show them; a dash where a pier was not seen."""
        newest = self.counts["n_vessels"].isel(time=slice(-N_SHOWN, None))
        times = newest["time"].dt.strftime("%Y-%m-%d %H:%M").to_numpy()
        table = pd.DataFrame(newest.to_numpy(), times, newest["pier"].to_numpy())
        shown = table.to_html(na_rep="–", float_format="{:.0f}".format) if table.size else ""
        return f"<p>{escape(repr(self))}</p>{shown}"

    @cached_property
    def counts(self) -> xr.Dataset:
        """Vessels per time and pier (`schema.COUNTS`): 0 means looked and saw none, missing means not seen.

        Beside AIS they have the variables of `ais.tables.AIS_COUNTS` too.
        """
        counts = count_by_pier(self.vessels, self.piers, self.scenes, self.coverage)
        if self.ais is not None:
            counts = count_ais(counts, self.ais.table)
        return counts.assign_attrs({KEY: json.dumps(self.provenance.as_dict())})

    @cached_property
    def _strung(self) -> StrungVisits:
        mmsi = None if self.ais is None else self.ais.mmsi()
        return string_visits(self.vessels, self.piers, self.scenes, self.coverage, mmsi=mmsi)

    @cached_property
    def visits(self) -> gpd.GeoDataFrame:
        """Vessels that stayed, arrived and left (`schema.VISITS`)."""
        return self._strung.visits()

    @cached_property
    def traffic(self) -> gpd.GeoDataFrame:
        """Expected numbers of arrivals, departures and stays, which add up (`schema.TRAFFIC`)."""
        return self._strung.traffic()

    @cached_property
    def changes(self) -> gpd.GeoDataFrame:
        """Times between which the number of vessels, or an apron, changed, with their chance (`schema.CHANGES`)."""
        both = CHANGES.concat([find_changes(self.counts), find_apron_changes(self.aprons)])
        return both.sort_values(["window_from", "where"], kind="stable", ignore_index=True)

    @cached_property
    def alerts(self) -> gpd.GeoDataFrame:
        """Newest count of each pier beside what is usual there (`schema.ALERTS`)."""
        return find_alerts(self.counts)

    @cached_property
    def agreement(self) -> gpd.GeoDataFrame:
        """Dated reports held against the counts and the aprons (`schema.AGREEMENT`)."""
        tables = self.vessels, self.piers, self.scenes, self.coverage
        return compare_observations(self.observations, *tables, aprons=self.aprons)
