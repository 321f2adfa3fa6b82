"""Ports of an archive that wait for a product which another port fetches: noted by their workers, shown by the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from sarship.files import atomic_file, remove
from sarship.pipeline.archive import segment_of
from sarship.pipeline.first_pass import Step
from sarship.pipeline.shared_products import PRODUCTS

__all__ = ["NotedWaits", "forget_waits", "ports_that_wait"]

FOLDER: Final = ".waiting"
"""Folder, in that of the products, of a note for each port that waits."""
EVERY_S: Final = 1.0
"""Time between two notes of a port."""


class NotedWaits:
    """Progress of a survey, of which it is noted what the port waits for; where it cannot be noted, it is not.

    Parameters
    ----------
    archive
        Folder of the archive.
    port
        Name of the port.
    """

    def __init__(self, archive: Path, port: str) -> None:
        self._note, self._port = archive / PRODUCTS / FOLDER / segment_of(port), port
        self._noted_s = -EVERY_S
        self.seconds = 0.0
        """Time that the port has waited."""
        self._began: float | None = None

    def __call__(self, step: Step) -> None:
        """Take a step of the survey."""
        now = time.monotonic()
        if step.state != "waiting":
            self.end()
            return
        self._began = now if self._began is None else self._began
        if now - self._noted_s >= EVERY_S:
            self._noted_s = now
            with suppress(OSError), atomic_file(self._note, parents=True) as part:
                part.write_text(f"{self._port}\n{step.path}: {step.message}", encoding="utf-8", errors="replace")

    def end(self) -> None:
        """Note that the port waits no more."""
        if self._began is not None:
            self.seconds += time.monotonic() - self._began
            self._began, self._noted_s = None, -EVERY_S
            with suppress(OSError):
                self._note.unlink()


def ports_that_wait(archive: Path) -> Iterator[tuple[str, str]]:
    """Yield the ports of an archive that wait, and what for."""
    with suppress(OSError):
        for note in sorted((archive / PRODUCTS / FOLDER).glob("port=*")):
            with suppress(OSError, ValueError):
                if time.time() - note.stat().st_mtime < 60 * EVERY_S:  # else of a worker that was killed
                    port, _, for_what = note.read_text(encoding="utf-8").partition("\n")
                    yield port, for_what


def forget_waits(archive: Path) -> None:
    """Remove the notes of an archive's ports, which workers that were killed may have left."""
    remove(archive / PRODUCTS / FOLDER)
