"""The manifest of a real product whose pixels are simulated: the files that are there, with their sizes and MD5s."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from sarship.sentinel1.xml import parse_xml
from sarship.simulate.safe.package import SIMULATED, md5_of

__all__ = ["refreshed_manifest"]

_XFDU: Final = "{urn:ccsds:schema:xfdu:1}"


def refreshed_manifest(data: bytes, folder: Path, polarizations: Collection[str]) -> bytes:
    """Return a manifest cut down to the files in a folder, with their sizes and checksums, and marked as simulated.

    Parameters
    ----------
    data
        The real manifest.
    folder
        The package; files lie where the manifest says.
    polarizations
        Channels that are kept.
    """
    _keep_prefixes(data)
    root = parse_xml(data, "manifest.safe")
    gone = set()
    for section in root.iter("dataObjectSection"):
        for item in list(section):
            if not _refresh(item, folder):
                section.remove(item)
                gone.add(item.get("ID"))
    for parent in list(root.iter()):
        for child in list(parent):
            pointer = child.find("dataObjectPointer")
            points_nowhere = pointer is not None and pointer.get("dataObjectID") in gone
            is_channel = child.tag.endswith("}transmitterReceiverPolarisation")
            if points_nowhere or (is_channel and child.text not in polarizations):
                parent.remove(child)
    _mark(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _mark(root: ElementTree.Element) -> None:
    """Say that the pixels are simulated, to people and to `Manifest.is_simulated`."""
    for unit in root.iter(f"{_XFDU}contentUnit"):
        if unit.get("textInfo"):
            unit.set("textInfo", f"{unit.get('textInfo')} ({SIMULATED})")
    for element in root.iter():
        if element.tag.rpartition("}")[2] == "productClassDescription":
            element.text = SIMULATED


def _keep_prefixes(data: bytes) -> None:
    """Let the writer spell the namespaces as the manifest does."""
    for prefix, name in re.findall(rb'xmlns:(\w+)="([^"]+)"', data):
        ElementTree.register_namespace(prefix.decode(), name.decode())


def _refresh(item: ElementTree.Element, folder: Path) -> bool:
    """Put a file's size and MD5 into its entry; False if the file is not there."""
    stream, location, checksum = item.find("byteStream"), item.find(".//fileLocation"), item.find(".//checksum")
    if stream is None or location is None or checksum is None:
        return False
    path = folder / location.get("href", "").removeprefix("./")
    if not path.is_file():
        return False
    stream.set("size", str(path.stat().st_size))
    checksum.text = md5_of(path)
    return True
