"""Pictures of a survey: the passes that have pages, and none left of an earlier run. What is on a page: tests/plots."""

import shutil
from unittest import mock

import pytest

from sarship.pipeline import write_pictures
from sarship.plots.style import new_figure


@pytest.fixture
def pages_of(harbour_survey, tmp_path, monkeypatch):
    """Write pictures of a copy of the survey, all of them blank, and return the names of the pages that are there."""
    original, port, results = harbour_survey
    folder = shutil.copytree(original, tmp_path / "out")
    for name in ("counts", "visits", "port_page"):
        monkeypatch.setattr(f"sarship.pipeline.pictures.plot_{name}", lambda *_, **__: new_figure((1, 1)))
    monkeypatch.setattr("sarship.pipeline.pictures.look_again", mock.MagicMock())

    def draw(pages):
        written = write_pictures(results, port, folder, pages=pages)
        there = sorted(path for path in folder.glob("pages/*"))
        assert there == sorted(path for path in written if path.parent.name == "pages")
        return [path.stem for path in there]

    return draw


def test_pages_are_of_the_newest_pass_or_of_all(harbour, harbour_survey, pages_of):
    _, _, results = harbour_survey
    assert pages_of("all") == sorted(results.scenes["scene"])
    newest = results.counts["scene"].to_numpy()[-1].split()
    assert pages_of("newest") == sorted(newest)
    assert len(newest) < len(results.scenes)


@pytest.mark.slow
def test_two_processes_draw_what_one_draws(harbour_survey, tmp_path, monkeypatch):
    monkeypatch.setattr("sarship.pipeline.shared_work.MIN_SHARED", 2)
    original, port, results = harbour_survey
    drawn = []
    for n_workers in (1, 2):
        folder = shutil.copytree(original, tmp_path / str(n_workers))
        files = write_pictures(results, port, folder, pages="all", n_workers=n_workers)
        drawn.append({file.relative_to(folder): file.read_bytes() for file in files})
    assert drawn[0] == drawn[1]
    assert list(drawn[0]) == list(drawn[1])
