"""What users are told of their mistakes: what is wrong, where, and what to do; nothing that does not apply."""

import errno
import io
import os

import pytest

from flowdiag.analysis import unread
from flowdiag.cli.main import _run
from flowdiag.cluster.live.connect import _plain
from flowdiag.ingest.remote import RemoteError, _said
from flowdiag.model.report import ReportWarning

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}}
"""
NO_YAML = POLICY + "  ingress:\n - from: {\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with a policy, one that is no YAML, and a log that nobody knows."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "torn.yaml").write_text(NO_YAML)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "app.log").write_text("2026-01-05 10:00:00 INFO starting worker\n" * 3)
    (tmp_path / "logs" / "other.json").write_text('{"hello": 1}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, *command, code):
    """What a command that ends with `code` writes to standard error."""
    assert _run(list(command), "flowdiag") == code
    return capsys.readouterr().err


def test_an_old_state_that_is_no_yaml_is_named_with_its_line(capsys):
    """Not only that it holds no objects."""
    told = said(capsys, "whatif", "--state", "torn.yaml", "--apply", "policy.yaml", code=3)

    assert told.startswith("flowdiag: torn.yaml:5: not YAML")


def test_a_new_state_that_is_no_yaml_is_named_with_its_line(capsys):
    """As for the old one."""
    told = said(capsys, "whatif", "--state", "policy.yaml", "--to", "torn.yaml", code=3)

    assert told.startswith("flowdiag: torn.yaml:5: not YAML")


@pytest.mark.parametrize(
    "command",
    [
        ["explain", "shop/web", "shop/db", "80", "--state", "logs"],
        ["whatif", "--state", "policy.yaml", "--apply", "logs/app.log"],
    ],
)
def test_a_state_without_objects_says_nothing_of_parsers(capsys, command):
    """Objects need no parser, so no --format would help."""
    told = said(capsys, *command, code=3)

    assert "no cluster objects" in told
    assert "parser" not in told
    assert "--format" not in told


def test_an_empty_standard_input_is_the_pipes(capsys, monkeypatch):
    """The command before it has most likely failed, and said so."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    told = said(capsys, "analyze", "-", code=3)

    assert told == (
        "flowdiag: standard input was empty\n  run the command before the pipe alone, to see what it says\n"
    )


def test_what_may_not_be_read_is_not_called_something_else():
    """That it is a file of logs is not in doubt."""
    refused = ReportWarning(
        code="unreadable", message=os.strerror(errno.EACCES), input="secret.log", line=None
    )

    assert unread.nothing_usable("nothing usable", 0, [refused]) == (
        "secret.log: Permission denied",
        "may you read it?",
    )


def test_a_report_that_is_none_is_told_alike_by_every_command(capsys):
    """The hint is about reports, not about show."""
    texts = [said(capsys, "show", "logs/app.log", code=3)]
    texts.append(said(capsys, "diff", "logs/app.log", "logs/app.log", code=3))

    assert all(text.endswith("a report is what -o json=FILE or -o html=FILE writes\n") for text in texts)


@pytest.mark.parametrize("place", ["logs", "nowhere/history.db"])
def test_a_history_that_is_no_file_says_what_to_name(capsys, place):
    """A folder, or a file in a folder that is not there."""
    told = said(capsys, "audit", "logs", "--history", place, code=2)

    assert told in (
        "flowdiag: logs: this is a folder\n  name a file in it\n",
        "flowdiag: nowhere: No such file or directory\n  mkdir -p nowhere\n",
    )


@pytest.mark.parametrize(
    ("words", "meant"), [(["db:5432", "tcp"], "5432/tcp"), (["db", "53", "UDP"], "53/UDP")]
)
def test_a_protocol_behind_a_blank(capsys, words, meant):
    """As other tools take it; it is not evidence that is missing."""
    end, *rest = words
    told = said(capsys, "explain", "shop/web", f"shop/{end}", *rest, "--state", "policy.yaml", code=2)

    assert told == f"flowdiag: {rest[-1]!r} is a protocol, and stands apart from its port\n  write {meant}\n"


def test_a_folder_that_is_called_like_a_protocol(capsys, folder):
    """It is evidence."""
    (folder / "tcp").mkdir()
    told = said(capsys, "explain", "shop/web", "shop/db", "5432", "tcp", "--state", "policy.yaml", code=3)

    assert told.startswith("flowdiag: tcp: no files in it")


def test_reports_in_a_file(capsys):
    """They are kept in a folder."""
    told = said(capsys, "audit", "logs", "--history", "h.db", "--reports", "policy.yaml", code=2)

    assert told == "flowdiag: policy.yaml: Not a directory\n"


def test_a_file_that_two_outputs_name(capsys):
    """In words that say which it is."""
    told = said(capsys, "analyze", "logs", "-o", "json=a.out", "-o", "html=a.out", code=2)

    assert told == "flowdiag: -o html=a.out: a.out is named twice\n  name a file of its own for each format\n"


def test_a_kubeconfig_that_cannot_be_read(capsys, folder):
    """In words, and not by an exception's name."""
    (folder / "config").write_bytes(b"\xff\xfe\x00")

    assert said(capsys, "reach", "shop/web", "--live", "--kubeconfig", "config", code=4) == (
        "flowdiag: config: not text\n"
    )
    assert _plain(PermissionError(errno.EACCES, "Permission denied")) == "Permission denied"


@pytest.mark.parametrize("scheme", ["https", "ftp"])
def test_what_is_no_bucket_is_not_called_one(scheme):
    """fsspec says that a file is not found whatever went wrong; flowdiag names what works."""
    told = _said(FileNotFoundError("x"), f"{scheme}://host.example.net/flows.json")

    assert isinstance(told, RemoteError)
    assert told.strerror == "nothing is there, or nobody answers; download it, and name the file"
    assert "bucket" in (_said(FileNotFoundError("x"), "s3://exports/day").strerror or "")


def test_limits_of_a_collection_without_one(capsys):
    """They would be ignored, and so would a wish not to read flows."""
    told = said(capsys, "audit", "logs", "--history", "h.db", "--skip", "flows", code=2)

    assert told == "flowdiag: --skip is about what is collected from a cluster\n  add --live\n"
