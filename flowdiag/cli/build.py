"""From option values to what `flowdiag.analysis` takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.cli.messages import say
from flowdiag.cli.moments import parse_duration, parse_time, parse_zone
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.model.errors import UsageError
from flowdiag.model.policy import IpBlockPods
from flowdiag.model.time import NS
from flowdiag.parserkit.packets import protocol_name

__all__ = ["cluster_of", "evidence_of", "selection_of", "state_of"]

_WINDOW = "5m"
_MOMENTS = ("since", "until", "around")
_APART = 60 * NS
"""If reading a text twice gives times no further apart than this, it is relative to now: ``2 hours ago``."""
_PASSED = ("allowed", "redirected")
_CLUSTER = ("context", "kubeconfig", "as_user", "as_groups", "as_uid")


def cluster_of(given: dict[str, Any]) -> ClusterOptions:
    """Which cluster, as whom."""
    return ClusterOptions(
        kubeconfig=given["kubeconfig"],
        context=given["context"],
        as_user=given["as_user"],
        as_groups=tuple(given["as_groups"]),
        as_uid=given["as_uid"],
        namespaces=() if given.get("all_namespaces") else tuple(given.get("namespace") or ()),
        request_timeout_s=parse_duration(given["request_timeout"]) / NS,
    )


def evidence_of(given: dict[str, Any]) -> EvidenceOptions:
    """How inputs are read.

    Raises:
        UsageError: the scheduler's address is none.
    """
    scheduler = given.get("scheduler")
    if scheduler is not None and not scheduler.startswith(("tcp://", "tls://", "ws://", "wss://")):
        raise UsageError(
            f"--scheduler {scheduler}: not a Dask scheduler's address",
            hint="write tcp://HOST:8786, or tls://HOST:8786",
        )
    return EvidenceOptions(
        format=given.get("format_"),
        zone=parse_zone(given["tz"]),
        year=given["year"],
        only_denied=given.get("only") == "denied",
        processes=given.get("processes"),
        scheduler=scheduler,
        checksum=given.get("checksum", False),
    )


def state_of(given: dict[str, Any], *beside: Iterable[str | None]) -> StateOptions:
    """Cluster objects and how policies are read.

    Args:
        given: the options.
        beside: what else is read, each time that it is.

    Raises:
        UsageError: a cluster is named and nothing is to be read from it, or standard input is to give two things.
    """
    if sum("-" in names for names in (given["state"], *beside)) > 1:
        raise UsageError(
            "standard input is named twice, and can be read once",
            hint="put one of them into a file",
        )
    named = [name for name in _CLUSTER if given.get(name)]
    if named and not given["live"]:
        word = named[0].replace("_user", "").replace("groups", "group").replace("_", "-")
        raise UsageError(f"--{word} says which cluster, but nothing is read from one", hint="add --live")
    taken = given.get("state_time")
    zone = parse_zone(given["tz"]) if "tz" in given else parse_zone("UTC")
    return StateOptions(
        paths=tuple(given["state"]),
        live=cluster_of(given) if given["live"] else None,
        taken=None if taken is None else parse_time(taken, zone),
        dialect=given["dialect"],
        ip_block_pods=IpBlockPods(given["ip_block_pods"]),
    )


def selection_of(given: dict[str, Any]) -> Selection:
    """Which part of the evidence counts.

    Raises:
        UsageError: options that contradict each other.
    """
    zone = parse_zone(given["tz"])
    _say_zone(given)
    since = None if given.get("since") is None else parse_time(given["since"], zone, past=True)
    until = None if given.get("until") is None else parse_time(given["until"], zone)
    if given.get("around") is not None:
        if since is not None or until is not None:
            raise UsageError("--around goes without --since and --until")
        middle, half = (
            parse_time(given["around"], zone, past=True),
            parse_duration(given["window"] or _WINDOW),
        )
        since, until = middle - half, middle + half
    elif "around" in given and given["window"] is not None:
        raise UsageError(
            "--window is half the span of --around, which is not given", hint="add --around TIME"
        )
    if since is not None and until is not None and since > until:
        raise UsageError("--since is after --until")
    verdicts = tuple(verdict.lower() for verdict in given["verdict"])
    if given.get("only") == "denied" and verdicts and not set(verdicts) - set(_PASSED):
        raise UsageError(
            f"--verdict {verdicts[0]}: --only denied reads no allowed traffic", hint="leave one out"
        )
    return Selection(
        since=since,
        until=until,
        namespaces=() if given["all_namespaces"] else tuple(given["namespace"]),
        from_pod=given["from_pod"],
        to_pod=given["to_pod"],
        to_port=given["to_port"],
        # Packet logs have numbers, and so do people.
        protocol=None if given["protocol"] is None else protocol_name(given["protocol"]) or given["protocol"],
        verdicts=verdicts,
    )


def _say_zone(given: dict[str, Any]) -> None:
    """Say of a moment without a zone which it is taken in, where times are shown in another.

    Who reads 13:05 in a report types 13:05; it is not taken so, since `--tz` is of what carries no zone.
    """
    shown = given.get("display_zone", "UTC")
    if given["tz"] != "UTC" or shown == "UTC":
        return
    zone, other = parse_zone(given["tz"]), parse_zone(shown)
    for name in _MOMENTS:
        text = given.get(name)
        if text is not None and abs(parse_time(text, zone) - parse_time(text, other)) >= _APART:
            say(
                f"--{name} {text} is taken in UTC, and times are shown in {shown}: "
                f"write its zone behind it, or --tz {shown}"
            )
