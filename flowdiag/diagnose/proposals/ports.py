"""Which ports a change opens: the refused one, and for lookups both of their transports."""

from __future__ import annotations

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.dns import LOCAL_CACHE_IPS, is_dns_server, is_dns_traffic
from flowdiag.diagnose.wording import a_list
from flowdiag.model.event import Direction
from flowdiag.model.policy import Condition

__all__ = ["answers_lookups", "ports_text", "protocols"]


def answers_lookups(case: Case) -> bool:
    """Whether lookups of the cluster's pods go there: to its DNS servers, or to a node's cache of them."""
    return is_dns_server(case) or (is_dns_traffic(case) and case.flow.dst.ip in LOCAL_CACHE_IPS)


def protocols(case: Case, direction: Direction, condition: Condition | None = None) -> tuple[str, ...]:
    """Protocols of the port: an answer that is too long for UDP is asked for again over TCP.

    A rule that missed on the protocol (`condition`) has the port already, over the other one.
    """
    if direction is Direction.EGRESS and condition is not Condition.PROTOCOL and answers_lookups(case):
        return ("UDP", "TCP")
    return (case.protocol or "",)


def ports_text(case: Case, direction: Direction, condition: Condition | None = None) -> str:
    """``8080/TCP``, ``53/UDP and 53/TCP``."""
    return a_list([f"{case.port_behind}/{protocol}" for protocol in protocols(case, direction, condition)])
