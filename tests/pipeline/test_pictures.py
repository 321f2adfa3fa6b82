"""Pictures of a survey: the passes that have pages, and none left of an earlier run. What is on a page: tests/plots."""

import shutil

import pytest

from sarship.pipeline import write_pictures
from sarship.plots.style import new_figure


@pytest.fixture
def pages_of(harbour_survey, tmp_path, monkeypatch):
    """Draw a copy of the survey with blank pages, and return the names of those that are there."""
    original, port, results = harbour_survey
    folder = shutil.copytree(original, tmp_path / "out")
    monkeypatch.setattr("sarship.pipeline.pictures.plot_port_page", lambda *_, **__: new_figure((1, 1)))

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
