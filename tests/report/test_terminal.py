"""The terminal report fits its width, says what is unknown, and lets no text act."""

from __future__ import annotations

import re
from datetime import UTC

import pytest
from msgspec.structs import replace

from flowdiag.model.errors import UsageError
from flowdiag.model.policy import (
    Condition,
    ConnectionDecision,
    EndDecision,
    Miss,
    NearestRule,
    PolicyRef,
    WalkStep,
)
from flowdiag.model.reasons import meaning_of
from flowdiag.model.report import (
    BlastRadius,
    BucketCounts,
    Buckets,
    Confidence,
    DecidingRule,
    DroppedPair,
    EvidenceLine,
    NotPolicy,
    RefusedOtherwise,
    ReportWarning,
    Severity,
)
from flowdiag.report import Options, Reporter
from flowdiag.report.escape import cells
from flowdiag.report.explain_view import render_explain
from flowdiag.report.markdown import MarkdownReporter
from flowdiag.report.query_types import Observed, explain_result
from flowdiag.report.sparkline import narrowed, sparkline
from flowdiag.report.spoken import spoken_report
from flowdiag.report.terminal import TerminalReporter
from flowdiag.report.times import Clock
from tests.report.sample_reports import HOSTILE, SAMPLES_AND_HOSTILE, dns_story, empty, hostile, mixed
from tests.report.test_whole_incidents import INCIDENTS, report_of

ANSI = re.compile(r"\x1b\[[0-9;]*m")
ACTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def render(report, **options) -> str:
    return TerminalReporter().render(report, Options(**options))


def test_it_is_a_reporter() -> None:
    assert isinstance(TerminalReporter(), Reporter)


def test_what_was_read_stands_whole_in_a_narrow_terminal() -> None:
    """A number of records or flows goes on in the next line; none is cut out of the middle."""
    report = dns_story()
    said = " ".join(render(report, width=60).split())

    assert (
        f" {report.totals.records:,} records, {report.totals.flows:,} flows, cluster objects as of " in said
    )


@pytest.mark.parametrize("width", [60, 80, 132])
@pytest.mark.parametrize("sample", SAMPLES_AND_HOSTILE)
def test_no_line_is_wider_than_the_terminal(sample: str, width: int) -> None:
    """Wide characters count two columns; only patches and manifests, which must stay whole, may run over."""
    lines = render(SAMPLES_AND_HOSTILE[sample](), width=width, all=True).split("\n")

    assert [line for line in lines if cells(line) > width] == []


@pytest.mark.parametrize("incident", INCIDENTS)
def test_what_stands_below_the_bars_fits_at_every_width_and_is_whole(incident: str) -> None:
    """The change below its bar and "evidence is missing" share a line only where both have room."""
    report = report_of(incident)
    for width in range(60, 100):
        lines = render(report, width=width).split("\n")

        assert [line for line in lines if cells(line) > width] == [], width
        assert [line for line in lines if re.search(r"\^.* \?(?! evidence is missing$)", line)] == [], width


@pytest.mark.parametrize("shift", range(0, len(HOSTILE), 3))
def test_nothing_in_a_report_acts_on_the_terminal(shift: int) -> None:
    """Escapes, direction overrides and line ends in any field are shown, not done."""
    for times in (False, True):
        report = hostile(shift=shift, times=times)
        page = render(report, width=100, verbose=True, all=True)
        coloured = render(report, width=100, verbose=True, all=True, color=True)

        assert None is ACTING.search(page)
        assert None is ACTING.search(ANSI.sub("", coloured))
        assert page == ANSI.sub("", coloured)


def test_rich_markup_in_names_stays_text() -> None:
    report = replace(dns_story(), problems=(replace(dns_story().problems[0], title="[red]x[/red] :boom:"),))

    assert "[red]x[/red] :boom:" in render(report)


def test_ten_thousand_characters_do_not_fill_the_screen() -> None:
    assert len(render(hostile(("L" * 10_000,)), verbose=True, all=True)) < 200_000


def test_ascii_draws_nothing_else() -> None:
    """With --ascii what flowdiag draws is ASCII, whatever the report's own sentences hold."""
    assert render(mixed(), ascii=True, all=True, verbose=True).isascii()
    assert render(dns_story(), ascii=True, all=True, verbose=True).isascii()


def test_severity_is_a_word_and_not_only_a_colour() -> None:
    page = render(dns_story())

    assert "1 HIGH  FD401" in page
    assert "3 MEDIUM  FD101" in page


def test_the_zone_is_stated() -> None:
    assert "14:00:01 → 14:19:59 UTC" in render(dns_story())


def test_no_denials_says_what_was_read_and_what_that_cannot_show() -> None:
    page = render(empty())

    assert "No denied traffic in what was read." in page
    assert "900 records (900 allowed) of 1 input" in page
    assert "cannot show" in page


def test_what_no_policy_refused_is_no_peace() -> None:
    """A mesh, a cloud's firewall or the kernel refused it: the calls failed."""
    report = empty()
    page = render(replace(report, totals=replace(report.totals, not_policy=6)))

    assert "No policy refused traffic in what was read; something else did, 6 times." in page


def test_a_part_without_denials_is_called_a_part() -> None:
    """Refusals that a selection left out are no peace in all that was read; what it was stands above."""
    warning = ReportWarning(
        code="no-refusal-selected", message="none of 3 matches --since 1h", input=None, line=None
    )
    page = render(replace(empty(), warnings=(warning,)))

    assert "No denied traffic in what was selected." in page
    assert page.index("none of 3 matches") < page.index("looked at")
    assert "1 warning" not in page


def test_a_selection_of_nothing_is_no_peace() -> None:
    """A name misspelt is what the first line says, and nothing below speaks of refusals."""
    warning = ReportWarning(
        code="nothing-selected", message="no flow matches -n shopp; did you mean shop?", input=None, line=None
    )
    page = render(replace(empty(), warnings=(warning,)))

    assert "Nothing was selected." in page
    assert page.index("did you mean shop?") < page.index("looked at")
    assert "No denied traffic" not in page
    assert "cannot show" not in page


def test_a_warning_is_told_to_its_end() -> None:
    """What flowdiag says to do about it is worth its lines."""
    text = "its records have no time that can be placed: " + "take the log with its collector's times; " * 6
    warning = ReportWarning(code="no-times", message=text + "(end)", input="h.txt", line=None)

    assert "(end)" in render(replace(mixed(), warnings=(warning,)))


def test_what_was_refused_otherwise_is_no_note_for_verbose_readers() -> None:
    """The count and the first moment of a block are not the diagnosis' own then."""
    part = RefusedOtherwise(
        count=150,
        last="2026-03-17T14:05:00.000000000Z",
        code="FD101",
        direction="egress",
        policies=(PolicyRef("NetworkPolicy", "networking.k8s.io", "shop", "deny"),),
    )
    story = dns_story()
    lead = replace(story.problems[0], otherwise=(part,))
    page = " ".join(render(replace(story, problems=(lead, *story.problems[1:]))).split())

    assert "also 150 of them were refused otherwise, the last at 14:05:00 UTC (FD101 on egress by" in page


def test_a_nearest_rule_without_a_known_miss_says_so() -> None:
    """A rule that stands there alone would read as one that matched."""
    story = dns_story()
    lead = next(p for p in story.problems if p.nearest)
    doubtful = replace(lead, nearest=(replace(lead.nearest[0], misses=()),))
    page = render(replace(story, problems=(doubtful,)))

    assert "may match: what keeps it from that is not known (-v)" in page


def test_nothing_selected_counts_nothing_allowed() -> None:
    """None was looked at, which is not the same as none that was allowed."""
    warning = ReportWarning(
        code="nothing-selected", message="no flow matches --since 1h", input=None, line=None
    )
    nothing = replace(empty(), warnings=(warning,), totals=replace(empty().totals, allowed=0))

    assert "900 records of 1 input, none of them selected" in render(nothing)


def test_unknown_is_said_and_never_shown_as_none_or_zero() -> None:
    page = render(mixed())

    assert "None" not in page
    assert "cluster name unknown" in page
    assert "allowed traffic was not read" in " ".join(page.split())
    assert "at an unknown time (no record has one that can be placed)" in " ".join(page.split())


@pytest.mark.parametrize("verbose", [False, True])
def test_where_no_policy_isolates_none_is_called_unknown(verbose: bool) -> None:
    """FD105 says that enforcement is on without a policy: nothing of the policies is unknown then."""
    story = dns_story()
    lead = replace(story.problems[0], code="FD105", isolating=(), recorded=(), nearest=())
    page = " ".join(render(replace(story, problems=(lead,)), verbose=verbose).split())

    assert "isolated by nothing: enforcement is on without a policy" in page
    assert "are not known" not in page

    unread = replace(lead, confidence=Confidence.POSSIBLE)
    page = " ".join(render(replace(story, problems=(unread,)), verbose=verbose).split())
    assert "the policies of that time are not known" in page


def test_what_an_agent_said_has_a_line_of_its_own() -> None:
    """It stands at the end of a sentence that is cut, and may be why it was refused."""
    story = dns_story()
    said = f"{'The record says that it was refused. ' * 12}The agent said at 2026-03-17 14:02:00 UTC: ipset-failure on node-a."
    lead = replace(story.problems[0], code="FD806", summary=said)
    page = " ".join(render(replace(story, problems=(lead,))).split())

    assert "agent said at 14:02:00 UTC: ipset-failure on node-a." in page
    assert "The agent" not in page


@pytest.mark.parametrize("verbose", [False, True])
def test_policies_that_were_read_are_not_called_unknown(verbose: bool) -> None:
    """Of a call to itself no policy speaks, and one whose rule came near was read."""
    story = dns_story()
    lead = replace(story.problems[0], isolating=(), recorded=())
    itself = replace(lead, code="FD310", nearest=())
    for problem, words in (
        (itself, "policies say nothing of a pod's calls to itself"),
        (lead, "not certain that the nearest rule's policy does"),
    ):
        page = " ".join(render(replace(story, problems=(problem,)), verbose=verbose).split())
        assert words in page
        assert "the policies of that time are not known" not in page


@pytest.mark.parametrize("code", ["FD104", "FD205", "FD603", "FD806"])
@pytest.mark.parametrize("verbose", [False, True])
def test_what_is_wrong_is_told_in_a_sentence_too(verbose: bool, code: str) -> None:
    """Where no other line does: which pod was taken for whom, or stands behind a node, or why a policy isolates more."""
    story = dns_story()
    lead = replace(story.problems[0], code=code, summary="10.0.1.7 was pod shop/web-1, as world.", nearest=())
    page = render(replace(story, problems=(lead,)), verbose=verbose)

    assert "what          10.0.1.7 was pod shop/web-1, as world." in page


def test_the_rule_that_denied_stands_beside_what_isolates() -> None:
    """With -v as without: what isolates an end refused nothing that a rule denied."""
    rule = DecidingRule(
        kind="CiliumNetworkPolicy",
        group="cilium.io",
        namespace="data",
        name="deny-host",
        rule="ingressDeny[0]",
        action="Deny",
    )
    story = dns_story()
    denied = replace(story, problems=(replace(story.problems[0], code="FD501", decided_by=rule),))

    assert "denied by     CiliumNetworkPolicy data/deny-host ingressDeny[0]" in render(denied, verbose=True)
    assert "- Denied by `CiliumNetworkPolicy data/deny-host ingressDeny[0]`" in MarkdownReporter().render(
        denied, Options()
    )


def test_a_consequence_stands_under_its_cause() -> None:
    page = render(dns_story())

    assert "explains      4 DNS over TCP is blocked" in page
    assert "\n 4 LOW" not in page
    assert "\n 4 LOW" in render(dns_story(), all=True)


def test_records_leave_room_for_the_rest() -> None:
    """A flow of Hubble's is 2 KB: its ends and its place are told, with --all all of it."""
    story = dns_story()
    raw = '{"flow":{"verdict":"DROPPED",' + '"labels":["k8s:app=web"],' * 60 + '"node_name":"node-a"}}'
    lead = replace(story.problems[0], evidence=(EvidenceLine(input="flows.jsonl", line=217, raw=raw),))
    told = replace(story, problems=(lead,))

    page = render(told, verbose=True, width=80)
    assert "flows.jsonl:217" in page
    assert '"verdict":"DROPPED"' in page
    assert page.count("k8s:app=web") < 20
    assert "--all: records whole" in page
    whole = render(told, verbose=True, all=True, width=80)
    assert len(re.findall(r"k8s:app=web", "".join(line.strip() for line in whole.splitlines()))) >= 60


def test_the_fix_and_what_else_it_opens_are_never_cut_short() -> None:
    """Whoever applies it reads all of it; of many more problems the fix is told in a line, and the title is not said again."""
    page = render(mixed(), width=80)

    assert "also allows shop/worker-0 → payments/pay-api 8080/TCP and 4 more pairs" in " ".join(page.split())


@pytest.mark.parametrize("form", [TerminalReporter, MarkdownReporter])
def test_a_pair_that_opens_on_three_protocols_is_one_pair(form: type[Reporter]) -> None:
    """They were called three pairs, the rarest protocol first."""
    told = mixed()
    (number,) = [n for n, p in enumerate(told.problems) if p.counterfactual and p.counterfactual.also_allows]
    problem = told.problems[number]
    opened = tuple(
        BlastRadius(src="shop/web", dst="pay/api", protocol=protocol, ports=("1-65535",))
        for protocol in ("ICMP", "SCTP", "TCP", "UDP")
    )
    fix = replace(problem.counterfactual, also_allows=opened)
    problems = (*told.problems[:number], replace(problem, counterfactual=fix), *told.problems[number + 1 :])

    page = " ".join(form().render(replace(told, problems=problems), Options(width=90)).split())
    assert "shop/web → pay/api 1-65535/TCP, 1-65535/UDP, 1-65535/SCTP, 1-65535/ICMP" in page
    assert "more pair" not in page


def test_where_nothing_is_weighty_the_light_problem_is_told_whole() -> None:
    """A dry run of policies is all of low severity: whoever reads it asks which of them would refuse."""
    told = dns_story()
    light = replace(told.problems[0], severity=Severity.LOW)

    assert "nearest rule" in render(replace(told, problems=(light,)))
    weighty = replace(told.problems[0], nearest=())
    assert "nearest rule" not in render(replace(told, problems=(weighty, replace(light, id="p-0"))))


def test_one_problem_alone_is_shown_in_full() -> None:
    page = render(dns_story(), problem="p-9ab4410c")

    assert "kind: NetworkPolicy" in page
    assert "DNS is blocked" not in page


def test_columns_of_the_table_can_be_chosen() -> None:
    page = render(dns_story(), all=True, columns=("count", "source"))

    assert " count  source" in page
    with pytest.raises(UsageError, match="no column 'colour'"):
        render(dns_story(), all=True, columns=("colour",))


def test_many_problems_stay_one_list() -> None:
    report = mixed()
    many = tuple(replace(report.problems[1], id=f"p-{n:08x}") for n in range(60))
    page = render(replace(report, problems=many))

    assert "36 more problems; --all lists them" in page
    assert page.count("\n") < 150


def test_a_span_with_missing_evidence_is_not_shown_as_quiet() -> None:
    assert "·??·" in render(dns_story())


def test_sparkline_scales_to_the_largest_and_keeps_small_ones_visible() -> None:
    assert sparkline([0, 1, 1000], set()) == "·▁█"
    assert sparkline([0, 1, 1000], set(), ascii_only=True) == ".:@"
    assert sparkline([0, 1], {0, 1}) == "?█"


def test_narrowing_keeps_the_sum() -> None:
    row = list(range(100))
    narrow, step = narrowed(row, 33)

    assert sum(row) == sum(narrow)
    assert len(narrow) <= 33
    assert step == 4


def test_buckets_without_a_time_draw_nothing() -> None:
    report = replace(dns_story(), buckets=Buckets(None, None, BucketCounts((), None, {})))

    assert "▁" not in render(report)


def of_years(row: tuple[int, ...]) -> str:
    """The first problem's counts over nine years, a week a bucket."""
    report = dns_story()
    counts = BucketCounts(row, None, {report.problems[0].id: row})
    return render(
        replace(
            report,
            window=replace(report.window, since="2017-03-15T11:22:33Z", until="2026-10-09T08:05:55Z"),
            buckets=Buckets("2017-03-09T00:00:00Z", 604_800.0, counts),
            problems=report.problems[:1],
        ),
        width=100,
    )


def test_an_axis_of_years_says_them() -> None:
    page = of_years((0,) * 100 + (3,) + (0,) * 200 + (5,) + (0,) * 197)

    assert re.search(r"2017-03-09  ·+[▁-█]·+█[·?]+  2026-10-09", page)


def test_one_bar_among_years_is_not_drawn() -> None:
    """When it was stands in the line above; a bar of weeks adds nothing."""
    page = of_years((0,) * 100 + (3,) + (0,) * 398)

    assert "··" not in page
    assert "█" not in page


REF = PolicyRef("NetworkPolicy", "networking.k8s.io", "shop", "deny")


def decision(allowed: bool | None) -> ConnectionDecision:
    end = EndDecision(
        allowed=allowed,
        isolated_by=(REF,),
        nearest=(
            NearestRule(
                policy=REF,
                rule="egress[0]",
                misses=(Miss(Condition.PORT, "80", "8080"),),
                unknown=("\x1b[2J peer",),
            ),
        ),
        walk=(WalkStep(tier=None, policy=REF, rule=None, outcome="selects", text="selects \x1b[31mred"),),
    )
    return ConnectionDecision(allowed=allowed, egress=end, ingress=None)


def test_explain_says_verdict_policies_walk_and_what_was_seen() -> None:
    observed = Observed(
        denied=38,
        denied_first=None,
        denied_last=None,
        allowed=4012,
        allowed_first=None,
        allowed_last=None,
        audited=0,
        text="allowed 4,012 times until 12:01:05, refused 38 times since 12:01:07 (UTC)",
    )
    page = render_explain(
        explain_result("shop/web", "10.0.0.1", "TCP", 8080, decision(False), observed=observed),
        decision(False),
        Options(width=80),
    )

    assert page.startswith("DENIED  shop/web → 10.0.0.1 8080/TCP\n")
    assert "isolated by   NetworkPolicy shop/deny" in page
    assert "no rule allows it: isolation denies by default" in page
    assert "× port: wants 80, found 8080" in page
    assert "outside the cluster" in page
    assert "allowed 4,012 times" in page
    # The walk is long: what was decided and what was seen stand above it.
    assert page.index("allowed 4,012 times") < page.index("how it was decided") < page.index("[31mred")
    assert None is ACTING.search(page)


def test_a_walk_that_ends_in_doubt_says_so() -> None:
    """Its last step tells what was read; whether that was all is what nobody knows."""
    page = render_explain(
        explain_result("shop/web", "10.0.0.1", "TCP", 8080, decision(None)), decision(None), Options(width=80)
    )

    assert page.startswith("UNKNOWN")
    assert "\n\n how it was decided, as far as what was read tells\n" in page
    assert "\n\n\n" not in page


def test_explain_does_not_hide_that_records_and_policies_disagree() -> None:
    seen = Observed(
        denied=1,
        denied_first=None,
        denied_last=None,
        allowed=0,
        allowed_first=None,
        allowed_last=None,
        audited=0,
        text="refused once",
    )
    page = render_explain(
        explain_result("a/b", "c/d", None, None, decision(True), observed=seen), decision(True), Options()
    )

    assert page.startswith("ALLOWED")
    assert "and yet it was refused" in page


def test_explain_says_what_was_made_after_the_last_refusal() -> None:
    seen = Observed(
        denied=3,
        denied_first="2026-03-17T14:09:41Z",
        denied_last="2026-03-17T14:14:55Z",
        allowed=0,
        allowed_first=None,
        allowed_last=None,
        audited=0,
        text="refused 3 times",
        mended="NetworkPolicy a/open was created at 2026-03-17 14:15:05 UTC",
    )
    page = render_explain(
        explain_result("a/b", "c/d", "TCP", 80, decision(True), observed=seen), decision(True), Options()
    )

    told = (
        "Mended since: NetworkPolicy a/open was created at 2026-03-17 14:15:05 UTC, after the last refusal."
    )
    assert told in " ".join(page.split())
    assert "and yet it was refused" not in page


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("logged", "What became of it is not recorded"),
        ("audited", "observed  3 records"),
        ("denied", "and yet it was refused"),
    ],
)
def test_explain_does_not_say_that_nothing_was_seen_of_what_was(field, said) -> None:
    """Packets that were only logged, or only audited, were seen all the same."""
    counts = {"denied": 0, "audited": 0, "logged": 0, field: 3}
    spans = dict.fromkeys(("denied_first", "denied_last", "allowed_first", "allowed_last"))
    seen = Observed(**counts, **spans, allowed=0, text="3 records")
    nothing = Observed(**(counts | {field: 0}), **spans, allowed=0, text="none")
    pages = [
        render_explain(
            explain_result("a/b", "c/d", "TCP", 80, decision(True), observed=one), decision(True), Options()
        )
        for one in (seen, nothing)
    ]

    assert said in pages[0]
    assert ["Nothing was seen between the two" in page for page in pages] == [False, True]


def test_explain_does_not_accuse_policies_of_refusals_that_have_ended() -> None:
    seen = Observed(
        denied=102,
        denied_first="2026-03-17T14:09:41Z",
        denied_last="2026-03-17T14:14:55Z",
        allowed=177,
        allowed_first="2026-03-17T14:00:03Z",
        allowed_last="2026-03-17T14:19:43Z",
        audited=0,
        text="allowed 177 times, refused 102 times",
    )
    page = render_explain(
        explain_result("a/b", "c/d", "TCP", 80, decision(True), observed=seen), decision(True), Options()
    )

    assert "It passed after the last refusal, as the policies say now." in page
    assert "and yet it was refused" not in page


@pytest.mark.parametrize("incident", INCIDENTS)
@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_window_and_its_zone_stand_on_one_line(incident: str, width: int) -> None:
    head = render(report_of(incident), width=width).splitlines()[:2]

    assert [re.findall(r"\d\d:\d\d:\d\d → .*UTC$", line) != [] for line in head].count(True) == 1


def test_all_cnis_stand_in_the_first_lines() -> None:
    """Whose logs were read is known whole, and a long name of the cluster takes none of it away."""
    names = ("aws-vpc-cni", "calico", "cilium", "kube-router", "ovn-kubernetes", "weave")
    report = dns_story()
    told = replace(report, cluster=replace(report.cluster, name="prod-" * 40, cni=names))
    for width in (60, 80, 100, 200):
        page = " ".join(render(told, width=width).split())

        assert f"({', '.join(names)})" in page.partition(" input")[0]
        assert "prod-prod-prod-" in page
        assert "prod-" * 12 not in page


def test_what_to_do_next_is_about_what_goes_on() -> None:
    """A problem that was mended is asked about on the cluster only where no other is open."""
    report = dns_story()
    last = replace(
        report.problems[-1],
        explained_by=None,
        severity=Severity.HIGH,
        ongoing=True,
        verify=("kubectl get last",),
        code="FD309",
    )
    over = tuple(replace(one, ongoing=False, verify=("kubectl get first",)) for one in report.problems[:-1])
    page = render(replace(report, problems=(*over, last)), width=100)
    assert "Next  kubectl get last\n" in page
    assert page.rstrip().endswith("flowdiag codes FD309")

    page = render(replace(report, problems=(*over, replace(last, severity=Severity.LOW))), width=100)
    assert "Next  kubectl get first\n" in page
    assert page.rstrip().endswith(f"flowdiag codes {over[0].code}")


def test_three_weighty_problems_fit_a_screen() -> None:
    """What is broken, since when, what isolates, what was nearly met and the fix; the rest is behind -v."""
    page = render(dns_story(), width=100)

    assert page.count("\n") <= 44
    for label in ("isolated by", "nearest rule", "fix"):
        assert f"   {label} " in page
    assert "created 14:09:40, 6 min after" not in page
    assert "created 14:09:40, 6 min after" in " ".join(render(dns_story(), width=100, verbose=True).split())


@pytest.mark.parametrize("reason", ["multicast-not-enabled", "mesh-authorization-policy", "tcp-reset"])
def test_why_no_policy_refused_is_not_cut(reason: str) -> None:
    """The sentences are our own and short enough; a vendor's word of any length is bounded."""
    text = meaning_of(reason) or ""
    refused = replace(empty().totals, not_policy=1)
    pair = DroppedPair(src="shop/web", dst="10.0.2.9", protocol="TCP", port=80, count=1)
    found = NotPolicy(reason, "configuration", 1, text, (pair,))
    report = replace(empty(), totals=refused, not_policy=(found,))
    page = " ".join(render(report, width=100).split())

    assert f"({text}: 1)" in page
    assert f"{reason}: shop/web → 10.0.2.9 80/TCP (1)" in page
    assert "`shop/web → 10.0.2.9 80/TCP`: 1" in MarkdownReporter().render(report, Options())
    assert "flowdiag events --verdict denied PATH: whom no policy refused" in page


@pytest.mark.parametrize("incident", INCIDENTS)
def test_an_incident_fits_a_screen(incident: str) -> None:
    """One problem on 24 rows, three on some forty, at 80 columns: title, when, who isolates, miss, fix, bars."""
    report = report_of(incident)
    weighty = [p for p in report.problems if p.severity in (Severity.HIGH, Severity.MEDIUM)]
    alone = replace(report, problems=tuple(weighty[:1]), warnings=(), not_policy=())

    assert render(alone, width=80).count("\n") <= 24
    assert render(replace(report, problems=tuple(weighty[:3])), width=80).count("\n") <= 44


@pytest.mark.parametrize("incident", INCIDENTS)
def test_what_is_cut_shows_that_it_is_and_how_to_see_it(incident: str) -> None:
    report = report_of(incident)
    page = render(report, width=80)
    whole = " ".join(render(report, width=80, verbose=True).split())

    assert "-v: patches, " in page
    for problem in spoken_report(report, Clock.of(report, UTC)).problems:
        if problem.severity not in (Severity.HIGH, Severity.MEDIUM):
            continue
        if problem.counterfactual is not None:
            assert problem.counterfactual.summary.rstrip(". ") in whole
        assert " ".join(problem.advice.split()) in whole
        for rule in problem.nearest:
            for miss in rule.misses:
                assert miss.wanted in whole


def test_connections_that_read_alike_are_one_line() -> None:
    """The same call told by two sources: its records are summed; with a second call both stand."""
    report = dns_story()
    lead = report.problems[0].connections[0]
    twice = replace(report.problems[0], connections=(lead, replace(lead, count=7)))
    page = render(replace(report, problems=(twice,)), verbose=True)

    assert page.count("frontend/web-app → kube-system/coredns 53/UDP") == 1


def test_notes_are_counted_where_they_are_not_shown() -> None:
    report = dns_story()

    def noted(*notes: str, **options) -> str:
        return render(
            replace(report, problems=(replace(report.problems[0], notes=notes),)), width=100, **options
        )

    assert "-v: patches, 1 note, evidence" in noted("short")
    assert "-v: patches, 2 notes, evidence" in noted("short", "other")
    assert "other" in noted("short", "other", verbose=True)


def test_one_denial_is_told_as_one() -> None:
    """Neither "all 1 denial" nor "since 14:03:13, still happening at 14:03:13"."""
    report = dns_story()
    lead = report.problems[0]
    single = replace(lead, count=1, last=lead.first, ongoing=True)
    totals = replace(report.totals, denied=1, unattributed=0)

    page = " ".join(render(replace(report, problems=(single,), totals=totals)).split())
    ended = render(replace(report, problems=(replace(single, ongoing=False),), totals=totals))
    doubtful = render(replace(report, problems=(replace(single, ongoing=None, count=4),), totals=totals))

    assert "1 problem explains the one denial" in page
    assert "once, at 14:03:13, where the evidence ends" in page
    assert "once, at 14:03:13, not seen since" in ended
    assert " at 14:03:13; whether it goes on is unknown" in doubtful


def test_severities_stand_in_one_column_whatever_the_number() -> None:
    report = mixed()
    problems = tuple(replace(report.problems[0], id=f"p-{n}", explained_by=None) for n in range(12))
    page = render(replace(report, problems=problems))
    starts = [line.index("HIGH") for line in page.splitlines() if re.match(r" +\d+ HIGH ", line)]

    assert len(starts) == 12
    assert len(set(starts)) == 1
