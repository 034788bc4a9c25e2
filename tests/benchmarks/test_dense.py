"""Evidence in which nearly every record is a connection of its own, to measure with."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "dense.py"


def test_every_case_is_read_to_its_last_record():
    """The script itself ends with an error where some are not counted."""
    command = [sys.executable, str(SCRIPT), "--records", "300", "--rounds", "1"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 8
