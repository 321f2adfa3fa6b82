"""The network's forward pass, its file, and what it says of a stored case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.quays import QUAY, quay_maps
from scipy import signal

import sarship.vessels.network as under_test
from sarship.errors import ModelError
from sarship.vessels.at_piers import find_at_piers
from sarship.vessels.network import Network, load_network
from sarship.vessels.network_inputs import N_CHANNELS


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_is_scipys(stride):
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(5, 12, 8)), rng.normal(size=(7, 5, 3, 3)), rng.normal(size=7)
    kernel = w.transpose(2, 0, 3, 1).reshape(3, 7, -1).astype(np.float32)
    found = under_test._convolved(x.astype(np.float32), kernel, b.astype(np.float32), stride)
    whole = [sum(signal.correlate(x[i], w[o, i], "same") for i in range(5)) + b[o] for o in range(7)]
    assert np.allclose(found, np.maximum(np.stack(whole), 0)[:, ::stride, ::stride], atol=1e-4)


def test_maps_have_the_frames_shape_whatever_it_is():
    for shape in ((64, 32), (13, 10), (8, 36)):
        maps = load_network()(np.zeros((N_CHANNELS, *shape), np.float32))
        assert maps.heat.shape == (shape[0], 2 * shape[1])
        assert maps.density.shape == shape
        assert maps.sizes.shape == (6, *shape)
        assert ((maps.heat >= 0) & (maps.heat <= 1)).all()
        assert (maps.density >= 0).all()


def test_the_network_that_ships_says_what_it_said():
    """File and forward pass are those whose figures are published: places, lengths and chances of a stored case."""
    found = find_at_piers(quay_maps([(45.0, 42.0, 130.0, 90.0), (90.0, 42.0, 80.0, 90.0)]), [QUAY], [60.0])
    stored = np.loadtxt(Path(__file__).parent / "stored_candidates.csv", delimiter=",", skiprows=1)
    assert np.allclose(
        np.stack([found.column, found.row, found.length_m, found.chance], -1), stored, atol=0.02, rtol=1e-3
    )


@pytest.mark.parametrize("damage", [b"", b"no zip", None], ids=["empty", "other", "cut"])
def test_a_damaged_file_is_said_to_be(tmp_path, monkeypatch, damage):
    whole = (Path(under_test.__file__).parents[1] / "data" / under_test.WEIGHTS).read_bytes()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / under_test.WEIGHTS).write_bytes(whole[:5_000] if damage is None else damage)
    monkeypatch.setattr(under_test, "files", lambda _: tmp_path)
    with pytest.raises(ModelError, match=r"missing or damaged .*; install sarship again"):
        load_network.__wrapped__()


def test_a_missing_file_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setattr(under_test, "files", lambda _: tmp_path)
    with pytest.raises(ModelError, match="missing or damaged"):
        load_network.__wrapped__()


def test_weights_are_named_by_stage():
    network = load_network()
    assert isinstance(network, Network)
    assert {name: len(kernels) for name, kernels in network.kernels.items()} == {
        "top": 2,
        "middle": 2,
        "bottom": 4,
        "up_middle": 2,
        "up_top": 2,
    }
