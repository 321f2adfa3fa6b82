"""Errors and warnings about the input or the surroundings, not the code.

A message says what was wrong, with the value, and what to do about it; attributes carry the same as data. The command
line prints the message of a `SarshipError` without a traceback and exits with a non-zero status.
"""

from __future__ import annotations

from os import PathLike

from sarship.texts import printable

__all__ = [
    "AisError",
    "CatalogError",
    "CredentialError",
    "DeviceError",
    "DownloadError",
    "FileError",
    "FloodError",
    "LibraryError",
    "ModelError",
    "ObservationError",
    "OutputError",
    "PortError",
    "ProductError",
    "ProductWarning",
    "ReferenceImageError",
    "SarshipError",
    "explain",
]


class SarshipError(Exception):
    """Base of every error that the input or the surroundings can cause."""


class FileError(SarshipError):
    """Base of the errors about one file or folder.

    Parameters
    ----------
    message
        The sentence that the user reads.
    path
        The file or folder, or the address of one on a server; None where the error is not about one.
    """

    def __init__(self, message: str, *, path: str | PathLike[str] | None = None) -> None:
        super().__init__(message)
        self.path = None if path is None else str(path)


class ProductError(FileError, ValueError):
    """A radar product that is missing, damaged, incomplete or of a kind that sarship does not read.

    >>> ProductError("a.SAFE does not exist", path="a.SAFE").path
    'a.SAFE'
    """


class ModelError(FileError):
    """The weights of the network that ship with sarship are missing or damaged."""


class PortError(FileError, ValueError):
    """A port or polygon file that is missing, malformed or not in the product's area.

    Parameters
    ----------
    message, path
        As in every error about a file.
    feature
        Name of the feature in the file, or its number from 1 where it has no name; None for the whole file.
    """

    def __init__(
        self, message: str, *, path: str | PathLike[str] | None = None, feature: str | int | None = None
    ) -> None:
        super().__init__(message, path=path)
        self.feature = feature


class AisError(FileError, ValueError):
    """A file of AIS reports that cannot be read, or that holds nothing of the place and time asked for."""


class ReferenceImageError(FileError, ValueError):
    """A stack of dates or a reference that is damaged, or of another port, grid or orbit than the image."""


class ObservationError(FileError, ValueError):
    """A file of dated reports that is missing or malformed, or a report in it that cannot be meant.

    Parameters
    ----------
    message, path
        As in every error about a file.
    row
        Line of a CSV file, or feature of a GeoJSON file, from 1; None for the whole file.
    """

    def __init__(self, message: str, *, path: str | PathLike[str] | None = None, row: int | None = None) -> None:
        super().__init__(message, path=path)
        self.row = row


class CatalogError(SarshipError, ValueError):
    """A catalogue that cannot be reached, refuses or answers nonsense, or a question that it cannot be asked.

    Parameters
    ----------
    message
        One sentence.
    status
        HTTP status of the answer; None where there was no answer, or none over HTTP.
    catalog
        Address of the catalogue without secrets; None where none was asked.

    Examples
    --------
    >>> error = CatalogError("it answered 503; try again later", status=503, catalog="https://stac.example.org/v1")
    >>> error.status, error.catalog
    (503, 'https://stac.example.org/v1')
    """

    def __init__(self, message: str, *, status: int | None = None, catalog: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.catalog = catalog


class CredentialError(SarshipError, RuntimeError):
    """Credentials that are missing, refused, or readable by others. Never says what they are.

    Parameters
    ----------
    message
        One sentence.
    status
        HTTP status of the answer; None where no server was asked.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class DownloadError(SarshipError, RuntimeError):
    """A file that could not be fetched whole; the bytes that arrived stay, and the next run goes on from there.

    Parameters
    ----------
    message
        One sentence.
    status
        HTTP status of the last answer; None where there was no answer, or its status was not at fault.
    file
        Name or address of the file, without secrets; None where no single file is at fault.

    Examples
    --------
    >>> error = DownloadError("the server answered 404", status=404, file="https://example.org/image.tiff")
    >>> error.status, error.file
    (404, 'https://example.org/image.tiff')
    """

    def __init__(self, message: str, *, status: int | None = None, file: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.file = file


class DeviceError(SarshipError, RuntimeError):
    """A graphics card, driver or package that an array on a device needs and that is missing or does not fit."""


class LibraryError(SarshipError, ImportError):
    """A library that is not installed, such as those that a light installation leaves out."""

    @classmethod
    def of(cls, user: str, library: str) -> LibraryError:
        """Return the error of what cannot be done without a library.

        >>> LibraryError.of("a picture", "matplotlib")
        LibraryError('a picture needs matplotlib, which is not installed: pip install matplotlib')
        """
        return cls(f"{user} needs {library}, which is not installed: pip install {library}")


class FloodError(SarshipError, RuntimeError):
    """More hits than vessels can explain, usually for want of a land mask."""

    @classmethod
    def of(cls, cap: int, shape: tuple[int, ...], pfa: float) -> FloodError:
        """Return the error for more than `cap` hits in an image of such a shape."""
        return cls(
            f"more than {cap} hits in an image of {shape} pixels at pfa {pfa:g}: "
            "is the land masked (valid), is the ENL right? Raise max_hits if so many are expected"
        )


class OutputError(FileError, OSError):
    """A result that cannot be written: the folder is read-only, the disk is full, or something else is in its place."""


class ProductWarning(UserWarning):
    """A product that can be read but lacks something."""


def explain(error: Exception) -> str:
    """Return an error as one sentence; one that nobody foresaw asks to be reported.

    >>> explain(ProductError("a.SAFE does not exist"))
    'a.SAFE does not exist'
    >>> explain(KeyError("line"))
    "unexpected KeyError: 'line'; please report this as a fault of sarship"
    """
    told = printable(" ".join(str(error).split()))
    if isinstance(error, SarshipError | OSError):
        return told
    if isinstance(error, UnicodeEncodeError):  # a path with half a letter
        return f"'{printable(error.object[:60])}' has letters that no name can have here; give another"
    if isinstance(error, MemoryError):
        return "there is not enough memory; end other programs, or search a smaller area"
    return f"unexpected {type(error).__name__}: {told}; please report this as a fault of sarship"
