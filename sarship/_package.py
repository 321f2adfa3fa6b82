"""Version of the package, and public names that load on first use."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

__all__ = ["__version__", "lazy_names"]

__version__ = "0.1.0"


def lazy_names(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package whose stub names its public face.

    The stub `__init__.pyi` beside the `__init__.py` holds `from sarship.room.module import name as name`. Type
    checkers read it, and here it says where each name lives: each is listed once, and importing the package loads none.

    Parameters
    ----------
    package, file
        `__name__` and `__file__` of the package.

    References
    ----------
    Scientific Python, SPEC 1, Lazy loading of submodules and functions.

    Examples
    --------
    >>> import sarship
    >>> getattr_, _, names = lazy_names("sarship", sarship.__file__)
    >>> "survey" in names
    True
    >>> getattr_("survey").__module__
    'sarship.pipeline...'
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    homes = {
        alias.asname or alias.name: str(node.module)
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: sorted(homes), sorted(homes)
