"""Objects that are compiled while worker processes read the evidence: the same report, also where that guessed wrongly."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from small_cluster import OBJECTS, listed, policy, refused, write
from test_past_versions import CLOSED, audit, deny

from flowdiag.analysis import analyze, state
from flowdiag.analysis.options import EvidenceOptions

DENY = policy("shop", "deny", CLOSED, created="2026-03-01T10:00:00Z")


def told(folder, monkeypatch, processes):
    """The report of a folder, and how often a set of policies was compiled for it."""
    compiled = []

    def counted(*given, **named):
        found = run_compile(*given, **named)
        compiled.append(found)
        return found

    run_compile = state.compile_state
    monkeypatch.setattr(state, "compile_state", counted)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    try:
        return analyze([folder], evidence=EvidenceOptions(processes=processes)), compiled
    finally:
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("objects", "logs", "kept"),
    [
        ([DENY], {}, True),
        # A log of changes holds a policy that the dump has no more.
        ([], {"audit_log": audit(25, "delete", responseObject=deny(CLOSED))}, False),
    ],
)
def test_what_was_compiled_ahead_is_used_as_far_as_it_holds(objects, logs, kept, tmp_path, monkeypatch):
    """It is compiled once where the evidence adds nothing to it, again where it does, and nobody sees it."""
    folder = write(tmp_path, state_json=listed(*OBJECTS[:4], *objects), flows_log=refused(), **logs)
    alone, once = told(folder, monkeypatch, 1)
    shared, ahead = told(folder, monkeypatch, 2)

    assert shared == alone
    assert len(alone.problems) == 1
    assert alone.problems[0].isolating
    assert len(once) == 1
    assert len(ahead) == 2
    assert (ahead[0] is ahead[1]) is kept
