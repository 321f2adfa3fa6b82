"""The data contract: names, dimensions, units and columns of every array and table between rooms.

The code that makes a table asks here for an empty one, the code that takes it checks it here, and the documentation is
printed from here. So a column is spelled in one place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # loaded by what makes tables: metadata of a product need none of them
    import geopandas as gpd
    import xarray as xr

__all__ = [
    "AGREEMENT",
    "ALERTS",
    "APRONS",
    "CHANGES",
    "COUNTS",
    "COVERAGE",
    "NOT_COUNTED",
    "OBSERVATIONS",
    "PORT_SIGMA0",
    "REFERENCE",
    "SCENES",
    "SIGMA0",
    "TRAFFIC",
    "VESSELS",
    "VISITS",
    "WGS84",
    "WHOLE_PORT",
    "Column",
    "Table",
    "Variable",
]

WGS84: Final = "EPSG:4326"
TIME: Final = "datetime64[ns, UTC]"
TRACK: Final = {"long_name": "relative orbit (number of the track)"}
"""Attributes of the coordinate `relative_orbit`."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One array: its name, dimensions and units."""

    name: str
    units: str
    long_name: str
    dims: tuple[str, ...]

    @property
    def attrs(self) -> dict[str, str]:
        """Attributes in the style of the CF conventions."""
        return {"units": self.units, "long_name": self.long_name}

    def check(self, array: xr.DataArray) -> xr.DataArray:
        """Return the array unchanged, or raise `ValueError` that says what differs from the contract.

        >>> import xarray as xr
        >>> SIGMA0.check(xr.DataArray([[[1.0]]], dims=("polarization", "line", "pixel"), attrs={"units": "dB"}))
        Traceback (most recent call last):
        ValueError: sigma0 has units 'dB', expected '1'
        """
        if array.dims != self.dims:
            raise ValueError(f"{self.name} has dimensions {array.dims}, expected {self.dims}")
        if array.attrs.get("units") != self.units:
            raise ValueError(f"{self.name} has units {array.attrs.get('units')!r}, expected {self.units!r}")
        return array


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, pandas dtype and meaning."""

    name: str
    dtype: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of features with longitude-latitude geometry."""

    name: str
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, name: str, *columns: Column) -> Table:
        """Return the contract of a name and its columns in their order."""
        return cls(name, columns)

    def make(self, columns: dict[str, object], geometry: Sequence[object]) -> gpd.GeoDataFrame:
        """Return a table of this contract from its columns; set dtypes, and refuse missing or extra columns."""
        import geopandas as gpd
        import pandas as pd

        expected = [column.name for column in self.columns]
        if set(columns) != set(expected):
            raise ValueError(f"{self.name} needs columns {expected}, got {list(columns)}")
        frame = pd.DataFrame({c.name: pd.Series(columns[c.name], dtype=c.dtype) for c in self.columns})
        return gpd.GeoDataFrame(frame, geometry=list(geometry), crs=WGS84)

    def of_rows(self, rows: Sequence[Mapping[str, object]], geometry: Sequence[object]) -> gpd.GeoDataFrame:
        """Return a table of this contract from its rows; what else they hold is left out."""
        return self.make({column.name: [row[column.name] for row in rows] for column in self.columns}, geometry)

    @property
    def blank(self) -> dict[str, object]:
        """A row in which every text and number is missing; what cannot be missing is to be put in."""
        return {column.name: None if column.dtype in {"str", "Int64"} else math.nan for column in self.columns}

    def empty(self) -> gpd.GeoDataFrame:
        """Return the table with no rows and all its columns.

        >>> VESSELS.empty().shape[0]
        0
        """
        return self.of_rows([], [])

    def check(self, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        """Return the table unchanged, or raise `ValueError` that names the missing or mistyped column."""
        import geopandas as gpd

        for column in self.columns:
            if column.name not in frame.columns:
                raise ValueError(f"{self.name} lacks the column {column.name!r} ({column.meaning})")
            if str(frame[column.name].dtype) != column.dtype:
                found = frame[column.name].dtype
                raise ValueError(f"{self.name}.{column.name} has dtype {found}, expected {column.dtype}")
        if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None or frame.crs != WGS84:
            raise ValueError(f"{self.name} must be a GeoDataFrame in {WGS84}")
        return frame

    def concat(self, frames: Sequence[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
        """Return several tables of this contract as one with a new index; the empty table for none."""
        import geopandas as gpd
        import pandas as pd

        filled = [frame for frame in frames if len(frame)]
        if not filled:
            return self.empty()
        return gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), crs=WGS84)


SIGMA0: Final = Variable("sigma0", "1", "sigma nought, linear power", ("polarization", "line", "pixel"))
PORT_SIGMA0: Final = Variable("sigma0", "1", "sigma nought with noise, linear power", ("polarization", "y", "x"))

_CELLS: Final = ("relative_orbit", "polarization", "y", "x")
REFERENCE: Final = {
    variable.name: variable
    for variable in (
        Variable("level", "1", "sigma nought of the empty port at the reference level of the sea, with noise", _CELLS),
        Variable("spread", "1", "deviation of ln power from date to date", _CELLS),
        Variable("n_empty", "1", "dates on which the cell was empty", _CELLS),
        Variable("is_permanent", "1", "1 where a vessel on every date is in the level", _CELLS),
        Variable("sea", "1", "reference level of the open water, sigma nought", _CELLS[:2]),
        Variable("enl", "1", "equivalent number of looks of the open water", _CELLS[:2]),
        Variable("effective_sample_ratio", "1", "effective sample ratio of the open water", _CELLS[:2]),
        Variable("n_dates", "1", "dates of the level", _CELLS[:1]),
        Variable("is_borrowed", "1", "1 where there are too few dates for a spread of its own", _CELLS[:1]),
        Variable("scene", "1", "ids of the scenes of a date, joined by a space", ("time",)),
        Variable("orbit_of_date", "1", "relative orbit of a date", ("time",)),
        Variable("row_shift", "1", "rows by which a date is displaced to the south of the others", ("time",)),
        Variable("column_shift", "1", "columns by which a date is displaced to the east of the others", ("time",)),
        Variable("is_coregistered", "1", "1 if a date is coregistered with the others and was used", ("time",)),
    )
}
"""Variables of a reference, by name."""

VESSELS: Final = Table.of(
    "vessels",
    Column("vessel", "str", "name of the row: scene, a slash, a number"),
    Column("scene", "str", "id of the scene"),
    Column("time", TIME, "zero-Doppler time"),
    Column("longitude", "float64", "degrees east, as imaged, WGS 84"),
    Column("latitude", "float64", "degrees north, as imaged, WGS 84"),
    Column("line", "float64", "image line of the centre"),
    Column("pixel", "float64", "image pixel of the centre"),
    Column("length_m", "float64", "length, metres"),
    Column("length_error_m", "float64", "one sigma of the length, metres"),
    Column("width_m", "float64", "width, metres"),
    Column("width_error_m", "float64", "one sigma of the width, metres"),
    Column("heading_deg", "float64", "direction of the long axis clockwise from north, degrees in [0, 180)"),
    Column("heading_error_deg", "float64", "one sigma of the heading, degrees; 52 where all are as likely"),
    Column("n_vessels", "int64", "number of vessels of the row: 1 if it is counted, 0 if it is left to the bounds"),
    Column("n_low", "int64", "minimum number of vessels of the row: 1 if it is among those that surely are"),
    Column("n_high", "int64", "maximum number of vessels of the row"),
    Column("confidence", "float64", "probability that it is a vessel of its own, 0 … 1; 1 away from piers"),
    Column("n_hits", "int64", "number of its hits"),
    Column("score", "float64", "largest brightness over its own threshold; missing without hits"),
    Column("sigma0_co", "float64", "brightest denoised sigma0 in VV or HH, linear; missing if not recorded"),
    Column("sigma0_cross", "float64", "brightest denoised sigma0 in VH or HV, linear; missing if not recorded"),
    Column("evidence", "str", "ring (the sea around), reference (the empty pier), both, or network alone"),
    Column("flag", "str", "ambiguity, fixture, always_there, or empty for a plain vessel"),
    Column("flag_source", "str", "the vessel that an ambiguity comes from; missing elsewhere"),
    Column("is_edge", "bool", "True if it touches the edge of the image, a mask or missing data"),
    Column("pier", "str", "name of the pier it is counted at; missing elsewhere"),
    Column("distance_m", "float64", "distance from the vessel's axis to that pier, metres; missing elsewhere"),
    Column("incidence_deg", "float64", "angle of incidence, degrees; missing until placed in a product"),
    Column("flight_deg", "float64", "direction of flight, clockwise from north, degrees; likewise"),
    Column("shift_s", "float64", "displacement along the flight per radial speed, seconds; likewise"),
)

NOT_COUNTED: Final = frozenset({"ambiguity", "fixture"})
"""Flags of rows that are no vessels."""

SCENES: Final = Table.of(
    "scenes",
    Column("scene", "str", "id of the scene"),
    Column("platform", "str", "satellite"),
    Column("mode", "str", "acquisition mode"),
    Column("product_type", "str", "type with resolution class; MAPH or MAPM for an image on a map"),
    Column("polarizations", "str", "polarisations that were searched, space-separated"),
    Column("start", TIME, "time of the first line"),
    Column("stop", TIME, "time of the last line"),
    Column("absolute_orbit", "int64", "orbit since launch; 0 for an image on a map that does not say it"),
    Column("relative_orbit", "int64", "track number"),
    Column("orbit_pass", "str", "ascending or descending"),
    Column("has_noise", "bool", "True if the product has thermal-noise vectors that are not all zero"),
    Column("land_is_masked", "bool", "True if land or water polygons were given"),
)

COVERAGE: Final = Table.of(
    "coverage",
    Column("scene", "str", "id of the scene"),
    Column("pier", "str", "name of the pier"),
    Column("seen", "float64", "fraction of the pier waters with image data, 0 … 1"),
    Column("detectable_length_m", "float64", "shortest vessel that would be detected; missing if not seen"),
    Column("incidence_deg", "float64", "angle of incidence at the pier, degrees; missing if not seen"),
    Column("n_reference_dates", "int64", "dates of the empty-port reference; 0: detected by the image alone"),
)
"""The geometry of a row is the part of the pier waters that was imaged."""

VISITS: Final = Table.of(
    "visits",
    Column("visit", "str", "name of the visit: that of its first row in `vessels`"),
    Column("time", TIME, "start of the pass"),
    Column("from_time", TIME, "start of the last pass before that saw the pier: what happened lies between"),
    Column("pier", "str", "name of the pier"),
    Column("status", "str", "first (no earlier pass saw the pier), arrived, stayed, missed, or left (found gone)"),
    Column("probability", "float64", "chance that it is a vessel of which the status is true"),
    Column("vessel", "str", "name of its row in `vessels`; missing where it was missed or left"),
    Column("longitude", "float64", "degrees east; where it was missed or left, of the last pass that showed it"),
    Column("latitude", "float64", "degrees north; likewise"),
    Column("length_m", "float64", "length, metres; likewise"),
    Column("heading_deg", "float64", "direction of the long axis, degrees in [0, 180); likewise"),
    Column("mmsi", "Int64", "number that AIS gives it on most of its passes; missing where none is known"),
)

TRAFFIC: Final = Table.of(
    "traffic",
    Column("time", TIME, "start of the pass"),
    Column("from_time", TIME, "start of the last pass before that saw the pier"),
    Column("pier", "str", "name of the pier"),
    Column("arrived", "float64", "expected number that arrived between the two passes and are there on the second"),
    Column("arrived_error", "float64", "one sigma of it"),
    Column("left", "float64", "expected number that were there on the first and left between them"),
    Column("left_error", "float64", "one sigma of it"),
    Column("stayed", "float64", "expected number that were there on both"),
    Column("stayed_error", "float64", "one sigma of it"),
    Column("present", "float64", "expected number that are there on the second"),
)

WHOLE_PORT: Final = "port"
"""Name of all piers together, without anchorages, where a table names a place."""
_PLACE: Final = Column("where", "str", "name of the pier or apron, or `port` for all piers together")

CHANGES: Final = Table.of(
    "changes",
    _PLACE,
    Column("quantity", "str", "variable that changed: n_vessels of the counts, or added_m2 of an apron"),
    Column("direction", "str", "rose, fell, or method (the reference came or went); filled, emptied or changed"),
    Column("from_time", TIME, "last pass of the old level, if the change lies in the likeliest gap"),
    Column("to_time", TIME, "first pass of the new level, likewise"),
    Column("window_from", TIME, "pass after which the change lies, with a chance of 90 % if there is one"),
    Column("window_to", TIME, "pass before which it lies, likewise"),
    Column("probability", "float64", "chance that there is a change in the window, 0.5 … 1"),
    Column("before", "float64", "mean of the counts before; of an apron, level of what was added to it, m²"),
    Column("before_low", "float64", "lower end of the 90 % interval of the level before"),
    Column("before_high", "float64", "upper end of the same"),
    Column("after", "float64", "the same after"),
    Column("after_low", "float64", "lower end of the 90 % interval of the level after"),
    Column("after_high", "float64", "upper end of the same"),
    Column("n_before", "int64", "passes of the level before"),
    Column("n_after", "int64", "passes of the level after"),
    Column("relative_orbit", "int64", "orbit that shows it best, which the passes and levels are of"),
    Column("confirmed_by", "str", "other orbits that show it too, space-separated; empty: this orbit alone"),
    Column("words", "str", "the change as a sentence"),
)
"""The geometry of a row is the middle of its pier, or of each."""

APRONS: Final = Table.of(
    "aprons",
    Column("apron", "str", "name of the apron"),
    Column("surface", "str", "its surface, as the port file says; empty if it does not"),
    Column("time", TIME, "start of the pass"),
    Column("scene", "str", "ids of the scenes of the pass, space-separated"),
    Column("relative_orbit", "int64", "track number, which the level is of"),
    Column("state", "str", "filled, emptied, changed or same, since the pass before; unknown where none can tell"),
    Column("level_db", "float64", "brightness in VV or HH over that of the empty apron, dB; missing if not seen"),
    Column("level_error_db", "float64", "one sigma of it, by pieces of steady land, dB"),
    Column("level_cross_db", "float64", "brightness in VH or HV over that of the empty apron, dB; likewise"),
    Column("level_cross_error_db", "float64", "one sigma of it, dB"),
    Column("added_m2", "float64", "scattering that is added to the empty apron, in VV or HH, m²"),
    Column("added_error_m2", "float64", "one sigma of it, m²"),
    Column("detectable_added_m2", "float64", "least scattering that this pass would show against the others, m²"),
    Column("empty_m2", "float64", "scattering of the empty apron in VV or HH, m²"),
    Column("bright_share", "float64", "share of its cells that stand out of the others, 0 … 1"),
    Column("bright_error", "float64", "one sigma of that share where speckle alone makes it"),
    Column("may_be_wet", "bool", "True if it is brighter and none of its cells stand out"),
    Column("n_cells", "int64", "number of its cells that were measured"),
    Column("n_reference_dates", "int64", "dates that the empty apron was learned from"),
    Column("note", "str", "reason why there is no level; empty if there is one"),
)
"""The geometry of a row is the apron's. Levels are over the least that the apron had: where it was full on every date,
over the full one's."""

ALERTS: Final = Table.of(
    "alerts",
    _PLACE,
    Column("time", TIME, "newest pass that saw the place"),
    Column("status", "str", "usual, watch (outside the range), alert (so was the pass before), or too_few passes"),
    Column("n_vessels", "float64", "vessels counted on that pass"),
    Column("usual_low", "float64", "lower end of the range of 99 % of the counts while nothing changes"),
    Column("usual_high", "float64", "upper end of the same"),
    Column("n_passes", "int64", "passes of the present level, which the range was learned from"),
    Column("relative_orbit", "int64", "orbit of the pass, and of those"),
)
"""The geometry of a row is the middle of its pier, or of each."""

_REPORT: Final = (
    Column("observation", "str", "name of the report: its id in the file, else the number of its row"),
    Column("time_from", TIME, "start of the time of the report; of a date alone, of the day"),
    Column("time_to", TIME, "end of the same"),
    _PLACE,
    Column("what", "str", "vessels, arrived, left, ais or apron"),
    Column("vessel", "str", "vessel, or group of vessels, that the report is about; empty: all vessels"),
    Column("low", "float64", "minimum number of vessels; missing if the report has none"),
    Column("high", "float64", "maximum number of vessels; likewise"),
    Column("fullness", "str", "empty, some or full, of an apron; empty text elsewhere"),
)

OBSERVATIONS: Final = Table.of(
    "observations",
    *_REPORT,
    Column("least_length_m", "float64", "length from which on vessels were counted, metres; missing if not known"),
    Column("source", "str", "who reports it"),
    Column("kind", "str", "optical, radar, ais, ground or press; empty if not known"),
    Column("url", "str", "where it was read"),
    Column("sha256", "str", "digest of what was read"),
    Column("archived", "str", "address of a copy"),
    Column("collected_by", "str", "who read it"),
    Column("collected_at", "str", "when it was read"),
    Column("confidence", "str", "A1 … F6, or 0 … 1"),
    Column("contradicts", "str", "reports that it is marked to contradict, space-separated"),
    Column("note", "str", "anything else"),
)
"""Dated reports by others. The geometry of a row is the middle of its pier, or of each."""

AGREEMENT: Final = Table.of(
    "agreement",
    *_REPORT,
    Column("time", TIME, "pass that it is held against; missing if there is none"),
    Column("hours", "float64", "hours from the middle of the report to the pass"),
    Column("n_vessels", "float64", "vessels counted on that pass"),
    Column("n_low", "float64", "lower end of the interval of the count"),
    Column("n_high", "float64", "upper end of the same"),
    Column("fill", "float64", "the apron on that pass: 0 at its least level that lasted, 1 at its greatest"),
    Column("fill_low", "float64", "lower end of the interval of the same; all of both levels within a change"),
    Column("fill_high", "float64", "upper end of the same"),
    Column("state", "str", "agrees, disagrees, between (no pass near; not scored), not_seen, or not_compared"),
    Column("error", "float64", "counted less reported, 0 within its range; missing if open at one end"),
    Column("contradicts", "str", "reports that cannot be right if this one is, found or marked, space-separated"),
    Column("source", "str", "who reports it"),
)
"""The geometry of a row is the middle of its pier, or of each."""

COUNTS: Final = (
    Variable("n_vessels", "1", "vessels at the pier; missing where not seen", ("time", "pier")),
    Variable("n_low", "1", "minimum number of vessels; missing where not seen", ("time", "pier")),
    Variable("n_high", "1", "maximum number of vessels; missing where not seen", ("time", "pier")),
    Variable("total_length_m", "m", "sum of the lengths of the vessels; missing where not seen", ("time", "pier")),
    Variable("seen", "1", "fraction of the pier waters imaged", ("time", "pier")),
    Variable("detectable_length_m", "m", "shortest vessel that would be detected", ("time", "pier")),
    Variable("incidence_deg", "degree", "angle of incidence", ("time", "pier")),
    Variable("n_reference_dates", "1", "dates of the empty-port reference; 0: image alone", ("time", "pier")),
)
"""Variables of the counts; `scene`, `platform`, `relative_orbit` and `orbit_pass` are coordinates along `time`,
`kind` along `pier`."""
