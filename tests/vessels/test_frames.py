"""Frames along piers: coordinates, pieces, and whose vessels are whose."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sarship.vessels.frames import SUB, cut_frames, own_cells

corners = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=2, max_size=5, unique=True)


@settings(deadline=None)
@given(line=corners, u=st.floats(-20, 120), v=st.floats(-20, 60))
def test_frame_and_grid_coordinates_are_inverse(line, u, v):
    for frame in cut_frames(shapely.LineString(line), 13.0):
        x, y = frame.to_grid(u, v)
        assert np.allclose(frame.to_frame(x, y), (u, v), atol=1e-9)
        assert np.hypot(*frame.along) == pytest.approx(1)


@settings(deadline=None, max_examples=30)
@given(line=corners, reach=st.floats(3, 20))
def test_every_place_near_a_pier_belongs_to_one_frame(line, reach):
    """Vessels are counted once, be the pier as crooked as it likes."""
    frames = cut_frames(shapely.LineString(line), reach)
    owned = own_cells(frames, [reach] * len(frames))
    rng = np.random.default_rng(0)
    places = rng.uniform(-25, 115, (200, 2))
    inside = np.zeros(200, int)
    for frame, own in zip(frames, owned, strict=True):
        cells = np.round(np.stack(frame.to_frame(*places.T), -1)).astype(int)
        seen = ((cells >= 0) & (cells < own.shape)).all(axis=1)
        inside[seen] += own[tuple(cells[seen].T)]
    # a cell is as large as the rounding: only places within a cell of a border may be anybody's
    away = shapely.distance(shapely.LineString(line), shapely.points(places))
    assert (inside[away > reach + 1] == 0).all()
    clear = [abs(np.diff(np.sort([shapely.distance(f.piece, shapely.Point(p)) for f in frames])[:2])) for p in places]
    settled = np.array([not len(gap) or gap[0] > 1.5 for gap in clear]) & (away < reach - 1)
    assert (inside[settled] <= 1).all()


@pytest.mark.parametrize(
    ("pier", "n"),
    [
        (shapely.Point(30, 30), 1),
        (shapely.LineString([(10, 10), (10, 10)]), 1),
        (shapely.box(10, 10, 16, 60), 1),
        (shapely.LineString([(0, 0), (0, 50), (30, 50)]), 2),
        (shapely.Polygon([(0, 0), (30, 0), (30, 5), (5, 5), (5, 40), (0, 40)]), 6),
        (shapely.MultiLineString([[(0, 0), (40, 0)], [(0, 60), (40, 60)]]), 2),
        (shapely.LineString([(k, 20 + np.sin(k / 20)) for k in range(0, 500, 5)]), 1),
    ],
    ids=["point", "no length", "jetty", "L-shaped line", "L-shaped outline", "two quays", "nearly straight, 5 km"],
)
def test_piers_of_any_shape_have_frames(pier, n):
    frames = cut_frames(pier, 13.0)
    assert len(frames) == n
    for frame in frames:
        assert all(side % 4 == 0 for side in frame.shape)
        u, v = frame.to_frame(*shapely.get_coordinates(frame.piece).T)
        assert ((u > 0) & (u < frame.shape[0]) & (v > 0) & (v < frame.shape[1])).all()


def test_samples_are_of_the_place_that_they_claim():
    y, x = np.mgrid[:80, :100]
    (frame,) = cut_frames(shapely.LineString([(20, 20), (60, 50)]), 10.0)
    column, row = frame.cells()
    assert np.allclose(frame.sample(x + 100 * y), column + 100 * row)
    fine = frame.sample(x, SUB)
    assert np.allclose((fine[:, 0::2] + fine[:, 1::2]) / 2, frame.sample(x), atol=1e-3)


def test_a_place_off_the_corner_that_two_pieces_share_is_one_frames():
    frames = cut_frames(shapely.LineString([(0, 0), (40, 0), (40, 40)]), 12.0)
    owned = own_cells(frames, [12.0, 12.0])
    total = 0
    for frame, own in zip(frames, owned, strict=True):
        u, v = (round(float(each)) for each in frame.to_frame(44.0, -5.0))
        total += bool(0 <= u < own.shape[0] and 0 <= v < own.shape[1] and own[u, v])
    assert total == 1
