"""The command tree, start-up and the outermost errors."""

import importlib
import subprocess
import sys
from datetime import datetime

import click
import pytest

from flowdiag.cli import exit_codes
from flowdiag.cli.explain import as_meant, parse_port
from flowdiag.cli.main import COMMANDS, _run
from flowdiag.cli.moments import parse_duration, parse_time, parse_zone
from flowdiag.cli.options import parse_outputs
from flowdiag.model.errors import UsageError
from flowdiag.model.time import NS, parse_rfc3339

HEAVY = ("pandas", "kubernetes", "numpy", "altair", "yaml", "rich", "msgspec", "dateutil")


def imported(*command):
    """Modules that a command leaves imported."""
    code = (
        "import sys\n"
        "from flowdiag.cli.main import _run\n"
        f"code = _run({list(command)!r}, 'flowdiag')\n"
        "print(' '.join(sorted(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split()), done.stdout


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    """Start-up is a feature: neither pandas nor kubernetes nor even msgspec is touched."""
    modules, output = imported(option)

    assert not modules & set(HEAVY)
    assert "flowdiag" in output


def test_every_command_is_what_its_line_says():
    """The group's one-line helps are the commands' own first sentences."""
    for name, (module, text) in COMMANDS.items():
        command = importlib.import_module(f"flowdiag.cli.{module}").command
        own = command.get_short_help_str(limit=200)

        # The commands may say more than fits a list, but they begin with the same words.
        assert name == command.name
        assert text.split()[:4] == own.split()[:4], name


def test_every_option_has_help():
    """A user learns every option from --help."""
    for module, _ in COMMANDS.values():
        command = importlib.import_module(f"flowdiag.cli.{module}").command
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{command.name} {parameter.opts}"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["--help"], exit_codes.DONE),
        (["nonsense"], exit_codes.USAGE),
        (["analyze"], exit_codes.USAGE),
        (["analyze", "--no-such-option"], exit_codes.USAGE),
        (["analyze", "/nonexistent/folder"], exit_codes.INPUT),
        (["analyze", ".", "-o", "json", "-o", "markdown"], exit_codes.USAGE),
        (["analyze", ".", "-o", "docx"], exit_codes.USAGE),
        (["analyze", ".", "--fail-on", "sometimes"], exit_codes.USAGE),
        (["codes", "FD999"], exit_codes.USAGE),
        (["schema", "report"], exit_codes.DONE),
    ],
)
def test_exit_codes(command, expected, capsys):
    """Scripts can tell done from findings, usage, input and internal errors."""
    assert expected == _run(command, "flowdiag")
    capsys.readouterr()


def test_a_wrong_command_gets_a_hint(capsys):
    """A typing error is met with the nearest command."""
    _run(["analyse"], "flowdiag")

    assert "analyze" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "analyse x",
            ("no such command 'analyse'; did you mean analyze?", "flowdiag --help lists the commands"),
        ),
        ("analyze x --sinc 3m", ("no such option --sinc", "did you mean --since or --strict?")),
        ("analyze x --bogus", ("no such option --bogus", "flowdiag analyze --help tells what it takes")),
        (
            "analyze x --around",
            ("option '--around' requires an argument", "flowdiag analyze --help tells what"),
        ),
        ("events x --verdict lost", ("--verdict: 'lost' is not one of", "flowdiag events --help tells what")),
        ("explain a/b", ("DST is missing", "flowdiag explain SRC DST [PORT[/PROTO]] [PATH...]; flowdiag")),
        (
            "audit x",
            ("--history is missing", "flowdiag audit --history FILE [PATH...]; flowdiag audit --help"),
        ),
        ("show x abc", ("N: 'abc' is not a number", "flowdiag show --help tells what it takes")),
        ("show x 0", ("N: 0 is not in the range x>=1", "flowdiag show --help tells what it takes")),
        ("diff a b c", ("got unexpected extra argument (c)", "flowdiag diff OLD NEW; flowdiag diff --help")),
        ("schema \x1b[31m", (r"WHAT: '\x1b[31m' is not one of 'report'", "flowdiag schema --help tells")),
        ("events x --\x1b[31m", (r"no such option --\x1b[31m", "flowdiag events --help tells")),
    ],
)
def test_what_is_wrong_with_a_command_line_is_said_as_all_errors_are(capsys, words, said):
    """What, where, and what to do, in two lines; and nothing that was typed acts on the terminal."""
    assert _run(words.split(), "flowdiag") == exit_codes.USAGE

    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"flowdiag: {said[0]}")
    assert second.startswith(f"  {said[1]}")


def test_a_closed_pipe_is_quiet():
    """``flowdiag codes | head -1`` prints no traceback."""
    done = subprocess.run(
        f"{sys.executable} -c 'from flowdiag.cli.main import main; main([\"codes\"])' | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )

    assert not done.stderr
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8080", (8080, "TCP")),
        ("8080/tcp", (8080, "TCP")),
        ("53/UDP", (53, "UDP")),
        ("http", ("http", "TCP")),
        ("ICMP", (None, "ICMP")),
        ("any", (None, None)),
        ("any/UDP", (None, "UDP")),
        (None, (None, None)),
    ],
)
def test_ports(text, expected):
    """A port, a protocol, both or neither."""
    assert expected == parse_port(text)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("user-api.backend:8080", None), ("user-api.backend", "8080", ())),
        (("svc:backend/user-api:53/UDP", None), ("svc:backend/user-api", "53/UDP", ())),
        (("192.0.2.5:443", "443"), ("192.0.2.5", "443", ())),
        (("[2001:db8::5]:443", "{here}"), ("2001:db8::5", "443", ("{here}",))),
        (("2001:db8::5:443", None), ("2001:db8::5:443", None, ())),
        (("backend/user-api", "{here}"), ("backend/user-api", None, ("{here}",))),
        (("backend/user-api", "logs"), ("backend/user-api", "logs", ())),
        (("backend/user-api", "logs/today"), ("backend/user-api", None, ("logs/today",))),
        (("backend/user-api", "logs/tcp"), ("backend/user-api", "logs/tcp", ())),
        (("backend/user-api:8080", "logs"), ("backend/user-api", "8080", ("logs",))),
        (("node:a", "9100"), ("node:a", "9100", ())),
    ],
)
def test_a_destination_with_its_port(words, meant, tmp_path, monkeypatch):
    """As logs have it; evidence may stand behind it, and a folder's name may look like a port's."""
    monkeypatch.chdir(tmp_path)
    for name in ("logs/today", "logs/tcp"):
        (tmp_path / name).mkdir(parents=True)
    (dst, port), (end, number, paths) = words, meant
    here = str(tmp_path)
    assert as_meant(dst, port and port.format(here=here), ()) == (
        end,
        number,
        tuple(path.format(here=here) for path in paths),
    )


def test_a_destination_with_a_port_and_another():
    with pytest.raises(UsageError, match="neither the port of"):
        as_meant("backend/user-api:8080", "8081", ())


@pytest.mark.parametrize("text", ["0", "65536", "80/", "80/XYZ", "a b", "", "80/TCP/UDP", "-1", "http-"])
def test_what_is_no_port(text):
    """Nonsense is a usage error with a hint."""
    with pytest.raises(UsageError):
        parse_port(text)


def test_durations_and_times():
    """What people type for --since."""
    assert parse_duration("1h30m") == 5400 * NS
    utc = parse_zone("UTC")
    assert parse_rfc3339("2026-11-03T12:00:00Z") == parse_time("2026-11-03 12:00", utc)
    assert parse_rfc3339("2026-11-03T10:00:00Z") == parse_time("2026-11-03 12:00", parse_zone("+02:00"))
    for wrong in ("5", "-5m", "1234567"):
        with pytest.raises(UsageError):
            parse_time(wrong, utc)
    for wrong in ("", "soon", "5x"):
        with pytest.raises(UsageError):
            parse_time(wrong, utc)
        with pytest.raises(UsageError):
            parse_duration(wrong)
    with pytest.raises(UsageError):
        parse_zone("Mars/Olympus")


def test_outputs():
    """One format on standard output; files besides, several of one format too."""
    known = ("terminal", "json", "markdown")

    assert parse_outputs(("json=a.json", "json=b.json"), known) == (
        "terminal",
        {"json": ["a.json", "b.json"]},
    )
    assert parse_outputs(("json", "markdown=x.md"), known) == ("json", {"markdown": ["x.md"]})
    for wrong in (("json", "markdown"), ("json=",), ("yaml",)):
        with pytest.raises(UsageError):
            parse_outputs(wrong, known)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("report.html", "write -o html=report.html"),
        ("md=ticket.md", "write -o markdown=ticket.md"),
        ("md", "write -o markdown"),
        ("jsno", "did you mean json?"),
        ("pdf", "known: "),
    ],
)
def test_what_a_format_was_meant_for(typed, hint):
    """A file's name, its ending and a slip are what people write instead."""
    with pytest.raises(UsageError) as raised:
        parse_outputs((typed,), ("html", "json", "markdown", "terminal"))

    assert (raised.value.hint or "").startswith(hint)


def test_a_parser_that_does_not_exist_was_meant_for_another(tmp_path, capsys):
    """``--format hubble`` names no entry point's group, and says which there are."""
    (tmp_path / "flows.log").write_text("no such record\n")

    assert _run(["analyze", str(tmp_path), "--format", "hubble"], "flowdiag") == 2
    assert "no parser 'hubble'\n  did you mean hubble-json" in capsys.readouterr().err


def test_what_nobody_reads_is_named_in_the_command_to_try(tmp_path, capsys):
    """As a shell takes it."""
    path = tmp_path / "my notes.txt"
    path.write_text("pasta\n")

    assert _run(["analyze", str(path)], "flowdiag") == 3
    assert f"flowdiag parsers detect '{path}'" in capsys.readouterr().err


def test_a_list_wraps_on_a_terminal_and_has_a_line_for_each_entry_in_a_pipe(monkeypatch, capsys):
    """At 80 columns a description stays in its column; grep finds whole entries."""
    assert _run(["codes"], "flowdiag") == 0
    piped = capsys.readouterr().out.splitlines()
    monkeypatch.setattr("flowdiag.cli.columns._width", lambda: 80)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert _run(["codes"], "flowdiag") == 0
    shown = capsys.readouterr().out.splitlines()

    assert all(line.startswith("FD") for line in piped)
    assert max(map(len, shown)) <= 80
    assert " ".join(" ".join(shown).split()) == " ".join(" ".join(piped).split())


def test_a_code_goes_by_its_slug_too(capsys):
    """Reports show both."""
    assert _run(["codes", "dns-blocked"], "flowdiag") == 0
    assert capsys.readouterr().out.startswith("FD401  dns-blocked")


def test_parsers_says_how_to_write_one(capsys):
    """The list of parsers ends with what a format of one's own needs."""
    assert _run(["parsers"], "flowdiag") == 0
    out = capsys.readouterr().out

    assert '[project.entry-points."flowdiag.parsers"]' in out
    assert "assert_parser_contract" in out


def test_help_names_every_format():
    """Who reads --help need not make a mistake to learn them."""
    from flowdiag.cli.analyze import command
    from flowdiag.cli.output import formats

    (option,) = [one for one in command.params if one.name == "outputs"]
    listed = option.help.partition("(")[2].partition(")")[0]
    assert sorted(listed.split(", ")) == sorted(formats())


@pytest.mark.parametrize(
    ("now", "zone", "text", "past", "expected"),
    [
        # Half an hour after midnight people mean the evening before.
        ("2026-03-17T00:30:00Z", "UTC", "23:50", True, "2026-03-16T23:50:00Z"),
        ("2026-03-17T00:30:00Z", "UTC", "00:10", True, "2026-03-17T00:10:00Z"),
        # An end may be still to come.
        ("2026-03-17T00:30:00Z", "UTC", "23:50", False, "2026-03-17T23:50:00Z"),
        # Whoever names the day means it.
        ("2026-03-17T00:30:00Z", "UTC", "2026-03-17 23:50", True, "2026-03-17T23:50:00Z"),
        # Today is the zone's: in Vienna it is the 17th already, in New York still the 16th.
        ("2026-03-16T23:30:00Z", "Europe/Vienna", "00:10", True, "2026-03-16T23:10:00Z"),
        ("2026-03-17T02:00:00Z", "America/New_York", "21:30", True, "2026-03-17T01:30:00Z"),
        ("2026-03-17T02:00:00Z", "America/New_York", "22:30", True, "2026-03-16T02:30:00Z"),
        # Over the night in which the clocks are changed.
        ("2026-03-29T01:30:00Z", "Europe/Vienna", "01:50", True, "2026-03-29T00:50:00Z"),
    ],
)
def test_a_clock_alone(monkeypatch, now, zone, text, past, expected):
    """``--around 23:50`` is the last 23:50, by the clocks of --tz."""
    monkeypatch.setattr("flowdiag.cli.moments.datetime", frozen(datetime.fromisoformat(now)))

    assert parse_time(text, parse_zone(zone), past=past) == parse_rfc3339(expected)


def frozen(now):
    """A datetime whose present is that moment."""

    class Frozen(datetime):
        @classmethod
        def now(cls, tz=None):
            return now.astimezone(tz)

    return Frozen


def test_events_say_that_nothing_was_selected(tmp_path, capsys):
    """An empty stream of a namespace misspelt looks like one without refusals."""
    (tmp_path / "flows.jsonl").write_text(
        '{"flow":{"time":"2026-03-17T14:03:13Z","verdict":"DROPPED","source":{"namespace":"shop","pod_name":"web-1"},'
        '"destination":{"namespace":"data","pod_name":"db-0"},"l4":{"TCP":{"destination_port":5432}},'
        '"IP":{"source":"10.1.0.5","destination":"10.1.0.6","ipVersion":"IPv4"}},"node_name":"n1"}\n'
    )
    assert _run(["events", str(tmp_path), "-n", "shpo", "--to-port", "5432"], "flowdiag") == 0
    nothing = capsys.readouterr()
    assert _run(["events", str(tmp_path), "-n", "shop"], "flowdiag") == 0
    found = capsys.readouterr()

    assert nothing.out == ""
    assert "no record matches --namespace shpo, --to-port 5432" in nothing.err
    assert found.out.count("\n") == 1
    assert "no record matches" not in found.err


def test_an_option_stands_where_it_does_something():
    """Only reports list their inputs, with --checksum."""
    from importlib import import_module

    takers = {
        name
        for name, (module, _) in COMMANDS.items()
        if any(one.name == "checksum" for one in import_module(f"flowdiag.cli.{module}").command.params)
    }
    assert takers == {"analyze", "audit"}


def test_every_command_refuses_empty_words():
    """They all are of one class, which does so."""
    from flowdiag.cli.command import Command

    for module, _ in COMMANDS.values():
        assert isinstance(importlib.import_module(f"flowdiag.cli.{module}").command, Command), module


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to-port", "http"], "is no number from 0 to 65535"),
        (["--to-port", "53/udp"], "write --to-port 53 --protocol UDP"),
        (["--to-port", "70000"], "is not in the range"),
        (["--verdict", "lost"], "is not one of 'denied'"),
    ],
)
def test_values_that_cannot_be_meant(tmp_path, capsys, words, said):
    """Said with what can be, before anything is read."""
    assert _run(["events", str(tmp_path), *words], "flowdiag") == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_verdicts_in_the_words_of_rules():
    """DROP, Deny and REJECT are what other tools call it."""
    from flowdiag.cli.events import command

    (option,) = [one for one in command.params if one.name == "verdict"]
    read = [
        option.type.convert(word, option, None) for word in ("DROP", "Deny", "dropped", "accept", "Audit")
    ]
    assert read == ["denied", "denied", "denied", "allowed", "audited"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["analyze", ""], "PATH: this is empty"),
        (["analyze", ".", "--state", ""], "--state: this is empty"),
        (["explain", "shop/web", "data/db", "5432", "", "--state", "."], "PATH: this is empty"),
        (["whatif", "--state", ".", "--apply", ""], "--apply: this is empty"),
        (["audit", ".", "--history", "h.db", "--reports", ""], "--reports: this is empty"),
        (["events", ".", "-n", "shop", "-n", ""], "--namespace: this is empty"),
        (["watch", ""], "PATH|-: this is empty"),
    ],
)
def test_an_empty_word_is_no_file_and_no_name(capsys, words, said):
    """`--state "$STATE"` without that variable read the working folder, and `-n ""` selected nothing."""
    assert _run(words, "flowdiag") == 2
    assert said in capsys.readouterr().err


def test_an_empty_context_is_the_current_one(tmp_path, capsys):
    """As for kubectl; a script hands both the same words."""
    (tmp_path / "flows.log").write_text("nothing\n")

    assert _run(["analyze", str(tmp_path), "--context", "", "--kubeconfig", ""], "flowdiag") == 3
    assert "this is empty" not in capsys.readouterr().err
