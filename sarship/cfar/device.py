"""Arrays on a graphics card: their device, new ones on it, and one sentence for what is missing.

Imports CUDA only when a function here is called with an array that is on a device, or asked for one.
"""

from __future__ import annotations

import importlib.metadata
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any

import numpy as np

from sarship.errors import DeviceError

__all__ = ["Device", "device_of", "found_on_this_machine", "is_on_device", "is_simulated", "new_device"]

INSTALL = "pip install 'sarship[cuda13]' (driver 580 or newer) or 'sarship[cuda12]'"
_SIMULATED = {"n_processors": 1, "shared_bytes": 1 << 16, "warp": 2, "max_threads": 18}
"""A small card, because the simulator runs every thread as one of the operating system's."""
_PACKAGES = ("cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Home of arrays of one kind: how they are made there, shown to kernels, and brought back."""

    empty: Callable[..., Any]
    """(shape, dtype) → an array on the device, of the kind that was given."""
    zeros: Callable[..., Any]
    """The same, of zeros."""
    view: Callable[[Any], Any]
    """Such an array → what kernels take; nothing is copied."""
    to_host: Callable[[Any], np.ndarray]
    from_host: Callable[[np.ndarray], Any]
    upload: Callable[[np.ndarray], tuple[Any, Any]]
    """Contiguous host array → a copy queued on the current stream, and what must be kept until it has been made."""
    stream: Any
    """Stream that kernels are queued on: the one that is current for the array's owner."""
    stream_number: Callable[[int], Callable[[], AbstractContextManager[None]]]
    """A stream beside the current one, the same for each number; what it gives when called makes it current within a
    `with`, in any thread."""
    n_streams: int
    """Streams that are worth having at once."""
    n_processors: int
    shared_bytes: int
    """Shared memory of a processor."""
    warp: int
    """Threads that step together; blocks are multiples of this."""
    max_threads: int
    """Threads of the largest block worth starting."""


def is_on_device(array: object) -> bool:
    """Return True if an array is on a graphics card: CuPy's, numba's, or any with the CUDA array interface."""
    return type(array).__module__.startswith("numba.cuda.") or hasattr(array, "__cuda_array_interface__")


def device_of(array: object) -> Device:
    """Return the device that an array is on.

    Raises
    ------
    DeviceError
        No card or driver that can be used, or packages missing or overwriting each other.
    """
    cuda = _cuda()
    if type(array).__module__.partition(".")[0] == "cupy":
        return _cupy(cuda)
    return _numba(cuda)


def new_device() -> Device:
    """Return the device for new arrays: CuPy's current one, or numba's simulator.

    Raises
    ------
    DeviceError
        As `device_of`.
    """
    cuda = _cuda()
    return _numba(cuda) if is_simulated() else _cupy(cuda)


def is_simulated() -> bool:
    """Return True if numba runs kernels in its simulator, on the CPU and very slowly."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in {"", "0"}


def _cuda() -> Any:
    """Return `numba.cuda`, with a driver and a card behind it."""
    _check_packages()
    cuda: Any = import_module("numba.cuda")
    if is_simulated():
        return cuda
    if not cuda.is_available():
        raise DeviceError(f"no graphics card can be used: {_reason(cuda)}. sarship works on NumPy arrays without one")
    try:
        # what the first kernel would load
        import_module("numba.cuda.cudaimpl")
    except (ImportError, AttributeError) as error:
        versions = ", ".join(f"{name} {version}" for name, version in _installed("numba-cuda", "numpy").items())
        raise DeviceError(
            f"numba-cuda does not work with the NumPy beside it ({versions}: {error}): pip install 'numpy<2.5', or a "
            "newer numba-cuda"
        ) from error
    return cuda


@cache
def _check_packages() -> None:
    """Refuse packages that overwrite each other; once, for looking takes as long as a search."""
    rivals = _installed(*_PACKAGES)
    if len(rivals) > 1:
        raise DeviceError(
            f"{' and '.join(rivals)} are both installed and overwrite each other: remove all of them, then {INSTALL}"
        )


def _installed(*packages: str) -> dict[str, str]:
    """Return the version of each package that is installed."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _reason(cuda: Any) -> str:
    """Return numba's reason to find no card, in one line."""
    try:
        error = cuda.cuda_error()
    except Exception as problem:
        error = problem
    lines = [line.strip(" :") for line in str(error or "no CUDA device was found").splitlines() if line.strip(" :")]
    return " ".join(lines).split(". ")[0].rstrip(".")


def _cupy(cuda: Any) -> Device:
    try:
        cupy = import_module("cupy")
    except ImportError as error:
        raise DeviceError(f"CuPy cannot be imported ({error}): {INSTALL}") from error
    try:
        pointer = cupy.cuda.get_current_stream().ptr
        cupy.empty(1, np.uint8)
    except Exception as error:
        raise DeviceError(
            f"CuPy {cupy.__version__} cannot use the card ({error}): if its driver is too old, update it, or install "
            "the extra for an older CUDA, 'sarship[cuda12]'"
        ) from error
    properties, card = _properties(cuda), cupy.cuda.runtime.getDevice()
    if cuda.get_current_device().id != card:
        raise DeviceError(
            f"CuPy works on card {card} and numba on card {cuda.get_current_device().id}: choose one for both with "
            "the environment variable CUDA_VISIBLE_DEVICES"
        )
    return Device(
        empty=cupy.empty,
        zeros=cupy.zeros,
        view=lambda array: cuda.as_cuda_array(array, sync=False),
        to_host=lambda array: np.asarray(cupy.asnumpy(cupy.asarray(array))),
        from_host=cupy.asarray,
        upload=lambda array: _upload(cupy, array),
        stream=cuda.external_stream(pointer),
        stream_number=partial(_stream_number, card),
        n_streams=3,
        **properties,
    )


@cache
def _stream_number(card: int, _number: int) -> Callable[[], AbstractContextManager[None]]:
    # kept, because CuPy keeps the memory of a stream for that stream: new ones would take new memory at every call
    cupy = import_module("cupy")
    with cupy.cuda.Device(card):
        stream = cupy.cuda.Stream(non_blocking=True)

    @contextmanager
    def current() -> Iterator[None]:
        # threads begin on the first card
        with cupy.cuda.Device(card), stream:
            yield

    return current


def _upload(cupy: Any, array: np.ndarray) -> tuple[Any, Any]:
    """Queue a copy on the current stream: from pinned memory as it is, from any other through a pinned buffer."""
    there = cupy.empty(array.shape, array.dtype)
    pinned = array
    if cupy.cuda.runtime.pointerGetAttributes(array.ctypes.data).type != cupy.cuda.runtime.memoryTypeHost:
        buffer = cupy.cuda.alloc_pinned_memory(array.nbytes)
        pinned = np.frombuffer(buffer, array.dtype, array.size).reshape(array.shape)
        np.copyto(pinned, array)
    there.set(pinned, stream=cupy.cuda.get_current_stream())
    return there, pinned


def _numba(cuda: Any) -> Device:
    view = (lambda array: array) if is_simulated() else cuda.as_cuda_array
    return Device(
        empty=cuda.device_array,
        zeros=lambda shape, dtype: cuda.to_device(np.zeros(shape, dtype)),
        view=view,
        to_host=lambda array: np.asarray(view(array).copy_to_host()),
        from_host=cuda.to_device,
        upload=lambda array: (cuda.to_device(array), None),
        stream=0,
        stream_number=lambda _: nullcontext,
        n_streams=1,
        **(_SIMULATED if is_simulated() else _properties(cuda)),
    )


def _properties(cuda: Any) -> dict[str, int]:
    card = cuda.get_current_device()
    return {
        "n_processors": int(card.MULTIPROCESSOR_COUNT),
        "shared_bytes": int(card.MAX_SHARED_MEMORY_PER_MULTIPROCESSOR),
        "warp": 32,
        "max_threads": 160,
    }


def found_on_this_machine() -> dict[str, str]:
    """Return card, driver, CuPy and numba-cuda by name; "none" or the reason where there is none.

    Never raises.
    """
    found = {}
    for name, packages in (("CuPy", _PACKAGES), ("numba-cuda", ("numba-cuda",))):
        versions = [f"{version} ({package})" for package, version in _installed(*packages).items()]
        found[name] = ", ".join(versions) or "not installed"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cuda = _cuda()
            if is_simulated():
                return {"card": "numba's CUDA simulator", "driver": "simulated"} | found
            card = cuda.get_current_device()
            free, total = cuda.current_context().get_memory_info()
            name = card.name.decode() if isinstance(card.name, bytes) else str(card.name)
            capability = ".".join(map(str, card.compute_capability))
            version = ".".join(map(str, cuda.cudadrv.driver.driver.get_version()))
    except Exception as error:
        return {"card": f"none ({error})", "driver": "none"} | found
    memory = f"{total / 2**30:.0f} GiB, {free / 2**30:.0f} free"
    return {"card": f"{name}, compute capability {capability}, {memory}", "driver": f"for CUDA {version}"} | found
