"""Archives as their users read them: pyarrow, geopandas, DuckDB and pystac."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import geopandas as gpd
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import shapely
from builders.results import make_results
from builders.tables import BLANK, make_coverage, make_scenes, make_vessels

from sarship.ais import AIS_MATCHES, AisMatches
from sarship.pipeline.archive import (
    ARCHIVED,
    SCHEMA_VERSION,
    archive_results,
    part_of,
    segment_of,
)
from sarship.pipeline.archive_catalog import COLLECTION, write_collection, write_items
from sarship.pipeline.results import KEY, Results
from sarship.schema import APRONS

NAMES = ("Tartus", "Port Saïd/East", "45003", "..", "a=b%20c")
"""Ports: plain, no folder's name, a number, a folder above, and what looks encoded."""
AREA = shapely.box(35.8, 34.9, 35.9, 35.0)


def results_of(port, **changes) -> Results:
    """A port of two piers over two passes, on either side of the new year; at the second a pier was not seen."""
    scenes = (("S1", "2024-12-31T15:42:10.485484"), ("S2", "2025-01-12T15:42:10.5"))
    times = pd.Series(pd.to_datetime([f"{when}Z" for _, when in (scenes[0], *scenes)]).as_unit("ns"))
    given = make_results()
    return replace(
        given,
        vessels=make_vessels(("S1", "A"), ("S1", "A"), ("S2", None)).assign(time=times),
        scenes=make_scenes(*scenes),
        coverage=make_coverage(("S1", "A", 1.0), ("S1", "B", 1.0), ("S2", "A", 0.0), ("S2", "B", 1.0)),
        piers=gpd.GeoDataFrame(
            {"name": ["A", "B"], "kind": ["pier", "anchorage"], "max_distance_m": [50.0, 0.0]},
            geometry=[AREA, AREA],
            crs="EPSG:4326",
        ),
        provenance=replace(given.provenance, port=port, scenes=("S1", "S2")),
        sources={"S1": "https://store.example.org/S1.SAFE", "S2": "/home/me/S2.SAFE"},
        **changes,
    )


def blank(table, **columns):
    row = {**BLANK, "Int64": pd.NA}
    return table.make(
        {column.name: [columns.get(column.name, row[column.dtype])] for column in table.columns}, [AREA.centroid]
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An archive of ports of all names; the first has aprons and AIS too."""
    folder = tmp_path_factory.mktemp("whole")
    for port in NAMES:
        more = {}
        if port == NAMES[0]:
            more = {"aprons": blank(APRONS), "ais": AisMatches(table=blank(AIS_MATCHES, mmsi=211_000_000))}
        results = results_of(port, **more)
        write_items(archive_results(results, folder), results, AREA, folder)
    write_collection(folder)
    return folder


@pytest.fixture
def archive(whole, tmp_path):
    """A copy of it to change."""
    return shutil.copytree(whole, tmp_path / "archive")


@pytest.mark.parametrize("name", ARCHIVED)
def test_every_reader_finds_the_same_rows_ports_and_years(whole, name):
    duckdb = pytest.importorskip("duckdb")
    ports = NAMES if name not in {"aprons", "ais_matches"} else NAMES[:1]
    arrow = ds.dataset(whole / name, partitioning="hive").to_table().to_pandas()
    types = "hive_types = {'port': varchar, 'year': int}"
    table = f"read_parquet('{whole}/{name}/**/*.parquet', hive_partitioning = true, {types})"
    kept = [column.name for column in ARCHIVED[name].columns]
    described = [row[0] for row in duckdb.sql(f"describe select * from {table}").fetchall()]
    assert described == list(arrow.columns) == [*kept, "geometry", "port", "year"]
    found = duckdb.sql(f"select port, year from {table}").fetchall()
    assert sorted(found) == sorted(zip(arrow["port"].astype(str), arrow["year"], strict=True))
    assert {port for port, _ in found} == (set(ports) if len(arrow) else set())
    for part in (whole / name).glob("*/*/*.parquet"):
        frame = ARCHIVED[name].check(gpd.read_parquet(part))
        metadata = pq.read_metadata(part)
        note = json.loads(metadata.metadata[KEY.encode()])
        assert note["schema"] == SCHEMA_VERSION
        assert note["table"] == name
        assert f"year={note['year']}" == part.parent.name
        assert segment_of(note["port"]) == part.parent.parent.name
        assert note["is_simulated"] is True
        assert "created" not in note
        assert json.loads(metadata.metadata[b"geo"])["primary_column"] == "geometry"
        assert {metadata.row_group(k).column(0).compression for k in range(metadata.num_row_groups)} <= {"ZSTD"}
        assert not len(frame) or frame.iloc[:, 0].notna().all()


def test_missing_is_not_zero_and_a_year_has_its_own_rows(whole):
    frames = {year: gpd.read_parquet(whole / part_of("counts", "..", year)).set_index("pier") for year in (2024, 2025)}
    assert frames[2024]["n_vessels"].to_dict() == {"A": 2, "B": 0}
    assert pd.isna(frames[2025]["n_vessels"]["A"])
    assert frames[2025]["n_vessels"]["B"] == 0
    assert frames[2024]["n_ais"].isna().all()
    assert [len(gpd.read_parquet(whole / part_of("vessels", "..", year))) for year in (2024, 2025)] == [2, 1]
    note = json.loads(pq.read_schema(whole / part_of("visits", "..", 2025)).metadata[KEY.encode()])
    assert note["scenes"] == ["S2"]


def test_tables_that_a_survey_no_longer_makes_are_removed(archive):
    results = results_of(NAMES[0])
    archive_results(results, archive)
    assert not list((archive / "aprons").iterdir())
    assert not list((archive / "ais_matches").iterdir())


def test_a_survey_of_nothing_leaves_nothing(archive):
    empty = replace(
        results_of(NAMES[0]), vessels=make_vessels(), scenes=make_scenes(), coverage=make_coverage(), sources={}
    )
    assert archive_results(empty, archive) == ()
    write_items((), empty, AREA, archive)
    left = [path for path in archive.rglob("*") if segment_of(NAMES[0]) in str(path) or path.parent.name == NAMES[0]]
    assert left == []


def test_the_same_survey_makes_the_same_bytes(archive):
    paths = sorted(path for path in archive.rglob(f"{segment_of('..')}/**/*.parquet"))
    before = [path.read_bytes() for path in paths]
    again = results_of("..")
    later = replace(again.provenance, created=again.provenance.created.replace(year=2031))
    archive_results(replace(again, provenance=later), archive)
    assert [path.read_bytes() for path in paths] == before
    assert len(before) == 2 * 5


def test_the_schema_has_the_number_of_its_columns():
    """Where this fails, columns of an archive changed: take the next number, and this digest."""
    told = {name: [(column.name, column.dtype) for column in table.columns] for name, table in ARCHIVED.items()}
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    assert (SCHEMA_VERSION, digest[:16]) == (1, "c03cc14539178fee")


# ---- as a catalogue


@pytest.fixture
def collection(whole):
    pystac = pytest.importorskip("pystac")
    return pystac.Collection.from_file(whole / COLLECTION)


def test_the_collection_and_its_items_are_valid(collection):
    """By the schemas of STAC that pystac brings; those of extensions are on a server."""
    from pystac.validation import validate_dict  # noqa: PLC0415

    items = list(collection.get_items())
    assert len(items) == 2 * len(NAMES)
    for each in (collection, *items):
        validate_dict({**each.to_dict(include_self_link=False, transform_hrefs=False), "stac_extensions": []})
    assert collection.extent.spatial.bboxes[0] == [35.8, 34.9, 35.9, 35.0]
    start, end = collection.extent.temporal.intervals[0]
    assert (start.year, end.year) == (2024, 2025)


def test_an_item_leads_to_its_parts_and_where_they_come_from(whole, collection):
    from urllib.parse import unquote, urljoin  # noqa: PLC0415

    from pystac.extensions.table import TableExtension  # noqa: PLC0415

    items = {item.properties[f"{KEY}:port"]: item for item in collection.get_items() if item.id.endswith("2024")}
    assert set(items) == set(NAMES)
    for port, item in items.items():
        assert item.collection_id == collection.id
        assert set(item.assets) == set(ARCHIVED) - ({"aprons", "ais_matches"} if port != NAMES[0] else set())
        for name, asset in item.assets.items():
            place = urljoin(f"file://{item.get_self_href()}", asset.href).removeprefix("file://")
            assert place.endswith(".parquet")
            assert unquote(place) == str(whole / part_of(name, port, 2024))
            assert len(gpd.read_parquet(unquote(place))) == asset.extra_fields["table:row_count"]
        derived = [link.href for link in item.links if link.rel == "derived_from"]
        assert derived == ["https://store.example.org/S1.SAFE"]
        assert item.properties["title"].startswith("SIMULATED ")
    columns = collection.extra_fields["item_assets"]["counts"]["table:columns"]
    assert columns[0] == {"name": "time", "type": "datetime64[ns, UTC]", "description": "start of the pass"}
    assert TableExtension.ext(items["Tartus"].assets["counts"]).primary_geometry == "geometry"


def test_a_collection_of_nothing_is_valid(tmp_path):
    pystac = pytest.importorskip("pystac")
    from pystac.validation import validate_dict  # noqa: PLC0415

    write_collection(tmp_path)
    empty = pystac.Collection.from_file(tmp_path / COLLECTION)
    validate_dict({**empty.to_dict(include_self_link=False), "stac_extensions": []})
    assert list(empty.get_items()) == []


def test_boxes_across_the_antimeridian_are_around_the_globe(tmp_path):
    fiji = shapely.MultiPolygon([shapely.box(177, -19, 180, -16), shapely.box(-180, -19, -178, -16)])
    for port, area in (("Suva", fiji), ("Tartus", AREA)):
        results = results_of(port)
        write_items(archive_results(results, tmp_path), results, area, tmp_path)
    write_collection(tmp_path)
    boxes = json.loads((tmp_path / COLLECTION).read_text())["extent"]["spatial"]["bbox"]
    assert boxes[0] == [-180.0, -19.0, 180.0, 35.0]
    assert [177.0, -19.0, -178.0, -16.0] in boxes
