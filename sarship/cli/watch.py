"""The command that counts at many ports, into one archive."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sarship.cli.ais_options import ais_columns_of, refuse_bad_ais, survey_options
from sarship.cli.catalog_options import catalog_of, query_fields, query_options, refuse_both
from sarship.cli.common import (
    NOTHING_DONE,
    SOME_FAILED,
    as_json_option,
    maps_of,
    n_workers_of,
    params_of,
    print_json,
    products_option,
    say_failures,
    tell,
    workers_option,
)
from sarship.cli.progress import bars

if TYPE_CHECKING:
    from sarship.pipeline.first_pass import State, Step
    from sarship.pipeline.many_ports import Watched

__all__ = ["watch"]


@click.command()
@click.argument("port_files", metavar="PORT...", nargs=-1, required=True, type=click.Path())
@products_option
@query_options
@click.option("--out", required=True, type=click.Path(), help="Folder of the archive.")
@workers_option("Ports that are counted at once.")
@click.option("--scheduler", metavar="ADDRESS", help="Scheduler of a Dask cluster instead, like tcp://10.0.0.1:8786.")
@click.option(
    "--no-reference",
    is_flag=True,
    help="Count each image by itself: no second pass against an empty-port reference, which 4 dates of an orbit make.",
)
@click.option("--check", is_flag=True, help="Verify every file of a product on disk first, pixels too.")
@click.option(
    "--keep-products",
    "keeps_products",
    is_flag=True,
    help="Keep products that the catalogue gives whole, in products/ of the archive; else their images are removed "
    "when no port needs them any more.",
)
@click.option("--mixed", is_flag=True, help="Write beside tables of another version whose columns differ.")
@survey_options
@as_json_option
def watch(*, port_files: tuple[str, ...], products: tuple[str, ...], out: str, as_json: bool, **options: Any) -> None:
    """Count the vessels at the piers of every PORT, and keep all tables in one archive.

    A PORT is a port file, or the name of a port whose piers ship with sarship. Each is counted as `sarship count` does:
    in the scenes that a catalogue has of it from --from to --to, or in products on disk, --products.

    Run again to go on after a stop, or with a later --to. Tables are GeoParquet, a folder a port and year; what failed
    is listed in failed.csv of the archive, and stops nothing else.
    """
    from sarship.pipeline import SurveyOptions
    from sarship.pipeline import watch as watch_ports
    from sarship.pipeline.port_plans import Wanted
    from sarship.pipeline.worker_pools import cluster

    if products:
        refuse_both(options)
    elif not (options["start"] and options["end"]):
        raise click.UsageError("give the period with --from and --to to ask a catalogue for, or --products")
    if options["workers"] and options["scheduler"]:
        raise click.UsageError("give --workers or --scheduler, not both: a cluster has workers of its own")
    refuse_bad_ais(options)
    period = {name: options[name] for name in ("start", "end") if options[name]}
    catalog = None if products else catalog_of(*options["catalog_names"])
    if catalog is not None and not catalog.reads_windows:
        once = "about a gigabyte each, once for all ports that they show"
        tell(f"note: scenes are downloaded whole into {out}/products, {once}", err=True)
    surveys = SurveyOptions(
        params=params_of(options),
        reference=not options["no_reference"],
        check=options["check"],
        maps=maps_of(options),
        ais=options["ais"],
        ais_columns=ais_columns_of(options),
    )
    workers = nullcontext() if options["scheduler"] is None else cluster(options["scheduler"])
    with bars("watch", "ports") as (report, _), workers as executor:
        watched = watch_ports(
            port_files,
            out,
            wanted=Wanted(**period, filters=query_fields(options)),
            catalog=catalog,
            against=catalog_of(options["against"]) if options["against"] else None,
            products=products,
            options=surveys,
            n_workers=n_workers_of(options, len(port_files)),
            executor=executor,
            is_mixed=options["mixed"],
            keeps_products=options["keeps_products"],
            progress=lambda outcome, done, total: report(
                _step(outcome.port, done, total, "failed" if outcome.error else "searched")
            ),
            waits=lambda port, for_what, done, total: report(_step(port, done, total, "waiting", for_what)),
        )
    _tell(watched, out, as_json)
    if not watched.is_whole:
        sys.exit(SOME_FAILED if watched.n_counted else NOTHING_DONE)


def _step(port: str, done: int, total: int, state: State, message: str = "") -> Step:
    from sarship.pipeline.first_pass import Step

    return Step(done=done, total=total, path=port, state=state, message=message)


def _tell(watched: Watched, out: str, as_json: bool) -> None:
    """Print what was counted, and name what failed."""
    if as_json:
        ports = [asdict(outcome) for outcome in watched.ports]
        print_json({"archive": out, "ports": ports, "unreadable": [asdict(each) for each in watched.unreadable]})
    else:
        n_scenes, n_vessels = (sum(getattr(each, name) for each in watched.ports) for name in ("n_scenes", "n_vessels"))
        counted = f"{watched.n_counted} of {len(watched.ports)} ports were counted"
        tell(f"{counted}, in {n_scenes:,} scenes, with {n_vessels:,} vessels; the tables are in {out}")
    say_failures(watched.unreadable)
    for outcome in watched.ports:
        for failure in outcome.failures:
            named = [each for each in (outcome.port, failure.path) if each and each not in failure.message]
            tell(f"failed: {': '.join([*named, failure.message])}", err=True)
    if not watched.is_whole:
        tell(f"{Path(out, 'failed.csv')} lists what failed", err=True)
