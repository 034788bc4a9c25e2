"""Two reports: new, known and gone problems, as values and by ``flowdiag diff``."""

import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.analysis import Selection, StateOptions, analyze
from flowdiag.cli import exit_codes
from flowdiag.cli.main import _run
from flowdiag.history import diff_reports
from flowdiag.model.report import Severity, Status
from flowdiag.model.time import parse_rfc3339
from flowdiag.report.json_report import json_bytes

DENY = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress"


@pytest.fixture(scope="module")
def whole():
    """The incident from its beginning: DNS refused, then two calls."""
    return analyze([str(DENY)], state=StateOptions())


@pytest.fixture(scope="module")
def late():
    """Its last minutes: DNS is mended."""
    since = parse_rfc3339("2026-03-17T14:12:00Z")
    return analyze([str(DENY)], state=StateOptions(), selection=Selection(since=since))


@pytest.fixture
def files(whole, late, tmp_path):
    for name, report in (("whole", whole), ("late", late)):
        (tmp_path / f"{name}.json").write_bytes(json_bytes(report))
    return str(tmp_path / "whole.json"), str(tmp_path / "late.json")


def test_what_was_mended_is_gone(whole, late):
    """Counts of both reports; a report that does not have it counted none."""
    found = diff_reports(whole, late)
    (gone,) = found.gone

    assert (gone.code, gone.count_old, gone.count_new, gone.id_new) == ("FD401", 192, 0, None)
    assert found.new == ()
    assert {one.code for one in found.known} == {"FD101"}
    assert all(one.count_old >= one.count_new > 0 for one in found.known)


def with_problems(report, marks):
    """A report with one problem for each mark: fingerprint, severity, count."""
    problem = report.problems[0]
    return msgspec.structs.replace(
        report,
        problems=tuple(
            msgspec.structs.replace(
                problem, id=f"p-{number}", fingerprint=mark, severity=severity, count=count
            )
            for number, (mark, severity, count) in enumerate(marks)
        ),
    )


MARKS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(list(Severity)), st.integers(1, 99)), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(before=MARKS, after=MARKS)
def test_every_problem_stands_once_and_the_way_back_is_the_mirror(whole, before, after):
    """Each id of both reports stands in exactly one entry; new and gone change places, known stays."""
    old, new = with_problems(whole, before), with_problems(whole, after)
    there, back = diff_reports(old, new), diff_reports(new, old)
    entries = [*there.new, *there.known, *there.gone]

    assert sorted(one.id for one in old.problems) == sorted(one.id_old for one in entries if one.id_old)
    assert sorted(one.id for one in new.problems) == sorted(one.id_new for one in entries if one.id_new)
    assert {(one.fingerprint, one.id_new) for one in there.new} == {
        (one.fingerprint, one.id_old) for one in back.gone
    }
    assert sorted((one.id_old, one.id_new) for one in there.known) == sorted(
        (one.id_new, one.id_old) for one in back.known
    )
    ranks = [list(Severity).index(one.severity) for one in there.new]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("order", "fail_on", "expected"),
    [
        ((0, 1), "new", exit_codes.DONE),
        ((1, 0), "never", exit_codes.DONE),
        ((1, 0), "new", exit_codes.FINDINGS),
        ((1, 0), "new-high", exit_codes.FINDINGS),
        ((0, 1), "FD401", exit_codes.DONE),
        ((1, 0), "FD401", exit_codes.FINDINGS),
        ((0, 1), "high", exit_codes.FINDINGS),
        ((0, 1), "often", exit_codes.USAGE),
    ],
)
def test_exit_codes(files, order, fail_on, expected, capsys):
    """A pipeline can fail on what is new alone, or on what is there at all."""
    args = ["diff", files[order[0]], files[order[1]], "--fail-on", fail_on]

    assert expected == _run(args, "flowdiag")
    capsys.readouterr()


def test_an_accepted_problem_fails_nothing(whole, late, tmp_path, capsys):
    """What a team has accepted stays accepted."""
    accepted = msgspec.structs.replace(
        whole,
        problems=tuple(msgspec.structs.replace(one, status=Status.ACCEPTED) for one in whole.problems),
    )
    (tmp_path / "old.json").write_bytes(json_bytes(late))
    (tmp_path / "new.json").write_bytes(json_bytes(accepted))

    assert (
        _run(["diff", str(tmp_path / "old.json"), str(tmp_path / "new.json"), "--fail-on", "new"], "flowdiag")
        == exit_codes.DONE
    )
    capsys.readouterr()


def test_formats(files, capsys):
    """Words for a person, a narrow table for a ticket, a schema for a program."""
    _run(["diff", *files], "flowdiag")
    text = capsys.readouterr().out
    _run(["diff", *files, "-o", "markdown"], "flowdiag")
    table = capsys.readouterr().out
    _run(["diff", *files, "-o", "json"], "flowdiag")
    answer = json.loads(capsys.readouterr().out)

    assert text.startswith("0 new problems, 2 known, 1 gone")
    assert "192 records before" in text
    assert {line.count("|") for line in table.splitlines() if line.startswith("|")} == {5}
    assert list(answer) == ["schema", "new", "known", "gone"]
    assert answer["schema"] == "flowdiag.diff/1"
    assert set(answer["gone"][0]) == {
        "fingerprint",
        "code",
        "title",
        "severity",
        "count_old",
        "count_new",
        "id_old",
        "id_new",
    }


def test_a_count_that_did_not_change_is_one_number(files, capsys):
    """``166 to 166 records`` makes people look for what is different."""
    _run(["diff", files[0], files[0]], "flowdiag")
    text = " ".join(capsys.readouterr().out.split())

    assert "192 records as before" in text
    assert " to 192" not in text


def test_what_is_no_report(files, tmp_path, capsys):
    """A missing file and a file of something else are input errors that name the file."""
    other = tmp_path / "other.json"
    other.write_text('{"schema": "something/1"}')
    for wrong in (str(tmp_path / "absent.json"), str(other)):
        assert _run(["diff", files[0], wrong], "flowdiag") == exit_codes.INPUT
        assert os.path.basename(wrong) in capsys.readouterr().err  # noqa: PTH119 - a text is looked for
    assert _run(["diff", "-", "-"], "flowdiag") == exit_codes.USAGE
    capsys.readouterr()
