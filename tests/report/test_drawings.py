"""Yards on the page: drawn, told pass by pass, and safe with any name; a page without yards has none of it."""

import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from builders.aprons import make_aprons
from builders.results import make_results

from sarship.analysis import judge_aprons
from sarship.pipeline import write_results
from sarship.report import write_report
from sarship.report.drawings import draw_aprons

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"' & {{ 7 * 7 }}"
LEVEL = np.where(np.arange(16) < 8, 4.0, 0.0) + np.tile([0.3, -0.4, 0.1, 0.0], 4)


def with_yards(**options):
    level = LEVEL.copy()
    level[3] = np.nan
    table = judge_aprons(make_aprons(level, orbits=(87, 14), **options))
    return replace(make_results(), aprons=table)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("yards")
    write_results(with_yards(name=HOSTILE, surface="<b>gravel"), folder)
    return write_report(folder).read_text("utf-8")


def section_of(page):
    return re.search(r'<section aria-labelledby="aprons">.*?</section>', page, re.DOTALL)[0]


def test_a_yard_has_its_sentence_its_series_and_its_state_on_each_pass(page):
    section = section_of(page)
    text = re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", section)))
    assert re.search(r"emptied between 2025-01-\d\d and 2025-01-\d\d: added scattering from 3\d\d m²", text)
    assert [section.count(mark) for mark in ("<circle", '<rect x="', 'class="cross" x=')] == [7, 8, 1]
    assert section.count('class="band"') == 1
    states = re.findall(r'class="state">(\w+)<', section)
    assert (len(states), states.count("emptied"), states[0], states[3]) == (16, 1, "unknown", "unknown")
    assert "not imaged" in text
    assert "aprons.csv" in text


def test_the_answer_and_the_table_of_changes_name_the_yard(page):
    answer = re.search(r'<section aria-labelledby="answer">.*?</section>', page, re.DOTALL)[0]
    assert re.search(r"<li>Apron .*? emptied between ", answer)
    assert re.search(r"<td>emptied</td>.*?\d+ \(\d+ to \d+\) m²", answer, re.DOTALL)


def test_names_are_text(page):
    assert "<img" not in page
    assert "alert(1)</script>" not in page
    assert "<b>gravel" not in page
    assert "&lt;b&gt;gravel" in page


def test_a_port_without_yards_has_no_section(tmp_path):
    write_results(make_results(), tmp_path)
    page = write_report(tmp_path).read_text("utf-8")
    assert "aprons" not in re.sub("<(script|style)>.*?</(script|style)>", "", page, flags=re.DOTALL)


def test_a_yard_that_was_never_measured_is_drawn_as_unknown(tmp_path):
    results = replace(make_results(), aprons=judge_aprons(make_aprons([np.nan] * 3)))
    (yard,) = draw_aprons(results)
    assert (len(yard["points"]), len(yard["unknown"]), yard["changes"]) == (0, 3, [])
    write_results(results, tmp_path)
    assert "No change was found" in section_of(write_report(tmp_path).read_text("utf-8"))


def test_what_is_drawn_lies_within_the_axes():
    (yard,) = draw_aprons(with_yards())
    levels = [level["y"] for level in yard["levels"]]
    for point in yard["points"]:
        assert min(levels) <= point["high"] <= point["y"] <= point["low"] <= max(levels)
        assert 70 <= point["x"] <= 985
    assert yard["levels"][0]["label"] <= "0" <= yard["levels"][-1]["label"]
