"""The command in a process of its own, stopped by a signal of the user or the system, and run again.

Of many ports one of its workers may get the signal instead; then the run itself must end well.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from faults.outcomes import HANG, RAW, SAME, SENTENCE, SILENT, Outcome
from faults.stops import PATIENCE_S, differences, five_dates, tree_of, two_ports

SCRIPT = """
import datetime, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from sarship.cli import main
from sarship.pipeline import surveys

class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

surveys.datetime = Clock
print("begun", file=sys.stderr, flush=True)
main()
"""
"""The command at a time that is always the same."""


@dataclass(frozen=True)
class _Job:
    """A call, what it starts from, what it leaves when nobody stops it, and how long it takes."""

    call: list[str]
    start: Path
    truth: dict[str, bytes]
    seconds: float


@contextmanager
def commands() -> Iterator[Callable[[random.Random], Outcome]]:
    """Give the function that stops the command by a signal, once or twice, and runs it again."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        place = folder / "case"
        port, products = five_dates(folder / "products")
        count = ["count", str(port), "--no-pictures", "--out", str(place)]
        many = ["watch", "--products", str(folder / "products"), "--workers", "2", "--out", str(place)]
        period = ["--from", "2024-12-01", "--to", "2025-12-31", "--catalog", f"local={folder / 'products'}"]
        calls = {
            "images alone": ([*count, *map(str, products[:2])], None),
            "a date is added": ([*count, *map(str, products)], [*count, *map(str, products[:-1])]),
            "many ports": ([*many, *map(str, two_ports(port))], None),
            "downloads": (["download", str(port), *period, "--into", str(place)], None),
        }
        jobs: dict[str, _Job] = {}

        def job_of(job: str) -> _Job:
            call, before = calls[job]
            place.mkdir()
            if before is not None:
                assert _ended(_begin(before))[0] == 0
            start = folder / f"start {job}"
            shutil.copytree(place, start)
            began = time.monotonic()
            code, told = _ended(_begin(call))
            assert code == 0, told
            made = _Job(call, start, _timeless(tree_of(place)), time.monotonic() - began)
            shutil.rmtree(place)
            return made

        def attempt(chance: random.Random) -> Outcome:
            (name,) = chance.choices([*calls], (2, 1, 2, 1))
            if name not in jobs:
                jobs[name] = job_of(name)
            job, told = jobs[name], f"{name}: "
            shutil.copytree(job.start, place)
            try:
                kind = SAME
                for _ in range(chance.choice((1, 1, 2))):
                    process = _begin(job.call)
                    time.sleep(chance.random() * 0.7 * job.seconds)  # the first run is the slowest
                    number = chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
                    workers = _workers(process.pid)
                    is_worker = bool(workers) and chance.random() < 0.5
                    if is_worker:
                        os.kill(chance.choice(workers), signal.SIGKILL)
                    else:
                        process.send_signal(number)
                    code, said = _ended(process)
                    told += f"{'a worker' if is_worker else number.name} {code} {said[-200:]}; "
                    if code is None or "Traceback" in said or "please report" in said:
                        return Outcome(HANG if code is None else RAW, told)
                    if is_worker and code != 0:
                        return Outcome(RAW, told)
                    kind = SENTENCE if number == signal.SIGINT and code == 130 else kind
                code, said = _ended(_begin(job.call))
                if code != 0:
                    return Outcome(RAW, f"{told} again: {code} {said[-500:]}")
                differs = differences(_timeless(tree_of(place)), job.truth)
                return Outcome(SILENT if differs else kind, f"{told} {differs}")
            finally:
                shutil.rmtree(place)

        yield attempt


def _begin(call: list[str]) -> subprocess.Popen[str]:
    """Return the process once it has imported the command."""
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *call],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "begun\n"
    return process


def _workers(process: int) -> list[int]:
    """Return the workers of a process, where the system tells: what else it began tracks its semaphores."""
    with suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return []


def _timeless(tree: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files without the content of those that have their time of day, which a worker does not fake."""
    return {name: b"" if b'"created": ' in content else content for name, content in tree.items()}


def _ended(process: subprocess.Popen[str]) -> tuple[int | None, str]:
    """Return the exit status, None for a process that does not end, and what it said."""
    try:
        said = process.communicate(timeout=PATIENCE_S)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        return None, process.communicate()[1]
    return process.returncode, said
