"""``flowdiag probe``: a connection tried from inside the pod."""

from __future__ import annotations

from typing import Any

import click

from flowdiag.cli import exit_codes
from flowdiag.cli.command import Command
from flowdiag.cli.messages import say
from flowdiag.cli.options import answer_option, cluster_options, policy_options
from flowdiag.model.errors import UsageError

__all__ = ["command"]

_FORMATS = ("terminal", "json")


@click.command("probe", cls=Command)
@click.argument("src")
@click.argument("dst")
@click.argument("port", metavar="PORT")
@click.option("--yes", is_flag=True, help="Really run a command on the cluster.")
@click.option("-c", "--container", metavar="NAME", help="The container to run in. [the pod's default one]")
@click.option("--image", metavar="IMAGE", help="Add a debug container with this image, and run in that.")
@click.option("--timeout", metavar="DURATION", default="5s", help="How long to wait for an answer. [5s]")
@click.option(
    "-n", "--namespace", multiple=True, help="Read only this namespace if the whole cluster is forbidden."
)
@policy_options
@answer_option(*_FORMATS)
@cluster_options
def command(src: str, dst: str, port: str, **given: Any) -> int:
    """Try a connection from inside a pod of a running cluster, and compare the result with the policies.

    SRC is namespace/name of a pod or workload, DST a pod, workload, Service, node or address, PORT a TCP port.
    This is the only command that changes anything on a cluster: with --yes it runs nc, curl, bash, python3 or
    wget in the pod, or in a debug container that it adds.  Without --yes it says what it would do, and exits with
    2.  It exits with 1 if what happened is not what the policies say.
    """
    from flowdiag.analysis.probe import Probe, probe
    from flowdiag.cli.build import state_of
    from flowdiag.cli.explain import parse_port
    from flowdiag.cli.moments import parse_duration
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_files, display_options, print_text, raise_failed, write_each
    from flowdiag.model.time import NS
    from flowdiag.report.json_report import json_bytes
    from flowdiag.report.probe_view import render_probe

    number, protocol = parse_port(port)
    if number is None or protocol != "TCP":
        raise UsageError(
            f"{port!r} cannot be tried: only TCP answers",
            hint="silence over UDP says nothing; flowdiag explain does",
        )
    if given["container"] and given["image"]:
        raise UsageError("--container and --image exclude each other")
    stdout, files = parse_outputs(given["outputs"], _FORMATS)
    check_files(files)
    asked = Probe(
        src=src,
        dst=dst,
        port=number,
        container=given["container"],
        image=given["image"],
        seconds=max(1, parse_duration(given["timeout"]) // NS),
        yes=given["yes"],
    )
    said: list[str] = []
    try:
        result = probe(asked, state_of({**given, "state": (), "live": True}), said)
    finally:
        for text in said:
            say(text)
    display = display_options()

    def rendered(name: str) -> str | bytes:
        return json_bytes(result) if name == "json" else render_probe(result, display)

    failed = write_each(files, rendered)
    print_text(stdout, rendered(stdout))
    raise_failed(failed)
    if result.observed is None:
        click.echo("flowdiag: nothing was done; add --yes to do it", err=True)
        return exit_codes.USAGE
    return exit_codes.FINDINGS if result.agrees is False else exit_codes.DONE
