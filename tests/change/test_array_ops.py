"""Quick medians and masks are those of NumPy and SciPy, to the last bit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from sarship.change.array_ops import median_of, spread_out


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(0, 2.0**99, width=32)))
def test_median_is_that_of_numpy(values):
    assert median_of(values) == np.median(values)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(1, 5))
def test_spread_is_a_dilation(cells, n_steps):
    before = cells.copy()
    np.testing.assert_array_equal(spread_out(cells, n_steps), ndimage.binary_dilation(cells, iterations=n_steps))
    np.testing.assert_array_equal(cells, before)
