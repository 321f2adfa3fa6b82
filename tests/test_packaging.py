"""Recipes for other installers say what pyproject.toml says."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sarship import __version__

ROOT = Path(__file__).parents[1]
RECIPE = (ROOT / "packaging" / "conda" / "recipe.yaml").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = {"matplotlib": ("matplotlib-base",), "h5netcdf[h5py]": ("h5netcdf", "h5py")}
"""Names on PyPI → on conda-forge, where they differ."""


def conda_names(requirement: str) -> list[str]:
    name, bound = re.fullmatch(r"([^><=]+)(>=.+)", requirement).groups()
    first, *others = CONDA.get(name, (name,))
    return [f"{first} {bound}", *others]


def test_the_recipe_needs_what_the_project_needs():
    run = RECIPE.partition("  run:\n")[2].partition("\ntests:")[0]
    asked = [line.removeprefix("    - ") for line in run.strip("\n").splitlines()]
    wanted = [name for requirement in PROJECT["dependencies"] for name in conda_names(requirement)]
    assert asked == ["python >=${{ python_min }}", *wanted]


def test_the_recipe_is_of_this_version_and_python():
    assert f'version: "{__version__}"' in RECIPE
    assert f'python_min: "{PROJECT["requires-python"].removeprefix(">=")}"' in RECIPE
    assert "sarship = sarship.cli:main" in RECIPE
    assert PROJECT["scripts"] == {"sarship": "sarship.cli:main"}


def test_the_recipe_is_one_to_its_builder():
    builder = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed; the extra dev has it")
    (rendered,) = builder.Stage0Recipe.from_yaml(RECIPE).render(builder.VariantConfig(), builder.RenderConfig())
    assert (rendered.recipe.package.name, str(rendered.recipe.package.version)) == ("sarship", __version__)


LEFT_OUT = {"matplotlib", "pillow", "zarr"}
LIGHT = [
    Requirement(line)
    for line in (ROOT / "packaging" / "requirements-light.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def needed(roots: list[str]) -> set[str]:
    """The packages that some need here, with all that these need."""
    found, left = set[tuple[str, str]](), [Requirement(each) for each in roots]
    while left:
        each = left.pop()
        for extra in {"", *each.extras}:
            if (canonicalize_name(each.name), extra) in found:
                continue
            found.add((canonicalize_name(each.name), extra))
            told = [Requirement(text) for text in requires(each.name) or ()]
            left += [one for one in told if one.marker is None or one.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


def test_the_light_installation_is_whole_and_has_no_more_than_it_needs():
    roots = [text for text in PROJECT["dependencies"] if canonicalize_name(Requirement(text).name) not in LEFT_OUT]
    here = {canonicalize_name(each.name) for each in LIGHT if each.marker is None or each.marker.evaluate()}
    assert here == needed(roots)
    assert not here & LEFT_OUT


def test_the_light_installation_has_the_bounds_of_the_project():
    bounds = {canonicalize_name(each.name): each.specifier for each in map(Requirement, PROJECT["dependencies"])}
    told = {canonicalize_name(each.name): each.specifier for each in LIGHT}
    assert {name: told[name] for name in bounds.keys() - LEFT_OUT} == {
        name: bounds[name] for name in bounds.keys() - LEFT_OUT
    }
