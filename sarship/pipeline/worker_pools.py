"""Workers that count many ports: processes of this computer, or those of a cluster.

What a worker has finished is on disk. So one that is killed costs its port the pass in hand, and the port is given to
another, alone, for it may be what ended the worker. Workers end with the process that began them, however that ends.

This module loads nothing that computes: a worker imports it before it is told how many threads it may have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final

from sarship.catalog.session import import_extra
from sarship.errors import OutputError
from sarship.files import reason
from sarship.pipeline.worker_processes import spawned

if TYPE_CHECKING:
    from sarship.pipeline.port_jobs import PortJob, PortOutcome

__all__ = ["cluster", "count_ports", "on_executor", "processes"]

Submit = Callable[["PortJob"], "Future[PortOutcome]"]
"""Gives a port to a worker."""
Workers = Callable[[int], AbstractContextManager[Submit]]
"""Gives so many workers, which end with the block."""
TICK_S: Final = 1.0
"""Time between two calls of `tick`."""
KILLED: Final = "its worker was killed, twice; if it was for want of memory take fewer workers, and run again to go on"


def count_ports(
    jobs: Sequence[PortJob], workers: Workers, n_workers: int, tick: Callable[[], None] | None = None
) -> Iterator[PortOutcome]:
    """Yield the outcome of each port as it is done.

    Parameters
    ----------
    jobs
        The ports.
    workers
        Gives the workers; others where one was killed.
    n_workers
        Ports that are counted at once.
    tick
        Called now and then while ports are counted.
    """
    waiting, again, twice = deque(jobs), list["PortJob"](), list["PortJob"]()
    while waiting:
        yield from _until_one_is_killed(waiting, again, workers, n_workers, tick)
    for job in again:
        yield from _until_one_is_killed(deque([job]), twice, workers, 1, tick)
    for job in twice:
        yield _failed(job, KILLED)


def on_executor(executor: Executor) -> Workers:
    """Return the workers of an executor, such as a cluster's, which stays open."""
    from sarship.pipeline.port_jobs import count_port  # noqa: PLC0415

    return lambda _: nullcontext(lambda job: executor.submit(count_port, job))


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """Yield the workers of a Dask cluster.

    Raises
    ------
    CatalogError
        The package `distributed` is not installed.
    OutputError
        No scheduler answers at the address.
    """
    distributed = import_extra("distributed", "--scheduler", "dask")
    try:
        client = distributed.Client(address, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        message = f"--scheduler {address}: no scheduler answers there ({reason(error)})"
        raise OutputError(f"{message}; begin one with `dask scheduler`, and give the address that it prints") from error
    with client:
        yield client.get_executor(retries=2)


@contextmanager
def processes(n_workers: int) -> Iterator[Submit]:
    """Yield what gives ports to processes of their own; for one alone, to this process.

    Where the block is left by an exception, such as the user's interruption, the workers leave their ports too.
    """
    if n_workers == 1:
        yield _count_here
        return
    from sarship.pipeline.port_jobs import count_port  # noqa: PLC0415

    with spawned(n_workers, n_workers) as submit:
        yield partial(submit, count_port)


def _until_one_is_killed(
    waiting: deque[PortJob],
    killed: list[PortJob],
    workers: Workers,
    n_workers: int,
    tick: Callable[[], None] | None,
) -> Iterator[PortOutcome]:
    """Yield outcomes until no port waits, or a worker was killed; then put aside the ports that were in hand."""
    running, is_broken = dict["Future[PortOutcome]", "PortJob"](), False
    with workers(min(n_workers, len(waiting))) as submit:
        while running or (waiting and not is_broken):
            while waiting and len(running) < n_workers and not is_broken:
                try:
                    running[submit(waiting[0])] = waiting[0]
                    waiting.popleft()
                except BrokenExecutor:
                    is_broken = True
            done = wait(running, timeout=tick and TICK_S, return_when=FIRST_COMPLETED).done
            if tick is not None:
                tick()
            for future in done:
                job = running.pop(future)
                try:
                    outcome = future.result()
                except BrokenExecutor:
                    killed.append(job)
                    is_broken = True
                except (Exception, CancelledError, KeyboardInterrupt) as error:  # counting tells its own
                    lost = f"{type(error).__name__}: {error}".strip(": ")
                    yield _failed(job, f"its worker gave no answer ({lost}); run again to go on")
                else:
                    yield outcome


def _failed(job: PortJob, reason: str) -> PortOutcome:
    from sarship.pipeline.port_jobs import PortOutcome  # noqa: PLC0415

    return PortOutcome(port=job.port.name, error=reason)


def _count_here(job: PortJob) -> Future[PortOutcome]:
    from sarship.pipeline.port_jobs import count_port  # noqa: PLC0415

    done = Future["PortOutcome"]()
    done.set_result(count_port(job))
    return done
