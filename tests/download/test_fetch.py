"""Downloads from a server that behaves and one that does not."""

from __future__ import annotations

import base64
import errno
import hashlib
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers.http import FAULTS, FileServer, Served, serve
from servers.tls import encrypt

from sarship.download import FileRequest, RetryPolicy, fetch_file, fetch_files, public_url
from sarship.download.partial import PartFile, inside
from sarship.errors import CredentialError, DownloadError, OutputError, SarshipError

QUICK = RetryPolicy(base_s=0.001, cap_s=0.01, longest_wait_s=1.0, connect_s=2.0, read_s=0.15, min_rate=2000.0)
MIB = 2**20


@pytest.fixture
def server():
    with serve() as running:
        yield running


def content(n_bytes: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(n_bytes)


def add(server: FileServer, n_bytes: int = 300_000, faults: tuple[str, ...] = (), **options: object) -> Served:
    server.files["/file"] = Served(content(n_bytes), list(faults), **options)
    return server.files["/file"]


def get(server: FileServer, folder: Path, **options: object) -> Path:
    return fetch_file(server.url + "/file", folder / "file.bin", retry_policy=QUICK, **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def wasted(file: Served) -> int:
    """Bytes that were fetched again, each of which must have a reason; a byte without one fails."""
    have = waste = unread = 0
    is_corrupt = False
    for sent in file.log:
        if sent.fault in {"short", "long", "misplaced"}:  # refused by its headers, its bytes not taken
            continue
        if sent.start != have and not (sent.status == 206 and have - unread <= sent.start <= have):
            assert sent.start == 0, f"asked from byte {sent.start} with {have} there"
            is_whole = have == len(file.content)
            assert sent.status == 200, sent
            assert is_corrupt or is_whole or sent.fault in {"plain", "changed"} or not file.has_ranges, sent
            waste += have
            is_corrupt = False
        is_corrupt |= sent.fault == "corrupt"
        have = sent.start + sent.n_bytes
        # sent and not read: all that was on its way at a reset, and a byte or two that dripped after the client left
        unread = {"reset": have, "drip": 2}.get(sent.fault, 0)
    return waste


@pytest.mark.parametrize("n_bytes", [0, 1, 300_000])
def test_a_file_arrives_whole_and_alone(server, tmp_path, n_bytes):
    file = add(server, n_bytes)
    seen = []
    path = get(server, tmp_path / "new", size=n_bytes, checksum=file.md5, progress=lambda *p: seen.append(p))
    assert path.read_bytes() == file.content
    assert names(path.parent) == ["file.bin"]
    assert seen[-1] == (n_bytes, n_bytes)
    assert file.n_sent == n_bytes


@pytest.mark.parametrize("known", ["size", "checksum", "both", "neither"])
def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path, known):
    file = add(server)
    options = {"size": len(file.content)} if known in {"size", "both"} else {}
    options |= {"checksum": file.md5} if known in {"checksum", "both"} else {}
    get(server, tmp_path, **options)
    n_requests = len(file.requests)
    get(server, tmp_path, **options)
    assert len(file.requests) == n_requests + (known == "neither")
    if known != "neither":
        assert file.n_sent == len(file.content)
    assert names(tmp_path) == ["file.bin"]


def test_a_file_that_is_there_and_wrong_is_replaced(server, tmp_path):
    file = add(server)
    (tmp_path / "file.bin").write_bytes(bytes(len(file.content)))
    assert get(server, tmp_path, size=len(file.content), checksum=file.md5).read_bytes() == file.content


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_is_overcome(server, tmp_path, fault):
    file = add(server, faults=("drop", fault), token="token-0")
    path = get(
        server,
        tmp_path,
        size=len(file.content),
        checksum=file.md5,
        authorize=lambda _: {"Authorization": f"Bearer {file.token}"},
    )
    assert path.read_bytes() == file.content
    assert names(tmp_path) == ["file.bin"]
    assert (wasted(file) > 0) == (fault in {"plain", "corrupt", "changed"})


def test_a_token_is_renewed_in_mid_file_and_only_then(server, tmp_path):
    file = add(server, faults=("drop", "unauthorized"), token="token-0")
    asked, kept = [], ["token-0"]

    def authorize(renew):
        asked.append(renew)
        if renew:
            kept[0] = file.token
        return {"Authorization": f"Bearer {kept[0]}"}

    get(server, tmp_path, size=len(file.content), checksum=file.md5, authorize=authorize)
    assert asked == [False, False, True]
    assert file.answers == [200, 401, 206]


def test_an_address_is_signed_anew_when_its_token_has_expired(server, tmp_path):
    file = add(server, faults=("drop",), token="fresh")
    # the server knows tokens as headers only; what counts is that `sign` is asked again, and heard
    asked = []

    def sign(url, renew):
        asked.append(renew)
        return f"{url}?sig=secret"

    with pytest.raises(CredentialError) as caught:
        get(server, tmp_path, sign=sign)
    assert asked == [False, True]
    assert "secret" not in str(caught.value)
    assert file.answers == [401, 401]


def test_refused_credentials_are_said_so(server, tmp_path):
    add(server, token="other")
    with pytest.raises(CredentialError, match="401"):
        get(server, tmp_path)
    with pytest.raises(CredentialError, match="401"):
        get(server, tmp_path, authorize=lambda _: {"Authorization": "Bearer planted"})
    assert names(tmp_path) == []


def test_a_web_page_is_not_taken_for_the_file(server, tmp_path):
    add(server, headers={"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(CredentialError, match="web page"):
        get(server, tmp_path)
    assert names(tmp_path) == []


def test_retry_after_is_obeyed(server, tmp_path):
    file = add(server, faults=("busy",), retry_after="1")
    start = time.monotonic()
    get(server, tmp_path)
    assert time.monotonic() - start >= 1
    file.faults, file.retry_after = ["busy"], "3600"
    (tmp_path / "file.bin").unlink()
    with pytest.raises(DownloadError, match="3600 s"):
        get(server, tmp_path)


def test_waits_grow_and_stop_growing():
    waits = [RetryPolicy(chance=lambda: 1.0).wait_s(n) for n in range(1, 10)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert RetryPolicy(chance=lambda: 0.0).wait_s(1) == 0.5


@pytest.mark.parametrize("fault", ["error", "unanswered", "short", "misplaced"])
def test_a_server_that_never_mends_ends_the_download(server, tmp_path, fault):
    file = add(server, faults=("drop", *[fault] * 50), etag='"x"')
    with pytest.raises(DownloadError, match="8 times in a row"):
        get(server, tmp_path, size=len(file.content))
    assert "file.bin" not in names(tmp_path)
    file.faults = []
    assert get(server, tmp_path, size=len(file.content)).read_bytes() == file.content
    assert wasted(file) == 0


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (["error"] * 8, r"the server answered 50\d( and the server answered 50\d)*, 8 times"),
        (["error", *["unanswered"] * 7], r"the server answered 50\d and the connection was cut, 8 times"),
        ([*["unanswered"] * 7, "error"], r"the connection was cut and the server answered 50\d, 8 times"),
    ],
)
def test_attempts_that_are_used_up_say_what_they_met(server, tmp_path, faults, words):
    add(server, faults=faults)
    with pytest.raises(DownloadError, match=rf"^http://127.0.0.1:\d+/file: {words} in a row; run") as caught:
        get(server, tmp_path)
    assert caught.value.status in {500, 502, 504}
    assert str(caught.value).count("/file") == 1


def test_a_wait_that_is_too_long_comes_with_its_status(server, tmp_path):
    add(server, faults=["busy"], retry_after="3600")
    with pytest.raises(DownloadError, match=r"answered (429|503) and asks to wait 3600 s; run the download again then"):
        get(server, tmp_path)


def test_a_checksum_that_never_fits_ends_the_download(server, tmp_path):
    file = add(server)
    with pytest.raises(DownloadError, match="3 times over"):
        get(server, tmp_path, checksum=("sha256", "0" * 64))
    assert names(tmp_path) == []
    assert file.n_sent == 3 * len(file.content)


def test_the_servers_digest_is_checked_when_the_catalogue_has_none(server, tmp_path):
    file = add(server, faults=("corrupt",))
    file.headers = {"Content-MD5": base64.b64encode(bytes.fromhex(file.md5[1])).decode()}
    assert get(server, tmp_path).read_bytes() == file.content
    assert len(file.log) == 2


def test_an_unknown_checksum_is_refused_before_anything_is_fetched(server, tmp_path):
    file = add(server)
    with pytest.raises(DownloadError, match="blake3"):
        get(server, tmp_path, checksum=("blake3", "00"))
    assert file.requests == []


@pytest.mark.parametrize(
    "options",
    [
        {"has_ranges": False},
        {"is_chunked": True},
        {"etag": None, "last_modified": "Sat, 01 Feb 2025 10:00:00 GMT"},
        {"etag": None},
        {"etag": 'W/"weak"'},
    ],
    ids=["no ranges", "chunked", "date", "no validator", "weak"],
)
@pytest.mark.parametrize("with_checksum", [True, False])
def test_plainer_servers_work_too(server, tmp_path, options, with_checksum):
    file = add(server, faults=("drop", "drop"), **options)
    checksum = file.md5 if with_checksum else None
    assert get(server, tmp_path, checksum=checksum).read_bytes() == file.content
    assert names(tmp_path) == ["file.bin"]


def test_a_file_of_unknown_length_is_not_taken_on_trust(server, tmp_path):
    file = add(server, has_length=False)
    with pytest.raises(DownloadError, match="how long"):
        get(server, tmp_path)
    assert get(server, tmp_path, size=len(file.content)).read_bytes() == file.content


def test_bytes_of_an_older_version_are_thrown_away(server, tmp_path):
    file = add(server, faults=("drop", *["error"] * 8))
    with pytest.raises(DownloadError):
        get(server, tmp_path)
    assert names(tmp_path) == ["file.bin.part", "file.bin.part.json"]
    file.content, file.etag = content(250_000, seed=1), '"second"'
    assert get(server, tmp_path).read_bytes() == file.content


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"{}"])
def test_a_damaged_note_costs_a_fresh_start_and_no_more(server, tmp_path, damage):
    file = add(server)
    (tmp_path / "file.bin.part").write_bytes(b"junk")
    (tmp_path / "file.bin.part.json").write_bytes(damage)
    assert get(server, tmp_path).read_bytes() == file.content
    assert names(tmp_path) == ["file.bin"]


def test_redirects_lead_to_listed_hosts_only_and_without_the_token(tmp_path):
    with serve() as first, serve() as second:
        second.files["/data"] = Served(content(100_000))
        first.files["/file"] = Served(b"", location=f"{second.url}/data?sig=planted", token="planted")
        options = {"authorize": lambda _: {"Authorization": "Bearer planted"}}
        with pytest.raises(DownloadError, match="none of the provider's hosts") as caught:
            get(first, tmp_path, **options)
        assert "planted" not in str(caught.value)
        assert second.files["/data"].requests == []
        path = get(first, tmp_path, **options, hosts=frozenset({f"127.0.0.1:{second.server_port}"}))
        assert path.read_bytes() == second.files["/data"].content
        assert all("Authorization" not in request for request in second.files["/data"].requests)


def test_a_redirect_on_the_same_host_keeps_the_token(server, tmp_path):
    server.files["/file"] = Served(b"", location="/data")
    server.files["/data"] = Served(content(1000), token="planted")
    get(server, tmp_path, authorize=lambda _: {"Authorization": "Bearer planted"})
    server.files["/file"].location = "/file"
    with pytest.raises(DownloadError, match="circle"):
        fetch_file(f"{server.url}/file", tmp_path / "other", retry_policy=QUICK)
    for location in ("file:///etc/passwd", "", "http://[::1/x", "http://a:b/"):
        server.files["/file"].location = location
        with pytest.raises(DownloadError, match="nowhere"):
            fetch_file(f"{server.url}/file", tmp_path / "other", retry_policy=QUICK)


def test_nothing_secret_is_logged_or_said(server, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    address = f"{server.url}/missing?sig=planted"
    with pytest.raises(DownloadError, match="404") as caught:
        fetch_file(address, tmp_path / "x", retry_policy=QUICK, authorize=lambda _: {"Authorization": "planted"})
    assert "planted" not in caplog.text + str(caught.value) + repr(FileRequest(url=address, target=tmp_path))
    assert "GET" in caplog.text  # urllib3 did log it
    assert public_url("https://a:planted@b/c?planted#planted") == "https://b/c"


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://host/x", "https://", "nonsense", "http://[::1/x", "http://a:b/"]
)
def test_what_is_no_address_is_refused(tmp_path, url):
    with pytest.raises(DownloadError, match="not an address"):
        fetch_file(url, tmp_path / "x", retry_policy=QUICK)


def test_a_server_that_is_not_there(tmp_path):
    with serve() as gone:
        url = gone.url
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetch_file(f"{url}/file", tmp_path / "x", retry_policy=QUICK)
    assert names(tmp_path) == []


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(tmp_path):
    server = FileServer()
    address, file = encrypt(server), add(server)
    with serve(server):
        with pytest.raises(DownloadError, match="certificate"):
            fetch_file(f"{address}/file", tmp_path / "x", retry_policy=RetryPolicy())
        assert file.requests == []


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "C:\\x", "a\\b", "a\0b", ".", "a/.."])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(DownloadError, match="not inside"):
        inside(tmp_path, name)


def test_a_link_that_leaves_the_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    with pytest.raises(DownloadError, match="not inside"):
        inside(tmp_path / "in", "link/x")
    assert inside(tmp_path, "in/x") == tmp_path / "in" / "x"


def test_a_full_disk_is_seen_before_anything_is_fetched(server, tmp_path, monkeypatch):
    file = add(server)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(OutputError, match="free"):
        get(server, tmp_path, size=len(file.content))
    request = FileRequest(url=server.url + "/file", target=tmp_path / "deep" / "x", size=len(file.content))
    with pytest.raises(OutputError, match="free"):
        fetch_files([request], retry_policy=QUICK)
    assert file.requests == []
    with pytest.raises(OutputError, match="free"):
        get(server, tmp_path)
    assert names(tmp_path) == []


def test_a_disk_that_fills_up_keeps_what_arrived(server, tmp_path, monkeypatch):
    file = add(server, 2 * MIB)
    write = PartFile.write

    def full(self, data):
        if self.n_bytes > MIB:
            monkeypatch.undo()
            raise OutputError(os.strerror(errno.ENOSPC))
        write(self, data)

    monkeypatch.setattr(PartFile, "write", full)
    with pytest.raises(OutputError):
        get(server, tmp_path)
    assert get(server, tmp_path).read_bytes() == file.content
    assert file.log[1].start > MIB


def test_places_that_cannot_be_written_to(server, tmp_path):
    add(server)
    (tmp_path / "file.bin").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        get(server, tmp_path)
    (tmp_path / "plain").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        get(server, tmp_path / "plain")


def test_ctrl_c_leaves_it_resumable(server, tmp_path):
    file = add(server, MIB)

    def interrupt(done, _):
        if done > 400_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(server, tmp_path, progress=interrupt)
    n_bytes = (tmp_path / "file.bin.part").stat().st_size
    assert n_bytes > 400_000
    get(server, tmp_path)
    assert file.log[1].start == n_bytes


def test_many_files_in_order_with_their_progress(server, tmp_path):
    for i in range(12):
        server.files[f"/{i}"] = Served(content(50_000, i), ["drop"])
    requests = [
        FileRequest(url=f"{server.url}/{i}", target=tmp_path / str(i), size=50_000, checksum=server.files[f"/{i}"].md5)
        for i in range(12)
    ]
    seen = []
    paths = fetch_files(requests, n_parallel=4, progress=lambda *p: seen.append(p), retry_policy=QUICK)
    assert paths == [request.target for request in requests]
    assert all(path.read_bytes() == content(50_000, i) for i, path in enumerate(paths))
    assert seen[-1] == (600_000, 600_000)
    assert fetch_files([]) == []
    with pytest.raises(ValueError, match="same file"):
        fetch_files([requests[0]] * 2)
    with pytest.raises(ValueError, match="n_parallel"):
        fetch_files(requests, n_parallel=0)


def test_one_bad_file_does_not_keep_the_others_away(server, tmp_path):
    for i in range(6):
        server.files[f"/{i}"] = Served(content(20_000, i))
    del server.files["/2"]
    requests = [FileRequest(url=f"{server.url}/{i}", target=tmp_path / str(i)) for i in range(6)]
    with pytest.raises(DownloadError, match="/2"):
        fetch_files(requests, n_parallel=2, retry_policy=QUICK)
    assert names(tmp_path) == ["0", "1", "3", "4", "5"]


def test_connections_are_used_again(server, tmp_path):
    seen = set()
    accept = server.get_request

    def count():
        connection, address = accept()
        seen.add(address)
        return connection, address

    server.get_request = count
    for i in range(10):
        server.files[f"/{i}"] = Served(content(20_000, i))
        fetch_file(f"{server.url}/{i}", tmp_path / str(i), retry_policy=QUICK)
    assert len(seen) == 1


def test_two_at_one_file_do_not_harm_each_other(server, tmp_path):
    file = add(server, MIB, bytes_per_second=8e6)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(get, server, tmp_path, size=MIB, checksum=file.md5) for _ in range(4)]
        assert {job.result().read_bytes() for job in jobs} == {file.content}
    assert file.n_sent == MIB
    assert names(tmp_path) == ["file.bin"]


def test_two_hundred_downloads_under_faults(tmp_path, monkeypatch):
    """Seeded: each ends whole and verified or with a clear error, and no byte is fetched twice without a reason."""
    chance = random.Random(20)
    ends: Counter[str] = Counter()
    written: Counter[str] = Counter()
    write = PartFile.write

    def count(part, data):
        written[part.target.name] += len(data)
        write(part, data)

    monkeypatch.setattr(PartFile, "write", count)
    with serve() as server:

        def fetch(i: int) -> str:
            file, path = server.files[f"/{i}"], tmp_path / str(i)
            authorize = lambda _: {"Authorization": f"Bearer {file.token}"}  # noqa: E731
            try:
                fetch_file(
                    f"{server.url}/{i}",
                    path,
                    size=len(file.content),
                    checksum=file.md5,
                    authorize=authorize,
                    retry_policy=QUICK,
                )
            except SarshipError as error:
                return "unclear" if path.exists() or "\n" in str(error) else type(error).__name__
            assert hashlib.md5(path.read_bytes()).hexdigest() == file.md5[1]
            return "whole"

        for i in range(200):
            faults = chance.choices(FAULTS, weights=[1 if f in {"stall", "drip"} else 4 for f in FAULTS], k=6)
            server.files[f"/{i}"] = Served(
                content(chance.randrange(1, 2**19), i), faults, token="token-0", chance=random.Random(i)
            )
        with ThreadPoolExecutor(8) as pool:
            ends.update(pool.map(fetch, range(200)))
        again = {str(i): wasted(server.files[f"/{i}"]) for i in range(200)}
        n_needed = sum(len(file.content) for file in server.files.values())
        n_requests = sum(len(file.requests) for file in server.files.values())
    figures = n_requests, n_needed, written.total(), sum(again.values())
    print("ends; requests, bytes needed, taken, taken again for a reason", (dict(ends), *figures))  # noqa: T201  (shown by pytest -rP)
    for i in range(200):
        assert written[str(i)] <= len(server.files[f"/{i}"].content) + again[str(i)], server.files[f"/{i}"].log
    assert ends["whole"] >= 190
    assert set(ends) <= {"whole", "DownloadError", "CredentialError"}
    assert len([name for name in names(tmp_path) if ".part" not in name]) == ends["whole"]


CHILD = """
import sys
from pathlib import Path
from sarship.download.fetch import fetch_file
fetch_file(sys.argv[1], Path(sys.argv[2]), size=int(sys.argv[3]), checksum=("md5", sys.argv[4]))
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_killed_at_random_moments_it_finishes(server, tmp_path):
    file = add(server, 12 * MIB, bytes_per_second=12 * MIB / 1.5)
    chance, n_kills = random.Random(3), 0
    command = [sys.executable, "-c", CHILD, f"{server.url}/file", str(tmp_path / "f"), str(12 * MIB), file.md5[1]]
    while n_kills < 40:
        child = subprocess.Popen(command)
        try:
            child.wait(chance.uniform(0.2, 0.9))
            break
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            n_kills += 1
            assert not (tmp_path / "f").exists() or (tmp_path / "f").read_bytes() == file.content
    assert child.returncode == 0
    assert (tmp_path / "f").read_bytes() == file.content
    assert names(tmp_path) == ["f"]
    again = sum(max(0, a.start + a.n_bytes - b.start) for a, b in zip(file.log, file.log[1:], strict=False))
    print("kills, transfers, bytes again", (n_kills, len(file.log), again))  # noqa: T201  (shown by pytest -rP)
    assert n_kills >= 2
    assert again <= n_kills * MIB
    assert all(b.start >= a.start for a, b in zip(file.log, file.log[1:], strict=False))


def test_two_processes_at_one_file(server, tmp_path):
    file = add(server, MIB, bytes_per_second=4e6)
    command = [sys.executable, "-c", CHILD, f"{server.url}/file", str(tmp_path / "f"), str(MIB), file.md5[1]]
    children = [subprocess.Popen(command) for _ in range(3)]
    assert [child.wait(30) for child in children] == [0, 0, 0]
    assert file.n_sent == MIB
    assert names(tmp_path) == ["f"]


def test_no_thread_is_left(server, tmp_path):
    add(server)
    fetch_files([FileRequest(url=f"{server.url}/file", target=tmp_path / "x")])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sarship-download")]
