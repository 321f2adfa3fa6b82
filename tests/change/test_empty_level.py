import numpy as np
import pytest
from builders.dates import ENL

from sarship.change.empty_level import lowest_groups


def test_lowest_group_equals_a_plain_one():
    rng = np.random.default_rng(3)
    cube = rng.gamma(ENL, 1 / ENL, (12, 8, 8)).astype(np.float32)
    cube[:5, :, 4:] *= 40
    cube[2, 3, 3] = np.nan
    level, squares, n_empty = lowest_groups(cube, np.full(12, 1e-9), 1e-9, 0.5)  # no sea: nothing follows it
    for y, x in np.ndindex(8, 8):
        values = np.sort(np.log(cube[:, y, x][np.isfinite(cube[:, y, x])].astype(float)))
        mean, taken = values[max(2, round(0.2 * values.size)) - 1], 0
        while True:
            group = values[: max(2, np.searchsorted(values, mean + 2.5 * 0.5, side="right"))]
            mean = group.mean()
            if group.size <= taken:
                break
            taken = group.size
        assert n_empty[y, x] == group.size
        assert np.log(level[y, x]) == pytest.approx(mean, abs=1e-5)
        assert squares[y, x] == pytest.approx(((group - mean) ** 2).sum(), rel=1e-4, abs=1e-5)
