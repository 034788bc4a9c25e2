"""Problems that no refused record stands behind."""

import msgspec
import pytest

from flowdiag.model.problem import Confidence, Problem, Severity, problem_without_refusals

SAID = {
    "id": "p-1",
    "fingerprint": "1",
    "code": "FD901",
    "slug": "x",
    "title": "t",
    "severity": Severity.LOW,
    "confidence": Confidence.POSSIBLE,
    "verdict": "unknown",
    "advice": "",
}


def test_what_is_not_told_is_unknown_or_none():
    """Never an invented value: null, empty, left out, or an end of unknown kind; told fields win."""
    found = problem_without_refusals(**SAID, port=80)
    fields = msgspec.structs.asdict(found)

    assert {name: fields[name] for name in SAID} == SAID
    assert (found.port, found.count, found.source.kind, found.destination.kind) == (
        80,
        0,
        "unknown",
        "unknown",
    )
    left = set(fields) - set(SAID) - {"port", "count", "source", "destination", "reason"}
    assert {repr(fields[name]) for name in left} <= {"None", "()", "''", "UNSET"}


def test_every_field_has_a_value_and_what_must_be_told_is_missed():
    """A field that is added to problems is to be thought of here."""
    required = {field.name for field in msgspec.structs.fields(Problem) if field.required}

    for name in SAID:
        with pytest.raises(TypeError, match=name):
            problem_without_refusals(**{key: value for key, value in SAID.items() if key != name})
    assert required - set(SAID) <= set(msgspec.structs.asdict(problem_without_refusals(**SAID)))
