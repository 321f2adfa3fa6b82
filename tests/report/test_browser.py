"""The page in a real browser, offline: no error, no request, usable by keyboard, readable on a phone.

Chromium of the system is driven (`apt-get install --no-install-recommends chromium`); without one the tests are
skipped, and fail where the variable CI is set.
"""

from dataclasses import replace

import pytest
import shapely
from builders.aprons import make_aprons

from benchmarks.report_page import make_survey
from sarship.analysis import judge_aprons, read_observations
from sarship.pipeline import write_results
from sarship.report import write_report

NAME = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page with a map, a change, reports, a yard, and a port and a yard whose names are an attack."""
    place = tmp_path_factory.mktemp("survey")
    results = make_survey(place, name=NAME)
    path = place / "reports.csv"
    path.write_text("id,time,where,value,kind,source\n1,2024-03-01,Quay 1,9,radar,<script>alert(1)</script>\n")
    yard = shapely.box(35.862, 34.902, 35.863, 34.903)
    aprons = judge_aprons(make_aprons([4.0, 4.2, 3.8] * 4 + [0.1, -0.1] * 4, orbits=(87, 14), name=NAME, place=yard))
    write_results(replace(results, observations=read_observations(path, results.piers), aprons=aprons), place)
    return write_report(place).as_uri()


@pytest.fixture
def open_page(browser, address):
    """Open the page offline at a width; at the end nothing may have failed or been asked for."""
    faults, contexts = [], []

    def open_at(width=1280, height=900, **options):
        context = browser.new_context(offline=True, viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("request", lambda asked: faults.append(asked.url) if not asked.url.startswith(LOCAL) else None)
        page.goto(address)
        page.wait_for_load_state("load")
        page.wait_for_function("document.querySelector('#cards canvas')?.width > 0")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert faults == []


LOCAL = ("file:", "data:", "blob:")


def test_it_draws_everything_without_an_error_or_a_request(open_page):
    page = open_page()
    assert page.title() == f"SIMULATED: Vessels at {NAME}"
    assert page.locator("#charts canvas").count() == 3
    assert page.locator("#map .leaflet-image-layer").evaluate("(image) => image.naturalWidth") > 50
    assert page.locator("#map .leaflet-tooltip.pier").all_inner_texts() == ["Quay 1", "Quay 2", NAME]
    assert page.locator("#map .leaflet-overlay-pane path").count() == 3 + page.locator("#cards li").count()
    inked = (
        "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v > 60)"
    )
    assert page.locator("#cards canvas").first.evaluate(inked)
    assert page.locator("#charts canvas").first.evaluate(inked)


def test_the_slider_is_used_by_keyboard_and_says_where_it_is(open_page):
    page = open_page()
    slider, shown = page.locator("#slider"), page.locator("#shown")
    assert shown.get_attribute("aria-live") == "polite"
    assert shown.inner_text().startswith("2024-07-11 15:42 UTC")
    for _ in range(40):  # from the top of the page, by tabs alone
        page.keyboard.press("Tab")
        if slider.evaluate("(element) => element === document.activeElement"):
            break
    page.keyboard.press("ArrowLeft")
    assert shown.inner_text().startswith("2024-06-29 15:42 UTC")
    assert slider.get_attribute("aria-valuetext").startswith(shown.inner_text())
    page.keyboard.press("Home")
    assert shown.inner_text().startswith("2024-03-01 15:42 UTC")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the button of the pass after, at the end
    assert shown.inner_text().startswith("2024-07-11 15:42 UTC")
    card = page.locator("#cards button").first
    card.press("Enter")
    assert card.get_attribute("aria-pressed") == "true"


def test_layers_and_tables_answer(open_page):
    page = open_page()
    page.get_by_label("over the empty port").check()
    assert page.locator("#map .leaflet-image-layer").count() == 2
    page.get_by_label("vessels", exact=True).uncheck()
    assert page.locator("#map .leaflet-overlay-pane path").count() == 3  # two piers and a yard
    page.get_by_text("The numbers, and the files").click()
    table = page.locator("details table").first
    heading = table.locator("th", has_text="Quay 1")
    for expected in ("ascending", "descending"):
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == expected
        numbers = [int(text.split()[0]) for text in table.locator("tbody td:nth-child(4)").all_inner_texts()]
        assert numbers == sorted(numbers, reverse=expected == "descending")


def test_everything_that_is_used_has_a_name(open_page):
    """As a screen reader would say it; the same is asked of pictures and tables."""
    page = open_page()
    unnamed = """() => [...document.querySelectorAll('button, input, a[href], [role=img], [role=region]')]
        .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.title || one.labels?.length))
        .map((one) => one.outerHTML)"""
    assert page.evaluate(unnamed) == []
    assert page.evaluate("() => [...document.querySelectorAll('table')].every((one) => one.caption)")
    assert page.evaluate("() => new Set([...document.querySelectorAll('[id]')].map((one) => one.id)).size") == (
        page.locator("[id]").count()
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_no_rule_of_accessibility_is_broken_seriously(open_page, width):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    found = Axe().run(open_page(width=width)).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}] == []


def test_a_phone_shows_it_without_scrolling_sideways(open_page):
    page = open_page(width=390, height=800)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("#map").bounding_box()["width"] > 340


def test_it_prints(open_page):
    page = open_page()
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator("#answer").is_visible()
