"""``flowdiag events``: every record, normalised."""

from __future__ import annotations

import sys
from typing import Any

import click

from flowdiag.cli.messages import say
from flowdiag.cli.options import evidence_options, selection_options

__all__ = ["command"]


@click.command("events")
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("-o", "--output", type=click.Choice(("jsonl", "csv")), default="jsonl", show_default=True)
@click.option("--raw", "with_raw", is_flag=True, help="Add each record verbatim.")
@click.option("--sort", type=click.Choice(("input", "time")), default="input", show_default=True)
@selection_options
@evidence_options
def command(paths: tuple[str, ...], **given: Any) -> int:
    """Print every record as one normalised JSON line (or CSV row): what it says, nothing inferred."""
    from flowdiag.analysis import read_events
    from flowdiag.cli.build import evidence_of, selection_of
    from flowdiag.model.errors import UsageError
    from flowdiag.report.events import event_line
    from flowdiag.report.events_csv import csv_header, csv_line

    if not paths:
        raise UsageError("no evidence named", hint="flowdiag events FILE, or - for standard input")
    with_raw = given["with_raw"]
    stream = sys.stdout.buffer
    problems: list[str] = []
    records = read_events(
        paths,
        evidence=evidence_of(given),
        selection=selection_of(given),
        keep_raw=with_raw,
        by_time=given["sort"] == "time",
        problems=problems,
    )
    if given["output"] == "csv":
        stream.write(csv_header(with_raw=with_raw))
        lines = (csv_line(event, parser, name, with_raw=with_raw) for name, parser, event in records)
    else:
        lines = (event_line(event, parser, name, with_raw) + b"\n" for name, parser, event in records)
    buffer: list[bytes] = []
    for line in lines:
        buffer.append(line)
        if len(buffer) >= 512:
            stream.write(b"".join(buffer))
            buffer.clear()
    stream.write(b"".join(buffer))
    stream.flush()
    for text in problems:
        say(text)
    return 0
