"""``flowdiag explain``: one connection."""

from __future__ import annotations

import re
from typing import Any

import click

from flowdiag.cli.messages import say
from flowdiag.cli.options import evidence_options, selection_options, state_options
from flowdiag.model.errors import UsageError

__all__ = ["command", "parse_port"]

_FORMATS = ("terminal", "json")

# "8080", "8080/TCP", "53/udp", "http", "http/TCP", "ICMP", "/SCTP"
_PORT = re.compile(
    r"(?P<port>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)?)(?:/(?P<protocol>[A-Za-z0-9]{1,10}))?"
)
_PROTOCOLS = {"tcp": "TCP", "udp": "UDP", "sctp": "SCTP", "icmp": "ICMP", "icmpv6": "ICMPv6"}


def parse_port(text: str | None) -> tuple[int | str | None, str | None]:
    """``PORT[/PROTO]`` as port (number, name or none) and protocol; TCP where a port is given without one.

    Raises:
        UsageError: it is neither.
    """
    if text is None or text == "any":
        return None, None
    match = _PORT.fullmatch(text)
    if match is None or not text:
        raise UsageError(f"{text!r} is not a port", hint="write 8080, 53/UDP, a port's name, or ICMP")
    port, protocol = match["port"], match["protocol"]
    if protocol is None and port.lower() in ("icmp", "icmpv6"):
        return None, _PROTOCOLS[port.lower()]
    if protocol is not None:
        if protocol.lower() not in _PROTOCOLS:
            raise UsageError(f"{protocol!r} is no protocol", hint="TCP, UDP, SCTP, ICMP or ICMPv6")
        protocol = _PROTOCOLS[protocol.lower()]
    if port in ("", "any"):
        return None, protocol
    if port.isdigit():
        if not 0 < int(port) < 65536:
            raise UsageError(f"port {port} is out of range", hint="ports are 1 to 65535")
        return int(port), protocol or "TCP"
    return port, protocol or "TCP"


@click.command("explain")
@click.argument("src")
@click.argument("dst")
@click.argument("port", required=False, metavar="[PORT[/PROTO]]")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@state_options
@selection_options
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help="terminal or json; FORMAT=FILE besides. May be repeated.",
)
@click.option(
    "--timezone", "display_zone", default="UTC", metavar="ZONE", help="Zone that times are shown in. [UTC]"
)
@evidence_options
def command(src: str, dst: str, port: str | None, paths: tuple[str, ...], **given: Any) -> int:
    """Say whether one connection would be allowed, decided by what, and which rule came nearest.

    SRC and DST are namespace/name of a pod, workload or Service, an address, a CIDR, node:NAME,
    svc:namespace/name or entity:world.  With evidence PATHs, also what was really seen between the two.
    """
    from flowdiag.analysis import explain
    from flowdiag.cli.build import evidence_of, selection_of, state_of
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_files, display_options, print_text, raise_failed, write_each
    from flowdiag.report.explain_view import render_explain
    from flowdiag.report.json_report import json_bytes

    number, protocol = parse_port(port)
    if not given["state"] and not given["live"] and not paths:
        raise UsageError(
            "no cluster objects named", hint="flowdiag explain SRC DST PORT --state FOLDER, or --live"
        )
    stdout, files = parse_outputs(given["outputs"], _FORMATS)
    check_files(files, (*paths, *given["state"]))
    said: list[str] = []
    result, walk, finding = explain(
        src,
        dst,
        number,
        protocol,
        paths=paths,
        state=state_of(given),
        evidence=evidence_of(given),
        selection=selection_of(given),
        problems=said,
    )
    for text in said:
        say(text)
    display = display_options(zone=given["display_zone"])

    def rendered(name: str) -> str | bytes:
        return json_bytes(result) if name == "json" else render_explain(result, walk, display, finding)

    failed = write_each(files, rendered)
    print_text(stdout, rendered(stdout))
    raise_failed(failed)
    return 0
