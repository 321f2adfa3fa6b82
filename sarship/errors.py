"""What sarship raises and warns when the input, not the code, is at fault.

Every message says what was wrong, with the value, and what to do about it. The command line prints the
message of a `SarshipError` without a traceback and exits with a non-zero code.
"""

__all__ = [
    "CatalogError",
    "CredentialError",
    "DeviceError",
    "DownloadError",
    "FloodError",
    "OutputError",
    "PortError",
    "ProductError",
    "ProductWarning",
    "ReferenceImageError",
    "SarshipError",
]


class SarshipError(Exception):
    """Base of every error that the user's input or surroundings can cause."""


class ProductError(SarshipError, ValueError):
    """A radar product that is missing, damaged, incomplete or of a kind sarship does not read."""


class PortError(SarshipError, ValueError):
    """A port or polygon file that is missing, malformed or not where the product is."""


class ReferenceImageError(SarshipError, ValueError):
    """A stack of dates or a reference that is damaged, or of another port, grid or orbit than what it is used on."""


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
    """A graphics card, driver or package that an array on a device needs and that is not there or does not fit."""


class FloodError(SarshipError, RuntimeError):
    """More hits than any sea of ships can give: usually a forgotten land mask."""

    @classmethod
    def of(cls, cap: int, shape: tuple[int, ...], pfa: float) -> "FloodError":
        """The error for more than `cap` hits in an image of such a shape."""
        return cls(
            f"more than {cap} hits in an image of {shape} pixels at pfa {pfa:g}: "
            "is the land masked (valid), are the looks right? Raise max_hits if so many are expected"
        )


class OutputError(SarshipError, OSError):
    """A result that cannot be written: a folder that is read-only, full, or holds something else."""


class ProductWarning(UserWarning):
    """A product that can be read, with something missing that the reader should know of."""
