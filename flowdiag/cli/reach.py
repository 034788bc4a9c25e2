"""``flowdiag reach``: everything around one workload."""

from __future__ import annotations

from typing import Any

import click

from flowdiag.cli.messages import say
from flowdiag.cli.options import state_options
from flowdiag.model.errors import UsageError

__all__ = ["command"]


@click.command("reach")
@click.argument("workload")
@state_options
@click.option(
    "-o", "--output", type=click.Choice(("terminal", "json")), default="terminal", show_default=True
)
def command(workload: str, **given: Any) -> int:
    """Say who can reach a workload and what it can reach, by port.

    WORKLOAD is namespace/name of a Deployment, another owner of pods, or a pod.
    """
    from flowdiag.analysis import load_asker
    from flowdiag.analysis.reach import reach
    from flowdiag.cli.build import state_of
    from flowdiag.report.json_report import json_bytes
    from flowdiag.report.reach_view import render_reach

    if not given["state"] and not given["live"]:
        raise UsageError("no cluster objects named", hint="flowdiag reach WORKLOAD --state FOLDER, or --live")
    asker, problems = load_asker(state_of(given))
    result = reach(asker, workload)
    click.echo(json_bytes(result) if given["output"] == "json" else render_reach(result), nl=False)
    for text in problems:
        say(text)
    return 0
