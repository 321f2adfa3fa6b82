"""Outcomes of a fault, judged against what came of the same thing undamaged."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from click.testing import CliRunner

from sarship.cli import main
from sarship.errors import ProductWarning, SarshipError

SAME, SENTENCE, WARNED, CHECKED, SILENT, RAW, HANG = OUTCOMES = (
    "same",
    "a sentence",
    "differs with a warning",
    "only `--check` tells",
    "silently different",
    "raw exception",
    "hang",
)
LONGEST_S = 60
"""Far longer than any case computes; one may have to compile a kernel first, on a machine that has much else to do."""


@dataclass(frozen=True)
class Answer:
    """What an attempt gave, and what it said meanwhile."""

    values: object
    """None where it was refused."""
    said: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Outcome:
    kind: str
    """One of `OUTCOMES`."""
    detail: str = ""


class Hang(BaseException):
    """Raised by the clock; no `except Exception` takes it for an answer."""


def judge(attempt: Callable[[], Answer], truth: Answer | None = None) -> Outcome:  # noqa: PLR0911  (a table)
    """Return what came of an attempt; without a truth, whatever it gave is right."""
    try:
        with _deadline():
            answer = attempt()
    except Hang:
        return Outcome(HANG)
    except SarshipError as error:
        return Outcome(SENTENCE, str(error))
    except Exception as error:
        return Outcome(RAW, f"{type(error).__name__}: {error}")
    told = "; ".join(sorted(answer.said))
    if "please report" in told:  # the catch-all's sentence for what nobody foresaw
        return Outcome(RAW, told)
    if answer.values is None:
        return Outcome(SENTENCE, told)
    if truth is None or answer.values == truth.values:
        return Outcome(SAME)
    return Outcome(WARNED, told) if answer.said - truth.said else Outcome(SILENT)


def run(*arguments: object) -> Answer:
    """Run the command; what a script reads from standard output is its answer."""
    outcome = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return Answer(outcome.stdout if outcome.exit_code == 0 else None, frozenset(outcome.stderr.splitlines()))


@contextmanager
def listening() -> Iterator[set[str]]:
    """Collect the warnings about products."""
    said: set[str] = set()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ProductWarning)
        yield said
        said |= {str(each.message) for each in heard}


@contextmanager
def _deadline() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hang

    clocks = ((signal.ITIMER_PROF, signal.SIGPROF, LONGEST_S), (signal.ITIMER_REAL, signal.SIGALRM, 10 * LONGEST_S))
    before = [signal.signal(number, ring) for _, number, _ in clocks]
    for clock, _, seconds in clocks:
        signal.setitimer(clock, seconds)
    try:
        yield
    finally:
        for (clock, number, _), handler in zip(clocks, before, strict=True):
            signal.setitimer(clock, 0)
            signal.signal(number, handler)
