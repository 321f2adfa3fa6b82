"""What the IOOS compliance checker says of NetCDF files, held to CF-1.11."""

import json
import subprocess
import sys
from pathlib import Path


def complaints_of(*paths):
    """Messages of every check that a file does not pass in full, mild recommendations included."""
    report = paths[0].with_suffix(".json")
    tool = Path(sys.executable).with_name("compliance-checker")
    command = [tool, "--test", "cf:1.11", "--criteria", "strict", "--format", "json_new", "--output", report, *paths]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert report.exists(), ran.stderr
    found = json.loads(report.read_text())
    groups = ("high_priorities", "medium_priorities", "low_priorities")
    messages = []
    for path in paths:
        checks = [check for group in groups for check in found[str(path)]["cf:1.11"][group]]
        assert len(checks) > 20  # it looked at the file
        messages += [message for check in checks if check["value"][0] != check["value"][1] for message in check["msgs"]]
    return messages
