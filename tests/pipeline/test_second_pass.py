"""The second pass over the scenes: against the empty port, or not and why, and resumed from its checkpoints."""

import shutil

import numpy as np
import pytest
import rasterio
import zarr

from sarship import survey
from sarship.errors import ProductWarning, ReferenceImageError
from sarship.pipeline.table_files import read_table
from sarship.port.stack import add_scene, read_reference, read_scene, read_stack, write_reference
from sarship.schema import VESSELS


def _times(folder):
    files = [path for kind in ("stack", "references", "second_pass") for path in (folder / kind).rglob("*")]
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}


def test_four_dates_are_counted_against_the_empty_port(harbour, harbour_survey):
    folder, _, results = harbour_survey
    assert (results.counts["n_reference_dates"] == 4).all()
    assert (results.coverage["n_reference_dates"] == 4).all()
    assert set(results.vessels["evidence"]) <= {"ring", "reference", "both", "network"}
    assert (results.vessels["evidence"] != "ring").any()
    assert (results.counts["n_vessels"].sel(pier="Naval mole") == 0).sum() >= 3
    first = [read_table(path, VESSELS)[0] for path in (folder / "scenes").glob("*/vessels.parquet")]
    assert [len(table) for table in first] == [0] * len(results.scenes)  # found once, in the second pass
    (path,) = (folder / "references").iterdir()
    reference = read_reference(path)
    assert reference["n_dates"].item() == 4
    assert reference["is_borrowed"].item()
    (stack,) = (folder / "stack").iterdir()
    assert read_stack(stack)["scene"].to_numpy().tolist() == [one.scene for one in harbour.passes]
    assert read_scene(stack, harbour.passes[0].scene).dims == ("polarization", "y", "x")


def test_lines_and_pixels_are_the_products(harbour, harbour_survey):
    """Also of a vessel that was found on the grid: its place in the image and its time are those of the truth."""
    _, _, results = harbour_survey
    truth = harbour.truth[harbour.truth["pier"] == "Anchorage"]
    near = 0
    for vessel in truth.itertuples():
        found = results.vessels[results.vessels["scene"] == vessel.scene]
        off = np.hypot(found["line"] - vessel.line, found["pixel"] - vessel.pixel)
        if off.min() < 6:
            near += 1
            seen = found.loc[off.idxmin()]
            assert abs((seen["time"] - vessel.time).total_seconds()) < 0.02
    assert near >= 0.8 * len(truth)


def test_second_run_does_nothing_again_and_warns_of_nothing(harbour, harbour_survey, tmp_path):
    folder, port, results = harbour_survey
    folder = shutil.copytree(folder, tmp_path / "out")
    before = _times(folder)
    steps = []
    backwards = [path for one in reversed(harbour.passes) for path in (*one.slices, *one.twins)]
    again = survey(backwards, port, folder, progress=steps.append)
    assert _times(folder) == before
    assert {step.state for step in steps if step.state != "searching"} == {"checkpoint", "twin", "second_pass"}
    np.testing.assert_array_equal(again.counts["n_vessels"], results.counts["n_vessels"])


def test_fewer_dates_or_the_option_leave_it_to_the_image(harbour, harbour_survey, tmp_path):
    _, port, _ = harbour_survey
    alone = survey(harbour.products[:1], port, tmp_path / "one")
    assert (alone.counts["n_reference_dates"] == 0).all()
    assert set(alone.vessels["evidence"]) <= {"ring", "network"}
    without = survey(harbour.products[:1], port, tmp_path / "one", reference=False)
    assert without.counts["n_vessels"].equals(alone.counts["n_vessels"])
    assert not (tmp_path / "one" / "stack").exists()


@pytest.mark.slow
def test_damage_and_a_strange_date_are_survived(harbour, harbour_survey, tmp_path):
    """A reference that was cut is fitted anew; a date that cannot be coregistered is counted by its image."""
    folder, port, results = harbour_survey
    out = shutil.copytree(folder, tmp_path / "out")
    (path,) = (out / "references").iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    shutil.rmtree(out / "second_pass" / harbour.passes[0].scene)
    again = survey(harbour.products, port, out)
    assert again.counts["n_vessels"].equals(results.counts["n_vessels"])
    reference = read_reference(path)
    strange = reference["is_coregistered"].copy()
    strange[1] = False
    write_reference(reference.assign(is_coregistered=strange), path)
    shutil.rmtree(out / "second_pass" / harbour.passes[1].scene)
    with pytest.warns(ProductWarning, match="cannot be coregistered with the other dates .* by the image alone"):
        told = survey(harbour.products, port, out)
    assert told.counts["n_reference_dates"].to_numpy()[:, 0].tolist() == [4, 0, 4, 4]
    alone = survey(harbour.passes[1].slices, port, tmp_path / "alone", reference=False)
    np.testing.assert_array_equal(told.counts["n_vessels"][1], alone.counts["n_vessels"][0])


def test_port_too_large_for_a_grid_is_said(harbour, harbour_survey, tmp_path, monkeypatch):
    _, port, _ = harbour_survey
    monkeypatch.setattr("sarship.port.grid.MAX_CELLS", 1000)
    with pytest.warns(ProductWarning, match="too large for one grid"):
        results = survey(harbour.products, port, tmp_path / "out")
    assert (results.counts["n_reference_dates"] == 0).all()


def test_orbits_are_not_put_together(harbour, harbour_survey, tmp_path):
    """Three dates of one orbit and one of another are no four: each is counted by its image."""
    folder, port, _ = harbour_survey
    out = shutil.copytree(folder, tmp_path / "out")
    others = [shutil.copytree(path, tmp_path / path.name) for path in harbour.passes[3].slices]
    for other in others:
        manifest = other / "manifest.safe"
        manifest.write_text(manifest.read_text().replace(">87<", ">21<"))
    told = survey([*(path for one in harbour.passes[:3] for path in one.slices), *others], port, out)
    assert told.scenes["relative_orbit"].tolist() == [87, 87, 87, 21, 21]
    assert (told.counts["n_reference_dates"] == 0).all()
    assert set(told.vessels["evidence"]) <= {"ring", "network"}
    assert told.counts["n_vessels"].notnull().all()


def test_two_slices_of_a_pass_are_one_date(harbour, harbour_survey, tmp_path):
    """Three passes, one of them cut in two, are three dates: too few for a reference, and nothing to warn of."""
    _, port, _ = harbour_survey
    products = [path for one in harbour.passes[1:] for path in one.slices]
    assert len(products) == 4
    told = survey(products, port, tmp_path / "out")
    assert told.counts.sizes["time"] == 3
    assert (told.counts["n_reference_dates"] == 0).all()
    assert set(told.vessels["evidence"]) <= {"ring", "network"}


def test_a_saved_reference_serves_a_single_date_and_is_refused_elsewhere(harbour, harbour_survey, tmp_path):
    """It may come from another machine; of another port, of too few dates or of another orbit it is refused."""
    folder, port, results = harbour_survey
    (path,) = (folder / "references").iterdir()
    saved = read_reference(path)
    one = survey(harbour.passes[2].slices, port, tmp_path / "one", saved=[saved])
    assert (one.counts["n_reference_dates"] == 4).all()
    np.testing.assert_array_equal(one.counts["n_vessels"][0], results.counts["n_vessels"][2])
    before = _times(tmp_path / "one")
    survey(harbour.passes[2].slices, port, tmp_path / "one", saved=[saved])
    assert _times(tmp_path / "one") == before
    for wrong, said in (
        ([saved.assign_attrs(crs="EPSG:32637")], "of another port, grid or water level"),
        ([saved, saved], "two of the saved references are of one relative orbit"),
        ([saved.assign(n_dates=saved["n_dates"] * 0 + 3)], "made of 3 dates, and 4 are needed"),
        ([saved.assign_coords(relative_orbit=[7])], r"of relative orbit 7 and the products of \d+, .* another side"),
    ):
        with pytest.raises(ReferenceImageError, match=said):
            survey(harbour.passes[2].slices, port, tmp_path / "one", saved=wrong)


def test_interference_is_said(harbour, harbour_survey, tmp_path):
    """Bright stripes over a whole date: its counts are not to be believed, and the others' are as before."""
    folder, port, results = harbour_survey
    out = shutil.copytree(folder, tmp_path / "out")
    (stack,) = (out / "stack").iterdir()
    name = harbour.passes[1].scene
    _change(stack, name, _striped)
    shutil.rmtree(out / "second_pass" / name)
    with pytest.warns(ProductWarning, match=rf"{name} stands out over \d.* of the open water"):
        told = survey(harbour.products, port, out)
    others = [0, 2, 3]
    np.testing.assert_array_equal(told.counts["n_vessels"][others], results.counts["n_vessels"][others])


@pytest.mark.slow
def test_spoilt_dates_are_counted_or_said_and_the_others_stay(harbour, harbour_survey, tmp_path):
    """One date lies three cells off, one has rain cells, and of one half of the port was not imaged."""
    folder, port, results = harbour_survey
    out = shutil.copytree(folder, tmp_path / "out")
    shutil.rmtree(out / "references")
    (stack,) = (out / "stack").iterdir()
    for date, spoil in ((1, _moved), (3, _rained_on)):
        for scene in harbour.passes[date].slices:
            _change(stack, scene.stem, spoil)
    half = shutil.copytree(harbour.passes[2].slices[0], tmp_path / harbour.passes[2].slices[0].name)
    for path in half.rglob("*.tiff"):
        with rasterio.open(path, "r+") as image:
            image.write(np.zeros((350, image.width), np.uint16), 1, window=((0, 350), (0, image.width)))
    others = (path for date in (0, 1, 3) for path in harbour.passes[date].slices)
    told = survey([*others, half], port, out)
    counts, before = told.counts["n_vessels"].to_numpy(), results.counts["n_vessels"].to_numpy()
    unseen = told.counts["seen"].to_numpy() < 0.95
    np.testing.assert_array_equal(np.isnan(counts), unseen)
    assert unseen[2].any()
    assert not unseen[2].all()
    assert not unseen[[0, 1, 3]].any()
    assert (told.counts["n_reference_dates"].to_numpy()[~unseen] == 4).all()
    reference = read_reference(next((out / "references").iterdir()))
    assert reference["row_shift"].to_numpy() == pytest.approx([0, 3, 0, 0], abs=0.3)
    assert np.nanmax(np.abs(counts - before)) <= 1


def _change(stack, name, change):
    """Keep another image of a scene, as if the product had that one."""
    mark = zarr.open_group(stack / f"{name}.zarr", mode="r").attrs["fingerprint"]
    image = read_scene(stack, name)
    add_scene(stack, name, image.copy(data=change(image.to_numpy())), mark)


def _striped(values):
    """Lines of interference."""
    striped = values.copy()
    striped[:, ::40] += 0.5
    return striped


def _moved(values):
    """Three cells to the south."""
    return np.roll(values, 3, axis=-2)


def _rained_on(values):
    """Cells of a kilometre, 7 dB over the sea."""
    down, across = np.mgrid[: values.shape[-2], : values.shape[-1]]
    off = (down - 0.5 * values.shape[-2]) ** 2 + (across - 0.3 * values.shape[-1]) ** 2
    return values + (0.08 * np.exp(-off / (2 * 50.0**2))).astype(np.float32)
