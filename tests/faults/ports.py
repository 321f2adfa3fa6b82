"""Faults of port files: their JSON, their texts and their places."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from faults.mutations import TEXTS, damage_json
from faults.outcomes import RAW, SAME, SENTENCE, Answer, Outcome, judge, run
from faults.products import tiny_port
from sarship.port.port_file import read_port


@contextmanager
def port_files() -> Iterator[Callable[[random.Random], Outcome]]:
    """Give the function that tries a damaged port file: any answer is right that is no traceback.

    Every command reads the port before all else, so one that is refused when it is read needs no command; now and then
    it gets one nevertheless. A port of 30 km and more takes the command many seconds, and gets it one time in ten.
    """
    with TemporaryDirectory() as folder:
        port, product = tiny_port(Path(folder), n_piers=1)
        sound = json.loads(port.read_bytes())

        def attempt(chance: random.Random) -> Outcome:
            place = Path(folder, "case")
            place.mkdir()
            path = place / "port.geojson"
            path.write_bytes(_damaged(sound, chance))
            commands: tuple[tuple[object, ...], ...] = (
                ("count", path, product, "--out", place / "out", "--no-pictures"),
                ("detect", product, "--port", path, "--out", place / "vessels.csv"),
                ("search", path, "--from", "2024-12-01", "--to", "2024-12-31", "--catalog", f"local={folder}"),
            )
            try:
                extents: list[float] = []
                outcome = judge(lambda: Answer(extents.append(_extent_deg(path)) is None))
                if outcome.kind == SAME and (extents[0] < 0.3 or chance.random() < 0.1):
                    return judge(lambda: run(*chance.choice(commands)))
                if outcome.kind == SENTENCE and chance.random() < 0.02:
                    ran = judge(lambda: run(*chance.choice(commands)))
                    return ran if ran.kind != SAME else Outcome(RAW, f"the command takes what was refused: {outcome}")
                return outcome
            finally:
                shutil.rmtree(place, ignore_errors=True)

        yield attempt


def _extent_deg(path: Path) -> float:
    west, south, east, north = read_port(path).area.bounds
    return max(east - west, north - south)


def _damaged(sound: dict[str, Any], chance: random.Random) -> bytes:
    tree = json.loads(json.dumps(sound))
    if chance.random() < 0.4:
        return damage_json(json.dumps(tree).encode(), chance)
    name = chance.choice((*TEXTS, *["Mole"] * 2 * len(TEXTS)))
    properties = {"name": name, "kind": chance.choice(("pier", "anchorage", "water", "land", "exclude"))}
    if chance.random() < 0.3:
        properties |= {"max_distance_m": chance.choice((0, 1e-9, 20_000, 50))}
    if chance.random() < 0.2:
        tree["name"] = chance.choice(TEXTS)
    tree["features"].append({"type": "Feature", "properties": properties, "geometry": _geometry(tree, chance)})
    return json.dumps(tree).encode()


def _geometry(tree: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return the whole world, a pole, the antimeridian, a ring of many points, or something small or crossed."""
    lon, lat = tree["features"][0]["geometry"]["coordinates"][0]
    lon, lat = chance.choice(((lon, lat), (0, 90), (180, 0), (-180, -90), (179.999, 70), (lon + 3, lat + 3)))
    size = chance.choice((1e-12, 1e-3, 1, 40, 360))
    number = chance.choice((1, 3, 4, 300))
    turns = [2 * math.pi * k / number * chance.choice((1, 1, 2)) for k in range(number)]
    points = [[lon + size * math.cos(turn), lat + size * math.sin(turn)] for turn in turns]
    points = [[max(-180, min(180, x)), max(-90, min(90, y))] for x, y in points]
    world = [[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]
    return chance.choice(
        (
            {"type": "Polygon", "coordinates": [[*points, points[0]]]},
            {"type": "Polygon", "coordinates": [world]},
            {"type": "MultiPolygon", "coordinates": [[[*points, points[0]]], [world]]},
            {"type": "LineString", "coordinates": points},
            {"type": "Point", "coordinates": points[0]},
            {"type": "MultiPoint", "coordinates": points},
        )
    )
