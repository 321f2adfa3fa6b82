"""AIS beside the results of a survey: read, matched, and written with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from sarship.ais import match_ais, read_ais
from sarship.errors import explain
from sarship.files import make_folder, only_run
from sarship.pipeline.result_files import write_results
from sarship.pipeline.results import Results
from sarship.port.port_file import Port

__all__ = ["add_ais", "try_ais"]


def add_ais(
    results: Results,
    port: Port,
    paths: Iterable[str | Path],
    folder: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
) -> Results:
    """Match the vessels of a survey with those of AIS files, and write the results again with what that says.

    Parameters
    ----------
    results
        Of a survey of the port.
    port
        The port: reports around it are read.
    paths
        Files of AIS, or folders of them.
    folder
        Folder of the results.
    columns
        As for `read_ais`.

    Returns
    -------
    Results
        The same with `ais`; counts and visits have the columns that come from it.

    Raises
    ------
    AisError
        A file cannot be read, or none holds anything of the place and time. The results stay as they were.

    Examples
    --------
    >>> add_ais(results, port, ["ais.csv"], "results").ais.table["state"].value_counts()  # doctest: +SKIP
    """
    if not len(results.scenes):
        return results
    period = (results.scenes["start"].min(), results.scenes["stop"].max())
    reports = read_ais(paths, port.area, period, columns=columns, land=port.land)
    beside = replace(results, ais=match_ais(results, reports))
    with only_run(make_folder(folder)):
        write_results(beside, folder)
    return beside


def try_ais(
    results: Results, port: Port, paths: Iterable[str | Path], folder: str | Path, columns: Mapping[str, str] | None
) -> tuple[Results, str]:
    """Return the results of `add_ais`, and why they have no AIS where that failed."""
    try:
        return add_ais(results, port, paths, folder, columns=columns), ""
    except Exception as error:  # the counts are written, and stand without it
        return results, explain(error)
