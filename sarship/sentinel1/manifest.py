"""The manifest of a Sentinel-1 product: its acquisition, and its files with their sizes and checksums."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final, Literal, cast, get_args

from sarship.errors import ProductError
from sarship.model import OrbitPass, Polarization
from sarship.sentinel1.xml import Node, read_xml

__all__ = ["Manifest", "Role", "SafeFile", "classify", "plain_name", "read_manifest"]

Role = Literal["annotation", "calibration", "noise", "rfi", "measurement", "other"]

_POLARIZATION: Final = re.compile(r"[-_](vv|vh|hh|hv)(?=[-_.])")


@dataclass(frozen=True, slots=True)
class SafeFile:
    """One file of a product as its manifest lists it."""

    name: str
    """Path within the product as the manifest spells it."""
    role: Role
    """Kind of content."""
    polarization: Polarization | None
    """Channel; None for a file of the whole product."""
    size: int | None
    """Bytes; None where the manifest does not say."""
    md5: str | None
    """Checksum; None where the manifest does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Content of a `manifest.safe`."""

    platform: str
    """`S1A` … `S1D`."""
    product_type: str
    """`GRD`, `SLC`, `OCN`, or `""` where the manifest has none."""
    mode: str
    """`IW`, `EW`, or a stripmap beam `S1` … `S6`."""
    polarizations: tuple[Polarization, ...]
    """Channels of the acquisition, co-polarisation first."""
    ipf_version: str
    """Version of the processor, as in `"003.52"`; `""` where the manifest has none."""
    absolute_orbit: int
    relative_orbit: int
    orbit_pass: OrbitPass
    start: datetime
    """Time of the first line, UTC."""
    stop: datetime
    """Time of the last line, UTC."""
    corners: tuple[tuple[float, float], ...]
    """Longitude and latitude of the corners in degrees, in the manifest's order; may straddle the antimeridian."""
    files: tuple[SafeFile, ...]
    processed: datetime | None = None
    """Time of processing, UTC."""
    is_simulated: bool = False
    """True if `sarship.simulate` wrote the product."""
    crc: str = ""
    """CRC-16 of the document in hexadecimal (CCITT, from FFFF), with which the name of a product ends."""


def read_manifest(data: bytes, source: str) -> Manifest:
    """Read a `manifest.safe`.

    Raises
    ------
    ProductError
        If the document is damaged, lacks an element, is not of Sentinel-1, or lists a path outside the product.
    """
    root = read_xml(data, source)
    family = root.text(".//platform/familyName")
    if family.upper() != "SENTINEL-1":
        raise root.error(f"is of a {family} product; sarship reads Sentinel-1 GRD products")
    mode, swath = (root.text(f".//instrumentMode/{name}", "") for name in ("mode", "swath"))
    stops = (node.get("stop") for node in root.find(".//processing"))
    start, stop = (root.time(f".//acquisitionPeriod/{end}Time") for end in ("start", "stop"))
    if stop < start:
        raise root.error(
            f"has an acquisition that ends at {stop}, before it starts at {start}; fetch the product again"
        )
    return Manifest(
        platform="S1" + root.text(".//platform/number"),
        product_type=root.text(".//productType", ""),
        mode=swath if mode == "SM" else mode,
        polarizations=_polarizations(root),
        ipf_version=_ipf_version(root),
        absolute_orbit=root.whole(".//orbitReference/orbitNumber"),
        relative_orbit=root.whole(".//orbitReference/relativeOrbitNumber"),
        orbit_pass=_orbit_pass(root),
        start=start,
        stop=stop,
        corners=_corners(root),
        files=tuple(_files(root)),
        processed=max((root.as_time(stop, "processing stop") for stop in stops if stop), default=None),
        is_simulated=root.text(".//productClassDescription", "").startswith("SIMULATED"),
        crc=f"{binascii.crc_hqx(data, 0xFFFF):04X}",
    )


def classify(name: str, schema: str) -> tuple[Role, Polarization | None]:
    """Return role and channel of a file by its folder or, where that says nothing, by the schema in the manifest."""
    path = PurePosixPath(name)
    stem = path.name.lower()
    by_folder = {
        "annotation": "annotation",
        "annotation/rfi": "rfi",
        "annotation/calibration": stem.partition("-")[0],
        "measurement": "measurement",
    }
    by_schema = {"Product": "annotation", "Calibration": "calibration", "Noise": "noise", "Measurement": "measurement"}
    known = by_schema.get(schema.removeprefix("s1Level1").removesuffix("Schema"), "other")
    role = by_folder.get(str(path.parent), known)
    channel = _POLARIZATION.search(stem)
    if role not in get_args(Role) or role == "other" or channel is None:
        return "other", None
    return cast("Role", role), cast("Polarization", channel[1].upper())


def plain_name(href: str, source: str) -> str:
    """Return a listed path without `./`; refuse one that could lead outside the product."""
    name = href.removeprefix("./")
    if not name or {"", ".", ".."} & set(name.split("/")) or re.search(r"[\\:\x00-\x1f]", name):
        message = f"{source} lists the path {href!r}, which is not inside the product; it was not opened"
        raise ProductError(message, path=source)
    return name


def _files(root: Node) -> Iterator[SafeFile]:
    for item in root.find(".//dataObject"):
        name = plain_name(next((node.get("href") for node in item.find(".//fileLocation")), ""), root.source)
        size = next((node.get("size") for node in item.find(".//byteStream")), "")
        sums = {node.get("checksumName").upper(): node.text(".", "") for node in item.find(".//checksum")}
        if size and not size.isdecimal():
            raise root.error(f"gives the size of {name} as {size!r}; fetch the product again")
        kind = classify(name, item.get("repID").split(" ")[0])
        yield SafeFile(name, *kind, int(size) if size else None, sums.get("MD5", "").lower() or None)


def _orbit_pass(root: Node) -> OrbitPass:
    found = root.text(".//orbitProperties/pass", "ASCENDING").lower()
    if found not in get_args(OrbitPass):
        raise root.error(f"has the orbit pass {found!r}, neither ascending nor descending")
    return cast("OrbitPass", found)


def _polarizations(root: Node) -> tuple[Polarization, ...]:
    found = {node.text(".", "") for node in root.find(".//transmitterReceiverPolarisation")}
    if unknown := found - set(get_args(Polarization)):
        raise root.error(f"has the polarisations {sorted(unknown)}, which Sentinel-1 does not make")
    return cast("tuple[Polarization, ...]", tuple(sorted(found, key=lambda p: (p[0] != p[1], p))))


def _ipf_version(root: Node) -> str:
    """Return the version of the last processing step, which the manifest gives first."""
    software = (node for node in root.find(".//processing//software") if "IPF" in node.get("name"))
    return next((node.get("version") for node in software), "")


def _corners(root: Node) -> tuple[tuple[float, float], ...]:
    text = root.text(".//footPrint/coordinates", "")
    try:
        pairs = [pair.split(",") for pair in text.split()]
        return tuple((float(longitude), float(latitude)) for latitude, longitude in pairs)
    except ValueError as error:
        raise root.error(f"has the footprint {text!r}; fetch the product again") from error
