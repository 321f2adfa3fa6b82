"""The classes of faults by name, and the trial of a seed of one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

from faults import commands, downloads, kept, options, ports, products, stops
from faults.outcomes import Outcome

Attempt = Callable[[random.Random], Outcome]

CLASSES: dict[str, Callable[[], AbstractContextManager[Attempt]]] = {
    "products: XML": partial(products.products, products.xml),
    "products: files, links, zips": partial(products.products, products.files),
    "products: TIFF": partial(products.products, products.images),
    "port files": ports.port_files,
    "options of all commands": options.options,
    "kept Zarr chunks": partial(kept.scenes, kept.chunks),
    "kept Zarr JSON": partial(kept.scenes, kept.headers),
    "kept references": kept.references,
    "downloads without a known MD5": downloads.downloads,
    "runs killed and run again": partial(stops.stops, "kill"),
    "commands stopped by signals": commands.commands,
    "disk, memory, products gone": partial(stops.stops, "disk", "interrupt", "memory", "vanish"),
}


def try_seeds(name: str, seeds: range) -> Iterator[tuple[int, Outcome]]:
    """Yield each seed of a class with its outcome; a seed is the same fault in every run."""
    if not seeds:
        return
    with CLASSES[name]() as attempt:
        for seed in seeds:
            yield seed, attempt(random.Random(f"{name} {seed}"))
