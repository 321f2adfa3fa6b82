"""Recipes for other installers say what pyproject.toml says."""

import re
import tomllib
from pathlib import Path

import pytest

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
