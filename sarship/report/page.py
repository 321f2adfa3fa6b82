"""The page: one file without a server or a network, under a content-security policy that lets in only what it holds."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from sarship.files import write_file
from sarship.pipeline.result_files import read_results
from sarship.pipeline.results import Results
from sarship.plots.visits import CLASSES
from sarship.report.content import csv_links, drawn, redacted, tables
from sarship.report.drawings import draw_aprons, draw_lanes
from sarship.report.html import render
from sarship.report.pictures import Frames, read_frames
from sarship.report.words import answer

__all__ = ["write_report"]

MEGABYTE: Final = 1_000_000
STEPS: Final = (2, 4)
"""Cells a side that a pixel of the map may become: at 40 m vessels are still seen, and not told apart."""
BASE64: Final = 4 / 3 + 0.001
"""Characters a byte."""


def write_report(
    folder: str | Path, path: str | Path | None = None, *, max_mb: float = 10.0, redact: bool = False
) -> Path:
    """Write a page of a survey: one HTML file that needs no server and no network.

    Parameters
    ----------
    folder
        Folder of a finished survey. The map needs its `stack/` and `references/`; without them the page says so.
    path
        The file; by default `report.html` in the folder.
    max_mb
        Size in megabytes that the page keeps to, so that it can be mailed. The map is made coarser first, then kept for
        the passes around changes only, and the page says what was left out.
    redact
        True to leave out names of vessels and people in reports, their notes and addresses, and paths.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        The folder holds no results, or the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.pipeline import search, write_results
    >>> with TemporaryDirectory() as folder:
    ...     _ = write_results(search([]), folder)
    ...     write_report(folder).read_text("utf-8")[:15]
    '<!doctype html>'
    """
    folder = Path(folder)
    results = read_results(folder)
    if redact:
        results = redacted(results)
    frames = read_frames(folder, results.counts)
    page = _page(results, frames, "")
    if frames is not None and len(page) > max_mb * MEGABYTE:
        room = max_mb * MEGABYTE - len(page) + frames.n_bytes * BASE64
        page = _page(results, *_smaller(folder, results, frames, room))
    return write_file(path or folder / "report.html", page)


def _smaller(folder: Path, results: Results, frames: Frames, room: float) -> tuple[Frames | None, str]:
    """Return the map that takes no more than so many bytes, and what was left out for that."""
    for step in STEPS:
        frames = read_frames(folder, results.counts, step) or frames
        left_out = f"To keep the page small, the map has pixels of {frames.grid.spacing_m * step:g} m"
        if frames.n_bytes * BASE64 <= room:
            return frames, f"{left_out}."
    times = results.counts["time"].to_numpy()
    kept = np.isin(np.arange(len(times)), [0, len(times) - 1])
    for row in results.changes.itertuples():
        start, stop = (when.tz_localize(None).to_datetime64() for when in (row.window_from, row.window_to))
        kept |= (times >= start) & (times <= stop)
    few = replace(frames, by_pass=tuple(one if keep else None for one, keep in zip(frames.by_pass, kept, strict=True)))
    if few.n_bytes * BASE64 <= room:
        return few, f"{left_out} and shows only the passes around changes, the first and the last."
    return None, "it would make the page larger than was asked for"


def _page(results: Results, frames: Frames | None, left_out: str) -> bytes:
    """Return the page."""
    provenance = results.provenance
    years = sorted({int(year) for year in results.scenes["start"].dt.year})
    page = render(
        "page.html",
        ("vendor/uPlot.min.css", "page.css"),
        ("vendor/leaflet.js", "vendor/uPlot.iife.min.js", "page.js"),
        data=drawn(results, frames),
        port=provenance.port or "a port",
        mark="SIMULATED" if provenance.is_simulated else "",
        answer=answer(results),
        lanes=draw_lanes(results),
        aprons=draw_aprons(results),
        classes=CLASSES,
        links=csv_links(results),
        has_map=frames is not None,
        left_out=left_out,
        polarization=frames.polarization if frames else "",
        pixel_m=frames.step * frames.grid.spacing_m if frames else 0,
        provenance=provenance,
        parameters=asdict(provenance.parameters),
        piers_digest=hashlib.sha256(results.piers.to_wkb().to_csv(index=False).encode()).hexdigest(),
        years=f"{years[0]}–{years[-1]}" if len(years) > 1 else "".join(map(str, years)),
        generated=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        **tables(results),
    )
    return page.html
