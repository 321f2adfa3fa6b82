"""The rules of the house that no linter checks."""

import subprocess
import sys
from pathlib import Path

import pytest

import sarship

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "sarship").rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_short(module):
    assert len(module.read_text().splitlines()) < 400


def test_import_is_light():
    """Neither numba nor cupy nor matplotlib nor rasterio, nor anything that takes long to load."""
    code = "import sys, sarship; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    heavy = {"numba", "cupy", "matplotlib", "rasterio", "geopandas", "xarray", "scipy", "pandas"}
    assert heavy.isdisjoint(loaded)


@pytest.mark.parametrize("name", sarship.__all__)
def test_public_name_resolves_and_is_documented(name):
    value = getattr(sarship, name)
    assert name == "__version__" or value.__doc__


def test_public_names_are_those_that_load():
    assert set(sarship.__all__) == {"__version__", *sarship._HOME}


def test_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        sarship.nonsense  # noqa: B018


def test_dir_lists_the_public_names():
    assert set(sarship.__all__) <= set(dir(sarship))


def test_only_plots_imports_matplotlib():
    importers = {
        path.parent.name
        for path in MODULES
        if "import matplotlib" in path.read_text() or "from matplotlib" in path.read_text()
    }
    assert importers == {"plots"}
