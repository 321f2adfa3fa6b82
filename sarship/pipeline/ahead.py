"""Scenes on a server, opened ahead of their turn: a few are on their way while one is searched.

There it is waiting that takes long: for the XML, and for the blocks of the images. So threads open the scenes that come
next and read their windows into the cache, where the search finds them. All else stays in the caller's thread and in
the order of the scenes: search, checkpoints, warnings. What fails ahead is tried again, and told, in the scene's turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Final

from sarship.pipeline.one_scene import to_be_read
from sarship.pipeline.plan import Plan
from sarship.pipeline.shared_products import Waits
from sarship.pipeline.sources import Bytes, Source
from sarship.sentinel1.doubts import doubt, doubts_held
from sarship.sentinel1.measurement import MAX_CACHED, without_place
from sarship.sentinel1.product import GrdProduct
from sarship.sentinel1.radar_image import RadarImage
from sarship.sentinel1.remote import RemoteContainer

__all__ = ["MAX_AHEAD", "Open", "opened_ahead"]

MAX_AHEAD: Final = 4
"""Scenes on their way at once, if their catalogue allows as many. Each holds one window in memory."""

Open = Callable[[Source, Bytes, Waits], RadarImage]
"""Opens a source in its turn; told of bytes and of waits."""
Opened = tuple[RadarImage, list[str]]
"""A product, and the doubts that came up as it was opened."""


@contextmanager
def opened_ahead(coming: Iterable[Source], plan: Plan) -> Iterator[Open]:
    """Yield the function that opens a source in its turn. Those that come next are opened meanwhile.

    Parameters
    ----------
    coming
        Scenes that can be read in place and will be searched, in order. Taken from as need be, in this thread.
    plan
        Tells which windows will be read.
    """
    following, jobs, stop = iter(coming), dict[str, Future[Opened | None]](), Event()
    pool = ThreadPoolExecutor(MAX_AHEAD, thread_name_prefix="sarship-ahead")

    def take(source: Source, progress: Bytes, waits: Waits) -> RadarImage:
        while len(jobs) <= min(MAX_AHEAD, source.n_ahead) and (one := next(following, None)) is not None:
            jobs[one.name] = pool.submit(_open, one, plan, stop)
        opened = jobs.pop(source.name).result() if source.name in jobs else None
        if opened is None:
            product = source.open(progress, waits)
            _read_windows(product, plan, stop)
            return product
        product, doubts = opened
        for each in doubts:
            doubt(each)
        return product

    try:
        with without_place():
            yield take
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _open(source: Source, plan: Plan, stop: Event) -> Opened | None:
    """Open a scene and read its windows, one after the other; None where anything fails."""
    try:
        with doubts_held() as doubts:
            product = source.open()
        _read_windows(product, plan, stop)
    except Exception:  # it comes up again in the scene's turn
        return None
    return product, doubts


def _read_windows(product: RadarImage, plan: Plan, stop: Event) -> None:
    """Read all that the search needs of a product on a server at once: step by step, blocks would come twice."""
    is_remote = isinstance(product, GrdProduct) and isinstance(product.container, RemoteContainer)
    needed = to_be_read(product, plan) if is_remote else None
    if needed is not None and math.prod(needed[0].shape) <= MAX_CACHED:  # larger ones are read band by band
        for polarization in product.polarizations:
            if not stop.is_set():
                product.digital_numbers(polarization, *needed)
