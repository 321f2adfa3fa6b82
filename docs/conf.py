"""Configuration of the documentation site; `sphinx-build -W docs build/docs` makes it, offline."""

import importlib
import inspect
import sys
from pathlib import Path

import click
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "sarship"
sys.path.insert(0, str(PACKAGE.parent))

from sarship import __version__  # noqa: E402

project = "sarship"
author = copyright = "the sarship developers"  # noqa: A001  (Sphinx names it)
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
]
exclude_patterns = ["build"]
html_theme = "pydata_sphinx_theme"
html_title = "sarship"
html_copy_source = False
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
html_sidebars = {"index": [], "tutorial": []}

default_role = "py:obj"  # a name in backticks is code, and a link where it is documented
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

# The reference: a page for each room and each module of the vocabulary, made of their public names.

MODULES = ("model", "schema", "netcdf", "errors", "files")


def _public(page: str) -> list[str]:
    return sorted(importlib.import_module(page).__all__)


def _home(page: str, name: str, pages: list[str]) -> str:
    """The page that documents a name which several list: the one its module lies in."""
    module = getattr(getattr(importlib.import_module(page), name), "__module__", "")
    inside = [other for other in pages if f"{module}.".startswith(f"{other}.") and name in _public(other)]
    return max(inside, key=len, default=page)


def _entry(page: str, name: str) -> str:
    """The directive that documents one name on its page."""
    value = getattr(importlib.import_module(page), name)
    if isinstance(value, click.Group):
        return _commands(value)
    if inspect.isclass(value):
        return f".. autoclass:: {name}\n   :members:\n"
    if inspect.isroutine(value):
        return f".. autofunction:: {name}\n"
    text = _comment(page, name).replace("\n", "\n   ")
    return f".. py:data:: {name}\n\n   {text}\n"


def _commands(group: click.Group, path: str = "sarship") -> str:
    """The help of every command of a group, each under its name."""
    text = ""
    for name, command in group.commands.items():
        full = f"{path} {name}"
        if isinstance(command, click.Group):
            text += _commands(command, full)
            continue
        lines = command.get_help(click.Context(command, info_name=full, max_content_width=100)).splitlines()
        body = "".join(f"   {line}".rstrip() + "\n" for line in lines)
        text += f"{full}\n{'-' * len(full)}\n\n.. code-block:: text\n\n{body}\n"
    return text


def _comment(page: str, name: str) -> str:
    """The string below a constant, wherever in the room it is defined."""
    folder = PACKAGE.parent / page.replace(".", "/")
    for path in folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]:
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        comments = ModuleAnalyzer.for_module(module).find_attr_docs()
        if ("", name) in comments:
            return "\n".join(comments["", name]).strip()
    return ""


def _summary(page: str, name: str) -> str:
    """The first sentence of what documents a name."""
    value = getattr(importlib.import_module(page), name)
    is_documented = inspect.isroutine(value) or inspect.isclass(value)
    text = inspect.getdoc(value) if is_documented else getattr(value, "help", _comment(page, name))
    return " ".join((text or "").split("\n\n")[0].split())


def _write_reference(app: Sphinx, _config: object) -> None:
    rooms = [f"sarship.{path.parent.name}" for path in sorted(PACKAGE.glob("*/__init__.py"))]
    pages = rooms + [f"sarship.{name}" for name in MODULES]
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.stem not in {"sarship", *pages}:
            path.unlink()
    for page in ["sarship", *pages]:
        homes = {name: _home(page, name, pages) for name in _public(page) if not name.startswith("__")}
        rows = "".join(f"   * - :py:obj:`~{homes[name]}.{name}`\n     - {_summary(page, name)}\n" for name in homes)
        entries = "\n".join(_entry(page, name) for name, home in homes.items() if home == page)
        text = (
            f"{page}\n{'=' * len(page)}\n\n.. automodule:: {page}\n\n.. currentmodule:: {page}\n\n"
            f".. list-table::\n   :widths: auto\n\n{rows}\n{entries}"
        )
        path = folder / f"{page}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _link_readme(_app: Sphinx, _page: str, source: list[str]) -> None:
    """The README is no page of the site; its figures are."""
    source[0] = source[0].replace("](../README.md", "](figures.md")


def setup(app: Sphinx) -> None:
    """Connect what is above."""
    app.connect("config-inited", _write_reference)
    app.connect("source-read", _link_readme)
