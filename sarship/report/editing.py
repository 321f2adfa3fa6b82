"""The editor of a port file: its piers dragged over the mean radar image on a page of this computer alone."""

from __future__ import annotations

import os
import stat
import threading
import webbrowser
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sarship.errors import PortError
from sarship.files import read_file, write_file
from sarship.pipeline.port_dates import stack_of_products, stack_of_survey
from sarship.pipeline.sources import Given
from sarship.port.edits import OpenedPort, open_port_file
from sarship.port.grid import PortGrid
from sarship.port.map_facts import MapFacts
from sarship.port.polygons import error_at
from sarship.report.editor_page import Mean, editor_page, mean_of
from sarship.report.editor_server import EditorServer
from sarship.report.html import Page

__all__ = ["EditedPort", "edit_port", "serve_editor"]


@dataclass(kw_only=True, eq=False)
class EditedPort:
    """A port file while a page edits it."""

    path: Path
    grid: PortGrid
    """Grid of the page."""
    mean: Mean | None = None
    """The image; None for none."""
    n_saved: int = 0
    """Number of times that it was saved."""
    is_done: threading.Event = field(default_factory=threading.Event)
    """Set when the page says so."""
    address: str = ""
    """Address of the page."""
    _opened: dict[str, OpenedPort] = field(default_factory=dict)
    """Files that pages began with, by their digests: all edits of a page are told from there."""
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def page(self) -> Page:
        """Return the page for the file as it is now."""
        opened = open_port_file(self.path)
        self._opened[opened.version] = opened
        return editor_page(opened, self.grid, self.mean)

    def save(self, sent: Any) -> dict[str, Any]:
        """Save the features that the page sent, and return what it is to know.

        Raises
        ------
        PortError
            If they make no port file, or the file is no longer as the page saw it.
        OutputError
            If it cannot be written.
        """
        error = error_at(self.path)
        base = self._opened.get(str(sent.get("base"))) if isinstance(sent, dict) else None
        if base is None:
            raise error("cannot take what was sent: it is of another run of the editor; reload the page")
        with self._one_at_a_time:
            try:
                written = read_file(self.path)
            except OSError as cause:
                raise error(f"can no longer be read ({cause.strerror}), so nothing was saved; put it back") from cause
            if OpenedPort.version_of(written) != sent.get("seen"):
                raise error(
                    "has changed since it was opened here, so nothing was saved; reload the page, which shows the file "
                    "as it is now and forgets what was edited here"
                )
            content = base.edited(sent.get("features"), self.grid)
            if content != written:  # a link stays a link
                write_file(self.path.resolve(), content, mode=stat.S_IMODE(self.path.stat().st_mode))
                self.n_saved += 1
        return {"seen": OpenedPort.version_of(content)}

    def done(self, _: Any) -> dict[str, Any]:
        """End the editor, once the page has its answer."""
        threading.Timer(0.2, self.is_done.set).start()
        return {}


@contextmanager
def serve_editor(
    path: str | Path,
    products: Iterable[Given] = (),
    *,
    survey: str | Path | None = None,
    maps: MapFacts = MapFacts(),  # noqa: B008  (frozen)
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[EditedPort]:
    """Serve the editor of a port file during the block; parameters and errors are those of `edit_port`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from urllib.request import urlopen
    >>> from sarship.port.index import shipped_port
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "tartus.geojson")
    ...     _ = path.write_bytes(shipped_port("Tartus").read_bytes())
    ...     with serve_editor(path) as edited, urlopen(edited.address) as page:
    ...         page.read()[:15]
    b'<!doctype html>'
    """
    opened = open_port_file(path)
    if not os.access(opened.path, os.W_OK):
        raise PortError(f"{path} cannot be written to; change its permissions, or edit a copy", path=path)
    mean, products = None, list(products)
    if survey is not None:
        if products:
            raise ValueError(f"give either products or a survey, not {len(products)} products and {survey}")
        mean = mean_of(*stack_of_survey(survey, opened.port))
    elif products:
        mean = mean_of(*stack_of_products(products, opened.port, maps=maps, progress=progress))
    edited = EditedPort(path=opened.path, grid=opened.grid if mean is None else mean.grid, mean=mean)
    with EditorServer(edited.page, {"save": edited.save, "done": edited.done}) as server:
        edited.address = server.address
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        try:
            yield edited
        finally:
            server.shutdown()


def edit_port(
    path: str | Path,
    products: Iterable[Given] = (),
    *,
    survey: str | Path | None = None,
    maps: MapFacts = MapFacts(),  # noqa: B008  (frozen)
    open_browser: bool = True,
    say: Callable[[str], None] = print,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Edit a port file on a page of the browser: piers are dragged over the mean radar image, and saved to the file.

    The page comes from this computer (127.0.0.1) and nothing leaves it. What a survey would refuse is not saved, and
    said; all else in the file stays as it is. It returns when the page says that it is done, or at Ctrl-C.

    Parameters
    ----------
    path
        A port file, GeoJSON in longitude and latitude.
    products
        Paths of GRD products or of images on a map; their mean is shown. One shows speckle and whoever lay there; a
        handful show the port.
    survey
        Folder of a finished survey of this port, whose newest dates are shown instead; no product is needed. Without
        either the piers lie over an empty grid.
    maps
        What is known of all images on a map among the products.
    open_browser
        False to say the address only.
    say
        Called with the address. Whoever knows it can change the file while the editor runs.
    progress
        Called after every product with the number done and the number in all.

    Returns
    -------
    int
        Number of times that the file was saved.

    Raises
    ------
    PortError
        If the file is missing, is not GeoJSON, cannot be written to, or nothing in it can be drawn.
    ProductError
        If a product cannot be read, or does not show the port.
    ReferenceImageError, OutputError
        If the folder holds no results, or no dates of this port.
    ValueError
        If both products and a survey are given.

    Examples
    --------
    >>> edit_port("nowhere.geojson")
    Traceback (most recent call last):
    sarship.errors.PortError: nowhere.geojson does not exist; sarship port new NAME starts one
    """
    with serve_editor(path, products, survey=survey, maps=maps, progress=progress) as edited:
        say(f"{edited.path}: edit it at {edited.address} (Done on the page or Ctrl-C here ends this)")
        try:
            if open_browser and not webbrowser.open(edited.address):
                say("no browser was found; open that address in one on this computer")
            while not edited.is_done.wait(1.0):  # without an end to it Ctrl-C is not heard on Windows
                pass
        except KeyboardInterrupt:
            pass  # the way to end it
        return edited.n_saved
