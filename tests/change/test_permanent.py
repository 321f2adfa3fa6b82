import numpy as np
from builders.dates import ENL, LAND, PIER, empty_port, stack_of

from sarship.change.reference import fit_reference
from sarship.detection.sidelobes import sidelobes_of


def test_a_ship_on_every_date_is_permanent_and_a_crane_or_a_corner_is_not():
    rng = np.random.default_rng(10)
    _, dates = empty_port(rng, 10, np.ones(10))
    quay = np.s_[:, 20:100, 88:90]
    dates[quay] += 0.4 * rng.gamma(ENL, 1 / ENL, dates[quay].shape)
    ship, crane = np.s_[:, 50:62, 86:89], np.s_[:, 80:83, 86:90]
    for place, power in ((ship, 4.0), (crane, 30.0)):
        dates[place] += power * rng.gamma(ENL, 1 / ENL, dates[place].shape)
    down, across = (10.0 * (axis - spot) for axis, spot in zip(np.indices(dates.shape[1:]), (35, 87), strict=True))
    corner = np.fmax(sidelobes_of((down, across), (22.0, 20.0)), np.exp2(-4 * ((down / 22) ** 2 + (across / 20) ** 2)))
    dates += 100 * corner * rng.gamma(ENL, 1 / ENL, dates.shape)  # with a cross of 120 m above the quay
    is_permanent = fit_reference(stack_of(dates), land=LAND, piers=PIER)["is_permanent"].to_numpy()[0, 0]
    assert is_permanent[ship[1:]].mean() > 0.8
    assert not is_permanent[crane[1:]].any()
    assert not is_permanent[20:49].any()
    assert is_permanent.sum() < 60
