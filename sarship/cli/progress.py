"""Progress on standard error: a bar on a terminal, a line now and then in a pipe or a log."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from sarship.cli.common import tell

if TYPE_CHECKING:
    from sarship.pipeline.first_pass import Progress, Step

__all__ = ["bar_of_bytes", "bars"]

LINE_EVERY_S: Final = 30.0
"""Time between two lines where there is no terminal; what is done before the first needs none."""
COMPILING_S: Final = 1.0
"""Time of compilation after which it is announced."""
NOTICE: Final = "note: compiling the detector for this machine; what is compiled is kept for later runs"


@contextmanager
def bars(name: str, unit: str = "scenes") -> Iterator[tuple[Progress, Callable[[int, int], None]]]:
    """Show the progress of scenes, or of others, and then of pictures, and announce a compilation that takes long."""
    if not sys.stderr.isatty():
        line = _Lines()
        with _compilation_announced(lambda text: tell(text, err=True)):
            yield (
                lambda step: line(name, step.done, step.total, unit, _wait_of(step)),
                lambda n, of: line("pictures", n, of),
            )
        return
    from tqdm import tqdm

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {rate_fmt}{postfix}"
    with (
        tqdm(desc=name, total=1, unit=f" {unit}", file=sys.stderr, bar_format=layout) as bar,
        _compilation_announced(lambda text: tqdm.write(text, file=sys.stderr)),
    ):

        def scenes(step: Step) -> None:
            bar.total = step.total
            bar.n = step.done
            share = f" {step.message}" if step.state in {"fetching", "waiting"} else ""
            bar.set_postfix_str(f"{Path(step.path).name[:32]} {step.state.replace('_', ' ')}{share}", refresh=False)
            bar.refresh()

        def pictures(done: int, total: int) -> None:
            bar.set_description_str("pictures", refresh=False)
            bar.total, bar.n = total, done
            bar.set_postfix_str("", refresh=False)
            bar.refresh()

        yield scenes, pictures


@contextmanager
def bar_of_bytes(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show the bytes received, with rate and time left on a terminal."""
    if not sys.stderr.isatty():
        line = _Lines()
        yield lambda done, total: line(name, done / 1e6, 0 if total is None else total / 1e6, "MB")
        return
    from tqdm import tqdm

    options: dict[str, Any] = {"unit": "B", "unit_scale": True, "unit_divisor": 1000, "smoothing": 0.1}
    with tqdm(desc=name, file=sys.stderr, **options) as bar:

        def report(done: int, total: int | None) -> None:
            bar.total = None if total is None else max(total, done)
            bar.update(max(0, done - bar.n))

        yield report


class _Lines:
    """Progress as lines, none of which comes sooner than `LINE_EVERY_S` after another."""

    def __init__(self) -> None:
        self.began = self.told = monotonic()

    def __call__(self, name: str, done: float, total: float, unit: str = "", note: str = "") -> None:
        now = monotonic()
        if now - self.told < LINE_EVERY_S:
            return
        self.told = now
        of = f" of {max(total, done):.0f}" if total else ""
        tell(f"{name}: {done:.0f}{of} {unit}".rstrip() + f" after {(now - self.began) / 60:.0f} min{note}", err=True)


def _wait_of(step: Step) -> str:
    return f"; {step.path} waits for {step.message}" if step.state == "waiting" else ""


@contextmanager
def _compilation_announced(say: Callable[[str], None]) -> Iterator[None]:
    """Say once that kernels are being compiled, if that takes longer than `COMPILING_S` in all."""
    from numba.core import event

    class Watch(event.Listener):
        """Sums the time during which something is compiled; kernels compile others that they call."""

        depth, spent, began = 0, 0.0, 0.0
        timer: threading.Timer | None = None

        def on_start(self, _: object) -> None:
            self.depth += 1
            if self.depth == 1 and self.spent < COMPILING_S:
                self.began = monotonic()
                self.timer = threading.Timer(COMPILING_S - self.spent, say, [NOTICE])
                self.timer.daemon = True
                self.timer.start()

        def on_end(self, _: object) -> None:
            self.depth -= 1
            if self.depth == 0 and self.timer is not None:
                self.timer.cancel()
                self.timer = None
                self.spent += monotonic() - self.began

    with event.install_listener("numba:compile", Watch()):
        yield
