"""Scenes of Tartus in the winter of 2024/25, from every catalogue: scenes, missing passes, a window read in place.

Without a connection each catalogue is not reached. Accounts are those of `sarship login` or of the environment.
"""

import logging
import os
import tempfile

import numpy as np

import sarship as ss
from sarship.catalog import CATALOGS, group_passes
from sarship.errors import SarshipError
from sarship.port.index import only_port, port_area

logging.disable(logging.WARNING)  # the libraries beneath warn of each retry
AREA = port_area(only_port("Tartus"))
QUERY = ss.SceneQuery(area=AREA, start="2024-12-01", end="2025-02-15")


def one_line(error: SarshipError) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split())


def query(name: str) -> set[str]:
    """Query one catalogue, print its scenes and the brightness of the first, and return its passes."""
    try:
        catalog = ss.open_catalog(name)
        scenes = list(catalog.search(QUERY))
    except SarshipError as error:
        print(f"{name}: not reached: {one_line(error)}")
        return set()
    print(f"{name}: {len(scenes)} scenes; {ss.completeness(scenes, QUERY)}")
    if scenes and catalog.reads_windows:
        try:
            sigma0 = catalog.open(scenes[0]).sigma0(area=AREA)
            print(f"  {scenes[0].id}: {dict(sigma0.sizes)}, {10 * np.log10(float(sigma0.mean())):.1f} dB on average")
        except SarshipError as error:
            print(f"  windows are not read: {one_line(error)}")
    return {f"{group[0].platform} {group[0].start:%Y-%m-%d %H:%M}" for group in group_passes(scenes)}


with tempfile.TemporaryDirectory() as cache:
    os.environ["SARSHIP_CACHE"] = cache
    found = {name: query(name) for name in CATALOGS if name != "local"}
reached = {name: passes for name, passes in found.items() if passes}
for one in sorted(set().union(*reached.values())):
    if lacking := [name for name, passes in reached.items() if one not in passes]:
        print(f"{one}: not in {', '.join(lacking)}")
print(f"{len(reached)} of {len(found)} catalogues have scenes of Tartus")
