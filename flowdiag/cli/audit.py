"""``flowdiag audit``: a run for a schedule, held against the runs before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowdiag.cli import exit_codes
from flowdiag.cli.collecting import bounds_options
from flowdiag.cli.command import Command
from flowdiag.cli.messages import say, say_incomplete
from flowdiag.cli.options import (
    checksum_option,
    evidence_options,
    outputs_option,
    parse_outputs,
    selection_options,
    state_options,
)

if TYPE_CHECKING:
    from flowdiag.history import Recorded
    from flowdiag.report import Options

__all__ = ["command"]

_LEVELS = ("high", "medium", "low", "info")


@click.command("audit", cls=Command)
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option(
    "--history", required=True, metavar="FILE", help="Database of earlier runs; created if it is missing."
)
@click.option(
    "--baseline",
    metavar="REPORT",
    help="Count the problems of this report (JSON, HTML or a history) as known.",
)
@click.option(
    "--config", metavar="FILE", help="File with accepted findings. [.flowdiag.toml, if there is one]"
)
@click.option(
    "--gone-after",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="RUNS",
    help="Call a problem gone after this many complete runs in a row without it. [1]",
)
@click.option(
    "--fail-on",
    default="new-high",
    metavar="LEVEL",
    help="Exit 1 if any problem reaches LEVEL: never, low, medium, high, new, new-high, or a code such as FD301. [new-high]",
)
@click.option(
    "--collect-since",
    default="24h",
    metavar="DURATION",
    help="With --live: how far back to collect logs and flows. [24h]",
)
@click.option(
    "--skip",
    type=click.Choice(("flows", "logs", "files")),
    multiple=True,
    help="With --live: do not ask for flows, the CNI's logs, or files on nodes. May be repeated.",
)
@bounds_options("With --live: ")
@click.option(
    "--unused-rules", is_flag=True, help="Also report allow rules that nothing observed used (FD903)."
)
@click.option("--strict", is_flag=True, help="Exit 3 if an input could not be read whole.")
@outputs_option
@click.option(
    "--reports",
    metavar="DIR|URL",
    help="Keep every run's reports here, named by time: a folder, s3://..., gs://...",
)
@click.option(
    "--report-format",
    "report_formats",
    multiple=True,
    metavar="FORMAT",
    help="Format of the reports to keep. May be repeated. [json, markdown, html]",
)
@click.option(
    "--keep", type=click.IntRange(1), metavar="RUNS", help="Keep only the reports of this many runs."
)
@click.option(
    "--keep-for",
    metavar="DURATION",
    help="Keep reports only this long, such as 90d. The last run's always stay.",
)
@click.option("--metrics", metavar="FILE", help="Write OpenMetrics for node-exporter's textfile collector.")
@click.option(
    "--pushgateway",
    metavar="URL",
    envvar="FLOWDIAG_PUSHGATEWAY",
    help="Push the metrics to this Pushgateway. Or set FLOWDIAG_PUSHGATEWAY.",
)
@click.option(
    "--notify",
    multiple=True,
    metavar="URL",
    envvar="FLOWDIAG_NOTIFY",
    help="Announce new problems to this apprise address. May be repeated. Or set FLOWDIAG_NOTIFY, separated by blanks.",
)
@click.option(
    "--notify-at",
    type=click.Choice(_LEVELS),
    default="high",
    show_default=True,
    help="Announce new problems of at least this severity.",
)
@click.option(
    "--timezone", "display_zone", default="UTC", metavar="ZONE", help="Show times in this zone. [UTC]"
)
@click.option("--all", "everything", is_flag=True, help="Also show what is folded away.")
@click.option("-v", "--verbose", is_flag=True, help="Also show pods, addresses, patches, notes and evidence.")
@click.option(
    "--redact",
    is_flag=True,
    help="Replace addresses, names and labels by stable tokens in everything that is shown, kept, pushed or sent.",
)
@state_options
@selection_options
@evidence_options
@checksum_option
def command(paths: tuple[str, ...], **given: Any) -> int:
    """Analyse on a schedule: what is new, known, gone or accepted since earlier runs.

    PATH is what analyze takes.  With --live, objects, CNI logs and flows are first collected from the cluster,
    as collect does.  The first run of a history calls every problem new; for a quiet start, use --baseline or
    --fail-on never.  Accepted findings are listed in .flowdiag.toml, each with a reason, an owner and a last day.
    """
    from flowdiag.analysis.audit import audit
    from flowdiag.analysis.results import Results
    from flowdiag.cli.build import evidence_of, selection_of, state_of
    from flowdiag.cli.build_audit import audit_options_of, targets_of
    from flowdiag.cli.command_text import told_command
    from flowdiag.cli.fail_on import check_fail_on, fails
    from flowdiag.cli.moments import parse_zone
    from flowdiag.cli.output import reporter, write_report
    from flowdiag.cli.progress import progress
    from flowdiag.history import OTHER_CLUSTER, History
    from flowdiag.ingest.heap import MERGING, return_freed_memory
    from flowdiag.model.errors import UsageError
    from flowdiag.report import Options

    fail_on = check_fail_on(given["fail_on"])
    stdout, files, display = _outputs(given, (*paths, *given["state"]))
    evidence, selection = evidence_of(given), selection_of(given)
    state = state_of(given, paths, [given["baseline"]])
    return_freed_memory(MERGING)
    if not paths and state.live is None:
        raise UsageError("no evidence named", hint="flowdiag audit FOLDER --history FILE, or --live")
    if given["skip"] and state.live is None:
        raise UsageError("--skip is about what is collected from a cluster", hint="add --live")
    options = audit_options_of(given)
    # Not this terminal's options: what is kept and sent is the same wherever the run was started.
    plain = Options(width=100, timezone=parse_zone(given["display_zone"]))
    results = Results(targets_of(given), lambda name, report: reporter(name).render(report, plain))
    missing = False
    with History(Path(given["history"])) as history:
        with progress() as show:
            recorded = audit(
                paths,
                history,
                evidence=evidence,
                state=state,
                selection=selection,
                options=options,
                progress=show,
                stage=show.stage,
                command=told_command(click.get_current_context()),
            )
        for text in history.warnings:
            say(text)
        say(_summary(recorded))
        for one in recorded.report.warnings:
            if one.code == OTHER_CLUSTER:
                say(one.message)
        read = [one.path for one in recorded.report.inputs]
        if given["redact"]:
            recorded = _redacted(recorded)
        for text, lacks in results.send(history, recorded, plain, read):
            say(text)
            missing = missing or lacks
    report = recorded.report
    write_report(report, stdout, files, display, inputs=read)
    say_incomplete(report, stdout)
    if given["strict"] and not report.complete:
        say("input was not read whole, and --strict asks for all of it")
        return exit_codes.INPUT
    if fails(report.problems, fail_on):
        return exit_codes.FINDINGS
    return exit_codes.USAGE if missing else exit_codes.DONE


def _outputs(given: dict[str, Any], inputs: tuple[str, ...]) -> tuple[str, dict[str, list[str]], Options]:
    """Where the report goes and how it is shown, once nothing that is written can replace an input."""
    from flowdiag.cli.output import check_files, check_outputs, display_options, formats

    stdout, files = parse_outputs(given["outputs"], formats())
    display = display_options(
        zone=given["display_zone"], verbose=given["verbose"], everything=given["everything"]
    )
    kept = (given["history"], *filter(None, (given["baseline"], given["config"])))
    check_outputs(stdout, files, display, (*inputs, *kept))
    if given["metrics"] is not None:
        check_files({"openmetrics": [given["metrics"]]}, (*inputs, *kept))
    _check_history(given["history"], inputs)
    return stdout, files, display


def _check_history(name: str, inputs: tuple[str, ...]) -> None:
    """Refuse a file that is no history and belongs to the inputs: it would be set aside under another name."""
    from flowdiag.cli.stored import is_history
    from flowdiag.deliver.files import check_no_input
    from flowdiag.model.errors import UsageError

    check_no_input(name, inputs)
    path = Path(name)
    if not path.is_file() or not path.stat().st_size or is_history(path):
        return
    for one in inputs:
        if Path(one).resolve() in path.resolve().parents:
            raise UsageError(
                f"--history {name}: this is no history, and lies in {one}, which is read",
                hint="name another file",
            )


def _summary(recorded: Recorded) -> str:
    """``run 61, compared with run 60 of 2026-11-27T02:00:04Z: 2 new, 5 known, 1 gone, 0 accepted``."""
    counts = ", ".join(f"{recorded.counts[status]} {status}" for status in recorded.counts)
    against = (
        "the first of its kind"
        if recorded.before is None
        else f"compared with run {recorded.before[0]} of {recorded.before[1][:19]}Z"
    )
    waiting = (
        f"; {recorded.waiting} not seen now, and not called gone"
        + (f" since {recorded.unproved}" if recorded.unproved is not None else "")
        if recorded.waiting
        else ""
    )
    return f"run {recorded.run}, {against}: {counts}{waiting}"


def _redacted(recorded: Recorded) -> Recorded:
    from msgspec.structs import replace

    from flowdiag.report.redact import redact

    return replace(recorded, report=redact(recorded.report))
