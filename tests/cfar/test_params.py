"""Parameters of any kind are taken or named in an error."""

import re
from dataclasses import fields

import numpy as np
import pytest
from builders import twins
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sarship.cfar import CfarParams

FIELDS = [field.name for field in fields(CfarParams)]
more = settings(twins.examples, max_examples=twins.examples.max_examples * 8)

numbers = st.integers() | st.integers(-3, 40) | st.floats() | st.sampled_from([0, 1, 0.5, 1e-3, np.float32(0.1), 128])
numbers |= st.booleans() | st.integers(0, 255).map(np.uint8) | st.integers(-9, 99).map(np.int64)
others = st.none() | st.text(max_size=3) | st.complex_numbers() | st.binary(max_size=2) | st.sampled_from([{}, [], "k"])
arrays = hnp.arrays(st.sampled_from(["f8", "i8"]), hnp.array_shapes(min_dims=0, max_dims=2, max_side=2))
wild = numbers | others | arrays | st.tuples(numbers) | st.tuples(numbers, numbers) | st.lists(numbers, max_size=2)


def spellings(value):
    """How an error may write a value: as it was given, or as Python's own numbers."""
    plain = tuple(getattr(v, "item", lambda v=v: v)() for v in value) if isinstance(value, tuple) else value
    return {repr(value), str(value), repr(plain)}


@given(st.dictionaries(st.sampled_from(FIELDS), wild, min_size=1, max_size=3))
@more
def test_parameters_are_taken_or_named(given_fields):
    try:
        params = CfarParams(**given_fields)
    except (ValueError, TypeError) as error:
        message = str(error)
        named = [name for name, value in given_fields.items() if any(text in message for text in spellings(value))]
        assert any(re.search(rf"\b{name}\b", message) for name in named), message
        return
    for name, value in given_fields.items():
        # kept as Python's own numbers, whose sums do not overflow
        kept = getattr(params, name)
        assert kept == value
        assert type(kept) in {int, float, str, tuple, type(None)}


@pytest.mark.parametrize(
    ("field", "error", "named"),
    [
        ({"pfa": 0}, ValueError, "pfa"),
        ({"pfa": 0.5}, ValueError, "0.5"),
        ({"pfa": float("nan")}, ValueError, "nan"),
        ({"training": 0}, ValueError, "training=0"),
        ({"guard": -1}, ValueError, "guard=-1"),
        ({"training": (1, 0)}, ValueError, r"\(1, 0\)"),
        ({"guard": 1.5}, TypeError, "1.5"),
        ({"guard": True}, TypeError, "True"),
        ({"training": (1, 2, 3)}, TypeError, r"\(1, 2, 3\)"),
        ({"clutter_model": "rayleigh"}, ValueError, "rayleigh"),
        ({"enl": 0}, ValueError, "enl"),
        ({"enl": float("inf")}, ValueError, "inf"),
        ({"effective_sample_ratio": 0}, ValueError, "effective_sample_ratio"),
        ({"effective_sample_ratio": 1.1}, ValueError, "1.1"),
        ({"min_ring": 0}, ValueError, "min_ring"),
        ({"min_ring": 1241}, ValueError, "1240"),
        ({"max_hits": 0}, ValueError, "max_hits"),
        ({"training": 118}, ValueError, "65535"),
        ({"average": "median"}, ValueError, "median"),
        ({"average": None}, ValueError, "None"),
        ({"average": "os", "clutter_model": "lognormal"}, ValueError, "lognormal"),
        ({"average": "goca", "clutter_model": "gaussian"}, ValueError, "goca"),
        ({"rank": 0}, ValueError, "rank"),
        ({"rank": 1.01}, ValueError, "1.01"),
        ({"rank": float("nan")}, ValueError, "nan"),
    ],
)
def test_bad_parameters_are_named(field, error, named):
    with pytest.raises(error, match=named):
        CfarParams(**field)
