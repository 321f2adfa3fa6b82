"""The package of a product: what is found, by which name, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from builders.manifests import NAME, SCHEMAS, STEM, files, manifest

from sarship.errors import ProductError
from sarship.sentinel1 import check_product, open_grd
from sarship.sentinel1.safe import open_safe
from sarship.simulate import ProductParams, simulate_product


def write(folder: Path, listed: dict[str, str], stored: list[str]) -> Path:
    for name in stored:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"abc")
    folder.mkdir(exist_ok=True)
    (folder / "manifest.safe").write_bytes(manifest(listed))
    return folder


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write(tmp_path / f"{NAME}.SAFE", files(), list(files()))


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path(folder.name) / file.relative_to(folder))
    return target


def repacked(folder: Path, target: Path, separator: str = "/", start: str = "") -> Path:
    """A zip as other archivers write it: with other separators, or something before the names."""
    target.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = zipfile.ZipInfo()
            member.filename = start + separator.join([folder.name, *file.relative_to(folder).parts])
            archive.writestr(member, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return target


def marked(archive: Path, ending: str, **values: int) -> Path:
    """A zip whose listing says other things of some files: Python does not write what it does not read."""
    with zipfile.ZipFile(archive, "a") as stream:
        for member in stream.infolist():
            if member.filename.endswith(ending):
                for name, value in values.items():
                    setattr(member, name, value)
        stream._didModify = True  # type: ignore[attr-defined]
    return archive


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product with pixels."""
    params = ProductParams(shape=(64, 80), polarizations=("VV",))
    return simulate_product(tmp_path_factory.mktemp("whole"), params, n_vessels=0, seed=1)[0]


def test_files_are_known_by_role_and_channel(plain: Path) -> None:
    product = open_safe(plain)
    assert product.id == NAME
    for channel, number in (("VV", 1), ("VH", 2)):
        stem = STEM.format(channel.lower(), number)
        for role, name in zip(("annotation", "calibration", "noise", "rfi", "measurement"), SCHEMAS, strict=True):
            file = product.find(role, channel)  # type: ignore[arg-type]
            assert file is not None
            assert file.name == name.format(stem)
            assert product.read_bytes(file.name) == b"abc"


def test_rfi_is_not_taken_for_the_annotation_even_under_its_schema(tmp_path: Path) -> None:
    """Some catalogues name the RFI file where they mean the annotation; the folder tells."""
    listed = {f"annotation/rfi/rfi-{STEM.format('vv', 1)}.xml": "s1Level1ProductSchema"}
    product = open_safe(write(tmp_path / "p.SAFE", listed, list(listed)))
    assert product.find("annotation", "VV") is None
    assert product.find("rfi", "VV") is not None


def test_a_folder_a_zip_and_the_manifest_are_the_same_product(plain: Path, tmp_path: Path) -> None:
    archive = zipped(plain, tmp_path / "any name.zip")
    for way in (plain, str(plain), archive, plain / "manifest.safe"):
        product = open_safe(way)
        assert product.id == NAME
        assert all(product.exists(file.name) for file in product.manifest.files)
    name = f"measurement/{STEM.format('vv', 1)}.tiff"
    assert open_safe(archive).gdal_path(name) == f"/vsizip/{archive}/{NAME}.SAFE/{name}"
    assert list(tmp_path.iterdir()) == [plain, archive] or len(list(tmp_path.iterdir())) == 2  # nothing was unpacked


def test_the_cloud_optimised_twin_has_its_own_names(tmp_path: Path) -> None:
    listed = files(STEM + "-cog")
    product = open_safe(write(tmp_path / f"{NAME}_COG.SAFE", listed, list(listed)))
    file = product.find("measurement", "VH")
    assert product.id == f"{NAME}_COG"
    assert file is not None
    assert file.name.endswith("-cog.tiff")


@pytest.mark.parametrize("has_info", [True, False])
def test_short_names_are_found_by_the_file_name_map_or_the_listing(tmp_path: Path, has_info: bool) -> None:
    short = dict(zip(files(), files("iw-{}"), strict=True))
    folder = write(tmp_path / NAME, files(), list(short.values()))
    if has_info:
        (folder / "productInfo.json").write_text(json.dumps({"filenameMap": short}))
    product = open_safe(folder)
    for name, alias in short.items():
        assert product.stored_name(name) == alias
        assert product.exists(name)


def test_files_that_are_absent_are_said_to_be(tmp_path: Path) -> None:
    there = [name for name in files() if "-vv-" in name]
    product = open_safe(write(tmp_path / "p.SAFE", files(), there))
    absent = product.find("annotation", "VH")
    assert absent is not None
    assert not product.exists(absent.name)
    for use in (product.read_bytes, product.gdal_path, product.size):
        with pytest.raises(ProductError, match=r"vh.*is missing; fetch the product again"):
            use(absent.name)


def test_nothing_is_kept_open(plain: Path) -> None:
    product = open_safe(plain)
    assert pickle.loads(pickle.dumps(product)) == product


@pytest.mark.parametrize(
    "href", ["../../etc/passwd", "/etc/passwd", "a/../../b", "http://x/y", "C:\\x", "a//b", "", "a\x0b"]
)
def test_a_listed_path_outside_the_product_is_refused(tmp_path: Path, href: str) -> None:
    document = manifest({"measurement/x-vv-.tiff": "other"}).replace(b"./measurement/x-vv-.tiff", href.encode())
    (tmp_path / "manifest.safe").write_bytes(document)
    with pytest.raises(ProductError, match=r"not inside the product|damaged"):
        open_safe(tmp_path)


def test_a_mapped_path_outside_the_product_is_refused(plain: Path) -> None:
    (plain / "productInfo.json").write_text(json.dumps({"filenameMap": {"a": "../../etc/passwd"}}))
    with pytest.raises(ProductError, match="not inside the product"):
        open_safe(plain)


def test_a_link_out_of_the_product_is_refused(plain: Path, tmp_path: Path) -> None:
    name = f"measurement/{STEM.format('vv', 1)}.tiff"
    (tmp_path / "secret").write_bytes(b"secret")
    (plain / name).unlink()
    (plain / name).symlink_to(tmp_path / "secret")
    product = open_safe(plain)
    for use in (product.read_bytes, product.gdal_path):
        with pytest.raises(ProductError, match=r"link to .*secret, outside the product"):
            use(name)


def test_a_zip_member_outside_the_product_is_never_touched(plain: Path, tmp_path: Path) -> None:
    archive = zipped(plain, tmp_path / "slip.zip")
    with zipfile.ZipFile(archive, "a") as stream:
        stream.writestr("../../escaped.txt", "x")
        stream.writestr(f"{plain.name}/../../escaped.txt", "x")
    before = sorted(tmp_path.rglob("*"))
    product = open_safe(archive)
    assert product.exists(f"measurement/{STEM.format('vv', 1)}.tiff")
    assert sorted(tmp_path.rglob("*")) == before


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
    (tmp_path / "manifest.safe").write_bytes(bomb)
    with pytest.raises(ProductError, match="document type"):
        open_safe(tmp_path)


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_a_truncated_zip_is_refused(plain: Path, tmp_path: Path, part: float) -> None:
    archive = zipped(plain, tmp_path / "cut.zip")
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * part)])
    with pytest.raises(ProductError, match=r"cut.zip is not a readable zip, or is cut short.*fetch it again"):
        open_safe(archive)


def test_a_member_damaged_inside_a_zip_is_refused(plain: Path, tmp_path: Path) -> None:
    archive = zipped(plain, tmp_path / "bent.zip")
    archive.write_bytes(archive.read_bytes().replace(b"abc", b"abd"))
    product = open_safe(archive)
    with pytest.raises(ProductError, match=r"cannot be read: Bad CRC-32; fetch the product again") as caught:
        product.read_bytes(product.manifest.files[0].name)
    assert str(caught.value).count(product.manifest.files[0].name) == 1


@pytest.mark.parametrize("is_zipped", [False, True])
def test_a_path_is_named_once(whole: Path, tmp_path: Path, is_zipped: bool) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / whole.name))
    for image in folder.glob("measurement/*.tiff"):
        image.write_bytes(b"no image")
    path = repacked(folder, tmp_path / "product.zip") if is_zipped else folder
    product = open_grd(path)
    with pytest.raises(ProductError, match=r"is not a readable TIFF \(it not recognized") as caught:
        product.digital_numbers("VV")
    assert [str(caught.value).count(name) for name in (str(path), "measurement", ".tiff")] == [1, 1, 1]
    if is_zipped:
        path.unlink()
    else:
        shutil.rmtree(path)
    name = product.container.manifest.files[0].name
    for use in (partial(product.container.read_bytes, name), partial(product.digital_numbers, "VV")):
        with pytest.raises(ProductError, match=r"does not exist|No such file") as caught:
            use()
        assert str(caught.value).count(str(path)) == 1


def test_a_manifest_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.safe").write_bytes(manifest(files())[:-300])
    with pytest.raises(ProductError, match=r"manifest.safe is damaged"):
        open_safe(tmp_path)


def test_what_is_not_a_product_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.SAFE").mkdir()
    (tmp_path / "image.tiff").write_bytes(b"II*\0")
    (tmp_path / "text.zip").write_bytes(b"not a zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a/b.txt", "x")
    cases = {
        "nowhere": "does not exist",
        "empty.SAFE": "holds no manifest.safe",
        "image.tiff": "not a Sentinel-1 product",
        "text.zip": "not a readable zip",
        "other.zip": "holds no manifest.safe",
    }
    for name, message in cases.items():
        with pytest.raises(ProductError, match=message) as caught:
            open_safe(tmp_path / name)
        assert name in str(caught.value)
        assert caught.value.path == str(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "separator", "start"),
    [
        ("product.zip", "/", ""),
        ("product.zip", "\\", ""),  # old .NET
        ("product.zip", "/", "./"),
        ("product.zip", "/", "deep/deeper/"),
        ("product }1{.zip", "/", ""),
        ("}{.ZIP", "\\", ""),
        ("folder {.zip/product.zip", "/", ""),
        ("100%20 #1 é?.zip", "/", ""),
    ],
)
def test_a_zip_of_any_archiver_is_read(whole: Path, tmp_path: Path, name: str, separator: str, start: str) -> None:
    archive = repacked(whole, tmp_path / name, separator, start)
    np.testing.assert_array_equal(open_grd(archive).digital_numbers("VV"), open_grd(whole).digital_numbers("VV"))
    assert all(finding.is_ok for finding in check_product(archive))


@pytest.mark.parametrize("name", ["S1A.tar", "S1A.SAFE.tar.gz", "S1A.7z"])
def test_an_archive_of_another_kind_is_said_to_be_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"7z")
    with pytest.raises(ProductError, match=f"{name} is an archive of another kind than zip; extract it"):
        open_safe(tmp_path / name)


def test_a_zip_of_a_mac_is_read(whole: Path, tmp_path: Path) -> None:
    archive = repacked(whole, tmp_path / "mac.zip")
    with zipfile.ZipFile(archive, "a") as stream:
        for name in (f"__MACOSX/{whole.name}/._manifest.safe", f"__MACOSX/._{whole.name}", f"{whole.name}/.DS_Store"):
            stream.writestr(name, b"\0\5\x16\7")
    assert open_grd(archive).digital_numbers("VV").shape == (64, 80)


def test_a_zip_with_both_separators_is_read(whole: Path, tmp_path: Path) -> None:
    archive = repacked(whole, tmp_path / "mixed.zip")
    with zipfile.ZipFile(archive, "a") as stream:
        for member in stream.infolist():
            member.filename = member.filename.replace("/measurement/", "\\measurement\\")
        stream._didModify = True  # type: ignore[attr-defined]
    assert open_grd(archive).digital_numbers("VV").shape == (64, 80)


def test_a_zip_behind_a_link_is_read(whole: Path, tmp_path: Path) -> None:
    """Stores of large files keep them under names without an ending."""
    stored, link = tmp_path / "6d21a9", tmp_path / "product.zip"
    repacked(whole, link).rename(stored)
    link.symlink_to(stored)
    assert open_grd(link).digital_numbers("VV").shape == (64, 80)


@pytest.mark.parametrize("ending", ["manifest.safe", ".xml", ".tiff"])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"compress_type": 9}, "compressed with Deflate64"),
        ({"compress_type": zipfile.ZIP_BZIP2}, "compressed with bzip2"),
        ({"compress_type": zipfile.ZIP_LZMA}, "compressed with LZMA"),
        ({"compress_type": 77}, "compressed with method 77"),
        ({"flag_bits": 1}, "encrypted"),
        ({"flag_bits": 1, "compress_type": 99}, "encrypted"),
    ],
    ids=str,
)
def test_a_zip_that_is_whole_but_cannot_be_read_is_not_called_damaged(
    whole: Path, tmp_path: Path, ending: str, values: dict[str, int], words: str
) -> None:
    archive = marked(repacked(whole, tmp_path / "product.zip"), ending, **values)
    with pytest.raises(ProductError, match=rf"{ending} is {words}; extract it .* ordinary deflate") as caught:
        open_safe(archive)
    assert str(caught.value).count("product.zip") == 1


def test_a_zip_of_two_products_is_refused(plain: Path, tmp_path: Path) -> None:
    archive = zipped(plain, tmp_path / "two.zip")
    with zipfile.ZipFile(archive, "a") as stream:
        stream.writestr("other.SAFE/manifest.safe", manifest({}))
    with pytest.raises(ProductError, match="holds 2 products"):
        open_safe(archive)


def test_a_file_that_claims_to_be_huge_is_not_read(plain: Path) -> None:
    name = f"annotation/{STEM.format('vv', 1)}.xml"
    os.truncate(plain / name, 2**30)
    with pytest.raises(ProductError, match="far too large"):
        open_safe(plain).read_bytes(name)


def test_every_real_product_opens(real_data: Path) -> None:
    for path in sorted((real_data / "safe").iterdir()):
        product = open_safe(path)
        assert product.id == path.name.removesuffix(".zip").removesuffix(".SAFE")
        assert product.manifest.product_type == "GRD"
        roles = [(file.role, file.polarization) for file in product.manifest.files if file.role != "other"]
        assert len(roles) == len(set(roles)) >= 4 * len(product.manifest.polarizations)
        assert any(product.exists(file.name) for file in product.manifest.files if file.role == "noise")
