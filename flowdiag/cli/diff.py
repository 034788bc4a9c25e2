"""``flowdiag diff``: two reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flowdiag.cli import exit_codes
from flowdiag.cli.command import Command
from flowdiag.cli.options import answer_option
from flowdiag.model.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowdiag.history import DiffEntry, ReportDiff
    from flowdiag.model.report import Report
    from flowdiag.report import Options

__all__ = ["command"]

_FORMATS = ("terminal", "json", "markdown")
_ROWS = 20


@click.command("diff", cls=Command)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@answer_option(*_FORMATS)
@click.option(
    "--fail-on",
    default="never",
    metavar="LEVEL",
    help="Exit 1 if any problem of NEW reaches LEVEL: never, low, medium, high, new, new-high, or a code such as FD301. [never]",
)
@click.option("--all", "everything", is_flag=True, help="Show whole lists.")
def command(old: str, new: str, **given: Any) -> int:
    """Compare two reports: which problems are new, known and gone.

    OLD and NEW are reports as JSON or HTML, or runs of an audit's history (FILE, FILE@12, FILE@-2); one of
    them may be - for standard input.
    """
    from flowdiag.cli.fail_on import check_fail_on, fails
    from flowdiag.cli.messages import say
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_files, display_options, print_text, raise_failed, write_each
    from flowdiag.cli.stored import stored_file, stored_scope, whole_report
    from flowdiag.history import diff_reports
    from flowdiag.model.errors import UsageError
    from flowdiag.report.json_report import json_bytes

    fail_on = check_fail_on(given["fail_on"])
    stdout, files = parse_outputs(given["outputs"], _FORMATS)
    if old == new == "-":
        raise UsageError("only one of the reports can come from standard input")
    check_files(files, map(stored_file, (old, new)))
    before, after = whole_report(old), whole_report(new)
    found = diff_reports(before, after)
    options = display_options(everything=given["everything"])

    def rendered(name: str) -> str | bytes:
        if name == "json":
            return json_bytes(found)
        return _markdown(found, options) if name == "markdown" else _terminal(found, options)

    failed = write_each(files, rendered)
    print_text(stdout, rendered(stdout))
    for name, report in ((old, before), (new, after)):
        if not report.complete:
            click.echo(f"flowdiag: {name}: made from incomplete input: a problem may be missing", err=True)
    for text in _not_alike((old, before), (new, after)):
        say(text)
    scopes = stored_scope(old), stored_scope(new)
    if None not in scopes and scopes[0] != scopes[1]:
        looked = ", ".join(
            f"{name} at {scope or 'everything'}" for name, scope in zip((old, new), scopes, strict=True)
        )
        say(
            f"these runs did not look at the same: {looked}; what one of them alone looked at is neither new nor gone"
        )
    raise_failed(failed)
    return exit_codes.FINDINGS if fails(_dated(after, found), fail_on) else exit_codes.DONE


def _not_alike(old: tuple[str, Report], new: tuple[str, Report]) -> Iterator[str]:
    """Yield why what is new and gone may be nothing of the sort: two clusters, or the later report first."""
    from flowdiag.report.redact import is_redacted

    (before, first), (after, second) = old, new
    clusters = first.cluster.name, second.cluster.name
    named = None not in clusters and not is_redacted(first) and not is_redacted(second)
    if named and clusters[0] != clusters[1]:
        yield (
            f"these reports are of two clusters: {before} of {clusters[0]}, {after} of {clusters[1]}; what only one of them "
            "has is neither new nor gone"
        )
    begin, end = first.window.since, second.window.until
    if begin is not None and end is not None and end < begin:
        yield f"{after} ends before {before} begins: the older report comes first"


def _dated(report: Report, found: ReportDiff) -> list[Any]:
    """The newer report's problems with the status that the older one gives them; accepted and gone ones stay so."""
    from msgspec.structs import replace

    from flowdiag.model.report import Status

    fresh = {entry.id_new for entry in found.new}
    return [
        problem
        if problem.status in (Status.ACCEPTED, Status.GONE)
        else replace(problem, status=Status.NEW if problem.id in fresh else Status.KNOWN)
        for problem in report.problems
    ]


def _headline(found: ReportDiff) -> str:

    return (
        f"{plural(len(found.new), 'new problem')}, {len(found.known)} known, {len(found.gone)} gone"
        if found.new or found.known or found.gone
        else "no problem in either report"
    )


def _counts(entry: DiffEntry) -> str:
    from flowdiag.report.phrases import count

    if entry.id_old is None:
        return plural(entry.count_new, "record")
    if entry.id_new is None:
        return f"{plural(entry.count_old, 'record')} before"
    if entry.count_old == entry.count_new:
        return f"{plural(entry.count_new, 'record')} as before"
    return f"{count(entry.count_old)} to {plural(entry.count_new, 'record')}"


def _parts(found: ReportDiff) -> tuple[tuple[str, Sequence[DiffEntry]], ...]:
    return (("New", found.new), ("Known", found.known), ("Gone", found.gone))


def _terminal(found: ReportDiff, options: Options) -> str:
    from flowdiag.report.phrases import SEVERITY_WORD
    from flowdiag.report.screen import Screen

    screen = Screen(options)
    screen.put((_headline(found), "bold"))
    for title, entries in _parts(found):
        if not entries:
            continue
        screen.blank()
        screen.put((title, "bold"))
        shown = entries if options.all else entries[:_ROWS]
        for entry in shown:
            screen.split(
                [
                    (f"{SEVERITY_WORD[entry.severity]:<6}  ", "bold"),
                    (f"{entry.code}  {screen.name(entry.title, 160)}", ""),
                ],
                (_counts(entry), ""),
                indent=2,
                hang=15,
            )
        if len(shown) < len(entries):
            screen.put(f"and {plural(len(entries) - len(shown), 'more problem')}: --all", indent=2)
    return screen.text()


def _markdown(found: ReportDiff, options: Options) -> str:
    from flowdiag.report.escape import markdown_code, markdown_phrase

    lines = ["### Problems between two reports", "", f"{_headline(found)}.", ""]
    for title, entries in _parts(found):
        if not entries:
            continue
        lines += [f"**{title}**", "", "| severity | code | problem | records |", "| --- | --- | --- | --- |"]
        shown = entries if options.all else entries[:_ROWS]
        lines += [
            f"| {entry.severity} | {markdown_code(entry.code, 20)} | {markdown_phrase(entry.title, 300)} "
            f"| {_counts(entry)} |"
            for entry in shown
        ]
        if len(shown) < len(entries):
            lines += [
                "",
                f"and {plural(len(entries) - len(shown), 'more problem')}: `--all`",
            ]
        lines.append("")
    return "\n".join(lines)
