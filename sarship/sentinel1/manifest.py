"""The manifest of a Sentinel-1 product: its acquisition, and its files with their sizes and checksums."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from sarship.errors import ProductError
from sarship.model import OrbitPass, Polarization
from sarship.sentinel1.xml import find_all, parse_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["Manifest", "Role", "SafeFile", "classify", "plain_name", "read_manifest"]

Role = Literal["annotation", "calibration", "noise", "rfi", "measurement", "other"]

_POLARIZATION: Final = re.compile(r"[-_](vv|vh|hh|hv)(?=[-_.])")


@dataclass(frozen=True, slots=True)
class SafeFile:
    """One file of a product as its manifest lists it."""

    name: str
    """Path within the product as the manifest spells it."""
    role: Role
    """What it holds."""
    polarization: Polarization | None
    """Which channel it belongs to, where it belongs to one."""
    size: int | None
    """Bytes, as the manifest says."""
    md5: str | None
    """Checksum, as the manifest says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What `manifest.safe` says of a product."""

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
    """First line, UTC."""
    stop: datetime
    """Last line, UTC."""
    corners: tuple[tuple[float, float], ...]
    """Longitude and latitude of the corners in degrees, in the manifest's order; may straddle the antimeridian."""
    files: tuple[SafeFile, ...]
    processed: datetime | None = None
    """When the product was made, UTC."""
    is_simulated: bool = False
    """Whether `sarship.simulate` made the product up."""


def read_manifest(data: bytes, source: str) -> Manifest:
    """Read a `manifest.safe`.

    Raises
    ------
    ProductError
        If the document is damaged, lacks an element, is not of Sentinel-1, or lists a path outside the product.
    """
    root = parse_xml(data, source)
    family = _first(root, "platform/familyName", source)
    if family.upper() != "SENTINEL-1":
        raise ProductError(f"{source} is of a {family} product; sarship reads Sentinel-1 GRD products")
    start, stop = (
        _time(_first(root, f"acquisitionPeriod/{name}", source), source) for name in ("startTime", "stopTime")
    )
    mode, swath = (_first(root, f"instrumentMode/{name}", source, default="") for name in ("mode", "swath"))
    return Manifest(
        platform="S1" + _first(root, "platform/number", source),
        product_type=_first(root, "productType", source, default=""),
        mode=swath if mode == "SM" else mode,
        polarizations=_polarizations(root, source),
        ipf_version=_ipf_version(root),
        absolute_orbit=_whole(_first(root, "orbitReference/orbitNumber", source), source),
        relative_orbit=_whole(_first(root, "orbitReference/relativeOrbitNumber", source), source),
        orbit_pass=_orbit_pass(_first(root, "orbitProperties/pass", source, default="ASCENDING"), source),
        start=start,
        stop=stop,
        corners=_corners(_first(root, "footPrint/coordinates", source, default=""), source),
        files=tuple(_files(root, source)),
        processed=_processed(root, source),
        is_simulated=_first(root, "productClassDescription", source, default="").startswith("SIMULATED"),
    )


def classify(name: str, schema: str) -> tuple[Role, Polarization | None]:
    """Role and channel of a file from its folder and, where that says nothing, from the manifest's schema name."""
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


def _files(root: Element, source: str) -> Iterator[SafeFile]:
    for item in find_all(root, "dataObject"):
        href = next((e.get("href", "") for e in find_all(item, "fileLocation")), "")
        name = plain_name(href, source)
        role, channel = classify(name, item.get("repID", "").split(" ")[0])
        size = next((e.get("size") for e in find_all(item, "byteStream")), None)
        md5 = next((e.text for e in find_all(item, "checksum") if e.get("checksumName", "").upper() == "MD5"), None)
        yield SafeFile(name, role, channel, None if size is None else _whole(size, source), md5 and md5.strip().lower())


def plain_name(href: str, source: str) -> str:
    """A listed path in plain form, refused when it could lead outside the product."""
    name = href.removeprefix("./")
    parts = name.split("/")
    if not name or {"", ".", ".."} & set(parts) or re.search(r"[\\:\x00-\x1f]", name):
        raise ProductError(f"{source} lists the path {href!r}, which is not inside the product; it was not opened")
    return name


def _first(root: Element, path: str, source: str, default: str | None = None) -> str:
    if (text := next((e.text.strip() for e in find_all(root, path) if e.text and e.text.strip()), default)) is None:
        raise ProductError(f"{source} has no {path}, so it is not the manifest of a Sentinel-1 image; fetch it again")
    return text


def _time(text: str, source: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ProductError(f"{source} has {text!r} for a time; fetch the product again") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _whole(text: str, source: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ProductError(f"{source} has {text!r} for a whole number; fetch the product again") from error


def _orbit_pass(text: str, source: str) -> OrbitPass:
    if text.lower() not in get_args(OrbitPass):
        raise ProductError(f"{source} has the orbit pass {text!r}, neither ascending nor descending")
    return cast("OrbitPass", text.lower())


def _polarizations(root: Element, source: str) -> tuple[Polarization, ...]:
    found = {(e.text or "").strip() for e in find_all(root, "transmitterReceiverPolarisation")}
    if unknown := found - set(get_args(Polarization)):
        raise ProductError(f"{source} has the polarisations {sorted(unknown)}, which Sentinel-1 does not make")
    return cast("tuple[Polarization, ...]", tuple(sorted(found, key=lambda p: (p[0] != p[1], p))))


def _processed(root: Element, source: str) -> datetime | None:
    return max((_time(e.get("stop", ""), source) for e in find_all(root, "processing") if e.get("stop")), default=None)


def _ipf_version(root: Element) -> str:
    """Version of the last processing step, which the manifest gives first."""
    software = (e for e in find_all(root, "processing/software") if "IPF" in e.get("name", ""))
    return next((e.get("version", "") for e in software), "")


def _corners(text: str, source: str) -> tuple[tuple[float, float], ...]:
    try:
        pairs = [pair.split(",") for pair in text.split()]
        return tuple((float(longitude), float(latitude)) for latitude, longitude in pairs)
    except ValueError as error:
        raise ProductError(f"{source} has the footprint {text!r}; fetch the product again") from error
