"""Gains and thermal noise against the vectors evaluated directly, one pixel at a time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sarship.errors import ProductError
from sarship.model import Window
from sarship.sentinel1.calibration import border_power_at, read_calibration, read_noise
from sarship.sentinel1.safe import open_safe


@dataclass
class Vector:
    line: int
    pixels: list[int]
    values: list[float]


@dataclass
class Block:
    swath: str
    lines: tuple[int, int]
    """First and last, as in the file."""
    pixels: tuple[int, int]
    at: list[int]
    factors: list[float]


def text(values: list[int] | list[float]) -> str:
    return " ".join(str(value) for value in values)


def calibration_xml(vectors: list[Vector]) -> bytes:
    items = "".join(
        f"<calibrationVector><line>{v.line}</line><pixel>{text(v.pixels)}</pixel>"
        f"<sigmaNought>{text(v.values)}</sigmaNought><betaNought>{text([2 * x for x in v.values])}</betaNought>"
        f"<gamma>{text([3 * x for x in v.values])}</gamma></calibrationVector>"
        for v in vectors
    )
    return f"<calibration><calibrationVectorList>{items}</calibrationVectorList></calibration>".encode()


def noise_xml(vectors: list[Vector], blocks: list[Block] | None) -> bytes:
    kind, lut = ("noiseVector", "noiseLut") if blocks is None else ("noiseRangeVector", "noiseRangeLut")
    rows = "".join(
        f"<{kind}><line>{v.line}</line><pixel>{text(v.pixels)}</pixel><{lut}>{text(v.values)}</{lut}></{kind}>"
        for v in vectors
    )
    parts = "".join(
        f"<noiseAzimuthVector><swath>{b.swath}</swath>"
        f"<firstAzimuthLine>{b.lines[0]}</firstAzimuthLine><lastAzimuthLine>{b.lines[1]}</lastAzimuthLine>"
        f"<firstRangeSample>{b.pixels[0]}</firstRangeSample><lastRangeSample>{b.pixels[1]}</lastRangeSample>"
        f"<line>{text(b.at)}</line><noiseAzimuthLut>{text(b.factors)}</noiseAzimuthLut></noiseAzimuthVector>"
        for b in blocks or ()
    )
    return f"<noise>{rows}{parts}</noise>".encode()


# --- the direct evaluation: one pixel, scalar arithmetic, nothing shared with the code under test -------------------


def along(xs: list[int], ys: list[float], x: float) -> float:
    if x <= xs[0]:
        return ys[0]
    for k in range(1, len(xs)):
        if x <= xs[k]:
            return ys[k - 1] + (ys[k] - ys[k - 1]) * (x - xs[k - 1]) / (xs[k] - xs[k - 1])
    return ys[-1]


def between(vectors: list[Vector], line: float, pixel: float) -> float:
    ordered = sorted(vectors, key=lambda v: v.line)
    return along([v.line for v in ordered], [along(v.pixels, v.values, pixel) for v in ordered], line)


def direct_noise(vectors: list[Vector], blocks: list[Block], line: int, pixel: int) -> float:
    for block in blocks:
        if block.lines[0] <= line <= block.lines[1] and block.pixels[0] <= pixel <= block.pixels[1]:
            own = []
            for v in vectors:
                row = min(max(v.line, min(b.lines[0] for b in blocks)), max(b.lines[1] for b in blocks))
                here = [b for b in blocks if b.swath == block.swath and b.lines[0] <= row <= b.lines[1]]
                inside = [k for k, x in enumerate(v.pixels) if here and here[0].pixels[0] <= x <= here[0].pixels[1]]
                if inside:
                    own.append(Vector(v.line, [v.pixels[k] for k in inside], [v.values[k] for k in inside]))
            return between(own or vectors, line, pixel) * along(block.at, block.factors, line)
    return between(vectors, line, pixel)


VECTORS = [
    Vector(-3, [0, 4, 9, 19], [10.0, 14.0, 9.0, 30.0]),
    Vector(5, [0, 7, 19], [20.0, 27.0, 13.0]),
    Vector(31, [0, 10, 19], [40.0, 5.0, 8.0]),
]
SWATHS = [  # two swaths; the second begins on line 6, and the seam moves with it
    Vector(0, [0, 5, 12, 13, 19], [100.0, 120.0, 110.0, 0.0, 0.0]),
    Vector(4, [0, 6, 12, 13, 19], [104.0, 121.0, 111.0, 0.0, 0.0]),
    Vector(8, [0, 7, 9, 10, 19], [108.0, 122.0, 112.0, 300.0, 340.0]),
    Vector(20, [0, 8, 9, 10, 19], [109.0, 123.0, 113.0, 310.0, 350.0]),
]
BLOCKS = [
    Block("IW1", (0, 5), (0, 12), [0, 3], [1.0, 1.3]),
    Block("IW1", (6, 15), (0, 9), [6, 10, 15], [2.0, 1.5, 1.1]),
    Block("IW2", (6, 15), (10, 19), [6, 12], [0.7, 0.9]),
]
WHOLE = Window(0, 16, 0, 20)


def test_gain_is_bilinear() -> None:
    gain = read_calibration(calibration_xml(VECTORS), "c.xml").gain("sigma0", Window(0, 40, 0, 25))
    expected = [[between(VECTORS, line, pixel) for pixel in range(25)] for line in range(40)]
    np.testing.assert_allclose(gain, expected, rtol=1e-13)
    assert gain.dtype == np.float64


def test_beta0_and_gamma0_have_their_own_tables() -> None:
    tables = read_calibration(calibration_xml(VECTORS), "c.xml")
    sigma = tables.gain("sigma0", WHOLE)
    np.testing.assert_allclose(tables.gain("beta0", WHOLE), 2 * sigma)
    np.testing.assert_allclose(tables.gain("gamma0", WHOLE), 3 * sigma)


def test_noise_of_the_old_format() -> None:
    noise = read_noise(noise_xml(VECTORS, None), "n.xml")
    expected = [[between(VECTORS, line, pixel) for pixel in range(20)] for line in range(16)]
    np.testing.assert_allclose(noise.power(WHOLE), expected, rtol=1e-13)
    assert not noise.is_zero


def test_noise_of_the_new_format_in_every_swath_block() -> None:
    power = read_noise(noise_xml(SWATHS, BLOCKS), "n.xml").power(WHOLE)
    expected = [[direct_noise(SWATHS, BLOCKS, line, pixel) for pixel in range(20)] for line in range(16)]
    np.testing.assert_allclose(power, expected, rtol=1e-13)


def test_noise_of_a_swath_does_not_ramp_up_from_where_it_is_not_imaged() -> None:
    """Line 6 lies halfway between a vector of zeros and the first of the second swath."""
    power = read_noise(noise_xml(SWATHS, BLOCKS), "n.xml").power(WHOLE)
    assert power[6, 10] == pytest.approx(300.0 * 0.7)
    assert power[6, 9] == pytest.approx((116.0 + 112.0) / 2 * 2.0)
    assert power[6, 11:].min() > 0.7 * 300


def test_each_block_has_its_own_azimuth_factor() -> None:
    flat = [Vector(0, [0, 19], [1.0, 1.0]), Vector(15, [0, 19], [1.0, 1.0])]
    power = read_noise(noise_xml(flat, BLOCKS), "n.xml").power(WHOLE)
    assert power[0, 0] == 1.0
    assert power[6, 0] == 2.0
    assert power[6, 19] == 0.7
    assert power[15, 19] == 0.9
    assert power[0, 19] == 1.0  # no swath there: range noise alone


def test_stripmap_has_range_noise_alone() -> None:
    noise = read_noise(noise_xml(VECTORS, []), "n.xml")
    assert noise.power(WHOLE)[3, 8] == pytest.approx(between(VECTORS, 3, 8))


def test_one_vector_holds_for_the_whole_image() -> None:
    gain = read_calibration(calibration_xml(VECTORS[:1]), "c.xml").gain("sigma0", WHOLE)
    np.testing.assert_array_equal(gain, np.broadcast_to(gain[0], gain.shape))


def test_all_zero_noise_is_flagged() -> None:
    assert read_noise(noise_xml([Vector(0, [0, 9], [0.0, 0.0])], None), "n.xml").is_zero


@st.composite
def windows(draw: st.DrawFn) -> Window:
    line, pixel = draw(st.integers(0, 14)), draw(st.integers(0, 18))
    return Window(line, draw(st.integers(line + 1, 16)), pixel, draw(st.integers(pixel + 1, 20)))


@given(windows())
def test_a_window_is_the_same_part_of_the_whole(window: Window) -> None:
    part = np.s_[window.line_start : window.line_stop, window.pixel_start : window.pixel_stop]
    noise, gain = read_noise(noise_xml(SWATHS, BLOCKS), "n"), read_calibration(calibration_xml(VECTORS), "c")
    np.testing.assert_array_equal(noise.power(window), noise.power(WHOLE)[part])
    np.testing.assert_array_equal(gain.gain("sigma0", window), gain.gain("sigma0", WHOLE)[part])


def test_scattered_points_are_those_of_the_window() -> None:
    rng = np.random.default_rng(0)
    line, pixel = rng.integers(0, 16, (3, 50)), rng.integers(0, 20, (3, 50))
    noise, gain = read_noise(noise_xml(SWATHS, BLOCKS), "n"), read_calibration(calibration_xml(VECTORS), "c")
    np.testing.assert_allclose(noise.power_at(line, pixel), noise.power(WHOLE)[line, pixel], rtol=1e-13)
    found = gain.gain_at("gamma0", line, pixel)
    np.testing.assert_allclose(found, gain.gain("gamma0", WHOLE)[line, pixel], rtol=1e-13)
    assert gain.gain_at("sigma0", 3, 4).shape == ()
    assert noise.power_at([], []).shape == (0,)


def test_the_border_level_is_below_the_noise_and_above_nothing() -> None:
    gain = read_calibration(calibration_xml([Vector(0, [0, 19], [600.0, 600.0])]), "c")
    loud = read_noise(noise_xml([Vector(0, [0, 19], [1600.0, 1600.0])], None), "n")
    silent = read_noise(noise_xml([Vector(0, [0, 19], [0.0, 0.0])], None), "n")
    assert border_power_at(gain, loud, 0, 0) == 400
    for without in (silent, None):
        assert border_power_at(gain, without, 0, 0) == pytest.approx(600**2 * 10**-3.5)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"<calibration/>", "no vector with a sigmaNought"),
        (calibration_xml(VECTORS)[:-40], r"c.xml is damaged"),
        (calibration_xml(VECTORS).replace(b"27.0", b"many"), "sigmaNought as 'many', which is not a number"),
        (calibration_xml(VECTORS).replace(b"27.0", b"nan"), "sigmaNought as 'nan', which is not a number"),
        (calibration_xml(VECTORS).replace(b"27.0", b"0.0"), "not above zero"),
        (calibration_xml(VECTORS).replace(b" 27.0", b""), "2 samples at 3 positions"),
        (calibration_xml(VECTORS).replace(b"0 7 19", b"0 19 7"), "out of order"),
        (calibration_xml(VECTORS).replace(b"<line>5", b"<line>5 6"), "line as '5 6', which is not a number"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><calibration>&a;</calibration>', "document type"),
    ],
)
def test_a_damaged_calibration_says_what_is_wrong(document: bytes, message: str) -> None:
    with pytest.raises(ProductError, match=message) as caught:
        read_calibration(document, "c.xml")
    assert "c.xml" in str(caught.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"<noise/>", "no vector with a noiseRangeLut"),
        (
            noise_xml(SWATHS, BLOCKS).replace(b"<lastRangeSample>19</lastRangeSample>", b""),
            "lacks lastRangeSample",
        ),
        (noise_xml(SWATHS, BLOCKS).replace(b"<line>6 12</line>", b"<line>6</line>"), "2 samples at 1 positions"),
    ],
)
def test_a_damaged_noise_says_what_is_wrong(document: bytes, message: str) -> None:
    with pytest.raises(ProductError, match=message):
        read_noise(document, "n.xml")


# --- real products ---------------------------------------------------------------------------------------------------


def numbers(item: ElementTree.Element, name: str) -> list[float]:
    return [float(x) for x in (item.findtext(name) or "").split()]


def parse(document: bytes) -> tuple[list[Vector], list[Block]]:
    root = ElementTree.fromstring(document)
    vectors = []
    for item in (*root.iter("noiseVector"), *root.iter("noiseRangeVector")):
        values = numbers(item, "noiseLut") or numbers(item, "noiseRangeLut")
        vectors.append(Vector(int(numbers(item, "line")[0]), [int(x) for x in numbers(item, "pixel")], values))
    blocks = []
    for item in root.iter("noiseAzimuthVector"):
        names = ("firstAzimuthLine", "lastAzimuthLine", "firstRangeSample", "lastRangeSample")
        first, last, left, right = (int(numbers(item, name)[0]) for name in names)
        at = [int(x) for x in numbers(item, "line")]
        swath = item.findtext("swath") or ""
        blocks.append(Block(swath, (first, last), (left, right), at, numbers(item, "noiseAzimuthLut")))
    return vectors, blocks


def test_noise_of_real_products_in_every_block(real_data: Path) -> None:
    rng = np.random.default_rng(0)
    for path in sorted((real_data / "safe").iterdir()):
        product = open_safe(path)
        for file in product.manifest.files:
            if file.role != "noise" or not product.exists(file.name):
                continue
            document = product.read_bytes(file.name)
            vectors, blocks = parse(document)
            noise = read_noise(document, file.name)
            assert noise.is_zero == ("_2015" in path.name)
            spans = [(b.lines, b.pixels) for b in blocks] or [((0, 11000), (0, 8000))]
            for lines, pixels in spans:
                corners = [(x, y) for x in lines for y in pixels]
                inside = zip(
                    rng.integers(lines[0], lines[1] + 1, 4), rng.integers(pixels[0], pixels[1] + 1, 4), strict=True
                )
                for line, pixel in (*corners, *inside):
                    expected = direct_noise(vectors, blocks, int(line), int(pixel))
                    assert noise.power_at(line, pixel) == pytest.approx(expected, rel=1e-12)


def test_real_tables_are_quick_to_parse(real_data: Path) -> None:
    product = open_safe(next((real_data / "safe").glob("S1A_IW_GRDH_1SDV_20221002*")))
    file = product.find("calibration", "VV")
    assert file is not None
    document = product.read_bytes(file.name)
    start = time.perf_counter()
    read_calibration(document, file.name)
    assert time.perf_counter() - start < 0.5  # measured: 0.03 s
