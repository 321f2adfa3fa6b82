"""The command: parse, one call, print.

Exit codes: 0 all is well; 1 some products failed, or a check found a fault, and the rest was done; 2 nothing was done,
because of the input or the way it was called; 130 interrupted. Results go to standard output, everything else to
standard error. Heavy modules load when a command needs them, so that help is quick.
"""

from __future__ import annotations

import click

from sarship._package import __version__
from sarship.cli.common import Commands
from sarship.cli.count import count
from sarship.cli.doctor import doctor
from sarship.cli.fetch import download, login, search
from sarship.cli.products import check, demo, detect, info, port

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sarship")
def main() -> None:
    """Count the vessels at a port's piers from Sentinel-1 radar images."""


for _command in (demo, info, check, port, detect, search, download, count, login, doctor):
    main.add_command(_command)
