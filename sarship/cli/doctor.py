"""The command `doctor`: threads, GPU and packages, and a check of the detector on them."""

from __future__ import annotations

import sys

import click

from sarship.cli.common import SOME_FAILED, as_json_option, print_json, tell

__all__ = ["doctor"]


@click.command()
@click.option("--compile", "compiles", is_flag=True, help="First compile the detector for every clutter model.")
@as_json_option
def doctor(compiles: bool, as_json: bool) -> None:
    """List threads, GPU, driver and packages, and check the detector on them.

    The detector is compiled where it is first used, and kept. --compile does it ahead, as for the image of a container.
    """
    from sarship import cfar
    from sarship.cfar.selftest import EQUAL, check_up

    if compiles:
        cfar.warm_up(every_kernel=True)
    found = check_up()
    if as_json:
        print_json(found)
    else:
        width = max(map(len, found))
        for name, what in found.items():
            tell(f"{name:<{width}}  {what}")
    if not all(what.startswith(EQUAL) for name, what in found.items() if " against " in name):
        sys.exit(SOME_FAILED)
