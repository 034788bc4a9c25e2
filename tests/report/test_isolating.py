"""Which of several policies that isolate is named first: the one that closed the end, and no allow policy after it."""

from datetime import UTC

import pytest
from msgspec.structs import replace

from flowdiag.report.isolating import leading_change, oldest_first
from flowdiag.report.markdown import problem_markdown
from flowdiag.report.protocol import Options
from flowdiag.report.terminal import TerminalReporter
from flowdiag.report.times import Clock
from tests.report.test_whole_incidents import report_of


@pytest.fixture(scope="module")
def report():
    return report_of("default-deny-egress")


@pytest.fixture
def problem(report):
    """Web-app's calls, which `default-deny` closed and which came to light as `allow-dns-access` was made."""
    return next(p for p in report.problems if p.destination.name == "user-api")


def test_the_policy_that_closed_the_end_comes_first(report, problem):
    """The list of the report is sorted by name; people read the first as the culprit."""
    assert [ref.name for ref in problem.isolating] == ["allow-dns-access", "default-deny"]
    assert [ref.name for ref in oldest_first(report, problem)] == ["default-deny", "allow-dns-access"]


def test_policies_of_unknown_age_come_last(report, problem):
    """Whether they are older nobody knows."""
    undated = replace(
        report,
        policies=tuple(replace(p, created=None) if p.name == "default-deny" else p for p in report.policies),
    )

    assert [ref.name for ref in oldest_first(undated, problem)] == ["allow-dns-access", "default-deny"]


def test_of_policies_of_one_age_that_without_rules_closed_the_end(report, problem):
    """A dump without times (a repository's manifests): what admits nobody comes before what admits somebody."""
    undated = replace(report, policies=tuple(replace(p, created=None) for p in report.policies))

    assert [ref.name for ref in oldest_first(undated, problem)] == ["default-deny", "allow-dns-access"]


def test_an_allow_policy_is_not_the_change_that_began_it(problem):
    """It was made seconds before the first refusal, of an end that was closed six minutes before."""
    assert problem.changes[0].object.name == "allow-dns-access"
    assert leading_change(problem).object.name == "default-deny"


def test_what_a_rule_denied_began_with_that_rule(problem):
    """A default deny beside it is older, and refused nothing of this."""
    denied = replace(
        problem, code="FD501", summary="NetworkPolicy frontend/allow-dns-access egress[0] denies it."
    )

    assert leading_change(denied).object.name == "allow-dns-access"


def test_a_change_alone_stays(problem):
    """Where the older policy's making is not near, the nearest change is shown as it is."""
    alone = replace(problem, changes=problem.changes[:1])

    assert leading_change(alone) == problem.changes[0]
    assert leading_change(replace(problem, changes=())) is None


def test_screens_and_tickets_name_it(report, problem):
    """On the terminal's one line, under its bars, and in a ticket."""
    text = TerminalReporter().render(report, Options(width=100))
    block = text.partition("reach backend/user-api")[2].partition(" HIGH ")[0]

    assert "isolated by   NetworkPolicy frontend/default-deny (created 6 min before) and 1 more" in block
    assert "^ frontend/default-deny created 14:03:12" in block
    lines = problem_markdown(problem, Clock.of(report, UTC), number=1, folded=[])
    assert [line for line in lines if line.startswith("- Changed: NetworkPolicy `frontend/default-deny`")]
