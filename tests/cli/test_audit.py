"""``flowdiag audit`` as a person or a CronJob runs it."""

import json
import re
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "history"))
sys.path.insert(0, str(Path(__file__).parents[1] / "deliver"))

import jsonschema
from prometheus_client.parser import text_string_to_metric_families
from servers import listening
from two_months import write_day

from flowdiag.cli import exit_codes
from flowdiag.cli.main import _run
from flowdiag.history.store import read_run
from flowdiag.report.json_report import json_bytes
from flowdiag.report.schema import report_schema

INCIDENTS = Path(__file__).resolve().parents[2] / "fixtures" / "incidents"
DENY = INCIDENTS / "default-deny-egress"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No .flowdiag.toml of somebody else is in reach."""
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")


@pytest.fixture
def audit(tmp_path, capfd):
    """Run an audit with its JSON report on standard output: (exit code, report, messages)."""

    def run(*arguments):
        command = ["audit", *map(str, arguments), "--history", str(tmp_path / "history.db"), "-o", "json"]
        code = _run(command, "flowdiag")
        streams = capfd.readouterr()
        return code, json.loads(streams.out) if streams.out else None, streams.err

    return run


@pytest.fixture
def day(tmp_path):
    """Evidence of a day of the two months, by number."""

    def write(number):
        write_day(tmp_path / f"day-{number}", number)
        return tmp_path / f"day-{number}"

    return write


def statuses(report):
    return [problem["status"] for problem in report["problems"]]


def test_the_first_run_fails_for_news_and_the_second_does_not(audit):
    """new-high is the default: what is known fails no job."""
    first, again = audit(DENY), audit(DENY)

    assert (first[0], set(statuses(first[1]))) == (exit_codes.FINDINGS, {"new"})
    assert (again[0], set(statuses(again[1]))) == (exit_codes.DONE, {"known"})
    assert "run 1, the first of its kind: 3 new" in first[2]
    assert "run 2, compared with run 1 of " in again[2]


def test_reports_with_statuses_keep_the_schema(audit, day):
    """New, known, gone, accepted, and an audit's own findings, all of them by the schema."""
    Path(".flowdiag.toml").write_text(
        '[[accept]]\ncode = "FD101"\nfrom = "shop/backup"\nreason = "r"\nowner = "o"\nexpires = 2099-01-01\n'
        '[[accept]]\ncode = "FD301"\nreason = "r"\nowner = "o"\nexpires = 2000-01-01\n'
    )
    audit(day(12))

    _, report, _ = audit(day(14))
    _, later, _ = audit(day(21))

    assert {"known", "accepted"} == set(statuses(report))
    assert {"known", "accepted", "gone"} == set(statuses(later))
    for one in (report, later):
        jsonschema.validate(one, report_schema())
    (accepted,) = [p for p in report["problems"] if p["status"] == "accepted"]
    assert accepted["notes"][0] == "accepted by o until 2099-01-01: r"
    (expired,) = [p for p in report["problems"] if p["code"] == "FD904"]
    assert expired["title"] == ".flowdiag.toml: the entry for FD301 has expired"


def test_a_connection_that_nobody_accepted_makes_an_accepted_problem_new(audit, tmp_path):
    """Accepted as a whole at first; then the entry speaks of a part alone, and the rest is news."""
    config = tmp_path / "run" / ".flowdiag.toml"
    entry = '[[accept]]\ncode = "FD401"\n{}reason = "r"\nowner = "o"\nexpires = 2099-01-01\n'
    config.write_text(entry.format(""))
    _, report, _ = audit(DENY)
    (lead,) = [p for p in report["problems"] if p["code"] == "FD401"]
    first = lead["connections"][0]["source"]
    assert (lead["status"], len(lead["connections"]) > 1) == ("accepted", True)
    config.write_text(entry.format(f'from = "{first["namespace"]}/{first["workload"]["name"]}"\n'))

    found = [audit(DENY) for _ in range(2)]

    assert [
        next(p["status"] for p in report["problems"] if p["code"] == "FD401") for _, report, _ in found
    ] == ["new", "known"]
    assert found[0][0] == exit_codes.FINDINGS


def test_an_entry_is_called_unused_once_its_problem_is_surely_gone(audit, day):
    """Not on the first run, nor on the one that misses its problem; on the next whole one."""
    Path(".flowdiag.toml").write_text(
        '[[accept]]\ncode = "FD101"\nfrom = "shop/backup"\nreason = "r"\nowner = "o"\nexpires = 2099-01-01\n'
    )
    days = (day(1), day(12), day(1), day(1))

    told = ["FD905" in {p["code"] for p in audit(one)[1]["problems"]} for one in days]

    assert told == [False, False, False, True]


def test_redact_holds_for_all_that_is_shown_kept_and_pushed(audit, tmp_path):
    """No name is left in the report, the kept ones or the metrics; the history knows them and knows them again."""
    Path(".flowdiag.toml").write_text(
        '[[accept]]\ncode = "FD401"\nreason = "zorro\\nsaid so"\nowner = "mallory until 2099-01-01: x"\nexpires = 2099-01-01\n'
        '[[accept]]\ncode = "FD301"\nto = "hidden/tango"\nreason = "zorro"\nowner = "mallory"\nexpires = 2000-01-01\n'
    )
    with listening(200) as (port, requests):
        options = ("--redact", "--reports", tmp_path / "kept", "--metrics", tmp_path / "m.prom")
        _, report, said = audit(DENY, *options, "--pushgateway", f"http://127.0.0.1:{port}")
    _, again, _ = audit(DENY)

    names = {p["source"]["workload"]["name"] for p in again["problems"] if p["source"]["workload"]}
    names |= {"mallory", "zorro", "tango"}
    names |= {p["source"]["namespace"] for p in again["problems"] if p["source"]["namespace"]}
    kept = [path.read_text() for path in (tmp_path / "kept").iterdir()]
    texts = [json.dumps(report), said, (tmp_path / "m.prom").read_text(), requests[0][3].decode(), *kept]
    assert names
    assert {name for name in names if any(name in text for text in texts)} == set()
    assert set(statuses(again)) == {"known", "accepted"}
    assert "accepted until 2099-01-01" in [note for p in report["problems"] for note in p["notes"]]
    jsonschema.validate(report, report_schema())


@pytest.mark.parametrize(
    ("fail_on", "first", "second"),
    [
        ("never", 0, 0),
        ("new", 1, 0),
        ("new-high", 1, 0),
        ("high", 1, 1),
        ("FD401", 1, 1),
        ("FD301", 0, 0),
    ],
)
def test_fail_on(audit, fail_on, first, second):
    """Severities and codes speak of what is open, new and new-high of the news."""
    assert [first, second] == [audit(DENY, "--fail-on", fail_on)[0] for _ in range(2)]


def test_a_baseline_makes_a_quiet_start(audit, tmp_path, capfd):
    """What analyze wrote before the first audit is known in it."""
    _run(["analyze", str(DENY), "-o", f"json={tmp_path / 'base.json'}"], "flowdiag")
    capfd.readouterr()

    code, report, _ = audit(DENY, "--baseline", tmp_path / "base.json")

    assert (code, set(statuses(report))) == (exit_codes.DONE, {"known"})


@pytest.mark.parametrize("incident", ["calico-log-lines", "default-deny-egress", "ingress-other-namespace"])
def test_an_audit_calls_problems_what_analyze_calls_them(audit, capfd, incident):
    """Fingerprints of both are the same, so that any report can be a baseline."""
    _run(["analyze", str(INCIDENTS / incident), "-o", "json"], "flowdiag")
    analysed = json.loads(capfd.readouterr().out)

    _, audited, _ = audit(INCIDENTS / incident)

    refused = {p["fingerprint"] for p in audited["problems"] if not p["code"].startswith("FD9")}
    assert {p["fingerprint"] for p in analysed["problems"]} == refused


def test_a_part_is_compared_with_its_own_history(audit):
    """One namespace's audit calls nothing gone that the whole one found, and the other way round."""
    audit(DENY)

    _, part, said = audit(DENY, "-n", "nothing-is-called-so")
    _, whole, _ = audit(DENY)

    assert part["problems"] == []
    assert "the first of its kind" in said
    assert set(statuses(whole)) == {"known"}


@pytest.mark.parametrize("blind", ["an empty folder", "an empty file", "another time"])
def test_a_run_that_saw_nothing_calls_nothing_gone(audit, day, tmp_path, blind):
    """A volume that is not mounted and an exporter that stopped look like peace; the next day with records tells."""
    state = ("--state", day(12) / "state.json")
    audit(day(12) / "hubble.jsonl.gz", *state)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    if blind == "an empty file":
        (nothing / "hubble.jsonl").touch()
    span = ("--since", "2031-01-01T00:00:00Z") if blind == "another time" else ()

    _, report, said = audit(day(12) if span else nothing, *state, *span)

    assert "gone" not in statuses(report)
    assert "4 not seen now, and not called gone since no record of its time was read" in said
    assert "gone" in statuses(audit(day(21) / "hubble.jsonl.gz", *state)[1])


def test_gone_after_waits_so_many_runs(audit, day):
    """A problem that comes and goes is neither gone nor new each time."""
    audit(day(12), "--gone-after", 2)
    _, first, said = audit(day(13), "--gone-after", 2)
    _, back, _ = audit(day(14), "--gone-after", 2)

    assert "gone" not in statuses(first)
    assert "1 not seen now, and not called gone" in said
    assert "new" not in statuses(back)


def test_strict_says_that_input_was_cut(audit, day):
    """A cut export is exit code 3 with --strict, and the run is in the history all the same."""
    code, report, _ = audit(day(27), "--strict")

    assert (code, report["complete"]) == (exit_codes.INPUT, False)
    assert "run 2, compared with run 1" in audit(day(28))[2]


def test_reports_metrics_and_their_retention(audit):
    """Every run's reports by time, the last two kept; metrics whole at any moment."""
    options = (
        "--reports",
        "reports",
        "--keep",
        2,
        "--metrics",
        "metrics.prom",
        "--report-format",
        "markdown",
    )
    for _ in range(3):
        code, report, _ = audit(DENY, *options)

    assert code == exit_codes.DONE
    kept = sorted(path.name for path in Path("reports").iterdir())
    assert [name.partition("-run")[2] for name in kept] == ["2.md", "3.md", ""]
    assert "known" in Path("reports/latest.md").read_text()
    families = {f.name: f for f in text_string_to_metric_families(Path("metrics.prom").read_text())}
    by_status = {}
    for sample in families["flowdiag_problems"].samples:
        by_status[sample.labels["status"]] = by_status.get(sample.labels["status"], 0) + sample.value
    assert by_status == {"known": len(report["problems"])}
    assert {path.name for path in Path().iterdir()} == {"reports", "metrics.prom"}


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_people_are_told_the_news_once_with_markdown_and_picture(audit):
    """One notification for the first run, none for the second; the secret is in no file and no message."""
    pytest.importorskip("apprise")
    with listening(500, 200) as (port, requests):
        address = f"json://127.0.0.1:{port}/hook/geheim"
        code, _, failed = audit(DENY, "--notify", address)
        assert "notification 1 (json) did not get through: status 500" in failed
        _, _, again = audit(DENY, "--notify", address)
        _, _, quiet = audit(DENY, "--notify", address)

    assert code == exit_codes.FINDINGS
    assert len(requests) == 2, "the one that failed, and the next run's"
    sent = json.loads(requests[1][3])
    assert sent["title"] == "flowdiag: 3 new problems (high) in shop-prod"
    assert "FD401" in sent["message"]
    assert re.search(
        r"since 2026-03-17 [\d:]+ UTC, still happening at 2026-03-17 [\d:]+ UTC", sent["message"]
    )
    assert [one["filename"] for one in sent["attachments"]] == ["report.md", "report.png"]
    assert "geheim" not in failed + again + quiet
    history = Path("..", "history.db").resolve()
    with closing(sqlite3.connect(history)) as connection:
        assert "geheim" not in "\n".join(connection.iterdump())


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_only_severities_from_the_threshold_on_are_told(audit, day):
    """Nothing of high severity is new: nobody is woken."""
    pytest.importorskip("apprise")
    with listening() as (port, requests):
        Path(".flowdiag.toml").write_text(
            '[[accept]]\ncode = "FD101"\nreason = "r"\nowner = "o"\nexpires = 2099-01-01\n'
            '[[accept]]\ncode = "FD301"\nreason = "r"\nowner = "o"\nexpires = 2000-01-01\n'
        )
        audit(day(12), "--notify", f"json://127.0.0.1:{port}")
        assert requests == []
        Path(".flowdiag.toml").write_text(
            '[[accept]]\ncode = "FD101"\nreason = "r"\nowner = "o"\nexpires = 2099-01-01\n'
            '[[accept]]\ncode = "FD302"\nreason = "r"\nowner = "o"\nexpires = 2000-01-01\n'
        )
        audit(day(14), "--notify", f"json://127.0.0.1:{port}", "--notify-at", "medium")

    assert len(requests) == 1
    assert json.loads(requests[0][3])["title"] == "flowdiag: 1 new problem (medium)"


def test_an_address_from_a_file_ends_before_the_line_does(audit, monkeypatch):
    """`kubectl create secret --from-file` keeps the line's end; what is said stays one line."""
    monkeypatch.setenv("FLOWDIAG_PUSHGATEWAY", "http://127.0.0.1:9/\n")
    _, _, said = audit(DENY)
    assert "flowdiag: http://127.0.0.1:9/: metrics could not be pushed: nobody answers there" in said


def test_addresses_come_from_the_environment(audit, monkeypatch):
    """A Secret becomes a variable, and stays off the command line."""
    with listening() as (port, requests):
        monkeypatch.setenv("FLOWDIAG_PUSHGATEWAY", f"http://127.0.0.1:{port}")
        audit(DENY)

    assert [request[:2] for request in requests] == [("PUT", "/metrics/job/flowdiag")]


def test_a_gateway_that_is_away_is_a_warning(audit):
    """The run is recorded, the report is printed, and the exit code is the findings'."""
    audit(DENY)
    with listening() as (port, _):
        pass
    code, report, said = audit(DENY, "--pushgateway", f"http://u:geheim@127.0.0.1:{port}")

    assert (code, set(statuses(report))) == (exit_codes.DONE, {"known"})
    assert "nobody answers there" in said
    assert "geheim" not in said


def test_reports_that_cannot_be_kept_are_an_error_at_the_end(audit, monkeypatch):
    """The folder breaks while the run goes on: everything else is done, and the job fails."""
    from flowdiag.deliver.files import CannotWriteError
    from flowdiag.deliver.places import LocalPlace

    def full(*_):
        raise CannotWriteError("reports: No space left on device")

    audit(DENY)
    monkeypatch.setattr(LocalPlace, "write", full)
    code, report, said = audit(DENY, "--reports", "reports", "--metrics", "metrics.prom")

    assert (code, set(statuses(report))) == (exit_codes.USAGE, {"known"})
    assert "No space left on device" in said
    assert Path("metrics.prom").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no evidence named"),
        ((DENY, "--report-format", "docx"), "no such format"),
        ((DENY, "--keep", "3"), "go with --reports"),
        ((DENY, "--fail-on", "sometimes"), "no such selector"),
        ((DENY, "--config", "nowhere.toml"), "there is no such file"),
        ((DENY, "--metrics", "nowhere/metrics.prom"), "there is no folder nowhere"),
        ((DENY, "--reports", "/dev/null/reports"), "/dev/null"),
        ((DENY, "--reports", "r", "--keep-for", "soon"), "not a duration"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_read(audit, tmp_path, arguments, says):
    """Exit code 2, and no run in the history."""
    code, report, said = audit(*arguments)

    assert (code, report) == (exit_codes.USAGE, None)
    assert says in said
    assert not (tmp_path / "history.db").exists()


def test_an_unreadable_history_is_a_warning_in_the_report(audit, tmp_path):
    """The report says why everything is new; the old file is beside the new one."""
    (tmp_path / "history.db").write_bytes(b"x" * 9000)

    code, report, said = audit(DENY)

    (warning,) = [w for w in report["warnings"] if w["code"] == "history-set-aside"]
    assert warning["message"] in said
    assert code == exit_codes.FINDINGS
    assert len(list(tmp_path.glob("history.db.unreadable-*"))) == 1


def test_show_and_diff_read_a_history(audit, tmp_path, capfd):
    """The last run, or any by its number or from the end."""
    history = tmp_path / "history.db"
    audit(DENY)
    audit(DENY)

    assert _run(["show", str(history), "-o", "json"], "flowdiag") == exit_codes.DONE
    last = json.loads(capfd.readouterr().out)
    assert _run(["show", f"{history}@1", "-o", "json"], "flowdiag") == exit_codes.DONE
    first = json.loads(capfd.readouterr().out)
    assert (set(statuses(first)), set(statuses(last))) == ({"new"}, {"known"})
    assert _run(["diff", f"{history}@-2", str(history), "-o", "json"], "flowdiag") == exit_codes.DONE
    diff = json.loads(capfd.readouterr().out)
    assert [len(diff[word]) for word in ("new", "known", "gone")] == [0, 3, 0]
    assert _run(["show", f"{history}@9"], "flowdiag") == exit_codes.INPUT
    assert f"{history}: there is no run 9\n  it has runs 1 to 2; " in capfd.readouterr().err


def test_diff_says_that_two_runs_looked_at_different_things(audit, tmp_path, capfd):
    """What the audit of one namespace does not show is not gone."""
    audit(DENY, "-n", "backend")
    audit(DENY)
    history = tmp_path / "history.db"

    _run(["diff", f"{history}@1", f"{history}@2"], "flowdiag")
    apart = capfd.readouterr().err
    _run(["diff", f"{history}@2", str(history)], "flowdiag")

    assert f"did not look at the same: {history}@1 at namespace=backend, {history}@2 at everything" in apart
    assert not capfd.readouterr().err


def test_diff_says_that_reports_are_of_two_clusters_or_the_wrong_way_round(audit, tmp_path, capfd):
    """All of the one cluster was "gone" and all of the other "new", without a word; a redacted name is no other one."""
    audit(DENY)
    history = tmp_path / "history.db"
    run = json.loads(json_bytes(read_run(history)))
    late = {"since": "2126-03-17T14:00:00.000000000Z", "until": "2126-03-17T15:00:00.000000000Z"}
    other, hidden = ({**run, "cluster": {**run["cluster"], "name": name}} for name in ("other", "cluster-r1"))
    hidden["warnings"] = [{"code": "redacted", "message": "", "input": None, "line": None}]
    for name, report in (("other", {**other, "window": late}), ("hidden", hidden)):
        (tmp_path / name).write_text(json.dumps(report))
    capfd.readouterr()

    _run(["diff", str(tmp_path / "other"), str(history)], "flowdiag")
    said = " ".join(capfd.readouterr().err.split())
    _run(["diff", str(tmp_path / "hidden"), str(history)], "flowdiag")

    assert "these reports are of two clusters: " in said
    assert f"{history} of {run['cluster']['name']}; what only one of them has is neither new nor gone" in said
    assert f"{history} ends before {tmp_path / 'other'} begins: the older report comes first" in said
    assert not capfd.readouterr().err


def test_diff_of_two_audits_leaves_out_what_was_gone_already(audit, day, tmp_path, capfd):
    """A report names what went with its run; that is no problem of the run."""
    history = tmp_path / "history.db"
    audit(day(12))
    _, gone, _ = audit(day(13))
    audit(day(13))
    assert "gone" in statuses(gone)

    _run(["diff", f"{history}@2", f"{history}@3", "-o", "json"], "flowdiag")
    later = json.loads(capfd.readouterr().out)
    _run(["diff", f"{history}@1", f"{history}@2", "-o", "json", "--fail-on", "new"], "flowdiag")
    then = json.loads(capfd.readouterr().out)

    assert [len(later[word]) for word in ("new", "known", "gone")] == [0, 3, 0]
    assert [len(then[word]) for word in ("new", "known", "gone")] == [0, 3, 1]


class TestWhatIsRead:
    @pytest.fixture
    def evidence(self, tmp_path):
        """A copy that may be damaged, and every file's content."""
        folder = tmp_path / "evidence"
        shutil.copytree(DENY, folder)
        return folder

    @pytest.fixture
    def unchanged(self, evidence):
        """That nothing in it was written to, renamed or added."""

        def content():
            return {path: path.read_bytes() for path in evidence.rglob("*") if path.is_file()}

        before = content()
        yield
        assert before == content()

    @pytest.mark.parametrize("name", ["hubble/events.jsonl", "cluster/objects.yaml"])
    @pytest.mark.parametrize("redact", [[], ["--redact"]])
    def test_metrics_replace_no_input(self, audit, evidence, unchanged, name, redact):
        """Named in a folder it is known by the run's end, with --redact too."""
        del unchanged
        code, _, said = audit(evidence, "--metrics", evidence / name, "--fail-on", "never", *redact)

        assert code == exit_codes.USAGE
        assert "this is an input, and would be replaced" in said

    def test_metrics_replace_no_history(self, audit, tmp_path):
        """Months of runs behind a name that was typed twice."""
        audit(DENY)
        code, _, said = audit(DENY, "--metrics", tmp_path / "history.db")

        assert (code, "this is an input" in said) == (exit_codes.USAGE, True)
        assert audit(DENY)[2].startswith("flowdiag: run 2, compared with run 1 ")

    @pytest.mark.parametrize("name", ["hubble/events.jsonl", "cluster/objects.yaml"])
    def test_an_input_is_not_set_aside_for_a_history(self, evidence, unchanged, capfd, name):
        """What is no history is renamed, and a new one begun: of evidence that would be its end."""
        del unchanged
        for paths in ([str(evidence)], [str(evidence / name)]):
            command = ["audit", *paths, "--history", str(evidence / name)]
            assert _run(command, "flowdiag") == exit_codes.USAGE
            assert "flowdiag: " in capfd.readouterr().err

    @pytest.mark.parametrize("command", ["analyze", "audit"])
    def test_a_report_with_tokens_for_its_inputs_replaces_none_of_them(
        self, evidence, unchanged, capfd, tmp_path, command
    ):
        """The report says input-r1 where the file lies."""
        del unchanged
        more = ["--history", str(tmp_path / "h.db")] if command == "audit" else []
        target = evidence / "hubble" / "events.jsonl"
        assert _run([command, str(evidence), "--redact", "-o", f"html={target}", *more], "flowdiag") == 2
        assert "this is an input" in capfd.readouterr().err


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("option", "said"),
    [
        (
            ("--pushgateway", "pushgateway:9091"),
            "--pushgateway pushgateway:9091: not an http or https address",
        ),
        (("--notify", "nonsense"), "--notify: address 1 (unreadable) is none that apprise "),
        (
            ("--notify", "json://127.0.0.1/x", "--notify", "nope://geheim"),
            "--notify: address 2 (nope) is none",
        ),
    ],
)
def test_an_address_that_is_none_is_said_before_anything_is_read(audit, tmp_path, option, said):
    """It would fail on the day of the first news, and nobody would hear."""
    code, _, told = audit("no-such-evidence", *option)

    assert code == exit_codes.USAGE
    assert said in told
    assert "geheim" not in told
    assert "no-such-evidence" not in told
    assert not (tmp_path / "history.db").exists()
