"""Servers that are asked whether they give a file again."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers.http import Served, serve

from sarship.download import FileRequest, RetryPolicy
from sarship.download.probe import wait_until_served
from sarship.errors import DownloadError


@pytest.mark.parametrize(("faults", "met"), [([], {None}), (["unanswered"], {None}), (["busy", "drop"], {429, 503})])
def test_answer_before_the_file_is_told(monkeypatch, faults, met):
    monkeypatch.setattr("sarship.download.probe.RETRY_POLICY", RetryPolicy(n_attempts=3, base_s=0.01))
    with serve() as server:
        server.files["/file"] = Served(b"content", faults)
        assert wait_until_served(FileRequest(url=f"{server.url}/file", target=Path("file"))) in met


def test_server_that_never_gives_the_file_is_one_sentence(monkeypatch):
    monkeypatch.setattr("sarship.download.probe.RETRY_POLICY", RetryPolicy(n_attempts=3, base_s=0.01))
    with serve() as server:
        server.files["/file"] = Served(b"content", ["error"] * 9)
        with pytest.raises(DownloadError, match=r"/file: the server answered 50\d.*, 3 times in a row; run the same"):
            wait_until_served(FileRequest(url=f"{server.url}/file", target=Path("file")))
