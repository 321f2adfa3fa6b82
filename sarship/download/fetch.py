"""Whole files onto disk: resumed where they stopped, verified, and put under their final name only when right.

A file arrives as `NAME.part`, with what the server said of it in `NAME.part.json`; whatever ends the program, the next
run goes on from the bytes that are there, if the server still has the same file. No byte is fetched twice unless the
file changed, a server sent it from the start, or its checksum was wrong.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import as_completed
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import urllib3

from sarship.download.addresses import public_url
from sarship.download.http import Attempts, Denied, Hiccup, Session, StallDetector, interruptions
from sarship.download.parallel import TotalProgress, side_by_side
from sarship.download.partial import (
    PartFile,
    Version,
    check_space,
    file_digest,
    hash_name,
    is_whole,
    open_part,
    remaining,
    tidy,
)
from sarship.download.request import FileRequest, Progress, RetryPolicy
from sarship.errors import DownloadError

__all__ = ["fetch_file", "fetch_files", "fetch_request"]

_CHUNK: Final = 2**18
"""Bytes read at once; far below what a kill may cost."""
_PROGRESS: Final = 2**16
"""Bytes after which failures are counted anew: a server that sends one byte a connection is no good."""
_N_WHOLE: Final = 3
"""Times that a file is fetched from its start because its checksum is wrong."""


def fetch_file(
    url: str,
    target: str | Path,
    *,
    size: int | None = None,
    checksum: tuple[str, str] | None = None,
    authorize: Callable[[bool], dict[str, str]] | None = None,
    sign: Callable[[str, bool], str] | None = None,
    hosts: frozenset[str] = frozenset(),
    progress: Progress | None = None,
    retry_policy: RetryPolicy | None = None,
) -> Path:
    """Fetch one file; nothing is fetched when it is there already and right.

    Parameters
    ----------
    url, target, size, checksum, authorize, sign, hosts
        As the fields of `FileRequest`.
    progress
        Called with the bytes on disk and the bytes in all (None while unknown).
    retry_policy
        Timeouts, attempts and waits; None for the usual ones.

    Returns
    -------
    Path
        The file, whole and verified.

    Raises
    ------
    DownloadError
        If the server fails, refuses or sends something else; the bytes that arrived stay for the next run.
    CredentialError
        If the server wants credentials, or others than those it got.
    OutputError
        If the folder cannot be written to, or the disk is full.

    Examples
    --------
    >>> import hashlib, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "image.tiff"
    >>> path.write_bytes(b"pixels")
    6
    >>> checksum = "md5", hashlib.md5(b"pixels").hexdigest()
    >>> fetch_file("https://example.org/image.tiff", path, checksum=checksum).name  # it is there and right
    'image.tiff'
    """
    request = FileRequest(
        url=url, target=Path(target), size=size, checksum=checksum, authorize=authorize, sign=sign, hosts=hosts
    )
    return fetch_request(request, progress, retry_policy)


def fetch_request(
    request: FileRequest, progress: Progress | None = None, retry_policy: RetryPolicy | None = None
) -> Path:
    """Fetch one file as `fetch_file` does."""
    return _fetch(request, Session(retry_policy or RetryPolicy()), progress or (lambda *_: None))


def fetch_files(
    requests: Iterable[FileRequest],
    *,
    n_parallel: int = 4,
    progress: Progress | None = None,
    retry_policy: RetryPolicy | None = None,
) -> list[Path]:
    """Fetch several files side by side.

    A file that fails does not keep the others from being fetched, but refused credentials or a full disk do.

    Parameters
    ----------
    requests
        The files.
    n_parallel
        Maximum number of files at once; the provider's limit.
    progress
        Called with the bytes of all files on disk and in all (None while one is unknown), from one thread at a time.
    retry_policy
        Timeouts, attempts and waits; None for the usual ones.

    Returns
    -------
    list of Path
        The files, in the order of the requests.

    Raises
    ------
    DownloadError, CredentialError, OutputError
        As for `fetch_file`: of the first file that failed, after the others have arrived.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("vv.tiff", "vh.tiff"):
    ...     _ = (folder / name).write_bytes(b"pixels")
    >>> at = "https://example.org"
    >>> requests = [FileRequest(url=f"{at}/{path.name}", target=path, size=6) for path in folder.iterdir()]
    >>> len(fetch_files(requests, n_parallel=2))  # both are there and right
    2
    """
    wanted = [replace(request, target=Path(request.target)) for request in requests]
    if n_parallel < 1:
        raise ValueError(f"n_parallel must be at least 1, got {n_parallel}")
    if twice := [path for path, n in Counter(request.target for request in wanted).items() if n > 1]:
        raise ValueError(f"two requests are for the same file {twice[0]}")
    _check_space_for_all(wanted)
    session = Session(retry_policy or RetryPolicy())
    total = TotalProgress([request.size for request in wanted], progress)
    calls = [partial(_fetch, request, session, total.of(k)) for k, request in enumerate(wanted)]
    with side_by_side(calls, n_parallel, session.stop.set) as jobs:
        for job in as_completed(jobs):
            if (error := job.exception()) is not None and not isinstance(error, DownloadError):
                raise error
    return [job.result() for job in jobs]


def _check_space_for_all(requests: list[FileRequest]) -> None:
    disks: dict[int, list[FileRequest]] = {}
    for request in requests:
        there = next(path for path in request.target.absolute().parents if path.exists())
        disks.setdefault(there.stat().st_dev, []).append(request)
    for those in disks.values():
        check_space(those[0].target.parent, sum(remaining(one.target, one.size or 0) for one in those))


def _fetch(request: FileRequest, session: Session, progress: Progress) -> Path:
    target = request.target
    if request.checksum is not None:
        hash_name(request.checksum[0])
    session.check()
    if is_whole(target, request.size, request.checksum):
        tidy(target)
        progress(target.stat().st_size, target.stat().st_size)
        return target
    with open_part(target, session.sleep) as part:
        if is_whole(target, request.size, request.checksum):  # another process was quicker
            part.discard()
            return target
        _prepare(part, request)
        for _ in range(_N_WHOLE):
            if _fill(part, request, session, progress):
                part.discard()
                return target
            if not (wrong := _wrong(part, request)):
                part.finish()
                return target
            part.restart()
        where = public_url(request.url)
        raise DownloadError(f"{where}: {wrong}, {_N_WHOLE} times over; try another catalogue", file=where)


def _prepare(part: PartFile, request: FileRequest) -> None:
    """Drop the bytes on disk unless it can be told that those to come are of the same file."""
    known = part.version is not None and bool(part.version.etag or part.version.last_modified)
    is_too_long = request.size is not None and part.n_bytes > request.size
    if part.n_bytes and (is_too_long or not (known or request.checksum)):
        part.restart()
    if request.size is not None:
        check_space(part.target.parent, request.size - part.n_bytes)


def _fill(part: PartFile, request: FileRequest, session: Session, progress: Progress) -> bool:
    """Fetch the missing bytes, trying again as long as there is hope; True if the file in place is the server's."""
    attempts = Attempts(request, session)
    while not _is_complete(part, request):
        session.check()
        before = part.n_bytes
        try:
            with closing(_ask_rest(part, request, session, renew=attempts.renew)) as response:
                attempts.accepted()
                if _pour(response, part, request, session, progress):
                    return True
        except (Denied, Hiccup) as error:
            if part.n_bytes - before >= _PROGRESS:
                attempts.moved()
            attempts.after(error)
    progress(part.n_bytes, part.n_bytes)
    return False


def _is_complete(part: PartFile, request: FileRequest) -> bool:
    size = request.size if request.size is not None else part.version and part.version.size
    return size is not None and part.n_bytes == size and (part.version is not None or part.n_bytes > 0)


def _ask_rest(part: PartFile, request: FileRequest, session: Session, *, renew: bool) -> urllib3.BaseHTTPResponse:
    headers = {}
    if part.n_bytes:
        headers["Range"] = f"bytes={part.n_bytes}-"
        if part.version and part.version.condition:
            headers["If-Range"] = part.version.condition
    try:
        return session.ask(request, headers, renew=renew)
    except Hiccup as hiccup:
        if hiccup.status == 416:
            _settle(part, hiccup.length)
        raise


def _settle(part: PartFile, content_range: str) -> None:
    """No byte follows those on disk: they are the whole file, or of another one."""
    if part.version is not None and content_range.strip() == f"bytes */{part.n_bytes}":
        part.belong(replace(part.version, size=part.n_bytes))
    else:
        part.restart()


def _pour(
    response: urllib3.BaseHTTPResponse, part: PartFile, request: FileRequest, session: Session, progress: Progress
) -> bool:
    """Take the answer's bytes; True if there is no need to, for the file in place is the server's."""
    version = _version(response, part, request)
    is_unknown = part.n_bytes == 0 and request.size is None and request.checksum is None
    if is_unknown and is_whole(part.target, version.size, version.digest):
        return True
    if response.status == 200 and part.n_bytes:
        part.restart()
    part.belong(version)
    if version.size is not None:
        check_space(part.target.parent, version.size - part.n_bytes)
    left = None if version.size is None else version.size - part.n_bytes
    stalls = StallDetector(session.retry_policy)
    while left is None or left > 0:
        session.check()
        with interruptions():
            data = response.read1(_CHUNK if left is None else min(left, _CHUNK))
        if not data:
            break
        part.write(data)
        left = None if left is None else left - len(data)
        progress(part.n_bytes, version.size)
        stalls.check(len(data))
    if left:
        raise Hiccup("the connection ended early")
    if left is None:
        part.belong(replace(version, size=part.n_bytes))
    response.drain_conn()  # nothing is left; this gives the connection back for the next file
    return False


def _version(response: urllib3.BaseHTTPResponse, part: PartFile, request: FileRequest) -> Version:
    """Return the version of the file that an answer tells; refuse one whose bytes cannot follow those on disk."""
    headers = response.headers
    length = headers.get("Content-Length", "")
    total = int(length) if response.status == 200 and length.isdecimal() else None
    if response.status == 206:
        span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("Content-Range", "").strip())
        if span is None or int(span[1]) != part.n_bytes:
            raise Hiccup("the server sent another part of the file than it was asked for")
        total = None if span[3] == "*" else int(span[3])
    elif total is None and headers.get("Transfer-Encoding", "").lower() != "chunked" and request.size is None:
        where = public_url(request.url)
        raise DownloadError(
            f"{where}: neither the server nor the catalogue says how long the file is, so that it "
            "cannot be told whether it is whole; try another catalogue",
            file=where,
        )
    if total is not None and request.size is not None and total != request.size:
        raise Hiccup(f"the server says {total} bytes where the catalogue says {request.size}")
    version = Version(
        etag=headers.get("ETag", ""),
        last_modified=headers.get("Last-Modified", ""),
        size=total if total is not None else request.size,
        digest=_server_digest(response),
    )
    if response.status == 206 and part.version is not None:
        if not version.may_be(part.version):
            part.restart()
            raise Hiccup("the file changed on the server")
        version = replace(version, digest=version.digest or part.version.digest, size=version.size or part.version.size)
        if version.size is not None and version.size < part.n_bytes:
            part.restart()
            raise Hiccup("the server says that the file is shorter than what it sent")
    return version


def _server_digest(response: urllib3.BaseHTTPResponse) -> tuple[str, str] | None:
    """MD5 of the whole file as Azure and others give it."""
    whole = response.headers.get("Content-MD5") if response.status == 200 else None
    text = response.headers.get("x-ms-blob-content-md5") or whole
    try:
        digest = base64.b64decode(text or "", validate=True).hex()
    except (binascii.Error, ValueError):
        return None
    return ("md5", digest) if len(digest) == 32 else None


def _wrong(part: PartFile, request: FileRequest) -> str:
    """Fault of the finished part, by the catalogue's checksum or else the server's; empty when it is right."""
    server = part.version.digest if part.version else None
    checksum, who = (request.checksum, "the catalogue") if request.checksum else (server, "the server")
    if checksum is None:
        return ""
    found = file_digest(part.path, checksum[0])
    if found == checksum[1].lower():
        return ""
    return f"the {checksum[0]} of what arrived is {found} where {who} says {checksum[1]}"
