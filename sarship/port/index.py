"""Ports by name, and a template of a port file.

The index is NGA's World Port Index reduced to names and positions (see `sarship/data/README.md`). Its positions are
rounded to a minute of arc or so: good enough to find the port on a map, not to draw a pier.
"""

from __future__ import annotations

import csv
import gzip
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from math import cos, radians
from pathlib import Path
from typing import TYPE_CHECKING, Final

import shapely

from sarship.errors import PortError
from sarship.geo.antimeridian import recentred
from sarship.geo.lakes import lake_at

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sarship.port.port_file import Port

__all__ = [
    "SHIPPED",
    "PortEntry",
    "find_port",
    "new_port",
    "only_port",
    "port_area",
    "port_file_of",
    "port_index",
    "refuse_template",
    "shipped_port",
]

SHIPPED: Final[Mapping[int, str]] = {45003: "tartus"}
"""Ports whose piers ship with the package, in `sarship/data/ports`: number in the index and name of the file."""

TEMPLATE: Final = "EDIT ME"
"""Beginning of the names in a new port file, which shows that nobody has drawn its piers yet."""
HALF_SIDE_DEG = 0.03
"""Half a side of the square around a port in degrees of latitude, about 3.3 km: a port and its roads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PortEntry:
    """One port of the index.

    Examples
    --------
    >>> entry = find_port("Tartus")[0]
    >>> entry.country, entry.longitude, entry.latitude
    ('Syria', 35.8667, 34.9)
    """

    number: int
    """World Port Index number, e.g. 45003."""
    name: str
    """Main name."""
    alternate_name: str
    """Other names, as the index gives them; empty where it has none."""
    country: str
    """Country as the index names it."""
    longitude: float
    """Degrees east, WGS 84."""
    latitude: float
    """Degrees north, WGS 84."""

    def __str__(self) -> str:
        return f"{self.name} ({self.country}, {self.number})"

    def is_called(self, name: str) -> bool:
        """Return True if it has that very name or number; case, accents and punctuation make no difference.

        >>> tartus = find_port("Tartus")[0]
        >>> tartus.is_called("tartous"), tartus.is_called("Tartu")
        (True, False)
        """
        return _plain(name) in _spellings(self)


@cache
def port_index() -> tuple[PortEntry, ...]:
    """Return every port of the packaged index, by number."""
    with (files("sarship") / "data" / "ports.csv.gz").open("rb") as packed:
        rows = csv.DictReader(gzip.decompress(packed.read()).decode().splitlines())
        return tuple(
            PortEntry(
                number=int(row.pop("number")),
                longitude=float(row.pop("longitude")),
                latitude=float(row.pop("latitude")),
                **row,
            )
            for row in rows
        )


def find_port(name: str) -> list[PortEntry]:
    """Return the ports of a name.

    Case, accents and punctuation make no difference. Only the best matches are returned: equal names, else names that
    begin with it, else names with a word that begins with it, else names with a similar spelling.

    Parameters
    ----------
    name
        Main or alternate name, e.g. `"Tartus"`, or a number of the World Port Index, e.g. `"45003"`.

    Returns
    -------
    list of PortEntry
        One at least.

    Raises
    ------
    PortError
        If no name is similar; the message lists the closest.

    References
    ----------
    National Geospatial-Intelligence Agency, World Port Index, Pub. 150.

    Examples
    --------
    >>> [str(port) for port in find_port("tartoús")]
    ['Tartus (Syria, 45003)']
    """
    wanted = _plain(name)
    if not wanted:
        raise PortError(f"a port is looked up by its name or its World Port Index number, got {name!r}")
    spellings = [(entry, _spellings(entry)) for entry in port_index()]
    for fits in (
        lambda text: text == wanted,
        lambda text: text.startswith(wanted),
        lambda text: f" {wanted}" in text,
    ):
        found = [entry for entry, texts in spellings if any(map(fits, texts))]
        if found:
            return found
    by_text = {text: entry for entry, texts in reversed(spellings) for text in texts}
    near = get_close_matches(wanted, by_text, n=5, cutoff=0.8)
    if not near:
        guesses = get_close_matches(wanted, by_text, n=5, cutoff=0.5)
        listed = ", ".join(dict.fromkeys(str(by_text[text]) for text in guesses))
        raise PortError(
            f"no port is called {name!r} in the World Port Index; "
            + (f"the closest names are {listed}" if listed else "try its English name, or its index number")
        )
    return list(dict.fromkeys(by_text[text] for text in near))


def only_port(name: str) -> PortEntry:
    """Return the one port of a name.

    Raises
    ------
    PortError
        If there is none, or there are several; the message lists them.
    """
    entries = find_port(name)
    if len(entries) > 1:
        listed = "; ".join(f"{entry}" for entry in entries[:10])
        raise PortError(f"{len(entries)} ports answer to {name!r}: {listed}; give the number of the one you mean")
    return entries[0]


def shipped_port(name: str) -> Path | None:
    """Return the port file that ships with sarship for a name or number of the index; None if there is none.

    >>> shipped_port("Tartús").name, shipped_port("Latakia")
    ('tartus.geojson', None)
    """
    wanted = _plain(name)
    for entry in port_index():
        if entry.number in SHIPPED and wanted in _spellings(entry):
            return Path(str(files("sarship"))) / "data" / "ports" / f"{SHIPPED[entry.number]}.geojson"
    return None


def port_area(entry: PortEntry) -> BaseGeometry:
    """Return a square of about 6.6 km around a port, longitude and latitude in degrees.

    >>> [round(edge, 2) for edge in port_area(only_port("Tartus")).bounds]
    [35.83, 34.87, 35.9, 34.93]
    """
    return recentred(shapely.Polygon(_square(entry, (0, 0), HALF_SIDE_DEG)))


def new_port(entry: PortEntry) -> dict[str, object]:
    """Return a port file to edit: GeoJSON with one pier, one anchorage and the water around them.

    Its geometries only show the form: they lie at the index's position, not at the quays. `read_port` accepts them, to
    be looked at; a survey refuses them.

    Parameters
    ----------
    entry
        The port, from `find_port`.

    Returns
    -------
    dict
        The FeatureCollection, for `json.dump`.

    Examples
    --------
    >>> new_port(find_port("45003")[0])["name"]
    'Tartus'
    """
    half = HALF_SIDE_DEG
    line = {"type": "LineString", "coordinates": [_near(entry, -0.1 * half, 0), _near(entry, 0.1 * half, 0)]}
    features: list[tuple[Mapping[str, object], object]] = [
        ({"name": f"{TEMPLATE} pier 1", "kind": "pier", "max_distance_m": 50}, line),
        (
            {"name": f"{TEMPLATE} anchorage", "kind": "anchorage"},
            _polygon(_square(entry, (-0.8 * half, 0.4 * half), 0.2 * half)),
        ),
        ({"name": f"{TEMPLATE} water", "kind": "water"}, _polygon(_square(entry, (0, 0), half))),
    ]
    description = (
        f"Template for {entry} at the position of the World Port Index. Move the pier onto a quay's edge, draw "
        "one feature for each pier, add 'land' polygons, rename, and delete what is not needed. "
        "Coordinates are longitude, latitude in degrees (WGS 84)."
    )
    return port_file_of(entry, description, features)


def port_file_of(
    entry: PortEntry, description: str, features: Iterable[tuple[Mapping[str, object], object]], **members: str
) -> dict[str, object]:
    """Return a port's file of features, given as properties and geometry; a lake's level is known."""
    lake = lake_at(shapely.Point(entry.longitude, entry.latitude))
    return {
        "type": "FeatureCollection",
        "name": entry.name,
        **members,
        **({} if lake is None else {"water_level_m": lake.water_level_m}),
        "description": description,
        "features": [{"type": "Feature", "properties": told, "geometry": shape} for told, shape in features],
    }


def refuse_template(port: Port) -> None:
    """Raise `PortError` if a pier is still the one of a new port file, which lies where no quay is."""
    for name in port.piers["name"]:
        if name.startswith(TEMPLATE):
            raise PortError(
                f"{port.name}: {name!r} is the template's and lies at no quay; draw the port's piers in any GIS, "
                "rename them, and delete what is left of the template",
                feature=name,
            )


def _polygon(ring: list[list[float]]) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": [ring]}


def _square(entry: PortEntry, centre: tuple[float, float], half: float) -> list[list[float]]:
    """Return the closed ring of a square beside the port; offset and half a side in degrees of latitude."""
    corners = ((-half, -half), (half, -half), (half, half), (-half, half), (-half, -half))
    return [_near(entry, centre[0] + x, centre[1] + y) for x, y in corners]


def _near(entry: PortEntry, east: float, north: float) -> list[float]:
    """Return a point beside the port; both offsets in degrees of latitude, so that squares look square."""
    longitude = entry.longitude + east / cos(radians(entry.latitude))
    return [round(longitude, 5), round(entry.latitude + north, 5)]


def _spellings(entry: PortEntry) -> tuple[str, ...]:
    names = (entry.name, *entry.alternate_name.split(";"), str(entry.number))
    return tuple(text for text in map(_plain, names) if text)


def _plain(text: str) -> str:
    """Return lower case without accents, anything else than letters and digits as one space.

    >>> _plain("  Port-de-Paix, São ")
    'port de paix sao'
    """
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join("".join(c if c.isalnum() else " " for c in bare).split())
