"""Moments in sentences: one form in the data, the reader's zone on the page."""

from __future__ import annotations

import re
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.policy import ConnectionDecision, EndDecision, PolicyRef
from flowdiag.model.report import Report, ReportWarning, TimelineEntry
from flowdiag.model.time import NS, moment_text
from flowdiag.model.words import plural
from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from flowdiag.report.explain_view import render_explain
from flowdiag.report.html.said import said
from flowdiag.report.query_types import ExplainResult, Observed
from flowdiag.report.spoken import pieces, spoken
from flowdiag.report.times import Clock, instant
from tests.report.sample_reports import dns_story
from tests.report.test_whole_incidents import INCIDENTS, report_of

KOLKATA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")
FOR_PEOPLE = ("terminal", "markdown", "html", "junit", "sarif")


def with_sentences(text: str) -> Report:
    """`text` in every field that holds a sentence."""
    report = dns_story()
    problem = report.problems[0]
    fix, change = problem.counterfactual, problem.changes[0]
    assert fix is not None
    mended = replace(
        problem,
        title=f"title {text}",
        summary=f"summary {text}",
        advice=f"advice {text}",
        notes=(f"note {text}",),
        counterfactual=replace(fix, summary=f"fix {text}"),
        revert=replace(fix, summary=f"revert {text}"),
        changes=(replace(change, what=f"what {text}"),),
        nearest=(),
    )
    return replace(
        report,
        problems=(mended, *report.problems[1:]),
        timeline=(replace(report.timeline[0], text=f"mark {text}"), *report.timeline[1:]),
        warnings=(ReportWarning(code="x", message=f"warning {text}", input=None, line=None),),
    )


@pytest.mark.parametrize("name", FOR_PEOPLE)
def test_sentences_follow_the_zone_that_is_shown(name: str) -> None:
    """Every field with sentences; the day stays where it is another one, and nothing is left in UTC."""
    report = with_sentences("at 2026-03-17 14:02:35 UTC and at 2026-03-16 22:00:00 UTC.")
    options = Options(width=160, verbose=True, all=True, timezone=KOLKATA)
    text = re.sub(r"</?time[^>]*>", "", load(GROUP, name).plugin.render(report, options))
    text = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text.replace("`", ""))

    assert "14:02:35 UTC" not in text
    # Of these each result is read alone, and nothing beside it says the day.
    day = "2026-03-17 " if name in ("junit", "sarif") else ""
    words = {
        "terminal": "title advice note fix revert what warning",
        "markdown": "title summary note fix revert what",
        "html": "title summary advice note fix revert what mark warning",
        "junit": "title fix revert",
        "sarif": "title fix revert",
    }[name]
    for word in words.split():
        assert f"{word} at {day}19:32:35 IST and at {day}03:30:00 IST" in text.replace("Note", "note"), word


def test_programs_get_what_the_report_holds() -> None:
    """JSON, JSONL, CSV and OpenMetrics are the same for every reader."""
    report = with_sentences("at 2026-03-17 14:02:35 UTC.")
    for name in ("json", "jsonl", "csv", "openmetrics"):
        render = load(GROUP, name).plugin.render
        assert render(report, Options(timezone=KOLKATA)) == render(report, Options()), name


@pytest.mark.parametrize("name", FOR_PEOPLE)
@pytest.mark.parametrize("incident", INCIDENTS)
def test_no_sentence_of_an_incident_is_left_in_utc(incident: str, name: str) -> None:
    """In Berlin every clock of spring is CET or CEST; records stay as they were written."""
    text = load(GROUP, name).plugin.render(
        report_of(incident), Options(width=200, verbose=True, all=True, timezone=BERLIN)
    )
    text = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    in_utc = re.findall(r"\d\d:\d\d:\d\d UTC", text)

    assert in_utc == []
    if name == "html":
        assert re.search(r'class="said"[^>]*>\d\d:\d\d:\d\d CES?T<', text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at 2026-03-17 14:02:35 UTC.", "at 15:02:35 CET."),
        ("at 2026-03-17 23:30:00 UTC", "at 2026-03-18 00:30:00 CET"),
        ("from 2026-06-01 00:00:00 UTC", "from 2026-06-01 02:00:00 CEST"),
        ("as at 2026-03-17 14:02:35 UTC: it is not known", "as at 15:02:35 CET: it is not known"),
        ("2026-03-17 14:02:35 UTC:30", "2026-03-17 14:02:35 UTC:30"),
        ("--since 2026-03-17T14:02:35Z", "--since 2026-03-17T14:02:35Z"),
        ("at 2026-02-31 14:02:35 UTC", "at 2026-02-31 14:02:35 UTC"),
        ("x2026-03-17 14:02:35 UTC+5", "x2026-03-17 14:02:35 UTC+5"),
        ("at 14:02:35 UTC", "at 14:02:35 UTC"),
    ],
)
def test_only_moments_are_rewritten(text: str, shown: str) -> None:
    """Commands, what is no day, and what strangers write otherwise stay."""
    assert spoken(text, Clock(BERLIN, "2026-03-17")) == shown


@given(st.integers(0, 4_102_444_800 * NS), st.sampled_from([UTC, BERLIN, KOLKATA]), st.text(max_size=40))
def test_a_moment_is_found_again_whatever_stands_beside_it(at: int, zone: ZoneInfo, around: str) -> None:
    """What `moment_text` writes is what is read here, and the instant stays the same one."""
    text = f"{around} {moment_text(at)}, {around}"
    moments = [moment for _, moment in pieces(text) if moment is not None]

    assert "".join(part for part, _ in pieces(text)) == text
    moment = instant(moments[0], UTC)
    assert moment is not None
    assert int(moment.timestamp()) == at // NS
    assert moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") in spoken(text, Clock(zone))


HOSTILE = "capture 2026-01-01 00:00:00 UTC -> z"


@pytest.mark.parametrize("name", FOR_PEOPLE)
def test_names_and_messages_that_look_like_sentences_stay(name: str) -> None:
    """A file, a workload and an agent's message keep their clocks and arrows; the sentences around them do not."""
    report = dns_story()
    text = f"{HOSTILE}: broken at 2026-03-17 14:02:35 UTC, b -> c"
    signal = TimelineEntry(report.timeline[0].at, "signal", None, "x on n: q 2026-01-02 00:00:00 UTC -> w")
    problem = replace(
        report.problems[0],
        title=f"title {text}",
        summary=f"summary {text}. The agent said: q 2026-01-02 00:00:00 UTC -> w.",
        advice=f"advice {text}",
        nearest=(),
        notes=(f"note {text}",),
    )
    report = replace(
        report,
        inputs=(
            replace(report.inputs[0], path=HOSTILE),
            replace(report.inputs[0], path="\udcff"),
            *report.inputs[1:],
        ),
        problems=(problem, *report.problems[1:]),
        timeline=(signal, *report.timeline),
        warnings=(ReportWarning(code="x", message=f"warning {text}", input=HOSTILE, line=None),),
    )
    options = Options(width=300, verbose=True, all=True, timezone=KOLKATA)
    shown = re.sub(r"</?time[^>]*>", "", load(GROUP, name).plugin.render(report, options))
    shown = re.sub(r'<script type="application/json".*?</script>', "", shown, flags=re.DOTALL)
    shown = re.sub(r"\s+", " ", shown.replace("&gt;", ">").replace("\\>", ">").replace("`", ""))

    day = "2026-03-17 " if name in ("junit", "sarif") else ""
    assert f"title {HOSTILE}: broken at {day}19:32:35 IST, b → c" in shown
    assert not re.search("05:30:00|UTC →", shown)
    assert "14:02:35 UTC" not in shown


def test_on_the_page_a_moment_is_an_element_and_the_rest_is_escaped() -> None:
    text = "<b>at 2026-03-17 14:02:35 UTC</b>"

    assert str(said(text, Clock(BERLIN, "2026-03-17", named=True))) == (
        '&lt;b&gt;at <time class="said" datetime="2026-03-17T14:02:35Z" title="2026-03-17T14:02:35Z">15:02:35 CET</time>&lt;/b&gt;'
    )


def test_explain_says_its_zone_too() -> None:
    """What was seen between two ends, under --timezone."""
    observed = Observed(
        denied=3,
        denied_first=None,
        denied_last=None,
        allowed=None,
        allowed_first=None,
        allowed_last=None,
        audited=0,
        text="refused 3 times (2026-03-17 14:02:35 UTC to 2026-03-17 15:00:00 UTC)",
    )
    result = ExplainResult(
        src="a/b",
        dst="c/d",
        protocol="TCP",
        port=1,
        allowed=None,
        egress=None,
        ingress=None,
        error=None,
        observed=observed,
    )

    class Nothing:
        egress = ingress = None

    text = render_explain(result, Nothing(), Options(width=160, timezone=BERLIN))
    assert "(2026-03-17 15:02:35 CET to 2026-03-17 16:00:00 CET)" in text


def test_an_answer_keeps_what_a_stranger_s_name_holds() -> None:
    """A policy may be called as a moment is written, and a pod with an arrow in its name: both stay, the rest is said."""
    odd = PolicyRef("NetworkPolicy", "networking.k8s.io", "shop", "at 2026-03-17 14:02:35 UTC")
    end = EndDecision(
        allowed=None,
        isolated_by=(odd,),
        unknown=("shop/at 2026-03-17 14:02:35 UTC was written at 2026-03-17 15:00:00 UTC",),
        notes=("pod a -> b to c -> d",),
    )
    result = ExplainResult(
        src="shop/a -> b",
        dst="d",
        protocol="TCP",
        port=1,
        allowed=None,
        egress=None,
        ingress=None,
        error=None,
        observed=None,
    )
    decision = ConnectionDecision(allowed=None, egress=end, ingress=None)

    text = render_explain(result, decision, Options(width=160, timezone=BERLIN))

    assert "shop/at 2026-03-17 14:02:35 UTC was written at 2026-03-17 16:00:00 CET" in text
    assert "pod a -> b to c → d" in text


@pytest.mark.parametrize("name", FOR_PEOPLE)
@pytest.mark.parametrize("incident", INCIDENTS)
def test_an_output_has_one_arrow(incident: str, name: str) -> None:
    """The page's and the ticket's is the arrow; ASCII has its own."""
    options = Options(width=200, verbose=True, all=True)
    text = load(GROUP, name).plugin.render(report_of(incident), options)
    text = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)

    assert not re.search(r"\S (?:->|-&gt;) \S", text)
    if name == "terminal":
        plain = load(GROUP, name).plugin.render(report_of(incident), replace(options, ascii=True))
        assert " -> " in plain
        assert plain.isascii()


def test_several_nodes_and_folded_ports_read_as_people_say_them() -> None:
    """In titles; see also the goldens of the incidents."""
    titles = [problem.title for problem in report_of("ingress-other-namespace").problems]

    assert (
        "The host firewall of nodes node-a and node-b refuses addresses of 203.0.113.0/24 on 18 TCP ports"
        in titles
    )
    assert "Nothing allows addresses of 2001:db8:bad::/48 to reach edge/gateway on 18 TCP ports" in titles


def test_one_of_a_thing_is_not_many() -> None:
    assert [plural(number, "time") for number in (0, 1, 2, 1204)] == [
        "0 times",
        "1 time",
        "2 times",
        "1,204 times",
    ]
    assert [plural(number, "address", "addresses") for number in (1, 3)] == ["1 address", "3 addresses"]


@pytest.mark.parametrize("name", ["terminal", "markdown", "html", "svg"])
def test_a_window_in_which_the_clocks_were_changed_says_both_distances(name: str) -> None:
    """Its end is another distance from UTC than its beginning: by one alone the reader is an hour wrong."""
    story = dns_story()
    window = replace(story.window, since="2026-03-29T00:50:00Z", until="2026-03-29T01:09:00Z")
    buckets = replace(story.buckets, start="2026-03-29T00:50:00Z")
    report = replace(story, window=window, buckets=buckets)
    text = load(GROUP, name).plugin.render(report, Options(width=120, timezone=BERLIN))

    assert "Europe/Berlin, UTC+01:00, then UTC+02:00" in text.replace("`", "")
    winter = replace(report, window=replace(window, until="2026-03-29T00:59:00Z"))
    text = load(GROUP, name).plugin.render(winter, Options(width=120, timezone=BERLIN))
    assert ", then UTC" not in text
