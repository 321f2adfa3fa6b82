"""Products on disk, chosen by the options of a catalogue's query."""

import json

import pytest
from click.testing import CliRunner

from sarship.cli import main
from sarship.sentinel1.product import open_grd


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    quay = {"type": "LineString", "coordinates": [[35.795, 34.9], [35.805, 34.9]]}
    pier = {"type": "Feature", "properties": {"name": "Quay", "kind": "pier"}, "geometry": quay}
    path = tmp_path_factory.mktemp("port") / "port.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [pier]}))
    return path


def test_products_of_the_period_are_counted_and_the_others_are_not(three_dates, port, tmp_path):
    days = [f"{open_grd(path).scene.start:%Y-%m-%d}" for path in three_dates]
    period = ["--from", days[1], "--to", days[1]]
    outcome = run("count", port, *three_dates, "gone.SAFE", *period, "--out", tmp_path / "o", "--no-pictures")
    assert outcome.exit_code == 1
    assert "note: 2 of 4 products are what the options ask for" in outcome.stderr
    assert "failed: gone.SAFE" in outcome.stderr
    assert [row.split()[0] for row in outcome.stdout.splitlines() if "15:4" in row] == [days[1]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "2031-01-01"), "none of the 3 products, of 2024-12-03 to 2025-01-08, is what the options ask for"),
        (("--orbit", "88"), "none of the 3 products"),
        (("--polarization", "HH"), "none of the 3 products"),
        (("--to", "2024-44-01"), "the search's end '2024-44-01' is not a date"),
        (("--from", "2024-12-09", "--to", "2024-12-08"), "before it starts"),
        (("--catalog", "planetary"), "--catalog local=FOLDER --catalog planetary"),
        (("--against", "asf"), "--catalog local=FOLDER --catalog planetary"),
    ],
)
def test_options_that_choose_nothing_or_ask_for_a_catalogue_are_refused(three_dates, port, tmp_path, options, said):
    outcome = run("count", port, *three_dates, *options, "--out", tmp_path / "o")
    assert outcome.exit_code == 2
    assert said in outcome.stderr
    assert not (tmp_path / "o").exists()
