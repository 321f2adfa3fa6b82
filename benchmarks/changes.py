"""How well changes of counts are found and dated, beside a permutation test and PELT, on simulated berths.

`python -m benchmarks.changes` draws series of 30 passes twelve days apart: vessels that stay for some passes at a few
berths, a quarter of them missed, a false one now and then. It prints the tables and writes them into docs/changes.md;
`--quick` takes a hundredth of the series and writes nothing. The whole takes about five minutes on one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import ROOT, write_between
from sarship.counts.segments import Cut, Segments, find_segments

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]

N_SERIES: Final = 2_000
N_PASSES: Final = 30
DAYS: Final = np.arange(0.0, 12.0 * N_PASSES, 12.0)
STAYS: Final = (1.5, 4.0)
"""Mean stay of a vessel, passes."""
N_PERMUTATIONS: Final = 400
SAID: Final = (0.5, 0.8, 0.9, 0.95, 1.0)


class Case(NamedTuple):
    """Berths, how many of them are taken, and the first pass on which that is another share."""

    n_berths: int
    before: float
    after: float
    at: int

    def __str__(self) -> str:
        share = f"{self.n_berths} berths, {self.before:.0%} taken"
        return share if self.is_steady else f"{share}, from pass {self.at + 1} on {self.after:.0%}"

    @property
    def is_steady(self) -> bool:
        """True if nothing changes."""
        return self.before == self.after

    def draw(self, stay: float, rng: np.random.Generator) -> Integers:
        """Draw the counts of a series."""
        taken = np.where(np.arange(N_PASSES) < self.at, self.before, self.after)
        return berths(taken, self.n_berths, stay, rng)


STEADY: Final = (Case(4, 0.5, 0.5, 0), Case(6, 0.75, 0.75, 0), Case(3, 0.1, 0.1, 0))
STEPS: Final = (Case(4, 0.8, 0.0, 15), Case(4, 0.75, 0.25, 15), Case(4, 0.8, 0.0, 27), Case(3, 0.1, 0.6, 20))


def berths(taken: Reals, n_berths: int, stay: float, rng: np.random.Generator) -> Integers:
    """Draw the counts of a pier whose berths are taken with a chance that depends on the pass.

    A vessel stays for `stay` passes on average. A quarter are missed; one count in twenty has a false vessel.
    """
    counts = np.zeros(len(taken), np.int64)
    there = rng.random(n_berths) < taken[0]
    for k, share in enumerate(taken):
        is_new = rng.random(n_berths) < 1 / stay
        there = np.where(is_new, rng.random(n_berths) < share, there)
        if k and share != taken[k - 1]:
            there = rng.random(n_berths) < share
        counts[k] = rng.binomial(there.sum(), 0.75) + rng.poisson(0.05)
    return counts


def permutation(counts: Integers, rng: np.random.Generator) -> bool:
    """Return True if the largest standardised cumulative sum is rarer than 1 in 20 among orders of the series."""
    n = len(counts)
    k = np.arange(1, n)
    series = np.vstack([counts, rng.permuted(np.tile(counts, (N_PERMUTATIONS, 1)), axis=1)])
    sums = np.cumsum(series, axis=1)
    largest = (np.sqrt(n / (k * (n - k))) * np.abs(sums[:, :-1] - k / n * sums[:, -1:])).max(axis=1)
    return bool((largest >= largest[0] - 1e-9).mean() < 0.05)


def pelt(counts: Integers, _: np.random.Generator) -> bool:
    """Return True if PELT cuts the series: squared error, penalty three variances times ln n."""
    import ruptures

    values = counts.astype(float)
    cutter = ruptures.Pelt(model="l2", min_size=2, jump=1).fit(values)
    return len(cutter.predict(pen=3 * np.log(len(values)) * max(values.var(), 0.25))) > 1


RIVALS: Final[dict[str, Callable[[Integers, np.random.Generator], bool]]] = {"permutation": permutation} | (
    {"PELT": pelt} if find_spec("ruptures") else {}
)


class Outcome(NamedTuple):
    """Results on the series of a case."""

    found: list[Segments]
    rivals: list[float]
    """Share of the series in which each rival finds a change."""

    def share(self, least: float) -> float:
        """Share of the series with a change of such a chance."""
        return float(np.mean([each.any_change > least for each in self.found]))


def run(case: Case, stay: float, n_series: int) -> Outcome:
    """Draw the series of a case and look for changes."""
    rng = np.random.default_rng([STAYS.index(stay), *(STEADY + STEPS).index(case).to_bytes(1, "big")])
    series = [case.draw(stay, rng) for _ in range(n_series)]
    rivals = [float(np.mean([rival(counts, rng) for counts in series])) for rival in RIVALS.values()]
    return Outcome([find_segments(counts[None], DAYS) for counts in series], rivals)


def nearest(found: Segments, at: int) -> Cut | None:
    """Return the cut nearest to a pass."""
    return min(found.cuts, key=lambda cut: abs(cut.at - at), default=None)


def steady_table(outcomes: dict[tuple[Case, float], Outcome]) -> Iterator[str]:
    """Rows of the series in which nothing changes."""
    yield f"| nothing changes | stay, passes | P > 0.5 | P > 0.8 | P > 0.95 | {' | '.join(RIVALS)} |"
    yield f"|---|--:|--:|--:|--:{'|--:' * len(RIVALS)}|"
    for (case, stay), outcome in outcomes.items():
        if case.is_steady:
            shares = [*(outcome.share(least) for least in (0.5, 0.8, 0.95)), *outcome.rivals]
            yield f"| {case} | {stay:g} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |"


def step_table(outcomes: dict[tuple[Case, float], Outcome]) -> Iterator[str]:
    """Rows of the series with a step."""
    head = "P > 0.5 | P > 0.8 | P > 0.95 | right gap | within one | window, passes | window holds it"
    yield f"| a step | stay, passes | {head} | {' | '.join(RIVALS)} |"
    yield f"|---|--:|--:|--:|--:|--:|--:|--:|--:{'|--:' * len(RIVALS)}|"
    for (case, stay), outcome in outcomes.items():
        if not case.is_steady:
            cuts = [cut for each in outcome.found if (cut := nearest(each, case.at))]
            error = np.array([abs(cut.at - case.at) for cut in cuts])
            shares = [outcome.share(least) for least in (0.5, 0.8, 0.95)]
            shares += [float((error == 0).mean()), float((error <= 1).mean())]
            holds = float(np.mean([cut.first <= case.at <= cut.last for cut in cuts]))
            width = np.median([cut.last - cut.first + 1 for cut in cuts])
            texts = [f"{share:.0%}" for share in shares] + [f"{width:g}", f"{holds:.0%}"]
            yield f"| {case} | {stay:g} | {' | '.join([*texts, *(f'{share:.0%}' for share in outcome.rivals)])} |"


def said_table(outcomes: dict[tuple[Case, float], Outcome], n_series: int) -> Iterator[str]:
    """Rows of how often a change is in its window, by the chance that is said; half of the series are steady."""
    yield f"| said | {' | '.join(f'true, stay {stay:g}' for stay in STAYS)} | true, both | cuts |"
    yield f"|---|{'--:|' * (len(STAYS) + 2)}"
    rows = []
    for (case, stay), outcome in outcomes.items():
        n_taken = n_series * len(STEADY) // len(STEPS) if not case.is_steady else n_series
        for each in outcome.found[:n_taken]:
            for cut in each.cuts:
                is_true = not case.is_steady and cut.first <= case.at <= cut.last
                rows.append((cut.probability, stay, is_true))
    said, stays, is_true = np.array(rows, float).T
    for low, high in pairwise(SAID):
        here = (said >= low) & (said <= high if high == 1 else said < high)
        shares = [*(is_true[here & (stays == stay)] for stay in STAYS), is_true[here]]
        texts = [f"{share.mean():.0%}" if len(share) else "" for share in shares]
        yield f"| {low:g} … {high:g} | {' | '.join(texts)} | {here.sum():,} |"


def milliseconds() -> float:
    """Return the time of a fit of 120 passes with its 32 draws, ms: the best of several, as others may run beside."""
    series = np.random.default_rng(0).poisson(3.0, (33, 120))
    times = []
    for _ in range(9):
        start = time.perf_counter()
        find_segments(series, np.arange(0.0, 720.0, 6.0))
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the series, nothing written")
    quick = parser.parse_args().quick
    n_series = N_SERIES // 100 if quick else N_SERIES
    outcomes = {(case, stay): run(case, stay, n_series) for stay in STAYS for case in STEADY + STEPS}
    text = "\n".join(
        [
            f"{n_series:,} series a row, each of {N_PASSES} passes twelve days apart. *P* is the chance that the level "
            "changed at all. Rivals: a permutation test of the largest cumulative sum at 5 %, and PELT of ruptures.\n",
            *steady_table(outcomes),
            "",
            *step_table(outcomes),
            "",
            *said_table(outcomes, n_series),
            "",
            f"A fit of 120 passes and the 32 draws of their intervals takes {milliseconds():.0f} ms.",
        ]
    )
    print(text)
    if not quick:
        write_between(ROOT / "docs" / "changes.md", "changes", text)


if __name__ == "__main__":
    main()
