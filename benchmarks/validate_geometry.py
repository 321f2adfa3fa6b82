"""Hold sarship's geometry against the tie points of real products.

Every tie point has a position with its own height, an azimuth time, a slant range, a line and a pixel, as ESA's
processor computed them. Four differences are printed for each annotation, with the bound that each must keep:

- time: zero-Doppler time of the position, from the orbit, against the azimuth time, in lines;
- range: distance to the satellite then, against the slant range time, in metres;
- line: `to_image` of the position against the line;
- pixel: the range law inverted at the slant range, against the pixel; on the last line of tie points apart,
  because processors before IPF 2.9 put that line elsewhere.

Then what is ours alone: `to_map` and back over the image, and how far the sea surface moves a place.

Run: `python benchmarks/validate_geometry.py FOLDER` with a folder of `.SAFE` folders and zips. Exits with 1 if a
bound is broken, with 2 if there is nothing to measure.
"""

from __future__ import annotations

import re
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from sarship.geo.earth import cartesian
from sarship.sentinel1.annotation import Annotation, read_annotation

SPEED_OF_LIGHT: Final = 299_792_458.0
GRID: Final = 200


class Case(NamedTuple):
    """One annotation of one product."""

    name: str
    data: bytes
    ipf: tuple[int, ...]


BOUNDS: Final = {"time": 0.05, "range": 1e-3, "line": 0.25, "pixel": 1e-6, "pixel, last": 1e-6, "there and back": 0.01}
BOUNDS_BEFORE_2_9: Final = BOUNDS | {"time": 0.3, "line": 0.5, "pixel, last": 2.5}


def bounds(case: Case) -> dict[str, float]:
    """Largest difference allowed, by the name of the measure."""
    return BOUNDS if case.ipf >= (2, 90) else BOUNDS_BEFORE_2_9


def cases(folder: Path) -> Iterator[Case]:
    """The annotations of every product in a folder: `.SAFE` folders, and zips of them."""
    for product in sorted(folder.iterdir()):
        if product.is_dir():
            members = {path.relative_to(product).as_posix(): path.read_bytes for path in product.rglob("*.[xs]*")}
            yield from _annotations(product.name, {name: read() for name, read in members.items() if _wanted(name)})
        elif product.suffix == ".zip":
            with zipfile.ZipFile(product) as archive:
                names = [name for name in archive.namelist() if _wanted(name.partition("/")[2])]
                yield from _annotations(product.name, {name.partition("/")[2]: archive.read(name) for name in names})


def _wanted(name: str) -> bool:
    return name == "manifest.safe" or re.fullmatch(r"annotation/[^/]+\.xml", name) is not None


def _annotations(product: str, members: dict[str, bytes]) -> Iterator[Case]:
    found = re.search(rb'Sentinel-1 IPF" version="(\d+)\.(\d+)"', members.pop("manifest.safe", b""))
    ipf = (int(found[1]), int(found[2])) if found else (99, 0)
    for name in sorted(members):
        yield Case(f"{product}/{name}", members[name], ipf)


def measure(annotation: Annotation) -> dict[str, float]:
    """Largest differences over all tie points, and over a grid of the image for `there and back`."""
    geometry, tie = annotation.geometry, annotation.tie_points()
    place = cartesian(tie["longitude"], tie["latitude"], tie["height_m"])
    passed = geometry.orbit.zero_doppler(place)
    told = (tie["azimuth_time"] - geometry.first_line) / np.timedelta64(1, "ns") * 1e-9
    distance = np.linalg.norm(place - geometry.orbit.state(passed)[0], axis=0)
    slant = tie["slant_range_time_s"] * SPEED_OF_LIGHT / 2
    line, _ = geometry.to_image(tie["longitude"], tie["latitude"], tie["height_m"])
    pixel = np.abs(geometry.ground_range.pixel(tie["line"], slant) - tie["pixel"])
    last = tie["line"] == tie["line"].max()
    return {
        "time": float(np.max(np.abs(passed - told)) / geometry.line_interval_s),
        "range": float(np.max(np.abs(distance - slant))),
        "line": float(np.max(np.abs(line - tie["line"]))),
        "pixel": float(np.max(pixel[~last])),
        "pixel, last": float(np.max(pixel[last])),
        "there and back": there_and_back(annotation),
    }


def there_and_back(annotation: Annotation) -> float:
    """Largest difference, in pixels, of `to_image(to_map(…))` over a grid of the image and a rim around it."""
    geometry = annotation.geometry
    line = np.linspace(-100, geometry.shape[0] + 99, GRID)[:, None]
    pixel = np.linspace(-100, geometry.shape[1] + 99, GRID)[None, :]
    back = geometry.to_image(*geometry.to_map(line, pixel))
    return float(max(np.max(np.abs(back[0] - line)), np.max(np.abs(back[1] - pixel))))


def sea_shift_m(annotation: Annotation) -> float:
    """How far from its place on the ellipsoid the middle of the image lies on the sea surface, metres."""
    geometry = annotation.geometry
    middle = (geometry.shape[0] - 1) / 2, (geometry.shape[1] - 1) / 2
    _, pixel = geometry.to_image(*geometry.to_map(*middle), 0.0)
    return float(abs(pixel - middle[1]) * geometry.pixel_spacing_m)


def seconds_per_million(annotation: Annotation) -> tuple[float, float]:
    """Time of `to_map` and `to_image` for a million points."""
    generator, n = np.random.default_rng(0), 100_000
    geometry = annotation.geometry
    line, pixel = generator.uniform(0, geometry.shape[0], n), generator.uniform(0, geometry.shape[1], n)
    start = time.perf_counter()
    lon, lat = geometry.to_map(line, pixel)
    middle = time.perf_counter()
    geometry.to_image(lon, lat)
    return (middle - start) * 1e6 / n, (time.perf_counter() - middle) * 1e6 / n


def main() -> int:
    found = list(cases(Path(sys.argv[1])))
    broken = 0
    print(f"{'annotation':<62}{'IPF':>7}" + "".join(f"{name:>16}" for name in BOUNDS) + "  sea shift   open  map/image")
    for case in found:
        start = time.perf_counter()
        annotation = read_annotation(case.data, case.name)
        opened = time.perf_counter() - start
        values, allowed = measure(annotation), bounds(case)
        bad = [name for name, value in values.items() if not value <= allowed[name]]
        broken += len(bad)
        label = f"{case.name[:32]} {annotation.polarization} {annotation.mode} orbit {annotation.absolute_orbit}"
        to_map, to_image = seconds_per_million(annotation)
        print(
            f"{label:<62}{'.'.join(map(str, case.ipf)):>7}"
            + "".join(f"{value:>15.2g}{'!' if name in bad else ' '}" for name, value in values.items())
            + f"{sea_shift_m(annotation):>9.1f} m{opened * 1e3:>4.0f} ms  {to_map:.2f}/{to_image:.2f} s"
        )
    print("units: time and line in lines, range in metres, pixel and there and back in pixels; s for a million points")
    print(f"{len(found)} annotations, {broken} bounds broken" + (", marked with !" if broken else ""))
    return 2 if not found else int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
