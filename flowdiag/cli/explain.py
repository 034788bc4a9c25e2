"""``flowdiag explain``: one connection."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from flowdiag.cli.command import Command
from flowdiag.cli.messages import say
from flowdiag.cli.options import answer_option, evidence_options, selection_options, state_options
from flowdiag.model.errors import UnresolvedEndError, UsageError

__all__ = ["as_meant", "command", "parse_port"]

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
    if not _is_name(port):
        # as in: 8080-8090
        raise UsageError(
            f"{port!r} is not one port", hint="ask for one of them, or leave the port out for all"
        )
    return port, protocol or "TCP"


# user-api.backend:8080, backend/user-api[Service]:53/UDP, 192.0.2.5:443, [2001:db8::5]:443: as logs and applications have it
_WITH_PORT = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<end>(?:svc:)?[^:\[\]]{1,400}(?:\[[A-Za-z]{1,40}\])?)):"
    r"(?P<port>\d{1,5}(?:/[A-Za-z]{3,6})?)"
)


def as_meant(dst: str, port: str | None, paths: tuple[str, ...]) -> tuple[str, str | None, tuple[str, ...]]:
    """The words with the port taken off the destination, and off what stands in a port's place if that is a path.

    Raises:
        UsageError: the destination says a port, and behind it stands another, or a path that is not there; or behind a
            port stands a protocol.
    """
    match = _WITH_PORT.fullmatch(dst)
    number, behind = (port, paths[:1]) if match is None else (match["port"], (port,))
    for word in behind:
        _refuse_lone_protocol(word, number)
    if port is not None and (match is not None or not _looks_like_a_port(port)):
        # Evidence stands there, for there is a port already, or it is no port.
        if os.path.exists(port):  # noqa: PTH110 - pathlib costs start-up
            paths, port = (port, *paths), None
        elif match is not None and port != match["port"]:
            raise UsageError(
                f"{port!r} is neither the port of {dst} nor a path",
                hint="name the port once, then the evidence",
            )
    if match is None:
        return dst, port, paths
    return match["v6"] or match["end"], match["port"], paths


def _refuse_lone_protocol(word: str | None, number: str | None) -> None:
    """``5432 tcp``, as other tools take it, where the word behind the port is no folder of that name."""
    if word is None or number is None or word.lower() not in _PROTOCOLS or not number.isdigit():
        return
    if not os.path.exists(word):  # noqa: PTH110 - pathlib costs start-up
        raise UsageError(
            f"{word!r} is a protocol, and stands apart from its port", hint=f"write {number}/{word}"
        )


def _looks_like_a_port(text: str) -> bool:
    """Whether it has the form of one; ``logs/today`` has not, whose second word is no protocol."""
    match = _PORT.fullmatch(text)
    if match is None or not (match["protocol"] is None or match["protocol"].lower() in _PROTOCOLS):
        return False
    return match["port"] == "" or match["port"].isdigit() or _is_name(match["port"])


def _is_name(port: str) -> bool:
    """Whether it may be a port's name, which holds a letter (Kubernetes' IsValidPortName); ``2026-06-10`` does not."""
    return any(letter.isalpha() for letter in port)


@click.command("explain", cls=Command)
@click.argument("src")
@click.argument("dst")
@click.argument("port", required=False, metavar="[PORT[/PROTO]]")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@state_options
@selection_options
@answer_option(*_FORMATS)
@click.option(
    "--timezone", "display_zone", default="UTC", metavar="ZONE", help="Show times in this zone. [UTC]"
)
@evidence_options
def command(src: str, dst: str, port: str | None, paths: tuple[str, ...], **given: Any) -> int:
    """Say whether one connection would be allowed, what decides it, and which rule came nearest.

    SRC and DST are namespace/name of a pod, workload or Service, an address, a CIDR, node:NAME,
    svc:namespace/name or entity:world; DST may also be user-api.backend:8080.  Given evidence as PATHs, it also
    says what was really seen between the two.
    """
    from flowdiag.analysis import explain
    from flowdiag.cli.build import evidence_of, selection_of, state_of
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_files, display_options, print_text, raise_failed, write_each
    from flowdiag.model.policy import ConnectionDecision
    from flowdiag.report.explain_view import render_explain
    from flowdiag.report.json_report import json_bytes
    from flowdiag.report.query_types import explain_result

    dst, port, paths = as_meant(dst, port, paths)
    number, protocol = parse_port(port)
    if not given["state"] and not given["live"] and not paths:
        raise UsageError(
            "no cluster objects named", hint="flowdiag explain SRC DST PORT --state FOLDER, or --live"
        )
    stdout, files = parse_outputs(given["outputs"], _FORMATS)
    check_files(files, (*paths, *given["state"]))
    said: list[str] = []
    try:
        result, walk, finding = explain(
            src,
            dst,
            number,
            protocol,
            paths=paths,
            state=state_of(given, paths),
            evidence=evidence_of(given),
            selection=selection_of(given),
            problems=said,
        )
    except UnresolvedEndError as error:
        # A program that asked for JSON gets it, with the error that verify has for such a query.
        unknown = ConnectionDecision(allowed=None, egress=None, ingress=None)
        text = f"{error}; {error.hint}" if error.hint else str(error)
        told = json_bytes(explain_result(src, dst, protocol, number, unknown, error=text))
        raise_failed(write_each({name: files[name] for name in files if name == "json"}, lambda _: told))
        if stdout == "json":
            print_text(stdout, told)
        for one in said:
            say(one)
        raise
    if isinstance(number, str) and os.path.exists(number):  # noqa: PTH110
        said.append(f"{number} is taken for a port's name; for what lies here write ./{number}")
    for text in said:
        say(text)
    display = display_options(zone=given["display_zone"])

    def rendered(name: str) -> str | bytes:
        if name == "json":
            return json_bytes(result)
        return render_explain(result, walk, display, finding, walk.shown)

    failed = write_each(files, rendered)
    print_text(stdout, rendered(stdout))
    raise_failed(failed)
    return 0
