"""Ports on water of any height, imaged where a radar shows it."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from sarship.geo.earth import geoid_height_m
from sarship.sentinel1.product import open_grd
from sarship.simulate import ProductParams, Vessel, simulate_product

M = 1 / 111_195
"""Degrees of latitude in a metre."""
BERTHS_M = ((-800, 0), (0, -700), (500, 600))
"""Metres east and north of the port's middle at which a vessel lies, the quay 20 m east of it."""
SMALL = ProductParams(shape=(500, 500), polarizations=("VV",))


@dataclass(frozen=True)
class LakePort:
    """A port, and what simulates its passes."""

    longitude: float
    latitude: float
    level_m: float
    """Height of the water over the geoid, in truth."""

    @property
    def params(self):
        """Of its first date."""
        return replace(SMALL, longitude=self.longitude, latitude=self.latitude)

    @property
    def berths(self):
        """Longitude and latitude of each vessel."""
        squeeze = np.cos(np.radians(self.latitude))
        return [(self.longitude + east * M / squeeze, self.latitude + north * M) for east, north in BERTHS_M]

    def dates(self, number):
        """Parameters of so many dates of one orbit."""
        first = self.params
        return [
            replace(first, time=first.time + timedelta(days=12 * k), absolute_orbit=first.absolute_orbit + 175 * k)
            for k in range(number)
        ]

    def vessels(self, folder):
        """Return the vessels at the places where the image shows them: the simulator knows the sea alone."""
        geometry = open_grd(simulate_product(Path(folder) / "empty", self.params, n_vessels=0)[0]).geometry
        shown = []
        for lon, lat in self.berths:
            x, y = geometry.to_map(*geometry.to_image(lon, lat, geoid_height_m(lon, lat) + self.level_m))
            shown.append(Vessel(longitude=x.item(), latitude=y.item(), length_m=150, rcs_m2=60_000))
        return shown

    def write(self, path, **members):
        """Write its port file."""
        squeeze = np.cos(np.radians(self.latitude))
        features = []
        for k, (lon, lat) in enumerate(self.berths, 1):
            quay = [[lon + 20 * M / squeeze, lat + end * M] for end in (-150, 150)]
            properties = {"name": f"Quay {k}", "kind": "pier"}
            line = {"type": "LineString", "coordinates": quay}
            features.append({"type": "Feature", "properties": properties, "geometry": line})
        path.write_text(json.dumps({"type": "FeatureCollection", "name": "Port", **members, "features": features}))
        return path


DULUTH = LakePort(-92.09, 46.77, 183.4)
OHRID = LakePort(20.79, 41.10, 693.0)
"""A lake that the table does not know."""
