"""What the IOOS compliance checker says of a NetCDF file, held to CF-1.11."""

import json
import subprocess
import sys
from pathlib import Path


def complaints_of(path):
    """Messages of every check that a file does not pass in full, mild recommendations included."""
    report = path.with_suffix(".json")
    tool = Path(sys.executable).with_name("compliance-checker")
    command = [tool, "--test", "cf:1.11", "--criteria", "strict", "--format", "json", "--output", report, path]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert report.exists(), ran.stderr
    found = json.loads(report.read_text())["cf:1.11"]
    groups = ("high_priorities", "medium_priorities", "low_priorities")
    checks = [check for group in groups for check in found[group]]
    assert len(checks) > 20  # it looked at the file
    return [message for check in checks if check["value"][0] != check["value"][1] for message in check["msgs"]]
