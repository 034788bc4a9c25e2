"""The command line as a report tells it: what its contents follow from, however it was run and shown.

The same input gives the same report byte for byte, so nothing of processes, outputs, colours or zones stands
in it, and the order in which somebody typed things does not show either.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import click

from flowdiag.model.urls import shown

__all__ = ["TOLD", "told_command"]

TOLD = frozenset(
    [
        # which evidence, and how it is read
        "format_",
        "tz",
        "year",
        "checksum",
        "only",
        "collect_since",
        "skip",
        "max_size",
        "max_file",
        "within",
        # the cluster's objects, and how policies are read
        "state",
        "live",
        "context",
        "kubeconfig",
        "as_user",
        "as_groups",
        "as_uid",
        "state_time",
        "dialect",
        "ip_block_pods",
        # which part of it counts
        "since",
        "until",
        "around",
        "window",
        "namespace",
        "from_pod",
        "to_pod",
        "to_port",
        "protocol",
        "verdict",
        # what an audit holds it against
        "history",
        "baseline",
        "config",
        "gone_after",
        "unused_rules",
    ]
)
"""Parameters of commands, by click's names, that change what a report holds."""


def told_command(context: click.Context) -> str:
    """``flowdiag analyze --only=denied --namespace=shop logs/``: words quoted for a shell, addresses without secrets.

    Options stand in the order of ``--help``, as one word each with their value, and paths at the end, sorted.

    Args:
        context: click's, of the command that runs.
    """
    given = context.params
    words = ["flowdiag", context.info_name or ""]
    paths: list[str] = []
    for param in context.command.params:
        value = given.get(param.name or "")
        if isinstance(param, click.Argument):
            paths.extend(sorted(map(shown, _several(value))))
        elif param.name in TOLD and not (param.name == "namespace" and given.get("all_namespaces")):
            words.extend(_spelled(param, value, context))
    if any(path.startswith("-") and path != "-" for path in paths):
        words.append("--")
    return shlex.join([*words, *paths])


def _several(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


def _spelled(param: click.Parameter, value: Any, context: click.Context) -> Iterator[str]:
    """Spell an option; nothing, if it has the value that it has by default."""
    if value is None or value == param.get_default(context):
        return
    name = max(param.opts, key=len)
    if isinstance(value, bool):
        if value:
            yield name
        return
    yield from (f"{name}={shown(one)}" for one in sorted(set(_several(value))))
