"""Faults of products: their XML, their files, links and zips, and their images."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from builders.manifests import as_from_the_archive

from faults.mutations import damage_bytes, damage_json, damage_xml
from faults.outcomes import CHECKED, RAW, SAME, SENTENCE, SILENT, WARNED, Answer, Outcome, judge, listening, run
from sarship.detection import detect
from sarship.pipeline import read_results
from sarship.sentinel1 import open_grd
from sarship.sentinel1.verify import refuse_damage
from sarship.simulate import ProductParams, simulate_product

Damage = Callable[[Path, random.Random], Path]
"""Damages the product at a path, and returns the path to give."""
COUNTED_ANYWAY = 0.02
"""Part of the products that are counted whatever came of reading them, so that the reading is tried as well."""


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
    """Give the function that tries a damaged product.

    What is counted follows from what is read: metadata, tables and digital numbers. So a product that is refused when
    it is read has its sentence, one that reads as the sound one is the same, and one that warns has said so. Where
    reading is silent ships are looked for in all of the image; where that is silent too, either `--check` tells, or
    the piers are counted. Now and then the whole command runs whatever came of that.
    """
    with TemporaryDirectory() as folder:
        port, simulated = tiny_port(Path(folder), n_piers=1)
        product = as_from_the_archive(simulated)
        place = Path(folder, "case")
        case, out = place / product.name, place / "out"
        shutil.copytree(product, case)
        read, found, counted = _read(case), _detected(case), _counted(case, port, out)
        shutil.rmtree(place)

        def look(path: Path) -> Outcome:
            outcome = judge(lambda: _read(path), read)
            if outcome.kind != SILENT:
                return outcome
            told = judge(lambda: _detected(path), found)
            if told.kind not in {SAME, SILENT}:
                return told
            is_told = judge(lambda: Answer(refuse_damage(path) is None)).kind == SENTENCE
            return Outcome(CHECKED) if is_told else judge(lambda: _counted(path, port, out), counted)

        def attempt(chance: random.Random) -> Outcome:
            shutil.copytree(product, case)
            try:
                path = damage(case, chance)
                outcome = look(path)
                if chance.random() < COUNTED_ANYWAY:
                    outcome = _agreed(outcome, judge(lambda: _counted(path, port, out), counted))
                if outcome.kind in {SAME, SENTENCE} and chance.random() < 0.1:
                    other = judge(lambda: run(chance.choice(("info", "check")), path))
                    outcome = outcome if other.kind in {SAME, SENTENCE} else other
                return outcome
            finally:
                shutil.rmtree(place, ignore_errors=True)

        yield attempt


def _agreed(looked: Outcome, counted: Outcome) -> Outcome:
    """Return what came of looking at a product, if the command does not gainsay it."""
    expected = {CHECKED: {SILENT, SAME, WARNED}, WARNED: {WARNED, SAME, SENTENCE}}.get(looked.kind, {looked.kind})
    return looked if counted.kind in expected else Outcome(RAW, f"looked: {looked}; counted: {counted}")


def _read(path: Path) -> Answer:
    """Return all that a count reads of a product, wherever it lies."""
    with listening() as said:
        product = open_grd(path)
        product.check_polarizations()
        geometry = product.geometry
        pixels = [product.digital_numbers(name).tobytes() for name in product.polarizations]
    scene = replace(product.scene, assets={})
    facts = [scene, product.enl, product.resolution_m, product.ipf_version, geometry.shape, geometry.first_line]
    facts += [geometry.line_interval_s, geometry.line_spacing_m, geometry.ground_range.spacing_m]
    arrays = [geometry.orbit.coefficients, geometry.ground_range.lines, geometry.ground_range.coefficients]
    arrays += [geometry.ground_range.origins_m]
    tables = [(product.calibration(name), product.noise(name)) for name in product.polarizations]
    prf = product.annotation.prf_hz, product.annotation.radar_frequency_hz
    told = pickle.dumps((arrays, tables)), pixels, str(facts), prf
    return Answer((told, product.polarizations, product.has_noise, product.is_simulated), frozenset(said))


def _detected(path: Path) -> Answer:
    """Return what stands out in all of a product."""
    with listening() as said:
        hits = detect(open_grd(path))
    return Answer((hits.line.tolist(), hits.pixel.tolist(), hits.value.tolist()), frozenset(said))


def _counted(path: Path, port: Path, out: Path) -> Answer:
    """Return what the command counts in a product, to the metre."""
    answer = run("count", port, path, "--no-pictures", "--out", out)
    if answer.values is None:
        return answer
    results = read_results(out)
    digits = {"longitude": 5, "latitude": 5, "length_m": 0, "sigma0_co": 2, "sigma0_cross": 3}
    numbers = results.vessels[[*digits]].round(digits)
    seen = results.coverage[["pier", "seen", "detectable_length_m"]].round(1)
    when = results.scenes[["platform", "relative_orbit", "start"]].astype(str)
    tables = numbers, seen, when, results.counts["n_vessels"]
    return Answer([str(each.to_numpy().tolist()) for each in tables], answer.said)


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
