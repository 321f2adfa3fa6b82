"""The command `doctor`: threads, GPU and packages, and a check of the detector on them."""

from __future__ import annotations

import sys

import click

from sarship.cli.common import SOME_FAILED, as_json_option, print_json, tell

__all__ = ["doctor"]


@click.command()
@as_json_option
def doctor(as_json: bool) -> None:
    """List threads, GPU, driver and packages, and check the detector on them."""
    from sarship.cfar.selftest import EQUAL, check_up

    found = check_up()
    if as_json:
        print_json(found)
    else:
        width = max(map(len, found))
        for name, what in found.items():
            tell(f"{name:<{width}}  {what}")
    if not all(what.startswith(EQUAL) for name, what in found.items() if " against " in name):
        sys.exit(SOME_FAILED)
