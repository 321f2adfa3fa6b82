"""What the network is shown of a scene: relative to the sea, without channels that are not there."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import shapely
import xarray as xr

from sarship.change.detection import port_masks
from sarship.change.network_maps import port_maps
from sarship.change.reference import fit_reference
from sarship.errors import ReferenceImageError
from sarship.port.grid import PortGrid

GRID = PortGrid.around(shapely.box(35.80, 34.88, 35.81, 34.89), 0)
MASKS = port_masks(GRID, piers=shapely.Point(GRID.to_map(10, 10)))


def seen(turn_deg: float = 0.0, shift=(0.0, 0.0)):
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    return SimpleNamespace(grid=GRID, shift=shift, track_m=lambda r, q: (-np.asarray(r), c * q + s * np.asarray(r)))


def date(seed: int = 0, names=("VV", "VH"), orbit: int = 14):
    rng = np.random.default_rng(seed)
    power = 0.02 * rng.gamma(4.4, 1 / 4.4, (len(names), *GRID.shape)).astype(np.float32)
    power[:, 30:34] *= 50  # a quay
    return GRID.image(power, names, scene=f"date {seed}", relative_orbit=orbit)


def reference(names=("VV", "VH")):
    dates = [date(seed, names) for seed in range(1, 7)]
    stack = xr.concat([each.reset_coords(drop=True) for each in dates], "time").to_dataset(name="sigma0")
    stack = stack.assign_coords(
        time=np.datetime64("2025-01-01", "ns") + np.arange(6) * np.timedelta64(12, "D"),
        scene=("time", [f"date {seed}" for seed in range(1, 7)]),
        relative_orbit=("time", [14] * 6),
    )
    return fit_reference(stack.assign_attrs(GRID.attrs))


def test_power_is_over_the_days_sea_and_the_quay_cancels():
    maps = port_maps(date(), seen(), MASKS, None, reference())
    assert maps.has_cross
    assert maps.raw[0, 60:].mean() == pytest.approx(0, abs=0.15)
    assert maps.raw[0, 30:34].mean() == pytest.approx(np.log(50), abs=0.25)
    assert (maps.raw - maps.expected)[:, 30:34].mean() == pytest.approx(0, abs=0.3)
    windy = date()
    windy = port_maps(windy.copy(data=windy.to_numpy() * 3), seen(), MASKS, None, None)
    np.testing.assert_allclose(windy.raw, port_maps(date(), seen(), MASKS).raw, atol=1e-4)


@pytest.mark.parametrize("blank", [np.nan, 0.0])
def test_a_blank_channel_is_not_an_empty_one(blank):
    image = date()
    image[1] = blank
    maps = port_maps(image, seen(), MASKS, None, reference())
    assert not maps.has_cross
    assert (maps.raw[1] == 0).all()
    image[0] = blank
    assert port_maps(image, seen(), MASKS, None, reference()) is None


def test_a_channel_that_the_reference_does_not_know_is_left_out():
    maps = port_maps(date(), seen(), MASKS, None, reference(("VV",)))
    assert not maps.has_cross
    assert maps.spread.shape == GRID.shape


@pytest.mark.parametrize(
    ("names", "known"), [(("HH", "HV"), True), (("HH",), True), (("VH",), False), (("HV",), False)]
)
def test_other_polarisations(names, known):
    maps = port_maps(date(names=names), seen(), MASKS)
    assert (maps is not None) == known
    assert maps is None or maps.has_cross == (len(names) == 2)


@pytest.mark.parametrize("turn", [0.0, 80.0, 190.0, 300.0])
def test_the_look_is_where_range_rises(turn):
    look = port_maps(date(), seen(turn), MASKS).look
    assert np.allclose(look, (np.cos(np.radians(turn)), np.sin(np.radians(turn))), atol=1e-6)


def test_what_was_not_imaged_looks_like_the_sea():
    image = date()
    image[:, :, 50:] = np.nan
    maps = port_maps(image, seen(), MASKS, None, reference())
    assert np.isfinite(maps.raw).all()
    assert (maps.raw[:, 60:, 50:] == 0).all()


def test_excluded_places_look_like_the_sea():
    hidden = np.zeros(GRID.shape, bool)
    hidden[28:36, 20:40] = True
    for known in (None, reference()):
        maps = port_maps(date(), seen(), MASKS, None, known, hidden=hidden)
        assert (maps.raw[:, hidden] == 0).all()
        assert known is None or (maps.expected[:, hidden] == 0).all()
        assert maps.raw[0, 30:34, :20].mean() > 3


def test_a_reference_of_another_orbit_is_refused():
    with pytest.raises(ReferenceImageError, match="knows relative orbit 14"):
        port_maps(date(orbit=87), seen(), MASKS, None, reference())
