"""The search on a graphics card. Its kernels run under numba's simulator, in a process of its own: it takes over."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from sarship import cfar
from sarship.cfar import device, selftest
from sarship.errors import DeviceError
from sarship.model import Hits

CASES = [
    "clutter_models:gamma+lognormal+weibull+k+gaussian",
    "scores_and_masks:gamma+k",
    "strips",
    "bands",
    "sifted:1+2+3+4",
    "wide_windows",
    "odd_arrays",
    "wide_range",
    "full_room",
    "bad_input",
    "dual",
    "moved",
    "averages",
    "iterations",
    "streamed",
    "checked",
    "command",
    "over_time",
]


@pytest.fixture(scope="module")
def passed():
    """Cases that passed on the simulator, and all that the process wrote."""
    script = Path(__file__).parents[1] / "builders" / "on_simulator.py"
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    run = subprocess.run(
        [sys.executable, "-W", "error", script, *CASES], env=environment, capture_output=True, text=True, check=False
    )
    return {line.split()[1] for line in run.stdout.splitlines() if line.startswith("ok ")}, run.stdout + run.stderr


@pytest.mark.parametrize("case", CASES)
def test_the_device_finds_what_the_cpu_finds(passed, case):
    names, output = passed
    assert case in names, output


class OnACard:
    """What is seen of an array on a card."""

    __cuda_array_interface__: ClassVar = {"version": 3}
    dtype = np.dtype(np.uint16)
    shape = (4, 5)
    ndim, size = 2, 20


def none_found(package):
    raise importlib.metadata.PackageNotFoundError(package)


def test_importing_never_touches_cuda():
    code = (
        "import sys, numpy as np, sarship, sarship.cfar as cfar\n"
        "cfar.detect(np.ones((60, 60), np.uint16))\n"
        "found = {name for name in sys.modules if name.startswith(('cupy', 'numba.cuda.cudadrv'))}\n"
        "assert not found, found\n"
        "assert not any(name.startswith('sarship.cfar.gpu.search') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(device.found_on_this_machine()["driver"] != "none", reason="there is a card")
def test_without_a_card_an_array_on_one_is_one_sentence(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", none_found)
    with pytest.raises(DeviceError, match=r"no graphics card can be used: .*works on NumPy arrays") as caught:
        cfar.detect(OnACard())
    assert "\n" not in str(caught.value)
    with pytest.raises(DeviceError, match="no graphics card"):
        cfar.to_device(np.ones((4, 5)))
    with pytest.raises(DeviceError, match="no graphics card"):
        cfar.detect_streamed(np.ones((4, 5), np.uint16))


def test_both_extras_at_once_are_one_sentence(monkeypatch):
    both = {"cupy-cuda12x": "13.6", "cupy-cuda13x": "14.2"}
    monkeypatch.setattr(importlib.metadata, "version", lambda name: both[name] if name in both else none_found(name))
    device._check_packages.cache_clear()
    with pytest.raises(DeviceError, match=r"cupy-cuda12x and cupy-cuda13x are both installed .* remove all of them"):
        cfar.detect(OnACard())


def test_a_driver_too_old_is_one_sentence(monkeypatch):
    class Old:
        __version__ = "14.2"

        class cuda:  # noqa: N801
            @staticmethod
            def get_current_stream():
                raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")

    monkeypatch.setattr(device, "import_module", lambda name: Old)
    with pytest.raises(DeviceError, match=r"CuPy 14.2 cannot use the card \(cudaErrorInsufficientDriver.*update it"):
        device._cupy(None)
    monkeypatch.undo()


def test_a_numba_that_numpy_does_not_suit_is_one_sentence(monkeypatch):
    def gone(name):
        if name == "numba.cuda.cudaimpl":
            raise AttributeError("module 'numpy' has no attribute 'row_stack'")
        return SimpleNamespace(is_available=lambda: True)

    monkeypatch.setattr(device, "import_module", gone)
    with pytest.raises(
        DeviceError, match=r"numba-cuda does not work with the NumPy beside it \(.*row_stack.*numpy<2.5"
    ):
        device.new_device()


def test_two_cards_at_once_are_one_sentence(monkeypatch):
    card = SimpleNamespace(id=0, MULTIPROCESSOR_COUNT=132, MAX_SHARED_MEMORY_PER_MULTIPROCESSOR=1 << 17)
    second = SimpleNamespace(ptr=0)
    runtime = SimpleNamespace(getDevice=lambda: 1)
    cupy = SimpleNamespace(
        uint8=np.uint8, empty=np.empty, cuda=SimpleNamespace(get_current_stream=lambda: second, runtime=runtime)
    )
    monkeypatch.setattr(device, "import_module", lambda name: cupy)
    with pytest.raises(DeviceError, match=r"CuPy works on card 1 and numba on card 0: .*CUDA_VISIBLE_DEVICES"):
        device._cupy(SimpleNamespace(get_current_device=lambda: card))
    monkeypatch.undo()


def test_cupy_that_is_missing_is_one_sentence(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(device, "import_module", missing)
    with pytest.raises(DeviceError, match=r"CuPy cannot be imported .*pip install 'sarship\[cuda13\]'"):
        device._cupy(None)


def test_what_is_found_always_has_the_same_names(monkeypatch):
    assert list(device.found_on_this_machine()) == ["card", "driver", "CuPy", "numba-cuda"]
    monkeypatch.setattr(importlib.metadata, "version", none_found)
    assert device.found_on_this_machine()["CuPy"] == "not installed"


def test_the_checkup_compares_the_cpu_with_plain_sums(monkeypatch):
    found = selftest.check_up()
    assert found["CPU against plain sums"].startswith(f"{selftest.EQUAL}: ")
    assert int(found["CPU threads"]) >= 1
    monkeypatch.setattr(cfar, "detect", lambda image, params: Hits.empty())
    assert selftest.check_up()["CPU against plain sums"].startswith("DIFFERENT: 0 hits where ")


def test_a_mask_on_a_card_needs_an_image_there():
    class Mask(OnACard):
        dtype = np.dtype(np.bool_)

    with pytest.raises(TypeError, match="valid on a device"):
        cfar.detect(np.ones((4, 5), np.uint16), cfar.CfarParams(), Mask())


def test_an_array_of_another_library_is_refused():
    class Tensor(OnACard):
        dtype = "torch.float32"

    with pytest.raises(TypeError, match=r"an array of CuPy's or numba's, got .*Tensor"):
        cfar.detect(Tensor())


def test_the_readme_says_what_was_measured_and_no_more(tmp_path):
    repository = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("benchmark", repository / "benchmarks" / "gpu.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    page = tmp_path / "README.md"
    page.write_text((repository / "README.md").read_text("utf-8"), "utf-8")
    benchmark.write_readme(readme=page)
    assert page.read_text("utf-8") == (repository / "README.md").read_text("utf-8")
    benchmark.write_readme(tmp_path / "none.json", page)
    assert benchmark.UNMEASURED in page.read_text("utf-8")
