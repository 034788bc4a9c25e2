"""What to say, and what to collect instead, where the evidence cannot hold a denial (FD807).

People bring the log that `kubectl logs` gives.  For most CNIs that is a component's log, which never says
which packet was refused; an empty report would read as "all is well".
Commands follow docs.tigera.io (Whisker, Calico v3.30; Log rules) and docs.cilium.io (Hubble, v1.16).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from flowdiag.analysis.state import State
from flowdiag.model.flow import Flow
from flowdiag.model.policy import CALICO_GROUPS, Dialect
from flowdiag.model.report import ReportWarning, general_warning
from flowdiag.model.tally import InputSummary
from flowdiag.model.words import plural

__all__ = ["only_logged", "only_objects", "what_to_collect"]

_CODE = "FD807"
_ONLY_OBJECTS = "only-objects"
_ONLY_DENIED = "only-denied"
_OS = "kubernetes.io/os"
_REASONS = 5
"""Reasons that are listed; each problem has its own in its summary."""

_CALICO = (
    (
        "Calico's components never say which packet was refused, and a plain NetworkPolicy leaves no trace in its "
        "iptables and nftables dataplanes"
    ),
    (
        "flows with verdicts (v3.30 and later, installed by the operator): kubectl -n calico-system port-forward "
        "svc/whisker 8081:8081 & curl -s 'http://localhost:8081/whisker-backend/flows?startTimeGte=-3600' > flows.json"
    ),
    (
        "packets, once a rule with action Log stands before the Deny rule, from every node: kubectl debug node/NODE "
        "-it --image=busybox -- chroot /host journalctl -k -o json --since=-1h > NODE.json"
    ),
)
_IPTABLES = "counters of refusals, from every node: iptables-save -c > NODE.txt"
_CALICO_COUNTERS = (
    _IPTABLES,
    "the same with eBPF, from every calico-node pod: calico-node -bpf counters dump > POD.txt",
)
_CALICO_STATE = (
    "what the policies say, for flowdiag explain SRC DST PORT --state state.yaml --state calico.yaml: kubectl get "
    "ns,pods,svc,endpointslices,nodes,networkpolicies -A -o yaml > state.yaml; calicoctl get "
    "networkpolicies,globalnetworkpolicies,tiers -A -o yaml > calico.yaml"
)
_LOG_RULES = (
    "Log rules stand in Calico's own policies, and none of these was read: calicoctl get "
    "networkpolicies,globalnetworkpolicies,tiers -A -o yaml > calico.yaml, and --state calico.yaml"
)
_CILIUM = (
    "the agents' own messages do not say which packet was refused",
    (
        "flows with verdicts: cilium hubble port-forward & hubble observe --verdict DROPPED --since 1h -o json "
        "> flows.json"
    ),
)
_CILIUM_STATE = (
    "the cluster's objects: cilium sysdump, or kubectl get ns,pods,svc,endpointslices,nodes,networkpolicies,cnp,ccnp "
    "-A -o yaml > state.yaml"
)
_KUBE_ROUTER = (
    "kube-router and what k3s embeds of it write no line of a refused packet into their logs",
    "packets that were refused, which ulogd2 on every node writes from NFLOG group 100: cat /var/log/ulog/syslogemu.log > NODE.log",
)
_OTHERS = ("messages of components do not say which packet was refused",)
_OTHERS_STATE = (
    "the cluster's objects, for flowdiag explain SRC DST PORT --state state.yaml: kubectl get "
    "ns,pods,svc,endpointslices,nodes,networkpolicies -A -o yaml > state.yaml"
)
_BY_CNI = {
    "calico": ((*_CALICO, *_CALICO_COUNTERS), _CALICO_STATE),
    "cilium": (_CILIUM, _CILIUM_STATE),
    "kube-router": ((*_KUBE_ROUTER, _IPTABLES), _OTHERS_STATE),
}
_FLOWS_OF = {Dialect.CILIUM: "Cilium", Dialect.CALICO: "Calico"}
_COUNTED = "counters say where packets were refused, and how many, but not which"


def only_logged(
    unknown: Iterable[Flow], state: State | None, cnis: Sequence[str]
) -> tuple[ReportWarning, ...]:
    """Say how many packets were only logged, and why no verdict could be worked out, most packets first.

    Calico's Log rules are in kinds of its own, which a dump of Kubernetes' does not have.
    """
    counts: Counter[str] = Counter()
    for flow in unknown:
        counts[flow.basis or ""] += flow.count
    said = [
        general_warning(_CODE, f"{plural(count, 'packet')} only logged, verdict unknown: {why}")
        for why, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_REASONS]
    ]
    own = () if state is None else (policy.ref.group in CALICO_GROUPS for policy in state.snapshot.policies)
    if said and "calico" in cnis and state is not None and not any(own):
        said.append(general_warning(_CODE, _LOG_RULES))
    return tuple(said)


def only_objects(inputs: Sequence[InputSummary], state: State | None) -> tuple[ReportWarning, ...]:
    """Say what to ask of policies alone, and which flows to bring, where nothing but the cluster's objects was read.

    Args:
        inputs: what was read as evidence.
        state: the cluster's objects.
    """
    if inputs or state is None:
        return ()
    texts = [
        "only the cluster's objects were read; what was refused stands in flows and logs",
        "to ask whether the policies allow a connection: flowdiag explain NAMESPACE/FROM NAMESPACE/TO PORT --state PATH",
        "to ask who reaches a workload: flowdiag reach NAMESPACE/NAME --state PATH",
    ]
    for dialect, name in _FLOWS_OF.items():
        if state.dialect in (dialect, Dialect.KUBERNETES):
            (_, command, *_), _ = _BY_CNI[name.lower()]
            texts.append(f"with {name}, {command}")
    if state.dialect not in (*_FLOWS_OF, Dialect.KUBERNETES):
        texts.append("logs of the CNI; what is read of them is listed by: flowdiag parsers")
    return tuple(general_warning(_ONLY_OBJECTS, text) for text in texts)


def what_to_collect(
    inputs: Sequence[InputSummary],
    cnis: Sequence[str],
    *,
    state: State | None,
    counted: bool,
    only_denied: bool,
) -> tuple[ReportWarning, ...]:
    """Say plainly that no input holds a record of traffic, and name what would.

    Args:
        inputs: what was read as evidence.
        cnis: CNIs that the evidence shows.
        state: the cluster's objects, where any were read too.
        counted: the inputs hold counters of refused packets; those are not asked for again, nor called nothing.
        only_denied: allowed traffic was left unread, so that an input without a refusal may be full of records.

    Returns:
        Nothing where there is any record of traffic, no evidence at all, or an input that could not be read:
        then nobody knows what it held.
    """
    unread = any(one.warnings and not one.records for one in inputs)
    if not inputs or unread or any(one.flows for one in inputs):
        return ()
    if only_denied and not counted:
        one = len(inputs) == 1
        which = f"{inputs[0].path} holds no denial" if one else f"none of {len(inputs)} inputs holds a denial"
        return (
            general_warning(_ONLY_DENIED, f"{which}; what else stands there was not read, because of --only"),
        )
    if counted:
        head = "packets were refused, by the counters in the warnings, and no input holds a record of one"
    elif len(inputs) == 1:
        head = f"{inputs[0].path} holds no denial, and no record of traffic at all"
    else:
        head = f"none of {len(inputs)} inputs holds a denial, or any record of traffic"
    known = [cni for cni in cnis if cni in _BY_CNI]
    texts: list[str] = []
    for cni in known or [""]:
        (why, *commands), objects = _BY_CNI.get(cni, (_OTHERS, _OTHERS_STATE))
        texts.append(f"{head}: {_COUNTED if counted else why}")
        texts.extend(text for text in commands if not counted or text not in _CALICO_COUNTERS)
        if state is None:
            texts.append(objects)
        elif cni == "calico":
            texts.extend(_on_windows(state))
    return tuple(general_warning(_CODE, text) for text in texts)


def _on_windows(state: State) -> Iterator[str]:
    """Say that none of the commands is for nodes of Windows, where there are any.

    Source: docs.tigera.io, "Limitations and known issues" of Calico for Windows (no iptables logs, no eBPF, no packet
    capture); projectcalico/calico#4078.
    """
    names = sorted(node.name for node in state.snapshot.nodes.values() if node.labels.get(_OS) == "windows")
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield (
            f"on Windows ({names[0]}{more}) there is none of these but flows, as HNS logs and counts nothing; the rules of one "
            "pod, for you to read: Get-HnsEndpoint | where IpAddress -EQ ADDRESS | ConvertTo-Json -Depth 5"
        )
