"""The manifest of a simulated product: what it is, where it was, and every file with its size and MD5."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np

from sarship.simulate.grid import RadarGrid
from sarship.simulate.params import ProductParams, relative_orbit
from sarship.simulate.safe.annotation import data_take
from sarship.simulate.safe.package import SIMULATED, DataFile, md5_of
from sarship.simulate.safe.xml import stamp

__all__ = ["manifest"]

_SPACES: Final = " ".join(
    f'xmlns:{short}="{name}"'
    for short, name in {
        "xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "gml": "http://www.opengis.net/gml",
        "xfdu": "urn:ccsds:schema:xfdu:1",
        "safe": "http://www.esa.int/safe/sentinel-1.0",
        "s1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1",
        "s1sarl1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar/level-1",
    }.items()
)
_DESCRIBED: Final = "acquisitionPeriod platform generalProductInformation measurementOrbitReference measurementFrameSet"
_NUMBERS: Final = {"S1A": "2014-016A", "S1B": "2016-025A", "S1C": "2024-235A", "S1D": "2025-251A"}


def manifest(params: ProductParams, grid: RadarGrid, folder: Path, files: Sequence[DataFile]) -> str:
    """Text of `manifest.safe` for files that are already in the folder."""
    described = [f for f in files if f.role != "s1Level1MeasurementSchema"]
    measured = [f for f in files if f.role == "s1Level1MeasurementSchema"]
    units = [_unit("Metadata Unit", f) for f in described]
    units += [
        _unit(
            "Measurement Data Unit", f, "".join(f"{_identity(d)}Annotation " for d in described if _pair(d) == _pair(f))
        )
        for f in measured
    ]
    metadata = [_description(f) for f in described]
    metadata += [_processing(params, grid), _platform(params), _orbit(params, grid)]
    metadata += [_general(params, grid), _period(grid), _frame(grid)]
    title = f"Sentinel-1 {params.mode} Level-1 GRD Product ({SIMULATED})"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU {_SPACES} version="esa/safe/sentinel-1.0/sentinel-1/sar/level-1/grd/standard/{_standard(params)}">
  <informationPackageMap>
    <xfdu:contentUnit unitType="SAFE Archive Information Package" textInfo="{title}"
      dmdID="{_DESCRIBED}" pdiID="processing">
{"".join(units)}    </xfdu:contentUnit>
  </informationPackageMap>
  <metadataSection>
{"".join(metadata)}  </metadataSection>
  <dataObjectSection>
{"".join(_data_object(folder, f) for f in files)}  </dataObjectSection>
</xfdu:XFDU>
"""


def _standard(params: ProductParams) -> str:
    beam = "s" if params.mode.startswith("S") else params.mode.lower()
    return f"{beam}{'dp' if len(params.polarizations) == 2 else 'sp'}"


def _identity(file: DataFile) -> str:
    """Identifier of a file in the manifest, in ESA's way: its name without hyphens."""
    kind = "product" if file.role == "s1Level1ProductSchema" else ""
    return kind + re.sub(r"[^a-z0-9]", "", Path(file.listed).stem)


def _pair(file: DataFile) -> str:
    """What the files of one polarisation share: the end of their names."""
    return Path(file.listed).stem.removeprefix("calibration-").removeprefix("noise-")


def _unit(kind: str, file: DataFile, described_by: str = "") -> str:
    link = f' dmdID="{described_by}"' if described_by else ""
    return f"""      <xfdu:contentUnit unitType="{kind}" repID="{file.role}"{link}>
        <dataObjectPointer dataObjectID="{_identity(file)}"/>
      </xfdu:contentUnit>
"""


def _description(file: DataFile) -> str:
    return f"""    <metadataObject ID="{_identity(file)}Annotation" classification="DESCRIPTION" category="DMD">
      <dataObjectPointer dataObjectID="{_identity(file)}"/>
    </metadataObject>
"""


def _data_object(folder: Path, file: DataFile) -> str:
    path = folder / file.path
    kind = "application/octet-stream" if file.role == "s1Level1MeasurementSchema" else "text/xml"
    return f"""    <dataObject ID="{_identity(file)}" repID="{file.role}">
      <byteStream mimeType="{kind}" size="{path.stat().st_size}">
        <fileLocation locatorType="URL" href="./{file.listed}"/>
        <checksum checksumName="MD5">{md5_of(path)}</checksum>
      </byteStream>
    </dataObject>
"""


def _wrap(name: str, text: str, body: str, kind: str = 'classification="DESCRIPTION" category="DMD"') -> str:
    return f"""    <metadataObject ID="{name}" {kind}>
      <metadataWrap mimeType="text/xml" vocabularyName="SAFE" textInfo="{text}">
        <xmlData>
{body}        </xmlData>
      </metadataWrap>
    </metadataObject>
"""


def _step(name: str, done: str, software: str, version: str, resource: str = "") -> str:
    return f"""          <safe:processing name="{name}" start="{done}" stop="{done}">
            <safe:facility country="Nowhere" name="{SIMULATED}" organisation="SIMULATED" site="SIMULATED">
              <safe:software name="{software}" version="{version}"/>
            </safe:facility>
{resource}          </safe:processing>
"""


def _processing(params: ProductParams, grid: RadarGrid) -> str:
    done = stamp(grid.epoch + params.processing_delay)
    version = "002.36" if params.is_old else params.ipf_version
    body = _step("GRD Post Processing", done, "Sentinel-1 IPF", version)
    if params.layout == "cog":  # the catalogue's own step goes first, and ESA's is a resource of it
        nested = (
            f'            <safe:resource name="GRD" role="Level-1 GRD Product">\n{body}            </safe:resource>\n'
        )
        converted = stamp(grid.epoch + params.processing_delay + timedelta(hours=1))
        body = _step("COG Conversion", converted, "Sentinel-1 COGifier", "001.00", nested)
    return _wrap("processing", "Processing", body, 'classification="PROVENANCE" category="PDI"')


def _platform(params: ProductParams) -> str:
    swaths = "".join(
        f"                  <s1sarl1:swath>{swath}</s1sarl1:swath>\n"
        for swath in ((params.mode,) if len(params.specification.swaths) > 1 else params.specification.swaths)
    )
    mode = "SM" if params.mode.startswith("S") else params.mode
    body = f"""          <safe:platform>
            <safe:nssdcIdentifier>{_NUMBERS[params.platform]}</safe:nssdcIdentifier>
            <safe:familyName>SENTINEL-1</safe:familyName>
            <safe:number>{params.platform[-1]}</safe:number>
            <safe:instrument>
              <safe:familyName abbreviation="SAR">Synthetic Aperture Radar</safe:familyName>
              <safe:extension>
                <s1sarl1:instrumentMode>
                  <s1sarl1:mode>{mode}</s1sarl1:mode>
{swaths}                </s1sarl1:instrumentMode>
              </safe:extension>
            </safe:instrument>
          </safe:platform>
"""
    return _wrap("platform", "Platform Description", body)


def _orbit(params: ProductParams, grid: RadarGrid) -> str:
    absolute, relative = params.absolute_orbit, relative_orbit(params.platform, params.absolute_orbit)
    numbers = "".join(
        f'            <safe:{name} type="{end}">{number}</safe:{name}>\n'
        for name, number in (("orbitNumber", absolute), ("relativeOrbitNumber", relative))
        for end in ("start", "stop")
    )
    node = grid.epoch - timedelta(seconds=grid.orbit.since_node())
    body = f"""          <safe:orbitReference>
{numbers}            <safe:cycleNumber>{absolute // 175 + 1}</safe:cycleNumber>
            <safe:phaseIdentifier>1</safe:phaseIdentifier>
            <safe:extension>
              <s1:orbitProperties>
                <s1:pass>{params.orbit_pass.upper()}</s1:pass>
                <s1:ascendingNodeTime>{stamp(node)}</s1:ascendingNodeTime>
              </s1:orbitProperties>
            </safe:extension>
          </safe:orbitReference>
"""
    return _wrap("measurementOrbitReference", "Orbit Reference", body)


def _general(params: ProductParams, grid: RadarGrid) -> str:
    channels = "".join(
        f"            <s1sarl1:transmitterReceiverPolarisation>{p}</s1sarl1:transmitterReceiverPolarisation>\n"
        for p in params.polarizations
    )
    body = f"""          <s1sarl1:standAloneProductInformation>
            <s1sarl1:instrumentConfigurationID>7</s1sarl1:instrumentConfigurationID>
            <s1sarl1:missionDataTakeID>{data_take(params)}</s1sarl1:missionDataTakeID>
{channels}            <s1sarl1:productClass>S</s1sarl1:productClass>
            <s1sarl1:productClassDescription>{SIMULATED}</s1sarl1:productClassDescription>
            <s1sarl1:productComposition>Slice</s1sarl1:productComposition>
            <s1sarl1:productType>GRD</s1sarl1:productType>
            <s1sarl1:productTimelinessCategory>Fast-24h</s1sarl1:productTimelinessCategory>
            <s1sarl1:sliceProductFlag>true</s1sarl1:sliceProductFlag>
            <s1sarl1:segmentStartTime>{stamp(grid.utc(grid.start))}</s1sarl1:segmentStartTime>
            <s1sarl1:sliceNumber>{params.slice_number}</s1sarl1:sliceNumber>
            <s1sarl1:totalSlices>{params.n_slices}</s1sarl1:totalSlices>
          </s1sarl1:standAloneProductInformation>
"""
    return _wrap("generalProductInformation", "General Product Information", body)


def _period(grid: RadarGrid) -> str:
    stop = float(grid.seconds(grid.shape[0] - 1))
    since = grid.orbit.since_node()
    body = f"""          <safe:acquisitionPeriod>
            <safe:startTime>{stamp(grid.utc(grid.start))}</safe:startTime>
            <safe:stopTime>{stamp(grid.utc(stop))}</safe:stopTime>
            <safe:extension>
              <s1:timeANX>
                <s1:startTimeANX>{(since + grid.start) * 1e3:.6e}</s1:startTimeANX>
                <s1:stopTimeANX>{(since + stop) * 1e3:.6e}</s1:stopTimeANX>
              </s1:timeANX>
            </safe:extension>
          </safe:acquisitionPeriod>
"""
    return _wrap("acquisitionPeriod", "Acquisition Period", body)


def _frame(grid: RadarGrid) -> str:
    last_line, last_pixel = grid.shape[0] - 1, grid.shape[1] - 1
    longitude, latitude = grid.place(np.array([last_line, last_line, 0, 0]), np.array([0, last_pixel, last_pixel, 0]))
    corners = " ".join(f"{lat:.6f},{lon:.6f}" for lon, lat in zip(longitude, latitude, strict=True))
    body = f"""          <safe:frameSet>
            <safe:frame>
              <safe:footPrint srsName="http://www.opengis.net/gml/srs/epsg.xml#4326">
                <gml:coordinates>{corners}</gml:coordinates>
              </safe:footPrint>
            </safe:frame>
          </safe:frameSet>
"""
    return _wrap("measurementFrameSet", "Frame Set", body)
