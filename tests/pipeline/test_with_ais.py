"""AIS beside the results of a survey: on disk and back, and what the command says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import shapely
from builders.port_files import PIER, write
from builders.results import make_results
from click.testing import CliRunner

from sarship.cli import main
from sarship.pipeline import add_ais, read_results, write_results
from sarship.port.port_file import Port

HEADER = "mmsi,base_date_time,longitude,latitude,sog,cog,heading,length\n"


@pytest.fixture
def reports(tmp_path):
    """A vessel at the place of the second row of the results, and some at rest around."""
    rows = [
        f"{211_000_000 + k},2024-12-{day:02} {hour:02}:42:10,{place:.4f},{place:.4f},0.0,360.0,0.0,50\n"
        for k, place in enumerate((1.1, *(0.3 + 0.05 * n for n in range(8))))
        for day, hour in ((3, 9), (3, 15), (3, 21))
    ]
    path = tmp_path / "reports.csv"
    path.write_text(HEADER + "".join(rows))
    return path


def at_one_pier():
    """Results of the pier that was seen alone."""
    results = make_results()
    return replace(results, piers=results.piers.iloc[:1], coverage=results.coverage.iloc[:1])


@pytest.fixture
def port():
    return Port(name="Hamn", piers=at_one_pier().piers, given_level_m=0.0)


def test_matches_are_written_read_back_and_taken_away_again(tmp_path, reports, port):
    results = at_one_pier()
    beside = add_ais(results, port, [reports], tmp_path / "out")
    back = read_results(tmp_path / "out")
    assert back.ais is not None
    assert back.ais.table.equals(beside.ais.table)
    assert dict(back.ais.summary) == dict(beside.ais.summary)
    states = back.ais.table.set_index("vessel")["state"]
    assert states.loc[results.vessels["vessel"]].tolist() == ["dark", "matched"]
    assert {name: float(back.counts[name][0, 0]) for name in ("n_dark", "n_unknown")} == {"n_dark": 1, "n_unknown": 0}
    assert back.visits["mmsi"].dropna().tolist() == [211_000_000]
    lines = (tmp_path / "out" / "counts.csv").read_text().splitlines()
    assert "n_ais" in lines[0]
    assert (tmp_path / "out" / "ais_matches.csv").read_text().startswith("time,pier,vessel,mmsi,name,state")
    said = str(back.ais)
    assert "1 matched, 0 ambiguous, 1 dark" in said
    assert "may rightly be so: under 300 gross tons" in said
    write_results(results, tmp_path / "out")
    assert not list((tmp_path / "out").glob("ais_matches*"))
    assert read_results(tmp_path / "out").ais is None


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (None, [], "is not there"),
        ("a,b\n1,2\n", [], "no column for mmsi and time and longitude and latitude; it has a, b"),
        ("a,b\n1,2\n", ["--ais-columns", "mmsi"], "--ais-columns is a list such as mmsi=ID,time=T, got 'mmsi'"),
        ("a,b\n1,2\n", ["--ais-columns", "size=b"], "'size' is no field of a report; choose from mmsi, time"),
        (HEADER, ["--ais-columns", "mmsi=ID"], "no column 'ID' for mmsi"),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_searched(text, options, message, tmp_path):
    path = tmp_path / "reports.csv"
    if text is not None:
        path.write_text(text)
    out = tmp_path / "out"
    product = tmp_path / "S1A_IW_GRDH_1SDV_20241203T154210_20241203T154211_056821_06EFA2_E919.SAFE"
    product.mkdir()
    harbour = write(tmp_path, [PIER])
    arguments = ["count", str(harbour), str(product), "--out", str(out), "--ais", str(path)]
    done = CliRunner().invoke(main, [*arguments, *options])
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output
    assert not out.exists()


def test_reports_of_another_place_leave_the_results_as_they_were(tmp_path, reports, port):
    results = make_results()
    write_results(results, tmp_path / "out")
    far = Port(name="Far", piers=port.piers.set_geometry([shapely.box(100, 50, 100.1, 50.1)]), given_level_m=0.0)
    with pytest.raises(ValueError, match=r"the nearest is [0-9]+ km from the port"):
        add_ais(results, far, [reports], tmp_path / "out")
    assert read_results(tmp_path / "out").ais is None
