"""Make the packaged geoid table from the EGM96 15-minute grid, and measure what the coarser table costs.

The source is `egm96_15.gtx` as Debian's `proj-data` package ships it (`apt-get install proj-data`, then
`/usr/share/proj/egm96_15.gtx`): geoid heights of EGM96 above the WGS 84 ellipsoid (NGA/NASA, public domain).
The table keeps every second node as int16 centimetres.

Run: `python benchmarks/make_geoid.py /usr/share/proj/egm96_15.gtx [sarship/data/egm96.npz]`; without the second
argument it only measures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarship.geo.earth import geoid_height_m

N_LATITUDE, N_LONGITUDE = 721, 1440


def read_gtx(path: Path) -> NDArray[np.float64]:
    """Heights in metres, (721, 1440): rows from 90° S to 90° N, columns from 180° W to 179.75° E."""
    data = path.read_bytes()
    header = np.frombuffer(data, ">f8", 4), np.frombuffer(data, ">i4", 2, offset=32)
    expected = np.array([-90.0, -180.0, 0.25, 0.25]), np.array([N_LATITUDE, N_LONGITUDE])
    if not all(np.array_equal(found, wanted) for found, wanted in zip(header, expected, strict=True)):
        raise SystemExit(f"{path} is not the 15-minute EGM96 grid: its header says {header}")
    return np.frombuffer(data, ">f4", offset=40).reshape(N_LATITUDE, N_LONGITUDE).astype(np.float64)


def make_table(grid: NDArray[np.float64]) -> NDArray[np.int16]:
    """Every second node in whole centimetres, (361, 720), from 90° S and 180° W."""
    return np.rint(grid[::2, ::2] * 100).astype(np.int16)


def measure(grid: NDArray[np.float64]) -> str:
    """Difference of the packaged table, as the library interpolates it, from the full grid."""
    latitude = np.linspace(-90, 90, N_LATITUDE)[:, None]
    longitude = -180 + 0.25 * np.arange(N_LONGITUDE)[None, :]
    difference = geoid_height_m(longitude, latitude) - grid
    weight = np.broadcast_to(np.cos(np.radians(latitude)), difference.shape)
    rms = np.sqrt(np.average(difference**2, weights=weight))
    line, column = np.unravel_index(np.argmax(np.abs(difference)), difference.shape)
    worst = abs(difference[line, column])
    place = f"{latitude[line, 0]:.2f} N {longitude[0, column]:.2f} E"
    return f"against the 15-minute grid: {rms:.3f} m rms (weighted by area), {worst:.2f} m worst, at {place}"


def main() -> None:
    grid = read_gtx(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        np.savez_compressed(sys.argv[2], height_cm=make_table(grid))
    print(measure(grid))


if __name__ == "__main__":
    main()
