"""From option values to what `flowdiag.analysis` takes."""

from __future__ import annotations

from typing import Any

from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.cli.options import parse_duration, parse_time, parse_zone
from flowdiag.model.errors import UsageError
from flowdiag.model.policy import IpBlockPods

__all__ = ["evidence_of", "selection_of", "state_of"]


def evidence_of(given: dict[str, Any]) -> EvidenceOptions:
    """How inputs are read."""
    return EvidenceOptions(
        format=given.get("format_"),
        zone=parse_zone(given["tz"]),
        year=given["year"],
        only_denied=given.get("only") == "denied",
        processes=given.get("processes"),
        checksum=given.get("checksum", False),
    )


def state_of(given: dict[str, Any]) -> StateOptions:
    """Cluster objects and how policies are read."""
    taken = given.get("state_time")
    zone = parse_zone(given["tz"]) if "tz" in given else parse_zone("UTC")
    return StateOptions(
        paths=tuple(given["state"]),
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
    since = None if given["since"] is None else parse_time(given["since"], zone)
    until = None if given["until"] is None else parse_time(given["until"], zone)
    if given["around"] is not None:
        if since is not None or until is not None:
            raise UsageError("--around goes without --since and --until")
        middle, half = parse_time(given["around"], zone), parse_duration(given["window"])
        since, until = middle - half, middle + half
    if since is not None and until is not None and since > until:
        raise UsageError("--since is after --until")
    return Selection(
        since=since,
        until=until,
        namespaces=() if given["all_namespaces"] else tuple(given["namespace"]),
        from_pod=given["from_pod"],
        to_pod=given["to_pod"],
        to_port=given["to_port"],
        protocol=given["protocol"],
        verdicts=tuple(verdict.lower() for verdict in given["verdict"]),
    )
