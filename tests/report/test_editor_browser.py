"""The editor's page in a real browser: piers are dragged, drawn, renamed and saved, by mouse, touch and keys."""

import json

import pytest
import shapely
from builders.port_files import feature, write

from benchmarks.report_page import make_survey
from sarship.geo.local_plane import Plane
from sarship.port.port_file import read_port
from sarship.report import serve_editor

NAME = '<img src=x onerror="alert(1)">'
QUAY = shapely.LineString([(35.86, 34.90), (35.866, 34.90)])
LAND = feature("Land", "land", shapely.box(35.867, 34.893, 35.872, 34.903), note=NAME)


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A folder whose stack shows the port."""
    folder = tmp_path_factory.mktemp("survey")
    make_survey(folder, n_dates=4)
    return folder


@pytest.fixture
def path(tmp_path):
    roads = feature("Roads", "anchorage", shapely.box(35.855, 34.897, 35.858, 34.899))
    return write(tmp_path, [feature(NAME, "pier", QUAY, max_distance_m=60), LAND, roads], name="Drawn port")


@pytest.fixture
def editor(path, survey):
    with serve_editor(path, survey=survey) as edited:
        yield edited


@pytest.fixture
def open_page(browser, editor):
    """Open the page; at the end nothing may have failed, and nobody else may have been asked for anything."""
    faults, contexts = [], []
    origin = editor.address.rpartition("/")[0].rpartition("/")[0]

    def open_at(width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.on("console", lambda said: faults.append(said.text) if is_fault(said) else None)
        page.on(
            "request", lambda asked: faults.append(asked.url) if not asked.url.startswith((origin, "data:")) else None
        )
        page.goto(editor.address)
        page.locator("#features button").first.wait_for()
        return page

    def is_fault(said):
        return said.type in {"error", "warning"} and "status of 409" not in said.text  # a refusal, which the page says

    yield open_at
    for context in contexts:
        context.close()
    assert faults == []


def drag(page, handle, dx, dy):
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up()


def save(page):
    page.locator("#save").click()
    page.locator("#refusal:visible, #status:text-is('Saved')").first.wait_for()


def pick(page, number):
    page.locator("#features button").nth(number).click()


def metres_a_pixel(page):
    scale = page.locator(".leaflet-control-scale-line")
    return float(scale.inner_text().split()[0]) / scale.bounding_box()["width"]


def quay_of(path, name=NAME):
    piers = read_port(path).piers
    return piers.geometry[piers["name"].tolist().index(name)]


def metres_between(one, other):
    plane = Plane.around(shapely.union(one, other))
    return tuple(
        b - a for a, b in zip(*(plane.flatten_geometry(place).coords[0] for place in (one, other)), strict=True)
    )


def corner_of(shape, number):
    return shapely.Point(shape.coords[number])


def test_a_corner_is_dragged_and_the_file_has_it_there(open_page, editor, path):
    page = open_page()
    assert page.title() == "SIMULATED: Piers of port.geojson"
    assert page.locator("#map .leaflet-image-layer").evaluate("(image) => image.naturalWidth") > 50
    assert page.locator(".leaflet-tooltip.name").all_inner_texts() == [NAME, "Roads"]
    assert page.locator("#save").is_disabled()
    pick(page, 0)
    drag(page, page.get_by_role("button", name="Corner 1 of 2"), 60, -40)
    assert page.locator("#status").inner_text() == "Changed, not saved"
    scale = metres_a_pixel(page)
    save(page)
    moved = quay_of(path)
    (column, row), (new_column, new_row) = (editor.grid.place(quay).coords[0] for quay in (QUAY, moved))
    by = 10 * (new_column - column), 10 * (row - new_row)
    assert by == pytest.approx((60 * scale, 40 * scale), rel=0.02)
    assert moved.coords[1] == QUAY.coords[1]
    assert json.loads(path.read_text())["features"][1] == json.loads(json.dumps(LAND))
    assert page.locator("#save").is_disabled()


def test_corners_are_added_and_deleted_and_all_of_it_is_undone(open_page, path):
    before = path.read_bytes()
    page = open_page()
    pick(page, 0)
    drag(page, page.get_by_role("button", name="Between corners 1 and 2"), 0, 60)
    assert page.get_by_role("button", name="Corner 2 of 3").get_attribute("class").split()[-1]
    page.get_by_role("button", name="Insert corner").click()
    corner = page.get_by_role("button", name="Corner 3 of 4")
    assert corner.evaluate("(element) => element === document.activeElement")
    corner.press("Delete")
    page.locator(".handle.whole").focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowUp")
    save(page)
    bent = quay_of(path)
    assert len(bent.coords) == 3
    assert metres_between(corner_of(QUAY, 0), corner_of(bent, 0))[1] == pytest.approx(30, abs=1)
    for _ in range(4):
        page.keyboard.press("Control+z")
    assert page.locator("#undo").is_disabled()
    save(page)
    assert path.read_bytes() == before
    page.keyboard.press("Control+y")
    assert page.locator("#redo").is_enabled()


def test_a_pier_of_two_ends_keeps_them(open_page):
    page = open_page()
    pick(page, 0)
    page.get_by_role("button", name="Corner 2 of 2").focus()
    page.keyboard.press("Delete")
    assert "delete all of it instead" in page.locator("#status").inner_text()
    assert page.locator("#save").is_disabled()


def test_a_pier_is_drawn_and_named_and_another_is_deleted(open_page, path):
    page = open_page()
    page.locator("#draw").click()
    box = page.locator("#map").bounding_box()
    assert page.locator("#finish").is_disabled()
    for x, y in ((0.3, 0.85), (0.5, 0.9)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.dblclick(box["x"] + 0.7 * box["width"], box["y"] + 0.9 * box["height"])
    assert page.locator("#name").evaluate("(element) => element === document.activeElement")
    assert page.locator("#name").input_value() == "Pier 1"
    page.keyboard.type("New mole")
    page.keyboard.press("Enter")
    page.locator("#distance").fill("75")
    page.keyboard.press("Control+s")
    page.locator("#status:text-is('Saved')").wait_for()
    piers = read_port(path).piers.set_index("name")
    assert piers.loc["New mole", "max_distance_m"] == 75
    assert len(piers.loc["New mole", "geometry"].coords) == 3
    pick(page, 2)
    page.get_by_role("button", name="Delete anchorage").click()
    save(page)
    assert [one["properties"]["name"] for one in json.loads(path.read_text())["features"]] == [NAME, "Land", "New mole"]


def test_it_is_drawn_by_keys_alone(open_page, path):
    page = open_page()
    page.locator("#what").select_option("exclude Polygon")
    page.locator("#draw").press("Enter")
    for key in ("ArrowRight", "ArrowDown", None):
        page.keyboard.press("Enter")
        if key:
            page.keyboard.press(key)
            page.wait_for_timeout(400)  # the map glides
    page.get_by_role("button", name="Finish").press("Enter")
    assert page.locator("#name").input_value() == "Exclude 1"
    page.keyboard.press("Control+s")
    page.locator("#status:text-is('Saved')").wait_for()
    assert read_port(path).exclude is not None


def test_a_refusal_is_shown_and_the_feature_at_fault_chosen(open_page, path):
    before = path.read_bytes()
    page = open_page()
    pick(page, 2)
    page.locator("#name").fill("Land")
    page.locator("#name").press("Enter")
    save(page)
    assert "features 2 and 3 are both called 'Land'" in page.get_by_role("alert").inner_text()
    assert page.locator("#features button[aria-pressed=true]").inner_text().startswith("Land")
    path.write_bytes(before + b"\n")
    page.keyboard.press("Control+z")
    pick(page, 0)
    page.locator(".handle.whole").press("ArrowLeft")
    save(page)
    assert "has changed since it was opened here" in page.get_by_role("alert").inner_text()
    assert path.read_bytes() == before + b"\n"


def test_it_asks_before_it_forgets_and_ends_the_command(open_page, editor, path):
    page = open_page()
    pick(page, 0)
    page.locator("#name").fill("Quay")
    page.locator("#done").click()
    page.get_by_role("button", name="Go on").click()
    assert not editor.is_done.is_set()
    page.locator("#done").click()
    page.get_by_role("button", name="Save and end").click()
    page.locator("#ended").wait_for()
    assert editor.is_done.wait(5)
    assert quay_of(path, "Quay").coords[0] == QUAY.coords[0]


def test_a_touch_drags_on_a_phone_that_does_not_scroll_sideways(open_page, path):
    page = open_page(width=390, height=800, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("#features button").first.tap()
    page.evaluate("scrollTo(0, 0)")
    box = page.locator(".handle:not(.between, .whole)").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, east in (("touchStart", 0), ("touchMove", 15), ("touchMove", 30), ("touchEnd", None)):
        points = [] if east is None else [{"x": x + east, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    save(page)
    assert metres_between(corner_of(QUAY, 0), corner_of(quay_of(path), 0))[0] > 50


def test_without_an_image_the_piers_lie_over_a_grid(browser, tmp_path):
    shoal = shapely.Point(35.863, 34.902).buffer(0.001, quad_segs=100)
    path = write(tmp_path, [feature("Quay", "pier", QUAY), feature("Shoal", "land", shoal)])
    with serve_editor(path) as edited, browser.new_context() as context:
        page = context.new_page()
        page.goto(edited.address)
        assert page.locator("#map .leaflet-image-layer").count() == 0
        pick(page, 1)
        assert "zoom in" in page.locator("#status").inner_text()
        for _ in range(6):
            page.locator(".leaflet-control-zoom-in").click()
            page.wait_for_timeout(300)
        assert page.locator(".handle").count() < 300


def test_points_and_holes_are_dragged_like_lines(open_page, path):
    ring = shapely.box(35.857, 34.903, 35.861, 34.906)
    hole = shapely.box(35.858, 34.904, 35.86, 34.905)
    buoys = {"type": "MultiPoint", "coordinates": [[35.86, 34.894], [35.864, 34.894]]}
    lake = feature("Lagoon", "land", ring.difference(hole))
    write(path.parent, [feature("Buoys", "pier", buoys), lake])
    page = open_page()
    pick(page, 0)
    drag(page, page.get_by_role("button", name="Corner 1 of 1").nth(1), 0, -50)
    page.get_by_role("button", name="Corner 1 of 1").first.press("Delete")
    pick(page, 1)
    drag(page, page.locator(".handle[data-id='1 0']"), 8, 8)
    save(page)
    buoys, lake = (shapely.geometry.shape(one["geometry"]) for one in json.loads(path.read_text())["features"])
    assert (buoys.geom_type, len(buoys.geoms)) == ("MultiPoint", 1)
    assert metres_between(shapely.Point(35.864, 34.894), buoys.geoms[0])[1] > 30
    assert lake.exterior.equals(ring.exterior)
    assert len(lake.interiors) == 1
    assert not lake.interiors[0].equals(hole.exterior)


@pytest.mark.parametrize("width", [1280, 390])
def test_no_rule_of_accessibility_is_broken_seriously(open_page, width):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    page = open_page(width=width)
    for prepare in (lambda: pick(page, 0), lambda: page.locator("#draw").click()):
        prepare()
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}] == []
