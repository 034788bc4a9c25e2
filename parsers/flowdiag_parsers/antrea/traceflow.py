"""Parser of Antrea's Traceflows: what became of one packet that somebody had sent, or picked out of the traffic.

Format: ``Traceflow`` of ``ops.antrea.tanzu.vmware.com/v1alpha1`` and ``crd.antrea.io/v1alpha1`` and ``v1beta1``
(``pkg/apis/crd/v1beta1/types.go``, v0.8 to v2.7), as ``kubectl get traceflow -o yaml`` gives them; a line of JSON each.
Drops by NetworkPolicies stand in np.log only of namespaces with logging, so reports of lost traffic hold a Traceflow instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    Frame,
    LogEvent,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Verdict,
    canonical_ip,
    chosen_objects,
    frame,
    instant_of,
    integer_of,
    object_of,
    port_number,
    protocol_name,
    text_of,
)
from flowdiag_parsers.antrea.np_log import POLICIES

__all__ = ["AntreaTraceflow"]

_SNIFF = re.compile(
    rb'\{"(?:kind"\s?:\s?"Traceflow"|apiVersion"\s?:\s?"[a-z.]{1,40}/v\d\w{0,8}",\s?"kind"\s?:\s?"Traceflow")'
)
_MARK = re.compile(rb'"Traceflow"')
_DENIED = ("Dropped", "Rejected")
_ARRIVED = ("Delivered", "ForwardedOutOfOverlay", "ForwardedOutOfNetwork", "ForwardedToEgressNode")
_BY_POLICY = "NetworkPolicy"
# "IngressDefaultRule", "EgressMetric"; of older tables "AntreaPolicyIngressRule"
_WAYS = (("Ingress", Direction.INGRESS), ("Egress", Direction.EGRESS))
_SECOND = 1_000_000_000
_NUMBERS = {"tcp": "TCP", "udp": "UDP", "icmp": "ICMP"}


class AntreaTraceflow:
    """What became of packets that were traced through Antrea's pipeline."""

    name: ClassVar[str] = "antrea-traceflow"
    summary: ClassVar[str] = "Antrea's Traceflows: refused, with the policy or the default rule, or delivered"
    cni: ClassVar[str | None] = "antrea"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """Lines that are Traceflows.  Those in a list, or in YAML, are written so before (`flowdiag.ingest.events_apart`).

        One without a result is an object like others.
        """
        first = head.lstrip()
        return 0.95 if _SNIFF.match(first) is not None and b'"observations"' in first else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per Traceflow that came to an end, else a message."""
        for line in chosen_objects(block, context, _MARK.search, "Traceflow"):
            if isinstance(line, ParseWarning):
                yield line
                continue
            record, around, text = line
            status = object_of(record, "status")
            results = [one for one in _list(status, "results") if isinstance(one, dict)]
            seen = [
                (one, seen)
                for one in results
                for seen in _list(one, "observations")
                if isinstance(seen, dict)
            ]
            end = _last(seen)
            shared = frame(
                around, context, text, _instant(record, end[0] if end is not None else None), node=_node(end)
            )
            if end is None:
                name = text_of(object_of(record, "metadata"), "name") or "?"
                phase = text_of(status, "phase") or "without a result"
                said = f"Traceflow {name}: {phase}. {text_of(status, 'reason') or ''}".strip()
                yield LogEvent(
                    **shared, level=None, component="traceflow", message=said[:2000], fields={}, signal=None
                )
                continue
            yield _flow(record, end[1], [one for _, one in seen], shared)


def _list(record: dict[str, Any], key: str) -> Sequence[Any]:
    found = record.get(key)
    return found if isinstance(found, list) else ()


_Seen = tuple[dict[str, Any], dict[str, Any]]
"""A node's result, and one of its observations."""


def _last(seen: list[_Seen]) -> _Seen | None:
    """What became of the packet: where it was dropped, or else where it arrived; `None` where neither was seen."""
    for actions in (_DENIED, _ARRIVED):
        found = next((one for one in seen if text_of(one[1], "action") in actions), None)
        if found is not None:
            return found
    return None


def _node(end: _Seen | None) -> str | None:
    return None if end is None else text_of(end[0], "node")


def _instant(record: dict[str, Any], result: dict[str, Any] | None) -> int | None:
    second = integer_of(result, "timestamp") if result is not None else None
    if second is not None and 0 < second < 1 << 33:
        return second * _SECOND
    return instant_of(text_of(object_of(record, "status"), "startTime")) or instant_of(
        text_of(object_of(record, "metadata"), "creationTimestamp")
    )


def _flow(record: dict[str, Any], end: dict[str, Any], seen: list[dict[str, Any]], shared: Frame) -> Event:
    spec, captured = object_of(record, "spec"), object_of(object_of(record, "status"), "capturedPacket")
    packet = object_of(spec, "packet")
    protocol, sport, dport = _transport(captured, packet)
    source, target = object_of(spec, "source"), object_of(spec, "destination")
    denied = text_of(end, "action") in _DENIED
    info = text_of(end, "componentInfo") or ""
    of_policy = text_of(end, "component") == _BY_POLICY
    if denied:
        direction = next((way for word, way in _WAYS if word in info), None) if of_policy else None
    else:
        direction = Direction.INGRESS if text_of(end, "action") == "Delivered" else Direction.EGRESS
    hits = [hit for one in seen if (hit := _hit(one, direction)) is not None]
    named = any(hit.effect == "deny" and hit.group != "networking.k8s.io" for hit in hits)
    service = text_of(target, "service")
    return FlowEvent(
        **shared,
        src=Peer(
            ip=_ip(captured, "srcIP") or _ip(source, "ip") or _ip(packet, "srcIP"),
            port=sport,
            namespace=text_of(source, "namespace"),
            pod=text_of(source, "pod"),
        ),
        # Of a Service the backend is chosen, and the port translated, where the objects are known.
        dst=Peer(port=dport, service=f"{text_of(target, 'namespace') or 'default'}/{service}")
        if service is not None
        else Peer(
            ip=_ip(captured, "dstIP") or _ip(target, "ip") or _ip(packet, "dstIP"),
            port=dport,
            namespace=text_of(target, "namespace"),
            pod=text_of(target, "pod"),
        ),
        protocol=protocol,
        direction=direction,
        verdict=Verdict.DENIED if denied else Verdict.ALLOWED,
        verdict_raw=text_of(end, "action"),
        cause=(Cause.POLICY if of_policy else Cause.FAULT) if denied else None,
        reason=(("policy-rule-denied" if named else "default-deny") if of_policy else "antrea-pipeline")
        if denied
        else None,
        reason_raw=" ".join(filter(None, (text_of(end, "component"), info))) or None,
        policies=tuple(hits),
    )


def _ip(record: dict[str, Any], key: str) -> str | None:
    text = text_of(record, key)
    return canonical_ip(text) if text else None


def _transport(captured: dict[str, Any], packet: dict[str, Any]) -> tuple[str | None, int | None, int | None]:
    """Protocol, source port and destination port, of the packet that was picked or else of what was asked for."""
    for one in (captured, packet):
        header = object_of(one, "transportHeader")
        for key, name in _NUMBERS.items():
            if isinstance(header.get(key), dict):
                ports = object_of(header, key)
                return name, _port(ports, "srcPort"), _port(ports, "dstPort")
    for one in (captured, packet):
        number = integer_of(object_of(one, "ipHeader"), "protocol") or integer_of(
            object_of(one, "ipv6Header"), "nextHeader"
        )
        if number:
            return protocol_name(str(number)), None, None
    # What is not told is an echo request.
    return "ICMP", None, None


def _port(ports: dict[str, Any], key: str) -> int | None:
    number = integer_of(ports, key)
    return port_number(str(number)) if number else None


def _hit(seen: dict[str, Any], direction: Direction | None) -> PolicyHit | None:
    """The policy of an observation in the direction that the record is about."""
    ref, info = text_of(seen, "networkPolicy"), text_of(seen, "componentInfo") or ""
    if ref is None or next((way for word, way in _WAYS if word in info), None) is not direction:
        return None
    kind, _, name = ref.partition(":")
    if kind not in POLICIES or not name:
        return None
    namespace, slash, bare = name.rpartition("/")
    denies = text_of(seen, "action") in _DENIED
    return PolicyHit(
        kind=POLICIES[kind][0],
        group=POLICIES[kind][1],
        namespace=namespace or None,
        name=bare if slash else name,
        rule="default-deny" if denies and kind == "K8sNetworkPolicy" else text_of(seen, "networkPolicyRule"),
        effect="deny" if denies else "allow",
        raw=ref,
    )
