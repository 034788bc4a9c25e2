"""``flowdiag events``: every record, normalised."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import Timer
from typing import TYPE_CHECKING, Any

import click

from flowdiag.cli.command import Command
from flowdiag.cli.messages import say
from flowdiag.cli.options import evidence_options, output_option, selection_options

if TYPE_CHECKING:
    from flowdiag.model.event import Event

__all__ = ["command"]

_FORMATS = ("jsonl", "csv")
_PATIENCE_S = 5.0

Row = tuple[str, str, "Event"]
"""Input, parser and event."""


@click.command("events", cls=Command)
@click.argument("paths", nargs=-1, metavar="PATH...")
@output_option("jsonl or csv on standard output, or FORMAT=FILE besides. May be repeated. [jsonl]")
@click.option("--raw", "with_raw", is_flag=True, help="Add each record verbatim.")
@click.option(
    "--sort",
    type=click.Choice(("input", "time")),
    default="input",
    show_default=True,
    help="Order of the records: as they stand in the inputs, or by time.",
)
@selection_options
@evidence_options
def command(paths: tuple[str, ...], **given: Any) -> int:
    """Print every record as one normalised JSON line (or CSV row): what it says, nothing inferred."""
    from flowdiag.analysis import read_events
    from flowdiag.analysis.cautions import selection_words
    from flowdiag.cli.build import evidence_of, selection_of
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_files
    from flowdiag.model.errors import UsageError
    from flowdiag.report.events import event_line
    from flowdiag.report.events_csv import csv_header, csv_line

    if not paths:
        raise UsageError("no evidence named", hint="flowdiag events FILE, or - for standard input")
    with_raw = given["with_raw"]
    stdout, files = parse_outputs(given["outputs"], _FORMATS)
    check_files(files, paths)
    selection = selection_of(given)
    stream = sys.stdout.buffer
    problems: list[str] = []
    records = read_events(
        paths,
        evidence=evidence_of(given),
        selection=selection,
        keep_raw=with_raw,
        by_time=given["sort"] == "time",
        problems=problems,
    )
    if files:
        records = _kept(records, files, with_raw)
    if stdout == "csv":
        stream.write(csv_header(with_raw=with_raw))
        lines = (csv_line(event, parser, name, with_raw=with_raw) for name, parser, event in records)
    else:
        lines = (event_line(event, parser, name, with_raw) + b"\n" for name, parser, event in records)
    buffer: list[bytes] = []
    any_line = False
    try:
        for line in _patiently(lines) if "-" in paths else lines:
            any_line = True
            buffer.append(line)
            if len(buffer) >= 512:
                stream.write(b"".join(buffer))
                buffer.clear()
        stream.write(b"".join(buffer))
        stream.flush()
    except BrokenPipeError:
        # The reader of standard output has closed it; files must get the rest all the same.
        for _ in records:
            pass
        raise
    for text in problems:
        say(text)
    if not any_line and not selection.everything:
        say(f"no record matches {', '.join(selection_words(selection))}")
    return 0


def _patiently(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same events; if standard input has not ended after a while, say that it is waited for, as it may never end."""
    hint = (
        "standard input is read to its end before anything is printed; to follow a stream: flowdiag watch -"
    )
    waiting = Timer(_PATIENCE_S, say, (hint,))
    waiting.daemon = True
    waiting.start()
    try:
        first = next(lines, None)
    finally:
        waiting.cancel()
    if first is not None:
        yield first
        yield from lines


def _kept(records: Iterator[Row], files: dict[str, list[str]], with_raw: bool) -> Iterator[Row]:
    """Yield the same records, and write them to files meanwhile, which appear once all are written."""
    from contextlib import ExitStack

    from flowdiag.deliver.files import GrowingFile
    from flowdiag.report.events import event_line
    from flowdiag.report.events_csv import csv_header, csv_line

    with ExitStack() as stack:
        growing: list[tuple[str, GrowingFile]] = []
        for name, path in ((name, path) for name, paths in files.items() for path in paths):
            file = GrowingFile(path)
            stack.callback(file.drop)
            growing.append((name, file))
            if name == "csv":
                file.write(csv_header(with_raw=with_raw))
        for row in records:
            place, parser, event = row
            for name, file in growing:
                line = csv_line(event, parser, place, with_raw=with_raw) if name == "csv" else None
                file.write(event_line(event, parser, place, with_raw) + b"\n" if line is None else line)
            yield row
        for _, file in growing:
            file.keep()
