"""``flowdiag watch``: a stream followed, the picture kept current."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from flowdiag.cli import exit_codes
from flowdiag.cli.command import Command
from flowdiag.cli.messages import say
from flowdiag.cli.options import evidence_options, outputs_option, state_options, traffic_options
from flowdiag.cli.readers import hung_up, leave_terminal
from flowdiag.model.interrupts import ending_signals
from flowdiag.model.words import plural

if TYPE_CHECKING:
    from flowdiag.model.picture import Picture
    from flowdiag.model.report import Report
    from flowdiag.report import Options

__all__ = ["command"]

_DRAW_S = 0.5
_MOST_NEWS = 10


@click.command("watch", cls=Command)
@click.argument("path", required=False, metavar="[PATH|-]")
@click.option(
    "--window", default="15m", metavar="DURATION", show_default=True, help="How far back the report reaches."
)
@click.option(
    "--every",
    default="10s",
    metavar="DURATION",
    show_default=True,
    help="How often files are written, and a line is printed where there is no terminal.",
)
@state_options
@traffic_options
@outputs_option
@click.option(
    "--timezone", "display_zone", default="UTC", metavar="ZONE", help="Show times in this zone. [UTC]"
)
@evidence_options
def command(path: str | None, **given: Any) -> int:
    """Follow a stream of records and keep its report current.

    PATH is a file that grows (through its rotations), or - for standard input, which is the default:

        hubble observe -f -o jsonpb | flowdiag watch - --state state.json

    At the end of the stream, and at Ctrl-C, the report of the last --window is printed.
    """
    from flowdiag.analysis.watch import Watch
    from flowdiag.cli.build import evidence_of, selection_of, state_of
    from flowdiag.cli.command_text import told_command
    from flowdiag.cli.moments import parse_duration
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_outputs, display_options, formats, write_files, write_report
    from flowdiag.ingest.heap import return_freed_memory
    from flowdiag.model.errors import UsageError
    from flowdiag.model.time import NS

    if path is None and sys.stdin.isatty():
        raise UsageError("nothing to follow", hint="hubble observe -f -o jsonpb | flowdiag watch -")
    stdout, files = parse_outputs(given["outputs"], formats())
    display = display_options(zone=given["display_zone"])
    check_outputs(stdout, files, display, (*([path] if path is not None else []), *given["state"]))
    window, every = parse_duration(given["window"]), parse_duration(given["every"])
    if window < NS or every < NS:
        raise UsageError("--window and --every are at least a second")
    return_freed_memory()
    with Watch(
        path or "-",
        evidence=evidence_of(given),
        state=state_of(given, [path or "-"]),
        selection=selection_of(given),
        window=window,
        stdin=sys.stdin.buffer,
        command=told_command(click.get_current_context()),
    ) as watch:
        with _interruptible() as stopped, _shown(display, every / NS) as show:
            written: Report | None = None
            unwritten: list[str] = []
            wrote = time.monotonic()
            for picture in watch.pictures(_DRAW_S, lambda: bool(stopped)):
                show(picture, unwritten)
                now = time.monotonic()
                if picture.report is not None and picture.report is not written and now - wrote >= every / NS:
                    # A disk that is full now may have room in a minute, and the stream does not wait for that.
                    unwritten = [str(one) for one in write_files(picture.report, files, display)]
                    written, wrote = None if unwritten else picture.report, now
            if stopped and not watch.started:
                return exit_codes.INTERRUPTED
            report = watch.report()
        # Before the end of the worker, which may be at a report of its own.
        write_report(report, stdout, files, display)
    return exit_codes.INTERRUPTED if stopped else exit_codes.DONE


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Give a list that gets the first interrupt or request to end; the second acts as usual."""
    got: list[int] = []

    def stop(number: int, frame: object) -> None:
        del frame
        leave_terminal()
        got.append(number)
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, stop) for number in ending_signals()}
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(display: Options, every: float) -> Iterator[Any]:
    """What draws a picture: a screen on a terminal, else a line every `every` seconds; on standard error."""
    if not sys.stderr.isatty():
        yield _Lines(every)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield _Live(live, display)


class _Live:
    def __init__(self, live: Any, display: Options) -> None:
        self._live = live
        self._display = display

    def __call__(self, picture: Picture, unwritten: Sequence[str]) -> None:
        from msgspec.structs import replace
        from rich.text import Text

        from flowdiag.report.watch_view import frame

        size = self._live.console.size
        text = frame(
            picture,
            replace(self._display, width=size.width),
            height=size.height,
            unwritten=unwritten,
        )
        try:
            self._live.update(Text.from_ansi(text), refresh=True)
        except OSError:
            # The signal that tells of a closed terminal may come later, or never where a shell lets the command go on.
            if not hung_up(sys.stderr.fileno()):
                raise
            leave_terminal()


class _Lines:
    def __init__(self, every: float) -> None:
        self._every = every
        self._said = time.monotonic()
        self._last: Report | None = None
        self._unwritten: Sequence[str] = ()

    def __call__(self, picture: Picture, unwritten: Sequence[str]) -> None:
        from flowdiag.report.watch_view import changes, pace_line

        if picture.report is not None and picture.report is not self._last:
            news = changes(self._last, picture.report)
            self._last = picture.report
            for line in news[:_MOST_NEWS]:
                say(line)
            if len(news) > _MOST_NEWS:
                click.echo(
                    f"flowdiag: and {plural(len(news) - _MOST_NEWS, 'more problem')} new or gone", err=True
                )
        for text in unwritten:
            if text not in self._unwritten:
                say(f"{text}; trying again")
        if self._unwritten and not unwritten:
            say("files are written again")
        self._unwritten = unwritten
        now = time.monotonic()
        if now - self._said < self._every:
            return
        self._said = now
        say(pace_line(picture))
