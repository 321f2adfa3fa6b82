"""Windows read in place from a server that is busy, breaks off or stalls; a cache that is full, damaged or shared."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from servers.stac import STORE, StacServer, make_mirrored, serve_stac
from shapely import box

from sarship import open_grd
from sarship.catalog import open_catalog
from sarship.catalog.query import SceneQuery
from sarship.download import RetryPolicy
from sarship.download.left_alone import leave_alone
from sarship.errors import DownloadError, OutputError, ProductError
from sarship.model import Window
from sarship.sentinel1.gdal_options import SERVER_OPTIONS
from sarship.sentinel1.remote import _cached
from sarship.simulate import ProductParams

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")
WINDOW = Window(600, 1100, 600, 1100)


@pytest.fixture(scope="session")
def product(tmp_path_factory) -> Path:
    params = ProductParams(shape=(1200, 1200), polarizations=("VV",))
    return make_mirrored(tmp_path_factory.mktemp("remote"), params, n_vessels=1, seed=8)


@pytest.fixture
def server(product, tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sarship.download.probe.RETRY_POLICY", RetryPolicy(n_attempts=3, base_s=0.01))
    for option, value in {"MAX_RETRY": 1, "RETRY_DELAY": 0.01, "LOW_SPEED_TIME": 1}.items():
        monkeypatch.setitem(SERVER_OPTIONS, f"GDAL_HTTP_{option}", value)
    with serve_stac() as running:
        running.add(product)
        yield running


def opened(server: StacServer):
    catalog = open_catalog("planetary", server.address)
    return catalog.open(next(catalog.search(QUERY)))


@pytest.mark.parametrize(
    "faults",
    [["busy"], ["error"], ["drop"], ["stall"], ["", "busy"], ["", "drop"], ["", "error", "busy", "drop"]],
    ids="-".join,
)
def test_window_comes_in_spite_of(server, product, faults):
    remote = opened(server)
    server.faults = list(faults)
    np.testing.assert_array_equal(remote.digital_numbers("VV", WINDOW), open_grd(product).digital_numbers("VV", WINDOW))
    assert server.faults == []


def test_server_is_left_alone_as_long_as_it_asks(server):
    remote = opened(server)
    server.faults, server.retry_after = ["busy", "busy"], "0.4"
    start = time.monotonic()
    remote.digital_numbers("VV", WINDOW)
    assert time.monotonic() - start > 0.4
    assert [one.status for one in server.take()].count(429) == 2


def test_windows_wait_where_another_process_was_told(server):
    remote = opened(server)
    server.take()
    leave_alone(server.host, 1)
    start = time.monotonic()
    remote.digital_numbers("VV", WINDOW)
    assert time.monotonic() - start >= 0.9
    assert {one.status for one in server.take()} <= {200, 206}


def test_server_that_stays_down_is_one_sentence_with_its_answer(server, tmp_path):
    remote = opened(server)
    server.is_down = True
    with pytest.raises(DownloadError, match="answered 503, 3 times in a row") as caught:
        remote.digital_numbers("VV", WINDOW)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.npz*"))
    server.is_down = False
    assert remote.digital_numbers("VV", WINDOW).shape == WINDOW.shape


def test_server_that_breaks_off_each_read_is_one_sentence_with_its_answer(tmp_path):
    answers = iter([None, 503, None, None])

    def read(_windows):
        raise ProductError(
            "https://example.org/a.tiff: lines 0 to 9 cannot be decoded", path="https://example.org/a.tiff"
        )

    with pytest.raises(DownloadError, match=r"^https://example.org/a.tiff: the server answered 503 .* 5 reads; run"):
        _cached(tmp_path, lambda: next(answers), [WINDOW], read)
    with pytest.raises(ProductError, match="cannot be decoded"):
        _cached(tmp_path, lambda: None, [WINDOW], read)


def test_image_that_is_gone_is_one_sentence(server):
    remote = opened(server)
    server.replies[f"{STORE}/{remote.scene.id}/measurement/iw-vv.tiff"] = 404, {}, b""
    with pytest.raises(DownloadError, match="no such file") as caught:
        remote.digital_numbers("VV", WINDOW)
    assert str(caught.value).count("iw-vv.tiff") == 1


def test_image_that_cannot_be_decoded_is_said_to_be_so(server):
    remote = opened(server)
    server.replies[f"{STORE}/{remote.scene.id}/measurement/iw-vv.tiff"] = 200, {}, b"no image at all" * 1000
    with pytest.raises(ProductError, match=r"not a readable TIFF \(it not recognized") as caught:
        remote.digital_numbers("VV", WINDOW)
    assert str(caught.value).count("iw-vv.tiff") == 1


def test_part_of_a_window_that_is_kept_costs_nothing(server):
    remote = opened(server)
    whole = remote.digital_numbers("VV", WINDOW)
    server.take()
    part = remote.digital_numbers("VV", Window(700, 720, 900, 1100))
    np.testing.assert_array_equal(part, whole[100:120, 300:500])
    part[:] = 0
    np.testing.assert_array_equal(remote.digital_numbers("VV", WINDOW), whole)
    assert server.take() == []
    remote.digital_numbers("VV", Window(599, 720, 900, 1100))
    assert server.take()


def test_damaged_window_is_read_again(server, tmp_path):
    remote = opened(server)
    image = remote.digital_numbers("VV", WINDOW)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.npz")}
    for spoil in (lambda _: b"", lambda content: content[:-500], lambda _: bytes(500)):
        for path, content in kept.items():
            path.write_bytes(spoil(content))
        server.take()
        np.testing.assert_array_equal(remote.digital_numbers("VV", WINDOW), image)
        assert server.take()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_cache_that_cannot_be_written_is_one_sentence(server, tmp_path, monkeypatch, code):
    remote = opened(server)

    def fail(stream, **_):
        stream.write(b"half")
        raise OSError(code, "no")

    monkeypatch.setattr("sarship.sentinel1.remote.np.savez", fail)
    with pytest.raises(OutputError, match="SARSHIP_CACHE") as caught:
        remote.digital_numbers("VV", WINDOW)
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "cache").rglob("*windows*/**/*") if path.is_file()]


def test_cache_in_a_place_that_cannot_be_is_one_sentence(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="file"):
        opened(server)


READER = """
import sys
from functools import partial
from pathlib import Path
import numpy as np
from sarship.model import Window
from sarship.sentinel1.remote import _cached
image = np.arange(900 * 900, dtype=np.uint32).astype(np.uint16).reshape(900, 900)
def read(windows):
    return [image[one.line_start : one.line_stop, one.pixel_start : one.pixel_stop] for one in windows]
for start in [*range(0, 600, 100), *range(0, 600, 50)]:
    window = Window(start, start + 300, start // 2, start // 2 + 300)
    (found,), (expected,) = _cached(Path(sys.argv[1]), None, [window], read), read([window])
    assert (found == expected).all()
"""


def test_two_processes_share_the_cache(tmp_path):
    command = [sys.executable, "-W", "error", "-c", READER, str(tmp_path)]
    readers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [reader.communicate(timeout=60)[1] for reader in readers] == ["", ""]
    assert len(list(tmp_path.iterdir())) == 12
