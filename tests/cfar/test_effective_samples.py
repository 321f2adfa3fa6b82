"""What rings of correlated pixels are worth, against fields drawn at random."""

import numpy as np
import pytest
from scipy import ndimage

from sarship.cfar.effective_samples import ring_of

SIDE = 40


def field(sigma, seed=0):
    """Normal values whose correlation is a Gaussian bell."""
    values = np.random.default_rng(seed).standard_normal((SIDE * 30, SIDE * 30))
    values = ndimage.gaussian_filter(values, sigma, mode="wrap") if sigma else values
    return values / values.std()


@pytest.mark.parametrize("sigma", [0, 0.5, 0.7, 1])
def test_mean_and_variance_of_blocks_spread_as_those_of_so_many_pixels(sigma):
    response = ndimage.gaussian_filter1d(np.eye(1, 81, 40)[0], sigma) if sigma else np.ones(1)
    ring = ring_of(SIDE**2, ((response**2).sum() / response.sum() ** 2) ** 2)
    blocks = np.concatenate(
        [
            field(sigma, seed).reshape(30, SIDE, 30, SIDE).transpose(0, 2, 1, 3).reshape(900, SIDE**2)
            for seed in range(3)
        ]
    )
    variances = blocks.var(axis=1, ddof=1)
    assert 1 / blocks.mean(axis=1).var() == pytest.approx(ring.means, rel=0.12)
    assert 2 * (variances.mean() / variances.std()) ** 2 == pytest.approx(ring.squares, rel=0.12)
    assert variances.mean() == pytest.approx(ring.shown, abs=0.01)


def test_independent_pixels_are_worth_their_number():
    ring = ring_of([1, 16, 1240], 1.0)
    np.testing.assert_allclose(ring.means, [1, 16, 1240])
    np.testing.assert_allclose(ring.squares, [1, 16, 1240], rtol=1e-6)
    np.testing.assert_allclose(ring.shown, [np.nan, 1, 1])


def test_the_variance_of_a_fine_grid_is_worth_twice_its_mean():
    ring = ring_of(60_000, [1e-9, 1e-3, 0.3])
    np.testing.assert_allclose(ring.squares[:2] / ring.means[:2], 2, rtol=1e-3)
    assert np.all(ring.squares <= 60_000)
