"""A demo on a simulated port: simulate, survey, draw, and hold the counts against the known truth."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sarship.analysis import read_observations
from sarship.errors import LibraryError, OutputError, ProductWarning
from sarship.files import LOCK, make_folder, write_file
from sarship.pipeline.first_pass import Progress
from sarship.pipeline.result_files import RESULT_FILES
from sarship.pipeline.results import SIMULATED, Results
from sarship.pipeline.surveys import survey
from sarship.pipeline.with_ais import add_ais
from sarship.port.port_file import read_port
from sarship.simulate import YARD_PORT, PortSeries, simulate_ais, simulate_port_series

__all__ = ["DemoOutcome", "run_demo"]

N_DATES: Final = 8
N_ORBITS: Final = 2


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class DemoOutcome:
    """Counts of the simulated port beside the truth.

    Examples
    --------
    >>> here = {"time": [np.datetime64("2024-12-03", "ns")], "pier": ["Quay"]}
    >>> n_vessels, truth = (xr.DataArray([[number]], here, ("time", "pier")) for number in (2.0, 3.0))
    >>> counts = xr.Dataset({"n_vessels": n_vessels})
    >>> DemoOutcome(folder=Path("demo"), counts=counts, truth=truth).error.item()
    -1.0
    """

    folder: Path
    """Folder of the tables, the pictures and the simulated products."""
    counts: xr.Dataset
    """`schema.COUNTS`."""
    truth: xr.DataArray
    """Number of vessels that were there, over `(time, pier)`."""
    yards: tuple[str, ...] = ()
    """Sentence on each yard ashore: the changes that were found, and the true ones."""

    @property
    def error(self) -> xr.DataArray:
        """Counted less true; missing where a pier was not seen."""
        return self.counts["n_vessels"] - self.truth

    def as_text(self) -> str:
        """Return a table for people: each entry is the count, a slash, the truth."""
        is_drawn = (self.folder / "counts.png").exists()
        where = f"tables{' and pictures' if is_drawn else ''} are in {self.folder}"
        pairs = np.char.add(_digits(self.counts["n_vessels"]), np.char.add(" / ", _digits(self.truth)))
        dates = pd.DatetimeIndex(self.counts["time"].to_numpy()).strftime("%Y-%m-%d %H:%M")
        table = pd.DataFrame(pairs, index=dates, columns=self.counts["pier"].to_numpy())
        error = self.error.to_numpy()
        return "\n".join(
            [
                f"{SIMULATED} port, counted / true number of vessels:",
                "",
                str(table.to_string()),
                "",
                f"counted {np.nansum(self.counts['n_vessels']):.0f}, true {self.truth.sum().item():.0f}; "
                f"mean absolute error {np.nanmean(np.abs(error)):.2f} a pier and date, bias {np.nanmean(error):+.2f}",
                *self.yards,
                f"{where}; look at counts.png, visits.png and pages/" if is_drawn else where,
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain JSON values."""
        rows = xr.Dataset({"n_vessels": self.counts["n_vessels"], "truth": self.truth}).to_dataframe().reset_index()
        rows["time"] = rows["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        records = rows[["time", "pier", "n_vessels", "truth"]].astype(object).where(rows.notna(), None)
        return {
            "simulated": True,
            "folder": str(self.folder),
            "counts": records.to_dict(orient="records"),
            "yards": list(self.yards),
            "mean_absolute_error": float(np.nanmean(np.abs(self.error))),
        }


def run_demo(
    folder: str | Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    picture_progress: Callable[[int, int], None] | None = None,
) -> DemoOutcome:
    """Simulate a small port over eight passes of two orbits, count its vessels beside AIS, write tables and pictures.

    A yard ashore empties after the fifth pass.

    Parameters
    ----------
    folder
        Folder of all of it; the files of an earlier demo are replaced.
    seed
        Number of the simulated port: each has vessels and weather of its own.
    progress, picture_progress
        As for `survey` and `write_pictures`.

    Returns
    -------
    DemoOutcome
        Counts and truth.

    Raises
    ------
    OutputError
        The folder cannot be written to, or holds something that is not a demo's.

    Warns
    -----
    ProductWarning
        Pictures cannot be drawn, or a reference not be made, for want of a library.

    Examples
    --------
    >>> print(run_demo("demo").as_text())  # doctest: +SKIP
    SIMULATED port, counted / true number of vessels: ...

    A folder with files of others is left alone:

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "notes.txt").write_text("mine")
    ...     run_demo(folder)
    Traceback (most recent call last):
    OutputError: … holds 'notes.txt', which no demo wrote; choose an empty or a new folder
    """
    folder = make_folder(folder)
    products = folder / "products"
    strangers = [path.name for path in folder.iterdir() if path.name not in _OWN]
    if strangers:
        raise OutputError(f"{folder} holds {strangers[0]!r}, which no demo wrote; choose an empty or a new folder")
    shutil.rmtree(products, ignore_errors=True)
    harbour = simulate_port_series(products, seed=seed, n_dates=N_DATES, n_orbits=N_ORBITS, plan=YARD_PORT)
    port = read_port(harbour.port_file)
    path = write_file(folder / "observations.csv", _reports(harbour).encode())
    reports = read_observations(path, port.piers)
    results = survey(harbour.products, port, folder, observations=reports, progress=progress)
    ais = simulate_ais(harbour, folder / "ais", seed=seed, forms=["csv2"])
    results = add_ais(results, port, ais.files.values(), folder)
    try:
        from sarship.pipeline.pictures import write_pictures  # noqa: PLC0415  (a light installation draws none)

        write_pictures(results, port, folder, progress=picture_progress)
    except LibraryError as error:
        warnings.warn(f"no pictures are drawn: {error}", ProductWarning, stacklevel=2)
    yards = tuple(_yards(harbour, results))
    return DemoOutcome(folder=folder, counts=results.counts, truth=_truth(harbour, results.counts), yards=yards)


_FOLDERS: Final = ("ais", "products", "scenes", "stack", "references", "second_pass", "quicklooks", "pages")
_OWN: Final = RESULT_FILES.union(_FOLDERS, ("counts.png", "visits.png", "observations.csv", "report.html", LOCK))
"""Files and folders that a demo writes."""


def _reports(harbour: PortSeries) -> str:
    """Return a sheet of what others would report: the truth, and two who contradict each other."""
    rows = ["id,time,where,what,low,high,value,kind,least_length_m,source"]
    counts = harbour.counts()
    for k, (scenes, truth) in enumerate(counts.iterrows()):
        start = datetime.strptime(str(scenes).split("_")[4], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        pier = counts.columns[k % 3]
        number = int(truth[pier])
        seen = start - timedelta(hours=5)
        rows.append(f"image-{k + 1},{seen:%Y-%m-%dT%H:%MZ},{pier},,{number},{number + k % 2},,optical,20,an image")
        yards = {yard.name: yard.number_on(k) for yard in harbour.plan.yards if k in {0, len(counts) - 1}}
        for name, parked in yards.items():
            word = "full" if parked else "empty"
            rows.append(f"yard-{k + 1},{seen:%Y-%m-%dT%H:%MZ},{name},apron,,,{word},optical,,an image")
        if k == 1:
            rows.append(f"blog,{seen:%Y-%m-%d},{pier},,{number + 5},,,press,20,a blog")
    rows.append(f"between,{start + timedelta(days=4):%Y-%m-%d},{pier},,{number},{number},,ground,20,a pilot")
    return "\n".join(rows)


def _yards(harbour: PortSeries, results: Results) -> Iterator[str]:
    """Yield what was found of each yard, and what is true."""
    passes = pd.DatetimeIndex(results.counts["time"].to_numpy()).sort_values().strftime("%Y-%m-%d %H:%M")
    for yard in harbour.plan.yards:
        numbers = map(yard.number_on, range(len(passes)))
        true = [
            f"{before} vehicles became {after} between {passes[k]} and {passes[k + 1]}"
            for k, (before, after) in enumerate(pairwise(numbers))
            if before != after
        ]
        found = "; ".join(results.changes["words"][results.changes["where"] == yard.name]) or "no change was found"
        yield f"{yard.name}: {found}; true: {'; '.join(true) or 'nothing changed'}"


def _digits(numbers: xr.DataArray) -> NDArray[np.str_]:
    return np.array([f"{number:.0f}" for number in numbers.to_numpy().ravel()]).reshape(numbers.shape)


def _truth(harbour: PortSeries, counts: xr.Dataset) -> xr.DataArray:
    """Return the true numbers in the order of the counts."""
    table = harbour.counts().loc[counts["scene"].to_numpy(), counts["pier"].to_numpy()]
    return xr.DataArray(table.to_numpy(float), coords=counts["n_vessels"].coords, dims=("time", "pier"))
