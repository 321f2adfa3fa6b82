"""Faults of products: their XML, their files, links and zips, and their images."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from faults.mutations import damage_bytes, damage_json, damage_xml
from faults.outcomes import SAME, SENTENCE, SILENT, Answer, Outcome, judge, listening, run
from sarship.pipeline import search
from sarship.port.port_file import Port, read_port
from sarship.simulate import ProductParams, simulate_product

Damage = Callable[[Path, random.Random], Path]
"""Damages the product at a path, and returns the path to give."""


def tiny_port(folder: Path, n_piers: int = 3) -> tuple[Path, Path]:
    """Simulate a product of 160 x 200 pixels with three vessels, at a pier each; return the port file and it."""
    product, truth = simulate_product(folder, ProductParams(shape=(160, 200)), n_vessels=3, seed=11)
    features = [
        {
            "type": "Feature",
            "properties": {"name": f"Quay {number}", "kind": "pier"},
            "geometry": {"type": "LineString", "coordinates": [[lon, lat - 0.0008], [lon, lat + 0.0008]]},
        }
        for number, (lon, lat) in enumerate(zip(truth["longitude"], truth["latitude"], strict=True), 1)
    ]
    port = folder / "port.geojson"
    port.write_text(json.dumps({"type": "FeatureCollection", "features": features[:n_piers]}))
    return port, product


@contextmanager
def products(damage: Damage) -> Iterator[Callable[[random.Random], Outcome]]:
    """Give the function that tries a damaged product: searched, and now and then described and checked."""
    with TemporaryDirectory() as folder:
        port_file, product = tiny_port(Path(folder))
        port = read_port(port_file)
        truth = _look(product, port)

        def attempt(chance: random.Random) -> Outcome:
            place = Path(folder, "case")
            shutil.copytree(product, place / product.name)
            try:
                path = damage(place / product.name, chance)
                outcome = judge(lambda: _look(path, port), truth)
                if outcome.kind in {SAME, SENTENCE} and chance.random() < 0.3:
                    other = judge(lambda: run(chance.choice(("info", "check")), path))
                    outcome = outcome if other.kind in {SAME, SENTENCE} else other
                if outcome.kind == SILENT and judge(lambda: run("check", path)).kind == SENTENCE:
                    return Outcome(SILENT, "only `check` tells")
                return outcome
            finally:
                shutil.rmtree(place, ignore_errors=True)

        yield attempt


def _look(path: Path, port: Port) -> Answer:
    """Return what a survey would count of a product, to the metre."""
    with listening() as said:
        results = search([path], port=port)
    said |= {failure.message for failure in results.failures}
    if results.failures:
        return Answer(None, frozenset(said))
    digits = {"longitude": 5, "latitude": 5, "length_m": 0, "sigma0_co": 2, "sigma0_cross": 3}
    numbers = results.vessels[[*digits]].round(digits)
    seen = results.coverage[["pier", "seen", "detectable_length_m"]].round(1)
    when = results.scenes[["platform", "relative_orbit", "start"]].astype(str)
    tables = numbers, seen, when, results.counts["n_vessels"]
    return Answer([str(each.to_numpy().tolist()) for each in tables], frozenset(said))


def xml(product: Path, chance: random.Random) -> Path:
    """Damage one XML file."""
    path = chance.choice(sorted(product.rglob("*.xml")) + [product / "manifest.safe"] * 3)
    path.write_bytes(damage_xml(path.read_bytes(), chance))
    return product


def files(product: Path, chance: random.Random) -> Path:
    """Remove, empty, exchange, link or rename files, or zip the product and damage the zip."""
    every = sorted(path for path in product.rglob("*") if path.is_file())
    one, other = chance.sample(every, 2)
    outside = product.parent / "outside"
    outside.write_bytes(one.read_bytes())
    kind = chance.choice(("remove", "empty", "exchange", "channels", "copy", "link", "folder", "fifo", "rename"))
    if chance.random() < 0.5:
        return _zipped(product, chance)
    if kind == "empty":
        one.write_bytes(b"")
    elif kind in {"exchange", "channels"}:
        if kind == "channels":
            one = chance.choice([path for path in every if "-vv-" in path.name])
            other = next(path for path in every if path.name[:-8] == one.name[:-8].replace("-vv-", "-vh-"))
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)
    elif kind == "copy":
        one.write_bytes(other.read_bytes())
    elif kind == "rename":
        renamed = product.with_name(chance.choice(("a b.SAFE", "x\n.SAFE", "$\\frac{$.SAFE", "港.SAFE", "x" * 200)))
        return product.rename(renamed)
    else:
        one.unlink()
        if kind == "link":
            one.symlink_to(chance.choice((outside, one, Path("/dev/zero"), product, Path("/nowhere"))))
        elif kind == "folder":
            one.mkdir()
        elif kind == "fifo":
            os.mkfifo(one)
    return product


def _zipped(product: Path, chance: random.Random) -> Path:
    place = product.with_suffix(".zip")
    method = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    kind = chance.choice(("bytes", "bytes", "header", "method", "names", "twice", "info"))
    with zipfile.ZipFile(place, "w", method) as archive:
        for path in sorted(product.rglob("*")):
            name = path.relative_to(product.parent).as_posix()
            if kind == "names" and chance.random() < 0.3:
                name = chance.choice(("../" + name, "/" + name, name.replace("/", "\\"), name + "\x01", name.upper()))
            archive.write(path, name)
            if kind == "twice" and chance.random() < 0.3:
                archive.writestr(f"other/{path.name}", path.read_bytes() if path.is_file() else b"")
        if kind == "info":
            renamed = {path.name: other.name for path, other in zip(*[sorted(product.rglob("*.*"))] * 2, strict=True)}
            info = json.dumps({"filenameMap": renamed}).encode()
            archive.writestr(f"{product.name}/productInfo.json", damage_json(info, chance))
    content = bytearray(place.read_bytes())
    if kind == "header":
        content[chance.randrange(len(content) - 4000, len(content))] ^= 1 << chance.randrange(8)
    elif kind == "method":
        for start in (content.find(b"PK\x01\x02"), content.rfind(b"PK\x01\x02")):
            content[start + 10 : start + 12] = struct.pack("<H", chance.choice((9, 12, 14, 93, 95, 98, 99)))
    place.write_bytes(damage_bytes(bytes(content), chance) if kind == "bytes" else bytes(content))
    return place


def images(product: Path, chance: random.Random) -> Path:
    """Damage an image: its header, its tags, its pixels, or all of it."""
    path = chance.choice(sorted(product.glob("measurement/*")))
    data = bytearray(path.read_bytes())
    directory = struct.unpack("<I", data[4:8])[0]
    kind = chance.choice(("bytes", "header", "tags", "tags", "zero", "half", "dark", "noise", "replace", "other"))
    if kind == "bytes":
        data = bytearray(damage_bytes(bytes(data), chance))
    elif kind == "header":
        data[chance.randrange(8)] ^= 1 << chance.randrange(8)
    elif kind == "tags":
        data[min(directory + chance.randrange(200), len(data) - 1)] = chance.randrange(256)
    elif kind == "replace":
        data = bytearray(chance.choice((b"\x89PNG\r\n", b"II*\0", b"<html>busy</html>", b"\x1f\x8b")) + bytes(1000))
    elif kind == "other":
        _write_other(path, chance)
        return product
    else:
        _repaint(path, kind, chance)
        return product
    path.write_bytes(data)
    return product


def _write_other(path: Path, chance: random.Random) -> None:
    """Write a TIFF of another type, size or number of bands."""
    import rasterio  # noqa: PLC0415  (heavy, and needed here alone)

    dtype, shape, count = chance.choice(
        (("float32", (160, 200), 1), ("uint16", (160, 199), 1), ("uint16", (160, 200), 2))
    )
    options = {"driver": "GTiff", "height": shape[0], "width": shape[1], "count": count, "dtype": dtype}
    with rasterio.open(path, "w", **options) as dataset:
        dataset.write(np.full((count, *shape), 100, dtype))


def _repaint(path: Path, kind: str, chance: random.Random) -> None:
    """Write other pixels into a sound TIFF."""
    import rasterio  # noqa: PLC0415  (heavy, and needed here alone)

    with rasterio.open(path, "r+") as dataset:
        pixels = dataset.read(1)
        first = chance.randrange(pixels.shape[0])
        if kind == "zero":
            pixels[:] = 0
        elif kind == "half":
            pixels[first:] = 0
        elif kind == "dark":
            pixels //= 20
        else:
            pixels[first : first + 5] = chance.randrange(2**16)
        dataset.write(pixels, 1)
