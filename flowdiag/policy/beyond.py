"""What the rules do not decide: ends that always pass or are not known, and reasons to doubt a verdict of the rules."""

from __future__ import annotations

from flowdiag.model.event import Direction
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import EndDecision, WalkStep
from flowdiag.policy.dataplane import Dataplane
from flowdiag.policy.facts import Facts
from flowdiag.policy.networks_apart import networks_apart

__all__ = ["Beyond", "inhabited", "passing"]


class Beyond:
    """What is known about one policy set's verdicts beside its rules.

    Args:
        spaces: namespaces of which anything is known.
        dataplane: what the enforcer does beside the rules.
        unread: why no verdict on a pod is sure, where policies are known to be missing.
        lookups: namespaces whose Services answer lookups of names.
    """

    def __init__(
        self, spaces: frozenset[str], dataplane: Dataplane, unread: str | None, lookups: frozenset[str]
    ) -> None:
        self._spaces = spaces
        self._own_node = dataplane.own_node
        self._policed = dataplane.policed
        self._crosses = dataplane.crossing is not None
        self._on_the_way = [each for each in (dataplane.crossing, dataplane.to_own_host) if each is not None]
        self._unread = unread
        self._lookups = lookups

    @property
    def unread(self) -> str | None:
        """Why no verdict on a pod is sure, ``None`` where all policies were read."""
        return self._unread

    @property
    def crosses(self) -> bool:
        """Whether it may matter on which node a pod runs, so that pods may differ that no condition tells apart."""
        return self._crosses

    def settled(self, direction: Direction, subject: Facts, peer: Facts) -> EndDecision | None:
        """Decide what no policy decides, whatever the traffic; ``None`` where policies do."""
        if subject.kind in ("unknown", "entity") and subject.entity not in self._policed:
            return EndDecision(allowed=None, unknown=(subject.why_unknown or "who the end is, is not known",))
        if (
            self._own_node
            and direction is Direction.INGRESS
            and subject.kind == "pod"
            and peer.kind == "node"
            and peer.node is not None
            and peer.node == subject.node
        ):
            return passing(f"a node always reaches the pods that run on it ({peer.node})")
        return None

    def _unseen(self, direction: Direction, subject: Facts, peer: Facts) -> str | None:
        """Say why a connection may be refused although the known policies of an end allow it; ``None`` if it may not.

        A user who may read one namespace only cannot see the others: their policies are unknown, not absent.
        """
        if subject.kind == "pod" and subject.namespace is not None and subject.namespace not in self._spaces:
            return (
                f"nothing of namespace {subject.namespace} is in the state; ask its owner whether a policy "
                f"there isolates the pod for {direction}, and which rule admits this"
            )
        said = (each(direction, subject, peer) for each in self._on_the_way)
        why = next((why for why in said if why is not None), None)
        # Said once, of the end that is called.
        return self.apart(peer, subject) if why is None and direction is Direction.INGRESS else why

    def apart(self, source: Facts, destination: Facts) -> str | None:
        """Why no packet comes from one end to the other, whatever policies say; ``None`` where none is known."""
        if source.network == destination.network:
            return None
        return networks_apart(source, destination, self._lookups)

    def doubt(self, direction: Direction, subject: Facts, peer: Facts, *, allowed: bool) -> str | None:
        """Say why a verdict of the rules is not sure; ``None`` where it is."""
        why = self._unread if subject.kind == "pod" else None
        return self._unseen(direction, subject, peer) if why is None and allowed else why

    def known(self, direction: Direction, subject: Facts, peer: Facts, *, told: bool | None) -> bool | None:
        """Give the rules' verdict on an end where it is sure; ``None`` where policies that were not read might change it."""
        if self._unread is not None and subject.kind == "pod":
            return None
        return None if told and self._unseen(direction, subject, peer) is not None else told


def passing(text: str) -> EndDecision:
    """An end that lets something pass without asking any policy, and why."""
    step = WalkStep(tier=None, policy=None, rule=None, outcome="allow", text=text)
    return EndDecision(allowed=True, walk=(step,), notes=(text,))


def inhabited(snapshot: Snapshot) -> frozenset[str]:
    """Namespaces of which the state holds more than policies; one that only records name is not among them."""
    declared = {name for name, one in snapshot.namespaces.items() if one.declared}
    found: set[str | None] = {pod.namespace for pod in snapshot.pods}
    found.update(workload.namespace for workload in snapshot.workloads)
    found.update(service.namespace for service in snapshot.services)
    found.update(each.namespace for each in snapshot.endpoint_slices)
    return frozenset(declared | {name for name in found if name is not None})
