"""Facts about an image on a map that its pixels do not tell: when it was taken, by whom, from where, and its unit.

They are said by the user, stand in a table beside the files, in tags of the file or attributes of the array, or in the
names of files and their folders. Nothing is guessed: what nobody says is missing, and what two of them say differently
is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

import numpy as np

from sarship.errors import ProductError
from sarship.files import read_file
from sarship.model import OrbitPass, Polarization
from sarship.sentinel1.passes import relative_orbit_of

__all__ = [
    "MAP_SUFFIXES",
    "TAG",
    "MapFacts",
    "MapQuantity",
    "MapScale",
    "facts_of_name",
    "facts_of_table",
    "facts_of_tags",
    "gathered",
    "is_map_file",
]

MapQuantity = Literal["sigma0", "gamma0"]
MapScale = Literal["linear", "decibel", "amplitude"]

MAP_SUFFIXES: Final = (".tif", ".tiff", ".vrt")
"""Ends of the names of GeoTIFFs, and of virtual rasters."""
TAG: Final = "SARSHIP_"
"""Beginning of the tags that sarship writes."""
_CHOICES: Final = {
    "quantity": get_args(MapQuantity),
    "scale": get_args(MapScale),
    "orbit_pass": get_args(OrbitPass),
}
_PRODUCT: Final = re.compile(
    r"(S1[A-D])_(IW|EW|S[1-6])_GRD[FHM]_1S[DSVH][VH]_(\d{8}T\d{6})_(\d{8}T\d{6})_(\d{6})_[0-9A-F]{6}", re.IGNORECASE
)
"""Name of a GRD product, as Planetary Computer, Earth Engine and SNAP leave it in theirs."""
_ASF: Final = re.compile(
    r"(S1[A-D])_(IW)_(\d{8}T\d{6})_[DS][VH][PRO]_RTC\d+_G_([gs])([pda])([uw])([nf])[ec][dm]", re.IGNORECASE
)
"""Name of an RTC image of ASF: satellite, mode, start, quantity, scale, water masked or not, filtered or not."""
_ASF_SCALES: Final[Mapping[str, MapScale]] = {"p": "linear", "d": "decibel", "a": "amplitude"}
_PLATFORM: Final = re.compile(r"(?:S1|SENTINEL-?1)?([A-D])", re.IGNORECASE)
_AGREE: Final = ("quantity", "scale", "platform", "relative_orbit", "absolute_orbit", "orbit_pass")
"""Facts that may not differ from one source to the other."""
_ALIASES: Final[Mapping[str, str]] = {
    "datetime": "time",
    "start_datetime": "time",
    "acquisition_time": "time",
    "system:time_start": "time",
    "end_datetime": "stop",
    "sat:relative_orbit": "relative_orbit",
    "relativeorbitnumber_start": "relative_orbit",
    "rel_orbit": "relative_orbit",
    "sat:absolute_orbit": "absolute_orbit",
    "orbitnumber_start": "absolute_orbit",
    "sat:orbit_state": "orbit_pass",
    "orbitproperties_pass": "orbit_pass",
    "pass": "orbit_pass",
    "platform_number": "platform",
    "sar:instrument_mode": "mode",
    "instrumentmode": "mode",
}
"""Names of facts in STAC items, in Earth Engine's properties and in tables, in small letters."""


def is_map_file(path: str | Path) -> bool:
    """Return True for the name or address of a file that may be an image on a map.

    >>> is_map_file("S1A_VV.tif"), is_map_file("S1A.SAFE")
    (True, False)
    """
    return str(path).split("?", maxsplit=1)[0].lower().endswith(MAP_SUFFIXES)


@dataclass(frozen=True, kw_only=True, slots=True)
class MapFacts:
    """Facts about an image on a map; None for what is not said.

    Raises
    ------
    ProductError
        One of them cannot be true.

    Examples
    --------
    >>> said = MapFacts(quantity="gamma0", scale="linear", platform="SENTINEL-1A", relative_orbit=94)
    >>> said.platform
    'S1A'
    """

    quantity: MapQuantity | None = None
    """`sigma0` or `gamma0`."""
    scale: MapScale | None = None
    """`linear` power, `decibel`, or `amplitude`, of floats or in 8 or 16 bits."""
    polarizations: tuple[Polarization, ...] | None = None
    """Those of the bands, in their order."""
    time: datetime | None = None
    """Start of the acquisition; UTC where it has no time zone."""
    stop: datetime | None = None
    """Its end, UTC; None for the start."""
    platform: str | None = None
    """`S1A` … `S1D`."""
    relative_orbit: int | None = None
    """Number of the track, 1 … 175."""
    absolute_orbit: int | None = None
    """Number of the orbit since launch."""
    orbit_pass: OrbitPass | None = None
    """`ascending` or `descending`; None for what the local time says: Sentinel-1 flies north in the evening."""
    mode: str | None = None
    """Acquisition mode; `IW` for None."""
    incidence_deg: float | None = None
    """Angle of incidence at the port, degrees."""
    noise_subtracted: bool | None = None
    """True if the thermal noise was subtracted."""
    is_filtered: bool | None = None
    """True if speckle was filtered."""
    is_simulated: bool | None = None
    """True if sarship simulated it."""
    scene: str | None = None
    """Id of the scene; the file's name for None."""
    scenes: str | Path | None = None
    """CSV file with the same facts of every file: a column `file`, a name or a pattern, and columns as above."""

    def __post_init__(self) -> None:
        if self.platform is not None:
            found = _PLATFORM.fullmatch(self.platform)
            if found is None:
                raise ProductError(f"the platform must be S1A to S1D, got {self.platform!r}; sarship knows no other")
            object.__setattr__(self, "platform", f"S1{found[1].upper()}")
        if self.orbit_pass is not None:
            object.__setattr__(self, "orbit_pass", self.orbit_pass.lower())
        for name in ("time", "stop"):
            moment = getattr(self, name)
            object.__setattr__(self, name, moment if moment is None else _in_utc(moment))
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in {None, *allowed}:
                raise ProductError(f"{name} must be {' or '.join(allowed)}, got {getattr(self, name)!r}")
        if self.relative_orbit is not None and not 1 <= self.relative_orbit <= 175:
            raise ProductError(f"relative orbits are numbered 1 to 175, got {self.relative_orbit}")
        if strange := set(self.polarizations or ()) - set(get_args(Polarization)):
            raise ProductError(f"polarisations are VV, VH, HH and HV, got {min(strange)!r}")
        if self.incidence_deg is not None and not 10 < self.incidence_deg < 60:
            raise ProductError(f"the incidence of Sentinel-1 is 18 to 47 degrees, got {self.incidence_deg:g}")

    @property
    def as_dict(self) -> dict[str, Any]:
        """All that is said, as plain JSON values."""
        return {name: str(value) for name, value in asdict(self).items() if value is not None}


def facts_of_tags(tags: Mapping[str, object], where: str) -> MapFacts:
    """Return the facts in tags, attributes or a row of a table; names that are not known are passed over.

    >>> facts_of_tags({"sat:relative_orbit": "94", "system:time_start": 1733240515000, "AREA": "1"}, "x.tif").time
    datetime.datetime(2024, 12, 3, 15, 41, 55, tzinfo=datetime.timezone.utc)

    Raises
    ------
    ProductError
        A value cannot be read, or cannot be true.
    """
    known = {field.name for field in fields(MapFacts)} - {"scenes"}
    found: dict[str, Any] = {}
    for key, value in tags.items():
        name = str(key).removeprefix(TAG).lower()
        name = _ALIASES.get(name, name)
        if name in known and name not in found and value is not None and str(value).strip():
            try:
                found[name] = _read(name, value)
            except (ValueError, TypeError, KeyError, OverflowError, OSError) as error:
                raise ProductError(f"{where}: {key} is {str(value)[:40]!r}, which is no {name}") from error
    if found.get("mode") not in {None, "IW", "EW", *(f"S{beam}" for beam in range(1, 7))}:
        del found["mode"]
    try:
        return MapFacts(**found)
    except ProductError as error:
        raise ProductError(f"{where}: {error}", path=where) from error


def facts_of_name(path: str) -> MapFacts:
    """Return what the names of a file and of the two folders around it say.

    >>> said = facts_of_name("S1A_IW_20250122T154100_DVP_RTC10_G_gpuned_5B3F_VV.tif")
    >>> said.platform, said.quantity, said.scale, said.is_filtered
    ('S1A', 'gamma0', 'linear', False)
    """
    near = "/".join(re.split(r"[/\\]", path.split("?", maxsplit=1)[0])[-3:])
    if found := _PRODUCT.search(near):
        platform, orbit = found[1].upper(), int(found[5])
        is_rtc = ".rtc.tif" in near.lower()  # of Planetary Computer
        return MapFacts(
            scene=found[0],
            platform=platform,
            mode=found[2].upper(),
            time=_time(found[3]),
            stop=_time(found[4]),
            absolute_orbit=orbit,
            relative_orbit=relative_orbit_of(platform, orbit),
            quantity="gamma0" if is_rtc else None,
            scale="linear" if is_rtc else None,
        )
    if found := _ASF.search(near):
        if found[6].lower() == "w":
            raise ProductError(f"{path} has its water masked; order it without the mask: the water is where ships are")
        return MapFacts(
            platform=found[1].upper(),
            mode=found[2].upper(),
            time=_time(found[3]),
            quantity="gamma0" if found[4].lower() == "g" else "sigma0",
            scale=_ASF_SCALES[found[5].lower()],
            is_filtered=found[7].lower() == "f",
        )
    return MapFacts()


def facts_of_table(table: str | Path, names: Iterable[str]) -> MapFacts:
    """Return what the first row of a CSV table for a file says of it; nothing where it has none.

    Raises
    ------
    ProductError
        The table cannot be read, or has no column `file`.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_file(table).decode("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProductError(f"{table} cannot be read as CSV ({error})", path=table) from error
    if rows and "file" not in rows[0]:
        message = f"{table} has no column 'file', and is to name with it the files that its rows are about"
        raise ProductError(message, path=table)
    wanted = [Path(name).name for name in names]
    for row in rows:
        if any(fnmatch(name, str(row["file"]).strip()) for name in wanted):
            return facts_of_tags({key: value for key, value in row.items() if key and key != "file"}, str(table))
    return MapFacts()


def gathered(said: Mapping[str, MapFacts], where: str) -> MapFacts:
    """Return the facts of several sources as one, of each the first that is said.

    Raises
    ------
    ProductError
        Two sources contradict each other.

    Examples
    --------
    >>> gathered({"the name": MapFacts(platform="S1A"), "its tags": MapFacts(mode="IW")}, "x.tif").mode
    'IW'
    """
    whole = MapFacts()
    for field in fields(MapFacts):
        given = {source: getattr(facts, field.name) for source, facts in said.items()}
        given = {source: value for source, value in given.items() if value is not None}
        if field.name in _AGREE and len(set(given.values())) > 1:
            told = ", ".join(f"{value} by {source}" for source, value in given.items())
            raise ProductError(f"{where}: the {field.name.replace('_', ' ')} is {told}; say the right one", path=where)
        if given:
            whole = replace(whole, **{field.name: next(iter(given.values()))})
    return whole


def _read(name: str, value: object) -> object:
    text = str(value).strip()
    if name in {"time", "stop"}:
        return _time(value)
    if name in {"relative_orbit", "absolute_orbit"}:
        return int(float(text))
    if name == "incidence_deg":
        return float(text)
    if name in {"noise_subtracted", "is_filtered", "is_simulated"}:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
    if name == "polarizations":
        return cast("tuple[Polarization, ...]", tuple(re.split(r"[\s,+]+", text.upper())))
    return text.lower() if name in {"quantity", "scale"} else text


def _time(value: object) -> datetime:
    """Return a time in UTC, of text, of a NumPy or Python time, or of milliseconds since 1970, as Earth Engine's."""
    if isinstance(value, np.datetime64):
        value = str(value.astype("datetime64[us]"))
    if isinstance(value, datetime):
        moment = value
    elif re.fullmatch(r"\d{12,14}(\.0*)?", text := str(value).strip()):
        moment = datetime.fromtimestamp(float(text) / 1000, UTC)
    else:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
