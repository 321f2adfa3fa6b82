"""`pytest benchmarks/ --benchmark-only` measures as its page says, on images so small that the figures mean nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def measure(*options: str, **environment: str) -> str:
    """Run benchmarks in a process of their own; what they printed."""
    command = [sys.executable, "-m", "pytest", "--benchmark-only", "--benchmark-max-time=0", "--benchmark-min-rounds=1"]
    environment = {**os.environ, "SARSHIP_BENCHMARK_SIDE": "96", **environment}
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):  # beside other tests it measures nothing
        environment.pop(name, None)
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_two_runs_are_compared(tmp_path):
    chosen = ("benchmarks/", "-k", "10/20 and gamma or sarship or SciPy or summed", f"--benchmark-storage={tmp_path}")
    measure(*chosen, "--benchmark-save=before")
    (saved,) = tmp_path.glob("*/*_before.json")
    rows = json.loads(saved.read_text())["benchmarks"]
    assert {row["group"] for row in rows} == {"on the CPU", "rivals"}
    assert all(row["extra_info"]["Mpx/s"] > 0 for row in rows)
    assert "before" in measure(*chosen, "--benchmark-compare")


def test_the_cards_part_runs_on_the_simulator():
    side = {"NUMBA_ENABLE_CUDASIM": "1", "SARSHIP_BENCHMARK_SIDE": "24"}
    assert "gamma-uint16" in measure("benchmarks/test_cfar_gpu.py", "-k", "gamma and uint16", **side)
