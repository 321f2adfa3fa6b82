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
    """A catalogue that cannot be reached, refuses, answers nonsense, or a question that it cannot be asked."""


class CredentialError(SarshipError, RuntimeError):
    """Credentials that are missing, refused, or kept where others can read them. Never says what they are."""


class DownloadError(SarshipError, RuntimeError):
    """A file that could not be fetched whole; what had arrived is kept, and the next run goes on from there."""


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
