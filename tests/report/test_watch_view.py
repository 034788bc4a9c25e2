"""The screen of a watch: whole problems, as many as fit, and how many more there are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from flowdiag.model.picture import Picture
from flowdiag.model.time import NS
from flowdiag.report import Options
from flowdiag.report.watch_view import frame
from tests.report.sample_reports import dns_story


def screen(height: int, number: int, title: str = "title") -> list[str]:
    report = dns_story()
    one = report.problems[0]
    problems = tuple(
        replace(one, id=f"p-{n}", title=f"{title} {n}", explained_by=None) for n in range(1, number + 1)
    )
    picture = Picture(
        newest=0,
        window=900 * NS,
        records=7,
        rate=1.0,
        report=replace(report, problems=problems),
        failed=None,
        unread=None,
    )
    return frame(picture, Options(width=80), height=height).split("\n")


@pytest.mark.parametrize("height", [8, 12, 20, 24, 50])
@pytest.mark.parametrize("title", ["title", "a long title " * 12])
def test_every_problem_on_the_screen_is_whole_and_the_others_are_counted(height: int, title: str) -> None:
    """Problems were cut by lines, and with them the line that told of 47 more."""
    lines = screen(height, 40, title)
    each = len(screen(500, 1, title)) - 3
    shown = max(min((height - 2 - 3) // each, 40), 1)

    assert len(lines) <= height - 1
    assert lines[-1].strip() == f"and {40 - shown} more problems"
    assert sum("FD401" in line for line in lines) == shown


def test_all_that_fit_are_there_without_a_word_of_others() -> None:
    lines = screen(100, 3)

    assert sum("FD401" in line for line in lines) == 3
    assert "more problem" not in "\n".join(lines)
