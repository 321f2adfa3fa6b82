"""Rows of a file of reports, as it was written by a person or a spreadsheet: CSV in its flavours, or GeoJSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import shapely
import shapely.geometry
from shapely.geometry.base import BaseGeometry

from sarship.errors import ObservationError
from sarship.files import read_file, reason
from sarship.texts import printable

__all__ = ["Row", "read_rows"]

SEPARATORS: Final = ",;\t"
LARGEST_BYTES: Final = 50_000_000
"""Size of a file that nobody has written by hand."""
FORMULA: Final = ("'=", "'+", "'-", "'@")
"""Begin of a text that a spreadsheet must not take for a formula, as sarship writes it; the mark is taken off again."""


@dataclass(frozen=True, slots=True)
class Row:
    """A report as it stands in the file."""

    path: Path
    number: int
    """Line of a CSV file, or feature of a GeoJSON file, from 1."""
    texts: dict[str, str]
    """Text of each column that is not blank."""
    geometry: BaseGeometry | None = None

    def error(self, message: str) -> ObservationError:
        """Return an error about this row."""
        kind = "row" if self.path.suffix.lower() not in _JSON else "feature"
        return ObservationError(f"{self.path}: {kind} {self.number} {message}", path=self.path, row=self.number)


_JSON: Final = (".geojson", ".json")


def read_rows(path: Path, columns: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Return the rows of a file that hold anything, and the names of its columns.

    Raises
    ------
    ObservationError
        If the file cannot be read, is no table, or has none of the `columns`.
    """
    text = _text(path)
    rows, names = (_features if path.suffix.lower() in _JSON else _lines)(path, text, columns)
    if not set(names) & set(columns):
        message = f"{path}: has none of the columns {', '.join(columns[:5])} …; the first line must name the columns"
        raise ObservationError(message, path=path)
    return [row for row in rows if row.texts or row.geometry is not None], names


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            message = f"{path}: has over {LARGEST_BYTES / 1e6:.0f} MB, and is no file of reports; give another"
            raise ObservationError(message, path=path)
        content = read_file(path)
    except OSError as error:
        message = f"{path}: cannot be read ({reason(error)}); give a CSV or GeoJSON file of reports"
        raise ObservationError(message, path=path) from error
    if content.startswith(b"PK"):
        raise ObservationError(f"{path}: is a workbook; save it from the spreadsheet as CSV (UTF-8)", path=path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path}: is not UTF-8 (byte {error.start}); save it from the spreadsheet as CSV (UTF-8)"
        raise ObservationError(message, path=path) from error


def _lines(path: Path, text: str, columns: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Return the rows of a CSV file with the separator that makes the most of its first line."""
    head = text.split("\n", 1)[0]
    known = {mark: len({_name(part) for part in head.split(mark)} & set(columns)) for mark in SEPARATORS}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(known, key=lambda mark: known[mark]), strict=True)
    rows: list[Row] = []
    try:
        names = [_name(cell) for cell in next(reader, [])]
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise ObservationError(f"{path}: has two columns {twice!r}; delete one", path=path)
        last = reader.line_num
        for cells in reader:
            number, last = last + 1, reader.line_num  # a quoted cell may go over lines
            texts = {name: _cell(cell) for name, cell in zip(names, cells, strict=False)}
            row = Row(path, number, {name: cell for name, cell in texts.items() if cell})
            if any(map(_cell, cells[len(names) :])):
                remedy = "put quotes around a text with commas"
                raise row.error(f"has {len(cells)} cells, and the first line {len(names)}; {remedy}")
            rows.append(row)
    except csv.Error as error:
        message = f"{path}: line {reader.line_num} cannot be read as CSV ({error}); are its quotes in pairs?"
        raise ObservationError(message, path=path, row=reader.line_num) from error
    return rows, [name for name in names if name]


def _features(path: Path, text: str, _: Sequence[str]) -> tuple[list[Row], list[str]]:
    try:
        features = json.loads(text)["features"]
        shapes = [feature.get("geometry") for feature in features]
        tables = [feature.get("properties") or {} for feature in features]
        plain = [{_name(str(name)): _plain(value) for name, value in table.items()} for table in tables]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{path}: is not a GeoJSON FeatureCollection ({reason(error)}); give one, or a CSV file"
        raise ObservationError(message, path=path) from error
    rows = []
    for number, (cells, shape) in enumerate(zip(plain, shapes, strict=True), 1):
        row = Row(path, number, {name: _cell(cell) for name, cell in cells.items() if _cell(cell)})
        rows.append(row if shape is None else replace(row, geometry=_shape(shape, row)))
    return rows, list(dict.fromkeys(name for cells in plain for name in cells))


def _shape(shape: Any, row: Row) -> BaseGeometry | None:
    try:
        geometry = shapely.geometry.shape(shape)
    except Exception as error:  # whatever shapely meets in what anybody may have written
        raise row.error(f"has a geometry that cannot be read ({reason(error)})") from error
    if geometry.is_empty:
        return None
    west, south, east, north = geometry.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise row.error(f"lies at {west:g}, {south:g}: write longitude and latitude in degrees, longitude first")
    return geometry


def _plain(value: Any) -> str:
    """Return a value of JSON as a cell of CSV would have it."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _name(cell: str) -> str:
    return cell.strip().strip('"').strip().lower().replace(" ", "_")


def _cell(cell: str) -> str:
    text = printable(" ".join(cell.split()))
    return text[1:] if text.startswith(FORMULA) else text
