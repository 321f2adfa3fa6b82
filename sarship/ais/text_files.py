"""Tables of reports in text and Parquet files: opened whatever they are packed in, cut to the area as they are read.

One path serves all: a stream, batches of two megabytes, the columns that are needed, the rows in the area. So a day
of a country's reports, gigabytes of text, needs the memory of what is kept.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq
import shapely

from sarship.ais.columns import columns_of, headed
from sarship.ais.scope import Scope, Seen
from sarship.errors import AisError
from sarship.files import reason
from sarship.texts import printable

__all__ = ["DAMAGED", "Part", "Read", "damaged", "form_of", "is_nmea", "parts_of", "read_csv", "read_parquet"]

DAMAGED: Final = (OSError, EOFError, zlib.error, zipfile.BadZipFile, pa.ArrowException)
BLOCK: Final = 2 << 20
"""Bytes of a batch."""
MAX_MALFORMED: Final = 0.1
"""Largest share of lines that have not the header's columns."""
_PACKED: Final = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
_NULLS: Final = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "none", "-", "Unknown", "Unknown value", "\\N"]


@dataclass(frozen=True)
class Part:
    """A file, or one member of an archive."""

    name: str
    """Name of the file, for tables and messages."""
    open: Callable[[], IO[bytes]]
    """Opens its bytes, unpacked."""

    def head(self, size: int = 1 << 16) -> bytes:
        """Return its first bytes.

        Raises
        ------
        AisError
            If it cannot be opened or unpacked.
        """
        try:
            with self.open() as stream:
                return stream.read(size)
        except DAMAGED as error:
            raise damaged(self.name, error) from error


def damaged(name: str, error: BaseException) -> AisError:
    """Return the error of a file that ends early or is no longer what it was."""
    return AisError(f"{name}: cut off or damaged ({printable(reason(error))[:200]}); fetch it again", path=name)


def parts_of(path: Path) -> Iterator[Part]:
    """Yield the parts of a file: itself, or the members of a zip archive.

    Raises
    ------
    AisError
        If it is not there, empty, or no zip archive in spite of its name.
    """
    try:
        if not path.stat().st_size:
            raise AisError(f"{path}: is empty", path=path)
        if path.suffix.lower() != ".zip":
            packing = _PACKED.get(path.suffix.lower())
            yield Part(path.name, lambda: pa.input_stream(str(path), compression=packing))
            return
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    yield Part(f"{path.name}/{printable(member.filename)}", partial(archive.open, member))
    except (OSError, zipfile.BadZipFile) as error:
        raise AisError(f"{path}: cannot be read ({reason(error)})", path=path) from error


Read = tuple[pd.DataFrame, dict[str, str]]
"""Reports, a column a field, and the header's name of each field."""


@dataclass(frozen=True)
class _Form:
    """Form of a table in text."""

    columns: dict[str, str]
    """Name in the header of each field, as it is spelled there."""
    delimiter: str
    encoding: str


def form_of(part: Part, given: Mapping[str, str] | None) -> _Form:
    """Return the form of a table in text, by its first line.

    Raises
    ------
    AisError
        If there is none, or it names no time or place.
    """
    head = part.head()
    encoding = "utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    text = head.decode(encoding, errors="replace").lstrip("\ufeff")
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first or "\0" in first:
        raise AisError(f"{part.name}: in no form of AIS that is known", path=part.name)
    delimiter = max(",;\t|", key=first.count)
    parse = pv.ParseOptions(delimiter=delimiter)
    spelled = pv.read_csv(io.BytesIO(first.encode() + b"\n"), parse_options=parse).column_names
    return _Form(columns_of(spelled, part.name, given), delimiter, encoding)


def read_csv(part: Part, scope: Scope, seen: Seen, given: Mapping[str, str] | None) -> Read:
    """Return the reports of a table in text; the index is the line.

    Raises
    ------
    AisError
        If the header names no place or time, or too many lines have other columns than it.
    """
    form = form_of(part, given)
    try:
        try:
            frame = _stream(part, form, scope, seen)
        except pa.ArrowInvalid as error:
            if "UTF8" not in str(error):
                raise
            seen.begin_again()  # names in an old code page
            frame = _stream(part, replace(form, encoding="latin-1"), scope, seen)
    except pa.ArrowInvalid as error:
        raise AisError(f"{part.name}: no table ({printable(str(error))[:200]})", path=part.name) from error
    except DAMAGED as error:
        raise damaged(part.name, error) from error
    n_lines = seen.n_rows + seen.n_malformed
    if seen.n_malformed > max(1, MAX_MALFORMED * n_lines):
        doubt = f"{seen.n_malformed} of {n_lines} lines have not the columns of the header, the first: "
        raise AisError(f"{part.name}: {doubt}{seen.first_malformed}", path=part.name)
    return frame, form.columns


def _stream(part: Part, form: _Form, scope: Scope, seen: Seen) -> pd.DataFrame:
    def malformed(row: pv.InvalidRow) -> str:
        seen.n_malformed += 1
        if not seen.first_malformed:
            at = "" if row.number is None else f"row {row.number}: "
            text = printable(str(row.text)[:80])
            seen.first_malformed = f"{at}{text!r}, {row.actual_columns} columns and not {row.expected_columns}"
        return "skip"

    strings = pv.ConvertOptions(
        column_types=dict.fromkeys(form.columns.values(), pa.string()),
        include_columns=list(form.columns.values()),
        null_values=_NULLS,
        strings_can_be_null=True,
    )
    parse = pv.ParseOptions(delimiter=form.delimiter, invalid_row_handler=malformed)
    read = pv.ReadOptions(block_size=BLOCK, encoding=form.encoding, use_threads=False)  # only so it numbers the lines
    frames, row = [], 2
    with part.open() as stream:
        for batch in pv.open_csv(stream, read, parse, strings):
            frames.append(_kept({field: batch.column(name) for field, name in form.columns.items()}, row, scope, seen))
            row += batch.num_rows
    return pd.concat(frames) if frames else pd.DataFrame(columns=list(form.columns))


def _kept(columns: Mapping[str, Any], row: int, scope: Scope, seen: Seen) -> pd.DataFrame:
    """Return the rows of a batch that lie in the area; places become numbers, all else stays as it is."""
    size = len(columns["longitude"])
    place = {name: _degrees(columns[name]) for name in ("longitude", "latitude")}
    light = pd.DataFrame(
        {**place, "time": pd.Series(columns["time"].to_pandas()).to_numpy()}, index=np.arange(row, row + size)
    )
    kept = seen.keep(light, scope).index.to_numpy() - row
    rows = pa.array(kept)
    out = {name: column.take(rows).to_pandas() for name, column in columns.items() if name not in place}
    return pd.DataFrame({**out, **{name: values[kept] for name, values in place.items()}}).set_index(kept + row)


def _degrees(column: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return numbers of a column of text, also with decimal commas; NaN where there is none."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    try:
        numbers = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:
        plain = column.to_pandas().str.replace(",", ".", regex=False).str.strip()
        return np.asarray(pd.to_numeric(plain, errors="coerce"), np.float64)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)


def read_parquet(part: Part, scope: Scope, seen: Seen, given: Mapping[str, str] | None) -> Read:
    """Return the same of a Parquet file; of GeoParquet places may be its points."""
    try:
        with part.open() as stream:
            file = pq.ParquetFile(pa.PythonFile(stream, mode="r"))
            schema = file.schema_arrow
            points = "geometry" in schema.names and not {"longitude", "lon"} & {headed(name) for name in schema.names}
            placed = ["longitude", "latitude"] if points else []
            header = columns_of([*schema.names, *placed], part.name, given)
            names = {field: name for field, name in header.items() if name not in placed}
            frames, row = [], 1
            for batch in file.iter_batches(columns=[*names.values(), *(["geometry"] if points else [])]):
                columns = {field: batch.column(name) for field, name in names.items()}
                if points:
                    place = shapely.get_coordinates(shapely.from_wkb(batch.column("geometry").to_pylist()))
                    columns |= {"longitude": pa.array(place[:, 0]), "latitude": pa.array(place[:, 1])}
                frames.append(_kept(columns, row, scope, seen))
                row += batch.num_rows
    except DAMAGED as error:
        raise damaged(part.name, error) from error
    return (pd.concat(frames) if frames else pd.DataFrame(columns=list(header))), header


_NMEA: Final = re.compile(rb"(^|\n|\\)\s*(!(AI|AB|BS|SA|AN|AR|AX|AT)VD[MO],|\$PGHP,)")


def is_nmea(head: bytes) -> bool:
    """Return True for the beginning of a file of NMEA sentences."""
    return bool(_NMEA.search(head[:4096]))
