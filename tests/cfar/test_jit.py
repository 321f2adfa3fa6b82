"""Weight of importing the detectors, and kernels in the compiler's cache."""

import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import sarship
from sarship import cfar
from sarship.cfar.jit import uncounted

HEAVY = ["pandas", "xarray", "geopandas", "shapely", "pyproj", "rasterio", "matplotlib", "cupy", "requests"]


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, **environment
    ).stdout


def test_importing_loads_nothing_and_searching_nothing_heavy():
    code = (
        "import sys\n"
        "from sarship import cfar\n"
        "assert not {'numba', 'scipy'} & sys.modules.keys(), 'loaded before a name was used'\n"
        "import numpy as np\n"
        "cfar.detect(np.ones((60, 60), np.uint16))\n"
        "cfar.measure_enl(np.ones((64, 64), np.float32))\n"
        f"loaded = {set(HEAVY)} & sys.modules.keys()\n"
        "assert not loaded, loaded\n"
    )
    run(code)


def test_detectors_need_numpy_scipy_and_numba_alone():
    code = """
import sys
class Block:
    names = "xarray pandas geopandas shapely rasterio pyproj matplotlib click pyarrow tqdm cupy dask".split()
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
import numpy as np
from sarship import cfar
cfar.warm_up()
image = np.ones((50, 50), np.uint16); image[20, 30] = 100
hits = cfar.detect(image)
assert (hits.line.tolist(), hits.pixel.tolist()) == ([20], [30])
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_what_counts_no_references_can_leave_none_behind():
    @uncounted
    def middle(array):
        part = array[1:-1]
        total = 0.0
        for k in range(part.size):
            total += part[k]
        return total

    @uncounted
    def part_of(array):
        return array[1:-1]

    @uncounted
    def made(n):
        return np.zeros(n)[0]

    @numba.njit
    def whole(array):
        return middle(array)

    assert whole(np.arange(5.0)) == 6
    for refused, argument in ((part_of, np.arange(5.0)), (made, 3)):
        with pytest.raises(numba.core.errors.NumbaError):
            numba.njit(lambda x, f=refused: f(x))(argument)


def test_the_first_call_of_a_process_is_quick_once_compiled():
    cfar.detect(np.ones((50, 50), np.uint16))
    # processor time, which other work on the machine does not lengthen
    code = """
import time
import numpy as np
from sarship import cfar
detect = cfar.detect  # loads numba
begin = time.process_time()
detect(np.ones((50, 50), np.uint16))
print(time.process_time() - begin)
"""
    assert float(run(code)) < 1


def test_a_change_in_a_shared_file_compiles_kernels_again(tmp_path):
    """A kernel is made of functions from several files, and numba's own stamp watches one: here a small such kernel."""
    package = tmp_path / "sarship"
    shutil.copytree(Path(sarship.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import numpy as np\n"
        "from sarship.cfar.cpu.two_parameter_integer import _slide_down\n"
        "levels = np.ones(9, np.int32)\n"
        "_slide_down(np.zeros((3, 9), np.uint64), levels, levels, True)\n"  # its counts slide by a function of rows.py
        "stats = _slide_down.stats\n"
        "print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))\n"
    )
    here = {"cwd": tmp_path}
    assert run(code, **here).split() == ["0", "1"]
    assert run(code, **here).split() == ["1", "0"]
    shared = package / "cfar" / "cpu" / "rows.py"
    shared.write_text(shared.read_text("utf-8") + "\n", "utf-8")
    assert run(code, **here).split() == ["0", "1"]
