"""What a person at a terminal gets: progress, pager, colours, widths, and pipes that close early."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import textwrap
import time as real_time
from pathlib import Path

import pytest

from flowdiag.cli import progress as progress_module
from flowdiag.cli.progress import progress
from flowdiag.report.escape import cells

ROOT = Path(__file__).resolve().parents[2]
INCIDENT = "fixtures/incidents/default-deny-egress"
FLOWDIAG = [str(Path(sys.executable).with_name("flowdiag"))]


DRAWN = textwrap.dedent("""
    import sys, time
    from flowdiag.cli import progress as module

    written, write = [], sys.stderr.write
    sys.stderr.write = lambda text: (written.append(text), write(text))[1]

    def drawn(words):
        # As long as that takes on a machine under load.
        while words not in "".join(written):
            time.sleep(0.01)
""")
"""A program's beginning: what is drawn can be waited for."""


class Minutes:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_log_gets_one_line_a_minute_with_files_bytes_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Minutes()
    monkeypatch.setattr(progress_module, "time", clock)
    with progress() as show:
        for second in range(150):
            clock.now = float(second)
            show(second * 1_000_000, 600_000_000, f"node-{second // 50}/flows\x1b[2J.log")
    lines = capsys.readouterr().err.splitlines()

    assert lines == [
        "flowdiag: read 60 of 600 MB, file 2, 1.0 MB/s, about 9 min left, at node-1/flows?[2J.log",
        "flowdiag: read 120 of 600 MB, file 3, 1.0 MB/s, about 8 min left, at node-2/flows?[2J.log",
    ]


def test_an_unknown_total_gives_no_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Minutes()
    monkeypatch.setattr(progress_module, "time", clock)
    with progress() as show:
        for second in range(62):
            clock.now = float(second)
            show(second * 2_000_000, None, "-")

    assert capsys.readouterr().err == "flowdiag: read 120 MB, file 1, 2.0 MB/s, at -\n"


def test_the_speed_is_that_of_reading_and_not_of_the_wait_before_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stream that took long to come is read at once: no rate is known, and none is made up of the wait."""
    clock = Minutes()
    monkeypatch.setattr(progress_module, "time", clock)
    with progress() as show:
        clock.now = 80.0
        show(2_000, 900_000_000, "-")
        for second in range(61):
            clock.now = 81.0 + second
            show(2_000 + second * 3_000_000, 900_000_000, "-")

    first, second = capsys.readouterr().err.splitlines()
    assert first == "flowdiag: read 0 of 900 MB, file 1, at -"
    assert second == "flowdiag: read 177 of 900 MB, file 1, 3.0 MB/s, about 4 min left, at -"


def test_no_time_is_left_where_the_speed_jumps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Minutes()
    monkeypatch.setattr(progress_module, "time", clock)
    with progress() as show:
        for second in range(61):
            clock.now = float(second)
            show(max(second - 40, 0) * 1_000_000, 600_000_000, "a.log")

    (line,) = capsys.readouterr().err.splitlines()
    assert "MB/s" in line
    assert "left" not in line


def test_work_after_the_reading_says_what_it_does_and_for_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Minutes()
    monkeypatch.setattr(progress_module, "time", clock)
    monkeypatch.setattr(progress_module, "_DRAW_S", 0.05)
    monkeypatch.setattr(progress_module, "_LOG_S", 0.05)
    said = ""
    with progress() as show:
        show.stage("explaining 3,000 refused flows")
        while said.count("\n") < 2:
            real_time.sleep(0.01)
            said += capsys.readouterr().err
        clock.now = 130.0
        while ", 2 min\n" not in said:
            real_time.sleep(0.01)
            said += capsys.readouterr().err
    said += capsys.readouterr().err
    real_time.sleep(0.2)

    assert set(said.splitlines()) == {
        "flowdiag: explaining 3,000 refused flows, 0 s",
        "flowdiag: explaining 3,000 refused flows, 2 min",
    }
    assert capsys.readouterr().err == "", "nothing is said once it has ended"


def test_a_terminal_shows_the_work_after_the_reading_and_clears_it() -> None:
    program = DRAWN + textwrap.dedent("""
        module._QUIET_S = module._DRAW_S = 0.05
        with module.progress() as show:
            show(1, 10, "a.log")
            show.stage("explaining 3,000 refused flows")
            drawn("explaining")
            show.stage("writing html")
            drawn("writing")
            show.stage(None)
            print("the report")
    """)
    text, code = on_terminal([sys.executable, "-c", program], columns=140, errors=True)
    plain = ANSI.sub("", text)

    assert code == 0
    assert re.search(r"explaining 3,000 refused flows \d:\d\d:\d\d", plain)
    assert re.search(r"writing html \d:\d\d:\d\d", plain)
    assert plain.rstrip().endswith("the report")


def test_reading_takes_the_place_of_what_was_waited_for() -> None:
    """A cluster is asked, things come, then an archive is packed: one display at a time, and none at the end."""
    program = DRAWN + textwrap.dedent("""
        module._QUIET_S = module._DRAW_S = 0.05
        with module.progress() as show:
            show.stage("asking the cluster for its objects")
            drawn("asking")
            for done in range(8):
                show(done * 1_000_000, None, "pods")
                time.sleep(0.1)
            drawn("pods")
            show.stage("packing the archive")
            drawn("packing")
        print("the archive")
    """)
    text, code = on_terminal([sys.executable, "-c", program], columns=140, errors=True)
    plain = ANSI.sub("", text)

    assert code == 0
    at = [plain.index(word) for word in ("asking the cluster", "file 1  pods", "packing the archive")]
    assert at == sorted(at)
    assert plain.rstrip().endswith("the archive")


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as show:
        show(10, 10, "a.log")

    assert capsys.readouterr().err == ""


def on_terminal(
    command: list[str], *, columns: int = 100, errors: bool = False, **environment: str
) -> tuple[str, int]:
    """What a command writes to a terminal of so many columns, with its messages or without, and its exit code."""
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=follower,
        stdout=follower,
        stderr=follower if errors else subprocess.DEVNULL,
        env=env | environment,
    )
    os.close(follower)
    parts = []
    while True:
        ready, _, _ = select.select([leader], [], [], 300)
        try:
            data = os.read(leader, 65536) if ready else b""
        except OSError:
            break
        if not data:
            break
        parts.append(data)
    os.close(leader)
    return b"".join(parts).decode("utf-8", "replace").replace("\r\n", "\n"), process.wait(300)


def test_a_terminal_gets_a_bar_with_files_bytes_rate_and_time_left_that_goes_away() -> None:
    program = DRAWN + textwrap.dedent("""
        from types import SimpleNamespace
        module.time = clock = SimpleNamespace(monotonic=lambda: clock.now, now=0.0)
        with module.progress() as show:
            for step in range(30):
                clock.now = float(step)
                show(step * 10_000_000, 600_000_000, f"node-{step // 10}/flows.log")
            drawn("s left")
    """)
    text, code = on_terminal([sys.executable, "-c", program], columns=140, errors=True)

    assert code == 0
    assert re.search(
        r"file 3  node-2/flows\.log .*\d+\.\d/600\.0 MB .*MB/s, about \d+ s left", ANSI.sub("", text)
    )
    assert text.rstrip("\n").endswith(("\x1b[2K", "\x1b[?25h")), "the line is cleared and the cursor is back"


# The whole command as a process, on which no minute passes: its intervals are set to nothing.
HASTY = textwrap.dedent(f"""
    import sys
    from flowdiag.cli import progress
    progress._QUIET_S = 0.0
    progress._DRAW_S = 0.01
    progress._LOG_S = 1e-9
    from flowdiag.cli.main import main
    sys.argv = ["flowdiag", "analyze", {INCIDENT!r}, "--processes", "1"]
    main()
""")


def test_reading_shows_its_progress_on_a_terminal_and_clears_it() -> None:
    """The command itself hands on bytes and files; the report stands after, whole."""
    text, code = on_terminal([sys.executable, "-c", HASTY], columns=140, errors=True)
    plain = ANSI.sub("", text)

    assert code == 0
    assert re.search(r"file \d+ .*\d+\.\d/\d+\.\d (?:k|M)?B ", plain)
    bar, _, report = text.partition("flowdiag 0.")
    assert "\x1b[2K" in bar[-200:]
    assert "problems explain all" in report


def test_reading_says_in_a_log_how_far_it_is() -> None:
    """One line each time that the interval has passed, on standard error; the report is alone on standard output."""
    done = subprocess.run(
        [sys.executable, "-c", HASTY], cwd=ROOT, capture_output=True, text=True, check=False, encoding="utf-8"
    )
    said = [line for line in done.stderr.splitlines() if line.startswith("flowdiag: read ")]

    assert done.returncode == 0
    assert said
    for line in said:
        assert re.fullmatch(
            r"flowdiag: read \d+(?: of \d+)? MB, file \d+, (?:[\d,.]+ MB/s, (?:about .* left, )?)?at .*", line
        )
    assert "flowdiag: read" not in done.stdout
    assert done.stdout.startswith("flowdiag ")


ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    text, code = on_terminal([*FLOWDIAG, "analyze", INCIDENT], columns=columns)

    assert code == 0
    assert ANSI.search(text)
    assert max(cells(ANSI.sub("", line)) for line in text.splitlines()) <= columns


@pytest.mark.parametrize(
    ("environment", "colours", "bars"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, True),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_terminals_get_what_they_can_show(environment: dict[str, str], colours: bool, bars: bool) -> None:
    """Never colour alone: the same words stand there without it."""
    text, code = on_terminal([*FLOWDIAG, "analyze", INCIDENT], **environment)

    assert code == 0
    assert colours is bool(ANSI.search(text))
    assert bars is any(character in text for character in "▂▆█")
    for word in ("HIGH", "derived", "192 denials", "evidence is missing"):
        assert word in ANSI.sub("", text)


def test_a_pipe_gets_no_colour_unless_it_is_forced() -> None:
    def piped(**environment: str) -> str:
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONUTF8": "1"} | environment
        return subprocess.run(
            [*FLOWDIAG, "analyze", INCIDENT], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        ).stdout

    plain, forced = piped(), piped(FORCE_COLOR="1")

    assert "\x1b" not in plain
    assert "\x1b[" in forced
    assert ANSI.sub("", forced) == plain


def test_a_pipe_that_closes_early_is_quiet() -> None:
    found = subprocess.run(
        ["sh", "-c", f"{FLOWDIAG[0]} analyze {INCIDENT} -o json | head -c 100"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert len(found.stdout) == 100
    assert found.stderr == ""


def test_the_pager_is_asked_for_and_gets_the_whole_report(tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\necho "PAGER STARTED"\ncat\necho "PAGER ENDED"\n')
    pager.chmod(0o755)
    command = [*FLOWDIAG, "analyze", INCIDENT]
    without, _ = on_terminal(command, PAGER=str(pager))
    paged, code = on_terminal([*command, "--pager"], PAGER=str(pager))

    assert "PAGER" not in without
    assert code == 0
    assert paged.startswith("PAGER STARTED\n")
    assert paged.rstrip().endswith("PAGER ENDED")
    assert ANSI.sub("", without).strip() in ANSI.sub("", paged)
