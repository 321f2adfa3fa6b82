"""Results of a survey of one scene, without any product."""

from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import shapely

from builders.tables import BLANK
from sarship import __version__
from sarship.detection.params import DetectionParams
from sarship.pipeline.results import Failure, Provenance, Results
from sarship.schema import COVERAGE, SCENES, VESSELS

SCENE = "S1A_IW_GRDH_1SDV_20241203T154210_20241203T154211_056821_06EFA2_E919"
START = datetime(2024, 12, 3, 15, 42, 10, 485484, tzinfo=UTC)


def make_results(*, n_vessels=2, is_simulated=True):
    """One scene, two piers (one of them not seen), some vessels at the first."""
    vessel = {column.name: [BLANK[column.dtype]] * n_vessels for column in VESSELS.columns} | {
        "vessel": [f"{SCENE}/{k}" for k in range(n_vessels)],
        "scene": [SCENE] * n_vessels,
        "time": [START] * n_vessels,
        **{name: np.arange(n_vessels) + 0.1 for name in ("line", "pixel", "longitude", "latitude")},
        **{name: np.full(n_vessels, 50.5) for name in ("length_m", "width_m", "heading_deg", "score", "sigma0_co")},
        **{name: np.full(n_vessels, 5.0) for name in ("length_error_m", "width_error_m", "heading_error_deg")},
        **{name: np.ones(n_vessels, np.int64) for name in ("n_vessels", "n_low", "n_high")},
        "confidence": np.full(n_vessels, 0.9),
        "evidence": ["ring"] * n_vessels,
        "sigma0_cross": np.full(n_vessels, np.nan),
        "n_hits": np.full(n_vessels, 7),
        "is_edge": np.zeros(n_vessels, bool),
        "pier": ["Östra kajen"] * n_vessels,
        "distance_m": np.full(n_vessels, 12.0),
    }
    scene = {
        "scene": [SCENE], "platform": ["S1A"], "mode": ["IW"], "product_type": ["GRDH"], "polarizations": ["VV VH"],
        "start": [START], "stop": [START], "absolute_orbit": [56821], "relative_orbit": [149],
        "orbit_pass": ["ascending"], "has_noise": [True], "land_is_masked": [False],
    }  # fmt: skip
    coverage = {column.name: [BLANK[column.dtype]] * 2 for column in COVERAGE.columns} | {
        "scene": [SCENE, SCENE], "pier": ["Östra kajen", "Far, \"away\""], "seen": [1.0, 0.0],
        "detectable_length_m": [18.0, np.nan], "incidence_deg": [37.0, np.nan],
        "n_reference_dates": [0, 0],
    }  # fmt: skip
    area = shapely.box(0, 0, 1, 1)
    piers = gpd.GeoDataFrame(
        {"name": coverage["pier"], "kind": ["pier", "pier"], "max_distance_m": [50.0, 50.0]},
        geometry=[area, shapely.Point(10, 10)],
        crs="EPSG:4326",
    )
    return Results(
        vessels=VESSELS.make(vessel, [shapely.Point(k, k) for k in range(n_vessels)]),
        scenes=SCENES.make(scene, [area]),
        coverage=COVERAGE.make(coverage, [area, shapely.Polygon()]),
        piers=piers,
        provenance=Provenance(
            version=__version__,
            parameters=DetectionParams(pfa=1e-8),
            port="Hamn – Ö",
            scenes=(SCENE,),
            created=datetime(2025, 1, 1, tzinfo=UTC),
            is_simulated=is_simulated,
        ),
        failures=(Failure(path="b\nad.SAFE", message="it is empty; fetch it again"),),
        sources={SCENE: "/somewhere/it.SAFE"},
    )
