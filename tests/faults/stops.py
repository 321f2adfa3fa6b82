"""Runs that are stopped somewhere - killed, interrupted, out of disk or memory, robbed of a product - and run again.

Afterwards every file must be as if nothing had happened, and none beside them.
"""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from servers.http import Served, serve

from faults.outcomes import HANG, RAW, SAME, SENTENCE, SILENT, WARNED, Outcome
from faults.products import tiny_port
from sarship.download import RetryPolicy, fetch_file
from sarship.errors import ProductWarning, SarshipError
from sarship.pipeline import SurveyOptions, survey, surveys, watch
from sarship.port.port_file import read_port
from sarship.simulate import ProductParams, simulate_product

CONTEXT = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
"""Processes that have imported everything, and in which no kernel has run yet."""
LATER = ("dask.array", "h5netcdf", "pyarrow.parquet", "sarship.cfar.dispatch", "sarship.cfar.cpu.ca_integer")
"""What a survey imports only as it goes."""
Task = Callable[[Path], list[str]]
"""Does its work in a folder, and returns what it said."""
EVENTS = frozenset({"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"})
ERRORS = (errno.ENOSPC, errno.EIO, errno.ESTALE, errno.EACCES, errno.EROFS)
PATIENCE_S = 3600
"""Longer than any run takes on a machine that has much else to do."""
KILLED = "killed"
N_DATES = 5
"""One more than a reference needs."""


@dataclass(frozen=True)
class Stop:
    """What happens to a run, and when."""

    kind: str
    """`kill`, `interrupt`, `memory`, `vanish`, or `disk`; empty to count."""
    after: float
    """Number of the touch of a file in the folder."""
    number: int = 0
    """Of the error of a disk."""
    stays: bool = False
    """True if the disk does not recover."""
    victim: str = ""
    """Product that goes."""


class _Hook:
    """Looks on as files are opened, made, renamed and removed in a folder."""

    def __init__(self, folder: Path, stop: Stop) -> None:
        self.folder, self.stop, self.n_events = str(folder), stop, 0

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if event not in EVENTS or not str(given[0]).startswith(self.folder):
            return
        if event == "open" and not given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        self.n_events += 1
        is_now = self.n_events == self.stop.after or (self.stop.stays and self.n_events > self.stop.after)
        if not is_now:
            return
        if self.stop.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.stop.kind == "interrupt":
            raise KeyboardInterrupt
        elif self.stop.kind == "memory":
            raise MemoryError
        elif self.stop.kind == "vanish":
            Path(self.stop.victim).rename(f"{self.stop.victim}.away")
        elif self.stop.kind == "disk":
            raise OSError(self.stop.number, os.strerror(self.stop.number))


def _run(task: Task, folder: Path, stop: Stop, answers: SimpleQueue[tuple[str, str, int]]) -> None:
    """Do a task in a process of its own; put the kind of its end, what it said, and how often it touched a file."""
    hook = _Hook(folder, stop)
    sys.addaudithook(hook)
    try:
        said = task(folder)
        answers.put((WARNED if said else SAME, " ".join(said), hook.n_events))
    except (SarshipError, OSError, KeyboardInterrupt, MemoryError) as error:  # the command has a sentence for each
        answers.put((SENTENCE, repr(error), hook.n_events))
    except BaseException as error:
        answers.put((RAW, repr(error), hook.n_events))


def _try(task: Task, folder: Path, stop: Stop, seconds: float = PATIENCE_S) -> tuple[str, str, int]:
    """Run a task; kill it after some seconds."""
    answers: SimpleQueue[tuple[str, str, int]] = CONTEXT.SimpleQueue()
    process = CONTEXT.Process(target=_run, args=(task, folder, stop, answers))
    process.start()
    process.join(seconds)
    is_late = process.is_alive()
    if is_late:
        process.kill()
        process.join()
    if answers.empty():
        return (HANG if is_late and seconds == PATIENCE_S else SAME, KILLED, 0)
    return answers.get()


class Clock(datetime):
    """A time that is always the same."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def archive(products: list[Path], ports: list[Path], reference: bool, folder: Path) -> list[str]:
    """Survey products at ports, and archive the tables, at a time that is always the same."""
    surveys.datetime = Clock  # type: ignore[misc]
    watched = watch(ports, folder, products=map(str, products), options=SurveyOptions(reference=reference))
    return [f"{outcome.port}: {failure.message}" for outcome in watched.ports for failure in outcome.failures]


def count(products: list[Path], port: Path, reference: bool, folder: Path) -> list[str]:
    """Survey products at a time that is always the same."""
    surveys.datetime = Clock  # type: ignore[misc]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ProductWarning)
        results = survey(products, read_port(port), folder, reference=reference)
    return [str(each.message) for each in heard] + [failure.message for failure in results.failures]


def fetch(addresses: dict[str, int], folder: Path) -> list[str]:
    """Fetch files."""
    quick = RetryPolicy(base_s=0.001, cap_s=0.01, read_s=2.0)
    for address, size in addresses.items():
        fetch_file(address, folder / address.rpartition("/")[2], size=size, retry_policy=quick)
    return []


@contextmanager
def stops(*kinds: str) -> Iterator[Callable[[random.Random], Outcome]]:
    """Give the function that stops a run in one of some ways, once or more, and runs it again."""
    if os.name == "posix":
        CONTEXT.set_forkserver_preload(["faults.stops", *LATER])
    with TemporaryDirectory() as name, serve() as server:
        folder = Path(name).resolve()
        port, products = five_dates(folder / "products")
        for number in range(3):
            content = random.Random(number).randbytes(400_000)
            server.files[f"/{number}"] = Served(content, bytes_per_second=2e6)
        addresses = {f"{server.url}{path}": len(each.content) for path, each in server.files.items()}
        whole, fewer = partial(count, products, port, True), partial(count, products[:-1], port, True)
        two = partial(count, products[:2], port, False)
        tasks: dict[str, tuple[Task, Task | None]] = {
            "images alone": (two, None),
            "with a reference": (whole, None),
            "a date is added": (whole, fewer),
            "an archive": (partial(archive, products[:2], two_ports(port), False), None),
            "downloads": (partial(fetch, addresses), None),
        }
        cases: dict[str, _Case] = {}

        def attempt(chance: random.Random) -> Outcome:
            (name,) = chance.choices([*tasks], (6, 1, 1, 4, 8))  # a survey with a reference takes ten times as long
            if name not in cases:
                cases[name] = _Case.of(folder, name, *tasks[name])
            return cases[name].stopped(chance, kinds, products)

        yield attempt


def five_dates(folder: Path) -> tuple[Path, list[Path]]:
    """Simulate a small port and five dates of it from one orbit."""
    port, first = tiny_port(folder, n_piers=1)
    params = ProductParams(shape=(160, 200))
    later = [
        replace(params, time=params.time + timedelta(days=12 * k), absolute_orbit=params.absolute_orbit + 175 * k)
        for k in range(1, N_DATES)
    ]
    return port, [first, *(simulate_product(folder, each, n_vessels=3, seed=11)[0] for each in later)]


def two_ports(port: Path) -> list[Path]:
    """Write a port file again under two names of its content."""
    content, ports = json.loads(port.read_bytes()), []
    for name in ("Östra hamnen", "West"):
        ports.append(port.with_name(f"{name}.geojson"))
        ports[-1].write_text(json.dumps({**content, "name": name}))
    return ports


@dataclass(frozen=True)
class _Case:
    """A task, the folder that it starts from, and what it leaves when it is not stopped."""

    folder: Path
    name: str
    task: Task
    start: Path
    truth: dict[str, bytes]
    n_events: int
    seconds: float

    @classmethod
    def of(cls, folder: Path, name: str, task: Task, before: Task | None = None) -> _Case:
        start = folder / f"start{len(list(folder.glob('start*')))}"
        place = folder / "case"
        place.mkdir()
        if before is not None:
            assert _try(before, place, Stop("", 0))[0] == SAME
        shutil.copytree(place, start)
        began = time.monotonic()
        kind, said, n_events = _try(task, place, Stop("", 0))
        assert kind == SAME, said
        truth, seconds = tree_of(place), time.monotonic() - began
        shutil.rmtree(place)
        return cls(folder, name, task, start, truth, n_events, seconds)

    def stopped(self, chance: random.Random, kinds: tuple[str, ...], products: list[Path]) -> Outcome:
        """Stop the task once or more, run it again, and compare what is there."""
        place = self.folder / "case"
        shutil.copytree(self.start, place)
        told, kind, said = f"{self.name}: ", SAME, ""
        try:
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                stop, seconds = self._stop(chance, kinds, products)
                kind, said, _ = _try(self.task, place, stop, seconds)
                told += f"{stop.kind} {stop.after:g} {kind} {said[:100]}; "
                away = Path(f"{stop.victim}.away")
                if stop.victim and away.exists():
                    away.rename(stop.victim)
                if kind in {RAW, HANG}:
                    return Outcome(kind, told)
                if kind == SAME and said != KILLED and (differs := differences(tree_of(place), self.truth)):
                    return Outcome(SILENT, f"{told} at once: {differs}")
            again, said, _ = _try(self.task, place, Stop("", 0))
            if again != SAME:
                return Outcome(RAW if again == SENTENCE else again, f"{told} again: {said}")
            differs = differences(tree_of(place), self.truth)
            return Outcome(SILENT if differs else kind, f"{told} {differs}")
        finally:
            shutil.rmtree(place)

    def _stop(self, chance: random.Random, kinds: tuple[str, ...], products: list[Path]) -> tuple[Stop, float]:
        kind = chance.choice(kinds)
        if kind == "kill" and chance.random() < 0.5:
            return Stop("", 0), max(0.01, chance.random() * self.seconds)
        stop = Stop(kind, chance.randint(1, self.n_events))
        if kind == "disk":
            stop = replace(stop, number=chance.choice(ERRORS), stays=chance.random() < 0.5)
        if kind == "vanish":
            stop = replace(stop, victim=str(chance.choice(products)))
        return stop, PATIENCE_S


def differences(tree: dict[str, bytes], truth: dict[str, bytes]) -> str:
    """Return the files that are there besides (+), that are missing (-), and that differ (!)."""
    names = sorted(name for name in {*tree, *truth} if tree.get(name) != truth.get(name))
    return " ".join(f"{'+' if name not in truth else '-' if name not in tree else '!'}{name}" for name in names)


def tree_of(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder, by names."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")
    }
