"""``flowdiag schema``: JSON Schemas, generated from the types."""

from __future__ import annotations

import click

from flowdiag.cli.command import Command

__all__ = ["command"]


@click.command("schema", cls=Command)
@click.argument(
    "what", type=click.Choice(("report", "event", "explain", "verify", "reach", "whatif")), default="report"
)
def command(what: str) -> int:
    """Print a JSON Schema of what flowdiag writes: a report, an event, or an answer of another command."""
    from flowdiag.report.json_report import json_bytes
    from flowdiag.report.schema import SCHEMAS

    click.echo(json_bytes(SCHEMAS[what]()), nl=False)
    return 0
