"""Options that several commands share, in kubectl's and hubble's words."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from flowdiag.model.errors import UsageError

__all__ = [
    "answer_option",
    "checksum_option",
    "cluster_options",
    "evidence_options",
    "output_option",
    "outputs_option",
    "parse_outputs",
    "policy_options",
    "scheduler_option",
    "selection_options",
    "state_options",
    "traffic_options",
]

_ENDINGS = {
    "md": "markdown",
    "htm": "html",
    "txt": "terminal",
    "text": "terminal",
    "ndjson": "jsonl",
    "prom": "openmetrics",
}
_VERDICTS_TYPED = {
    "dropped": "denied",
    "forwarded": "allowed",
    "audit": "audited",
    "drop": "denied",
    "deny": "denied",
    "reject": "denied",
    "allow": "allowed",
    "accept": "allowed",
}
"""The words of ``hubble observe --verdict``, and those of rules: Calico's and AWS's actions, iptables' targets."""


class _Port(click.IntRange):
    """A port's number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it; a name, or a protocol behind it, is answered with how to write it."""
        number, _, protocol = str(value).partition("/")
        if protocol and number.isdigit():
            self.fail(f"{value!r}: write --to-port {number} --protocol {protocol.upper()}", param, ctx)
        if not number.isdigit():
            self.fail(f"{value!r} is no number from 0 to 65535, and records have no other ports", param, ctx)
        return super().convert(value, param, ctx)


class _Verdict(click.Choice[str]):
    """A verdict in flowdiag's words or in those of ``hubble observe --verdict``, or a rule's."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a word of either."""
        return super().convert(_VERDICTS_TYPED.get(value.lower(), value), param, ctx)


F = TypeVar("F", bound=Callable[..., Any])


def _chain(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def wrap(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return wrap


def evidence_options(function: F) -> F:
    """How inputs are read."""
    return _chain(
        click.option("--format", "format_", metavar="PARSER", help="Read every input with this parser."),
        click.option(
            "--tz",
            metavar="ZONE",
            default="UTC",
            help="Zone of times that name none, in the evidence and in options. [UTC]",
        ),
        click.option(
            "--year", type=click.IntRange(1970, 9999), help="Year of the first time that names none."
        ),
        click.option(
            "--processes",
            type=click.IntRange(1, 1024),
            help="Worker processes. By default none, or one per core where that reads a large input faster.",
        ),
    )(function)


def checksum_option(function: F) -> F:
    """Where a report lists its inputs."""
    return click.option("--checksum", is_flag=True, help="Add the SHA-256 of every input to the report.")(
        function
    )


def cluster_options(function: F) -> F:
    """Which cluster, as whom, in kubectl's words."""
    return _chain(
        click.option("--context", metavar="NAME", help="Context of the kubeconfig. [its current one]"),
        click.option(
            "--kubeconfig", metavar="FILE", help="Kubeconfig file. [KUBECONFIG, ~/.kube/config, in-cluster]"
        ),
        click.option("--as", "as_user", metavar="USER", help="Impersonate this user."),
        click.option(
            "--as-group",
            "as_groups",
            multiple=True,
            metavar="GROUP",
            help="Impersonate this group. May be repeated.",
        ),
        click.option("--as-uid", metavar="UID", help="Impersonate this UID."),
        click.option(
            "--request-timeout",
            metavar="DURATION",
            default="30s",
            help="How long one request to the cluster may stay silent. [30s]",
        ),
    )(function)


def scheduler_option(function: F) -> F:
    """Who reads the evidence."""
    return click.option(
        "--scheduler",
        metavar="URL",
        help="Let the workers of a Dask scheduler (tcp://HOST:8786) read the evidence.",
    )(function)


def policy_options(function: F) -> F:
    """How policies are read."""
    return _chain(
        click.option(
            "--dialect",
            type=click.Choice(("auto", "kubernetes", "calico", "cilium", "aws", "ovn", "antrea", "gke")),
            default="auto",
            show_default=True,
            help="Who enforces the policies.",
        ),
        click.option(
            "--ip-block-pods",
            type=click.Choice(("auto", "match", "no-match")),
            default="auto",
            show_default=True,
            help="Whether ipBlock rules match pod addresses; auto follows the dialect.",
        ),
    )(function)


def state_options(function: F) -> F:
    """Cluster objects and how policies are read."""
    return _chain(
        click.option(
            "--state",
            "state",
            multiple=True,
            metavar="PATH",
            help="File, folder or archive with the cluster's objects. May be repeated.",
        ),
        click.option("--live", is_flag=True, help="Read the objects from the running cluster."),
        cluster_options,
        click.option("--state-time", metavar="TIME", help="When the cluster objects were taken."),
        policy_options,
    )(function)


def selection_options(function: F) -> F:
    """Which part of the evidence counts."""
    return _chain(
        click.option(
            "--since",
            metavar="TIME",
            help="Only from this time on: 30m, '2 hours ago', '2026-11-03 12:00', or 14:05, which means the last time that it was 14:05 (today or yesterday).",
        ),
        click.option("--until", metavar="TIME", help="Only up to this time."),
        click.option("--around", metavar="TIME", help="Only around this time; see --window."),
        click.option("--window", metavar="DURATION", help="How far --around reaches to either side. [5m]"),
        traffic_options,
    )(function)


def traffic_options(function: F) -> F:
    """Which traffic counts, at whatever time."""
    return _chain(
        click.option(
            "-n",
            "--namespace",
            multiple=True,
            help="Only traffic with an end in this namespace. May be repeated.",
        ),
        click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces (the default)."),
        click.option("--from-pod", metavar="[NS/]POD", help="Only from this pod or workload."),
        click.option("--to-pod", metavar="[NS/]POD", help="Only to this pod or workload."),
        click.option("--to-port", type=_Port(0, 65535), metavar="PORT", help="Only to this port number."),
        click.option(
            "--protocol",
            metavar="PROTO",
            help="Only this protocol: TCP, UDP, SCTP, ICMP, ICMPv6, or a number.",
        ),
        click.option(
            "--verdict",
            type=_Verdict(
                ("denied", "allowed", "audited", "redirected", "error", "logged", "unknown"),
                case_sensitive=False,
            ),
            multiple=True,
            help="Only this verdict. hubble's words (DROPPED, FORWARDED, AUDIT) and DROP, DENY, ALLOW work too. May be repeated.",
        ),
    )(function)


def output_option(help: str) -> Callable[[F], F]:  # noqa: A002 - click's word
    """Formats and files, read by `parse_outputs`."""
    return click.option("-o", "--output", "outputs", multiple=True, metavar="FORMAT[=FILE]", help=help)


def outputs_option(function: F) -> F:
    """Report formats and files."""
    return output_option(
        "Print FORMAT (terminal, markdown, html, json, jsonl, csv, parquet, svg, png, junit, sarif, openmetrics), "
        "or also write it to a file: FORMAT=FILE. May be repeated."
    )(function)


def answer_option(*formats: str) -> Callable[[F], F]:
    """Formats and files of an answer, which is no report."""
    return output_option(
        f"Print {', '.join(formats[:-1])} or {formats[-1]}, or also write it: FORMAT=FILE. May be repeated."
    )


def parse_outputs(outputs: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, dict[str, list[str]]]:
    """Split ``-o`` values into the format for standard output and files by format.

    Raises:
        UsageError: a format that does not exist, two for standard output, or one file named twice.
    """
    stdout: list[str] = []
    files: dict[str, list[str]] = {}
    taken: set[str] = set()
    for value in outputs:
        name, separator, path = value.partition("=")
        if name not in known:
            raise UsageError(f"-o {name}: no such format", hint=_format_meant(name, path, known))
        if not separator:
            stdout.append(name)
        elif not path:
            raise UsageError(f"-o {value}: the file's name is missing")
        elif path == "-":
            raise UsageError(f"-o {value}: this is a file's place", hint=f"for standard output: -o {name}")
        elif not path.startswith("/dev/") and os.path.realpath(path) in taken:
            raise UsageError(
                f"-o {value}: {path} is named twice", hint="name a file of its own for each format"
            )
        else:
            files.setdefault(name, []).append(path)
            taken.add(os.path.realpath(path))
    if len(stdout) > 1:
        raise UsageError(
            f"-o {' and -o '.join(stdout)}: only one format fits on standard output",
            hint="write the others to files: -o FORMAT=FILE",
        )
    return (stdout[0] if stdout else "terminal"), files


def _format_meant(name: str, path: str, known: tuple[str, ...]) -> str:
    """What a format that does not exist was meant for: ``report.html`` is a file, ``md`` an ending, ``jsn`` a slip."""
    from difflib import get_close_matches

    ending = name.lower().rpartition(".")[2]
    meant = _ENDINGS.get(ending, ending)
    if meant in known:
        file = path or (name if "." in name else "")
        return f"write -o {meant}{'=' if file else ''}{file}"
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
