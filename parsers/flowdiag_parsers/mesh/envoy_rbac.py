"""Parser of RBAC refusals in Envoy's access log, as Istio writes it: refused, but by no NetworkPolicy.

Format: Envoy's default text access log and Istio's default (istio/istio ``pkg/bootstrap``), and JSON access logs with the same
operators as keys.  Only refusals by RBAC are read; other requests say nothing about network policies and are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from flowdiag.parserkit import (
    L7,
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    Frame,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Verdict,
    canonical_ip,
    decode,
    frame,
    instant_of,
    integer_of,
    iter_lines,
    json_object,
    split_address,
    text_of,
    unfinished_line,
)

__all__ = ["EnvoyRbac"]

_MARK = b"rbac_access_denied_matched_policy["
# '[2026-10-09T08:05:55.932Z] "GET /status/200 HTTP/1.1" 403 - rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]] - "-" 0 19 0 - ...
#  "probe:8000" "-" inbound|8080|| - 10.244.0.14:8080 10.244.0.12:54616 outbound_.8000_._.probe.a.svc.cluster.local default'   Istio 1.2x
# '[2026-10-09T08:05:55.932Z] "- - -" 0 - - rbac_access_denied_matched_policy[none] "-" 0 0 ...'   a TCP connection
_HEAD = re.compile(
    r"\[(?P<at>[^\]\s]{20,40})\] \"(?P<method>\S{1,20}) (?P<path>[^\"\s]{1,4000}) (?P<proto>[^\"\s]{1,20})\" (?P<code>\d{1,3})"
)
_POLICY = re.compile(
    r"rbac_access_denied_matched_policy\[(?:none|(?P<known>ns\[(?P<ns>[^\[\]]{0,63})\]-policy\[(?P<name>[^\[\]]{0,253})\]-rule\[(?P<rule>\d{1,6})\])|(?P<other>[^\]]{1,300}))\]"
)
# The two addresses after the upstream cluster are the server's own and the client's; the client's port may be 0.
_ENDS = re.compile(
    r" (?:inbound\|(?P<port>\d{1,5})\|[^|\s]{0,80}\|[^|\s]{0,200}|\S{1,200}) (?P<up>[^\s|]{1,64}) (?P<local>\[?[0-9A-Fa-f.:]{2,45}\]?:\d{1,5})"
    r" (?P<remote>\[?[0-9A-Fa-f.:]{2,45}\]?:\d{1,5})(?: |$)"
)


class EnvoyRbac:
    """Requests and connections that an AuthorizationPolicy refused."""

    name: ClassVar[str] = "envoy-rbac"
    summary: ClassVar[str] = "Istio/Envoy access log: RBAC refusals (not a NetworkPolicy)"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """The response's details are a mark."""
        return 0.95 if _MARK in head else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Every refusal by RBAC says so."""
        del head
        return (_MARK,)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per refusal."""
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            if _MARK not in line:
                continue
            around = block.of_line(index)
            text = decode(line)
            record = json_object(line) if line.lstrip()[:1] == b"{" else None
            if record is not None:
                yield _from_json(
                    record, frame(around, context, text, instant_of(text_of(record, "start_time")))
                )
                continue
            head = _HEAD.search(text, 0, 400)
            shared = frame(around, context, text, instant_of(head["at"]) if head is not None else None)
            policy = _POLICY.search(text)
            ends = _ENDS.search(text, policy.end()) if policy is not None else None
            if policy is None or ends is None:
                yield ParseWarning(**shared, code="truncated", message="the refused request is cut off")
                continue
            request = head.groupdict() if head is not None and head["method"] != "-" else None
            remote = ends["remote"]
            if index == cut and ends.end() == len(text):
                remote = remote.rpartition(":")[0] + ":0"  # a port of which digits may be missing
            yield _flow(shared, policy, remote, ends["local"], request)


def _from_json(record: dict[str, Any], shared: Frame) -> Event:
    # {"response_code":403,"response_code_details":"rbac_access_denied_matched_policy[none]","downstream_remote_address":"10.244.1.1:0",
    #  "downstream_local_address":"10.244.1.9:80","upstream_cluster":"inbound|80||","method":"GET","path":"/","start_time":"..."}   Istio 1.2x
    details = text_of(record, "response_code_details", "connection_termination_details") or ""
    policy = _POLICY.search(details)
    if policy is None:
        policy = _POLICY.search(text_of(record, "connection_termination_details") or "")
    remote = text_of(record, "downstream_remote_address")
    local = text_of(record, "downstream_local_address", "upstream_host")
    if policy is None or remote is None or local is None:
        return ParseWarning(**shared, code="malformed-flow", message="addresses or the policy are missing")
    request = None
    method = text_of(record, "method")
    if method is not None:
        code = integer_of(record, "response_code")
        request = {
            "method": method,
            "path": text_of(record, "path"),
            "proto": text_of(record, "protocol"),
            "code": str(code) if code is not None else None,
        }
    return _flow(shared, policy, remote, local, request)


def _flow(
    shared: Frame, policy: re.Match[str], remote: str, local: str, request: dict[str, str | None] | None
) -> FlowEvent:
    return FlowEvent(
        **shared,
        src=_end(remote),
        dst=_end(local),
        protocol="TCP",
        direction=Direction.INGRESS,
        verdict=Verdict.DENIED,
        verdict_raw=policy[0],
        # The connection was let through by every network policy: the proxy beside the pod refused it.
        cause=Cause.CONFIGURATION,
        reason="mesh-authorization-policy",
        l7=_request(request),
        policies=_hits(policy),
    )


def _request(request: dict[str, str | None] | None) -> L7 | None:
    if request is None:
        return None
    code = request["code"]
    return L7(
        kind="http",
        type="response",
        method=request["method"],
        url=request["path"],
        protocol=request["proto"],
        code=int(code) if code else None,
    )


def _hits(policy: re.Match[str]) -> tuple[PolicyHit, ...]:
    """``none``: an ALLOW policy isolates the workload and nothing matched; which one is not said."""
    if policy["known"] is None:
        return ()
    return (
        PolicyHit(
            kind="AuthorizationPolicy",
            group="security.istio.io",
            namespace=policy["ns"] or None,
            name=policy["name"] or None,
            rule=policy["rule"],
            effect="deny",
            raw=policy["known"],
        ),
    )


def _end(text: str) -> Peer:
    host, port = split_address(text)
    return Peer(ip=canonical_ip(host), port=port or None)
