"""The ticket form is short, and text of strangers makes no link, no table cell and no HTML in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from flowdiag.model.report import Report
from flowdiag.report import Options
from flowdiag.report.escape import markdown_code, markdown_fence, markdown_phrase, visible
from flowdiag.report.markdown import MarkdownReporter
from tests.report.sample_reports import HOSTILE, SAMPLES_AND_HOSTILE, dns_story, hostile, mixed

PARSER = MarkdownIt("gfm-like", {"linkify": False, "html": True})
OWN_HTML = {
    "<details><summary>diff</summary>",
    "<details><summary>diff to take back</summary>",
    "<details><summary>manifest to take back</summary>",
    "<details><summary>manifest</summary>",
    "<details><summary>evidence</summary>",
    "</details>",
}
ALLOWED = {
    "heading", "paragraph", "inline", "text", "code_inline", "strong", "em", "bullet_list", "list_item", "fence",
    "html_block", "table", "thead", "tbody", "tr", "th", "td", "softbreak", "text_special",
}  # fmt: skip


def render(report: Report, **options) -> str:
    return MarkdownReporter().render(report, Options(**options))


def tokens(text: str) -> list[Token]:
    flat: list[Token] = []
    for token in PARSER.parse(text):
        flat.append(token)
        flat.extend(token.children or ())
    return flat


def kinds(text: str) -> set[str]:
    return {token.type.removesuffix("_open").removesuffix("_close") for token in tokens(text)}


@pytest.mark.parametrize("shift", range(len(HOSTILE)))
def test_text_of_strangers_makes_no_markup(shift: int) -> None:
    for times in (False, True):
        text = render(hostile(shift=shift, times=times), all=True)

        assert kinds(text) <= ALLOWED
        html = {token.content.strip() for token in tokens(text) if token.type == "html_block"}
        assert html <= OWN_HTML
        assert sum(token.type == "heading_open" for token in tokens(text)) == 1


@pytest.mark.parametrize("sample", SAMPLES_AND_HOSTILE)
def test_tables_have_five_columns_in_every_row(sample: str) -> None:
    found = tokens(render(SAMPLES_AND_HOSTILE[sample]()))
    rows = sum(token.type == "tr_open" for token in found)
    cells = sum(token.type in ("td_open", "th_open") for token in found)

    assert cells == 5 * rows


def test_what_is_not_folded_fits_a_ticket() -> None:
    """At most sixty lines, as people attach them."""
    lines, folded = [], False
    for line in render(dns_story()).split("\n"):
        folded = (folded or line.startswith("<details>")) and line != "</details>"
        if not folded:
            lines.append(line)

    assert len(lines) <= 60


def test_the_ticket_says_cause_fix_and_limits() -> None:
    text = render(dns_story())

    assert (
        "**1. DNS is blocked for `frontend/web-app` and `frontend/promo-banner`** - `FD401`, high, derived"
        in text
    )
    assert "misses: namespace label: wants `name=kube-system`, found none" in text
    assert "Limits: worker-2: 37 records missing 14:12:30–14:13:05" in text


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_any_text_is_one_code_span_that_shows_it(text: str) -> None:
    found = [token for token in tokens(f"a {markdown_code(text)} b") if token.type != "inline"]
    spans = [token for token in found if token.type == "code_inline"]

    assert len(spans) == 1
    shown = visible(text).replace("|", "\\x7c")
    if shown.strip():
        assert shown.strip() == spans[0].content.strip()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_phrase_is_text_and_code_and_nothing_else(text: str) -> None:
    assert kinds(f"- x {markdown_phrase(text)}") <= {
        "bullet_list", "list_item", "paragraph", "inline", "text", "code_inline", "text_special"
    }  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_no_text_leaves_a_fence(text: str) -> None:
    found = tokens("\n".join([*markdown_fence(text, "diff"), "", "after"]))

    assert [token.type for token in found] == ["fence", "paragraph_open", "inline", "text", "paragraph_close"]


def test_numbers_and_flags_in_prose_are_no_code() -> None:
    """`3,000` and `-A` act on nothing."""
    text = "3,000 problems explain all 1,203,000 denials (kubectl get pods -A -o yaml)"

    assert markdown_phrase(text) == text


def test_every_problem_is_named_and_the_table_has_rows_of_each() -> None:
    """One problem of many connections filled the table, and the fourth problem and those behind it were nowhere."""
    report = mixed()
    first = report.problems[0]
    many = tuple(replace(first.connections[0], port=port) for port in range(40))
    others = tuple(
        replace(first, id=f"p-{number}", title=f"problem {number} of many", connections=many[:1])
        for number in range(2, 21)
    )
    text = render(replace(report, problems=(replace(first, connections=many), *others)))

    assert [f"problem {number} of many" in text for number in range(2, 21)] == [True] * 14 + [False] * 5
    assert "- and 5 more problems" in text
    assert text.count("- **4.** problem 4 of many - `") == 1
    assert "and 47 more connections" in text
    rows = [
        token.content for token in tokens(text) if token.type == "code_inline" and "/TCP" in token.content
    ]
    assert sum(row.startswith("0/") for row in rows) >= 12
