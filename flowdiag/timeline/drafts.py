"""Refusals on their way to problems: with what diagnosis says, folded into connections, and those into problems."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec import Struct

from flowdiag.model.finding import Finding
from flowdiag.model.flow import Flow
from flowdiag.timeline.ends import EndKey, PolicyKey, policy_key
from flowdiag.timeline.ports import ONE_PORT, PortCount

__all__ = ["LEAD_SHARE", "ConnectionDraft", "ProblemDraft", "Refusal", "finding_key", "refusal_order"]

LEAD_SHARE = 0.05
"""A later finding speaks for a connection once it has this share of its records."""


class Refusal(Struct, frozen=True):
    """One refused flow, or its part in one policy epoch, with what diagnosis says of it."""

    flow: Flow
    finding: Finding


class ConnectionDraft(Struct):
    """One refused connection with all refusals folded into it."""

    source: EndKey
    destination: EndKey
    protocol: str | None
    port: int | None
    icmp: str | None
    refusals: list[Refusal]
    finding: Finding
    """The finding that speaks for the connection: the latest one of weight, as that is what is wrong now."""
    ports: PortCount = ONE_PORT
    """How many ports it stands for, where it has none."""
    count: int = 0
    """Refused records; this and the times are of `refusals`, which nobody changes any more."""
    first: int | None = None
    """First record with a time."""
    last: int | None = None
    """Last record with a time."""

    @property
    def said_otherwise(self) -> dict[tuple[object, ...], list[Refusal]]:
        """Refusals of which something else than `finding` is said, by what is said."""
        spoken, found = finding_key(self.finding), defaultdict(list)
        for refusal in self.refusals:
            if (key := finding_key(refusal.finding)) != spoken:
                found[key].append(refusal)
        return found

    @property
    def limits(self) -> list[str]:
        """What keeps a part of weight of its refusals from being surer.

        What is said of one side's refusals is not true of the other's: "the ingress side would refuse it, too".
        """
        counts = Counter[str]()
        for refusal in self.refusals:
            if refusal.finding.direction != self.finding.direction:
                continue
            for limit in refusal.finding.limits:
                counts[limit] += refusal.flow.count
        return [limit for limit, count in counts.items() if count >= self.count * LEAD_SHARE]

    def __post_init__(self) -> None:
        """Sum up the refusals."""
        flows = [refusal.flow for refusal in self.refusals]
        self.count = sum(flow.count for flow in flows)
        self.first = min((flow.first for flow in flows if flow.first is not None), default=None)
        self.last = max((flow.last for flow in flows if flow.last is not None), default=None)

    @property
    def folded(self) -> bool:
        """Whether it stands for many ports or addresses, so that no one of them speaks for all."""
        ends = (self.source, self.destination)
        return self.ports.most > 1 or any(end[0] == "external" and "/" in end[3] for end in ends)

    @property
    def held(self) -> list[Refusal]:
        """The refusals that a change is held against: the last one between any two ends that policies tell apart.

        All of them where it is folded.
        """
        if self.folded:
            return self.refusals
        apart: dict[tuple[PolicyKey, PolicyKey], list[Refusal]] = defaultdict(list)
        for refusal in self.refusals:
            apart[_policy_keys(refusal)].append(refusal)
        return [_latest(each) for each in apart.values()]

    def beside(self, lead: Refusal) -> list[Refusal]:
        """Those of `held` between other ends than this one of its refusals."""
        own = _policy_keys(lead)
        return [refusal for refusal in self.held if _policy_keys(refusal) != own]

    @property
    def order(self) -> tuple[int, EndKey, EndKey, str, int, str]:
        """Largest first, then by what it is."""
        return (
            -self.count,
            self.source,
            self.destination,
            self.protocol or "",
            -1 if self.port is None else self.port,
            self.icmp or "",
        )


class ProblemDraft(Struct):
    """Connections with one cause, largest first."""

    connections: list[ConnectionDraft]

    @property
    def count(self) -> int:
        """Refused records."""
        return sum(connection.count for connection in self.connections)

    @property
    def span(self) -> tuple[int | None, int | None]:
        """First and last refused record, nanoseconds."""
        firsts = [c.first for c in self.connections if c.first is not None]
        lasts = [c.last for c in self.connections if c.last is not None]
        return (min(firsts, default=None), max(lasts, default=None))

    @property
    def flows(self) -> list[Flow]:
        """Every refused flow."""
        return [refusal.flow for connection in self.connections for refusal in connection.refusals]

    @property
    def recording(self) -> set[str]:
        """Nodes that recorded the refusals, as far as the records name them."""
        return {flow.distinct.node for flow in self.flows if flow.distinct.node is not None}

    @property
    def finding(self) -> Finding:
        """What speaks for the problem: its largest connection's finding."""
        return self.connections[0].finding

    @property
    def lead(self) -> Refusal:
        """The refusal that shows what is wrong now: the last of those that say what the problem says."""
        key = finding_key(self.finding)
        alike = [refusal for refusal in self.connections[0].refusals if finding_key(refusal.finding) == key]
        return _latest(alike)

    @property
    def others(self) -> list[list[Refusal]]:
        """What the change that mends `lead` is to mend as well, by connection: in its own one first."""
        return [self.connections[0].beside(self.lead), *(one.held for one in self.connections[1:])]


def _policy_keys(refusal: Refusal) -> tuple[PolicyKey, PolicyKey]:
    return policy_key(refusal.flow.src), policy_key(refusal.flow.dst)


def _latest(refusals: Iterable[Refusal]) -> Refusal:
    several = list(refusals)
    last = max(refusal.flow.last or -1 for refusal in several)
    return max((each for each in several if (each.flow.last or -1) == last), key=refusal_order)


def refusal_order(refusal: Refusal) -> tuple[int, int, str, str]:
    """Sort key of refusals: by time, then those of most records first."""
    flow = refusal.flow
    return (
        flow.first or -1,
        -flow.count,
        flow.src.name or flow.src.ip or "",
        flow.dst.name or flow.dst.ip or "",
    )


def finding_key(finding: Finding) -> tuple[object, ...]:
    """What two findings that say the same have in common."""
    return (finding.code, finding.direction, finding.isolating, finding.cause_key)
