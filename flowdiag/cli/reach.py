"""``flowdiag reach``: everything around one workload."""

from __future__ import annotations

from typing import Any

import click

from flowdiag.cli.command import Command
from flowdiag.cli.messages import say
from flowdiag.cli.options import answer_option, state_options
from flowdiag.model.errors import InputError, UsageError

__all__ = ["command"]

_FORMATS = ("terminal", "json")


@click.command("reach", cls=Command)
@click.argument("workload")
@state_options
@answer_option(*_FORMATS)
def command(workload: str, **given: Any) -> int:
    """Say who can reach a workload and what it can reach, by port.

    WORKLOAD is namespace/name of a Deployment, another owner of pods, or a pod.
    """
    from flowdiag.analysis import load_asker
    from flowdiag.analysis.reach import reach
    from flowdiag.cli.build import state_of
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_files, print_text, raise_failed, write_each
    from flowdiag.report.json_report import json_bytes
    from flowdiag.report.reach_view import render_reach

    if not given["state"] and not given["live"]:
        raise UsageError("no cluster objects named", hint="flowdiag reach WORKLOAD --state FOLDER, or --live")
    stdout, files = parse_outputs(given["outputs"], _FORMATS)
    check_files(files, given["state"])
    asker, problems = load_asker(state_of(given))
    try:
        result = reach(asker, workload)
    except InputError:
        # It may be in what could not be read.
        for text in problems:
            say(text)
        raise

    def rendered(name: str) -> str | bytes:
        return json_bytes(result) if name == "json" else render_reach(result)

    failed = write_each(files, rendered)
    print_text(stdout, rendered(stdout))
    for text in problems:
        say(text)
    raise_failed(failed)
    return 0
