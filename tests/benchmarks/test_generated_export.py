"""The generator of exports to measure with: what it writes is what it says it wrote, and what the policies say."""

import json
import subprocess
import sys
from pathlib import Path

from flowdiag.analysis import StateOptions, analyze

ROOT = Path(__file__).resolve().parents[2]


def test_a_generated_export_is_what_its_policies_make_of_it(tmp_path):
    """Every refusal is counted once and refused by the replay too, and nothing in the export is malformed."""
    script = ROOT / "benchmarks" / "generate.py"
    command = [sys.executable, str(script), str(tmp_path), "--megabytes", "1", "--pods", "200"]
    subprocess.run(command, check=True, capture_output=True)
    truth = json.loads((tmp_path / "truth.json").read_text())
    report = analyze([str(tmp_path / "flows.jsonl")], state=StateOptions(paths=(str(tmp_path / "state"),)))
    assert report.warnings == ()
    assert report.complete
    assert report.totals.records == truth["records"]
    assert report.totals.denied == truth["refused_packets"] > 0
    assert report.totals.unattributed == 0
    assert "FD806" not in {problem.code for problem in report.problems}
    assert all(problem.isolating for problem in report.problems)
    assert min(truth[kind] for kind in ("replies", "ipv6", "l7", "service")) > 0


def test_times_have_the_digits_that_exporters_write(tmp_path):
    """Cilium's encoder drops zeros of a fraction in threes: none, three, six or nine digits."""
    script = ROOT / "benchmarks" / "generate.py"
    command = [sys.executable, str(script), str(tmp_path), "--megabytes", "1", "--pods", "200"]
    subprocess.run(command, check=True, capture_output=True)
    records = [json.loads(line) for line in (tmp_path / "flows.jsonl").read_text().splitlines()]
    digits = {len(record["time"].rstrip("Z").partition(".")[2]) for record in records}
    assert digits <= {0, 3, 6, 9}
    assert 9 in digits
