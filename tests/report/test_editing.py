"""The editor's server: it saves what its own page sends, and refuses everybody else and what is no port file."""

import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import urllib.request
import webbrowser
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from builders.port_files import PIER, QUAY, at, feature, square, write
from click.testing import CliRunner
from faults.products import tiny_port

from benchmarks.report_page import make_survey
from sarship.cli import main
from sarship.errors import OutputError, PortError, ReferenceImageError
from sarship.port.port_file import read_port
from sarship.report import edit_port, editor_server, serve_editor

LAND = feature("Land", "land", square(300, 200, 100), note="mine")
JSON = {"Content-Type": "application/json"}


@dataclass
class Client:
    """A browser's requests, with headers that it would not send."""

    address: str

    def ask(self, method="POST", name="save", body=b"", path=None, **headers):
        parts = urlsplit(self.address)
        headers = {"Origin": f"http://{parts.netloc}", **JSON, **headers}
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
        connection.putrequest(method, path or parts.path + name, skip_host="Host" in headers)
        headers.setdefault("Content-Length", str(len(body)))
        for header, value in headers.items():
            if value is not None:
                connection.putheader(header, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def page(self):
        text = urllib.request.urlopen(self.address).read().decode()
        start = text.index('id="data">') + len('id="data">')
        return json.loads(text[start : text.index("</script>", start)])

    def save(self, page, features=None, **others):
        seen = {"base": page["version"], "seen": page["version"], "features": features or page["features"], **others}
        status, body, _ = self.ask(body=json.dumps(seen).encode())
        return status, json.loads(body)


@contextmanager
def editor(path, **options):
    with serve_editor(path, **options) as edited:
        yield edited, Client(edited.address)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path, [PIER, LAND])


def test_what_the_page_sends_is_saved_and_the_rest_of_the_file_stays(path):
    path.chmod(0o640)
    before = path.read_text()
    with editor(path) as (edited, client):
        page = client.page()
        assert client.save(page) == (200, {"seen": page["version"]})
        assert (path.read_text(), edited.n_saved) == (before, 0)
        page["features"][0]["paths"][0]["points"][0][0] += 25
        page["features"][0]["name"] = "Moved"
        status, said = client.save(page)
        assert (status, edited.n_saved) == (200, 1)
        assert json.dumps(LAND) in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        (west, _), (east, _) = read_port(path).piers.geometry[0].coords
        assert west - east == pytest.approx(25 / 91_300, rel=0.01)
        page["features"][0]["name"] = "Again"  # edits are told from the file as the page began with it
        assert client.save(page, seen=said["seen"])[0] == 200
        assert read_port(path).piers["name"].tolist() == ["Again"]
        assert [one["name"] for one in client.page()["features"]] == ["Again", "Land"]


def test_the_page_names_whom_the_content_is_owed_to(tmp_path):
    path = write(tmp_path, [PIER], attribution="© <somebody>, ODbL")
    with serve_editor(path) as edited:
        assert "Piers and land: © &lt;somebody&gt;, ODbL." in edited.page().html.decode()
    with pytest.raises(ValueError, match="either products or a survey"), serve_editor(path, ["x"], survey="y"):
        pass


def test_a_link_stays_a_link(path):
    link = path.with_name("link.geojson")
    link.symlink_to(path)
    with editor(link) as (_, client):
        page = client.page()
        page["features"][0]["name"] = "By the link"
        assert client.save(page)[0] == 200
    assert link.is_symlink()
    assert read_port(path).piers["name"].tolist() == ["By the link"]


OTHERS = {
    "a wrong secret": {"path": "/x/save"},
    "no secret": {"path": "/save"},
    "a deeper address": {"name": "save/x"},
    "an unknown part": {"name": "delete"},
    "a query": {"name": "save?x=1"},
    "a domain that was pointed here": {"Host": "evil.example:80"},
    "another name of this computer": {"Host": "localhost:1"},
    "another site": {"Origin": "https://evil.example"},
    "another port of this computer": {"Origin": "http://127.0.0.1:1"},
    "a file or a sandbox": {"Origin": "null"},
    "no origin": {"Origin": None},
    "a site as the browser knows it": {"Sec-Fetch-Site": "cross-site"},
    "a form": {"Content-Type": "text/plain"},
    "no length": {"Content-Length": None},
    "chunks": {"Content-Length": None, "Transfer-Encoding": "chunked"},
    "a length that is none": {"Content-Length": "-1"},
    "a length in other digits": {"Content-Length": "١"},
    "a body that is too long": {"Content-Length": str(editor_server.MAX_BODY + 1)},
    "a length beyond all numbers": {"Content-Length": "9" * 5000},
    "another method": {"method": "PUT"},
    "a method of forms": {"method": "DELETE"},
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A file that nobody may change, its editor, and what its page has."""
    path = write(tmp_path_factory.mktemp("guarded"), [PIER, LAND])
    with editor(path) as (edited, client):
        yield path, edited, client, client.page()


@pytest.mark.parametrize("fault", OTHERS.values(), ids=OTHERS)
def test_nobody_else_saves(guarded, fault):
    path, edited, client, page = guarded
    before = path.read_bytes()
    features = [page["features"][0] | {"name": "Theirs"}, page["features"][1]]
    body = json.dumps({"base": page["version"], "seen": page["version"], "features": features}).encode()
    fault = {name: value.encode() if name == "Content-Length" and value and not value.isascii() else value
             for name, value in fault.items()}  # fmt: skip
    status, said, headers = client.ask(**{"body": body, **fault})
    assert 400 <= status <= 501
    assert edited.address.split("/")[3].encode() not in said
    assert "Access-Control-Allow-Origin" not in headers
    assert (path.read_bytes(), edited.n_saved) == (before, 0)
    assert client.save(page)[0] == 200  # the page's own request, which changes nothing, is answered after it


def test_nobody_else_reads_the_page(path):
    with editor(path) as (_, client):
        for fault in (
            {"path": "/"},
            {"path": "/favicon.ico"},
            {"path": client.address},
            {"Host": "evil.example"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"},
        ):
            status, said, _ = client.ask("GET", "", **fault)
            assert status in {403, 404}
            assert b"North quay" not in said
        status, said, headers = client.ask("GET", "", **{"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"})
        assert (status, b"North quay" in said) == (200, True)
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"7", 409, "another run of the editor"),
        (b'{"base": {}, "features": []}', 409, "another run of the editor"),
    ],
)
def test_what_is_no_edit_is_refused_in_a_sentence(path, body, status, said):
    with editor(path) as (_, client):
        client.page()
        found, answer, _ = client.ask(body=body)
        assert found == status
        assert said in json.loads(answer)["error"]


def test_what_a_survey_would_refuse_is_not_saved(path):
    before = path.read_bytes()
    with editor(path) as (_, client):
        page = client.page()
        page["features"][1]["name"] = "North quay"
        status, answer = client.save(page)
        assert (status, answer["feature"]) == (409, "North quay")
        assert "features 1 and 2 are both called 'North quay'" in answer["error"]
        status, answer = client.save(page, features=[page["features"][0], {"source": 1, "paths": [[float("nan")]]}])
        assert status == 409
    assert path.read_bytes() == before


def test_a_file_that_changed_or_went_is_not_replaced(path):
    with editor(path) as (edited, client):
        page = client.page()
        page["features"][0]["name"] = "Mine"
        theirs = path.read_text().replace("North quay", "Theirs")
        path.write_text(theirs)
        status, answer = client.save(page)
        assert (status, path.read_text()) == (409, theirs)
        assert "has changed since it was opened here" in answer["error"]
        path.unlink()
        assert "can no longer be read" in client.save(page)[1]["error"]
        assert client.ask("GET", "")[0] == 409
        assert edited.n_saved == 0


def test_of_two_pages_the_one_that_is_behind_does_not_overwrite_the_other(path):
    with editor(path) as (_, client):
        one, other = client.page(), client.page()
        one["features"][0]["name"] = "One"
        other["features"][0]["name"] = "Other"
        assert client.save(one)[0] == 200
        assert client.save(other)[0] == 409
    assert read_port(path).piers["name"].tolist() == ["One"]


def test_a_folder_without_room_is_said(path, monkeypatch):
    def full(*_, **__):
        raise OutputError(f"{path}: cannot write this file (No space left on device)", path=path)

    monkeypatch.setattr("sarship.report.editing.write_file", full)
    with editor(path) as (_, client):
        page = client.page()
        page["features"][0]["name"] = "Mine"
        assert client.save(page)[1]["error"].endswith("(No space left on device)")


def test_a_connection_that_says_nothing_holds_nobody_up(path, monkeypatch):
    monkeypatch.setattr(editor_server._Handler, "timeout", 0.3)
    with editor(path) as (_, client):
        port = urlsplit(client.address).port
        with (
            socket.create_connection(("127.0.0.1", port)) as silent,
            socket.create_connection(("127.0.0.1", port)) as cut,
        ):
            cut.sendall(b"POST /x HTTP/1.1\r\nHost: ")
            assert client.page()["features"]
            assert silent.recv(1) == b""  # closed after a while


def test_a_port_on_the_antimeridian_is_moved_across_it(tmp_path):
    corner = (179.999, -16.5)
    quay = {"type": "LineString", "coordinates": [at(0, 0, corner), at(90, 0, corner)]}
    path = write(tmp_path, [feature("Quay", "pier", quay)])
    with editor(path) as (_, client):
        page = client.page()
        page["features"][0]["paths"][0]["points"][1][0] += 100
        assert client.save(page)[0] == 200
    (shape,) = json.loads(path.read_text())["features"]
    assert shape["geometry"]["type"] == "MultiLineString"
    west, south, east, north = read_port(path).piers.geometry[0].bounds
    assert (west, east) == (-180, 180)
    assert north - south < 1e-4


def test_the_image_is_that_of_a_survey_or_of_products(tmp_path):
    survey = tmp_path / "survey"
    make_survey(survey, n_dates=4)
    path = write(tmp_path, [feature("Quay 1", "pier", QUAY)])
    with serve_editor(path, survey=survey) as edited:
        assert edited.mean.is_simulated
        assert edited.mean.said == "mean sigma0 VV of 4 passes, 2024-03-01 to 2024-04-06, relative orbit 87"
        assert b"SIMULATED" in edited.page().html
    write(tmp_path, [feature("Quay", "pier", {"type": "Point", "coordinates": [10, 54]})])
    with pytest.raises(ReferenceImageError, match="no dates of this port"), serve_editor(path, survey=survey):
        pass
    with pytest.raises(OutputError, match="nowhere"), serve_editor(path, survey=tmp_path / "nowhere"):
        pass
    done = []
    port, product = tiny_port(tmp_path)
    with serve_editor(port, [product], progress=lambda *step: done.append(step)) as edited:
        assert b"data:image/webp" in edited.page().html
    assert done == [(1, 1)]


def test_a_file_that_cannot_be_written_is_said_before_any_work(path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PortError, match="cannot be written to"):
        edit_port(path, ["none.SAFE"])


def finish(address):
    """End the editor as its page does."""
    threading.Timer(0.1, Client(address).ask, kwargs={"name": "done", "body": b"{}"}).start()
    return True


def test_it_ends_when_the_page_is_done_or_at_an_interruption(path, monkeypatch, capsys):
    monkeypatch.setattr(webbrowser, "open", finish)
    assert edit_port(path) == 0
    assert "http://127.0.0.1:" in capsys.readouterr().out

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(webbrowser, "open", interrupted)
    assert edit_port(path) == 0
    monkeypatch.setattr(webbrowser, "open", lambda address: not finish(address))
    assert edit_port(path) == 0
    assert "no browser was found" in capsys.readouterr().out


def test_the_command_says_how_it_went(path, monkeypatch):
    def opened(address):
        client = Client(address)
        page = client.page()
        page["features"][0]["name"] = "Mine"
        assert client.save(page)[0] == 200
        return finish(address)

    monkeypatch.setattr(webbrowser, "open", opened)
    outcome = CliRunner().invoke(main, ["port", "edit", str(path)])
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines()[1:] == [f"{path}: saved once"]


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(path):
    command = [sys.executable, "-m", "sarship", "port", "edit", str(path), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        said = running.stdout.readline()
        client = Client(said.split("edit it at ")[1].split()[0])
        assert client.page()["features"]
        running.send_signal(2)
        out, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (0, "")
    assert out == f"{path}: nothing was saved\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.geojson"], "does not exist"),
        (["tartus"], "sarship port new"),
        (["port.geojson", "x.SAFE", "--survey", "y"], "either products or --survey"),
        (["port.geojson", "--survey", "y"], "y"),
        (["port.geojson", "x.SAFE"], "x.SAFE"),
    ],
)
def test_the_command_refuses_in_one_sentence(path, monkeypatch, arguments, said):
    monkeypatch.chdir(path.parent)
    outcome = CliRunner().invoke(main, ["port", "edit", *arguments, "--no-browser"])
    assert outcome.exit_code == 2
    assert said in outcome.stderr
    assert "Traceback" not in outcome.output


def test_many_saves_at_once_leave_one_of_them(path):
    with editor(path) as (edited, client):
        page = client.page()
        answers = []

        def save(number):
            features = json.loads(json.dumps(page["features"]))
            features[0]["name"] = f"Quay {number}"
            answers.append(client.save(page, features)[0])

        threads = [threading.Thread(target=save, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] + [409] * 5
        assert edited.n_saved == 1
    assert read_port(path).piers["name"][0].startswith("Quay ")
