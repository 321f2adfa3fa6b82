"""Checking a product: everything that can be wrong with a file is found, and nothing else."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sarship.errors import ProductError
from sarship.sentinel1.verify import Finding, check_product
from sarship.simulate import ProductParams, simulate_product


@pytest.fixture
def own(iw_product: tuple[Path, object], tmp_path: Path) -> Path:
    """A copy of a product that a test may break."""
    return Path(shutil.copytree(iw_product[0], tmp_path / iw_product[0].name))


def one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def wrong(path: Path) -> dict[str, Finding]:
    return {Path(finding.name).name: finding for finding in check_product(path) if not finding.is_ok}


def rewrite(image: Path, **profile: object) -> None:
    """Store an image anew, as a mirror does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(image) as dataset:
            pixels = dataset.read()
        plain = {"driver": "GTiff", "height": pixels.shape[1], "width": pixels.shape[2], "count": 1, "dtype": "uint16"}
        with rasterio.open(image, "w", **plain | profile) as dataset:
            dataset.write(pixels)


@pytest.mark.parametrize("layout", ["plain", "cog", "short"])
@pytest.mark.parametrize("is_zipped", [False, True])
def test_a_sound_product_has_no_fault(tmp_path: Path, layout: str, is_zipped: bool) -> None:
    params = ProductParams(shape=(64, 80), layout=layout, is_zipped=is_zipped)  # type: ignore[arg-type]
    path, _ = simulate_product(tmp_path, params, n_vessels=1)
    findings = check_product(path)
    assert len(findings) >= 8
    assert all(finding.status == "ok" for finding in findings), findings


def test_files_that_are_not_listed_are_left_alone(own: Path) -> None:
    (own / "notes.txt").write_text("mine")
    (own / "measurement" / "other.tiff").write_bytes(b"not a TIFF")
    assert wrong(own) == {}


def test_each_fault_is_named_for_its_file(own: Path) -> None:
    gone = one(own, "annotation/calibration/noise-*-vh-*")
    gone.unlink()
    longer = one(own, "annotation/calibration/calibration-*-vv-*")
    longer.write_bytes(longer.read_bytes() + b"\n")
    changed = one(own, "annotation/calibration/calibration-*-vh-*")
    content = changed.read_bytes()
    changed.write_bytes(content.replace(b"sigmaNought count", b"sigmaNought Count"))
    cut = one(own, "annotation/calibration/noise-*-vv-*")
    cut.write_bytes(cut.read_bytes()[:-200])
    found = wrong(own)
    statuses = {name: finding.status for name, finding in found.items()}
    expected = {gone.name: "missing", longer.name: "size", changed.name: "md5", cut.name: "undecodable"}
    assert statuses == expected
    size = longer.stat().st_size
    assert found[longer.name].detail == f"{size} bytes instead of {size - 1}; fetch it again"


def test_one_changed_pixel_is_found(own: Path) -> None:
    image = one(own, "measurement/*-vv-*")
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.write_bytes(content)
    assert {name: finding.status for name, finding in wrong(own).items()} == {image.name: "md5"}


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_image_is_found(own: Path, part: float) -> None:
    image = one(own, "measurement/*-vh-*")
    image.write_bytes(image.read_bytes()[: int(image.stat().st_size * part)])
    found = wrong(own)
    assert {name: finding.status for name, finding in found.items()} == {image.name: "undecodable"}
    assert image.name not in found[image.name].detail  # the finding has the name already


def test_an_image_that_a_mirror_compressed_anew_is_well_when_it_decodes(own: Path) -> None:
    image = one(own, "measurement/*-vv-*")
    rewrite(image, compress="zstd")
    (finding,) = [finding for finding in check_product(own) if finding.name.endswith(image.name)]
    assert finding.is_ok
    assert "compressed anew" in finding.detail
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    assert wrong(own)[image.name].status == "undecodable"


def test_an_image_of_another_size_is_found(own: Path) -> None:
    image = one(own, "measurement/*-vv-*")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        profile = {"driver": "GTiff", "height": 600, "width": 700, "count": 1, "dtype": "uint16"}
        with rasterio.open(image, "w", **profile) as dataset:
            dataset.write(np.ones((1, 600, 700), np.uint16))
    assert "where the annotation has" in wrong(own)[image.name].detail


def test_without_an_annotation_an_image_cannot_be_judged(own: Path) -> None:
    for file in (own / "annotation").glob("*.xml"):
        file.write_bytes(file.read_bytes()[:1000])
    found = wrong(own)
    assert {finding.status for finding in found.values()} == {"undecodable"}
    assert "no annotation" in found[one(own, "measurement/*-vv-*").name].detail


def test_a_zip_is_checked_in_place(own: Path, tmp_path: Path) -> None:
    archive = tmp_path / "product.zip"
    image = one(own, "measurement/*-vv-*")
    image.write_bytes(image.read_bytes()[:5000])
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stream:
        for file in own.rglob("*"):
            stream.write(file, file.relative_to(own.parent))
    assert {name: finding.status for name, finding in wrong(archive).items()} == {image.name: "undecodable"}
    assert sorted(tmp_path.iterdir()) == sorted([own, archive])


def test_what_is_not_a_product_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProductError, match=r"holds no manifest.safe"):
        check_product(tmp_path)


def test_real_products_keep_their_checksums(real_data: Path) -> None:
    for path in sorted((real_data / "safe").iterdir()):
        for finding in check_product(path):
            if finding.name.startswith("annotation/"):
                assert finding.status in {"ok", "missing"}, finding
            if finding.status == "undecodable":
                assert finding.detail.endswith("is empty; fetch it again")
