"""The page as text: self-contained, well-formed for readers of any kind, bounded, and readable again."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from flowdiag.model.report import Report, ReportWarning
from flowdiag.report import Options
from flowdiag.report.charts import PngReporter, SvgReporter, inline_svg
from flowdiag.report.charts.axis import steps
from flowdiag.report.html import HtmlReporter
from flowdiag.report.html.view import SECTIONS
from flowdiag.report.read import read_report
from flowdiag.report.terminal import TerminalReporter
from tests.report.sample_reports import (
    DNS_MANIFEST,
    SAMPLES,
    SAMPLES_AND_HOSTILE,
    dns_story,
    hostile,
    mixed,
    pod_end,
    taken_back,
)
from tests.report.test_whole_incidents import INCIDENTS, report_of

every_sample = pytest.mark.parametrize("sample", SAMPLES_AND_HOSTILE)


class Tags(HTMLParser):
    """Every start tag with its attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = tag == "script"
        if self._script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._script = self._script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[-1] += data

    def named(self, *names: str) -> list[dict[str, Any]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def render(report: Report, **options: Any) -> str:
    return HtmlReporter().render(report, Options(**options))


def test_the_first_screen_says_by_what_and_what_mends_it() -> None:
    """Who opens the page on a phone need not scroll to the cards for the answer."""
    text = render(dns_story())
    summary = text.partition('<section aria-labelledby="problems">')[0].partition('id="summary"')[2]

    assert "<b>isolated by</b> NetworkPolicy" in summary
    assert "<b>fix</b> " in summary
    assert "(proved by replay)" in summary


def test_a_page_without_problems_says_why() -> None:
    """A name misspelt, or logs that hold no record of traffic, stand in the summary."""
    warning = ReportWarning(
        code="nothing-selected", message="no flow matches -n shopp; did you mean shop?", input=None, line=None
    )
    text = render(replace(dns_story(), problems=(), warnings=(warning,)))

    assert (
        "<p>No flow matches -n shopp; did you mean shop?</p>"
        in text.partition('aria-labelledby="problems"')[0]
    )


@every_sample
def test_nothing_is_loaded_from_outside(sample: str) -> None:
    """Links to documentation may be followed by a person; nothing else names another place."""
    page = Tags(render(SAMPLES_AND_HOSTILE[sample]()))

    assert (
        page.named("link", "img", "iframe", "object", "embed", "base", "form", "audio", "video", "source")
        == []
    )
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
                assert tag == "a", (tag, name)
                assert re.match(r"#|https://", value or ""), value
            if name == "style":
                assert "url(" not in (value or "")


@every_sample
def test_the_policy_allows_the_one_script_and_nothing_else(sample: str) -> None:
    page = Tags(render(SAMPLES_AND_HOSTILE[sample]()))
    (policy,) = [m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    data, script = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert data.startswith("{")
    assert not re.search("[<>&]", data)


def test_the_script_stays_small_and_evaluates_nothing() -> None:
    script = Tags(render(dns_story())).scripts[1]

    assert len(script.encode()) <= 6_144
    assert not re.search(r"\beval\b|\bFunction\(|fetch\(|XMLHttpRequest|import\(|localStorage", script)


@every_sample
def test_ids_are_unique_and_links_inside_lead_somewhere(sample: str) -> None:
    page = Tags(render(SAMPLES_AND_HOSTILE[sample]()))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]

    assert len(set(ids)) == len(ids)
    assert {a["href"][1:] for a in page.named("a") if a["href"].startswith("#")} <= set(ids)
    for attribute in ("aria-labelledby", "aria-describedby", "for"):
        for _, attributes in page.tags:
            assert set((attributes.get(attribute) or "").split()) <= set(ids)


def test_every_section_stands_in_its_order() -> None:
    page = Tags(render(dns_story()))
    order = [section["aria-labelledby"] for section in page.named("section")]

    assert [ident for ident, _ in SECTIONS] == order


@every_sample
def test_it_is_accessible_as_far_as_text_can_tell(sample: str) -> None:
    text = render(SAMPLES_AND_HOSTILE[sample]())
    page = Tags(text)

    assert page.named("html")[0]["lang"] == "en"
    assert {"header", "main", "nav", "footer"} <= {tag for tag, _ in page.tags}
    assert len(page.named("h1")) == 1
    assert len(page.named("table")) == len(page.named("caption"))
    assert all(th.get("scope") in ("row", "col") for th in page.named("th"))
    for svg in page.named("svg"):
        if svg.get("aria-hidden") == "true":
            continue
        assert svg["role"] == "img"
        title, description = svg["aria-labelledby"].split()
        assert f'<title id="{title}">' in text
        assert f'<desc id="{description}">' in text
    labels = {label.get("for") for label in page.named("label")}
    wrapped = text.count("<label>")
    assert len(page.named("input")) == len(labels - {None}) + wrapped


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_report_reads_back_from_the_page(sample: str) -> None:
    assert SAMPLES[sample]() == read_report(render(SAMPLES[sample]()).encode())


def test_the_same_report_is_the_same_page() -> None:
    assert render(dns_story()) == render(dns_story())


def test_the_page_ends_its_last_line() -> None:
    """As standard output does, so that a file and what is redirected are the same."""
    assert render(dns_story()).endswith("</html>\n")


def test_a_typical_page_is_small() -> None:
    assert len(render(dns_story()).encode()) < 250_000


@pytest.mark.parametrize("text", ["n" * 60, "<" * 10_000, "\u202e" * 10_000, "漢" * 10_000])
def test_a_huge_report_stays_below_three_megabytes_and_says_so(text: str) -> None:
    report = dns_story()
    base = report.problems[0].connections[0]
    connections = tuple(
        replace(base, source=pod_end(f"ns-{n % 90}", f"{text}-{n}", labels={"app": text})) for n in range(400)
    )
    problems = tuple(
        replace(report.problems[0], id=f"p-{n:08x}", title=text, explained_by=None, connections=connections)
        for n in range(60 if len(text) < 100 else 12)
    )
    page = render(replace(report, problems=problems)).encode()

    assert len(page) < 3_000_000
    assert b"this page was too large" in page
    assert b"-o json holds all of it" in page
    assert read_report(page).warnings[0].code == "report-cut"
    # The summary says so at once, and its sum is that of the whole report.
    summary = page[: page.index(b'id="problems"')].decode()
    assert "Not all of it:" in summary
    assert f"{len(problems)} problems explain" in summary
    assert summary.count("<li data-problem=") <= 20


def test_a_part_of_a_report_tells_true_numbers_and_holds_what_has_room() -> None:
    """It spoke of "the first of 3 connections" where there are 400, and half of the room was empty."""
    report = dns_story()
    first = report.problems[0]
    fix = first.counterfactual
    assert fix is not None
    fix = replace(fix, proved=False, allows_denied=False, manifests=("x: y\n" * 900,), patch=None)
    connections = tuple(replace(first.connections[0], port=port) for port in range(1, 401))
    problems = tuple(
        replace(first, id=f"p-{n:08x}", explained_by=None, connections=connections, counterfactual=fix)
        for n in range(300)
    )
    page = render(replace(report, problems=problems))
    kept = read_report(page.encode())

    assert 2_000_000 < len(page.encode()) < 2_900_000
    assert {problem.connection_count for problem in kept.problems} == {400}
    assert len(kept.problems[0].connections) < 400
    assert "and 399 more: <a" in page
    assert "mends the first of 400 connections only" in page
    assert "(mends the first of 400 connections only" in TerminalReporter().render(
        kept, Options(verbose=True)
    )
    assert "Whole manifest" not in page, "half a manifest is none"
    assert page.count("this page was too large") + page.count("this page holds") == 3, (
        "in words, data and warnings"
    )
    assert "Every refused connection" not in page


def test_the_missed_line_of_the_policy_is_marked() -> None:
    report = dns_story()
    manifest = DNS_MANIFEST.replace("kubernetes.io/metadata.name: kube-system", "name: kube-system")
    policies = tuple(
        replace(policy, manifest=manifest) if policy.name == "allow-dns-access" else policy
        for policy in report.policies
    )
    page = render(replace(report, policies=policies))

    assert '<span class="missed">▶           name: kube-system</span>' in page
    assert page.count('class="missed"') == 2, "and the port that the second problem missed"


def test_two_problems_of_one_code_are_told_apart_in_the_matrix_and_legends_keep_their_words() -> None:
    """`FD101 FD101` says nothing of which; a title of 110 characters lost a word for the sake of ten."""
    report = mixed()
    first = report.problems[0]
    title = "11 ends in 5 namespaces cannot reach team-24/app-24 on 6 ports: a policy isolates more than it seems to"
    two = (replace(first, title=title), replace(first, id="p-2"))
    page = render(replace(report, problems=two))

    assert f'<a href="#p1">1 {first.code}</a> <a href="#p2">2 {first.code}</a>' in page
    assert f'<a href="#p1">1 {first.code}</a> {title}</li>' in page


def test_the_glossary_says_what_codes_mean_without_flowdiag_at_hand() -> None:
    """Whoever gets a page with a ticket may have no `flowdiag codes`; a code of a plugin that is not here has none."""
    report = dns_story()
    other = replace(report.problems[0], id="p-x", code="AC999", slug="not-here")
    page = render(replace(report, problems=(*report.problems, other)))

    assert (
        "<code>FD101</code></dt><dd>no rule allows (2 problems): An endpoint is isolated in a direction"
        in page
    )
    assert "not here (1 problem); <code>flowdiag codes AC999</code> says what it means" in page


def test_text_of_the_page_is_escaped_once() -> None:
    page = render(hostile())

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&amp;lt;" not in page
    assert "<script>alert" not in page
    assert "{{ 7 * 7 }}" in page
    assert "\u202e" not in page


def test_a_picture_says_what_its_grey_bars_are() -> None:
    """Six problems have colours; a picture alone has no table that tells of the others."""
    report = dns_story()
    rows = report.buckets.counts.by_problem
    ids = [f"p-{number}" for number in range(9)]
    counts = replace(
        report.buckets.counts,
        by_problem=dict.fromkeys(ids, rows[report.problems[0].id]),
        denied=tuple(9 * number for number in rows[report.problems[0].id]),
    )
    problems = tuple(replace(report.problems[0], id=one, explained_by=None) for one in ids)
    many = replace(report, problems=problems, buckets=replace(report.buckets, counts=counts))

    assert "other denials (3 more problems)" in SvgReporter().render(many, Options())
    assert "other denials" not in SvgReporter().render(report, Options())


def test_pictures_are_pictures() -> None:
    svg = SvgReporter().render(dns_story(), Options())
    assert svg.startswith("<svg")
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", svg)
    assert "<title" in svg
    assert PngReporter().render(dns_story(), Options()).startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize("shift", range(0, 23, 6))
def test_hostile_names_in_pictures_stay_text(shift: int) -> None:
    from xml.etree import ElementTree as ET

    root = ET.fromstring(SvgReporter().render(hostile(shift=shift), Options()))  # noqa: S314 - our own output
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}

    assert kinds <= {
        "svg",
        "g",
        "path",
        "text",
        "tspan",
        "line",
        "rect",
        "title",
        "desc",
        "defs",
        "clipPath",
        "style",
    }


def test_the_way_back_stands_beside_the_fix_with_its_change_and_what_else_it_allows() -> None:
    page = render(taken_back())

    assert "back to what it was before 14:03:12 UTC" in page
    assert '<span class="del">-      app: promo-banner</span>' in page
    assert "frontend/promo-banner → backend/user-api 8080/TCP" in page
    assert "podSelector app=web-app became app=promo-banner" in page


@pytest.mark.parametrize("top", [1, 2, 3, 6, 7, 19, 51, 60, 61, 999, 12_345, 10**9])
def test_the_ticks_of_counts_are_whole_and_few(top: int) -> None:
    marks = steps(top)

    assert marks[0] == 0
    assert top <= marks[-1] < 2 * top or top == marks[-1]
    assert 1 <= len(marks) - 1 <= 6
    assert len({b - a for a, b in pairwise(marks)}) == 1


def test_one_allowed_record_is_not_drawn_as_high_as_fifty_denials() -> None:
    """At most one allowed in a span, up to 51 denied: one scale, which the axis says."""
    few = inline_svg(report_of("five-tellings"), "timeline", title="t", zone=UTC) or ""
    many = inline_svg(report_of("default-deny-egress"), "timeline", title="t", zone=UTC) or ""

    assert "allowed (line, same scale)" in few
    assert "allowed (line, a scale of its own)" in many
    for svg in (few, many):
        assert "0.5" not in re.findall(r"<text[^>]*>([^<]*)</text>", svg)
        assert "mark-area" not in svg
        assert "mark-line" in svg


@pytest.mark.parametrize("kind", ["timeline", "lanes", "nodes"])
def test_missing_evidence_is_striped_above_the_bars(kind: str) -> None:
    svg = inline_svg(report_of("default-deny-egress"), kind, title="t", zone=UTC) or ""
    band = svg.index(f'fill="url(#{kind}-gap)"')

    assert svg.count(f'id="{kind}-gap"') == 1
    bar = 'fill="#5f7186"' if kind == "nodes" else f'fill="url(#{kind}-h'
    assert svg.rindex(bar) < band
    assert "-gap" not in (inline_svg(report_of("five-tellings"), kind, title="t", zone=UTC) or "")


def test_the_legend_keeps_the_words_between_long_names() -> None:
    """In the page and in pictures there is little room for a title."""
    one, other = (
        f"{word}-platform-production/{word}-transaction-processor" for word in ("payments", "ledger")
    )
    story = dns_story()
    lead = replace(story.problems[0], title=f"Nothing allows {one} to reach {other} on 8443/TCP")
    long = replace(story, problems=(lead, *story.problems[1:]))

    for text in (render(long).partition('<ul class="legend"')[2], SvgReporter().render(long, Options())):
        (shown,) = re.findall("Nothing allows [^<]*8443/TCP", text.partition("</ul>")[0])
        assert " to reach " in shown


def test_the_legend_names_what_the_chart_shows() -> None:
    """A change before the first bar and traffic of which nothing was allowed have no mark to be explained."""

    def legend(report: Report) -> str:
        return render(report).partition('<ul class="legend"')[2].partition("</ul>")[0]

    story = dns_story()
    earlier = tuple(replace(change, at="2026-03-16T00:00:00.000000000Z") for change in story.changes)
    counts = replace(story.buckets.counts, allowed=tuple(0 for _ in story.buckets.counts.denied))
    bare = replace(
        story,
        changes=earlier,
        buckets=replace(story.buckets, counts=counts),
        totals=replace(story.totals, allowed=0),
        evidence=replace(story.evidence, gaps=()),
    )
    marks = ("</span>allowed</span>", "evidence missing", '<a href="#changes">')

    assert [mark in legend(story) for mark in marks] == [True] * 3
    assert [mark in legend(bare) for mark in marks] == [False] * 3
    assert "0 changes marked by letters" in render(bare)
    assert "allowed: not read" in legend(replace(bare, totals=replace(story.totals, allowed=None)))


class _Sentences(HTMLParser):
    """What is read outside <time>, which the script changes, and text that is not ours."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._mute = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        del attrs
        self._mute += tag in ("time", "pre", "textarea", "script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._mute -= tag in ("time", "pre", "textarea", "script", "style")

    def handle_data(self, data: str) -> None:
        # What is a time and nothing else is a tick of a chart, whose axis names the zone.
        if not self._mute and not _CLOCK.fullmatch(data):
            self.said.append(data)


_CLOCK = re.compile(r"\d\d:\d\d:\d\d(?:\.\d+)?")
_NAMED = re.compile(
    rf"(?:{_CLOCK.pattern}(?: to | → |–)(?:\d{{4}}-\d\d-\d\d )?)?{_CLOCK.pattern}(?: UTC| CES?T| Europe/Berlin| Asia/Kolkata| IST)"
)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
@pytest.mark.parametrize("incident", INCIDENTS)
def test_every_time_in_a_sentence_says_its_zone(incident: str, zone: str) -> None:
    """Tables and their captions change with the reader's zone; no sentence beside them may be misread."""
    said = _Sentences(render(report_of(incident), timezone=ZoneInfo(zone))).said

    assert sum(bool(_NAMED.search(text)) for text in said) > 3
    assert [text for text in said if _CLOCK.search(_NAMED.sub("", text))] == []


def test_the_script_is_its_source_without_comments_and_blanks() -> None:
    """Nothing else is taken out but the last semicolon of a block, and nothing of a string.

    No two signs become one, and no regular expression holds a blank.
    """
    source = (files("flowdiag.report.html") / "script.js").read_text(encoding="utf-8")
    code = "\n".join(line for line in source.split("\n") if not line.strip().startswith("//"))
    written = Tags(render(dns_story())).scripts[1]
    strings = re.compile(r'"[^"\n]*"|`[^`\n]*`')

    assert re.sub(r"\s+", "", written) == re.sub(r";?\s*\}", "}", re.sub(r"\s+", "", code))
    assert not re.search(r"\+ \+|- -|/[^/\n]* [^/\n]*/[gimsuy]*[.,)]", strings.sub("", code))
    assert strings.findall(written) == strings.findall(code)
    assert all(line.count("`") % 2 == 0 and "/*" not in line for line in code.split("\n"))
