"""Results on disk: each file whole and by itself, all read back equal, bad folders refused with a reason."""

import errno
import json
import os
import re
from contextlib import suppress
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
import xarray as xr
from builders.aprons import make_aprons
from builders.results import SCENE, make_results

from sarship import __version__
from sarship.analysis import judge_aprons
from sarship.errors import OutputError
from sarship.files import write_file
from sarship.pipeline import result_files, search
from sarship.pipeline.result_files import read_results, write_results
from sarship.pipeline.results import Provenance, Results
from sarship.pipeline.table_files import read_table
from sarship.port.port_file import read_port
from sarship.schema import COVERAGE, SCENES, VESSELS

NAMES = {
    "vessels.geojson", "vessels.csv", "vessels.parquet", "scenes.parquet", "coverage.parquet", "piers.parquet",
    "observations.parquet", "counts.csv", "counts.nc", "visits.csv", "traffic.csv", "changes.csv", "alerts.csv",
    "agreement.csv", "vessels.qml", "results.json",
}  # fmt: skip


def provenance_of(path):
    """What a file alone says of where it comes from."""
    if path.suffix == ".parquet":
        return read_table(path)[1]
    if path.suffix == ".nc":
        with xr.open_dataset(path, engine="h5netcdf") as counts:
            return json.loads(counts.attrs["sarship"])
    return json.loads(path.read_text("utf-8"))["sarship"]


def marked(paths):
    """The files that hold the provenance."""
    return [path for path in paths if path.suffix not in {".csv", ".qml"}]


def test_what_was_written_reads_back_equal(tmp_path):
    written = make_results()
    paths = write_results(written, tmp_path / "new" / "folder")
    assert {path.name for path in paths} == NAMES == {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    back = read_results(tmp_path / "new" / "folder")
    for name in ("vessels", "scenes", "coverage", "piers"):
        frame, expected = getattr(back, name), getattr(written, name)
        assert frame.drop(columns="geometry").equals(expected.drop(columns="geometry")), name
        assert frame.geometry.geom_equals_exact(expected.geometry, 0).all(), name
        assert (frame.dtypes == expected.dtypes).all(), name
        assert frame.crs == expected.crs
    assert back.provenance == written.provenance
    assert back.failures == written.failures
    assert back.sources == written.sources
    xr.testing.assert_identical(back.counts, written.counts)


@pytest.mark.parametrize("n_vessels", [0, 3])
def test_every_file_but_plain_csv_says_where_it_comes_from(tmp_path, n_vessels):
    expected = make_results(n_vessels=n_vessels).provenance.as_dict()
    for path in marked(write_results(make_results(n_vessels=n_vessels), tmp_path)):
        found = provenance_of(path)
        assert found == expected, path.name
        assert found["version"] == __version__
        assert found["parameters"]["pfa"] == 1e-8
        assert found["scenes"] == [SCENE]
        assert found["is_simulated"] is True


def test_counts_are_read_by_others(tmp_path):
    write_results(make_results(), tmp_path)
    lines = (tmp_path / "counts.csv").read_text("utf-8").splitlines()
    assert lines[0].startswith("time,pier,n_vessels")
    assert lines[1].startswith("2024-12-03T15:42:10Z,Östra kajen,2,")
    assert lines[2].startswith('2024-12-03T15:42:10Z,"Far, ""away""",,')  # not seen is empty, not 0
    with xr.open_dataset(tmp_path / "counts.nc", engine="h5netcdf") as counts:
        assert counts["pier"].to_numpy().astype(str).tolist() == ["Östra kajen", 'Far, "away"']
        np.testing.assert_array_equal(counts["n_vessels"].transpose("time", "pier"), [[2, np.nan]])


@pytest.mark.parametrize("n_vessels", [0, 2])
@pytest.mark.parametrize("name", ["counts", "visits", "traffic", "vessels", "alerts"])
def test_csv_has_one_header_and_the_values_of_the_table(tmp_path, name, n_vessels):
    results = make_results(n_vessels=n_vessels)
    write_results(results, tmp_path)
    table = getattr(results, name)
    expected = table.to_dataframe().reset_index() if name == "counts" else table.drop(columns="geometry")
    frame = pd.read_csv(tmp_path / f"{name}.csv", parse_dates=["time"])
    assert set(frame.columns) == set(expected.columns)
    assert len(frame) == len(expected)
    for column in expected.select_dtypes("number"):
        np.testing.assert_allclose(
            frame[column].astype(float), expected[column].astype(float), rtol=1e-5, err_msg=column
        )


def test_results_show_themselves_in_a_line_and_in_a_notebook():
    """What was not seen is a dash, never 0, and names from a port file are text."""
    results = make_results()
    assert repr(results).startswith("<Results SIMULATED of ")
    assert f" {len(results.vessels)} vessels" in repr(results)
    assert set(re.findall(r"<td>(.*?)</td>", results._repr_html_())) == {"2", "–"}
    names = results.piers["name"].map({results.piers["name"][0]: "<b>North</b>"}).fillna("West")
    renamed = dict(zip(results.piers["name"], names, strict=True))
    hostile = replace(
        results,
        provenance=replace(results.provenance, port="<script>alert(1)</script>"),
        piers=results.piers.assign(name=names),
        **{table: getattr(results, table).replace({"pier": renamed}) for table in ("vessels", "coverage")},
    )
    assert "<script>" not in hostile._repr_html_()
    assert "<b>" not in hostile._repr_html_()


def test_real_scenes_are_not_marked_simulated(tmp_path):
    for path in marked(write_results(make_results(is_simulated=False), tmp_path)):
        assert provenance_of(path)["is_simulated"] is False


def test_geojson_is_what_the_standard_wants(tmp_path):
    write_results(make_results(), tmp_path)
    collection = json.loads((tmp_path / "vessels.geojson").read_text("utf-8"))
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection
    second = collection["features"][1]
    assert second["id"] == second["properties"]["vessel"] == f"{SCENE}/1"
    assert second["properties"]["time"] == "2024-12-03T15:42:10.485484Z"
    assert second["properties"]["sigma0_cross"] is None  # NaN is not JSON
    assert shapely.is_ccw(shapely.get_exterior_ring(shapely.geometry.shape(second["geometry"])))
    assert all(value == round(value, 7) for value in np.ravel(second["geometry"]["coordinates"]))
    assert len(gpd.read_file(tmp_path / "vessels.geojson")) == 2


def test_nothing_found_and_nothing_searched(tmp_path):
    full = make_results()
    none = Results(
        vessels=VESSELS.empty(), scenes=SCENES.empty(), coverage=COVERAGE.empty(), piers=full.piers,
        provenance=full.provenance, failures=full.failures,
    )  # fmt: skip
    write_results(none, tmp_path)
    assert read_results(tmp_path).counts.sizes == {"time": 0, "pier": 2}


def test_files_of_two_runs_are_not_mixed(tmp_path):
    write_results(make_results(), tmp_path / "a")
    write_results(make_results(is_simulated=False), tmp_path / "b")
    (tmp_path / "b" / "coverage.parquet").replace(tmp_path / "a" / "coverage.parquet")
    with pytest.raises(OutputError, match=r"coverage\.parquet and results\.json are of different runs"):
        read_results(tmp_path / "a")


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"{}", b'{"sarship": {}}', b"\xff\xfe"])
def test_folder_without_results(tmp_path, content):
    if content is not None:
        (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(OutputError, match="no results of sarship here"):
        read_results(tmp_path)


def test_a_damaged_table_is_never_read_as_another(tmp_path):
    write_results(make_results(), tmp_path)
    path = tmp_path / "vessels.parquet"
    whole, (expected, _) = path.read_bytes(), read_table(path, VESSELS)
    rng = np.random.default_rng(0)
    for place in rng.integers(len(whole), size=40):
        harmed = bytearray(whole)
        harmed[place] ^= 1 << int(rng.integers(8))
        for content in (bytes(harmed), whole[:place]):
            path.write_bytes(content)
            with suppress(OutputError):  # or else it was a byte that no reader of the table looks at
                assert read_table(path, VESSELS)[0].equals(expected)


def test_a_table_of_somebody_else_is_refused(tmp_path):
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(0, 0)], crs=4326).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(OutputError, match="not a table that sarship wrote"):
        read_table(tmp_path / "a.parquet")
    pq.write_table(pq.read_table(tmp_path / "a.parquet").replace_schema_metadata(None), tmp_path / "a.parquet")
    with pytest.raises(OutputError, match="not a table that sarship wrote"):
        read_table(tmp_path / "a.parquet")


def test_full_disk_leaves_the_old_files_and_no_parts(tmp_path, monkeypatch):
    write_results(make_results(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"No space left on device.*free some space"):
        write_results(make_results(n_vessels=0), tmp_path)
    with pytest.raises(OutputError, match="No space left"):
        write_file(tmp_path / "vessels.parquet", b"other")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_something_in_the_way(tmp_path):
    (tmp_path / "out" / "counts.nc").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"counts\.nc: cannot write this file \(Is a directory\)"):
        write_results(make_results(), tmp_path / "out")
    assert not list((tmp_path / "out").glob(".*"))


def test_provenance_round_trip():
    provenance = make_results().provenance
    assert Provenance.from_dict(json.loads(json.dumps(provenance.as_dict()))) == provenance
    assert set(result_files.__all__) >= {"read_results", "write_results"}


def test_whom_the_port_is_owed_to_stays_with_the_results(tmp_path):
    write_results(search([], port=read_port("tartus")), tmp_path)
    assert provenance_of(tmp_path / "results.json")["port_attribution"] == "© OpenStreetMap contributors, ODbL 1.0"
    assert read_results(tmp_path).provenance.port_attribution.startswith("©")


def test_yards_are_read_back_and_their_changes_with_them(tmp_path):
    level = np.where(np.arange(12) < 6, 4.0, 0.0)
    results = replace(make_results(), aprons=judge_aprons(make_aprons(level, surface="=gravel()")))
    names = {path.name for path in write_results(results, tmp_path)}
    assert names == NAMES | {"aprons.csv", "aprons.parquet"}
    back = read_results(tmp_path)
    assert back.aprons.drop(columns="geometry").equals(results.aprons.drop(columns="geometry"))
    assert back.changes["direction"].tolist() == ["emptied"]
    changes = pd.read_csv(tmp_path / "changes.csv")
    assert changes[["where", "quantity", "direction"]].to_numpy().tolist() == [["Yard", "added_m2", "emptied"]]
    table = pd.read_csv(tmp_path / "aprons.csv", keep_default_na=False)
    assert table["state"].tolist() == results.aprons["state"].tolist()
    assert table["surface"][0] == "'=gravel()", "no formula for a spreadsheet"
    write_results(make_results(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == NAMES
    assert len(read_results(tmp_path).aprons) == 0


def test_results_from_before_there_were_yards_are_read(tmp_path):
    write_results(make_results(), tmp_path)
    path = tmp_path / "results.json"
    summary = json.loads(path.read_text("utf-8"))
    del summary["aprons"]
    path.write_text(json.dumps(summary))
    assert len(read_results(tmp_path).aprons) == 0
