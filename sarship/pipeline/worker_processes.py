"""Processes that work for this one: begun afresh, with their share of the processors, and ended with it.

However this process ends they end too, and what they were at is left: whoever gives them work has them write files
whole or not at all. This module loads nothing that computes: a process imports it before it is told how many threads it
may have.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import connection
from typing import Any, Final, TypeVar

__all__ = ["Submit", "n_processors", "spawned"]

AGAIN_S: Final = 2.0
"""Time between two interruptions of what a process is at."""
Result = TypeVar("Result")
Submit = Callable[..., Future[Any]]
"""Gives a process a function, one that a module has by its name, and what to call it with."""


@contextmanager
def spawned(n_processes: int, n_sharing: int) -> Iterator[Submit]:
    """Yield what gives work to processes of their own, which begin with the first work.

    Where the block is left by an exception, such as the user's interruption, the processes leave their work too.

    Parameters
    ----------
    n_processes
        Processes at most.
    n_sharing
        Processes that share the processors, and the turns at each provider, among them: this one too if it works.
    """
    context = multiprocessing.get_context("spawn")  # of a fork, threads of GDAL and BLAS would be missing
    stop, hold = context.Pipe(duplex=False)
    n_threads = max(1, n_processors() // n_sharing)
    executor = ProcessPoolExecutor(n_processes, context, initializer=_begin, initargs=(stop, n_threads, n_sharing))
    try:
        yield partial(_submit, executor)
    except BaseException:
        hold.close()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        hold.close()
        stop.close()


def n_processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _submit(executor: ProcessPoolExecutor, function: Callable[..., Result], *given: Any) -> Future[Result]:
    """Give work to a process, which this may begin: interruptions of it wait until it knows what to do with them."""
    if not hasattr(signal, "pthread_sigmask"):
        return executor.submit(_work, function, *given)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return executor.submit(_work, function, *given)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ---- in such a process


def _begin(stop: connection.Connection, n_threads: int, n_sharing: int) -> None:
    """Set the process up: its threads, its share of each provider's turns, and its end."""
    from sarship.catalog.tokens import share_turns  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # while it waits; a terminal interrupts all processes
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ.setdefault("NUMBA_NUM_THREADS", str(n_threads))
    logging.disable(logging.WARNING)  # of libraries, on each try; what comes of it is told
    share_turns(n_sharing)
    threading.Thread(target=_end_with_the_others, args=(stop,), daemon=True).start()


def _end_with_the_others(stop: connection.Connection) -> None:
    """Interrupt the work in hand when the run is interrupted; end at once when its process is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([stop, parent.sentinel])
    while parent.is_alive():  # again and again: it may be loading the work, and not yet at it
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            interrupt_main()
        parent.join(AGAIN_S)
    os._exit(1)


def _work(function: Callable[..., Result], *given: Any) -> Result:
    """Do some work; an interruption leaves it, and not the process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return function(*given)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
