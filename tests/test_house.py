"""The rules of the house that no linter checks."""

import ast
import importlib
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import sarship

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "sarship").rglob("*.py"))
RELATIVE = re.compile(r"(What|Whether|Where|How|Which|Who|When)\b")
ROOMS = sorted(path.parent.name for path in (ROOT / "sarship").glob("*/__init__.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_short(module):
    assert len(module.read_text().splitlines()) < 400


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_begin_with_the_noun_or_the_verb(module):
    """Of the module, its classes, functions and constants; those written below a name too."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    statements = [statement for body in bodies for statement in body if isinstance(statement, ast.Expr)]
    texts = [each.value.value for each in statements if isinstance(each.value, ast.Constant)]
    assert [text for text in texts if isinstance(text, str) and RELATIVE.match(text)] == []


def test_modules_are_short_on_the_whole():
    lengths = [len(module.read_text(encoding="utf-8").splitlines()) for module in MODULES]
    assert statistics.median(lengths) < 170


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


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_exports_what_its_stub_names_and_no_module_hides_it(room):
    package = importlib.import_module(f"sarship.{room}")
    modules = {path.stem for path in (ROOT / "sarship" / room).glob("*.py")}
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name not in modules, f"{room}/{name}.py hides sarship.{room}.{name}"


def test_the_survey_of_the_pipeline_is_the_function():
    from sarship.pipeline import survey  # noqa: PLC0415

    assert callable(survey)


def test_rooms_import_only_from_rooms_below():
    """The contracts of pyproject.toml."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    if not command[0].exists():
        pytest.skip("import-linter is not installed; the extra dev has it")
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


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
