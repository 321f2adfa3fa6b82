"""Manifests of products, by the files that they list."""

import binascii
import hashlib
import json
import re
from pathlib import Path

NAME = "S1A_IW_GRDH_1SDV_20221002T205126_20221002T205156_045268_056950_0664"
STEM = "s1a-iw-grd-{}-20221002t205126-20221002t205156-045268-056950-00{}"
SCHEMAS = {
    "annotation/{}.xml": "s1Level1ProductSchema",
    "annotation/calibration/calibration-{}.xml": "s1Level1CalibrationSchema",
    "annotation/calibration/noise-{}.xml": "s1Level1NoiseSchema",
    "annotation/rfi/rfi-{}.xml": "s1Level1RfiSchema",
    "measurement/{}.tiff": "s1Level1MeasurementSchema",
}


def files(template: str = STEM) -> dict[str, str]:
    """Name within the product → schema."""
    return {
        name.format(template.format(channel, number)): schema
        for number, channel in ((2, "vh"), (1, "vv"))
        for name, schema in SCHEMAS.items()
    }


def manifest(hrefs: dict[str, str], *, kind: str = "GRD", family: str = "SENTINEL-1", number: str = "A") -> bytes:
    objects = "".join(
        f'<dataObject ID="d{k}" repID="{schema}"><byteStream size="3">'
        f'<fileLocation locatorType="URL" href="./{href}"/><checksum checksumName="MD5">ABC</checksum>'
        "</byteStream></dataObject>"
        for k, (href, schema) in enumerate(hrefs.items())
    )
    return f"""<?xml version="1.0"?>
<x:XFDU xmlns:x="urn:ccsds:schema:xfdu:1" xmlns:safe="safe" xmlns:s1="s1" xmlns:gml="gml"><metadataSection>
<safe:processing name="GRD Post Processing"><safe:facility><safe:software name="Sentinel-1 IPF" version="003.52"/>
</safe:facility><safe:resource><processing xmlns="safe"><facility><software name="Sentinel-1 IPF" version="001.00"/>
</facility></processing></safe:resource></safe:processing>
<safe:platform><safe:familyName>{family}</safe:familyName><safe:number>{number}</safe:number>
<safe:instrument><safe:familyName>SAR</safe:familyName>
<s1:instrumentMode><s1:mode>IW</s1:mode><s1:swath>IW</s1:swath></s1:instrumentMode></safe:instrument></safe:platform>
<safe:orbitReference><safe:orbitNumber type="start">45268</safe:orbitNumber>
<safe:relativeOrbitNumber type="start">46</safe:relativeOrbitNumber>
<s1:orbitProperties><s1:pass>DESCENDING</s1:pass></s1:orbitProperties></safe:orbitReference>
<s1:transmitterReceiverPolarisation>VH</s1:transmitterReceiverPolarisation>
<s1:transmitterReceiverPolarisation>VV</s1:transmitterReceiverPolarisation><s1:productType>{kind}</s1:productType>
<safe:acquisitionPeriod><safe:startTime>2022-10-02T20:51:26.995649</safe:startTime>
<safe:stopTime>2022-10-02T20:51:56.241290</safe:stopTime></safe:acquisitionPeriod>
<safe:footPrint><gml:coordinates>6.55,134.94 6.99,132.69 8.75,133.06 8.31,135.31</gml:coordinates></safe:footPrint>
</metadataSection><dataObjectSection>{objects}</dataObjectSection></x:XFDU>""".encode()


def relist(product: Path) -> None:
    """Write the sizes and MD5s of a folder's files, as they are now, into its manifest."""
    path = product / "manifest.safe"
    text = path.read_text(encoding="utf-8")
    info = product / "productInfo.json"
    stored = json.loads(info.read_bytes())["filenameMap"] if info.exists() else {}
    for item in re.findall(r"<byteStream.*?</byteStream>", text, re.DOTALL):
        name = re.search(r'href="\./([^"]+)"', item)[1]
        if (file := product / stored.get(name, name)).is_file():
            content = file.read_bytes()
            new = re.sub(r'size="\d+"', f'size="{len(content)}"', item)
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            text = text.replace(item, re.sub(r'(checksumName="MD5"[^>]*>)[0-9a-fA-F]*', rf"\g<1>{digest}", new))
    path.write_text(text, encoding="utf-8")


def as_from_the_archive(product: Path) -> Path:
    """Rename a simulated product as the agency names its own: after its manifest, which calls it simulated no more."""
    path = product / "manifest.safe"
    content = path.read_bytes().replace(b"SIMULATED by sarship; not a radar image of anything", b"SAR L1 Product")
    path.write_bytes(content)
    return product.rename(product.with_name(f"{product.stem[:-4]}{binascii.crc_hqx(content, 0xFFFF):04X}.SAFE"))
