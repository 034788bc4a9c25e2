"""``--fail-on``: which findings make a run's exit code 1."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flowdiag.model.errors import UsageError
from flowdiag.model.finding import CODE_PATTERN
from flowdiag.model.report import Problem, Severity, Status
from flowdiag.parserkit.registry import available

__all__ = ["check_fail_on", "fails"]

_LEVELS = ("high", "medium", "low")


def check_fail_on(value: str) -> str:
    """The value, if it means something.

    Raises:
        UsageError: it does not.
    """
    if value.lower() in ("never", "new", "new-high", *_LEVELS):
        return value.lower()
    for code in (value, value.upper()):
        if any(code in available(group) for group in ("flowdiag.diagnoses", "flowdiag.checks")):
            return code
    if re.search(CODE_PATTERN, value):
        # A gate on a code that nobody has would never close.
        raise UsageError(
            f"--fail-on {value}: no diagnosis has that code", hint="list them with: flowdiag codes"
        )
    raise UsageError(
        f"--fail-on {value}: no such selector",
        hint="one of never, low, medium, high, new, new-high, or a code such as FD301",
    )


def fails(problems: Iterable[Problem], value: str) -> bool:
    """Whether a problem is at or above `value`.  Accepted problems never are; without history all are new."""
    open_ones = [problem for problem in problems if problem.status not in (Status.ACCEPTED, Status.GONE)]
    if value == "never":
        return False
    if value == "new":
        return any(problem.status in (None, Status.NEW) for problem in open_ones)
    if value == "new-high":
        return any(p.severity is Severity.HIGH and p.status in (None, Status.NEW) for p in open_ones)
    if value in _LEVELS:
        counted = [Severity(level) for level in _LEVELS[: _LEVELS.index(value) + 1]]
        return any(problem.severity in counted for problem in open_ones)
    return any(problem.code == value for problem in open_ones)
