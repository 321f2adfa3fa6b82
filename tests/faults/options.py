"""Faults of calls: options of all commands with values that nobody means."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch
from urllib.request import Request, urlopen

import click

from faults.mutations import NUMBERS
from faults.mutations import TEXTS as ANY_TEXTS
from faults.outcomes import Outcome, judge, run
from faults.products import tiny_port
from sarship.cli import main

SKIPPED = {"demo", "doctor", "login"}
"""Commands without a product, a port or a catalogue: they take long, or ask."""
LEFT = {"gpu", "no_browser"}
"""Options that are not tried: what few machines have, and what would wait for a page that nobody opens."""
FOLDERS = ("/dev/full", "/dev/null", "/proc/x", "a\nb", "x" * 300, "", "\x1b[2J", "a/b")
"""Beside the case, or where nothing can be written."""
PLACES = (".", "/nowhere/x", *FOLDERS)
TEXTS = ("\udcff", *(text for text in ANY_TEXTS if "\0" not in text and len(text) < 1000))
"""Those that a shell can pass."""
CATALOGS = (
    "planetary=http://[::1",
    "local=/nowhere",
    "local=",
    "nonsense",
    "=",
    "asf=ftp://x",
    "cdse=http://[",
    "dhus=",
)
AREAS = ("nan,nan,nan,nan", "0,0,0,0", "-180,-90,180,90", "inf,0,1,1", "1,2,3", "180,-90,-180,90", "35.7,34.8,35.9,35")
DAYS = ("0001-01-01", "9999-12-31", "2024-02-30", "now", "2024-12-01T00:00:60", "2024-12-01+99:00", "-1")
NAMES = ("S1A_IW_GRDH_1SDV_20241303T154210_20241203T154211_056821_06EFA2_2321", "S1A_" + "9" * 70, "45003", "Tartus")


@contextmanager
def options() -> Iterator[Callable[[random.Random], Outcome]]:
    """Give the function that tries a call: any answer is right that is no traceback."""
    with TemporaryDirectory() as folder:
        port, product = tiny_port(Path(folder), n_piers=1)

        def attempt(chance: random.Random) -> Outcome:
            place = Path(folder, "case")
            place.mkdir()
            try:
                call = _call(chance, port, product, place)
                with chdir(place), patch("webbrowser.open", _finish):
                    outcome = judge(lambda: run(*call))
                return Outcome(outcome.kind, f"{outcome.detail} {[str(part)[:40] for part in call]}")
            finally:
                shutil.rmtree(place, ignore_errors=True)

        yield attempt


def _finish(address: str) -> bool:
    """End the editor of port files as its page does."""
    origin, secret, _ = address.rsplit("/", 2)
    headers = {"Origin": origin, "Content-Type": "application/json"}
    urlopen(Request(f"{origin}/{secret}/done", b"{}", headers)).close()
    return True


def _call(chance: random.Random, port: Path, product: Path, place: Path) -> list[object]:
    commands = _commands(main)
    name = chance.choice(sorted(commands))
    sound: dict[str, list[object]] = {
        "count": [port, product, "--no-pictures", "--out", place / "out"],
        "watch": [port, "--products", product, "--no-reference", "--workers", "1", "--out", place / "out"],
        "grid": [port, product, "--out", place / "grid.tif"],
        "detect": [product],
        "info": [product],
        "check": [product],
        "port preview": [port, product, "--out", place / "port.png"],
        "port edit": [port, product],
        "port new": ["Tartus", "--no-map", "--out", place / "new.geojson"],
        "search": [port, "--from", "2024-12-01", "--to", "2024-12-31", "--catalog", f"local={product.parent}"],
        "passes": ["Tartus", "--plan", product.parent],
        "report": [product.parent, "--out", place / "page.html"],
        "download": [port, "--from", "2024-12-01", "--to", "2024-12-31", "--catalog", f"local={product.parent}"],
    }
    call: list[object] = [*name.split(), *sound[name]]
    if name == "download":
        call += ["--into", place / "into"]
    if chance.random() < 0.2:
        call[len(name.split())] = chance.choice((*PLACES, *NAMES, *TEXTS))
    given = [each for each in commands[name].params if isinstance(each, click.Option) and each.name not in LEFT]
    for option in chance.sample(given, min(len(given), chance.choice((1, 1, 2)))):
        flag = option.opts[0]
        call += [flag] if option.is_flag else [flag, _value(option, chance)]
    return call


def _commands(group: click.Group, above: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= _commands(command, f"{name} ")
        elif name not in SKIPPED:
            found[above + name] = command
    return found


def _value(option: click.Option, chance: random.Random) -> object:  # noqa: PLR0911  (a table)
    if option.name == "workers":  # more than one port's are processes, each of which loads all of sarship
        return chance.choice(("1", "0", "-1", "nan", "1e9", ""))
    if option.name in {"area", "bbox"}:
        return chance.choice(AREAS)
    if option.name == "interval":
        return "/".join(chance.choices((*DAYS, "..", ""), k=chance.choice((1, 2, 2, 3))))
    if option.name in {"catalog_names", "against"}:
        return chance.choice(CATALOGS)
    if option.name in {"start", "end"}:
        return chance.choice((*DAYS, *TEXTS[:5]))
    if isinstance(option.type, click.Choice):
        return chance.choice((*option.type.choices, "nonsense", ""))
    if option.name == "into" or (option.name == "out" and option.required):
        return chance.choice(FOLDERS)
    if isinstance(option.type, click.Path):
        return chance.choice(("/", *PLACES, *(f"/nowhere/x{end}" for end in (".png", ".csv", ".geojson", ".parquet"))))
    return chance.choice((*NUMBERS, "1e-300", "1e-5", "3", "-5", "1000000"))
