"""Tables of one apron on the passes of some orbits in turn, as they are measured."""

import numpy as np
import pandas as pd
from shapely.geometry import box

from sarship.schema import APRONS

NOISE_DB = 0.5
EMPTY_M2 = 200.0
PLACE = box(35.81, 34.92, 35.811, 34.921)


def make_aprons(
    level_db, cross_db=None, bright=None, *, orbits=(87,), name="Yard", surface="", noise_db=NOISE_DB, place=PLACE
):
    """Levels over the reference, twelve days a cycle; by default VH as VV, and cells stand out with the level."""
    level = np.asarray(level_db, float)
    cross = level if cross_db is None else np.asarray(cross_db, float)
    share = np.clip(0.04 * level, 0.0, 1.0) if bright is None else np.asarray(bright, float)
    n = len(level)
    measured = np.where(np.isfinite(level), 1.0, np.nan)
    days = 12 * (np.arange(n) // len(orbits)) + 2 * (np.arange(n) % len(orbits))
    ratio = 10 ** (level / 10)
    columns = {
        "apron": [name] * n,
        "surface": [surface] * n,
        "time": pd.Timestamp("2024-12-01T15:42Z") + pd.to_timedelta(days, "D"),
        "scene": [f"scene {k}" for k in range(n)],
        "relative_orbit": np.resize(orbits, n),
        "state": ["unknown"] * n,
        "level_db": level,
        "level_error_db": noise_db * measured,
        "level_cross_db": cross,
        "level_cross_error_db": noise_db * np.where(np.isfinite(cross), 1.0, np.nan),
        "added_m2": (ratio - 1) * EMPTY_M2,
        "added_error_m2": 0.11 * ratio * EMPTY_M2,
        "detectable_added_m2": 150.0 * measured,
        "empty_m2": EMPTY_M2 * measured,
        "bright_share": share * measured,
        "bright_error": 0.02 * measured,
        "may_be_wet": [False] * n,
        "n_cells": np.where(np.isfinite(level), 49, 0),
        "n_reference_dates": [n] * n,
        "note": np.where(np.isfinite(level), "", "not imaged"),
    }
    return APRONS.make(columns, [place] * n)
