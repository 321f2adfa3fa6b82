"""Segments of counts: the figures of the experiment that chose the model, a plain twin, and what chances add up to."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import multivariate_t

from benchmarks.changes import STAYS, STEADY, STEPS
from sarship.counts.segments import LEVEL_SPREAD, NOISE_PASSES, find_segments, find_steps

DAYS = 12.0 * np.arange(30)
NONE_FOUND = {
    1.5: [(0.025, 0, 0), (0.0125, 0, 0), (0.125, 0.0125, 0)],
    4.0: [(0.15, 0.0375, 0.0125), (0.0375, 0, 0), (0.2125, 0.0375, 0)],
}
"""Share of steady series with a chance over 0.5, 0.8 and 0.95, by the stay of vessels."""
FOUND = {
    1.5: [
        (1.0, 1.0, 1.0, 80, 0.89, 0.98, 2, 0.99),
        (0.8, 0.54, 0.31, 45, 0.33, 0.67, 7, 0.89),
        (0.89, 0.24, 0.01, 61, 0.97, 0.97, 3, 1.0),
        (0.85, 0.74, 0.49, 57, 0.51, 0.68, 7, 0.91),
    ],
    4.0: [
        (1.0, 1.0, 1.0, 80, 0.89, 0.94, 2, 0.98),
        (0.84, 0.64, 0.41, 52, 0.52, 0.65, 6, 0.87),
        (0.88, 0.36, 0.02, 54, 0.89, 0.93, 3, 1.0),
        (0.79, 0.64, 0.42, 50, 0.48, 0.6, 6, 0.9),
    ],
}
"""The same of those with a step; number of those that are cut; and of these: right gap, within one, passes of the
window, and whether it holds the step."""


def test_the_figures_of_the_experiment():
    """80 series a case, drawn one after the other from one generator, as the experiment did."""
    rng = np.random.default_rng(0)
    for stay in STAYS:
        for case, shares in zip(STEADY, NONE_FOUND[stay], strict=True):
            chance = np.array([find_segments(case.draw(stay, rng)[None], DAYS).any_change for _ in range(80)])
            assert [(chance > least).mean() for least in (0.5, 0.8, 0.95)] == pytest.approx(shares)
        for case, expected in zip(STEPS, FOUND[stay], strict=True):
            found = [find_segments(case.draw(stay, rng)[None], DAYS) for _ in range(80)]
            chance = np.array([each.any_change for each in found])
            cuts = [min(each.cuts, key=lambda cut: abs(cut.at - case.at)) for each in found if each.cuts]
            error = np.array([abs(cut.at - case.at) for cut in cuts])
            figures = [(chance > least).mean() for least in (0.5, 0.8, 0.95)]
            figures += [len(cuts), (error == 0).mean(), (error <= 1).mean()]
            figures += [np.median([cut.last - cut.first + 1 for cut in cuts])]
            figures += [np.mean([cut.first <= case.at <= cut.last for cut in cuts])]
            assert figures == pytest.approx(expected, abs=0.0051), (case, stay)


def twin(counts, days):
    """Chance of each set of cuts, by going through all of them."""
    n, rate = len(counts), 1 / max(np.mean(counts), 0.3)
    ways = {}
    for size in range(n):
        for cuts in itertools.combinations(range(1, n), size):
            ends = [0, *cuts, n]
            if any(b - a < (2 if b == n else 3) for a, b in itertools.pairwise(ends)):
                continue
            log = 0.0
            for a, b in itertools.pairwise(ends):
                total = int(sum(counts[a:b]))
                log += math.log(rate) + math.lgamma(1 + total) - (1 + total) * math.log(rate + b - a)
            for k in range(1, n):
                quiet = math.exp(-(days[k] - days[k - 1]) / 1000)
                log += math.log(1 - quiet if k in cuts else quiet)
            ways[cuts] = log
    total = np.logaddexp.reduce(list(ways.values()))
    return {cuts: math.exp(log - total) for cuts, log in ways.items()}


@pytest.mark.parametrize(
    "counts", [[3, 4, 3, 2, 0, 0, 1, 0, 5, 6, 4, 5], [0] * 12, [2, 2, 9, 2, 2, 2, 2, 2, 2, 2, 0, 0]]
)
def test_plain_twin(counts):
    """With passes that are missing, too: gaps differ."""
    days = np.cumsum([0, 12, 6, 12, 24, 12, 12, 1, 12, 12, 60, 12]).astype(float)
    found, ways = find_segments(np.array([counts]), days), twin(counts, days)
    assert found.any_change == pytest.approx(1 - ways[()], abs=1e-12)
    by_gap = [sum(chance for cuts, chance in ways.items() if k in cuts) for k in range(1, len(counts))]
    np.testing.assert_allclose(found.by_gap, by_gap, atol=1e-12)
    assert tuple(cut.at for cut in found.cuts) == max(ways, key=ways.get)
    for cut in found.cuts:
        within = set(range(cut.first, cut.last + 1))
        assert cut.probability == pytest.approx(sum(chance for cuts, chance in ways.items() if within & set(cuts)))
        assert cut.first <= cut.at <= cut.last


def test_chances_are_means_over_the_draws_and_the_first_row_is_cut():
    counts = np.array([3, 4, 3, 2, 3, 4, 0, 0, 0, 0, 1, 0])
    other = np.full(12, 2)
    days = 12.0 * np.arange(12)
    both = find_segments(np.stack([counts, counts, other]), days)
    alone = [find_segments(series[None], days) for series in (counts, other)]
    assert both.any_change == pytest.approx(np.mean([each.any_change for each in alone]))
    assert [cut.at for cut in both.cuts] == [cut.at for cut in alone[0].cuts] == [6]
    assert both.cuts[0].probability < alone[0].cuts[0].probability


def test_an_always_empty_pier_has_no_change_and_no_warning():
    assert find_segments(np.zeros((33, 60), np.int64), 12.0 * np.arange(60)).cuts == ()


def test_a_long_gap_makes_a_change_likelier():
    counts = np.array([[1, 2, 1, 1, 2, 1, 3, 2, 3, 3, 2, 3]])
    short, long = 12.0 * np.arange(12), 12.0 * np.arange(12) + 700 * (np.arange(12) > 5)
    assert find_segments(counts, long).by_gap[5] > 2 * find_segments(counts, short).by_gap[5]


def normal_twin(series, noise, days):
    """Chance of each set of cuts of ln power: in each channel a segment is a multivariate t."""
    n, ways = series.shape[1], {}
    for size in range(n):
        for cuts in itertools.combinations(range(1, n), size):
            ends = [0, *cuts, n]
            if any(b - a < (2 if b == n else 3) for a, b in itertools.pairwise(ends)):
                continue
            log = 0.0
            for a, b in itertools.pairwise(ends):
                for channel, sigma in zip(series, noise, strict=True):
                    here = (channel - np.nanmedian(channel))[a:b]
                    here = here[np.isfinite(here)]
                    if here.size:
                        shape = sigma**2 * np.eye(here.size) + LEVEL_SPREAD**2
                        log += multivariate_t.logpdf(here, np.zeros(here.size), shape, NOISE_PASSES)
            for k in range(1, n):
                quiet = math.exp(-(days[k] - days[k - 1]) / 1000)
                log += math.log(1 - quiet if k in cuts else quiet)
            ways[cuts] = log
    total = np.logaddexp.reduce(list(ways.values()))
    return {cuts: math.exp(log - total) for cuts, log in ways.items()}


def test_plain_twin_of_steps():
    """Two orbits in turn, one with a polarisation that is missing on two passes."""
    rng = np.random.default_rng(3)
    level = np.where(np.arange(11) < 6, 0.5, 0.0) + rng.normal(0, 0.15, (3, 11))
    level[0, 1::2] = level[1:, ::2] = level[2, [3, 5]] = np.nan
    noise, days = np.array([0.15, 0.1, 0.2]), np.cumsum([0, 5, 7, 5, 7, 17, 7, 5, 7, 5, 31]).astype(float)
    found, ways = find_steps(level, noise, days), normal_twin(level, noise, days)
    assert found.any_change == pytest.approx(1 - ways[()], abs=1e-9)
    by_gap = [sum(chance for cuts, chance in ways.items() if k in cuts) for k in range(1, 11)]
    np.testing.assert_allclose(found.by_gap, by_gap, atol=1e-9)
    assert tuple(cut.at for cut in found.cuts) == max(ways, key=ways.get) != ()
