"""A survey of products as an archive has them: two orbits, three satellites, slices, twins, one polarisation, a gap."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders.cf import complaints_of

from sarship import read_port, survey
from sarship.simulate import simulate_port_series


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return simulate_port_series(tmp_path_factory.mktemp("untidy"), seed=3, n_dates=8, n_orbits=2)


@pytest.fixture(scope="module")
def surveyed(series, tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    return folder, survey(series.products, read_port(series.port_file), folder)


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
    for name in ("vessels", "visits", "changes", "alerts"):
        table = pd.read_csv(folder / f"{name}.csv")
        assert len(table) == len(getattr(results, name))
        assert not [column for column in table if str(column).startswith("Unnamed")]
    assert len(gpd.read_file(folder / "vessels.geojson")) == len(results.vessels) > 0
    for name in ("vessels", "scenes", "coverage", "piers"):
        assert len(gpd.read_parquet(folder / f"{name}.parquet")) == len(getattr(results, name)) > 0
