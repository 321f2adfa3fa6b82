import numpy as np
import pytest
from scipy import ndimage

from sarship.cfar.enl import measure_correlation, measure_enl


def speckle(shape, enl, sigma=0.0, seed=0):
    """Power of `enl` looks whose complex amplitude is smoothed by a Gaussian of `sigma` pixels."""
    rng = np.random.default_rng(seed)
    power = np.zeros(shape)
    for _ in range(enl):
        parts = [ndimage.gaussian_filter(rng.normal(size=shape), sigma) for _ in range(2)]
        look = parts[0] ** 2 + parts[1] ** 2
        power += look / look.mean() / enl
    return power


def correlation_sum(sigma):
    """Sum over all lags of the power's correlation: the amplitude's is exp(−d²/4σ²), the power's its square."""
    lags = np.arange(-40, 41)
    return np.exp(-(lags**2) / (2 * sigma**2)).sum() ** 2


@pytest.mark.parametrize("enl", [0.7, 1, 4.4, 20, 100])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_looks_of_independent_speckle(enl, dtype):
    power = np.random.default_rng(1).gamma(enl, 1e6 / enl, (1000, 1100))
    image = np.sqrt(power).astype(dtype) if dtype == np.uint16 else power.astype(dtype)
    assert measure_enl(image) == pytest.approx(enl, rel=0.03)
    assert measure_correlation(image) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("sigma", [0.7, 0.9, 1.2])
def test_correlation_of_smoothed_speckle(sigma):
    image = speckle((1200, 1300), 5, sigma)
    assert measure_correlation(image) == pytest.approx(1 / correlation_sum(sigma), rel=0.1)
    assert measure_enl(image) == pytest.approx(5, rel=0.05)


def test_ships_land_and_slopes_do_not_matter():
    rng = np.random.default_rng(2)
    image = rng.gamma(4.4, 1 / 4.4, (1000, 1000)) * np.linspace(1, 10, 1000)
    image[:, :350] *= np.exp(rng.normal(0, 1.5, (1000, 350)))
    image[tuple(rng.integers(0, 1000, (2, 60)))] *= 1000
    assert measure_enl(image) == pytest.approx(4.4, rel=0.05)
    assert measure_correlation(image) == pytest.approx(1, abs=0.1)


def test_masked_pixels_are_not_looked_at():
    rng = np.random.default_rng(3)
    image = rng.gamma(4.4, 1 / 4.4, (640, 640)).astype(np.float32)
    image[:, :400] = rng.gamma(20, 1 / 20, (640, 400))
    valid = np.ones(image.shape, bool)
    valid[:, :400] = False
    assert measure_enl(image) == pytest.approx(20, rel=0.05)
    assert measure_enl(image, valid) == pytest.approx(4.4, rel=0.05)
    image[:, :400] = np.nan
    assert measure_enl(image) == pytest.approx(4.4, rel=0.05)


@pytest.mark.parametrize("measure", [measure_enl, measure_correlation])
def test_bad_input_is_named(measure):
    with pytest.raises(ValueError, match=r"\(15, 400\)"):
        measure(np.ones((15, 400)))
    with pytest.raises(ValueError, match="no block of 64 × 64"):
        measure(np.zeros((100, 100), np.uint16))
    with pytest.raises(ValueError, match="-20"):
        measure(np.full((100, 100), -20.0))
    with pytest.raises(TypeError, match="int32"):
        measure(np.ones((100, 100), np.int32))
    with pytest.raises(ValueError, match="reach"):
        measure_correlation(np.ones((100, 100)), reach=5)


def test_a_flat_image_has_very_many_looks():
    assert measure_enl(np.full((100, 100), 7, np.uint16)) > 1e9
