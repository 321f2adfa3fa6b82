"""Seconds and memory that it takes to cut a gigabyte of AIS to a port, in the form of the Danish Maritime Authority.

`python -m benchmarks.ais_file [--write]` makes two such files in a temporary folder, a day of ten thousand vessels
each, reads each in a process of its own, and puts the table into docs/ais.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pv
import shapely

from benchmarks.pages import ROOT, write_between
from sarship.ais import read_ais

GIGABYTE: Final = 10**9
N_VESSELS: Final = 10_000
BLOCK: Final = 100_000
"""Rows that are drawn at once."""
PORT: Final = (10.0, 56.0)
"""Longitude and latitude of the port."""
SPANS: Final = {"a continent": 10.0, "the seas around": 2.5}
"""Half of the degrees of longitude and latitude that the vessels of a file are spread over."""
HEADER: Final = (
    "# Timestamp", "Type of mobile", "MMSI", "Latitude", "Longitude", "Navigational status", "ROT", "SOG", "COG",
    "Heading", "IMO", "Callsign", "Name", "Ship type", "Cargo type", "Width", "Length",
    "Type of position fixing device", "Draught", "Destination", "ETA", "Data source type", "A", "B", "C", "D",
)  # fmt: skip


def make_file(path: Path, span_deg: float, size: int = GIGABYTE) -> int:
    """Write a day of reports, in order of time, and return the number of rows: vessels at rest or on straight ways."""
    rng = np.random.default_rng(0)
    clock = pd.date_range("2024-03-01", periods=86_400, freq="s").strftime("%d/%m/%Y %H:%M:%S").to_numpy(object)
    home = np.array(PORT) + rng.uniform(-span_deg, span_deg, (N_VESSELS, 2))
    speed = np.where(rng.random(N_VESSELS) < 0.5, 0.0, rng.uniform(5, 18, N_VESSELS))
    course = rng.uniform(0, 360, N_VESSELS)
    length = rng.integers(30, 300, N_VESSELS)
    names = np.array([f"VESSEL {number}" for number in range(N_VESSELS)], object)
    parts = max(1, size // (150 * BLOCK))
    n_rows = 0
    with path.open("wb") as file:
        while file.tell() < size:
            # as many blocks as a day takes; the last one may run on into the first minutes of it
            start = 86_400 * (n_rows // BLOCK) / (parts + 1) % 86_400
            second = np.sort(rng.uniform(start, min(start + 86_400 / (parts + 1), 86_399), BLOCK)).astype(int)
            who = rng.integers(0, N_VESSELS, BLOCK)
            along = speed[who] * 1852 / 3600 * second / 111_195
            angle = np.radians(course[who])
            latitude = home[who, 1] + along * np.cos(angle)
            longitude = home[who, 0] + along * np.sin(angle) / np.cos(np.radians(home[who, 1]))
            empty = np.full(BLOCK, "", object)
            columns = [
                clock[second], np.full(BLOCK, "Class A", object), 210_000_000 + who, latitude.round(6),
                longitude.round(6), np.full(BLOCK, "Under way using engine", object), np.zeros(BLOCK),
                speed[who].round(1), course[who].round(1), course[who].astype(int), 9_000_000 + who, names[who],
                names[who], np.full(BLOCK, "Cargo", object), empty, length[who] // 6, length[who],
                np.full(BLOCK, "GPS", object), np.full(BLOCK, 7.5), np.full(BLOCK, "AARHUS", object), empty,
                np.full(BLOCK, "AIS", object), length[who] - 30, np.full(BLOCK, 30), length[who] // 12,
                length[who] // 12,
            ]  # fmt: skip
            table = pa.table([pa.array(column) for column in columns], names=list(HEADER))
            pv.write_csv(table, file, pv.WriteOptions(include_header=n_rows == 0, quoting_style="none"))
            n_rows += BLOCK
    return n_rows


def read(path: Path) -> dict[str, float]:
    """Read a file for the port, and return the reports that are kept, seconds and megabytes."""
    when = pd.Timestamp("2024-03-01T05:40Z")
    began = time.perf_counter()
    reports = read_ais(path, shapely.Point(PORT).buffer(0.05), (when, when + pd.Timedelta(30, "s")))
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "kept": len(reports.table),
        "seconds": time.perf_counter() - began,
        "cpu": used.ru_utime + used.ru_stime,
        "megabytes": used.ru_maxrss * 1024 / 1e6,
    }


def rows(size: int) -> list[str]:
    """Return the table of both files as Markdown, a line each."""
    lines = ["| vessels are spread over | file | reports | kept | seconds | of them CPU | memory |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|")
    for name, span in SPANS.items():
        with TemporaryDirectory() as folder:
            path = Path(folder, "aisdk.csv")
            n_rows = make_file(path, span, size)
            command = [sys.executable, "-m", "benchmarks.ais_file", "--read", str(path)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
            lines.append(
                f"| {name} | {path.stat().st_size / 1e9:.2f} GB | {n_rows:,} | {found['kept']:,} | "
                f"{found['seconds']:.0f} | {found['cpu']:.0f} | {found['megabytes']:.0f} MB |"
            )
    return lines


def main() -> None:
    """Print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/ais.md")
    parser.add_argument("--size", type=int, default=GIGABYTE, help="bytes of a file")
    parser.add_argument("--read", type=Path, help="read a file, and print what that took as JSON")
    given = parser.parse_args()
    if given.read is not None:
        print(json.dumps(read(given.read)))
        return
    text = "\n".join(rows(given.size))
    print(text)
    if given.write:
        write_between(ROOT / "docs" / "ais.md", "ais-file", text)


if __name__ == "__main__":
    main()
