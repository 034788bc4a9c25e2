"""How a report was made: the command that it tells, and nothing of it that has no part in its contents."""

import json
import shlex
from pathlib import Path

import click
import msgspec
import pytest
from msgspec.structs import replace

from flowdiag.analysis import analyze
from flowdiag.cli import audit as audit_module
from flowdiag.cli import watch as watch_module
from flowdiag.cli.analyze import command as analyze_command
from flowdiag.cli.command_text import TOLD, told_command
from flowdiag.cli.main import _run
from flowdiag.report import Options
from flowdiag.report.html import HtmlReporter
from flowdiag.report.json_report import json_bytes
from flowdiag.report.markdown import MarkdownReporter
from flowdiag.report.read import read_report
from flowdiag.report.redact import redact
from flowdiag.report.terminal import TerminalReporter
from tests.report.sample_reports import dns_story

INCIDENT = str(Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress")
UNTOLD = {
    "all_namespaces",
    "columns",
    "display_zone",
    "every",
    "everything",
    "fail_on",
    "keep",
    "keep_for",
    "metrics",
    "notify",
    "notify_at",
    "outputs",
    "pager",
    "processes",
    "pushgateway",
    "redact",
    "report_formats",
    "reports",
    "request_timeout",
    "scheduler",
    "strict",
    "verbose",
}
"""Options of how a report is made, shown, kept and sent."""


def told(*words, command=analyze_command):
    return told_command(command.make_context(command.name, list(words)))


def with_command(text):
    report = dns_story()
    return replace(report, generator=replace(report.generator, command=text))


@pytest.mark.parametrize("command", [analyze_command, audit_module.command, watch_module.command])
def test_every_option_is_told_or_known_to_change_no_contents(command):
    """A new option must be put in one of the two."""
    names = {param.name for param in command.params if isinstance(param, click.Option)}

    assert names - TOLD - UNTOLD == set()
    assert not TOLD & UNTOLD


def test_the_report_is_the_same_however_it_was_run_and_shown(tmp_path, capsys, monkeypatch):
    """Byte for byte: processes, outputs, zones, verbosity, paging, colour, the order of words."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    parts = sorted(str(path) for path in Path(INCIDENT).iterdir() if path.is_dir())
    plain = tmp_path / "plain.json"
    other = tmp_path / "other.json"

    assert (
        _run(["analyze", *parts, "-n", "shop", "--since", "2026-03-01T00:00Z", "-o", "json"], "flowdiag") == 0
    )
    plain.write_text(capsys.readouterr().out)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert (
        _run(
            [
                *("analyze", "--processes", "2", "-v", "--all", "--pager", "--timezone", "Asia/Tokyo"),
                *("--since=2026-03-01T00:00Z", "--tz", "UTC", "--fail-on", "never", "--strict"),
                *("-o", f"html={tmp_path / 'x.html'}", "-o", f"json={other}"),
                *(*reversed(parts), "--namespace=shop"),
            ],
            "kubectl flowdiag",
        )
        == 0
    )

    assert other.read_bytes() == plain.read_bytes()
    assert json.loads(plain.read_text())["generator"]["command"] == shlex.join(
        ["flowdiag", "analyze", "--since=2026-03-01T00:00Z", "--namespace=shop", *parts]
    )


def test_what_is_told_is_what_was_typed_and_counts():
    """Defaults and what has no effect are left out; repeated options are in one order."""
    assert told("logs/", "--tz", "UTC", "--dialect", "auto", "-A", "-n", "x") == "flowdiag analyze logs/"
    assert told("b", "a", "-n", "z", "--state", "s.yaml", "--only", "denied", "-n", "shop", "--checksum") == (
        "flowdiag analyze --state=s.yaml --namespace=shop --namespace=z --only=denied --checksum a b"
    )
    assert told(
        "--history", "h.db", "--live", "--context", "prod", "--skip", "logs", command=audit_module.command
    ) == ("flowdiag audit --history=h.db --skip=logs --live --context=prod")


def test_the_words_are_quoted_for_a_shell():
    """What is told runs again: quotes, blanks, line ends and leading dashes stay one word."""
    odd = ["a b", "it's", "$(reboot)", "x\ny", "-rf"]
    words = shlex.split(told("--from-pod", "shop/a b", "--", *odd))

    assert words == ["flowdiag", "analyze", "--from-pod=shop/a b", "--", *sorted(odd)]


@pytest.mark.parametrize(
    "address",
    [
        "s3://AKIA:geheim@bucket/logs?X-Amz-Signature=geheim#geheim",
        "simplecache::s3://AKIA:geheim@bucket/logs?geheim",
        "https://me:gehe/im@host/logs",
        "https://geheim@host/logs?url=https://a:geheim@b/",
    ],
)
def test_secrets_of_addresses_are_not_told(address):
    """Users, passwords, tokens of queries, wherever the address stands."""
    text = told(address, "--state", address)

    assert "geheim" not in text
    assert "gehe" not in text
    assert "AKIA" not in text


def test_a_program_tells_no_command():
    """Library use has none, and old reports without the field are read."""
    assert analyze([INCIDENT]).generator.command is None
    tree = msgspec.to_builtins(dns_story())
    del tree["generator"]["command"]
    assert read_report(msgspec.json.encode(tree)).generator.command is None


def test_people_find_it_where_the_report_says_how_it_was_made():
    """In the page and at the end of a verbose ticket; neither in a short one nor on a terminal."""
    report = with_command("flowdiag analyze --since=2h logs/")

    assert "<code>flowdiag analyze --since=2h logs/</code>" in HtmlReporter().render(report, Options())
    assert (
        MarkdownReporter()
        .render(report, Options(verbose=True))
        .endswith("\nMade with `flowdiag analyze --since=2h logs/`\n")
    )
    assert "flowdiag analyze" not in MarkdownReporter().render(report, Options())
    assert "flowdiag analyze" not in TerminalReporter().render(report, Options(verbose=True, all=True))
    assert read_report(json_bytes(report)) == report


def test_hostile_words_stay_text():
    """Whatever a file is called."""
    report = with_command(told("</code><script>alert(1)</script>", "`x` | @all \x1b[2J\u202e [a](http://x)"))
    page = HtmlReporter().render(report, Options())
    ticket = MarkdownReporter().render(report, Options(verbose=True))

    assert "<script>alert" not in page
    assert "\x1b" not in page + ticket
    assert "\u202e" not in page + ticket
    assert ticket.splitlines()[-1].startswith("Made with ``")
    assert ticket.splitlines()[-1].endswith("``")


def test_redaction_hides_paths_names_and_contexts_in_it():
    """What else stands in the report under a name has the same token here."""
    source = dns_story().problems[0].source
    namespace, name = source.namespace, source.workload.name
    report = with_command(
        told(
            *("geheim/logs", "10.7.7.7.log", "--state", "/home/anna/dump", "--context", "prod-eu", "--live"),
            *("--kubeconfig", "/home/anna/config", "-n", namespace, "--as", "anna"),
            *("--from-pod", f"{namespace}/{name}"),
            *("--since", "2h", "--to-port", "53", "--verdict", "denied"),
        )
    )
    hidden = redact(report)
    text = hidden.generator.command or ""

    assert not any(
        name in text for name in ("geheim", "logs", "10.7.7.7", "anna", "dump", "prod", namespace, name)
    )
    assert text.startswith("flowdiag analyze --state=input-")
    for stays in ("--live", "--since=2h", "--to-port=53", "--verdict=denied", "--context=context-"):
        assert stays in text
    source = hidden.problems[0].source
    assert f"--namespace={source.namespace}" in text
    assert f"--from-pod={source.namespace}/{source.workload.name}" in text


@pytest.mark.parametrize("text", ["flowdiag analyze 'shop", "rm -rf /home/anna/shop", ""])
def test_what_is_no_command_of_ours_goes_as_a_whole(text):
    """A report that was cut or changed by hand."""
    shown = redact(with_command(text)).generator.command or ""

    assert not any(name in shown for name in ("anna", "shop", "rm"))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--", "--since=geheim", "--tz=anna", "-"], ["geheim", "anna"]),
        (["--from-pod=42/bob", "--to-pod", "/lena", "x"], ["bob", "lena"]),
        (["--context", "53/anna", "--as", "role=anna", "--live"], ["anna", "role"]),
    ],
)
def test_redaction_hides_what_only_looks_like_options_and_ports(words, names):
    """Files may be called as an option is, and namespaces may be numbers."""
    shown = redact(with_command(told(*words))).generator.command or ""

    assert not any(name in shown for name in names)
