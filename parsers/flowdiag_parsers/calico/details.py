"""What the fields of a signal hold that other rooms want by name: durations, policies, pods."""

from __future__ import annotations

import re

from flowdiag.parserkit import ObjectRef
from flowdiag_parsers.calico.policy_names import kind_ref, named_policy
from flowdiag_parsers.calico.record import duration_ms

__all__ = ["SLOW_LOOP_MS", "loop_summary", "updated_policy", "workload"]

SLOW_LOOP_MS = 5000.0
"""From here a reconciliation loop is slow: a new pod or policy waits that long to be programmed."""

# Felix v3.20 and later: "Summarising 11 dataplane reconciliation loops over 1m4.5s: avg=11ms longest=38ms (resync-filter-v4,...)"
_SUMMARY = re.compile(
    r"Summarising (?P<count>\d{1,9}) (?P<loop>.{1,80}?)s? over (?P<over>[\d.a-zµ]{1,30}): "
    r"avg=(?P<avg>[\d.a-zµ]{1,30}) longest=(?P<longest>[\d.a-zµ]{1,30})(?: \((?P<ops>[^)]{0,2000})\))?"
)

# up to v3.29 'id:<tier:"default" name:"shop/default.web" > policy:<...', v3.30+ 'id:{tier:"default"  name:"..."}',
# v3.32+ 'id:{name:"web"  namespace:"shop"  kind:"NetworkPolicy"}'.  protobuf puts one or two blanks at random.
_ID = re.compile(r'id: ?[<{](?P<inside>(?: {0,3}[a-z_]{1,20}: ?"[^"]{0,300}"){1,4}) {0,2}[>}]')
_PAIR = re.compile(r'([a-z_]{1,20}): ?"([^"]{0,300})"')

# An endpoint as Go struct, as Stringer and as protobuf text:
# proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"}    v3.14 and later
# WorkloadEndpoint(node=node-1, orchestrator=k8s, workload=shop/web-0, name=eth0)                v3.14 and later
# id:<orchestrator_id:"k8s" workload_id:"shop/web-0" endpoint_id:"eth0" >                        up to v3.29
_WORKLOAD = re.compile(
    r'(?:WorkloadId:"|workload_id: ?"|workload=)(?P<ns>[a-z0-9-]{1,63})/(?P<pod>[a-z0-9.-]{1,253})'
)


def loop_summary(message: str) -> dict[str, str] | None:
    """Durations of a heartbeat in milliseconds, as text: ``loops``, ``over_ms``, ``avg_ms``, ``longest_ms``."""
    match = _SUMMARY.match(message)
    if match is None:
        return None
    found = {"loop": match["loop"], "loops": match["count"]}
    for key in ("over", "avg", "longest"):
        value = duration_ms(match[key])
        if value is not None:
            found[f"{key}_ms"] = f"{value:g}"
    if match["ops"]:
        found["operations"] = match["ops"]
    return found


def updated_policy(msg: str) -> tuple[ObjectRef, str | None] | None:
    """The object and the tier of ``msg=id:{...}`` in an ActivePolicyUpdate or -Remove."""
    match = _ID.match(msg)
    if match is None:
        return None
    pairs = dict(_PAIR.findall(match["inside"]))
    name = pairs.get("name")
    if not name:
        return None
    tier = pairs.get("tier")
    if "kind" in pairs:
        known = kind_ref(pairs["kind"], calico_network_policy="NetworkPolicy")
        if known is None:
            return None
        return ObjectRef(known[0], known[1], pairs.get("namespace") or None, name), tier
    ref = named_policy(tier, name)
    return (ref, tier) if ref is not None else None


def workload(text: str) -> tuple[str, str] | None:
    """Namespace and pod of the endpoint that a record speaks of."""
    match = _WORKLOAD.search(text)
    return (match["ns"], match["pod"]) if match else None
