"""Vessels whose hits are one group: told apart, and bounds where they cannot be."""

import numpy as np
import pytest
import shapely
from builders.ship_images import hits_of, north_up, ship_image
from hypothesis import given, settings
from hypothesis import strategies as st

from sarship.detection.grouping import group_hits
from sarship.detection.params import DetectionParams
from sarship.model import Hits
from sarship.vessels.boxes import fit_boxes, weigh_hits
from sarship.vessels.find import find_vessels
from sarship.vessels.splitting import split_groups

WATERS = shapely.box(34, 33, 36, 35)


def found(image, piers=WATERS):
    return find_vessels(hits_of(image), north_up(), DetectionParams(), piers=piers)


def pair(length, *, ahead=0.0, aside=0.0, heading=90.0, strength=300.0):
    """Two equal vessels whose centres lie some metres apart along and across their axes."""
    turn = np.radians(heading)
    down = -np.cos(turn) * ahead / 20 + np.sin(turn) * aside / 20
    right = np.sin(turn) * ahead / 20 + np.cos(turn) * aside / 20
    ships = [
        ship_image(length, heading, strength=strength, centre=(60 + side * down, 60 + side * right)) for side in (-1, 1)
    ]
    return ships[0] + ships[1] - 1


@pytest.mark.parametrize("heading", [0.0, 35.0, 90.0])
@pytest.mark.parametrize(("ahead", "aside"), [(130.0, 0.0), (0.0, 30.0), (0.0, 40.0)])
def test_two_vessels_at_a_pier_are_two(heading, ahead, aside):
    """A hundred metres long, bow to stern 30 m apart or rafted 30 and 40 m between axes; their hits are one group."""
    image = pair(100, ahead=ahead, aside=aside, heading=heading)
    hits = hits_of(image)
    assert group_hits(hits.line, hits.pixel, (10.0, 10.0), 25.0).max() == 0
    table = found(image)
    assert len(table) == 2
    assert table["length_m"].tolist() == pytest.approx([100, 100], abs=25)
    assert table["n_low"].sum() <= 2 <= table["n_high"].sum()
    assert table["n_hits"].sum() == len(hits)
    apart = 10 * np.hypot(np.ptp(table["line"]), np.ptp(table["pixel"]))
    assert apart == pytest.approx(np.hypot(ahead, aside), abs=20)
    turned = (table["heading_deg"] - heading + 90) % 180 - 90
    assert turned.abs().max() < 15


@pytest.mark.parametrize("heading", [0.0, 35.0, 90.0])
@pytest.mark.parametrize("length", [40.0, 80.0, 140.0])
@pytest.mark.parametrize("piers", [WATERS, None])
def test_one_vessel_stays_one(length, heading, piers):
    table = found(ship_image(length, heading, strength=300.0), piers)
    assert len(table) == 1
    assert table["n_low"][0] == 1
    assert table["confidence"][0] == 1.0


def test_what_a_pair_may_be_is_in_the_bounds():
    """With 10 m between bow and stern the image hardly tells: one or two at the pier, one in open water."""
    table = found(pair(60, ahead=70.0))
    assert (table["n_low"].sum(), table["n_high"].sum()) == (1, 2)
    away = found(pair(60, ahead=70.0), None)
    assert len(away) == 1
    assert away["n_high"][0] == 1


def test_the_waters_of_piers_elsewhere_change_nothing():
    image = pair(100, ahead=110.0)
    far = found(image, shapely.box(0, 0, 1, 1))
    assert len(far) == len(found(image, None)) < len(found(image))


def test_the_lesser_of_a_doubtful_pair_may_be_nothing():
    image = pair(100, ahead=110.0)
    table = found(image)
    assert len(table) == 2
    assert sorted(table["n_low"]) == [0, 1]
    assert table["confidence"][table["n_low"] == 0].item() < 0.9


def test_evidence_is_of_each_vessel():
    image = pair(100, ahead=130.0)
    hits = hits_of(image)
    evidence = np.where(hits.pixel < 60, "ring", "reference")
    marked = hits_of(image, evidence=evidence)
    table = find_vessels(marked, north_up(), DetectionParams(), piers=WATERS).sort_values("pixel")
    assert set(table["evidence"]) <= {"ring", "reference", "both"}
    assert table["evidence"].iloc[0] != "reference"
    assert table["evidence"].iloc[-1] != "ring"
    assert found(image)["evidence"].tolist() == ["ring", "ring"]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_hit_has_one_owner_whatever_the_hits(seed):
    """Parts share out the hits of their own group; every number is finite; bounds are in order."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 400))
    cells = np.unique(rng.integers(0, 40, (n, 2)), axis=0)
    value = np.exp(rng.normal(3, 2, len(cells)))
    hits = Hits(
        line=cells[:, 0],
        pixel=cells[:, 1],
        value=value,
        clutter=np.ones(len(cells)),
        score=value.astype(np.float32),
    )
    group = group_hits(hits.line, hits.pixel, (10.0, 10.0), 25.0)
    places = weigh_hits(hits, group, (10.0, 10.0))
    boxes, gains = fit_boxes(places)
    parts = split_groups(places, boxes, gains, np.ones(len(boxes), np.bool_))
    owner = np.empty(len(hits), np.int64)
    owner[places.order] = parts.owner
    assert set(owner) == set(range(len(parts.boxes)))
    assert all(np.unique(group[owner == part]).size == 1 for part in range(len(parts.boxes)))
    assert np.isfinite(parts.boxes).all()
    assert (parts.n_low <= parts.n_high).all()
    assert ((parts.confidence > 0) & (parts.confidence <= 1)).all()
