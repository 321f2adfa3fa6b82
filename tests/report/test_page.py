"""The page of a survey: whole by itself, safe with any text, small, and the same every time."""

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
import shapely
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.report_page import make_survey
from sarship.ais import AIS, AisReports, match_ais
from sarship.analysis import read_observations
from sarship.cli import main
from sarship.errors import OutputError
from sarship.pipeline import read_results, write_results
from sarship.report import write_report
from sarship.report.html import as_json
from sarship.report.page import _page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"' & {{ 7 * 7 }} \u2028 \x1b[2J"
REPORTS = """id,time,where,vessel,value,kind,source,url,note
sat,2024-03-01,Quay 1,,3,radar,an agency,https://example.org/a?b=1&c=2,
bad,2024-03-25,Quay 2,,90,radar,a blog,javascript:alert(1),=1+1
insta-7,2024-04-06T15:00Z,port,Sparta,1,press,somebody,,seen by Ivan
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A survey with a map, a change, and reports; do not write to it."""
    place = tmp_path_factory.mktemp("survey")
    results = make_survey(place)
    path = place / "reports.csv"
    path.write_text(REPORTS)
    with_reports = replace(results, observations=read_observations(path, results.piers))
    write_results(replace(with_reports, ais=match_ais(results, ais_of(results))), place)
    return place


def ais_of(results):
    """Reports of one vessel that lies at the second quay on the last pass."""
    one = results.vessels[results.vessels["pier"] == "Quay 2"].iloc[-1]
    minutes = [-6, -3, 3, 6]
    given = {
        "mmsi": 273_000_001, "track": 0, "longitude": one["longitude"], "latitude": one["latitude"], "sog_kn": 0.0,
        "nav_status": 5.0, "length_m": one["length_m"], "name": "SPARTA IV <b>", "destination": "TARTUS",
        "is_false": False, "file": "day.csv", "time": [one["time"] + pd.Timedelta(each, "min") for each in minutes],
    }  # fmt: skip
    blank = {column.name: "" if column.dtype == "str" else np.nan for column in AIS.columns}
    table = pd.DataFrame(blank | given, index=range(len(minutes)))
    places = [shapely.Point(one["longitude"], one["latitude"])] * len(minutes)
    return AisReports(table=AIS.make(table.to_dict("list"), places), files=("day.csv",), dropped={"duplicates": 2})


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    return write_report(folder, tmp_path_factory.mktemp("page") / "report.html").read_text("utf-8")


class Parsed(HTMLParser):
    """Elements of a page, the texts of scripts and styles, and all other text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.inside, self.texts, self.open = [], {"script": [], "style": []}, [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open = tag

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        self.inside[self.open].append(data) if self.open in self.inside else self.texts.append(data)

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.elements if name in attrs]


def test_nothing_is_fetched(page):
    parsed = Parsed(page)
    assert all(address.startswith(("data:", "#")) for address in parsed.attributes("src"))
    assert {tag for tag, _ in parsed.elements} & {"link", "iframe", "object", "embed", "base", "form"} == set()
    links = [address for address in parsed.attributes("href") if not address.startswith(("#", "data:text/csv;base64,"))]
    assert links == ["https://example.org/a?b=1&c=2"]  # of a report; nobody else's, and no script
    assert not re.search(
        r"url\((?!#)|@import|sourceMappingURL", "".join(parsed.inside["style"] + parsed.inside["script"])
    )


def test_the_policy_lets_in_what_is_there_and_nothing_else(page):
    parsed = Parsed(page)
    (policy,) = [attrs["content"] for tag, attrs in parsed.elements if tag == "meta" and "http-equiv" in attrs]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    data, *scripts = parsed.inside["script"]
    for text in (*scripts, *parsed.inside["style"]):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert json.loads(data)["simulated"]
    assert not [name for _, attrs in parsed.elements for name in attrs if name == "style" or name.startswith("on")]


def test_every_view_says_simulated(page):
    parsed = Parsed(page)
    sections = sum(tag == "section" for tag, _ in parsed.elements)
    assert sum(text.strip() == "SIMULATED" for text in parsed.texts) == sections + 2  # the title and the map
    assert "<title>SIMULATED: Vessels at Drawn port</title>" in page
    assert "Copernicus" not in page


def test_the_answer_is_in_sentences_and_in_the_order_of_the_page(page):
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))
    assert "12 passes over Drawn port, from 2024-03-01 to 2024-07-11, were searched" in text
    assert re.search(r"Vessels at Quay 1 fell from [\d.]+ \(.*?\) to 0.0 .*? between .*?; \d\d % sure\.", text)
    assert "1 of 24 counts are missing" in text
    order = re.findall(r'<h2 id="([\w-]+)"', page)
    assert order == ["answer", "series", "map-of", "visits", "ais", "reports", "missing", "method", "provenance"]


def test_what_the_script_draws_is_what_was_counted(folder, page):
    data, results = json.loads(Parsed(page).inside["script"][0]), read_results(folder)
    counts = results.counts["n_vessels"]
    assert [one["name"] for one in data["places"]] == ["Quay 1", "Quay 2", "All piers"]
    for place in data["places"][:2]:
        drawn = pd.Series(place["n_vessels"], dtype=float)
        assert drawn.equals(counts.sel(pier=place["name"]).to_series().reset_index(drop=True))
    assert data["places"][1]["n_vessels"][1] is None  # not seen: a gap, not a zero
    assert {report["state"] for report in data["places"][1]["reports"]} == {"disagrees"}
    shown = pd.Series([vessel["pass"] for vessel in data["vessels"] if vessel["counted"]]).value_counts()
    seen = (counts.count("pier") == 2).to_numpy()
    assert shown.reindex(range(12), fill_value=0)[seen].tolist() == counts.sum("pier").to_numpy()[seen].tolist()
    assert all(address.startswith("data:image/webp;base64,") for address in data["map"]["radar"])
    rows, columns = data["map"]["rows"], data["map"]["columns"]
    assert all(
        0 < x < columns and 0 < y < rows for one in data["map"]["piers"] for ring in one["rings"] for x, y in ring
    )


def test_vessels_are_beside_ais(folder, page):
    parsed = Parsed(page)
    known = [vessel["ais"] for vessel in json.loads(parsed.inside["script"][0])["vessels"] if vessel["ais"]]
    assert known.count("AIS: SPARTA IV <b>") == 1
    assert set(known) == {"AIS: SPARTA IV <b>", "AIS: unknown"}  # nothing is dark where AIS was not heard
    assert "SPARTA IV &lt;b&gt; 273000001" in page
    assert "AIS: 4 reports of 1 vessels; left out 2 duplicates" in page
    assert "day.csv" in page


def test_files_in_the_page_are_those_on_disk(folder, page):
    links = {attrs["download"]: attrs["href"] for tag, attrs in Parsed(page).elements if "download" in attrs}
    assert set(links) == {
        "counts.csv",
        "vessels.csv",
        "changes.csv",
        "visits.csv",
        "traffic.csv",
        "agreement.csv",
        "ais_matches.csv",
    }
    for name, address in links.items():
        assert base64.b64decode(address.partition(",")[2]) == (folder / name).read_bytes(), name


def test_the_page_is_the_same_every_time_but_for_its_date(folder, page, tmp_path):
    again = write_report(folder, tmp_path / "a.html").read_text("utf-8")
    differ = [(a, b) for a, b in zip(page.splitlines(), again.splitlines(), strict=True) if a != b]
    assert all('<p id="generated">' in a for a, _ in differ)


def test_redacted_pages_have_no_names_and_no_paths(folder, page, tmp_path):
    hidden = write_report(folder, tmp_path / "a.html", redact=True).read_text("utf-8")
    files_ = b"".join(base64.b64decode(address.partition(",")[2]) for address in Parsed(hidden).attributes("href"))
    for name in ("Sparta", "Ivan", "/home/somebody", "example.org", "insta-7", "SPARTA IV", "273000001", "day.csv"):
        assert name in page
        assert name not in hidden, name
        assert name.encode() not in files_, name


@pytest.mark.slow
def test_a_page_that_would_be_too_large_says_what_was_left_out(folder, page, tmp_path):
    whole = len(page) / 1e6
    coarse = write_report(folder, tmp_path / "a.html", max_mb=whole - 0.02).read_text("utf-8")
    assert len(coarse) < len(page) - 20_000
    assert "To keep the page small, the map has pixels of 20 m." in coarse
    none = write_report(folder, tmp_path / "a.html", max_mb=0.01).read_text("utf-8")
    assert "There is no map: it would make the page larger than was asked for" in none
    limits = [(len(none) + room) / 1e6 for room in range(6_000, 30_000, 3_000)]  # how well pictures pack varies
    pages = (write_report(folder, tmp_path / "a.html", max_mb=limit).read_text("utf-8") for limit in limits)
    few = next(text for text in pages if "There is no map" not in text)
    assert "pixels of 40 m and shows only the passes around changes, the first and the last." in few
    shown = [one is not None for one in json.loads(Parsed(few).inside["script"][0])["map"]["radar"]]
    assert shown[0]
    assert shown[-1]
    assert 2 < sum(shown) < len(shown)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A small survey whose folder has no stack."""
    place = tmp_path_factory.mktemp("bare")
    make_survey(place, n_dates=2, with_map=False)
    return place


def test_without_a_stack_the_page_says_why_there_is_no_map(bare):
    text = write_report(bare).read_text("utf-8")
    assert "There is no map: the folder keeps no images of the port on its grid." in text
    assert "data:image/webp" not in text


def test_a_damaged_stack_leaves_a_gap_and_not_a_failure(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    scene = sorted(copy.glob("stack/*/*.zarr"))[3]
    (scene / "zarr.json").write_text("{}")
    data = json.loads(Parsed(write_report(copy).read_text("utf-8")).inside["script"][0])
    assert [one is None for one in data["map"]["radar"]] == [k == 3 for k in range(12)]


def test_json_cannot_end_its_element():
    assert "<" not in as_json({"a": HOSTILE})
    assert json.loads(as_json({"a": HOSTILE})) == {"a": HOSTILE}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A small survey with a report, and the elements of its page."""
    place = tmp_path_factory.mktemp("plain")
    results = make_survey(place, n_dates=2, n_piers=1, with_map=False)
    path = place / "reports.csv"
    path.write_text("id,time,where,value,source\n1,2024-03-01,port,1,me")
    results = replace(results, observations=read_observations(path, results.piers))
    return results, Parsed(_page(results, None, "").decode())


TEXT = st.text(st.characters(exclude_characters="\0"), max_size=30)
"""NUL is in no port file, and NumPy ends a text there."""


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([HOSTILE, "]]><!--", "\ud800", "javascript:alert(1)", "http://[", "'--"]) | TEXT)
def test_no_text_becomes_an_element(plain, text):
    """Texts of ports, piers, vessels, reports and failures, as anybody may have written them."""
    results, before = plain
    path, text = text, text.encode("utf-8", "replace").decode()  # bytes that are no letters are in paths alone
    texts = dict.fromkeys(("observation", "source", "kind", "note", "url", "vessel", "confidence"), text)
    hostile = replace(
        results,
        piers=results.piers.assign(name=text),
        vessels=results.vessels.assign(pier=text, flag=text, evidence=text),
        coverage=results.coverage.assign(pier=text),
        scenes=results.scenes.assign(platform=text),
        observations=results.observations.assign(**texts, where=text),
        provenance=replace(results.provenance, port=text, lake=text),
        failures=(replace(results.failures[0], path=path, message=text),),
    )
    after = Parsed(_page(hostile, None, "").decode())
    assert {tag for tag, _ in after.elements} == {tag for tag, _ in before.elements}
    assert after.inside["script"][1:] == before.inside["script"][1:]
    assert json.loads(after.inside["script"][0])["places"][0]["name"] == text
    assert not [key for _, attrs in after.elements for key in attrs if key.startswith("on")]
    assert all(re.match(r"#|data:|https?://", address) for address in after.attributes("href"))


def test_vendored_files_are_those_of_their_packages():
    vendor = files("sarship.report") / "vendor"
    lines = (vendor / "SHA256SUMS").read_text().splitlines()
    names = {line.split()[1] for line in lines}
    assert names == {one.name for one in vendor.iterdir()} - {"README.md", "SHA256SUMS"}
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name


def test_the_command_writes_the_page_or_says_why_not(bare, tmp_path):
    run = CliRunner().invoke
    done = run(main, ["report", str(bare), "--out", str(tmp_path / "a.html"), "--max-mb", "0.01"])
    assert (done.exit_code, (tmp_path / "a.html").exists()) == (0, True)
    assert done.stdout.startswith(f"{tmp_path / 'a.html'}: 0.")
    assert "which is more than 0.01: its tables alone take that" in done.stdout
    for arguments, said in (
        ([str(tmp_path / "nowhere")], "no results of sarship here"),
        ([str(bare), "--out", str(tmp_path / "a.pdf")], "--out must end in .html"),
        ([str(bare), "--max-mb", "-1"], "--max-mb"),
    ):
        refused = run(main, ["report", *arguments])
        assert refused.exit_code == 2
        assert said in refused.stderr
        assert "Traceback" not in refused.output
    with pytest.raises(OutputError):
        write_report(tmp_path / "nowhere")
