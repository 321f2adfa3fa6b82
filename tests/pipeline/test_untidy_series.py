"""A survey of products as an archive has them: two orbits, three satellites, slices, twins, one polarisation, a gap."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders.cf import complaints_of

from sarship import read_observations, read_port, survey
from sarship.pipeline.with_ais import add_ais
from sarship.simulate import simulate_ais, simulate_port_series


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return simulate_port_series(tmp_path_factory.mktemp("untidy"), seed=3, n_dates=8, n_orbits=2)


@pytest.fixture(scope="module")
def surveyed(series, tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("survey"), read_port(series.port_file)
    sheet = folder.with_suffix(".csv")
    rows = [f"{one.scene.split('_')[4]}Z,port,{k},=1+1" for k, one in enumerate(series.passes)]
    sheet.write_text("\n".join(["time,where,value,source", *rows]))
    results = survey(series.products, port, folder, observations=read_observations(sheet, port.piers))
    ais = simulate_ais(series, folder.with_suffix(".ais"), forms=["csv2"])
    return folder, add_ais(results, port, ais.files.values(), folder)


def test_every_pass_counts_once_at_its_own_microsecond(series, surveyed):
    _, results = surveyed
    assert not results.failures
    assert len(series.products) > len(results.scenes) > results.counts.sizes["time"] == 8  # twins, and a pass in slices
    assert results.counts["scene"].to_numpy().tolist() == [one.scene for one in series.passes]
    assert len(set(results.counts["relative_orbit"].to_numpy().tolist())) == 2
    assert len(set(results.counts["platform"].to_numpy().tolist())) == 3
    assert "VV" in set(results.scenes["polarizations"])
    starts = pd.DatetimeIndex(results.counts["time"].to_numpy())
    assert (starts.microsecond != 0).all()
    assert not any((starts.diff()[1:] % pd.Timedelta(12, "D")) == pd.Timedelta(0))
    assert (results.counts["n_reference_dates"] == 4).all()


def test_files_open_in_the_tools_of_their_users(surveyed):
    folder, results = surveyed
    with xr.open_dataset(folder / "counts.nc") as counts:
        found = counts.transpose("time", "pier")
        np.testing.assert_array_equal(found["n_vessels"], results.counts["n_vessels"])
        assert found["time"].to_numpy().tolist() == results.counts["time"].to_numpy().tolist()
    references = sorted((folder / "references").glob("*.nc"))
    assert len(references) == 2
    for path in references:
        with xr.open_dataset(path) as reference:
            assert np.isfinite(reference["level"]).any()
    assert complaints_of(folder / "counts.nc", *references) == []
    table = pd.read_csv(folder / "counts.csv", parse_dates=["time"])
    assert len(table) == results.counts["n_vessels"].size
    assert table["n_vessels"].sum() == results.counts["n_vessels"].sum()
    matches = results.ais.table
    tables = {name: getattr(results, name) for name in ("vessels", "visits", "changes", "alerts", "agreement")}
    for name, written in (tables | {"ais_matches": matches}).items():
        table = pd.read_csv(folder / f"{name}.csv")
        assert len(table) == len(written)
        assert not [column for column in table if str(column).startswith("Unnamed")]
    assert len(gpd.read_file(folder / "vessels.geojson")) == len(results.vessels) > 0
    for name in ("vessels", "scenes", "coverage", "piers", "observations"):
        assert len(gpd.read_parquet(folder / f"{name}.parquet")) == len(getattr(results, name)) > 0
    found = gpd.read_parquet(folder / "ais_matches.parquet")
    assert found["state"].value_counts().to_dict() == matches["state"].value_counts().to_dict()
    assert {"matched", "dark"} <= set(found["state"])
