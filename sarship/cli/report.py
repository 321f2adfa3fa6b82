"""The command that writes the page of a finished survey."""

from __future__ import annotations

from pathlib import Path

import click

from sarship.cli.common import tell

__all__ = ["report"]


@click.command()
@click.argument("folder", type=click.Path())
@click.option("--out", type=click.Path(), help="File to write; by default report.html in the folder.")
@click.option(
    "--max-mb",
    type=click.FloatRange(min=0.0, min_open=True),
    default=10.0,
    show_default=True,
    help="Size to keep to, so that it can be mailed: the map is made coarser, then shorter.",
)
@click.option("--redact", is_flag=True, help="Leave out names and notes of dated reports, and paths.")
def report(folder: str, out: str | None, max_mb: float, redact: bool) -> None:
    """Write one HTML page of the survey in FOLDER: answer, series, map, visits, reports, provenance.

    It needs no server and no network, and its tables and images are all inside.
    """
    from sarship.report import write_report

    if out is not None and Path(out).suffix.lower() not in {".html", ".htm"}:
        raise click.UsageError(f"--out must end in .html, got {out}")
    page = write_report(folder, out, max_mb=max_mb, redact=redact)
    size = page.stat().st_size / 1e6
    over = f", which is more than {max_mb:g}: its tables alone take that" if size > max_mb else ""
    tell(f"{page}: {size:.1f} MB{over}")
