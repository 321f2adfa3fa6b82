"""How surely yards that fill or empty are found and dated, and how often one is said to that did not.

`python -m benchmarks.aprons` simulates yards of a hectare straight on a port's grid, a year of dates each: correlated
speckle, buildings that flicker, damp ground, vehicles that stand elsewhere on every date. A few more go the whole way
through products, as untidy as an archive has them (`--products` for these alone). It prints the tables and
writes them into docs/howto/aprons.md; `--quick` takes a third of the yards and writes nothing. The whole takes a
quarter of an hour on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from benchmarks.pages import ROOT, write_between
from benchmarks.yard_dates import simulate_yard_dates
from sarship.analysis import find_apron_changes, find_fill, judge_aprons
from sarship.analysis.agreement import FULLNESS
from sarship.change import fit_reference, measure_aprons
from sarship.port import PortGrid, read_port, to_port_grid
from sarship.port.stack import add_scene, read_stack
from sarship.schema import APRONS
from sarship.sentinel1 import open_grd
from sarship.simulate import SMALL_PORT, Yard, simulate_port_series

N_ROWS: Final = 10
N_COLUMNS: Final = 10
N_DATES: Final = 30
AT: Final = 15
"""First date of the new level."""
N_WORLDS: Final = 3
"""Ports of a case, each of a hundred yards."""
FIRST: Final = 10
"""Number of the first: those before were used to choose `TOGETHER`."""
STEP_DB: Final = 0.9
"""Step of the calibration, at another date than that of the yards."""
WET: Final = 0.2
"""Share of the dates that are wet."""
LEAST: Final = 0.8
IN_PORT: Final = {"Emptied": (20, 0), "Filled": (0, 20), "Empty": (0,)}
"""Vehicles on the yards of a port whose products are simulated."""
N_PRODUCTS: Final = 16
N_SEEDS: Final = 5
SAID: Final = (0.5, 0.8, 0.9, 0.95, 1.0)


class Case(NamedTuple):
    """Yards with some vehicles, and some others from a date on."""

    before: int
    after: int
    base_db: float = -14.0
    rcs_m2: float = 50.0
    has_step: bool = False
    is_rainy: bool = False
    n_orbits: int = 1

    @property
    def is_steady(self) -> bool:
        """True if nothing changes."""
        return self.before == self.after

    def __str__(self) -> str:
        weather = ["calibration steps"] * self.has_step + ["a fifth of the dates wet"] * self.is_rainy
        weather += [f"{self.n_orbits} orbits"] * (self.n_orbits > 1)
        number = f"{self.before}" if self.is_steady else f"{self.before} → {self.after}"
        return ", ".join([f"{number} vehicles of {self.rcs_m2:g} m² on {self.base_db:g} dB", *weather])


STEADY: Final = tuple(
    Case(n, n, has_step=step, is_rainy=rain) for step, rain in product((False, True), repeat=2) for n in (0, 15)
)
STEPS: Final = (
    Case(15, 0),
    Case(0, 15),
    Case(15, 0, has_step=True, is_rainy=True),
    Case(15, 0, n_orbits=2),
    Case(5, 0),
    Case(15, 0, rcs_m2=15.0),
    Case(15, 0, base_db=-10.0),
)
WEAK: Final = (Case(5, 0, rcs_m2=30.0), Case(0, 4), Case(20, 15))
"""Steps that are missed as often as not. A chance of a half is right only if there are yards to which it applies."""


class Outcome(NamedTuple):
    """Changes of the yards of a case, and what was measured on every date."""

    changes: gpd.GeoDataFrame
    table: gpd.GeoDataFrame
    n_yards: int


def run(case: Case, n_worlds: int) -> Outcome:
    """Simulate the yards of a case and look for changes."""
    tables = [_world(case, number) for number in range(FIRST, FIRST + n_worlds)]
    table = APRONS.concat(tables)
    return Outcome(find_apron_changes(table), table, table["apron"].nunique())


def _world(case: Case, number: int) -> gpd.GeoDataFrame:
    """Return what is measured on the yards of one port."""
    rng = np.random.default_rng([number, *str(case).encode()])
    yards = [
        Yard(
            name=f"{number}/{row}/{column}",
            polygon=shapely.box(x, y, x + 100, y + 100),
            base_db=case.base_db,
            vehicles=(case.before,) * AT + (case.after,),
            rcs_m2=case.rcs_m2,
        )
        for row in range(N_ROWS)
        for column in range(N_COLUMNS)
        for x, y in [(705 + 160 * column, 65 + 160 * row)]
    ]
    tables = []
    for orbit in range(case.n_orbits):
        here = range(orbit, N_DATES, case.n_orbits)
        mine = [replace(yard, vehicles=tuple(yard.vehicles[min(k, AT)] for k in here)) for yard in yards]
        seed = int(rng.integers(1 << 30))
        one = simulate_yard_dates(
            mine,
            [12.0 * k for k in here],
            shape=(16 * N_ROWS + 20, 16 * N_COLUMNS + 170),
            seed=seed,
            relative_orbit=14 + orbit,
            is_wet=(rng.random(len(here)) < WET).tolist() if case.is_rainy else (),
            gain_db=[STEP_DB * (k > N_DATES // 3) for k in here] if case.has_step else (),
        )
        reference = fit_reference(one.stack, land=one.land).isel(relative_orbit=0)
        tables.append(measure_aprons(one.stack, reference, one.aprons, land=one.land))
    return judge_aprons(APRONS.concat(tables))


def _date_of(times: pd.Series) -> NDArray[np.int64]:
    days = (times - pd.Timestamp("2024-01-01T15:42Z")) / pd.Timedelta(12, "D")
    return np.asarray(np.rint(days.to_numpy(float)), np.int64)


def steady_table(outcomes: dict[Case, Outcome]) -> Iterator[str]:
    """Rows of the yards in which nothing changes."""
    head = "falsely filled or emptied, P ≥ 0.8 | P ≥ 0.5 | any change, P ≥ 0.8 | noise said, dB | true, dB"
    yield f"| nothing changes | yard-years | {head} |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for case, outcome in outcomes.items():
        if not case.is_steady:
            continue
        changes, surely = outcome.changes, outcome.changes[outcome.changes["probability"] >= LEAST]
        shares = [
            each["where"].nunique() / outcome.n_yards
            for each in (surely[surely["direction"] != "changed"], changes[changes["direction"] != "changed"], surely)
        ]
        scatter = outcome.table.groupby("apron")["level_db"].std().median()
        noise = [f"{outcome.table['level_error_db'].median():.2f}", f"{scatter:.2f}"]
        yield f"| {case} | {outcome.n_yards} | {' | '.join([*(f'{100 * share:.1f} %' for share in shares), *noise])} |"


def step_table(outcomes: dict[Case, Outcome]) -> Iterator[str]:
    """Rows of the yards that fill or empty."""
    yield (
        "| filled or emptied after half a year | yard-years | found, P ≥ 0.8 | named right | right gap | within one | "
        "window, passes | window holds it | other changes | m² detectable | m² moved |"
    )
    yield f"|---|{'--:|' * 10}"
    for case, outcome in outcomes.items():
        if case.is_steady:
            continue
        found = nearest(outcome.changes)
        surely = found[found["probability"] >= LEAST]
        error = np.abs(_date_of(surely["to_time"]) - AT)
        first, last = _date_of(surely["window_from"]) + 1, _date_of(surely["window_to"])
        name = "emptied" if case.before > case.after else "filled"
        others = outcome.changes.drop(found.index)
        shares = [
            len(surely) / outcome.n_yards,
            (surely["direction"] == name).sum() / outcome.n_yards,
            (error == 0).sum() / outcome.n_yards,
            (error <= 1).sum() / outcome.n_yards,
            float(((first <= AT) & (last >= AT)).mean()),
            others[others["probability"] >= LEAST]["where"].nunique() / outcome.n_yards,
        ]
        texts = [f"{100 * share:.0f} %" for share in shares]
        texts.insert(4, f"{np.median(last - first + 1):.0f}")
        cells = outcome.table["n_cells"].median() / 100
        detectable = [
            outcome.table["detectable_added_m2"].median(),
            abs(case.before - case.after) * case.rcs_m2 * cells,
        ]
        yield f"| {case} | {outcome.n_yards} | {' | '.join([*texts, *(f'{each:.0f}' for each in detectable)])} |"


def nearest(changes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return of each yard the change nearest to the true one."""
    ordered = changes.assign(off=np.abs(_date_of(changes["to_time"]) - AT)).sort_values("off", kind="stable")
    return ordered.drop_duplicates("where")


def said_table(outcomes: dict[Case, Outcome]) -> Iterator[str]:
    """Rows of how often a change is in its window, by the chance that is said."""
    yield "| said | true | changes | true without the weak steps | changes |"
    yield "|---|--:|--:|--:|--:|"
    rows = []
    for case, outcome in outcomes.items():
        first, last = _date_of(outcome.changes["window_from"]) + 1, _date_of(outcome.changes["window_to"])
        is_true = (first <= AT) & (last >= AT) & (not case.is_steady)
        rows += [(*row, case in WEAK) for row in zip(outcome.changes["probability"], is_true, strict=True)]
    said, true, is_weak = np.array(rows, float).T
    for low, high in pairwise(SAID):
        here = (said >= low) & (said <= high if high == 1 else said < high)
        some = [rows for rows in (here, here & (is_weak == 0)) if rows.any()]
        yield (
            f"| {low:g} … {high:g} | " + " | ".join(f"{true[rows].mean():.0%} | {rows.sum():,}" for rows in some) + " |"
        )


def report_table(outcomes: dict[Case, Outcome]) -> Iterator[str]:
    """Rows of how reports on yards are held: those that say the truth of a pass, and those that say the opposite."""
    yield "| reports of every pass | yards with a scale | true ones agree | false ones agree |"
    yield "|---|--:|--:|--:|"
    for case, outcome in outcomes.items():
        if case.is_steady or case in WEAK:
            continue
        fill = find_fill(outcome.table)
        is_full = (_date_of(fill["time"]) < AT) == (case.before > case.after)
        low, high = fill["fill_low"].to_numpy(), fill["fill_high"].to_numpy()
        full, empty = ((low <= most) & (high >= least) for least, most in (FULLNESS["full"], FULLNESS["empty"]))
        shares = [
            fill["apron"].nunique() / outcome.n_yards,
            *(np.where(is_full, *pair).mean() for pair in ((full, empty), (empty, full))),
        ]
        yield f"| {case} | {' | '.join(f'{100 * share:.0f} %' for share in shares)} |"


def through_products(n_seeds: int) -> Iterator[str]:
    """Rows of yards of a port whose products are simulated, gridded and measured."""
    rows = []
    for seed in range(n_seeds):
        with TemporaryDirectory() as folder:
            rows.append(_in_a_port(Path(folder), seed))
    found = pd.concat(rows)
    yield "| yard of 1.7 ha, through products | yards | found, P ≥ 0.8 | named right | right gap | within one |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, number in IN_PORT.items():
        here = found[found["yard"] == name]
        counts = [int(here[column].sum()) for column in ("found", "named", "right", "near")]
        said = [str(count) for count in counts] if len(set(number)) > 1 else [str(counts[0]), "", "", ""]
        yield f"| {' → '.join(map(str, number))} vehicles of 50 m² on -14 dB | {len(here)} | {' | '.join(said)} |"


def _in_a_port(folder: Path, seed: int) -> pd.DataFrame:
    """Return of each yard of a port whether a change was found, named and dated."""
    yards = tuple(
        Yard(
            name=name,
            polygon=shapely.box(x, y, x + 130, y + 130),
            base_db=-14.0,
            vehicles=(number[0],) * (N_PRODUCTS // 2) + (number[-1],),
        )
        for (name, number), (x, y) in zip(IN_PORT.items(), ((760, 2_640), (880, 2_460), (1_150, -1_500)), strict=True)
    )
    series = simulate_port_series(folder, plan=replace(SMALL_PORT, yards=yards), seed=seed, n_dates=N_PRODUCTS)
    port = read_port(series.port_file)
    grid = PortGrid.around(port.area, water_level_m=port.water_level_m)
    for one in series.passes:
        for path in one.slices:
            add_scene(folder / "stack", path.name, to_port_grid(open_grd(path), grid))
    stack, piers = read_stack(folder / "stack"), shapely.union_all(list(port.piers.geometry))
    reference = fit_reference(stack, land=port.land, piers=piers).isel(relative_orbit=0)
    table = measure_aprons(stack, reference, port.aprons, land=port.land, piers=piers, exclude=port.exclude)
    changes = find_apron_changes(judge_aprons(table))
    surely = changes[changes["probability"] >= LEAST]
    rows = []
    for name, number in IN_PORT.items():
        here = surely[surely["where"] == name]
        dates = np.searchsorted(stack["time"].to_numpy(), here["to_time"].dt.tz_localize(None).to_numpy())
        off = np.abs(dates - N_PRODUCTS // 2)
        named = (here["direction"] == ("emptied" if number[0] > number[-1] else "filled")).any()
        rows.append(
            {"yard": name, "found": len(here) > 0, "named": named, "right": (off == 0).any(), "near": (off <= 1).any()}
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a third of the yards, nothing written")
    parser.add_argument("--products", action="store_true", help="only the yards that go through products")
    given = parser.parse_args()
    quick = given.quick
    page = ROOT / "docs" / "howto" / "aprons.md"
    text = "\n".join(through_products(1 if quick else N_SEEDS))
    print(text, flush=True)
    if not quick:
        write_between(page, "aprons-products", text)
    if given.products:
        return
    outcomes = {}
    for case in (*STEADY, *STEPS, *WEAK):
        outcomes[case] = run(case, 1 if quick else N_WORLDS)
        print(*(steady_table if case.is_steady else step_table)({case: outcomes[case]}), sep="\n", flush=True)
    text = "\n".join([*steady_table(outcomes), "", *step_table(outcomes), "", *said_table(outcomes)])
    print(text)
    reports = "\n".join(report_table(outcomes))
    print(reports)
    if not quick:
        write_between(page, "aprons", text)
        write_between(page, "aprons-reports", reports)


if __name__ == "__main__":
    main()
