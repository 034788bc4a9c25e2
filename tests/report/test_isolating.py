"""Which of several policies that isolate is named first: the one that closed the end, and no allow policy after it."""

from datetime import UTC

import pytest
from msgspec.structs import replace

from flowdiag.model.report import DecidingRule, RuleCounts
from flowdiag.report.html import HtmlReporter
from flowdiag.report.isolating import closing_first, denied_by, leading_change
from flowdiag.report.junit import JunitReporter
from flowdiag.report.markdown import MarkdownReporter, problem_markdown
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


def first_names(report, problem):
    """As people read them."""
    shown = next(p for p in closing_first(report).problems if p.id == problem.id)
    return [ref.name for ref in shown.isolating]


def test_the_policy_that_closed_the_end_comes_first(report, problem):
    """The list of the report is sorted by name; people read the first as the culprit."""
    assert [ref.name for ref in problem.isolating] == ["allow-dns-access", "default-deny"]
    assert first_names(report, problem) == ["default-deny", "allow-dns-access"]


def test_policies_of_unknown_age_come_last(report, problem):
    """Whether they are older nobody knows."""
    undated = replace(
        report,
        policies=tuple(replace(p, created=None) if p.name == "default-deny" else p for p in report.policies),
    )

    assert first_names(undated, problem) == ["allow-dns-access", "default-deny"]


def test_of_policies_of_one_age_that_without_rules_closed_the_end(report, problem):
    """A dump without times (a repository's manifests): what admits nobody comes before what admits somebody."""
    undated = replace(report, policies=tuple(replace(p, created=None) for p in report.policies))

    assert first_names(undated, problem) == ["default-deny", "allow-dns-access"]


def test_an_allow_policy_is_not_the_change_that_began_it(problem):
    """It was made seconds before the first refusal, of an end that was closed six minutes before."""
    assert problem.changes[0].object.name == "allow-dns-access"
    assert leading_change(problem).object.name == "default-deny"


def test_what_a_rule_denied_began_with_that_rule(problem):
    """A default deny beside it is older, and refused nothing of this."""
    rule = DecidingRule(
        kind="NetworkPolicy",
        group="networking.k8s.io",
        namespace="frontend",
        name="allow-dns-access",
        rule="egress[0]",
        action="deny",
    )
    denied = replace(problem, code="FD501", decided_by=rule)

    assert leading_change(denied).object.name == "allow-dns-access"


def test_a_change_alone_stays(problem):
    """Where the older policy's making is not near, the nearest change is shown as it is."""
    alone = replace(problem, changes=problem.changes[:1])

    assert leading_change(alone) == problem.changes[0]
    assert leading_change(replace(problem, changes=())) is None


def test_it_comes_first_wherever_people_read(report, problem):
    """A ticket and a page that began with the allow policy had another culprit than the terminal."""
    one = Options(width=100, verbose=True, problem=problem.id)
    closing, later = "frontend/default-deny", "frontend/allow-dns-access"
    screen = TerminalReporter().render(report, one).partition("isolated by")[2].partition("nearest rule")[0]
    ticket = MarkdownReporter().render(report, one).partition("Isolated by")[2].partition("\n")[0]
    page = HtmlReporter().render(report, one).partition("isolated by")[2].partition("nearest rule")[0]
    case = JunitReporter().render(report, one).partition("isolated by")[2]
    for text in (screen, ticket, page, case):
        assert 0 <= text.index(closing) < text.index(later)


def test_screens_and_tickets_name_it(report, problem):
    """On the terminal's one line, under its bars, and in a ticket."""
    text = TerminalReporter().render(report, Options(width=100))
    block = text.partition("reach backend/user-api")[2].partition(" HIGH ")[0]

    assert "isolated by   NetworkPolicy frontend/default-deny (created 6 min before) and 1 more" in block
    assert "^ frontend/default-deny created 14:03:12" in block
    lines = problem_markdown(problem, Clock.of(report, UTC), number=1, folded=[])
    assert [line for line in lines if line.startswith("- Changed: NetworkPolicy `frontend/default-deny`")]


def test_a_report_tells_how_many_rules_policies_have_and_which_rule_denied(report):
    """What people's formats go by stands in the JSON, and nobody reads sentences or manifests back."""
    rules = {policy.name: policy.rules for policy in report.policies}
    assert rules["default-deny"] == RuleCounts(ingress=0, egress=0)
    assert rules["allow-dns-access"] == RuleCounts(ingress=0, egress=1)

    denied = next(p for p in report_of("calico-whisker").problems if p.code == "FD502")
    assert (denied.decided_by.name, denied.decided_by.rule) == ("ledger-ingress", "ingress[2]")
    assert denied_by(denied).name == "ledger-ingress"


def test_a_report_that_was_kept_before_it_told_them_is_shown_all_the_same(report, problem):
    """A history keeps reports of earlier versions; of those the records or the summary say what denied."""
    old = replace(report, policies=tuple(replace(policy, rules=None) for policy in report.policies))
    assert first_names(old, problem) == ["default-deny", "allow-dns-access"]

    denied = next(p for p in report_of("calico-log-lines").problems if p.code == "FD502")
    before = replace(denied, decided_by=None)
    page = TerminalReporter().render(replace(report, problems=(before,)), Options(width=100))
    assert "denied by     NetworkPolicy payments/ledger-ingress ingress[2] denies" in page


def test_of_policies_made_at_once_the_change_is_that_of_the_one_named_first(report, problem):
    """A block that named the default deny had the allow policy under its bars."""
    at = problem.changes[0].at
    made = replace(problem, changes=tuple(replace(change, at=at) for change in problem.changes))
    same = tuple(replace(p, created=at) for p in report.policies)
    (shown,) = closing_first(replace(report, problems=(made,), policies=same)).problems

    assert shown.isolating[0].name == "default-deny"
    assert leading_change(shown).object.name == "default-deny"
