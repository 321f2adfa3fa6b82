"""The annotation of a simulated product: one XML a polarisation, with the elements of a real one that readers use."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np

from sarship.model import Polarization
from sarship.simulate.grid import RadarGrid
from sarship.simulate.orbit import LIGHT_M_S
from sarship.simulate.params import ProductParams
from sarship.simulate.safe.calibration import swath_blocks
from sarship.simulate.safe.xml import Element, element, listing, real, stamp, to_bytes, vector

__all__ = ["RADAR_HZ", "annotation", "header", "tie_points"]

_ORBIT_STEP_S: Final = 10.0
RADAR_HZ: Final = 5.405000454334350e09


def header(params: ProductParams, grid: RadarGrid, polarization: Polarization, number: int) -> dict[str, object]:
    """Header that the annotation, calibration and noise files share."""
    mode = params.mode
    return {
        "missionId": params.platform,
        "productType": "GRD",
        "polarisation": polarization,
        "mode": mode,
        "swath": mode,
        "startTime": stamp(grid.utc(grid.start)),
        "stopTime": stamp(grid.utc(_last(grid))),
        "absoluteOrbitNumber": params.absolute_orbit,
        "missionDataTakeId": data_take(params),
        "imageNumber": f"{number:03d}",
    }


def data_take(params: ProductParams) -> int:
    """A number for the data take that follows the orbit, as real ones do."""
    return 8 * params.absolute_orbit - 6


def _last(grid: RadarGrid) -> float:
    return float(grid.seconds(grid.shape[0] - 1))


def annotation(params: ProductParams, grid: RadarGrid, polarization: Polarization, number: int) -> bytes:
    """The annotation file of one polarisation."""
    content = {
        "adsHeader": header(params, grid, polarization, number),
        "qualityInformation": {"productQualityIndex": 0.0, **listing("qualityData", [])},
        "generalAnnotation": _general(params, grid),
        "imageAnnotation": {"imageInformation": _image(params, grid), "processingInformation": _processing(params)},
        "dopplerCentroid": _doppler(grid),
        "antennaPattern": listing("antennaPattern", []),
        "swathTiming": {"linesPerBurst": 0, "samplesPerBurst": 0, **listing("burst", [])},
        "geolocationGrid": _ties(grid),
        "coordinateConversion": _conversions(grid),
        "swathMerging": _merging(params, grid),
    }
    return to_bytes(element("product", content))


def _general(params: ProductParams, grid: RadarGrid) -> dict[str, object]:
    mode = params.specification
    information = {
        "pass": params.orbit_pass.capitalize(),
        "timelinessCategory": "Fast-24h",
        "platformHeading": _heading(grid),
        "projection": "Ground Range",
        "rangeSamplingRate": 6.434523812571428e07,
        "radarFrequency": RADAR_HZ,
        "azimuthSteeringRate": 1.590368784,
    }
    downlinks = [
        {
            "swath": swath,
            "azimuthTime": stamp(grid.utc(grid.start)),
            "firstLineSensingTime": stamp(grid.utc(grid.start)),
            "lastLineSensingTime": stamp(grid.utc(_last(grid))),
            "prf": prf,
        }
        for swath, prf in zip(mode.swaths, mode.prf_hz, strict=True)
    ]
    attitudes = [
        {"time": stamp(grid.utc(s)), "frame": "GM2000"}
        | dict.fromkeys(("q0", "q1", "q2", "q3"), "5.000000e-01")
        | dict.fromkeys(("wx", "wy", "wz", "roll", "pitch", "yaw"), "0.000000e+00")
        for s in np.arange(grid.start - 1, _last(grid) + 2).tolist()
    ]
    rates = [
        {
            "azimuthTime": stamp(grid.utc(s)),
            "t0": 2 * grid.near_m / LIGHT_M_S,
            **vector("azimuthFmRatePolynomial", np.zeros(3), "-2.3416e+03 4.4668e+05 -7.7315e+07"),
        }
        for s in (grid.start, _last(grid))
    ]
    heights = [{"azimuthTime": stamp(grid.utc(grid.start)), "value": 0.0}]
    return {
        "productInformation": information,
        **listing("downlinkInformation", downlinks),
        **_orbit(grid),
        **listing("attitude", attitudes),
        **listing("noise", []),
        **listing("terrainHeight", heights),
        **listing("azimuthFmRate", rates),
    }


def _heading(grid: RadarGrid) -> float:
    """Flight direction over ground at the centre, degrees in (−180, 180]."""
    middle = np.array([-1.0, 1.0])
    pixel = (grid.shape[1] - 1) / 2
    line = (middle - grid.start) / grid.interval
    longitude, latitude = grid.place(line, np.full(2, pixel))
    east = np.diff(np.unwrap(longitude, period=360))[0] * np.cos(np.radians(latitude.mean()))
    return float(np.degrees(np.arctan2(east, np.diff(latitude)[0])))


def _orbit(grid: RadarGrid) -> dict[str, Element]:
    """State vectors every ten seconds, a minute to either side."""
    first = np.floor((grid.start - 60) / _ORBIT_STEP_S) * _ORBIT_STEP_S
    seconds = np.arange(first, _last(grid) + 60 + _ORBIT_STEP_S, _ORBIT_STEP_S)
    rows = [
        {
            "time": stamp(grid.utc(s)),
            "frame": "Earth Fixed",
            "position": dict(zip("xyz", place, strict=True)),
            "velocity": dict(zip("xyz", speed, strict=True)),
        }
        for s, place, speed in zip(
            seconds.tolist(), grid.orbit.position(seconds).tolist(), grid.orbit.velocity(seconds).tolist(), strict=True
        )
    ]
    return listing("orbit", rows)


def _image(params: ProductParams, grid: RadarGrid) -> dict[str, object]:
    node = grid.epoch - timedelta(seconds=grid.orbit.since_node())
    middle = ((grid.shape[0] - 1) / 2, (grid.shape[1] - 1) / 2)
    return {
        "productFirstLineUtcTime": stamp(grid.utc(grid.start)),
        "productLastLineUtcTime": stamp(grid.utc(_last(grid))),
        "ascendingNodeTime": stamp(node),
        "anchorTime": stamp(grid.utc(grid.start)),
        "productComposition": "Slice",
        "sliceNumber": params.slice_number,
        "slantRangeTime": 2 * grid.near_m / LIGHT_M_S,
        "pixelValue": "Detected",
        "outputPixels": "16 bit Unsigned Integer",
        "rangePixelSpacing": f"{grid.spacing_m:.6e}",
        "azimuthPixelSpacing": f"{grid.spacing_m:.6e}",
        "azimuthTimeInterval": grid.interval,
        "azimuthFrequency": params.specification.prf_hz[0],
        "numberOfSamples": grid.shape[1],
        "numberOfLines": grid.shape[0],
        "zeroDopMinusAcqTime": 0.0,
        "incidenceAngleMidSwath": float(grid.incidence(*middle)[0]),
    }


def _processing(params: ProductParams) -> dict[str, object]:
    mode = params.specification
    axes = {}
    rows = zip(("range", "azimuth"), mode.bandwidth_hz, mode.look_bandwidth_hz, mode.n_looks, strict=True)
    for axis, band, look_band, enl in rows:
        axes[f"{axis}Processing"] = {
            "windowType": "Hamming",
            "windowCoefficient": 0.75,
            "totalBandwidth": band,
            "processingBandwidth": band,
            "lookBandwidth": look_band,
            "numberOfLooks": enl,
            "lookOverlap": 0.0,
        }
    swaths = [{"swath": swath, **axes, "processorScalingFactor": 1.0} for swath in mode.swaths]
    return {
        "srgrConversionApplied": True,
        "detectionPerformed": True,
        "thermalNoiseCorrectionPerformed": False,
        **listing("swathProcParams", swaths),
        "referenceRange": 8.0e05,
        "ellipsoidName": "WGS84",
        "ellipsoidSemiMajorAxis": 6.378137e06,
        "ellipsoidSemiMinorAxis": 6.356752314245e06,
        "orbitSource": "Auxiliary",
    }


def _doppler(grid: RadarGrid) -> dict[str, Element]:
    zeros = "0.000000e+00 0.000000e+00 0.000000e+00"
    estimate = {
        "azimuthTime": stamp(grid.utc(grid.start)),
        "t0": 2 * grid.near_m / LIGHT_M_S,
        **vector("geometryDcPolynomial", np.zeros(3), zeros),
        **vector("dataDcPolynomial", np.zeros(3), zeros),
        "dataDcRmsError": 0.0,
        "dataDcRmsErrorAboveThreshold": False,
        "fineDceAzimuthStartTime": stamp(grid.utc(grid.start)),
        "fineDceAzimuthStopTime": stamp(grid.utc(_last(grid))),
        **listing("fineDce", [{"slantRangeTime": 2 * grid.near_m / LIGHT_M_S, "frequency": 0.0}]),
    }
    return listing("dcEstimate", [estimate])


def _spread(size: int, widest: int, at_least: int) -> list[int]:
    step = max(1, min(widest, (size - 1) // at_least))
    inner = list(range(0, size - 1 - step // 2, step))
    return [*inner, size - 1]


def tie_points(grid: RadarGrid) -> list[dict[str, float]]:
    """The geolocation grid, on the ellipsoid: line, pixel, second, range_m, place and both angles of each point."""
    places = np.meshgrid(_spread(grid.shape[0], 2_000, 4), _spread(grid.shape[1], 1_300, 20), indexing="ij")
    line, pixel = (place.ravel().astype(float) for place in places)
    longitude, latitude = grid.place(line, pixel)
    angle, elevation = grid.incidence(line, pixel)
    columns = {
        "line": line,
        "pixel": pixel,
        "second": grid.seconds(line),
        "range_m": grid.slant_range(line, pixel),
        "longitude": longitude,
        "latitude": latitude,
        "height_m": np.zeros(line.size),
        "incidence": angle,
        "elevation": elevation,
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)]


def _ties(grid: RadarGrid) -> dict[str, Element]:
    rows = [
        {
            "azimuthTime": stamp(grid.utc(tie["second"])),
            "slantRangeTime": 2 * tie["range_m"] / LIGHT_M_S,
            "line": int(tie["line"]),
            "pixel": int(tie["pixel"]),
            "latitude": tie["latitude"],
            "longitude": tie["longitude"],
            "height": tie["height_m"],
            "incidenceAngle": tie["incidence"],
            "elevationAngle": tie["elevation"],
        }
        for tie in tie_points(grid)
    ]
    return listing("geolocationGridPoint", rows)


def _conversions(grid: RadarGrid) -> dict[str, Element]:
    rows = [
        {
            "azimuthTime": stamp(grid.utc(s)),
            "slantRangeTime": 2 * grid.near_m / LIGHT_M_S,
            "sr0": grid.near_m,
            **vector("srgrCoefficients", back, " ".join(map(real, back.tolist()))),
            "gr0": 0.0,
            **vector("grsrCoefficients", slant, " ".join(map(real, slant.tolist()))),
        }
        for s, slant, back in zip(grid.conversion_times.tolist(), grid.to_slant, grid.to_ground, strict=True)
    ]
    return listing("coordinateConversion", rows)


def _merging(params: ProductParams, grid: RadarGrid) -> dict[str, Element]:
    bounds: dict[str, list[dict[str, object]]] = {}
    for block in swath_blocks(params) if len(params.specification.swaths) > 1 else []:
        first = stamp(grid.utc(float(grid.seconds(block.first_line))))
        bounds.setdefault(block.swath, []).append({"azimuthTime": first, **block.bounds()})
    return listing("swathMerge", [{"swath": name, **listing("swathBounds", rows)} for name, rows in bounds.items()])
