"""Several outputs in one run: what can be checked is checked first, and one failure costs no other."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from flowdiag.cli import exit_codes
from flowdiag.cli.main import _run
from flowdiag.cli.output import write_report
from flowdiag.deliver.files import CannotWriteError
from flowdiag.report import Options
from flowdiag.report.cut import Part, alone_warning, cut_warning, held
from flowdiag.report.html import HtmlReporter
from flowdiag.report.json_report import json_bytes
from flowdiag.report.read import read_report
from tests.report.sample_reports import dns_story

INCIDENT = str(Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress")


def test_a_missing_folder_is_said_before_anything_is_read(tmp_path, capsys):
    html, other = tmp_path / "a.html", tmp_path / "none" / "x.json"

    assert _run(["analyze", "no-such-input", "-o", f"html={html}", "-o", f"json={other}"], "flowdiag") == 2
    said = capsys.readouterr()
    assert f"there is no folder {other.parent}" in said.err
    assert "no-such-input" not in said.err, "the inputs were not looked at"
    assert said.out == ""
    assert not html.exists()


def test_a_missing_library_is_said_before_anything_is_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    assert _run(["analyze", "no-such-input", "-o", f"parquet={tmp_path / 'x'}"], "flowdiag") == 2
    said = capsys.readouterr().err
    assert "-o parquet needs pyarrow" in said
    assert "no-such-input" not in said


def test_what_fails_late_keeps_nothing_else_back(tmp_path, capsys):
    """A folder that goes away meanwhile: the other files and standard output are there, and the exit says so."""
    files = {
        "html": [str(tmp_path / "a")],
        "json": [str(tmp_path / "none" / "b")],
        "markdown": [str(tmp_path / "c")],
    }

    with pytest.raises(CannotWriteError, match="none"):
        write_report(dns_story(), "terminal", files, Options())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "c"]
    assert "derived" in capsys.readouterr().out


@pytest.mark.parametrize(
    "given",
    [
        ("-o", "markdown=-"),
        ("-o", "html=same", "-o", "json=same"),
        ("-o", "html=same", "-o", "json=./same"),
        ("-o", "html=no/../same", "-o", "html=same"),
    ],
)
def test_outputs_that_cannot_be_meant_are_refused(given, capsys):
    assert _run(["analyze", INCIDENT, *given], "flowdiag") == exit_codes.USAGE
    assert f"-o {given[-1]}: " in capsys.readouterr().err


def test_columns_choose_those_of_the_terminals_table(tmp_path, capsys):
    stored = tmp_path / "r.json"
    stored.write_bytes(json_bytes(dns_story()))

    assert _run(["show", str(stored), "--columns", "problem,count"], "flowdiag") == 0
    assert "\n problem" in capsys.readouterr().out
    assert _run(["show", str(stored), "--columns", "colour"], "flowdiag") == 2
    assert "no column 'colour'" in capsys.readouterr().err
    assert _run(["show", str(stored), "-o", "sarif", "--columns", "count"], "flowdiag") == 2
    assert "sarif has no table" in capsys.readouterr().err


@pytest.fixture
def cut_page(tmp_path):
    """3,000 problems whole as JSON, and the page that holds the first of them."""
    report = dns_story()
    problems = tuple(
        replace(report.problems[0], id=f"p-{n:08x}", fingerprint=f"{n:064x}", explained_by=None)
        for n in range(3000)
    )
    whole = replace(report, problems=problems)
    (tmp_path / "whole.json").write_bytes(json_bytes(whole))
    (tmp_path / "page.html").write_text(HtmlReporter().render(whole, Options()))
    return str(tmp_path / "whole.json"), str(tmp_path / "page.html")


def test_a_cut_page_is_not_compared(cut_page, capsys):
    whole, page = cut_page

    for pair in ((whole, page), (page, whole)):
        assert _run(["diff", *pair, "--fail-on", "new"], "flowdiag") == exit_codes.USAGE
        said = capsys.readouterr()
        assert said.out == ""
        assert "of 3,000 problems" in said.err
        assert "JSON" in said.err


def test_a_cut_page_is_shown_as_a_part(cut_page, capsys):
    _, page = cut_page

    assert _run(["show", page], "flowdiag") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "A part of a report: the first 150 of 3,000 problems" in shown
    assert "150 problems explain" not in shown
    assert _run(["show", page, "2999"], "flowdiag") == exit_codes.USAGE
    assert "the first 150 of 3,000 problems" in capsys.readouterr().err
    assert _run(["show", page, "-o", "json"], "flowdiag") == 0
    assert json.loads(capsys.readouterr().out)["complete"] is False


def test_a_page_of_one_problem_is_a_part_too(cut_page, tmp_path, capsys):
    """It explains what its problem does and not everything, and is not compared with a whole report."""
    whole, _ = cut_page
    page = tmp_path / "second.html"

    assert _run(["show", whole, "2", "-o", f"html={page}"], "flowdiag") == 0
    assert "1 problem explains all" not in page.read_text()
    assert _run(["diff", whole, str(page)], "flowdiag") == exit_codes.USAGE
    assert "holds only one of 3,000 problems" in capsys.readouterr().err
    assert _run(["show", str(page)], "flowdiag") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "Not all of it: this page holds one of 3,000 problems, and no other; the JSON report holds all"
        in shown
    )
    assert "shorter texts" not in shown
    assert _run(["show", str(page), "2"], "flowdiag") == exit_codes.USAGE
    assert "holds one of 3,000 problems, not number 2" in capsys.readouterr().err


def test_a_page_says_how_much_of_the_report_it_holds():
    report = replace(dns_story(), warnings=(cut_warning(2, 3000, 40),))

    assert held(dns_story()) is None
    assert held(report) == Part(len(report.problems), 3000, alone=False, shortened=True)


def test_a_page_of_one_problem_may_be_cut_as_well():
    """The sum is that of the whole report, not that of the one problem that was then too large."""
    report = replace(dns_story(), problems=dns_story().problems[:1])
    report = replace(report, warnings=(cut_warning(1, 1, 40), alone_warning(3000)))

    assert held(report) == Part(1, 3000, alone=True, shortened=True)


def test_the_data_of_a_page_that_is_a_part_is_not_complete(cut_page):
    """For whoever reads the JSON within by other means; of the evidence the page speaks for itself."""
    report = replace(dns_story(), complete=True, warnings=())
    alone = Options(problem=report.problems[0].id)
    page = HtmlReporter().render(report, alone)

    for text in (page, Path(cut_page[1]).read_text()):
        assert '"complete":false' in text.partition('application/json" id=')[2]
    assert "All of the input was read." in page
    again = HtmlReporter().render(read_report(page.encode()), Options())
    assert "Whether all of the input was read, the whole report says." in again
    assert "evidence is incomplete" not in again
    assert "evidence is incomplete" in HtmlReporter().render(replace(report, complete=False), alone)
    assert read_report(HtmlReporter().render(report, Options()).encode()).complete is True


@pytest.mark.parametrize(
    ("command", "schema"),
    [
        (["explain", "frontend/web-app", "backend/user-api", "8080"], "flowdiag.explain/1"),
        (["reach", "backend/user-api"], "flowdiag.reach/1"),
        (["whatif", "--delete", "NetworkPolicy/frontend/default-deny"], "flowdiag.whatif/1"),
    ],
)
def test_answers_go_to_files_beside_standard_output(tmp_path, capsys, command, schema):
    """-o means the same in every command: a file takes nothing from standard output, and no input is replaced."""
    file = tmp_path / "answer.json"

    assert _run([*command, "--state", INCIDENT, "-o", f"json={file}"], "flowdiag") == 0
    assert json.loads(file.read_text())["schema"] == schema
    assert not capsys.readouterr().out.startswith("{")
    assert _run([*command, "--state", INCIDENT, "-o", "json"], "flowdiag") == 0
    assert capsys.readouterr().out == file.read_text()
    assert _run([*command, "--state", INCIDENT, "-o", "json", "-o", "terminal"], "flowdiag") == 2
    assert _run([*command, "--state", str(file), "-o", f"json={file}"], "flowdiag") == 2
    assert "this is an input" in capsys.readouterr().err


def test_a_stored_report_is_not_replaced_by_what_is_made_of_it(tmp_path, capsys, monkeypatch):
    """Nor is a history, by whatever name of a run it is asked for."""
    monkeypatch.chdir(tmp_path)
    Path("r.json").write_bytes(json_bytes(dns_story()))
    for name in ("history.db", "odd@3"):
        assert _run(["audit", INCIDENT, "--history", name, "--fail-on", "never"], "flowdiag") == 0
    before = {
        one.name: one.read_bytes() for one in tmp_path.iterdir() if one.name.endswith((".json", ".db", "@3"))
    }
    commands = [
        ["show", "r.json", "-o", "html=r.json"],
        ["show", "history.db", "-o", "json=history.db"],
        ["show", "history.db@1", "-o", "json=history.db"],
        ["show", "odd@3", "-o", "json=odd@3"],
        ["diff", "history.db@1", "r.json", "-o", "json=history.db"],
        ["diff", "history.db@-1", "r.json", "-o", "markdown=./r.json"],
    ]
    for command in commands:
        capsys.readouterr()
        assert _run(command, "flowdiag") == exit_codes.USAGE, command
        assert "this is an input, and would be replaced" in capsys.readouterr().err
    assert before == {name: (tmp_path / name).read_bytes() for name in before}
    assert _run(["show", "odd@3@1", "-o", "json=again.json"], "flowdiag") == 0


def test_an_empty_report_is_called_empty(tmp_path, capsys):
    (tmp_path / "r.json").write_text("")

    assert _run(["show", str(tmp_path / "r.json")], "flowdiag") == exit_codes.INPUT
    assert "r.json: not a flowdiag report: there is nothing in it" in capsys.readouterr().err


def limited(blocks, words, **environment):
    """A command whose files may have so many blocks of 512 bytes, those in __pycache__ too."""
    return subprocess.run(
        ["/bin/sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", sys.executable, "-m", "flowdiag", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )


def test_a_full_disk_is_no_folder_that_is_missing(tmp_path):
    """What to do is another thing."""
    done = limited(8, ["analyze", INCIDENT, "-o", f"json={tmp_path / 'r.json'}"])

    assert done.returncode == 2
    assert "problems explain" in done.stdout
    assert "r.json: File too large\n  make room, or name a file elsewhere\n" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_full_folder_for_temporary_files_is_no_damaged_archive(tmp_path):
    """An archive is whole, and what came before the disk was full is read."""
    archive = tmp_path / "bundle.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(INCIDENT, "bundle")
    # The objects fit, the records do not.
    done = limited(200, ["analyze", str(archive), "-o", "json"], TMPDIR=str(tmp_path))

    report = json.loads(done.stdout)
    (said,) = [one for one in report["warnings"] if one["input"] == str(archive)]
    assert (done.returncode, report["complete"]) == (0, False)
    assert said["code"] == "unreadable"
    assert said["message"].startswith(f"{tmp_path}: File too large: ")
    assert "TMPDIR" in said["message"]


def test_a_folder_that_may_not_be_entered_is_no_internal_error(tmp_path, capsys, monkeypatch):
    """Looking at what is in it is refused before anything is read."""
    place = tmp_path / "private"

    def refused(self, **_):
        if place in (self, *self.parents) and self != place:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    real = Path.stat
    place.mkdir()
    monkeypatch.setattr(Path, "stat", refused)
    assert _run(["analyze", "no-such-input", "-o", f"html={place / 'sub' / 'a.html'}"], "flowdiag") == 2
    assert f"{place}/sub/a.html: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["jsonl", "csv"])
def test_events_go_to_files_beside_standard_output(tmp_path, capfdbinary, name):
    """The same for the stream of records, which is written as it comes, and is whole or not there."""
    file = tmp_path / "events"

    assert _run(["events", INCIDENT, "-o", f"{name}={file}"], "flowdiag") == 0
    assert capfdbinary.readouterr().out.startswith(b'{"type"')
    assert _run(["events", INCIDENT, "-o", name], "flowdiag") == 0
    whole = file.read_bytes()
    assert capfdbinary.readouterr().out == whole
    assert whole.count(b"\n") > 1500

    assert _run(["events", "no-such-input", "-o", f"{name}={file}"], "flowdiag") == 3
    assert _run(["events", str(file), "-o", f"{name}={file}"], "flowdiag") == 2
    assert _run(["events", INCIDENT, "-o", "jsonl", "-o", "csv"], "flowdiag") == 2
    assert file.read_bytes() == whole
    assert [one.name for one in tmp_path.iterdir()] == ["events"]


def test_events_in_a_file_are_all_there_where_a_reader_has_seen_enough(tmp_path):
    """``| head`` costs no file."""
    file = tmp_path / "events.jsonl"
    line = f'"{sys.executable}" -m flowdiag events "{INCIDENT}" -o "jsonl={file}" | head -1'
    done = subprocess.run(["/bin/bash", "-o", "pipefail", "-c", line], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1
    assert file.read_bytes().count(b"\n") > 1500
