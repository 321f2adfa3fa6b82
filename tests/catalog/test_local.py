"""One contract for all providers, and the folder as a catalogue."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from shapely import box

from sarship import open_grd
from sarship.catalog import open_catalog
from sarship.catalog.local import find_products
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import query_of
from sarship.errors import CatalogError, OutputError, ProductWarning
from sarship.model import Window

PORT = box(35.79, 34.89, 35.81, 34.91)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def query(**options) -> SceneQuery:
    return SceneQuery(**{"area": PORT, "start": "2024-12-01", "end": "2024-12-31", **options})


PROVIDERS = ["local", "planetary", "cdse", "earth_search", "asf", "dhus"]
WITHOUT_WHOLE = ["earth_search"]


@pytest.fixture(params=PROVIDERS)
def catalog(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[name for name in PROVIDERS if name not in WITHOUT_WHOLE])
def archive_catalog(request):
    """One that gives whole products."""
    return request.getfixturevalue(request.param)


def test_finds_each_acquisition_once_by_time(catalog):
    scenes = list(catalog.search(query()))
    assert [f"{scene.start:%m-%d}" for scene in scenes] == ["12-03", "12-15"]
    assert {scene.platform for scene in scenes} == {"S1A"}
    assert {scene.relative_orbit for scene in scenes} == {49}
    assert all(scene.polarizations == ("VV", "VH") and scene.footprint.intersects(PORT) for scene in scenes)


@pytest.mark.parametrize(
    ("options", "n_found"),
    [
        ({"end": "2024-12-10"}, 1),
        ({"end": "2024-12-02"}, 0),
        ({"area": box(40, 34, 40.1, 34.1)}, 0),
        ({"polarizations": ("VH",)}, 2),
        ({"polarizations": ("HH",)}, 0),
        ({"orbit_pass": "ascending"}, 2),
        ({"orbit_pass": "descending"}, 0),
        ({"relative_orbit": 49}, 2),
        ({"relative_orbit": 50}, 0),
        ({"platform": "S1A"}, 2),
        ({"platform": "S1C"}, 0),
    ],
)
def test_every_part_of_the_question_counts(catalog, options, n_found):
    assert len(list(catalog.search(query(**options)))) == n_found


def test_fetched_product_is_whole(archive_catalog, tmp_path):
    catalog = archive_catalog
    scene = next(catalog.search(query()))
    told = []
    path = catalog.fetch(scene, tmp_path / "products", lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > 0
    assert path.parent == tmp_path / "products"
    assert open_grd(path).scene.acquisition == scene.acquisition
    assert catalog.fetch(scene, tmp_path / "products") == path
    assert [found.name for found in (tmp_path / "products").iterdir()] == [path.name]


def test_scene_is_found_by_its_name_alone(catalog):
    wanted = list(catalog.search(query()))[1]
    assert [scene.id for scene in catalog.search(query_of(wanted.id))] == [wanted.id]


def test_window_is_that_of_the_product(catalog, archive):
    scene = next(catalog.search(query()))
    if not catalog.reads_windows:
        with pytest.raises(CatalogError, match="whole products only"):
            catalog.open(scene)
        return
    product = catalog.open(scene)
    assert product.scene.acquisition == scene.acquisition
    window = Window(10, 30, 5, 60)
    expected = open_grd(next(archive.glob("deep/*_COG.SAFE")))
    for polarization in ("VV", "VH"):
        np.testing.assert_array_equal(
            product.digital_numbers(polarization, window), expected.digital_numbers(polarization, window)
        )


def test_twin_that_costs_less_is_kept(local):
    assert next(local.search(query())).id.endswith("_COG")


def test_second_search_opens_no_product(local, monkeypatch):
    first = list(local.search(query()))
    monkeypatch.setattr("sarship.catalog.local.open_grd", lambda _: pytest.fail("opened again"))
    assert list(local.search(query())) == first


def test_index_that_is_damaged_is_made_anew(local, cache):
    first = list(local.search(query()))
    (index,) = cache.rglob("*.json")
    index.write_text(index.read_text()[:-40])
    assert list(local.search(query())) == first


def test_product_that_is_new_damaged_or_gone_is_noticed(archive, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(archive, folder)
    catalog = open_catalog("local", folder)
    assert len(list(catalog.search(query()))) == 2
    (zipped,) = folder.rglob("*.zip")
    zipped.write_bytes(zipped.read_bytes()[:-1000])
    with pytest.warns(ProductWarning, match="left out: .*cut short"):
        assert len(list(catalog.search(query()))) == 1
    zipped.unlink()
    assert len(list(catalog.search(query()))) == 1


def test_links_and_renamed_zips_are_found_each_once(archive, tmp_path):
    """A link to a product, one to a zip, a renamed copy of that, and a link that leads round in a circle."""
    folder, (zipped,) = tmp_path / "mine", archive.rglob("*.zip")
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "round").symlink_to(folder)
    (folder / "linked.SAFE").symlink_to(next(archive.glob("deep/*_COG.SAFE")))
    (folder / "linked.zip").symlink_to(zipped)
    (folder / "twin.zip").symlink_to(zipped)
    shutil.copy(zipped, folder / "my port.ZIP")
    assert sorted(Path(path).name for path in find_products([str(folder)])) == [
        "linked.SAFE",
        "linked.zip",
        "my port.ZIP",
    ]
    scenes = list(open_catalog("local", folder).search(query()))
    assert [scene.id for scene in scenes] == [scene.id for scene in open_catalog("local", archive).search(query())]


def test_products_in_folders_of_their_name_and_in_nested_zips_are_found(archive, tmp_path):
    """Windows unpacks `X.zip` into a folder `X.SAFE` with the folder `X.SAFE` in it."""
    folder, whole = tmp_path / "mine", next(archive.glob("deep/*_COG.SAFE"))
    shutil.copytree(whole, folder / whole.name / whole.name)
    with zipfile.ZipFile(folder / "delivery.zip", "w") as stream:
        for file in whole.rglob("*"):
            stream.write(file, f"2024/winter/{file.relative_to(whole.parent).as_posix()}")
    assert list(find_products([str(folder)])) == [str(folder / whole.name / whole.name), str(folder / "delivery.zip")]
    assert list(find_products([str(folder / whole.name)])) == [str(folder / whole.name / whole.name)]
    assert len(list(open_catalog("local", folder).search(query()))) == 1


def test_zip_of_several_products_is_named(archive, tmp_path):
    folder, whole = tmp_path / "mine", next(archive.glob("deep/*_COG.SAFE"))
    folder.mkdir()
    for name, places in {"two": ("a.SAFE", "b.SAFE"), "depths": ("a.SAFE", "old/b.SAFE")}.items():
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as stream:
            for place in places:
                stream.write(whole / "manifest.safe", f"{place}/manifest.safe")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert list(open_catalog("local", folder).search(query())) == []
    words = "holds 2 products; unpack it and give the folder of them"
    assert [str(one.message) for one in told] == [
        f"left out: {folder.resolve() / name} {words}" for name in ("depths.zip", "two.zip")
    ]


def test_what_is_passed_over_is_named(archive, tmp_path):
    folder = tmp_path / "mine"
    (folder / "S1A_unfinished.SAFE").mkdir(parents=True)
    (folder / "gone.SAFE").symlink_to(tmp_path / "nowhere")
    with zipfile.ZipFile(folder / "letters.zip", "w") as other:
        other.writestr("letter.txt", "no product")
    (folder / "notes.txt").write_text("nobody would take it for one")
    (folder / ".S1A.incoming.zip").write_text("unfinished")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert list(open_catalog("local", folder).search(query())) == []
    assert sorted(str(one.message).removeprefix(f"passed over: {folder.resolve()}/") for one in told) == [
        "S1A_unfinished.SAFE holds no manifest.safe",
        "gone.SAFE is a link that leads nowhere",
        "letters.zip holds no manifest.safe",
    ]


def test_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(CatalogError, match="is not a folder"):
        list(open_catalog("local", tmp_path / "absent").search(query()))
    with pytest.raises(CatalogError, match="say which one"):
        open_catalog("local")


def test_copy_into_a_folder_that_cannot_be_is_one_sentence(local, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write this"):
        local.fetch(next(local.search(query())), tmp_path / "file")
