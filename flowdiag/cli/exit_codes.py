"""Exit codes, in one place; README.md says what they mean."""

from __future__ import annotations

__all__ = ["CLUSTER", "DONE", "FINDINGS", "INPUT", "INTERNAL", "INTERRUPTED", "USAGE", "exit_code"]

DONE = 0
"""Done, nothing at or above ``--fail-on``."""
FINDINGS = 1
"""Findings at or above ``--fail-on``, or a verify query differs or errs."""
USAGE = 2
INPUT = 3
"""No usable input, or explain cannot resolve an end; with ``--strict`` partial input too."""
CLUSTER = 4
"""The cluster is unreachable or forbids."""
INTERNAL = 5
INTERRUPTED = 130

_BY_CODE = {"usage": USAGE, "input": INPUT, "cluster": CLUSTER}


def exit_code(error_code: str) -> int:
    """Exit code of a `flowdiag.model.errors.FlowdiagError.code`."""
    return _BY_CODE.get(error_code, INTERNAL)
