"""Cases of the catalogue: short cluster state and one refused flow from YAML, as values of the model.

State is written short and expanded to the objects that kubectl prints, then read by the same reader as
everything else.  Times are seconds after a fixed instant; objects are an hour older than it.
"""

import json
from pathlib import Path

from msgspec import Struct, structs

from flowdiag.cluster.resolve import Resolver
from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.diagnose import Case, Context
from flowdiag.diagnose.before import old_policies
from flowdiag.model.event import (
    L7,
    Cause,
    ChangeEvent,
    Direction,
    Icmp,
    ObjectRef,
    Peer,
    PolicyHit,
    TimeSource,
    Verdict,
)
from flowdiag.model.objects import LabelChange
from flowdiag.model.policy import (
    Condition,
    ConnectionDecision,
    DecidedBy,
    Dialect,
    EndDecision,
    IpBlockPods,
    Miss,
    NearestRule,
    PolicyRef,
)
from flowdiag.model.tally import Bucket, DistinctFlow, DnsAnswer, Example
from flowdiag.model.time import NS, parse_rfc3339, rfc3339_seconds
from flowdiag.policy import compile_policies
from tests.read_yaml import read_yaml

START = parse_rfc3339("2026-03-01T12:00:00Z")
"""Second 0 of every case."""

HERE = Path(__file__).parent.parent / "diagnoses"


def load_cases():
    """(code, name, case) of every case, in the order of files."""
    found = []
    for path in sorted(HERE.glob("FD*.yml")):
        document = read_yaml(path.read_text(encoding="utf-8"))
        shared = document.pop("state", {})
        for name, case in document.items():
            found.append((path.stem, name, _merged(shared, case)))
    return found


def _merged(shared, case):
    """A case with the file's shared state under its own; `null` takes a shared part away."""
    state = {key: value for key, value in shared.items() if key not in case.get("state", {})}
    for key, value in case.get("state", {}).items():
        if isinstance(value, dict) and isinstance(shared.get(key), dict):
            state[key] = {k: v for k, v in {**shared[key], **value}.items() if v is not None}
        elif value is not None:
            state[key] = value
    return {**case, "state": state}


# --- cluster objects ---------------------------------------------------------------------------


def _meta(name, spec, namespace=None):
    created = spec.get("created", -3600)
    meta = {"name": name, "creationTimestamp": moment(created), "generation": spec.get("generation", 1)}
    if namespace is not None:
        meta["namespace"] = namespace
    if "labels" in spec:
        meta["labels"] = spec["labels"]
    if "annotations" in spec:
        meta["annotations"] = spec["annotations"]
    if spec.get("written") is not None:
        meta["managedFields"] = [
            {
                "manager": "kubectl",
                "operation": "Update",
                "time": moment(spec["written"]),
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {}},
            }
        ]
    if spec.get("labelled") is not None:
        meta.setdefault("managedFields", []).append(
            {
                "manager": "kubectl-label",
                "operation": "Update",
                "time": moment(spec["labelled"]),
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {"f:labels": {}}},
            }
        )
    return meta


def moment(seconds):
    """RFC 3339 of a second of the case."""
    return rfc3339_seconds(START + int(seconds * NS))


def _pod(key, spec):
    namespace, _, name = key.partition("/")
    ips = [one for one in str(spec.get("ip", "")).split(",") if one]
    workload = spec.get("workload", name.rpartition("-")[0])
    meta = _meta(name, {"labels": {"app": workload}, **spec}, namespace)
    meta["ownerReferences"] = [
        {"kind": "StatefulSet", "name": workload, "controller": True, "apiVersion": "apps/v1"}
    ]
    status = {"phase": spec.get("phase", "Running"), "podIPs": [{"ip": ip} for ip in ips]}
    if ips:
        status["podIP"] = ips[0]
    if "host_ip" in spec:
        status["hostIP"] = spec["host_ip"]
    if spec.get("finished") is not None:
        status["containerStatuses"] = [{"state": {"terminated": {"finishedAt": moment(spec["finished"])}}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {
            "nodeName": spec.get("node", "node-a"),
            "hostNetwork": spec.get("host_network", False),
            "containers": [
                {"name": "main", "ports": spec.get("ports", []), **spec.get("container", {})},
            ],
        },
        "status": status,
    }


def _service(key, spec):
    namespace, _, name = key.partition("/")
    ips = str(spec.get("ip", "10.96.0.99")).split(",")
    body = {
        "clusterIP": ips[0],
        "clusterIPs": ips,
        "type": spec.get("type", "ClusterIP"),
        "ports": spec.get("ports", []),
    }
    for field in ("selector", "externalIPs", "externalTrafficPolicy", "loadBalancerSourceRanges"):
        if field in spec:
            body[field] = spec[field]
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(name, spec, namespace), "spec": body}


def objects(state):
    """The state's objects as kubectl prints them."""
    found = []
    for name, spec in state.get("namespaces", {}).items():
        labels = {"kubernetes.io/metadata.name": name, **((spec or {}).get("labels") or {})}
        found.append(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": _meta(name, {**(spec or {}), "labels": labels}),
            }
        )
    found.extend(_pod(key, spec) for key, spec in state.get("pods", {}).items())
    found.extend(_service(key, spec) for key, spec in state.get("services", {}).items())
    for name, spec in state.get("nodes", {}).items():
        addresses = [{"type": "InternalIP", "address": ip} for ip in str(spec["ip"]).split(",")]
        found.append(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": _meta(name, spec),
                "status": {"addresses": addresses},
            }
        )
    for key, spec in state.get("policies", {}).items():
        kind, _, rest = key.rpartition(" ")
        namespace, slash, name = rest.rpartition("/")
        api = {
            "": "networking.k8s.io/v1",
            "NetworkPolicy": "networking.k8s.io/v1",
            "CiliumNetworkPolicy": "cilium.io/v2",
            "CiliumClusterwideNetworkPolicy": "cilium.io/v2",
            "CalicoNetworkPolicy": "projectcalico.org/v3",
            "GlobalNetworkPolicy": "projectcalico.org/v3",
            "StagedNetworkPolicy": "projectcalico.org/v3",
            "StagedGlobalNetworkPolicy": "projectcalico.org/v3",
            "AdminNetworkPolicy": "policy.networking.k8s.io/v1alpha1",
            "BaselineAdminNetworkPolicy": "policy.networking.k8s.io/v1alpha1",
            "ClusterNetworkPolicy": "policy.networking.k8s.io/v1alpha2",
            "AntreaClusterNetworkPolicy": "crd.antrea.io/v1beta1",
            "AwsClusterNetworkPolicy": "networking.k8s.aws/v1alpha1",
            "FQDNNetworkPolicy": "networking.gke.io/v1alpha1",
        }[kind]
        body = {k: v for k, v in spec.items() if k not in _META}
        found.append(
            {
                "apiVersion": api,
                "kind": {
                    "": "NetworkPolicy",
                    "CalicoNetworkPolicy": "NetworkPolicy",
                    "AntreaClusterNetworkPolicy": "ClusterNetworkPolicy",
                    "AwsClusterNetworkPolicy": "ClusterNetworkPolicy",
                }.get(kind, kind),
                "metadata": _meta(name, spec, namespace if slash else None),
                "spec": body,
            }
        )
    found.extend(state.get("objects", []))
    return found


_META = frozenset({"created", "generation", "written", "labels", "annotations"})


def snapshot_of(state):
    """The snapshot of a case's state; `kinds` names kinds that were read and held nothing."""
    items = objects(state)
    documents = [
        ("state.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()),
    ]
    for number, (kind, api) in enumerate(sorted(state.get("kinds", {}).items())):
        empty = {"apiVersion": api, "kind": f"{kind}List", "items": []}
        documents.append((f"empty-{number}.json", json.dumps(empty).encode()))
    taken = state.get("taken")
    snapshot, problems = build_snapshot(documents, None if taken is None else START + taken * NS)
    assert not [one for one in problems if one.code.startswith("not")], problems
    return _relabelled(snapshot, state.get("relabelled", {}))


def _relabelled(snapshot, changes):
    """The same with pods that had other labels until a second of the case, as audit logs tell."""
    pods = tuple(
        structs.replace(pod, labels_before=(LabelChange(START + change["at"] * NS, change["was"]),))
        if (change := changes.get(f"{pod.namespace}/{pod.name}"))
        else pod
        for pod in snapshot.pods
    )
    return structs.replace(snapshot, pods=pods)


# --- flows -------------------------------------------------------------------------------------


def _peer(text, state, more):
    fields = dict(more or {})
    if "labels" in fields:
        fields["labels"] = tuple(sorted(fields["labels"].items()))
    if text.startswith("node:"):
        name = text.removeprefix("node:")
        return Peer(**{"ip": str(state["nodes"][name]["ip"]).split(",")[0], **fields})
    if text.startswith("svc:"):
        return Peer(**{"ip": str(state["services"][text.removeprefix("svc:")]["ip"]).split(",")[0], **fields})
    if "/" in text:
        namespace, _, name = text.partition("/")
        known = state.get("pods", {}).get(text, {})
        ip = str(known.get("ip", "")).split(",")[0] or None
        return Peer(**{"ip": ip, "namespace": namespace, "pod": name, **fields})
    return Peer(**{"ip": text, **fields})


def distinct_flow(spec, state):
    """One distinct flow; `at` and `last` are seconds."""
    port, _, protocol = str(spec.get("port", "8080/TCP")).partition("/")
    first = START + int(spec.get("at", 0) * NS) if spec.get("at", 0) is not None else None
    last = START + int(spec.get("last", spec.get("at", 0)) * NS) if first is not None else None
    count = spec.get("count", 3)
    verdict = Verdict(spec.get("verdict", "denied"))
    icmp = spec.get("icmp")
    cause = spec.get("cause", "policy" if verdict in (Verdict.DENIED, Verdict.AUDITED) else None)
    l7 = spec.get("l7")
    denied = verdict in (Verdict.DENIED, Verdict.AUDITED)
    return DistinctFlow(
        parser=spec.get("parser", "hubble-json"),
        node=spec.get("node", "node-a"),
        src=_peer(spec["from"], state, spec.get("src")),
        dst=_peer(spec["to"], state, spec.get("dst")),
        protocol=protocol or None,
        port=int(port) if port not in ("", "-") else None,
        icmp=Icmp(*icmp) if icmp else None,
        direction=Direction(spec["direction"]) if spec.get("direction") else None,
        verdict=verdict,
        verdict_raw=spec.get("verdict_raw"),
        cause=Cause(cause) if cause else None,
        reason=spec.get("reason", "POLICY_DENIED" if denied else None),
        reason_code=spec.get("code", 133 if denied else None),
        reason_raw=spec.get("reason_raw"),
        policies=tuple(PolicyHit(**hit) for hit in spec.get("policies", [])),
        l7=L7(**l7) if l7 else None,
        turned=spec.get("turned", False),
        count=count,
        records=count,
        first=first,
        last=last,
        time_source=TimeSource(spec.get("time_source", "record")),
        buckets=(Bucket(first, NS if first is not None else 0, count),),
        tcp_flags=frozenset(spec.get("flags", [])),
        source_ports=tuple(spec.get("source_ports", [])),
        interval_s=spec.get("interval_s"),
        dns_names=tuple(spec.get("dns_names", [])),
        folded_peers=None,
        folded_ports=None,
        examples=(Example(first if first is not None else -1, "flows.json", 1, "{}"),),
    )


class Mark(Struct, frozen=True, kw_only=True):
    """A change, signal or gap of a case, with whatever the protocols ask for."""

    at: int = 0
    kind: str = "created"
    object: ObjectRef | None = None
    by: str | None = None
    what: str | None = None
    signal: str = ""
    node: str | None = None
    text: str = ""
    since: int | None = None
    until: int | None = None
    lost: int | None = None


def _change(spec):
    kind, namespace, name = spec["object"]
    group = spec.get("group", "networking.k8s.io" if kind == "NetworkPolicy" else "")
    return Mark(
        at=START + int(spec["at"] * NS),
        kind=spec.get("kind", "created"),
        object=ObjectRef(kind, group, namespace, name),
        by=spec.get("by"),
    )


def _event(spec):
    """A change whose log holds the old object: `policy` and `was`, or no `was` where it was not logged."""
    written = objects({"policies": {spec["policy"]: spec["was"]}})[0] if "was" in spec else None
    namespace, _, name = spec["policy"].rpartition(" ")[2].partition("/")
    return ChangeEvent(
        line=1,
        at=START + int(spec["at"] * NS),
        object=ObjectRef("NetworkPolicy", "networking.k8s.io", namespace, name),
        change=spec.get("change", "deleted"),
        by=spec.get("by"),
        before=written,
    )


def _signal(spec):
    return Mark(
        at=START + int(spec["at"] * NS),
        signal=spec["signal"],
        node=spec.get("node"),
        text=spec.get("text", ""),
    )


def _gap(spec):
    since, until = spec["since"], spec.get("until")
    return Mark(
        node=spec.get("node"),
        since=START + int(since * NS) if since is not None else None,
        until=START + int(until * NS) if until is not None else None,
        kind=spec.get("kind", "lost-events"),
        lost=spec.get("lost"),
    )


def build_case(spec):
    """The `Case` of a YAML case: resolved, replayed at its time, with all that stands around it."""
    state = spec["state"]
    blind = spec.get("no_state", False)
    snapshot = snapshot_of({} if blind else state)
    dialect = Dialect(spec.get("dialect", "kubernetes"))
    answers = [
        DnsAnswer(
            name=one["name"],
            ip=one["ip"],
            first=START + one.get("at", 0) * NS,
            last=START + one.get("at", 0) * NS,
            ttl=one.get("ttl"),
        )
        for one in spec.get("answers", [])
    ]
    resolver = Resolver(snapshot, answers)
    flow = resolver.resolve(distinct_flow(spec["flow"], state))[spec.get("part", 0)]
    allowed = [
        part
        for one in spec.get("allowed", [])
        for part in resolver.resolve(distinct_flow({**spec["flow"], **_ALLOWED, **one}, state))
    ]
    context = Context(
        snapshot=None if blind else snapshot,
        dialect=dialect,
        allowed=allowed,
        signals=[_signal(one) for one in spec.get("signals", [])],
        gaps=[_gap(one) for one in spec.get("gaps", [])],
        changes=[_change(one) for one in spec.get("changes", [])],
        answers=answers,
        before=old_policies([("audit.log", _event(one)) for one in spec.get("before", [])]),
        nodes=spec.get("recording", ()),
    )
    decision = None
    if "decision" in spec:
        decision = _decision(spec["decision"])
    at = START + spec["policies_at"] * NS if "policies_at" in spec else flow.first
    if decision is None and not blind and not spec.get("no_replay", False):
        policies = compile_policies(
            snapshot,
            dialect=dialect,
            ip_block_pods=IpBlockPods(spec.get("ip_block_pods", "auto")),
            staged=spec.get("staged", False),
        )
        shape = flow.distinct
        decision = policies.evaluate(
            flow.src, flow.dst, shape.protocol, shape.port, icmp=shape.icmp, l7=shape.l7, at=at
        )
    return Case(context, flow, decision, at)


def _ref(text):
    """``Kind.group namespace/name`` of a literal decision."""
    kind, _, rest = text.partition(" ")
    kind, _, group = kind.partition(".")
    namespace, slash, name = rest.rpartition("/")
    return PolicyRef(kind, group, namespace if slash else None, name)


def _end(spec):
    if spec is None:
        return None
    decided = spec.get("decided_by")
    return EndDecision(
        allowed=spec["allowed"],
        isolated_by=tuple(_ref(one) for one in spec.get("isolated_by", [])),
        decided_by=DecidedBy(_ref(decided["policy"]), decided["rule"], decided["action"])
        if decided
        else None,
        nearest=tuple(
            NearestRule(
                policy=_ref(one["policy"]),
                rule=one["rule"],
                misses=tuple(Miss(Condition(c), wanted, found) for c, wanted, found in one["misses"]),
                unknown=tuple(one.get("unknown", [])),
            )
            for one in spec.get("nearest", [])
        ),
        unknown=tuple(spec.get("unknown", [])),
    )


def _decision(spec):
    """A decision as a case states it, where the rule is about more than an evaluator can show."""
    egress, ingress = _end(spec.get("egress")), _end(spec.get("ingress"))
    verdicts = [end.allowed for end in (egress, ingress) if end is not None]
    allowed = False if False in verdicts else None if None in verdicts else True
    return ConnectionDecision(allowed=allowed, egress=egress, ingress=ingress)


_ALLOWED = {"verdict": "allowed", "cause": None, "reason": None, "code": None}
