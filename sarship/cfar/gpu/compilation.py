"""Compilation of functions and kernels of the device, each once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

from sarship.cfar.device import is_simulated

cuda: Any = import_module("numba.cuda")

__all__ = ["DeviceFunction", "as_kernel", "made_once", "on_device"]

DeviceFunction = Callable[..., Any]

P = ParamSpec("P")
T = TypeVar("T")
_MAKING = threading.RLock()


def made_once(make: Callable[P, T]) -> Callable[P, T]:
    """Keep what a function makes, whatever threads ask for it: each kernel compiles in seconds."""
    kept: Any = cache(make)

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        with _MAKING:
            found: T = kept(*args, **kwargs)
            return found

    return made


def on_device(function: Any) -> DeviceFunction:
    """Compile a plain function, or the source of one compiled for the CPU, as a function of the device.

    The simulator takes it as it is: it gives `cuda` its meaning within a kernel's own file, and would do so anew at
    every call of a function of another file.
    """
    plain: DeviceFunction = getattr(function, "py_func", function)
    return plain if is_simulated() else cuda.jit(plain, device=True)


def as_kernel(function: Any) -> Any:
    """Compile a kernel; here, because the simulator replaces `cuda` in a kernel's own file while it runs."""
    return cuda.jit(function)
