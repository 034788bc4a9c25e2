"""Parser of what Linkerd's proxies refused, by their log: by its authorization policies, by no NetworkPolicy.

Format: linkerd2-proxy's log, text and JSON (``LINKERD2_PROXY_LOG_FORMAT=json``), as Linkerd 2.11 to 2.19 writes it
(``linkerd/app/inbound/src/policy/{tcp,http}.rs``).  Its stamps count from the proxy's start, so the time is that of the
collector's wrapper; the line names no server but its port, so the pod is the one whose log it is.  What follows of the same
refusal (``unauthorized connection``, ``unauthorized request on route``) is not counted again; other lines are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    LineEnvelope,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Verdict,
    canonical_ip,
    decode,
    frame,
    integer_of,
    is_ip,
    iter_lines,
    json_object,
    object_of,
    port_number,
    split_address,
    text_of,
    unfinished_line,
)

__all__ = ["LinkerdProxy"]

_SAYINGS = (b"Connection denied", b"Request denied", b"Connection terminated due to policy change")
# "[    17.131056s]  INFO ThreadId(02) daemon:admin{listen.addr=0.0.0.0:4191}: linkerd_app_inbound::policy::authorize::http: Request
#  denied server=default:cluster-unauthenticated tls=None(NoClientHello) client=10.0.1.7:58456"                      2.11
# "[1892678.776921s]  INFO ThreadId(01) inbound:server{port=9090}: linkerd_app_inbound::policy::tcp: Connection denied
#  server.group=policy.linkerd.io server.kind=server server.name=admin tls=Some(...) client=10.2.76.70:52118"         2.12 and later
# "... linkerd_app_inbound::policy::http: Request denied server.group= server.kind=default server.name=deny route.group= route.kind=default
#  route.name=default client.tls=None(NoClientHello) client.ip=100.64.11.50"                                         2.12 and later
_TEXT = re.compile(
    rb"\[\s{0,12}\d{1,12}\.\d{6}s\]\s{1,4}[A-Z]{4,5} ThreadId\(\d{1,4}\) [^\n]{0,2000}?\blinkerd_"
)
# {"timestamp":"[551334.785723s]","level":"INFO","fields":{"message":"Connection denied",...},"target":"linkerd_app_inbound::policy::tcp",
#  "spans":[{"name":"inbound"},{"port":8443,"name":"server"}],"threadId":"ThreadId(1)"}
_JSON = re.compile(rb'\{"timestamp":"\[\s{0,12}\d{1,12}\.\d{6}s\]","level":"[A-Z]{4,5}","fields":\{')
_POLICY = "linkerd_app_inbound::policy"
# "... linkerd_app_inbound::policy::tcp: Connection terminated due to policy change server.group=... client=10.2.76.70:52118"   2.12 and later:
# it was open when somebody changed the policy
_LINE = re.compile(
    rf"\b{_POLICY}(?:::\w{{1,20}}){{0,3}}: (?P<said>(?:Connection|Request) denied|Connection terminated due to policy change)(?: |$)"
)
_SPAN = re.compile(r"\bserver\{port=(?P<port>\d{1,5})\}|\blisten\.addr=\S{1,60}?:(?P<own>\d{1,5})\}")
_PAIR = re.compile(r"(?:^|\s)((?:server|client|route)(?:\.[a-z]{2,8})?)=(\S{0,400})")
_GROUP = "policy.linkerd.io"


class LinkerdProxy:
    """Connections and requests that Linkerd's Servers, routes and default policies refused."""

    name: ClassVar[str] = "linkerd-proxy"
    summary: ClassVar[str] = "Linkerd proxy log: connections refused by mesh policies (not a NetworkPolicy)"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    passes_over: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """Its stamps and targets are a mark, whatever became of the connections."""
        if b"linkerd_" not in head:
            return 0.0
        return 0.95 if _TEXT.search(head) is not None or _JSON.search(head) is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Every refusal says so."""
        del head
        return _SAYINGS

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per refusal."""
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            if not any(words in line for words in _SAYINGS):
                continue
            around, text = block.of_line(index), decode(line)
            record = json_object(line) if line.lstrip()[:1] == b"{" else None
            if record is not None:
                if (text_of(record, "target") or "").startswith(_POLICY):
                    fields = object_of(record, "fields")
                    yield _flow(text_of(fields, "message"), fields, _port_of(record), around, context, text)
                continue
            found = _LINE.search(text)
            if found is None:
                continue
            spans = list(_SPAN.finditer(text, 0, found.start()))
            port = port_number(spans[-1]["port"] or spans[-1]["own"]) if spans else None
            fields = dict(_PAIR.findall(text, found.end() - 1))
            if index == cut and fields:
                _cut_last(fields)
            yield _flow(found["said"], fields, port, around, context, text)


def _cut_last(fields: dict[str, str]) -> None:
    """Take away what a line that may have been cut off says last; of ``client=10.0.1.7:584`` the address is whole."""
    key, value = fields.popitem()
    host, colon, _ = value.rpartition(":")
    if key == "client" and colon and is_ip(host.strip("[]")):
        fields[key] = host.strip("[]")


def _port_of(record: dict[str, Any]) -> int | None:
    """The called port, by the spans around a line in JSON."""
    spans = record.get("spans")
    for span in reversed(spans) if isinstance(spans, list) else ():
        if isinstance(span, dict):
            number = integer_of(span, "port")
            listens = text_of(span, "listen.addr")
            if number is not None:
                return port_number(str(number))
            if listens is not None:
                return split_address(listens)[1]
    return None


def _flow(
    said: str | None,
    fields: dict[str, Any],
    port: int | None,
    around: LineEnvelope,
    context: ParseContext,
    text: str,
) -> Event:
    shared = frame(around, context, text)
    client = text_of(fields, "client", "client.ip")
    host, sport = (
        (None, None) if client is None else (client, None) if is_ip(client) else split_address(client)
    )
    if host is None or not is_ip(host):
        return ParseWarning(**shared, code="truncated", message="the refused client is cut off")
    return FlowEvent(
        **shared,
        src=Peer(ip=canonical_ip(host), port=sport),
        dst=Peer(
            port=port,
            namespace=around.namespace or context.namespace,
            pod=around.pod or context.pod,
        ),
        protocol="TCP",
        direction=Direction.INGRESS,
        verdict=Verdict.DENIED,
        verdict_raw=said,
        # Every network policy let the connection through, as far as the pod's proxy.
        cause=Cause.CONFIGURATION,
        reason="mesh-authorization-policy",
        reason_raw=_server(fields),
        policies=_hits(fields, around.namespace or context.namespace),
    )


def _server(fields: dict[str, Any]) -> str | None:
    """``server/admin`` or ``default/deny``, as Linkerd's metrics name them; in 2.11 ``default:deny``."""
    name = text_of(fields, "server.name")
    kind = text_of(fields, "server.kind")
    return f"{kind}/{name}" if kind and name else text_of(fields, "server")


def _hits(fields: dict[str, Any], namespace: str | None) -> tuple[PolicyHit, ...]:
    """The Server that nothing authorized the client for; a default policy is no object."""
    kind, name = text_of(fields, "server.kind"), text_of(fields, "server.name")
    if kind != "server" or not name:
        return ()
    return (
        PolicyHit(
            kind="Server",
            group=_GROUP,
            namespace=namespace,
            name=name,
            effect="no-match",
            raw=f"{kind}/{name}",
        ),
    )
