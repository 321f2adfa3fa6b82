"""The WGS 84 ellipsoid and the sea surface (geoid EGM96).

Coordinates are Earth-fixed and Cartesian (x through 0° E, z through the north pole, metres) or geodetic
(longitude and latitude in degrees, height above the ellipsoid in metres).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["cartesian", "geodetic", "geoid_height_m", "up_and_height"]

SEMI_MAJOR_M: Final = 6_378_137.0
FLATTENING: Final = 1 / 298.257_223_563
SEMI_MINOR_M: Final = SEMI_MAJOR_M * (1 - FLATTENING)
ECCENTRICITY_2: Final = FLATTENING * (2 - FLATTENING)
SECOND_ECCENTRICITY_2: Final = ECCENTRICITY_2 / (1 - ECCENTRICITY_2)
GEOID_NODES_PER_DEGREE: Final = 2

Floats = NDArray[np.float64]


def cartesian(longitude: ArrayLike, latitude: ArrayLike, height_m: ArrayLike) -> Floats:
    """Return the Earth-fixed position of geodetic coordinates.

    Parameters
    ----------
    longitude, latitude
        Degrees, broadcast against each other.
    height_m
        Height above the ellipsoid, metres.

    Returns
    -------
    ndarray
        Metres, (3, …).

    Examples
    --------
    >>> cartesian(0.0, 90.0, 10.0)[2].item()
    6356762.314...
    """
    lon, lat, height = (np.asarray(value, np.float64) for value in (longitude, latitude, height_m))
    lon, lat = np.radians(lon), np.radians(lat)
    sin_lat, cos_lat = np.sin(lat), np.cos(lat)
    normal = SEMI_MAJOR_M / np.sqrt(1 - ECCENTRICITY_2 * sin_lat**2)
    across = (normal + height) * cos_lat
    up = (normal * (1 - ECCENTRICITY_2) + height) * sin_lat
    return np.stack(np.broadcast_arrays(across * np.cos(lon), across * np.sin(lon), up))


def up_and_height(position: Floats) -> tuple[Floats, Floats]:
    """Return the unit normal of the ellipsoid, (3, n), and height above it, (n,), at Earth-fixed positions (3, n).

    Bowring's formula (1976, 1985) in vectors: it forms no angle, so the poles are not singular. Exact to a nanometre
    within 10 km of the surface.
    """
    x, y, z = position
    across = np.hypot(x, y)
    radius = np.hypot(across, z)
    tangent = z * (SEMI_MINOR_M / SEMI_MAJOR_M) * (1 + SECOND_ECCENTRICITY_2 * SEMI_MINOR_M / radius)
    scale = 1 / np.hypot(across, tangent)
    sin_u, cos_u = tangent * scale, across * scale
    rise = z + SECOND_ECCENTRICITY_2 * SEMI_MINOR_M * sin_u * sin_u * sin_u
    run = across - ECCENTRICITY_2 * SEMI_MAJOR_M * cos_u * cos_u * cos_u
    scale = 1 / np.hypot(rise, run)
    sin_lat, cos_lat = rise * scale, run * scale
    height = across * cos_lat + z * sin_lat - SEMI_MAJOR_M * np.sqrt(1 - ECCENTRICITY_2 * sin_lat * sin_lat)
    outward = cos_lat / np.maximum(across, np.finfo(float).tiny)
    return np.stack([outward * x, outward * y, sin_lat]), height


def geodetic(position: Floats) -> tuple[Floats, Floats, Floats]:
    """Return longitude, latitude and height of Earth-fixed positions.

    Parameters
    ----------
    position
        Metres, (3, n), within 10 km of the surface.

    Returns
    -------
    longitude, latitude, height_m
        Degrees and metres above the ellipsoid, (n,) each.

    References
    ----------
    Bowring, Transformation from spatial to geographical coordinates, Survey Review 23 (181), 323-327, 1976.

    Examples
    --------
    >>> longitude, latitude, height_m = geodetic(cartesian([35.86], [34.9], [23.3]))
    >>> longitude.round(6), latitude.round(6), height_m.round(6)
    (array([35.86]), array([34.9]), array([23.3]))
    """
    up, height = up_and_height(position)
    return *directions(up), height


def directions(up: Floats) -> tuple[Floats, Floats]:
    """Return longitude in [-180, 180] and latitude, degrees, of unit normals (3, n) of the ellipsoid."""
    east, north, pole = up
    return np.degrees(np.arctan2(north, east)), np.degrees(np.arctan2(pole, np.hypot(east, north)))


@cache
def _geoid_table() -> Floats:
    """Return heights in metres, (361, 721): from 90° S to 90° N and 180° W to 180° E, the last column a repeat."""
    with files("sarship").joinpath("data/egm96.npz").open("rb") as file, np.load(file) as archive:
        table = archive["height_cm"]
    table = np.concatenate([table, table[:, :1]], axis=1) / 100.0
    table.setflags(write=False)
    return table


def geoid_height_m(longitude: ArrayLike, latitude: ArrayLike) -> Floats:
    """Return the height of the sea surface (geoid EGM96) above the WGS 84 ellipsoid, metres.

    Bilinear in the packaged half-degree table, whose error `sarship/data/README.md` states (0.14 m rms).

    Parameters
    ----------
    longitude, latitude
        Degrees, broadcast against each other. Any longitude is taken modulo 360. NaN gives NaN.

    Returns
    -------
    ndarray
        float64, in the shape of the two together.

    References
    ----------
    Lemoine et al., The Development of the Joint NASA GSFC and NIMA Geopotential Model EGM96, NASA/TP-1998-206861.

    Examples
    --------
    >>> geoid_height_m([35.86, 35.86 - 360], 34.9).round(1)
    array([23.3, 23.3])
    """
    lon, lat = np.broadcast_arrays(np.asarray(longitude, np.float64), np.asarray(latitude, np.float64))
    table = _geoid_table()
    n_rows, n_columns = table.shape
    x = np.mod(lon + 180.0, 360.0) * GEOID_NODES_PER_DEGREE
    y = (np.clip(lat, -90.0, 90.0) + 90.0) * GEOID_NODES_PER_DEGREE
    known = np.isfinite(x + y)
    column = np.minimum(np.where(known, x, 0).astype(np.intp), n_columns - 2)
    row = np.minimum(np.where(known, y, 0).astype(np.intp), n_rows - 2)
    right, upper = x - column, y - row
    corner = row * n_columns + column
    flat = table.ravel()
    south = flat[corner] * (1 - right) + flat[corner + 1] * right
    north = flat[corner + n_columns] * (1 - right) + flat[corner + n_columns + 1] * right
    return np.asarray(south * (1 - upper) + north * upper)
