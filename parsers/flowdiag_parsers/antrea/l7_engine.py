"""Parser of what Antrea's L7 engine (Suricata) refuses and answers, ``/var/log/antrea/networkpolicy/l7engine/eve-DATE.json``.

Format: antrea-io/antrea ``docs/antrea-l7-network-policy.md`` since v1.12 and Suricata's EVE JSON, one object a line.  An
``alert`` is a refused request and names its policy, but neither the rule nor the side that it stands on; an ``http`` object
with a status is an answered request.  Packets (``packet``) repeat what the alert of their flow says, and are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from flowdiag.parserkit import (
    L7,
    Block,
    Cause,
    Event,
    FlowEvent,
    Frame,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Verdict,
    canonical_ip,
    frame,
    instant_of,
    integer_of,
    json_lines,
    object_of,
    port_number,
    protocol_name,
    seek,
    text_of,
)

__all__ = ["AntreaL7Engine"]

# {"timestamp":"2024-09-05T22:49:24.788756+0000","flow_id":1,"in_iface":"antrea-l7-tap0","event_type":"alert","src_ip":"10.10.1.4",
#  "src_port":45034,"dest_ip":"10.10.1.3","dest_port":80,"proto":"TCP","alert":{"action":"blocked","signature":
#  "Reject by AntreaNetworkPolicy:shop/allow-admin",...},"app_proto":"http","direction":"to_server",...}          v2.2
_SNIFF = re.compile(
    rb'"in_iface"\s{0,4}:\s{0,4}"antrea-l7-|"signature"\s{0,4}:\s{0,4}"Reject by Antrea\w{0,30}NetworkPolicy:'
)
_SIGNATURE = re.compile(r"Reject by (?P<ref>(?P<kind>\w{1,40}):(?P<name>\S{1,320}))")
_KINDS = {
    "AntreaNetworkPolicy": "NetworkPolicy",
    "AntreaClusterNetworkPolicy": "ClusterNetworkPolicy",
}
_REPLY = {"to_server": False, "to_client": True}


class AntreaL7Engine:
    """Requests that rules with `l7Protocols` of Antrea's policies refused, and those that were answered."""

    name: ClassVar[str] = "antrea-l7"
    summary: ClassVar[str] = "Antrea L7 engine log (Suricata's eve.json): refused and answered requests"
    cni: ClassVar[str | None] = "antrea"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """The interface that Antrea feeds Suricata through, or the text of its rules."""
        return 0.96 if seek(_SNIFF, head, b"antrea-l7-", b"Reject by Antrea") is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """A refusal is an alert of a rule that Antrea wrote."""
        del head
        return (b"Reject by ",)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per refused or answered request."""
        for line in json_lines(block, context, b'"event_type"'):
            if isinstance(line, ParseWarning):
                yield line
                continue
            record, around, text = line
            kind = text_of(record, "event_type")
            alert = object_of(record, "alert")
            answered = kind == "http" and integer_of(object_of(record, "http"), "status") is not None
            signature = _SIGNATURE.match(text_of(alert, "signature") or "") if kind == "alert" else None
            if answered or signature is not None:
                shared = frame(around, context, text, instant_of(text_of(record, "timestamp")))
                yield _flow(record, alert, signature, shared)


def _flow(
    record: dict[str, Any], alert: dict[str, Any], signature: re.Match[str] | None, shared: Frame
) -> Event:
    src, dst = text_of(record, "src_ip"), text_of(record, "dest_ip")
    if src is None or dst is None:
        return ParseWarning(**shared, code="malformed-flow", message="the request's addresses are missing")
    # A rule that only alerts writes "allowed": Antrea writes none, people may.
    action = text_of(alert, "action")
    refused = signature is not None and action == "blocked"
    verdict = Verdict.ALLOWED if signature is None else Verdict.DENIED if refused else Verdict.LOGGED
    return FlowEvent(
        **shared,
        src=Peer(ip=canonical_ip(src), port=port_number(integer_of(record, "src_port"))),
        dst=Peer(ip=canonical_ip(dst), port=port_number(integer_of(record, "dest_port"))),
        protocol=protocol_name(text_of(record, "proto") or "") or None,
        verdict=verdict,
        verdict_raw=action or "http",
        cause=Cause.POLICY if refused else None,
        reason="l7-rule-unmatched" if refused else None,
        reason_raw=signature[0] if signature is not None else None,
        is_reply=_REPLY.get(text_of(record, "direction") or ""),
        l7=_request(record, answered=signature is None),
        policies=(_hit(signature, refused=refused),) if signature is not None else (),
    )


def _request(record: dict[str, Any], *, answered: bool) -> L7:
    """What was asked for; of TLS the name of the server.  Suricata calls a protocol that it does not know ``failed``."""
    http = object_of(record, "http")
    tls = object_of(record, "tls")
    kind = text_of(record, "app_proto") or ("http" if http else "tls" if tls else "unknown")
    kind = "unknown" if kind == "failed" else kind
    return L7(
        kind=kind,
        type="response" if answered else "request",
        method=text_of(http, "http_method"),
        url=text_of(http, "url"),
        protocol=text_of(http, "protocol"),
        code=integer_of(http, "status"),
        summary=text_of(tls, "sni"),
    )


def _hit(signature: re.Match[str], *, refused: bool) -> PolicyHit:
    """The policy whose rule took the connection and does not match the request inside it."""
    namespace, slash, bare = signature["name"].partition("/")
    return PolicyHit(
        kind=_KINDS.get(signature["kind"], signature["kind"]),
        group="crd.antrea.io" if signature["kind"] in _KINDS else None,
        namespace=namespace if slash else None,
        name=bare if slash else signature["name"],
        effect="deny" if refused else "log",
        raw=signature["ref"],
    )
