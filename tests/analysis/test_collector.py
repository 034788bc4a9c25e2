"""Python's search for cycles among what an analysis makes: off from the first byte read to the report."""

import gc
from pathlib import Path

import pytest

from flowdiag.analysis import analyze
from flowdiag.analysis.run import examine

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress"


@pytest.mark.parametrize("run", [analyze, examine])
def test_nobody_looks_for_cycles_in_any_stage(run):
    """Of analyze and of what an audit asks; afterwards it is as it was."""
    seen = []

    run(
        [str(INCIDENT)],
        progress=lambda *_: seen.append(gc.isenabled()),
        stage=lambda _: seen.append(gc.isenabled()),
    )

    assert set(seen) == {False}
    assert gc.isenabled()
