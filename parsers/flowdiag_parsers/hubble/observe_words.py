"""What the words of ``hubble observe`` mean: ends, types, verdicts and summaries, whatever the printer.

Format: hubble/pkg/printer/printer.go and formatter.go of Cilium 1.19; older spellings from dated issues.
Nothing here knows how a printer arranges them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from flowdiag.parserkit import (
    L7,
    POLICY_GROUPS,
    RESERVED_IDENTITIES,
    Cause,
    Direction,
    Icmp,
    Peer,
    PolicyHit,
    Verdict,
    Witness,
    icmp_from_name,
    is_mac,
    reason_by_code,
    reason_by_text,
    split_address,
)

__all__ = [
    "VERDICTS",
    "Kind",
    "Summary",
    "believed",
    "read_end",
    "read_kind",
    "read_summary",
    "split_identity",
]

VERDICTS: dict[str, Verdict] = {
    "FORWARDED": Verdict.ALLOWED,
    "ALLOWED": Verdict.ALLOWED,
    "DROPPED": Verdict.DENIED,
    "DENIED": Verdict.DENIED,
    "AUDIT": Verdict.AUDITED,
    "AUDITED": Verdict.AUDITED,
    "REDIRECTED": Verdict.REDIRECTED,
    "ERROR": Verdict.ERROR,
    "TRACED": Verdict.UNKNOWN,
    "TRANSLATED": Verdict.UNKNOWN,
    "VERDICT_UNKNOWN": Verdict.UNKNOWN,
}
"""Verdict words; ALLOWED, DENIED and AUDITED stand on policy verdict lines (hubble 0.9 and later)."""

MATCHES = frozenset({"none", "L3-Only", "L3-L4", "L4-Only", "all", "L3-Proto", "Proto-Only"})
"""Match types; before hubble 0.8 they stand alone where ``policy-verdict:MATCH`` stands now."""

_RESERVED = {word: number for number, word in RESERVED_IDENTITIES.items()}

_EFFECTS = {Verdict.DENIED: "deny", Verdict.AUDITED: "deny"}

# e.g. "my-policy (CiliumNetworkPolicy), my-policy-2 (CiliumClusterwideNetworkPolicy)"   --print-policy-names, 1.19
_POLICY = re.compile(r"([^\s(),]{1,253})(?: \(([A-Za-z]{1,63})\))?")

# "IP Trace ID: 1234; TCP Flags: SYN"   1.19
_TRACE_ID = re.compile(r"IP Trace ID: \d{1,20}; ")
# "TCP Flags: SYN; Auth: SPIRE"         1.14
_AUTH = re.compile(r"; Auth: ([A-Z_]{1,30})$")
# e.g. "HTTP/1.1 PUT http://deathstar.default.svc.cluster.local/v1/exhaust-port"
_HTTP_REQUEST = re.compile(r"(HTTP/[\d.]{1,5}) ([A-Z]{1,20}) (.*)")
# e.g. "HTTP/1.1 403 0ms (PUT http://deathstar.default.svc.cluster.local/v1/exhaust-port)"
_HTTP_RESPONSE = re.compile(r"(HTTP/[\d.]{1,5}) (\d{3}) (\d{1,12})ms \(([A-Z]{1,20}) (.*)\)")
# "DNS Query google.com. AAAA"
_DNS_QUERY = re.compile(r"DNS Query (\S{1,255}) (\S{1,100})")
# e.g. 'DNS Answer "172.217.0.46" TTL: 30 (Query google.com. A)'
# e.g. 'DNS Answer RCode: Non-Existent Domain TTL: 4294967295 (Proxy a.svc.cluster.local. A)'
_DNS_ANSWER = re.compile(r"DNS Answer (.*) ?\((?:Query|Proxy|[A-Za-z]{1,20}) (\S{1,255}) (\S{1,100})\)")
_DNS_IPS = re.compile(r'^"([^"]*)"')
_DNS_TTL = re.compile(r"TTL: (\d{1,10})")
_DNS_CNAMES = re.compile(r'CNAMEs: "([^"]*)"')
_DNS_RCODE = re.compile(r"RCode: ([A-Za-z][A-Za-z -]{1,60}?) ?(?:TTL:|CNAMEs:|$)")
_RCODES = {
    "No Error": 0,
    "Format Error": 1,
    "Server Failure": 2,
    "Non-Existent Domain": 3,
    "Not Implemented": 4,
    "Query Refused": 5,
}


class Kind(Struct, frozen=True):
    """What type, verdict and policy names say together."""

    verdict: Verdict
    cause: Cause | None
    reason: str | None
    reason_code: int | None
    reason_raw: str | None
    direction: Direction | None
    witness: Witness | None
    policies: tuple[PolicyHit, ...]


class Summary(Struct, frozen=True):
    """What a summary says."""

    protocol: str | None
    tcp_flags: tuple[str, ...] | None
    icmp: Icmp | None
    l7: L7 | None
    authenticated: bool


# e.g. "default/xwing:80 (ID:22654)", "192.0.2.1:443 (world)"   the compact printer; no other writes it by 1.19
_IDENTITY = re.compile(r"(\S.{0,4000}?) \((ID:\d{1,10}|[a-z][a-z0-9-]{0,40})\)")


def split_identity(text: str) -> tuple[str, str | None]:
    """An end's text and identity as `read_end` takes them, where a column may hold both."""
    match = _IDENTITY.fullmatch(text) if text.endswith(")") else None
    return (text, None) if match is None else (match[1], match[2])


@lru_cache(maxsize=16_384)
def read_end(text: str, identity: str | None) -> Peer:
    """``default/xwing:80`` with ``ID:22654`` or ``world``.

    A name with a slash is kept as a pod, as recorded; a Service can stand there too (``--ip-translation``).
    A name without one is what DNS gave for the address.
    """
    host, port = split_address(text)
    number: int | None = None
    entity: str | None = None
    if identity is not None:
        if identity.startswith("ID:"):
            number = int(identity[3:]) or None
            entity = None if number is None else RESERVED_IDENTITIES.get(number)
        else:
            number = _RESERVED.get(identity)
            entity = identity if identity != "unknown" else None
    if "/" in host:
        namespace, _, pod = host.partition("/")
        return Peer(namespace=namespace or None, pod=pod or None, port=port, identity=number, entity=entity)
    if is_mac(host):
        return Peer(mac=host.lower(), port=port, identity=number, entity=entity)
    if not host:
        return Peer(port=port, identity=number, entity=entity)
    if ":" in host or host.replace(".", "").isdigit():
        return Peer(ip=_canonical(host), port=port, identity=number, entity=entity)
    return Peer(dns_names=tuple(host.split(",")), port=port, identity=number, entity=entity)


def _canonical(host: str) -> str:
    return host[7:] if host.lower().startswith("::ffff:") and "." in host else host.lower()


@lru_cache(maxsize=4096)
def read_kind(text: str, word: str, by: str | None, authenticated: bool) -> Kind:
    """``policy-verdict:none EGRESS`` with ``DENIED``, ``Policy denied`` with ``DROPPED``, ``to-endpoint`` ...

    A verdict line carries no reason of its own, but its match does: nothing matched is a default deny
    (133), a match is a deny rule (181), or authentication (189) where the summary speaks of it.  Policies
    that a default deny names isolate the end; no rule of theirs denies.
    """
    verdict = VERDICTS[word]
    match, _, rest = text.removeprefix("policy-verdict:").partition(" ")
    defaulted = match == "none" and verdict is Verdict.DENIED
    policies = (
        () if by is None else _policies(by, "no-match" if defaulted else _EFFECTS.get(verdict, "allow"))
    )
    if match in MATCHES and (text.startswith("policy-verdict:") or not rest):
        direction = Direction(rest.lower()) if rest in {"INGRESS", "EGRESS"} else None
        if verdict is not Verdict.DENIED:
            return Kind(verdict, None, None, None, None, direction, Witness.VERDICT, policies)
        code = 133 if match == "none" else 189 if authenticated else 181
        reason = reason_by_code(code)
        name = reason.name if reason else None
        return Kind(verdict, Cause.POLICY, name, code, None, direction, Witness.VERDICT, policies)
    if word != "DROPPED":
        return Kind(verdict, None, None, None, None, None, None, policies)
    if text.startswith(("http-", "dns-", "kafka-")):
        return Kind(verdict, Cause.POLICY, None, None, None, None, None, policies)
    code_only = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
    known = reason_by_text(text) if code_only is None else reason_by_code(code_only)
    if known is None:
        return Kind(verdict, None, None, code_only, text, None, Witness.DROP, policies)
    return Kind(verdict, known.cause, known.name, known.code, text, None, Witness.DROP, policies)


def _policies(by: str, effect: str) -> tuple[PolicyHit, ...]:
    return tuple(
        PolicyHit(name=name, kind=kind or None, group=POLICY_GROUPS.get(kind), effect=effect, raw=raw.strip())
        for raw in by.split(", ")
        for name, kind in _POLICY.findall(raw)[:1]
    )


_PROTOCOLS = frozenset({"ICMPv4", "ICMPv6", "IGMP", "SCTP", "TCP", "UDP", "VRRP"})


def believed(summary: str | None) -> str | None:
    """A summary that may be cut off: its protocol, or nothing where that is cut off; flags and codes may be missing."""
    if summary is None or summary in _PROTOCOLS:
        return summary
    word = summary.partition(" ")[0]
    return word if word in _PROTOCOLS and word != summary else None


@lru_cache(maxsize=8192)
def read_summary(text: str | None, kind: str) -> Summary:
    """``TCP Flags: SYN, ACK``, ``UDP``, ``ICMPv6 EchoRequest``, ``HTTP/1.1 GET http://...``; `kind` is the type column."""
    if not text:
        return Summary(None, None, None, None, authenticated=False)
    text = _TRACE_ID.sub("", text, count=1)
    auth = _AUTH.search(text)
    if auth is not None:
        text = text[: auth.start()]
    authenticated = auth is not None and auth[1] != "DISABLED"
    if text.startswith("TCP Flags: "):
        return Summary("TCP", tuple(text[11:].split(", ")), None, None, authenticated)
    protocol, _, rest = text.partition(" ")
    if protocol in {"ICMPv4", "ICMPv6"}:
        icmp = icmp_from_name(rest, v6=protocol == "ICMPv6")
        return Summary("ICMP" if protocol == "ICMPv4" else protocol, None, icmp, None, authenticated)
    if not rest:
        return Summary(text[:40], None, None, None, authenticated)
    return _l7(text, kind, authenticated)


def _l7(text: str, kind: str, authenticated: bool) -> Summary:
    way = "response" if "-response" in kind else "request" if "-request" in kind else None
    if match := _HTTP_RESPONSE.fullmatch(text):
        protocol, code, ms, method, url = match.groups()
        l7 = L7(
            kind="http",
            type=way or "response",
            protocol=protocol,
            code=int(code),
            method=method,
            url=url,
            latency_ns=int(ms) * 1_000_000,
        )
        return Summary("TCP", None, None, l7, authenticated)
    if match := _HTTP_REQUEST.fullmatch(text):
        protocol, method, url = match.groups()
        l7 = L7(kind="http", type=way or "request", protocol=protocol, method=method, url=url)
        return Summary("TCP", None, None, l7, authenticated)
    if match := _DNS_ANSWER.fullmatch(text):
        return Summary(
            None, None, None, _answer(match[1], match[2], match[3], way or "response"), authenticated
        )
    if match := _DNS_QUERY.fullmatch(text):
        l7 = L7(kind="dns", type=way or "request", query=_name(match[1]), qtypes=tuple(match[2].split(",")))
        return Summary(None, None, None, l7, authenticated)
    if way is not None:
        l7 = L7(kind=kind.partition("-")[0], type=way, summary=text[:2000])
        return Summary("TCP" if l7.kind == "kafka" else None, None, None, l7, authenticated)
    return Summary(None, None, None, None, authenticated)


def _answer(said: str, query: str, types: str, way: str) -> L7:
    ips, ttl, cnames = _DNS_IPS.search(said), _DNS_TTL.search(said), _DNS_CNAMES.search(said)
    rcode = _DNS_RCODE.search(said)
    return L7(
        kind="dns",
        type=way,
        query=_name(query),
        qtypes=tuple(types.split(",")),
        rcode=_RCODES.get(rcode[1]) if rcode else 0,
        ips=tuple(ips[1].split(",")) if ips and ips[1] else None,
        ttl=int(ttl[1]) if ttl else None,
        cnames=tuple(_name(name) for name in cnames[1].split(",")) if cnames and cnames[1] else None,
    )


def _name(text: str) -> str:
    return text[:-1] if len(text) > 1 and text.endswith(".") else text
