"""Characters that act become visible, long text says how much is left out, cells stay in their columns."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.report.escape import (
    bounded,
    cells,
    csv_text,
    fitted,
    json_in_page,
    middle,
    shares,
    visible,
    visible_block,
)


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_visible_acts(text: str) -> None:
    """No control, format or surrogate character is left, and UTF-8 can carry the rest."""
    shown = visible(text)

    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set(
        "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200c\u200d\u2060\ufeff\xad"
    )
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("x\u202ey", "x\\u202ey"),
        ("x\U000e0041y", "x\\U000e0041y"),
        ("bad\udcff", "bad\\udcff"),
        ("no\ufffe\uffff\ufffd", "no\\ufffe\\uffff\ufffd"),
        ("shop/web-1 é 漢 🙂", "shop/web-1 é 漢 🙂"),
    ],
)
def test_what_acts_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert shown == visible(text)


def test_a_block_keeps_its_lines_and_nothing_else_that_acts() -> None:
    assert visible_block("a\r\n  b\x1b[2J\n") == "a\n  b\\x1b[2J\n"


@given(st.text(max_size=400), st.integers(40, 300))
def test_bounded_text_is_bounded_and_says_what_is_missing(text: str, limit: int) -> None:
    cut = bounded(text, limit)

    assert len(cut) <= limit
    assert (cut == text) == (len(text) <= limit) or "more)…" in cut


@given(st.text(st.sampled_from("ab漢🙂é-/"), max_size=80), st.integers(5, 60))
def test_a_name_cut_in_the_middle_fits_and_keeps_both_ends(text: str, width: int) -> None:
    cut = middle(text, width)

    assert cells(cut) <= width
    if cells(text) > width > 12:
        assert text.startswith(cut.split("…")[0])
        assert text.endswith(cut.split("…")[-1])


@pytest.mark.parametrize("ascii_only", [False, True])
@given(
    st.lists(st.text(st.sampled_from("ab-/é"), min_size=1, max_size=90), min_size=1, max_size=9), st.data()
)
def test_the_longest_names_of_a_sentence_are_cut_and_no_word_is_lost(ascii_only, words, data) -> None:
    """Down to what is enough, so that the words between the names stay; else it is as it was."""
    text = " ".join(words)
    limit = data.draw(st.integers(1, len(text) + 5))
    cut = fitted(text, limit, ascii_only=ascii_only)

    least = sum(min(len(word), 24) for word in words) + len(words) - 1
    assert (len(cut) <= limit) == (least <= limit)
    assert len(cut.split(" ")) == len(words)
    for word, shown in zip(words, cut.split(" "), strict=True):
        parts = shown.split("..." if ascii_only else "…")
        assert shown == word or (len(shown) >= 24 and word.startswith(parts[0]) and word.endswith(parts[-1]))
    if len(text) <= limit or least > limit:
        assert cut == text


def test_a_title_with_long_names_keeps_its_words() -> None:
    """A namespace and a workload may have 63 characters each; both parts keep their ends."""
    one, other = ("/".join(["a" + "n" * 61 + "z", letter + "w" * 61 + "y"]) for letter in "bc")
    title = fitted(f"Nothing allows {one} to reach {other} on 443/TCP", 240)

    assert len(title) == 240
    words = ("Nothing allows ", " to reach ", " on 443/TCP", "nz/bw", "nz/cw", "…")
    assert [title.count(word) for word in words] == [1, 1, 1, 1, 1, 4]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("payments-production/api-of-the-nightly-job", 30, "payment…uction/api-of-…tly-job"),
        ("payments-production/api", 20, "payments…duction/api"),
        ("shop/reports-of-the-nightly-job", 20, "shop/reports…tly-job"),
        ("payments-production/api-of-the-nightly-job", 12, "paymen…y-job"),
        ("one/two/three-of-the-nightly-jobs", 20, "one/two/th…htly-jobs"),
        ("payments-production → data/the-nightly-job", 20, "payments-p…ghtly-job"),
    ],
)
def test_of_a_name_in_a_namespace_both_are_cut(text: str, width: int, shown: str) -> None:
    """Two workloads of one namespace look different; paths, phrases and very short rooms are cut as one."""
    assert shown == middle(text, width)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(2, 60))
def test_of_two_names_in_a_line_the_longer_one_is_cut(first: int, second: int, room: int) -> None:
    own, other = shares("a" * first, "b" * second, room)

    assert own + other == room
    assert own >= min(first, room // 2)
    assert other >= min(second, room // 2)


@given(st.text(max_size=60))
def test_no_cell_is_a_formula(text: str) -> None:
    assert not csv_text(text).lstrip(' "\u00a0').startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_in_a_page_has_the_same_value_and_no_tag(text: str) -> None:
    inside = json_in_page(json.dumps({"x": text}, ensure_ascii=False))

    assert {"x": text} == json.loads(inside)
    assert not set(inside) & set("<>&\u2028\u2029\u202e")
