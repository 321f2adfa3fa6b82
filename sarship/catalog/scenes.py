"""Scenes out of the answers of catalogues, one for each acquisition; shared by all providers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, cast, get_args

import numpy as np
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from sarship.catalog.query import SceneQuery
from sarship.errors import CatalogError, ProductWarning
from sarship.geo.antimeridian import recentred, ring_polygon
from sarship.model import OrbitPass, Polarization, Scene
from sarship.sentinel1.passes import number_passes, relative_orbit_of

__all__ = [
    "arrange",
    "asset_of",
    "collect",
    "footprint_of",
    "group_passes",
    "is_name",
    "make_scene",
    "matches",
    "parse_time",
    "query_area",
    "query_of",
    "scene_as_dict",
    "scene_from_dict",
]

Found = TypeVar("Found")

_POLARIZATIONS: Final = frozenset(get_args(Polarization))
"""Polarisations of the radar; catalogues may name others, of other satellites."""
_NAME: Final = re.compile(
    r"(?P<platform>S1[A-D])_(?P<mode>IW|EW|S[1-6])_(?P<type>GRD[FHM])_1S(?P<channels>DV|DH|SV|SH|VH|HV)"
    r"_(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})_(?P<orbit>\d{6})_[0-9A-F]{6}(?:_[0-9A-F]{4})?(?P<cog>_COG)?(?P<rtc>_rtc)?"
)
_CHANNELS: Final[dict[str, tuple[Polarization, ...]]] = {
    "DV": ("VV", "VH"),
    "DH": ("HH", "HV"),
    "SV": ("VV",),
    "SH": ("HH",),
    "VH": ("VH",),
    "HV": ("HV",),
}
_RESOLUTIONS: Final = "MHF"
"""Last letter of a product's type, from medium to full."""
_TIMES: Final = ("start", "stop", "processed")


def query_of(scene_id: str) -> SceneQuery:
    """Return the question to which a scene is an answer, from its name alone.

    Raises
    ------
    CatalogError
        If it is not the name of a Sentinel-1 GRD product.
    """
    found = _parsed(scene_id)
    if found is None:
        raise CatalogError(f"{scene_id} is not the name of a Sentinel-1 GRD product, like S1A_IW_GRDH_1SDV_…")
    moments = [datetime.strptime(found[name], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) for name in ("start", "stop")]
    second = timedelta(seconds=1)
    return SceneQuery(area=None, start=moments[0], end=moments[1] + second, platform=found["platform"])


def is_name(text: str) -> bool:
    """Return True if a text is the name of a Sentinel-1 GRD product."""
    return _parsed(text) is not None


def _parsed(name: str) -> re.Match[str] | None:
    return _NAME.fullmatch(re.sub(r"(\.SAFE|\.zip)+$", "", name, flags=re.IGNORECASE))


def make_scene(
    name: str,
    footprint: object,
    *,
    source: str,
    start: object = None,
    stop: object = None,
    relative_orbit: object = None,
    orbit_pass: object = None,
    processed: object = None,
    polarizations: Collection[object] | None = None,
    assets: Mapping[str, str] | None = None,
) -> Scene | None:
    """Return a scene from a catalogue's entry of a product.

    Platform, mode, type, polarisations and orbit are read off the product name, which is the same in every catalogue.

    Parameters
    ----------
    name
        Product name, with or without extension.
    footprint
        GeoJSON geometry, WKT, or a shapely geometry.
    source
        The catalogue, for messages.
    start, stop
        Times with fractions of seconds, where the catalogue has them.
    relative_orbit, orbit_pass
        As the catalogue spells them.
    processed
        Time at which the product was made.
    polarizations
        As the catalogue spells them; None if it does not say. The name decides, but one of them has to be known.
    assets
        Addresses of its files; empty if the catalogue gives none that can be believed, None if they do not matter.

    Returns
    -------
    Scene or None
        None for a product that is not a Sentinel-1 GRD, nor a terrain-corrected image of one (`_rtc`).

    Raises
    ------
    CatalogError
        If the answer lacks what a scene needs, or makes no sense.
    """
    found = _parsed(name)
    if found is None:
        return None
    platform, orbit = found["platform"], int(found["orbit"])
    if assets is not None and not assets:
        raise CatalogError(f"{source} does not say where the files of {name} are")
    if polarizations is not None and not _POLARIZATIONS & set(map(str, polarizations)):
        told = "+".join(map(str, polarizations))
        raise CatalogError(f"{source} gives {name} the polarisations {told!r}, none of which the radar has")
    track = relative_orbit_of(platform, orbit) if relative_orbit is None else relative_orbit
    direction = str(orbit_pass or "").lower()
    if direction not in {"ascending", "descending"} or not str(track).isdigit() or not 1 <= int(str(track)) <= 175:
        told = f"the pass {orbit_pass!r} and the relative orbit {track!r}"
        raise CatalogError(f"{source} gives {name} {told}, which cannot be right; ask it again")
    return Scene(
        id=found[0],
        platform=platform,
        mode=found["mode"],
        product_type=f"MAP{found['type'][-1]}" if found["rtc"] else found["type"],
        polarizations=_CHANNELS[found["channels"]],
        start=_named_or(found["start"], start, source),
        stop=_named_or(found["stop"], stop, source),
        absolute_orbit=orbit,
        relative_orbit=int(str(track)),
        orbit_pass=cast("OrbitPass", direction),
        footprint=footprint_of(footprint, f"{source}: {name}"),
        assets=dict(assets or {}),
        processed=None if processed is None else parse_time(processed, source),
    )


def _named_or(named: str, told: object, source: str) -> datetime:
    """Time as the catalogue tells it, if it agrees with the name to the second; else the name's."""
    moment = datetime.strptime(named, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    if told is None:
        return moment
    fine = parse_time(told, source)
    return fine if fine.replace(microsecond=0) == moment else moment


def parse_time(text: object, source: str) -> datetime:
    """Return a catalogue's time; UTC if it names no zone.

    Raises
    ------
    CatalogError
        If it is none.
    """
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    except ValueError as error:
        raise CatalogError(f"{source} has {text!r} for a time; ask it again") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def footprint_of(footprint: object, source: str) -> BaseGeometry:
    """Return a footprint in longitude and latitude, split at the antimeridian.

    Raises
    ------
    CatalogError
        If it is no polygon on the globe.
    """
    try:
        area = _geometry(footprint)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, shapely.errors.ShapelyError) as error:
        raise CatalogError(f"{source} has no usable footprint; ask the catalogue again") from error
    polygons = [part for part in shapely.get_parts(area) if part.geom_type == "Polygon" and not part.is_empty]
    if not polygons or not (np.abs(area.bounds) <= (360, 90, 360, 90)).all():
        raise CatalogError(f"{source} has a footprint outside the world; ask the catalogue again")
    return shapely.union_all([_unwrapped(polygon) for polygon in polygons])


def _geometry(footprint: object) -> BaseGeometry:
    if isinstance(footprint, str):
        return shapely.force_2d(shapely.from_wkt(re.sub(r"^geography'SRID=\d+;|'$", "", footprint)))
    return shapely.force_2d(footprint if isinstance(footprint, BaseGeometry) else shape(cast("Any", footprint)))


def _unwrapped(polygon: BaseGeometry) -> BaseGeometry:
    """A polygon whose ring jumps by more than half a turn crosses the antimeridian."""
    west, _, east, _ = polygon.bounds
    if east - west <= 180:
        return recentred(polygon)
    x, y = shapely.get_coordinates(shapely.get_exterior_ring(polygon)).T
    return ring_polygon(x[:-1], y[:-1])


def query_area(query: SceneQuery) -> BaseGeometry:
    """Return the area of a query as catalogues take it: two-dimensional, within ±180°, split at the antimeridian."""
    if query.area is None:
        return shapely.box(-180, -90, 180, 90)
    return recentred(shapely.force_2d(query.area))


def matches(scene: Scene, query: SceneQuery) -> bool:
    """Return True if a scene meets a query: not every server applies all filters."""
    start, end = query.period
    return (
        start <= scene.stop
        and scene.start <= end
        and set(query.polarizations) <= set(scene.polarizations)
        and query.orbit_pass in {None, scene.orbit_pass}
        and query.relative_orbit in {None, scene.relative_orbit}
        and query.platform in {None, scene.platform}
        and bool(scene.footprint.intersects(query_area(query)))
    )


def arrange(scenes: Iterable[Scene]) -> list[Scene]:
    """Return each acquisition once, by time.

    Of two resolutions the finer is taken (EW comes as GRDH and GRDM), of one channel and two the two, of several
    processings the newest, of a plain product and its cloud-optimised twin the latter, which is read in place for less.
    """
    best: dict[object, Scene] = {}
    for scene in scenes:
        known = best.get(scene.acquisition)
        if known is None or _rank(scene) > _rank(known):
            best[scene.acquisition] = scene
    return sorted(best.values(), key=lambda scene: (scene.start, scene.id))


def collect(
    found: Iterable[Found], scene_of: Callable[[Found], Scene | None], query: SceneQuery, source: str
) -> list[Scene]:
    """Return the scenes of a catalogue's answer that meet a query, arranged.

    Parameters
    ----------
    found
        Entries of the answer.
    scene_of
        Scene of an entry; None for one of another kind.
    query
        The question.
    source
        The catalogue, for messages.

    Warns
    -----
    ProductWarning
        For each entry that makes no sense; the others are taken.
    """
    scenes: list[Scene | None] = []
    for one in found:
        try:
            scenes.append(scene_of(one))
        except CatalogError as error:
            warnings.warn(f"left out: {error}", ProductWarning, stacklevel=3)
        except (LookupError, TypeError, AttributeError):
            warnings.warn(f"left out: {source} has an entry that cannot be read", ProductWarning, stacklevel=3)
    return arrange(scene for scene in scenes if scene is not None and matches(scene, query))


def asset_of(scene: Scene, name: str, start: str = "") -> str:
    """Return the address of an asset; raise `CatalogError` for a scene of another catalogue."""
    address = scene.assets.get(name, "")
    if not address or not address.startswith(start):
        raise CatalogError(f"{scene.id} is not a scene of this catalogue; search for it in this catalogue first")
    return address


def _rank(scene: Scene) -> tuple[int, int, datetime, bool, str]:
    processed, is_cog = scene.processed or datetime.min.replace(tzinfo=UTC), scene.id.endswith("_COG")
    return _RESOLUTIONS.index(scene.product_type[-1]), len(scene.polarizations), processed, is_cog, scene.id


def group_passes(scenes: Iterable[Scene]) -> list[tuple[Scene, ...]]:
    """Return the scenes of each pass together: one overflight is one look at a port, however it is cut into slices.

    Parameters
    ----------
    scenes
        In any order; twins of an acquisition count once.

    Returns
    -------
    list of tuple of Scene
        Slices of each pass, all in order of time.

    Examples
    --------
    >>> group_passes([])
    []
    """
    found = arrange(scenes)
    start, stop = ([getattr(scene, name).replace(tzinfo=None) for scene in found] for name in ("start", "stop"))
    numbers = number_passes([scene.platform for scene in found], start, stop)
    groups: list[list[Scene]] = [[] for _ in np.unique(numbers)]
    for scene, number in zip(found, numbers, strict=True):
        groups[number].append(scene)
    return [tuple(group) for group in groups]


def scene_as_dict(scene: Scene) -> dict[str, Any]:
    """Return a scene as plain JSON values."""
    plain = {name: value for name, value in asdict(scene).items() if name != "footprint"}
    for name in _TIMES:
        plain[name] = None if plain[name] is None else plain[name].isoformat()
    return {**plain, "polarizations": list(scene.polarizations), "footprint": scene.footprint.wkb_hex}


def scene_from_dict(plain: Mapping[str, Any]) -> Scene:
    """Return the scene that `scene_as_dict` gave."""
    times = {name: None if plain[name] is None else datetime.fromisoformat(plain[name]) for name in _TIMES}
    footprint = shapely.from_wkb(plain["footprint"])
    return Scene(**{**plain, **times, "polarizations": tuple(plain["polarizations"]), "footprint": footprint})
