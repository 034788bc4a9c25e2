"""Two months of daily audits: every day's new, known, gone and accepted are those of the plan."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from two_months import DAYS, PLAN, config, moment, shown, write_day

from flowdiag.cli import exit_codes
from flowdiag.cli.main import _run
from flowdiag.history import read_run

NAMES = {(c["from"], c["to"]): c["name"] for c in PLAN["connection"]}
ENTRY = {"FD904": "expired", "FD905": "unused"}


def name_of(problem):
    """What the plan calls it."""
    if problem["code"] in ENTRY:
        return ENTRY[problem["code"]]
    ends = [f"{end['namespace']}/{end['name']}" for end in (problem["source"], problem["destination"])]
    return NAMES[tuple(ends)]


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    """Every day's exit code and names by status."""
    folder = tmp_path_factory.mktemp("months")
    (folder / "accepted.toml").write_text(config())
    told = {}
    with pytest.MonkeyPatch.context() as patch:
        for day in DAYS:
            patch.setenv("SOURCE_DATE_EPOCH", str(int(moment(day).timestamp())))
            write_day(folder / f"day-{day}", day)
            code = _run(
                [
                    *("audit", str(folder / f"day-{day}"), "--history", str(folder / "history.db")),
                    *("--config", str(folder / "accepted.toml"), "-o", f"json={folder / 'report.json'}"),
                    *("-o", "junit"),
                ],
                "flowdiag",
            )
            report = json.loads((folder / "report.json").read_bytes())
            statuses = {status: set() for status in ("new", "known", "gone", "accepted")}
            for problem in report["problems"]:
                statuses[problem["status"]].add(name_of(problem))
            told[day] = (code, statuses, report)
    return folder, told


def expected(day):
    """The plan's own words."""
    new = set(PLAN["expect"]["new"].get(str(day), ()))
    gone = set(PLAN["expect"]["gone"].get(str(day), ()))
    accepted = {n for n, (low, high) in PLAN["expect"]["accepted"].items() if low <= day <= high} & shown(day)
    entry = {"unused"} if 1 < day < 5 else {"expired"} if day > 40 else set()
    known = (shown(day) | entry) - new - accepted
    return {"new": new, "known": known, "gone": gone, "accepted": accepted}


@pytest.mark.parametrize("day", DAYS)
def test_every_day_is_told_as_planned(audits, day):
    """New once, known while it lasts, gone once, new again; a cut export calls nothing gone."""
    _, told = audits

    assert expected(day) == told[day][1]


def test_the_exit_code_is_for_news_of_high_severity(audits):
    """What is known, gone or accepted fails no job; findings about entries are not high."""
    _, told = audits
    news = {day for day in DAYS if expected(day)["new"] - set(ENTRY.values())}

    assert news == {day for day in DAYS if told[day][0] == exit_codes.FINDINGS}
    assert all(told[day][0] in (exit_codes.DONE, exit_codes.FINDINGS) for day in DAYS)


def test_a_cut_day_is_incomplete_and_keeps_what_was_open(audits):
    """On the cut day nothing is seen, nothing is gone, and the next day nothing is new."""
    _, told = audits

    assert not told[27][2]["complete"]
    assert told[27][2]["problems"] == []
    assert "probe" in told[28][1]["known"]


def test_what_is_gone_is_shown_as_it_was_with_nothing_refused_now(audits):
    """A gone problem keeps its title and its last time, counts nothing, and adds nothing to the totals."""
    _, told = audits
    report = told[21][2]
    (gone,) = [p for p in report["problems"] if p["status"] == "gone"]

    assert gone["title"] == "Nothing allows shop/cart to reach find/search on 9200/TCP"
    assert gone["last"].startswith("2026-09-19")
    assert (gone["count"], gone["connections"], gone["ongoing"]) == (0, [], False)
    assert report["totals"]["denied"] == sum(p["count"] for p in report["problems"])


def test_the_history_gives_every_run_back(audits):
    """The report of any day comes out of the history as it was printed."""
    folder, told = audits

    for day in (1, 30, 61):
        kept = read_run(folder / "history.db", day)
        assert told[day][2]["created"] == kept.created
        assert [p["id"] for p in told[day][2]["problems"]] == [p.id for p in kept.problems]
    assert read_run(folder / "history.db").created == told[61][2]["created"]
