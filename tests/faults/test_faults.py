"""A few faults of each class: nothing raw, nothing that hangs, and silent only what no checksum can know."""

from collections import Counter

import pytest

from faults.campaign import CLASSES, try_seeds
from faults.downloads import SHORTER
from faults.outcomes import HANG, RAW, SILENT

FEW, MANY = 5, 100
STOPS = {"runs killed and run again", "commands stopped by signals", "disk, memory, products gone"}
"""Classes whose every attempt is two processes and two surveys."""


@pytest.mark.parametrize("name", sorted(set(CLASSES) - STOPS))
@pytest.mark.filterwarnings("ignore")
def test_nothing_raw_nothing_silent(name, monkeypatch, tmp_path):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path))
    hold(name, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.filterwarnings("ignore")
def test_nothing_raw_nothing_silent_of_many(name, monkeypatch, tmp_path):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path))
    hold(name, 3 if name in STOPS else MANY)


def hold(name, n):
    """Try seeds of a class."""
    found = list(try_seeds(name, range(n)))
    assert [(seed, outcome) for seed, outcome in found if outcome.kind in {RAW, HANG}] == []
    silent = Counter(outcome.detail for _, outcome in found if outcome.kind == SILENT)
    assert silent.keys() <= {SHORTER}
