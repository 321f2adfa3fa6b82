"""Image to map and back, on simulated orbits whose truth comes from other code: pyproj and a minimised distance."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from pyproj import Geod, Transformer
from scipy.optimize import brentq, minimize_scalar
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from sarship.geo.antimeridian import recentred, ring_polygon
from sarship.geo.earth import cartesian, geodetic, geoid_height_m
from sarship.model import Window
from sarship.sentinel1.geolocation import ImageGeometry
from sarship.sentinel1.ground_range import GroundRange
from sarship.sentinel1.orbit import Orbit

TO_EARTH_FIXED = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
WGS84 = Geod(ellps="WGS84")
FIRST_LINE = np.datetime64("2024-12-01T03:42:10.123456", "ns")
EARTH_RATE = 7.292115e-5
EARTH_RADIUS = 6.371e6
ORBIT_RADIUS = 7.071e6
ORBIT_RATE = np.sqrt(3.986004418e14 / ORBIT_RADIUS**3)


@dataclass(frozen=True)
class Track:
    """A circular orbit seen from the turning Earth."""

    start: float
    node: float = 0.0
    inclination: float = 98.18

    def position(self, time):
        """Earth-fixed position, (3, n), metres, at seconds after the first line."""
        u, i = np.radians(self.start) + ORBIT_RATE * np.asarray(time), np.radians(self.inclination)
        turned = np.radians(self.node) - EARTH_RATE * np.asarray(time)
        x, y, z = np.cos(u), np.sin(u) * np.cos(i), np.sin(u) * np.sin(i)
        return ORBIT_RADIUS * np.stack(
            [x * np.cos(turned) - y * np.sin(turned), x * np.sin(turned) + y * np.cos(turned), z]
        )


def make_geometry(track, near_m=400e3, n_lines=1200, n_pixels=1500, spacing_m=100.0):
    """An image to the right of a track; its range law is that of a sphere, in three polynomials a hair apart."""
    ground = np.linspace(0, n_pixels * spacing_m, 60)
    across = (near_m + ground) / EARTH_RADIUS
    slant = np.sqrt(EARTH_RADIUS**2 + ORBIT_RADIUS**2 - 2 * EARTH_RADIUS * ORBIT_RADIUS * np.cos(across))
    law = Polynomial.fit(ground, slant, 6).convert().coef
    interval = spacing_m / 6700
    vectors = np.arange(-60, n_lines * interval + 60, 10.0)
    return ImageGeometry(
        shape=(n_lines, n_pixels),
        line_spacing_m=spacing_m,
        pixel_spacing_m=spacing_m,
        first_line=FIRST_LINE,
        line_interval_s=interval,
        orbit=Orbit.fit(vectors, track.position(vectors).T),
        ground_range=GroundRange(
            lines=np.array([0.0, 0.5, 1.0]) * n_lines,
            origins_m=np.zeros(3),
            coefficients=np.stack([law, law, law]) + np.array([0.0, 40.0, 90.0])[:, None] * np.eye(1, law.size),
            spacing_m=spacing_m,
            n_pixels=n_pixels,
        ),
    )


def geometry_over(longitude, latitude, **options):
    """An image of an ascending pass whose middle lies at a place."""

    def miss(start):
        return make_geometry(Track(start), **options).centre[1] - latitude

    start = brentq(miss, -75, 75, xtol=1e-3)
    node = longitude - make_geometry(Track(start), **options).centre[0]
    return make_geometry(Track(start, node), **options), Track(start, node)


TRACKS = st.builds(
    Track, start=st.floats(0, 360), node=st.floats(-180, 180), inclination=st.sampled_from([98.18, 93.5, 60.0])
)
FRACTION = st.floats(0, 1)
OVER_THE_POLE = Track(89.2, 20.0, 93.5), {"near_m": 250e3, "n_lines": 1800, "n_pixels": 3000}
OVER_THE_SOUTH = Track(269.2, 20.0, 86.5), {"near_m": 250e3, "n_lines": 1800, "n_pixels": 3000}


def test_ellipsoid_agrees_with_pyproj():
    generator = np.random.default_rng(1)
    lon, lat, height = generator.uniform(-180, 180, 500), generator.uniform(-90, 90, 500), np.linspace(-400, 9000, 500)
    lat[:4] = [90, -90, 0, 89.9999999]
    place = cartesian(lon, lat, height)
    np.testing.assert_allclose(place, np.stack(TO_EARTH_FIXED.transform(lon, lat, height)), atol=1e-8)
    again = geodetic(place)
    np.testing.assert_allclose(again[1], lat, atol=1e-12)
    np.testing.assert_allclose(again[2], height, atol=3e-9)
    np.testing.assert_allclose(again[0][2:], lon[2:], atol=1e-9)


def test_geoid_at_known_places():
    # Values of the 15-minute EGM96 grid at nodes of the table: Palau, Guinea, Ceylon, the south pole.
    lon, lat = np.array([134.5, 0.0, 80.0, -180.0]), np.array([7.5, 0.0, 5.0, -90.0])
    expected = np.array([66.3164, 17.1616, -105.9917, -29.5338])
    np.testing.assert_allclose(geoid_height_m(lon, lat), expected, atol=0.006)
    # Tartus lies between nodes.
    assert geoid_height_m(35.85, 34.9) == pytest.approx(23.2, abs=0.1)


@given(lon=st.floats(-180, 180), lat=st.floats(-90, 90))
def test_geoid_has_no_seam(lon, lat):
    turns = geoid_height_m(lon + np.array([-360.0, 0.0, 360.0]), lat)
    np.testing.assert_allclose(turns, turns[1], atol=1e-6)
    across = geoid_height_m(np.array([180.0 - 1e-9, -180.0 + 1e-9]), lat)
    assert across[0] == pytest.approx(across[1], abs=1e-6)
    assert np.ptp(geoid_height_m(np.linspace(-180, 180, 50), np.copysign(90.0, lat))) == 0


def test_geoid_of_nothing_is_nothing():
    assert np.isnan(geoid_height_m([np.nan, 5.0], [5.0, np.nan])).all()
    assert geoid_height_m(np.empty(0), np.empty(0)).shape == (0,)


@pytest.mark.parametrize("place", [(35.8, 34.9), (179.9, -16.5), (134.4, 7.3), (-70.0, -53.2)])
@pytest.mark.parametrize("height", [0.0, 1500.0])
def test_to_image_agrees_with_the_closest_approach(place, height):
    geometry, track = geometry_over(*place)
    lon, lat = place[0] + 0.13, place[1] - 0.21
    line, pixel = geometry.to_image(lon, lat, height)
    target = np.array(TO_EARTH_FIXED.transform(lon, lat, height))

    def distance(time):
        return float(np.linalg.norm(track.position(time) - target))

    # Zero Doppler is where the Earth-fixed distance is least.
    closest = minimize_scalar(distance, bounds=(-5, 40), method="bounded", options={"xatol": 1e-7})
    assert line * geometry.line_interval_s == pytest.approx(closest.x, abs=2e-5)
    assert geometry.slant_range_m(line, pixel) == pytest.approx(closest.fun, abs=2e-4)


@settings(max_examples=60, deadline=None)
@given(track=TRACKS, down=FRACTION, across=FRACTION, height=st.none() | st.floats(-100, 5000))
def test_there_and_back(track, down, across, height):
    geometry = make_geometry(track)
    line, pixel = down * 1199, across * 1499
    lon, lat = geometry.to_map(line, pixel, height)
    assert np.isfinite(lon)
    assert np.isfinite(lat)
    again = geometry.to_image(lon, lat, height)
    np.testing.assert_allclose(again, [line, pixel], atol=1e-5)


def test_there_and_back_beyond_the_image_and_at_the_borders_of_the_range_law():
    geometry, _ = geometry_over(10.0, 40.0)
    borders = geometry.ground_range.lines
    line = np.concatenate([borders, (borders[1:] + borders[:-1]) / 2, [-50.0, 1250.0, 299.5, 300.0, 899.5, 900.0]])
    lines, pixels = np.meshgrid(line, [-40.0, -0.5, 0.0, 700.25, 1499.0, 1499.5, 1600.0])
    again = geometry.to_image(*geometry.to_map(lines, pixels))
    np.testing.assert_allclose(again, [lines, pixels], atol=1e-5)


def test_sea_surface_is_not_the_ellipsoid():
    """At Tartus the sea is 23 m above the ellipsoid: 31 m on the ground, three pixels of 10 m."""
    geometry, _ = geometry_over(35.85, 34.9, near_m=450e3)
    line, pixel = 599.5, 749.5
    sea, ellipsoid = geometry.to_map(line, pixel), geometry.to_map(line, pixel, 0.0)
    _, _, moved = WGS84.inv(*ellipsoid, *sea)
    incidence = np.radians(geometry.incidence_deg(line, pixel))
    raised = geoid_height_m(*sea)
    assert raised == pytest.approx(23.2, abs=0.3)
    assert moved == pytest.approx(raised / np.tan(incidence), rel=0.01)
    assert 25 < moved < 40
    # The sea surface is what a height of the geoid gives.
    np.testing.assert_allclose(geometry.to_map(line, pixel, raised), sea, atol=1e-9)


@pytest.mark.parametrize("level_m", [-28.0, 183.0, 3812.0])
def test_water_at_a_level_is_a_surface_that_far_over_the_geoid(level_m):
    sea, _ = geometry_over(35.86, 34.9)
    lake = sea.at_water_level(level_m)
    line, pixel = np.array([10.0, 600.0]), np.array([20.5, 900.0])
    lon, lat = lake.to_map(line, pixel)
    np.testing.assert_allclose(lake.to_image(lon, lat), (line, pixel), atol=1e-5)
    height = geoid_height_m(lon, lat) + level_m
    np.testing.assert_allclose(sea.to_image(lon, lat, height), (line, pixel), atol=1e-5)
    np.testing.assert_array_equal(lake.to_image(lon, lat, height), sea.to_image(lon, lat, height))
    assert lake.footprint().distance(sea.footprint().boundary) == 0
    assert not lake.footprint().equals(sea.footprint())


def test_incidence_and_slant_range_make_the_triangle_with_the_orbit():
    geometry, track = geometry_over(20.0, 0.0)
    line, pixel = 300.0, np.array([0.0, 800.0, 1499.0])
    lon, lat = geometry.to_map(line, pixel, 0.0)
    place = np.stack(TO_EARTH_FIXED.transform(lon, lat, np.zeros(3)))
    satellite = track.position(300.0 * geometry.line_interval_s)[:, None]
    up = np.stack(
        [
            np.cos(np.radians(lat)) * np.cos(np.radians(lon)),
            np.cos(np.radians(lat)) * np.sin(np.radians(lon)),
            np.sin(np.radians(lat)),
        ]
    )
    ray = satellite - place
    slant = np.linalg.norm(ray, axis=0)
    expected = np.degrees(np.arccos(np.sum(up * ray, axis=0) / slant))
    np.testing.assert_allclose(geometry.incidence_deg(line, pixel, 0.0), expected, atol=1e-6)
    np.testing.assert_allclose(geometry.slant_range_m(line, pixel), slant, atol=1e-3)


@pytest.mark.parametrize(("start", "expected"), [(5.0, 348.0), (175.0, 192.0)])
def test_heading_follows_the_pass(start, expected):
    geometry = make_geometry(Track(start))
    heading = geometry.heading_deg(600.0, 700.0)
    assert heading == pytest.approx(expected, abs=2)
    (lon0, lat0), (lon1, lat1) = geometry.to_map(600.0, 700.0), geometry.to_map(610.0, 700.0)
    along, _, distance = WGS84.inv(lon0, lat0, lon1, lat1)
    assert along % 360 == pytest.approx(heading, abs=0.2)
    assert distance == pytest.approx(1000, rel=0.02)


def test_the_image_lies_on_the_right_of_the_path():
    geometry = make_geometry(Track(5.0))
    near, far = geometry.to_map(600.0, [0.0, 1499.0])[0]
    assert near < far  # flying north, looking east


def test_time_at_is_a_straight_line_to_the_nanosecond():
    geometry = make_geometry(Track(0.0))
    times = geometry.time_at([0, 1, 1000.5])
    assert times.dtype == "datetime64[ns]"
    assert times[0] == FIRST_LINE
    np.testing.assert_array_equal((times - FIRST_LINE).astype(int), [0, 14925373, 14932835821])


def test_what_is_never_seen_is_nan():
    geometry, _ = geometry_over(20.0, 10.0)
    lon, lat = geometry.centre
    left, behind, ahead = (lon - 12, lat), (lon + 180, -lat), (lon, lat + 60)
    line, pixel = geometry.to_image(*np.transpose([left, behind, ahead, (np.nan, lat), (lon, np.inf), (lon, lat)]))
    assert np.isnan(line[:5]).all()
    assert np.isnan(pixel[:5]).all()
    assert line[5] == pytest.approx(599.5, abs=1e-4)
    # Slant ranges too short for the Earth, and lines long before the orbit is known.
    assert np.isnan(geometry.to_map([600.0, -1e6, np.nan], [-20_000.0, 5.0, 5.0])).all()


@settings(max_examples=60, deadline=None)
@given(track=TRACKS, line=st.floats(-3000, 5000), pixel=st.floats(-9000, 50_000))
def test_a_place_on_the_map_is_always_seen_again(track, line, pixel):
    """Far outside the image too: either nothing is there, or it is found at the same line and pixel."""
    geometry = make_geometry(track)
    lon, lat = geometry.to_map(line, pixel)
    if np.isfinite(lon):
        np.testing.assert_allclose(geometry.to_image(lon, lat), [line, pixel], atol=1e-3)


def test_arrays_keep_their_shape():
    geometry = make_geometry(Track(10.0))
    lon, lat = geometry.to_map(np.arange(6.0).reshape(2, 3, 1), np.arange(4.0))
    assert lon.shape == lat.shape == (2, 3, 4)
    assert geometry.to_map(1.0, 2.0)[0].shape == ()
    assert geometry.to_image(np.empty((0, 3)), np.empty((0, 3)))[0].shape == (0, 3)
    many = np.linspace(0, 1000, 40_000)
    np.testing.assert_array_equal(
        geometry.to_map(many, 5.0)[0][[0, 20_000]], geometry.to_map(many[[0, 20_000]], 5.0)[0]
    )


def test_geometry_can_be_sent_to_another_process():
    geometry = make_geometry(Track(10.0))
    again = pickle.loads(pickle.dumps(geometry))
    assert again.to_map(5.0, 6.0) == geometry.to_map(5.0, 6.0)


@settings(max_examples=40, deadline=None)
@given(track=TRACKS)
@pytest.mark.filterwarnings("error")
def test_footprint_is_valid_and_has_the_image_s_area(track):
    geometry = make_geometry(track)
    footprint = geometry.footprint()
    check_footprint(geometry, footprint)
    assert geometry.window(footprint) == Window(0, 1200, 0, 1500)


def check_footprint(geometry, footprint):
    assert footprint.is_valid
    west, south, east, north = footprint.bounds
    assert -180 <= west < east <= 180
    assert -90 <= south < north <= 90
    n_lines, n_pixels = geometry.shape
    line, pixel = np.meshgrid(np.linspace(0, n_lines - 1, 23), np.linspace(0, n_pixels - 1, 19))
    lon, lat = geometry.to_map(line, pixel)
    assert shapely.contains_xy(footprint, lon, lat).all()
    rim = np.linspace(-5, n_pixels + 5, 11)
    for beside in (-5.0, n_lines + 4.0):
        assert not shapely.contains_xy(footprint, *geometry.to_map(beside, rim)).any()
    area = sum(abs(WGS84.geometry_area_perimeter(part)[0]) for part in shapely.get_parts(footprint))
    assert area == pytest.approx(cell_areas(geometry), rel=0.01)


def cell_areas(geometry, n=25):
    """Area on the ellipsoid, summed over the cells of a grid of the image."""
    line, pixel = np.meshgrid(*(np.linspace(-0.5, size - 0.5, n) for size in geometry.shape), indexing="ij")
    lon, lat = geometry.to_map(line, pixel)
    return sum(
        abs(
            WGS84.polygon_area_perimeter(
                *(np.array([m[i, j], m[i, j + 1], m[i + 1, j + 1], m[i + 1, j]]) for m in (lon, lat))
            )[0]
        )
        for i in range(n - 1)
        for j in range(n - 1)
    )


@pytest.mark.parametrize(("made", "pole"), [(OVER_THE_POLE, 90.0), (OVER_THE_SOUTH, -90.0)])
def test_a_footprint_may_hold_a_pole(made, pole):
    track, options = made
    geometry = make_geometry(track, **options)
    line, pixel = geometry.to_image(0.0, pole)
    assert 0 < line < options["n_lines"]
    assert 0 < pixel < options["n_pixels"]
    footprint = geometry.footprint()
    check_footprint(geometry, footprint)
    assert footprint.bounds[0] == -180
    assert footprint.bounds[2] == 180
    assert shapely.contains_xy(footprint, 0.0, pole * 0.9999)
    assert geometry.window(footprint) == Window(0, options["n_lines"], 0, options["n_pixels"])
    # A cap around the pole is round in the image.
    cap = box(-180, 89.5, 180, 90) if pole > 0 else box(-180, -90, 180, -89.5)
    left, top, right, bottom = geometry.to_image_polygon(cap).bounds
    radius = 0.5 * 111_694 / 100
    np.testing.assert_allclose([pixel - left, right - pixel, line - top, bottom - line], radius, rtol=0.08)


@pytest.mark.parametrize("latitude", [-16.5, 65.0])
def test_the_antimeridian_is_no_special_place(latitude):
    """However an area across 180° is written down, it is one piece in the image."""
    here, _ = geometry_over(180.0, latitude)
    footprint = here.footprint()
    assert isinstance(footprint, MultiPolygon)
    assert footprint.bounds[0] == -180
    assert footprint.bounds[2] == 180
    split = MultiPolygon([box(179.8, latitude - 0.2, 180, latitude), box(-180, latitude - 0.2, -179.9, latitude)])
    whole = box(179.8, latitude - 0.2, 180.1, latitude)
    west = box(-180.2, latitude - 0.2, -179.9, latitude)
    in_image = here.to_image_polygon(split)
    assert in_image.geom_type == "Polygon"
    for same in (whole, west):
        assert here.to_image_polygon(same).symmetric_difference(in_image).area < 1e-3 * in_image.area
        assert here.window(same, 500.0) == here.window(split, 500.0)


@settings(max_examples=60, deadline=None)
@given(
    track=TRACKS,
    down=st.floats(-0.2, 1.2),
    across=st.floats(-0.2, 1.2),
    radius_m=st.floats(10, 30_000),
    margin_m=st.sampled_from([0.0, 1000.0]),
)
def test_a_window_holds_its_area(track, down, across, radius_m, margin_m):
    geometry = make_geometry(track)
    lon, lat = (value.item() for value in geometry.to_map(down * 1199, across * 1499))
    assume(abs(lat) < 89)
    around = np.linspace(0, 2 * np.pi, 60)
    ring_lon = lon + np.degrees(radius_m / EARTH_RADIUS / np.cos(np.radians(lat))) * np.cos(around)
    ring_lat = np.clip(lat + np.degrees(radius_m / EARTH_RADIUS) * np.sin(around), -90, 90)
    area = recentred(Polygon(np.column_stack([ring_lon, ring_lat])))
    window = geometry.window(area, margin_m)
    inside = np.concatenate([area.representative_point().coords, shapely.get_coordinates(area)])
    line, pixel = geometry.to_image(*inside.T)
    seen = (line >= -0.5) & (line < 1199.5) & (pixel >= -0.5) & (pixel < 1499.5)
    if window is None:
        assert not seen.any()
        return
    assert window.line_stop <= 1200
    assert window.pixel_stop <= 1500
    rim = margin_m / 100
    low, high = np.clip(line[seen] - rim, 0, 1199), np.clip(line[seen] + rim, 0, 1199)
    assert np.all(low >= window.line_start - 0.51)
    assert np.all(high <= window.line_stop - 0.49)
    low, high = np.clip(pixel[seen] - rim, 0, 1499), np.clip(pixel[seen] + rim, 0, 1499)
    assert np.all(low >= window.pixel_start - 0.51)
    assert np.all(high <= window.pixel_stop - 0.49)
    # And not much more than it: to the area's own extent, the margin, and a pixel for whole numbers.
    whole_line, whole_pixel = geometry.to_image(*shapely.get_coordinates(shapely.segmentize(area, 0.01)).T)
    assert window.shape[0] <= np.ptp(whole_line) + 2 * rim + 3
    assert window.shape[1] <= np.ptp(whole_pixel) + 2 * rim + 3


def test_window_of_a_point_of_a_line_and_of_nothing():
    geometry, _ = geometry_over(20.0, 10.0)
    lon, lat = geometry.to_map([100.0, 100.0], [200.0, 240.4])
    assert geometry.window(Point(lon[0], lat[0])) == Window(100, 101, 200, 201)
    assert geometry.window(Point(lon[0], lat[0]), 1000.0) == Window(90, 111, 190, 211)
    assert geometry.window(LineString(np.column_stack([lon, lat]))) == Window(100, 101, 200, 241)
    assert geometry.window(Point(-160.0, 10.0)) is None
    assert geometry.window(Polygon()) is None
    lon, lat = geometry.to_map(-20.0, 5.0)
    assert geometry.window(Point(lon, lat)) is None
    assert geometry.window(Point(lon, lat), 2000.0) == Window(0, 1, 0, 26)


def test_an_area_whose_box_meets_the_image_but_not_itself_has_no_window():
    geometry, _ = geometry_over(20.0, 10.0)
    lon, lat = geometry.to_map(
        [-100.0, -100.0, 1300.0, 1300.0, 1299.0, -99.0], [-100.0, 1700.0, 1700.0, 1699.0, 1699.0, 1699.0]
    )
    hook = Polygon(np.column_stack([lon, lat]))
    assert hook.is_valid
    assert geometry.window(hook) is None


def test_a_continent_is_cut_to_what_is_near():
    geometry, _ = geometry_over(20.0, 10.0)
    land = geometry.to_image_polygon(box(-20, -40, 120, 60))
    left, top, right, bottom = land.bounds
    np.testing.assert_allclose([left, top, right, bottom], [-200.5, -200.5, 1699.5, 1399.5], atol=1)
    hole = box(-20, -40, 120, 60).difference(geometry.footprint())
    sea = box(-0.5, -0.5, 1499.5, 1199.5).difference(geometry.to_image_polygon(hole))
    assert sea.area == pytest.approx(1200 * 1500, rel=1e-4)
    assert geometry.to_image_polygon(box(-170, -40, -120, 40)).is_empty


def test_straight_sides_bend_in_the_image_as_the_parallels_do():
    geometry, _ = geometry_over(20.0, 65.0)
    lon, lat = geometry.centre
    strip = geometry.to_image_polygon(LineString([(lon - 1.0, lat), (lon + 1.0, lat)]))
    middle = geometry.to_image(lon + 0.35, lat)
    assert strip.distance(Point(middle[1], middle[0])) < 0.01


@given(centre=st.floats(-180, 180), west=st.floats(-179, 179), width=st.floats(0.5, 90), south=st.floats(-80, 70))
def test_recentred_moves_nothing(centre, west, width, south):
    area = box(west, south, west + width, south + 8)
    there = recentred(area, centre)
    assert centre - 180 <= there.bounds[0]
    assert there.bounds[2] <= centre + 180
    assert there.area == pytest.approx(area.area, rel=1e-9)
    back = recentred(recentred(there), west + width / 2)
    assert back.symmetric_difference(recentred(area, west + width / 2)).area < 1e-9 * area.area


def test_a_ring_around_a_pole_holds_the_pole():
    lon = np.arange(-170.0, 190.0, 20.0)
    cap = ring_polygon(lon, np.full(lon.size, 80.0))
    assert cap.bounds == (-180, 80, 180, 90)
    assert cap.area == pytest.approx(3600)
    assert ring_polygon(lon[::-1], np.full(lon.size, -80.0)).bounds == (-180, -90, 180, -80)


def test_orbit_needs_vectors_in_order():
    position = Track(0.0).position(np.arange(3.0)).T
    with pytest.raises(ValueError, match="4 or more"):
        Orbit.fit(np.arange(3.0), position)
    with pytest.raises(ValueError, match="time order"):
        Orbit.fit(np.array([0.0, 1.0, 1.0, 2.0]), np.repeat(position, 2, axis=0)[:4])


def test_orbit_meets_its_vectors_to_a_millimetre_and_its_own_velocity():
    track, time = Track(33.0, 12.0), np.arange(-60, 90, 10.0)
    orbit = Orbit.fit(time, track.position(time).T)
    inner = np.linspace(-55, 75, 41)
    position, velocity = orbit.state(inner)
    np.testing.assert_allclose(position, track.position(inner), atol=1e-3)
    step = 1e-3
    numeric = (track.position(inner + step) - track.position(inner - step)) / (2 * step)
    np.testing.assert_allclose(velocity, numeric, atol=1e-4)


@pytest.mark.parametrize("lines", [[], [5.0, 5.0], [7.0, 3.0]])
def test_range_law_needs_times_in_order(lines):
    with pytest.raises(ValueError, match="ascend"):
        GroundRange(
            lines=np.array(lines), origins_m=np.zeros(2), coefficients=np.ones((2, 3)), spacing_m=10, n_pixels=9
        )


def test_range_law_must_grow():
    with pytest.raises(ValueError, match="does not grow"):
        GroundRange(
            lines=np.array([0.0]), origins_m=np.zeros(1), coefficients=np.array([[8e5, -0.4]]), spacing_m=10, n_pixels=9
        )


def test_range_law_takes_the_polynomial_nearest_in_time():
    law = GroundRange(
        lines=np.array([0.0, 100.0]),
        origins_m=np.array([0.0, 10.0]),
        coefficients=np.array([[8e5, 0.5], [9e5, 0.5]]),
        spacing_m=10.0,
        n_pixels=1000,
    )
    slant = law.slant_m(np.array([-9.0, 49.0, 51.0, 400.0]), np.full(4, 3.0))
    np.testing.assert_allclose(slant, [800015, 800015, 900010, 900010])
    np.testing.assert_allclose(law.pixel(np.array([20.0, 90.0]), np.array([800015.0, 900010.0])), 3.0, atol=1e-9)
