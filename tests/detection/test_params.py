import json
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pytest

from sarship.cfar.params import CfarParams
from sarship.detection.params import DetectionParams
from sarship.errors import ProductError
from sarship.pipeline.results import Provenance


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"pfa": 0}, "pfa must lie in"),
        ({"pfa": 0.5}, "got 0.5"),
        ({"pier_pfa": 1}, "pier_pfa must lie in"),
        ({"pfa": 1e-300}, "pfa must lie in"),
        ({"pier_pfa": 1e-30}, "pier_pfa must lie in"),
        ({"training_m": 0}, "training_m > 0"),
        ({"guard_m": float("nan")}, "guard_m"),
        ({"min_ring": 0}, "min_ring"),
        ({"link_m": -1}, "not negative, got link_m=-1"),
        ({"clutter_model": "rayleigh"}, "clutter_model must be one of .*'gamma'.*got 'rayleigh'"),
        ({"average": "mean"}, "average must be one of .*'goca'.*got 'mean'"),
        ({"average": "os", "clutter_model": "k"}, "average='os' needs clutter_model='gamma', got 'k'; take"),
        ({"clutter_shape": 3.0}, "clutter_shape=3.0 needs clutter_model='k', got 'gamma'; leave it None"),
        ({"clutter_shape": 0.01, "clutter_model": "k"}, "clutter_shape must be .*0.1 at least.*got 0.01"),
        ({"iterations": 0}, "iterations must lie in 1 … 100.*got 0"),
    ],
)
def test_refused_with_value_and_remedy(wrong, said):
    with pytest.raises(ValueError, match=said):
        DetectionParams(**wrong)


def test_whole_iterations_only():
    with pytest.raises(TypeError, match=r"iterations must be a whole number, got 1\.5"):
        DetectionParams(iterations=1.5)


def test_an_image_gets_the_ring_in_its_pixels_and_all_choices():
    params = DetectionParams(pfa=1e-7, clutter_model="k", clutter_shape=4, iterations=np.int64(3), training_m=100)
    expected = CfarParams(
        pfa=1e-7,
        guard=(10, 20),
        training=(5, 10),
        clutter_model="k",
        clutter_shape=4.0,
        iterations=3,
        enl=3.1,
        effective_sample_ratio=0.2,
        min_ring=103,  # a tenth of 31 by 61 pixels less 21 by 41, rounded up
    )
    assert params.for_image((20.0, 10.0), enl=3.1, effective_sample_ratio=0.2) == expected
    with pytest.raises(ProductError, match=r"a ring of 100 m around 200 m .* pixels of 1 by 1 m.*make it narrower"):
        params.for_image((1.0, 1.0), enl=3.1, effective_sample_ratio=0.2)


def provenance(params):
    return Provenance(version="1", parameters=params, port="", scenes=(), created=datetime(2025, 1, 1, tzinfo=UTC))


def test_choices_survive_the_provenance():
    params = DetectionParams(clutter_model="k", clutter_shape=np.float64(4), iterations=np.int64(3))
    written = provenance(params).as_dict()
    assert Provenance.from_dict(json.loads(json.dumps(written))) == provenance(params)


def test_results_from_before_the_choices_read_as_what_they_were():
    """There was the gamma clutter model and the mean of the whole ring, once."""
    values = provenance(DetectionParams()).as_dict()
    for name in ("clutter_model", "clutter_shape", "average", "iterations"):
        del values["parameters"][name]
    assert Provenance.from_dict(values).parameters == DetectionParams()
    assert asdict(DetectionParams())["clutter_model"] == "gamma"
