"""Simulated AIS: its three forms say the same, and what is hidden is hidden."""

from __future__ import annotations

import pandas as pd
import pytest

from sarship.ais import read_ais
from sarship.simulate import ProductParams, simulate_ais, simulate_port_series


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    tiny = ProductParams(shape=(64, 64), polarizations=("VV",))
    return simulate_port_series(tmp_path_factory.mktemp("tiny"), n_dates=2, params=tiny)


@pytest.fixture(scope="module")
def made(series, tmp_path_factory):
    return simulate_ais(series, tmp_path_factory.mktemp("ais"), jammed=[0], unheard=[1])


def test_three_forms_say_the_same_but_for_what_a_form_cannot(made):
    tables = {form: read_ais(file).table for form, file in made.files.items()}
    places = {form: table.sort_values(["mmsi", "time", "longitude"]) for form, table in tables.items()}
    for form in ("csv2", "nmea"):
        assert places[form]["mmsi"].tolist() == places["danish"]["mmsi"].tolist()
        assert places[form]["time"].tolist() == places["danish"]["time"].tolist()
        assert (places[form]["longitude"].to_numpy() - places["danish"]["longitude"].to_numpy()).max() < 2e-6
    assert tables["csv2"]["a_m"].isna().all()
    assert tables["nmea"]["a_m"].notna().all()
    assert read_ais(made.files["danish"]).dropped.keys() == {"base stations", "duplicates"}


def test_what_is_dark_jammed_or_not_heard(series, made):
    table = read_ais(made.files["csv2"]).table
    present = set(series.truth["vessel_id"])
    assert 0 < len(present - set(made.mmsi)) < len(present) / 2
    times = series.truth.groupby("scene")["time"].min().sort_values()
    near = [table[(table["time"] - time).abs() < pd.Timedelta(30, "min")] for time in times]
    assert 0.4 < near[0]["is_false"].mean() < 1
    assert near[1].empty


def test_a_seed_decides_everything_and_a_clock_can_be_off(series, made, tmp_path):
    late = simulate_ais(series, tmp_path, forms=["csv2"], jammed=[0], unheard=[1], hours_off=3)
    assert late.mmsi == made.mmsi
    one, other = (read_ais(each.files["csv2"]).table for each in (made, late))
    assert (other["time"] - one["time"]).unique().tolist() == [pd.Timedelta(3, "h")]
    assert other["longitude"].tolist() == one["longitude"].tolist()
