"""``flowdiag parsers``: the plugins, and which one would read what."""

from __future__ import annotations

from typing import Any

import click

from flowdiag.cli.command import Command
from flowdiag.cli.exit_codes import DONE, INPUT
from flowdiag.model.errors import UsageError

__all__ = ["command"]


_OWN = """\
A format that is not here: write a class with sniff(head) and parse(block, context) (flowdiag.parserkit.Parser), and
register it under [project.entry-points."flowdiag.parsers"] of your distribution; examples/flowdiag-parser-example
in the sources goes there step by step, and flowdiag.parserkit.testing.assert_parser_contract tests it."""


@click.command("parsers", cls=Command)
@click.argument("words", nargs=-1, metavar="[detect PATH...]")
@click.option(
    "-o",
    "--output",
    type=click.Choice(("terminal", "json")),
    default="terminal",
    show_default=True,
    help="How to print it.",
)
def command(words: tuple[str, ...], output: str) -> int:
    """List the parsers, or with "detect PATH" say which one would read each file, and how sure it is."""
    if not words:
        return _listed(output)
    if words[0] != "detect":
        raise UsageError(f"flowdiag parsers {words[0]}: unknown", hint="flowdiag parsers detect PATH")
    if len(words) < 2:
        raise UsageError("no file named", hint="flowdiag parsers detect PATH")
    return _detected(words[1:], output)


def _listed(output: str) -> int:
    from flowdiag.cli.columns import paragraphs, row
    from flowdiag.ingest.plugins import loaded
    from flowdiag.report.escape import visible
    from flowdiag.report.json_report import json_bytes

    registered, broken = loaded()
    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "summary": one.plugin.summary,
            "cni": one.plugin.cni,
            "distribution": one.distribution,
            "version": one.version,
            "error": None,
        }
        for one in registered
    ]
    rows.extend(
        {
            "name": one.name,
            "summary": None,
            "cni": None,
            "distribution": one.distribution,
            "version": one.version,
            "error": one.error,
        }
        for one in broken
    )
    if output == "json":
        click.echo(json_bytes(rows), nl=False)
        return 0
    width = max((len(one["name"]) for one in rows), default=0)
    for one in rows:
        lead = visible(f"{one['name']:<{width}}  ")
        version = f"{one['distribution']} {one['version']}"
        if one["error"] is None:
            origin = "" if one["distribution"] == "flowdiag" else f"  [{version}]"
            row(lead, visible(f"{one['summary']}{origin}"))
        else:
            row(lead, visible(f"BROKEN ({version}): {one['error']}"))
    click.echo("\n" + "\n".join(paragraphs(_OWN)))
    return 0


def _detected(paths: tuple[str, ...], output: str) -> int:
    from flowdiag.analysis import detect_inputs
    from flowdiag.report.escape import visible
    from flowdiag.report.json_report import json_bytes

    rows = detect_inputs(paths)
    code = DONE if any(row["kind"] not in ("plugin", "unreadable") for row in rows) else INPUT
    if output == "json":
        click.echo(json_bytes(rows), nl=False)
        return code
    for row in rows:
        if row["kind"] == "plugin":
            for problem in row["problems"]:
                click.echo(visible(f"{row['path']}: {problem}"), err=True)
            continue
        click.echo(visible(row["path"]))
        read_as = row["parser"] or row["kind"]
        behind = f" behind {' + '.join(row['envelopes'])}" if row["envelopes"] else ""
        click.echo(f"  read as  {read_as}{behind}")
        for score in row["scores"]:
            wrapped = f"  behind {' + '.join(score['envelopes'])}" if score["envelopes"] else ""
            click.echo(f"  {score['score']:.2f}  {score['parser']}{wrapped}")
        if row["state_score"]:
            click.echo(f"  {row['state_score']:.2f}  cluster objects")
        for problem in row["problems"]:
            click.echo(f"  {visible(problem)}")
    return code
