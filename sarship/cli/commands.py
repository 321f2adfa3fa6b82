"""The group of all commands.

Exit status: 0 if all is well; 1 if some products failed, or a check found a fault, and the rest was done; 2 if nothing
was done, because of the input or the call; 130 if interrupted. Results go to standard output, everything else to
standard error. Heavy modules load when a command needs them, so that help is quick.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

import click

from sarship._package import __version__
from sarship.cli.common import Commands
from sarship.cli.count import count
from sarship.cli.doctor import doctor
from sarship.cli.fetch import download, login, passes, search
from sarship.cli.ports import port
from sarship.cli.products import check, demo, detect, grid, info
from sarship.cli.report import report
from sarship.cli.watch import watch

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sarship")
def main() -> None:
    """Count the vessels at a port's piers from Sentinel-1 radar images.

    The exit status is 0 if all is well, 1 if some products failed and the rest was done, 2 if nothing was done.
    """
    if isinstance(sys.stdout, TextIOWrapper):  # a name may have letters that the code page of a terminal or pipe lacks
        sys.stdout.reconfigure(errors="replace")
    os.environ["MPLBACKEND"] = "agg"  # a notebook names a backend that may not be installed beside the command


for _command in (demo, info, check, grid, port, detect, search, passes, download, count, watch, report, login, doctor):
    main.add_command(_command)
