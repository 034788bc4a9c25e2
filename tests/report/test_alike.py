"""Thirty nodes' logs with one fault are one line for people, and thirty warnings for programs."""

import json

import pytest
from msgspec.structs import replace

from flowdiag.model.report import ReportWarning
from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from tests.report.sample_reports import mixed


def warned(*warnings):
    """A report with these alone."""
    return replace(mixed(), warnings=warnings)


def render(name, report, **options):
    return " ".join(load(GROUP, name).plugin.render(report, Options(width=100, **options)).split())


def on(*numbers, code="truncated", message="the last line was cut off"):
    return tuple(ReportWarning(code=code, message=message, input=f"n{one}.log", line=one) for one in numbers)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("terminal", "30 warnings: n1.log:1 and 29 more: the last line was cut off (truncated)"),
        ("markdown", "`n1.log:1` and 29 more: the last line was cut off;"),
    ],
)
def test_one_fault_of_many_inputs_is_told_once(name, said):
    """The first is named, the others are counted."""
    text = render(name, warned(*on(*range(1, 31))))

    assert said in text
    assert "n2.log" not in text


def test_what_is_left_is_counted_in_warnings():
    """Three kinds are told; what they stand for is not left any more."""
    kinds = [on(1, 2, message=f"fault {number}") for number in range(4)]
    text = render("terminal", warned(*(one for kind in kinds for one in kind)))

    assert "8 warnings n1.log:1 and 1 more: fault 0 (truncated)" in text
    assert "… and 2 more: --all" in text


def test_all_of_them_are_listed_where_all_is_asked_for():
    """And programs always get each by itself."""
    report = warned(*on(*range(1, 31)))
    text = render("terminal", report, all=True)

    assert all(f"n{number}.log:{number}: the last line" in text for number in range(1, 31))
    assert len(json.loads(load(GROUP, "json").plugin.render(report, Options()))["warnings"]) == 30
