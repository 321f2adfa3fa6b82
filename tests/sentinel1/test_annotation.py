"""Reading annotations: a simulated one, everything that can be missing or wrong in it, and the real ones."""

from __future__ import annotations

import importlib.util
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from sarship.errors import ProductError
from sarship.sentinel1.annotation import half_power_width, nominal_enl, read_annotation

REPOSITORY = Path(__file__).parents[2]
SAFE = Path(os.environ.get("SARSHIP_DATA", REPOSITORY.parent / "shared" / "data")) / "safe"
START = np.datetime64("2024-12-01T03:42:10.000000")
N_LINES, N_PIXELS, INTERVAL = 501, 800, 0.0015
SOURCE = "s1a-iw-grd-vv.xml"


def stamp(seconds):
    return str(START + np.timedelta64(round(seconds * 1e6), "us"))


def satellite(time):
    """A circular orbit in the plane of the meridian 20° E, going north over 10° N at time 0; the Earth stands still."""
    latitude = np.radians(10.0) + 1.06e-3 * time
    lon = np.radians(20.0)
    return 7.071e6 * np.array([np.cos(latitude) * np.cos(lon), np.cos(latitude) * np.sin(lon), np.sin(latitude)])


def tie_point(line, pixel):
    """Straight east of the satellite's nadir, from the angle in the triangle of the two radii and the range."""
    time = line * INTERVAL
    slant = 8.5e5 + 0.6 * 10.0 * pixel
    place = satellite(time)
    radius, east = np.linalg.norm(place), np.array([-np.sin(np.radians(20.0)), np.cos(np.radians(20.0)), 0.0])
    near = 6.37e6
    angle = np.arccos((radius**2 + near**2 - slant**2) / (2 * radius * near))
    target = near * (np.cos(angle) * place / radius + np.sin(angle) * east)
    lon, lat, height = Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True).transform(*target)
    return f"""<geolocationGridPoint><azimuthTime>{stamp(time)}</azimuthTime>
      <slantRangeTime>{2 * slant / 299792458.0!r}</slantRangeTime><line>{line}</line><pixel>{pixel}</pixel>
      <latitude>{lat!r}</latitude><longitude>{lon!r}</longitude><height>{height!r}</height>
      <incidenceAngle>35.0</incidenceAngle><elevationAngle>31.0</elevationAngle></geolocationGridPoint>"""


def vector(time):
    axes = "".join(f"<{axis}>{value!r}</{axis}>" for axis, value in zip("xyz", satellite(time).tolist(), strict=True))
    return f"<orbit><time>{stamp(time)}</time><frame>Earth Fixed</frame><position>{axes}</position></orbit>"


def focus(name):
    return f"""<{name}><windowType>Hamming</windowType><windowCoefficient>0.75</windowCoefficient>
      <lookBandwidth>{14.1e6 if name[0] == "r" else 327.0}</lookBandwidth>
      <numberOfLooks>{5 if name[0] == "r" else 1}</numberOfLooks></{name}>"""


def make_xml():
    conversion = """<coordinateConversion><azimuthTime>{}</azimuthTime><gr0>0.0</gr0>
      <grsrCoefficients count="3">8.5e5 0.6 0.0</grsrCoefficients></coordinateConversion>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<product>
  <adsHeader><missionId>S1A</missionId><productType>GRD</productType><polarisation>VV</polarisation><mode>IW</mode>
    <swath>IW</swath><absoluteOrbitNumber>56789</absoluteOrbitNumber></adsHeader>
  <qualityInformation><productQualityIndex>0.0</productQualityIndex></qualityInformation>
  <generalAnnotation>
    <productInformation><pass>Ascending</pass><radarFrequency>5.405e9</radarFrequency></productInformation>
    <downlinkInformationList>
      <downlinkInformation><swath>IW1</swath><prf>1717.129</prf></downlinkInformation>
      <downlinkInformation><swath>IW2</swath><prf>1451.627</prf></downlinkInformation>
    </downlinkInformationList>
    <orbitList>{"".join(vector(time) for time in range(-60, 70, 10))}</orbitList>
  </generalAnnotation>
  <imageAnnotation>
    <imageInformation>
      <productFirstLineUtcTime>{stamp(0)}</productFirstLineUtcTime>
      <productLastLineUtcTime>{stamp((N_LINES - 1) * INTERVAL)}</productLastLineUtcTime>
      <rangePixelSpacing>10.0</rangePixelSpacing><azimuthPixelSpacing>10.0</azimuthPixelSpacing>
      <numberOfSamples>{N_PIXELS}</numberOfSamples><numberOfLines>{N_LINES}</numberOfLines>
    </imageInformation>
    <processingInformation><swathProcParamsList>
      <swathProcParams><swath>IW1</swath>{focus("rangeProcessing")}{focus("azimuthProcessing")}</swathProcParams>
    </swathProcParamsList></processingInformation>
  </imageAnnotation>
  <antennaPattern><antennaPatternList><antennaPattern><x>1</x></antennaPattern></antennaPatternList></antennaPattern>
  <geolocationGrid><geolocationGridPointList>
    {"".join(tie_point(line, pixel) for line in (0, 250, 500) for pixel in (0, 400, 799))}
  </geolocationGridPointList></geolocationGrid>
  <coordinateConversion><coordinateConversionList>
    {conversion.format(stamp(-0.3))}{conversion.format(stamp(0.7))}
  </coordinateConversionList></coordinateConversion>
  <swathMerging><swathMergeList><swathMerge><swath>IW1</swath><swathBoundsList><swathBounds>
    <firstRangeSample>0</firstRangeSample><lastRangeSample>799</lastRangeSample>
  </swathBounds></swathBoundsList></swathMerge></swathMergeList></swathMerging>
</product>"""


XML = make_xml()
NEEDED = [
    "productType",
    "missionId",
    "polarisation",
    "mode",
    "absoluteOrbitNumber",
    "pass",
    "radarFrequency",
    "prf",
    "time",
    "frame",
    "position",
    "productFirstLineUtcTime",
    "productLastLineUtcTime",
    "rangePixelSpacing",
    "azimuthPixelSpacing",
    "numberOfSamples",
    "numberOfLines",
    "lookBandwidth",
    "windowCoefficient",
    "windowType",
    "numberOfLooks",
    "gr0",
    "grsrCoefficients",
    "azimuthTime",
    "orbitList",
    "coordinateConversionList",
    "swathProcParamsList",
    "downlinkInformationList",
]


def read(xml):
    return read_annotation(xml.encode(), SOURCE)


def without(tag):
    return re.sub(rf"<{tag}\b[^>]*>.*?</{tag}>", "", XML, flags=re.DOTALL)


def changed(tag, text):
    found = re.subn(rf"(<{tag}\b[^>]*>).*?(</{tag}>)", rf"\g<1>{text}\g<2>", XML, flags=re.DOTALL)
    assert found[1]
    return found[0]


def test_reads_what_it_says():
    annotation = read(XML)
    assert (annotation.platform, annotation.mode) == ("S1A", "IW")
    assert (annotation.polarization, annotation.orbit_pass, annotation.absolute_orbit) == ("VV", "ascending", 56789)
    assert annotation.start == datetime(2024, 12, 1, 3, 42, 10, tzinfo=UTC)
    assert annotation.stop == datetime(2024, 12, 1, 3, 42, 10, 750_000, tzinfo=UTC)
    assert annotation.geometry.shape == (N_LINES, N_PIXELS)
    assert annotation.enl == 4.4
    assert annotation.prf_hz == {"IW1": 1717.129, "IW2": 1451.627}
    assert annotation.radar_frequency_hz == 5.405e9
    assert annotation.geometry.line_interval_s == pytest.approx(INTERVAL)


def test_tie_points_are_met():
    annotation = read(XML)
    tie = annotation.tie_points()
    assert tie.shape == (9,)
    line, pixel = annotation.geometry.to_image(tie["longitude"], tie["latitude"], tie["height_m"])
    np.testing.assert_allclose(line, tie["line"], atol=1e-4)
    np.testing.assert_allclose(pixel, tie["pixel"], atol=1e-4)
    np.testing.assert_array_equal(tie["azimuth_time"], annotation.geometry.time_at(tie["line"]))
    slant = annotation.geometry.slant_range_m(tie["line"], tie["pixel"])
    np.testing.assert_allclose(slant, tie["slant_range_time_s"] * 299792458.0 / 2, atol=1e-6)


def test_resolution_is_the_bandwidths():
    annotation = read(XML)
    along, across = annotation.resolution_m
    incidence = np.radians(annotation.geometry.incidence_deg(250, 399.5))
    factor = half_power_width(0.75)
    assert across == pytest.approx(factor * 299792458.0 / 2 / 14.1e6 / np.sin(incidence), rel=1e-6)
    assert along == pytest.approx(factor * 10.0 / INTERVAL / 327.0, rel=1e-6)


@pytest.mark.parametrize("coefficient", [1.0, 0.75, 0.6, 0.54])
def test_half_power_width_agrees_with_a_transform(coefficient):
    n, padded = 256, 2**18
    weights = coefficient + (1 - coefficient) * np.cos(2 * np.pi * (np.arange(n) + 0.5 - n / 2) / n)
    response = np.abs(np.fft.fft(weights, padded)) ** 2
    half = np.argmax(response < response[0] / 2)
    assert half_power_width(coefficient) == pytest.approx(2 * half * n / padded, rel=2e-3)


def test_looks_outside_the_table_follow_the_rule():
    assert nominal_enl(6, 2) == 10.7
    assert nominal_enl(6, 3) == pytest.approx(0.88 * 18)
    assert nominal_enl(1, 1) == 1.0


@pytest.mark.parametrize("tag", NEEDED)
def test_missing_element_is_named(tag):
    with pytest.raises(ProductError, match=rf"{SOURCE} lacks .*{tag.removesuffix('List')}"):
        read(without(tag))


@pytest.mark.parametrize(
    ("tag", "text", "says"),
    [
        ("productType", "SLC", "type SLC; sarship reads GRD only"),
        ("productType", "OCN", "type OCN; sarship reads GRD only"),
        ("polarisation", "XX", "'XX'"),
        ("pass", "Sideways", "'sideways'"),
        ("frame", "Inertial", "'Inertial'.*'Earth Fixed'"),
        ("rangePixelSpacing", "nan", "rangePixelSpacing as 'nan'"),
        ("rangePixelSpacing", "-10", "must be positive"),
        ("lookBandwidth", "0", "must be positive"),
        ("numberOfLines", "1", "1 lines by 800"),
        ("numberOfLines", "many", "'many'"),
        ("productFirstLineUtcTime", "yesterday", "'yesterday'"),
        ("productLastLineUtcTime", "2001-01-01T00:00:00", "to 2001"),
        ("time", "2024-12-01T03:42:10", "time order"),
        ("x", "12.0", "from the Earth's centre"),
        ("azimuthTime", "2024-12-01T03:42:10", "ascend"),
        ("grsrCoefficients", "8.5e5 -0.6", "does not grow"),
        ("grsrCoefficients", "8.5e5 inf", "grsrCoefficients as 'inf', which is not a number"),
        ("grsrCoefficients", "8.5e5 x", "grsrCoefficients as 'x', which is not a number"),
        ("grsrCoefficients", "1.0 0.6", "do not meet the Earth"),
    ],
)
def test_wrong_value_is_shown(tag, text, says):
    with pytest.raises(ProductError, match=rf"{SOURCE}.*{says}") as caught:
        read(changed(tag, text))
    assert caught.value.path == SOURCE


@pytest.mark.parametrize("xml", ["", "not xml", XML[: len(XML) // 2], XML[:-3], "<calibration/>", XML + "<more/>"])
def test_damaged_file_is_refused(xml):
    with pytest.raises(ProductError, match=SOURCE):
        read(xml)


def test_document_type_is_refused():
    with pytest.raises(ProductError, match="document type"):
        read(XML.replace("<product>", '<!DOCTYPE product [<!ENTITY a "aaaa">]><product>', 1))


def test_tie_points_are_parsed_only_when_asked_for():
    broken = read(XML.replace("</geolocationGridPoint>", "</geolocationGridPiont>", 1))
    with pytest.raises(ProductError, match=f"{SOURCE} is damaged"):
        broken.tie_points()
    with pytest.raises(ProductError, match=f"{SOURCE} has no geolocationGrid"):
        read(without("geolocationGrid")).tie_points()
    with pytest.raises(ProductError, match=f"{SOURCE} gives latitude as 'north'"):
        read(changed("latitude", "north")).tie_points()


NUMBERS = [match.span() for match in re.finditer(r"(?<=>)[-+.\de ]+(?=<)", XML)]


@settings(max_examples=150, deadline=None)
@given(
    where=st.integers(0, len(NUMBERS) - 1),
    text=st.sampled_from(["", "x", "nan", "-1", "0", "1", "1e9", "1e300", "-5e6", "9" * 40, "&lt;"]),
)
@example(where=46, text="9" * 40)
def test_no_number_makes_a_traceback(where, text):
    start, stop = NUMBERS[where]
    try:
        annotation = read(XML[:start] + text + XML[stop:])
        annotation.tie_points()
    except ProductError as error:
        assert SOURCE in str(error)  # noqa: PT017  (both outcomes are right)


def validation():
    spec = importlib.util.spec_from_file_location("validate", REPOSITORY / "benchmarks" / "validate_geometry.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VALIDATION = validation()
REAL = list(VALIDATION.cases(SAFE)) if SAFE.is_dir() else []


@pytest.mark.skipif(not REAL, reason=f"no real products in {SAFE}")
@pytest.mark.parametrize("case", REAL, ids=[re.sub(r"^(.{32}).*-(\w\w)[-.].*", r"\1-\2", case.name) for case in REAL])
def test_real_tie_points_are_met(case):
    annotation = read_annotation(case.data, case.name)
    values = VALIDATION.measure(annotation)
    assert {name for name, bound in VALIDATION.bounds(case).items() if not values[name] <= bound} == set()
    tie = annotation.tie_points()
    incidence = annotation.geometry.incidence_deg(tie["line"], tie["pixel"], tie["height_m"])
    # The product's angles are against the Earth's centre, ours against the ellipsoid's vertical.
    np.testing.assert_allclose(incidence, tie["incidence_deg"], atol=0.06)
    expected = {"IW": (22.5, 20.4), "EW": (87.0, 93.0)}.get(annotation.mode, (23.0, 23.0))
    np.testing.assert_allclose(annotation.resolution_m, expected, rtol=0.06)
    assert annotation.enl == {"IW": 4.4, "EW": 10.7}.get(annotation.mode, 29.7)


@pytest.mark.skipif(not REAL, reason=f"no real products in {SAFE}")
def test_real_sea_is_not_the_ellipsoid():
    """Off Palau the sea is 66 m and more above the ellipsoid: over eighty metres on the ground, eight pixels."""
    case = next(case for case in REAL if "20221002" in case.name)
    assert 70 < VALIDATION.sea_shift_m(read_annotation(case.data, case.name)) < 100


def test_validation_notices_a_broken_geometry(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "simulated.SAFE" / "annotation"
    folder.mkdir(parents=True)
    (folder / SOURCE).write_text(XML)
    monkeypatch.setattr("sys.argv", ["validate_geometry.py", str(tmp_path)])
    assert VALIDATION.main() == 0
    assert "1 annotations, 0 bounds broken" in capsys.readouterr().out
    (folder / SOURCE).write_text(XML.replace("<pixel>400<", "<pixel>401<", 1))
    assert VALIDATION.main() == 1
    assert "marked with !" in capsys.readouterr().out
    (folder / SOURCE).unlink()
    assert VALIDATION.main() == 2
