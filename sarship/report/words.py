"""The answer of a survey in a few sentences: what changed, when, how sure; what lies there now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from sarship.analysis import Agreement
from sarship.counts.places import counts_at
from sarship.pipeline.results import Results
from sarship.schema import WHOLE_PORT

__all__ = ["answer", "on"]

MAX_SENTENCES: Final = 5
MIN_PASSES: Final = 8
"""Passes of an orbit from which `find_changes` looks for changes."""


def answer(results: Results) -> list[str]:
    """Return at most five sentences, the period first and what lies there now last."""
    ends = list(_of_now(results))
    return [_of_period(results), *_of_changes(results, MAX_SENTENCES - 1 - len(ends)), *ends]


def _of_period(results: Results) -> str:
    counts = results.counts
    times = pd.DatetimeIndex(counts["time"].to_numpy())
    port, n_piers = results.provenance.port or "the port", counts.sizes["pier"]
    if not len(times):
        return f"No pass over {port} was searched."
    n_counts = counts["n_vessels"].size
    n_missing = n_counts - int(counts["n_vessels"].count())
    places = f"{n_piers} piers and anchorages" if n_piers != 1 else "one pier"
    period = f"from {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}"
    whole = f"{n_missing} of {n_counts} counts are missing" if n_missing else "every pass saw all of them"
    return f"{len(times)} passes over {port}, {period}, were searched for vessels at {places}; {whole}."


def _of_changes(results: Results, n_max: int) -> Iterator[str]:
    """Yield the likeliest changes of vessels, in order of time; or why there is none."""
    changes = results.changes[results.changes["direction"] != "method"]
    if not len(changes):
        _, n_passes = np.unique(results.counts["relative_orbit"], return_counts=True)
        if max(n_passes, default=0) < MIN_PASSES:
            yield f"No change is looked for: that takes {MIN_PASSES} passes of one orbit or more."
        else:
            yield "No change of the number of vessels was found that is likelier than not."
        return
    shown = changes.nlargest(n_max, "probability").sort_values("window_from")
    for words in shown["words"]:
        yield f"{words[:1].upper()}{words[1:]} sure."


def _of_now(results: Results) -> Iterator[str]:
    """Yield what lies at all piers on the newest pass, and how the counts stand against reports."""
    whole = counts_at(results.counts).get(WHOLE_PORT) if results.counts.sizes["time"] else None
    if whole is not None and len(whole):
        now = whole.iloc[-1]
        unusual = results.alerts[results.alerts["status"].isin(["watch", "alert"])]
        said = f"{now['n_vessels']:.0f} vessels ({now['n_low']:.0f} to {now['n_high']:.0f}) lay at the piers"
        beside = f", which is unusual at {', '.join(map(str, unusual['where']))}" if len(unusual) else ""
        yield f"On {on(now['time'])} UTC, the newest pass that saw all piers, {said}{beside}."
    agreement = Agreement.of(results.agreement)
    if agreement.n_reports:
        yield f"Of dated reports by others, {agreement}."


def on(time: pd.Timestamp) -> str:
    """Return a time to the minute."""
    return f"{time:%Y-%m-%d %H:%M}"
