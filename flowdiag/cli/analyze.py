"""``flowdiag analyze``: evidence in, report out."""

from __future__ import annotations

from typing import Any

import click

from flowdiag.cli import exit_codes
from flowdiag.cli.command import Command
from flowdiag.cli.options import (
    checksum_option,
    evidence_options,
    outputs_option,
    scheduler_option,
    selection_options,
    state_options,
)

__all__ = ["command"]


@click.command("analyze", cls=Command)
@click.argument("paths", nargs=-1, metavar="PATH...")
@state_options
@selection_options
@outputs_option
@click.option("--only", type=click.Choice(("denied",)), help="Read only refused traffic, which is faster.")
@click.option(
    "--fail-on",
    default="never",
    metavar="LEVEL",
    help="Exit 1 if any problem reaches LEVEL: never, low, medium, high, new, new-high, or a code such as FD301. [never]",
)
@click.option("--strict", is_flag=True, help="Exit 3 if an input could not be read whole.")
@click.option("--redact", is_flag=True, help="Replace addresses, names and labels by stable tokens.")
@click.option(
    "--timezone", "display_zone", default="UTC", metavar="ZONE", help="Show times in this zone. [UTC]"
)
@click.option("--columns", metavar="A,B", help="Columns of tables (terminal, csv, parquet).")
@click.option("--all", "everything", is_flag=True, help="Also show what is folded away.")
@click.option("-v", "--verbose", is_flag=True, help="Also show pods, addresses, patches, notes and evidence.")
@click.option("--pager", is_flag=True, help="Show the terminal report in a pager.")
@evidence_options
@checksum_option
@scheduler_option
def command(paths: tuple[str, ...], **given: Any) -> int:
    """Read evidence and report who was refused, by what, and what would fix it.

    PATH is a file, a folder, an archive, s3://... (also gs:// and az://), or - for standard input: CNI logs, flow
    exports and the cluster's objects, in any layout.
    """
    from flowdiag.ingest.server import expect_workers

    # The server that workers fork from loads its modules while this process loads its own.
    program = ("flowdiag.cli.main",)
    expect_workers(paths, given["processes"], given["scheduler"], program)

    from flowdiag.analysis import analyze
    from flowdiag.cli.build import evidence_of, selection_of, state_of
    from flowdiag.cli.command_text import told_command
    from flowdiag.cli.fail_on import check_fail_on, fails
    from flowdiag.cli.messages import say, say_incomplete
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_outputs, display_options, formats, write_report
    from flowdiag.cli.progress import progress
    from flowdiag.ingest.heap import MERGING, return_freed_memory
    from flowdiag.model.errors import UsageError
    from flowdiag.tally.collecting import uncollected

    if not paths:
        live = "; flowdiag collect reads flows and logs from a cluster" if given["live"] else ""
        raise UsageError("no evidence named", hint=f"flowdiag analyze FOLDER, or - for standard input{live}")
    fail_on = check_fail_on(given["fail_on"])
    stdout, files = parse_outputs(given["outputs"], formats())
    display = display_options(
        zone=given["display_zone"],
        verbose=given["verbose"],
        everything=given["everything"],
        columns=tuple(filter(None, (given["columns"] or "").split(","))),
    )
    check_outputs(stdout, files, display, (*paths, *given["state"]))
    evidence, state, selection = evidence_of(given), state_of(given, paths), selection_of(given)
    return_freed_memory(MERGING)
    # Each search for cycles, between the stages and before writing, would go through all objects.
    with uncollected(), progress() as show:
        report = analyze(
            paths,
            evidence=evidence,
            state=state,
            selection=selection,
            progress=show,
            stage=show.stage,
            command=told_command(click.get_current_context()),
        )
        read = [one.path for one in report.inputs]
        if given["redact"]:
            from flowdiag.report.redact import redact

            show.stage("redacting")
            report = redact(report)
        write_report(report, stdout, files, display, pager=given["pager"], stage=show.stage, inputs=read)
    say_incomplete(report, stdout)
    if given["strict"] and not report.complete:
        say("input was not read whole, and --strict asks for all of it")
        return exit_codes.INPUT
    return exit_codes.FINDINGS if fails(report.problems, fail_on) else exit_codes.DONE
