"""Images of ships on a plane whose geometry is exact, and their hits."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from pyproj import Geod
from scipy import ndimage

from sarship.model import Hits

GEOD = Geod(ellps="WGS84")


@dataclass
class FlatGeometry:
    """Lines run along `heading` from a corner, pixels to the right of it; exact near the corner."""

    spacing: tuple[float, float] = (10.0, 10.0)
    heading: float = 180.0

    def to_map(self, line, pixel):
        down, right = np.asarray(line, float) * self.spacing[0], np.asarray(pixel, float) * self.spacing[1]
        azimuth = self.heading + np.degrees(np.arctan2(right, down))
        corner = np.broadcast_to(35.0, azimuth.shape), np.broadcast_to(34.0, azimuth.shape)
        return GEOD.fwd(*corner, azimuth, np.hypot(down, right))[:2]

    def time_at(self, line):
        return np.datetime64("2024-12-01T03:43:00", "ns") + (np.asarray(line) * 1_500_000).astype("timedelta64[ns]")


def make_product(**options):
    geometry = FlatGeometry(**options)
    return SimpleNamespace(
        scene=SimpleNamespace(id="S1A_TEST"),
        geometry=geometry,
        line_spacing_m=geometry.spacing[0],
        pixel_spacing_m=geometry.spacing[1],
    )


def hits_of(power, threshold=6.0, clutter=1.0, **columns):
    """Every pixel of an image above a threshold, the way the detector gives them."""
    line, pixel = np.nonzero(power > threshold)
    value = power[line, pixel].astype(float)
    return Hits(
        line=line,
        pixel=pixel,
        value=value,
        clutter=np.full(value.size, clutter),
        score=(value / threshold).astype(np.float32),
        **columns,
    )


def ship_image(length_m, heading_deg, *, strength=3000.0, centre=(60, 60), spacing=(10.0, 10.0), shape=(121, 121)):
    """A row of equal scatterers 5 m apart seen through a Gaussian response 2.1 spacings wide, over unit clutter."""
    fine = 4
    power = np.zeros((shape[0] * fine, shape[1] * fine))
    along = np.arange(-length_m / 2, length_m / 2 + 0.1, 5.0)
    down, right = -np.cos(np.radians(heading_deg)) * along, np.sin(np.radians(heading_deg)) * along
    rows = np.round((centre[0] + 0.5 + down / spacing[0]) * fine - 0.5).astype(int)
    columns = np.round((centre[1] + 0.5 + right / spacing[1]) * fine - 0.5).astype(int)
    np.add.at(power, (rows, columns), strength * fine**2)
    seen = ndimage.gaussian_filter(power, 2.1 * fine / 2.355)
    return 1.0 + seen.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))


def north_up(**options):
    """Lines run south and pixels must run east, but a turn to the right of south is west: fly north, mirrored."""
    product = make_product(**options)
    flat = product.geometry
    product.geometry = SimpleNamespace(
        to_map=lambda line, pixel: flat.to_map(np.asarray(line), -np.asarray(pixel)), time_at=flat.time_at
    )
    return product
