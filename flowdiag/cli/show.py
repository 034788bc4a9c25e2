"""``flowdiag show``: a stored report again."""

from __future__ import annotations

from typing import Any

import click

from flowdiag.cli.command import Command
from flowdiag.cli.options import outputs_option

__all__ = ["command"]


@click.command("show", cls=Command)
@click.argument("stored", metavar="REPORT")
@click.argument("number", required=False, type=click.IntRange(1), metavar="[N]")
@outputs_option
@click.option(
    "--timezone", "display_zone", default="UTC", metavar="ZONE", help="Show times in this zone. [UTC]"
)
@click.option("--redact", is_flag=True, help="Replace addresses, names and labels by stable tokens.")
@click.option("--columns", metavar="A,B", help="Columns of tables (terminal, csv, parquet).")
@click.option("--all", "everything", is_flag=True, help="Also show what is folded away.")
@click.option("-v", "--verbose", is_flag=True, help="Also show pods, addresses, patches, notes and evidence.")
@click.option("--pager", is_flag=True, help="Show the terminal report in a pager.")
def command(stored: str, number: int | None, **given: Any) -> int:
    """Render a stored report (JSON or HTML) again, or only its problem number N.

    REPORT may be an audit's history: its last run, or FILE@12 for run 12 and FILE@-2 for the one before the
    last.
    """
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_outputs, display_options, formats, write_report
    from flowdiag.cli.stored import stored_file, stored_report
    from flowdiag.model.errors import UsageError
    from flowdiag.model.words import plural
    from flowdiag.report.cut import held

    report = stored_report(stored)
    part = held(report)
    problem = None
    if number is not None:
        if number > len(report.problems):
            if part is not None:
                raise UsageError(
                    f"{stored}: this page holds {part.words}, not number {number}",
                    hint="the report as JSON (-o json=FILE) holds all of them",
                )
            raise UsageError(f"the report has {plural(len(report.problems), 'problem')}, not {number}")
        problem = report.problems[number - 1].id
    read = [one.path for one in report.inputs]
    if given["redact"]:
        from flowdiag.report.redact import redact

        report = redact(report)
    stdout, files = parse_outputs(given["outputs"], formats())
    display = display_options(
        zone=given["display_zone"],
        verbose=given["verbose"] or number is not None,
        everything=given["everything"],
        columns=tuple(filter(None, (given["columns"] or "").split(","))),
        problem=problem,
    )
    check_outputs(stdout, files, display, (stored_file(stored),))
    write_report(report, stdout, files, display, pager=given["pager"], inputs=read)
    return 0
