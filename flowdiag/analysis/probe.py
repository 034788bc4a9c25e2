"""A connection tried from inside a pod, and held against what the policies say.

The only thing in flowdiag that changes anything on a cluster: it runs a program in a container, or adds a
debug container to a pod, and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.answers import Answer, Pair
from flowdiag.analysis.options import StateOptions
from flowdiag.analysis.questions import load_asker
from flowdiag.cluster import service_of
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.errors import InputError, UsageError
from flowdiag.model.policy import ConnectionDecision
from flowdiag.report.probe_view import ProbeFrom, ProbeObserved, ProbeResult
from flowdiag.report.query_types import explain_result

if TYPE_CHECKING:
    from flowdiag.analysis.ask import Asker
    from flowdiag.cluster.live.api import Api

__all__ = ["Probe", "probe"]

_STARTS_S = 60.0
_STAYS_S = 30
"""A debug container sleeps so much longer than the attempt takes."""


class Probe(Struct, frozen=True, kw_only=True):
    """What is to be tried."""

    src: str
    dst: str
    port: int | str
    container: str | None = None
    image: str | None = None
    """Of a debug container to add; ``None`` uses the pod's own."""
    seconds: int = 5
    """How long the attempt waits for an answer."""
    yes: bool = False
    """Do it; else only say what would be done."""


def probe(asked: Probe, state: StateOptions, problems: list[str] | None = None) -> ProbeResult:
    """Ask the policies, then try.

    Args:
        asked: what is to be tried.
        state: the cluster, and how policies are read.
        problems: grows by what must be said about reading the cluster, also where an end is not there.

    Raises:
        UsageError: no cluster is named.
        InputError: an end is not there, or nothing in the container can connect.
        ClusterError: the cluster cannot be reached, or forbids it.
    """
    if state.live is None:
        raise UsageError("a probe needs a running cluster")
    from flowdiag.cluster.live.connect import connect
    from flowdiag.cluster.live.debug import default_container
    from flowdiag.cluster.live.errors import ForbiddenError

    asker, said = load_asker(state)
    if problems is not None:
        problems.extend(said)
    answer = asker.ask(asked.src, asked.dst, "TCP", asked.port)
    pair, address, port = _target(asked, asker, answer)
    pod = pair.src.pod
    if pod is None:
        raise InputError(f"{asked.src}: no running pod to try from")
    api = connect(state.live)
    key = (pod.namespace, pod.name)
    decision = ConnectionDecision(
        allowed=pair.decision.allowed, egress=pair.decision.egress, ingress=pair.decision.ingress
    )
    unclear = answer.error if decision.allowed is None else None
    container = "a new debug container" if asked.image else asked.container
    try:
        container = container or default_container(api, key, None)
    except ForbiddenError:
        container = "its default container"
    result = ProbeResult(
        src=asked.src,
        dst=asked.dst,
        source=ProbeFrom(namespace=pod.namespace, pod=pod.name, container=container, node=pod.node),
        address=address,
        port=port,
        policies=explain_result(asked.src, asked.dst, "TCP", asked.port, decision, error=unclear),
        observed=None,
        agrees=None,
        text="nothing was tried: this would run a command on the cluster, which needs --yes",
        changes=_changes(asked, key, container),
    )
    if not asked.yes:
        return result
    return _tried(asked, api, key, result)


def _target(asked: Probe, asker: Asker, answer: Answer) -> tuple[Pair, str, int]:
    """A pair with a running source pod, and the address and port to connect to."""
    service = service_of(asked.dst.strip(), asker.snapshot, asker.index)
    for pair in answer.pairs:
        pod = pair.src.pod
        if pair.src.kind is not EndpointKind.POD or pod is None or pod.template or pod.phase != "Running":
            continue
        if service is not None and service.cluster_ips:
            # The Service's own address is tried: what stands behind it, kube-proxy or the CNI chooses.
            port = next((one.port for one in service.ports if asked.port in (one.port, one.name)), None)
            if port is not None:
                return pair, service.cluster_ips[0], port
        address = pair.dst.ip or next(iter(pair.dst.pod.ips if pair.dst.pod is not None else ()), None)
        if address is None and pair.dst.node is not None:
            address = next(iter(pair.dst.node.addresses), None)
        port = pair.port if isinstance(pair.port, int) else _number(pair, pair.port)
        if address is not None and port is not None:
            return pair, address, port
    if not any(pair.src.pod is not None and not pair.src.pod.template for pair in answer.pairs):
        raise InputError(
            f"{asked.src}: no pod to try from", hint="SRC is namespace/name of a pod or workload"
        )
    raise InputError(
        f"{asked.src} to {asked.dst}: no running pod, or no address and port number to connect to",
        hint="SRC is a pod or workload that runs; DST a pod, workload, Service, node or address",
    )


def _number(pair: Pair, name: str | int | None) -> int | None:
    pod = pair.dst.pod
    return next((one.port for one in pod.ports if one.name == name), None) if pod is not None else None


def _changes(asked: Probe, pod: tuple[str, str], container: str) -> tuple[str, ...]:
    where = f"pod {pod[0]}/{pod[1]}"
    if asked.image is None:
        return (f"a command runs in container {container} of {where}; nothing stays",)
    return (
        f"{where} gets a debug container with image {asked.image}; it ends by itself, its entry stays",
        "a command runs in it",
    )


def _tried(asked: Probe, api: Api, pod: tuple[str, str], planned: ProbeResult) -> ProbeResult:
    from flowdiag.cluster.live.attempt import connect_from
    from flowdiag.cluster.live.debug import add_debug_container, default_container
    from flowdiag.cluster.live.errors import ForbiddenError

    resource, verbs = "pods/ephemeralcontainers", '"patch"'
    try:
        if asked.image is not None:
            lasts = 2 * asked.seconds + _STAYS_S
            container = add_debug_container(api, pod, asked.image, lasts_s=lasts, within_s=_STARTS_S)
        else:
            resource, verbs = "pods", '"get"'
            container = default_container(api, pod, asked.container)
        resource, verbs = "pods/exec", '"get", "create"'
        attempt = connect_from(api, pod, container, planned.address, planned.port, asked.seconds)
    except ForbiddenError as error:
        rule = f'{{apiGroups: [""], resources: ["{resource}"], verbs: [{verbs}]}}'
        raise ForbiddenError(
            str(error), hint=f"the rule that allows it: {rule} (deploy/rbac/probe.yaml)"
        ) from error
    if attempt is None:
        raise InputError(
            f"container {container} of {pod[0]}/{pod[1]} has nothing to connect with (nc, curl, bash, python3, wget)",
            hint="add a debug container that has: --image busybox:1.37",
        )
    agrees, text = _compared(planned.policies.allowed, attempt.outcome)
    return replace(
        planned,
        source=replace(planned.source, container=container),
        observed=ProbeObserved(
            outcome=attempt.outcome.value,
            seconds=round(attempt.seconds, 3),
            command=attempt.command,
            said=attempt.said,
        ),
        agrees=agrees,
        text=text,
        changes=_changes(asked, pod, container),
    )


def _compared(allowed: bool | None, outcome: str) -> tuple[bool | None, str]:
    """Whether what happened is what the policies say, and what to make of it."""
    if outcome == "unclear":
        return None, "the attempt ended in a way that says nothing of the network; see what it said"
    if allowed is None:
        return None, f"{outcome.replace('-', ' ')}; the policies cannot be evaluated far enough to compare"
    if outcome == "connected":
        if allowed:
            return True, "it connects, as the policies allow"
        return False, (
            "it connects although the policies refuse it: they are not enforced here, not yet, or not by this "
            "dialect (--dialect)"
        )
    if not allowed:
        if outcome == "refused":
            return True, (
                "it is refused, as the policies say; where policies drop in silence, this answer is the host's own: "
                "nothing listens"
            )
        return True, f"it does not connect ({outcome.replace('-', ' ')}), as the policies refuse it"
    if outcome == "refused":
        return None, (
            "the policies allow it, and the other end answers that nothing listens on that port (or something on "
            "the way rejects it): most likely no policy's doing"
        )
    return False, (
        f"it does not connect ({outcome.replace('-', ' ')}) although the policies allow it: look beyond policies, at what listens, "
        "routes, host firewalls, a mesh, or policies that this state does not hold"
    )
