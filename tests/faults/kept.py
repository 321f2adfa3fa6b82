"""Faults of what a survey keeps: the scenes on the port's grid, and the references."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr

from faults.mutations import damage_bytes, damage_json
from faults.outcomes import Answer, Outcome, judge
from sarship.change.reference import fit_reference
from sarship.errors import ReferenceImageError
from sarship.port.grid import PortGrid
from sarship.port.stack import add_scene, has_scene, read_reference, read_scene, read_stack, write_reference

GRID = PortGrid(crs="EPSG:32636", west_m=0.0, north_m=0.0, shape=(40, 50))
MARK = "mark"


def _stack_of(folder: Path) -> None:
    """Keep five dates of a calm sea."""
    rng = np.random.default_rng(0)
    for day in range(5):
        values = rng.gamma(4.4, 0.01, (2, *GRID.shape)).astype(np.float32)
        time = np.datetime64("2024-12-03T15:42:10", "ns") + np.timedelta64(12 * day, "D")
        facts = {"scene": f"S1A_{day}", "platform": "S1A", "relative_orbit": 94, "orbit_pass": "ascending"}
        add_scene(folder, f"S1A_{day}", GRID.image(values, ["VV", "VH"], time=time, incidence=38.0, **facts), MARK)


@contextmanager
def scenes(damage: Callable[[Path, random.Random], None]) -> Iterator[Callable[[random.Random], Outcome]]:
    """Give the function that tries a damaged scene: a survey grids it again, or reads what was written."""
    with TemporaryDirectory() as folder:
        sound = Path(folder, "stack")
        _stack_of(sound)
        truth = Answer(_bytes_of(read_scene(sound, "S1A_0")))

        def attempt(chance: random.Random) -> Outcome:
            case = Path(folder, "case")
            shutil.copytree(sound / "S1A_0.zarr", case / "S1A_0.zarr")
            try:
                damage(case / "S1A_0.zarr", chance)
                return judge(lambda: _kept(case), truth)
            finally:
                shutil.rmtree(case, ignore_errors=True)

        yield attempt


def _kept(folder: Path) -> Answer:
    if not has_scene(folder, "S1A_0", MARK):
        raise ReferenceImageError("it is gridded again")
    return Answer(_bytes_of(read_scene(folder, "S1A_0")))


def _bytes_of(image: xr.DataArray) -> tuple[bytes, str]:
    return image.to_numpy().tobytes(), str(image.coords)


def chunks(scene: Path, chance: random.Random) -> None:
    """Damage, remove or exchange chunks of pixels."""
    every = sorted(path for path in scene.rglob("*") if path.is_file() and path.name != "zarr.json")
    one, other = chance.sample(every, 2)
    if chance.random() < 0.7:  # the axes are there for other readers
        one, other = chance.sample([path for path in every if path.parts[-4] in {"VV", "VH"}], 2)
    kind = chance.choice(("bytes", "bytes", "remove", "exchange"))
    if kind == "remove":
        one.unlink()
        return
    one.write_bytes(other.read_bytes() if kind == "exchange" else damage_bytes(one.read_bytes(), chance))


def headers(scene: Path, chance: random.Random) -> None:
    """Damage or remove a JSON file."""
    path = chance.choice(sorted(scene.rglob("zarr.json")))
    if chance.random() < 0.1:
        path.unlink()
    else:
        path.write_bytes(damage_json(path.read_bytes(), chance))


@contextmanager
def references() -> Iterator[Callable[[random.Random], Outcome]]:
    """Give the function that tries a damaged reference: a survey fits it again, or reads what was written."""
    with TemporaryDirectory() as folder:
        stack, path = Path(folder, "stack"), Path(folder, "orbit_094.nc")
        _stack_of(stack)
        write_reference(fit_reference(read_stack(stack)), path)
        sound = path.read_bytes()
        truth = _reference(path)

        def attempt(chance: random.Random) -> Outcome:
            path.write_bytes(damage_bytes(sound, chance))
            return judge(lambda: _reference(path), truth)

        yield attempt


def _reference(path: Path) -> Answer:
    reference = read_reference(path)
    kept = {str(name): each.to_numpy().tobytes() for name, each in reference.variables.items() if each.dtype != object}
    return Answer((kept, str(sorted((name, str(each)) for name, each in reference.attrs.items() if name != "history"))))
