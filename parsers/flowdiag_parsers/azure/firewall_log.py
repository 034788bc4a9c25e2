"""Parser of Azure Firewall's logs: what the firewall on the nodes' way out refused, never a NetworkPolicy.

Format: Azure's "Structured firewall logs" (categories and tables ``AZFWNetworkRule``, ``AZFWApplicationRule``, ``AZFWNatRule``,
``AZFWThreatIntel``, ``AZFWIdpsSignature``, since 2022), as resource logs and as rows of Log Analytics, and the older categories
``AzureFirewallNetworkRule`` and ``AzureFirewallApplicationRule``, whose records are sentences (``msg``; ``msg_s`` in
``AzureDiagnostics``).  Samples of both: elastic/integrations ``packages/azure``, 2022 to 2026.  An alert lets pass.  The source is
the pod's only where nothing translates addresses on the way: AKS mostly puts the node's in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Event,
    FlowEvent,
    FlowSink,
    Frame,
    Icmp,
    LineForm,
    ParseContext,
    ParseWarning,
    Peer,
    Verdict,
    Witness,
    canonical_ip,
    decode,
    fold_forms,
    frame,
    instant_of,
    integer_of,
    is_ip,
    iter_lines,
    json_object,
    object_behind,
    object_of,
    port_number,
    protocol_name,
    seek,
    text_of,
    unfinished_line,
    utc_second,
)

__all__ = ["AzureFirewall"]

# a resource log's record: {"category":"AZFWNetworkRule","properties":{"Action":"Deny","ActionReason":"","DestinationIp":"203.0.113.7", and
#  "DestinationPort":443,"Protocol":"TCP","Rule":"deny-web","RuleCollection":"web","SourceIp":"10.0.1.4","SourcePort":44210 and so on
#  before "time":"2025-11-26T14:17:22.259698+00:00"}; a table's row has the same columns, and "TimeGenerated"
_CATEGORY = re.compile(
    r"AZFW(?:NetworkRule|ApplicationRule|NatRule|ThreatIntel|IdpsSignature)|AzureFirewall(?:Network|Application)Rule",
    re.IGNORECASE,
)
# "TCP request from 10.0.1.4:49680 to 203.0.113.156:1688. Action: Deny. "                            network rules, 2018 to 2026
# "ICMP Type=8 request from 10.0.1.4 to 203.0.113.156. Action: Deny. "                               the same of ICMP
# "HTTP  request from 10.0.1.4:50776 to a.example.com:80. Url: a.example.com/x. Action: Allow. Policy: hub. Rule Collection Group: g.
#  Rule Collection: c. Rule: r"                                                                      application rules
# "HTTPS request from 10.0.1.4:6065. Action: Deny. Reason: SNI TLS extension was missing."           without a destination
# "TCP request from 10.0.1.4:51890 to 203.0.113.1:443. Action: drop. Signature: 2028816. IDS: ... Priority: 3. ..."   an attack, it says
# "TCP request from 198.51.100.2:50306 to 203.0.113.156:3389 was DNAT'ed to 10.0.0.2:3389. Policy: ..."   what comes in
_SENTENCE = re.compile(
    r"\b(?P<protocol>[A-Za-z]{2,8}\d?)(?: Type=(?P<type>\d{1,3}))? {1,3}request from (?P<src>[0-9A-Fa-f.:\[\]]{2,47}?)(?::(?P<sport>\d{0,5}))?"
    r"(?: to (?P<dst>[^\s,]{1,253}?)(?::(?P<dport>\d{0,5}))?)?"
    r"(?:\. (?:Url: (?P<url>\S{1,2000})\. )?Action: (?P<action>[A-Za-z]{4,6})\b|(?P<translated> was DNAT'ed to ))"
)
_SAID = re.compile(
    r"\b[A-Za-z]{2,8}\d?(?: Type=\d{1,3})? {1,3}request from [0-9A-Fa-f.:\[\]]{2,47}(?:$|[ .])"
)
_RULE = re.compile(
    r"\bRule Collection: (?P<set>[^\n]{1,200}?)\. Rule: (?P<rule>[^\n]{1,200}?)(?:\. Web Category: |\.?\s{0,4}$)"
)
_SNIFF = re.compile(
    rb'"(?:AZFW(?:NetworkRule|ApplicationRule|NatRule|ThreatIntel|IdpsSignature)|AzureFirewall(?:Network|Application)Rule)"'
    rb"|\b[A-Za-z]{2,8}\d?(?: Type=\d{1,3})? {1,3}request from [^\n]{2,400}?(?:\. Action: [A-Za-z]| was DNAT'ed to )",
)
_COLUMNS = re.compile(
    rb'"SourceIp"\s{0,4}:[^\n]{0,4000}"RuleCollection"|"RuleCollection"\s{0,4}:[^\n]{0,4000}"SourceIp"'
)
_RULES = frozenset(("rulecollection", "actionreason", "threatdescription", "signatureid"))

_VERDICTS = {"allow": Verdict.ALLOWED, "deny": Verdict.DENIED, "drop": Verdict.DENIED}
_OVER_TCP = ("HTTP", "HTTPS", "MSSQL")
_THREATS = ("azfwthreatintel", "azfwidpssignature")
# A row of a table has no category of its own: IDPS' column of that name says what kind of traffic it is.
_OF_THREATS = frozenset(("threatdescription", "signatureid"))
# "DestinationIp_s":"203.0.113.7","DestinationPort_d":5432   the same columns in AzureDiagnostics, which adds their types
_TYPED = re.compile(r"_[sdgtb]$")
_TRANSLATED = "DNAT"


class AzureFirewall:
    """Connections that an Azure Firewall allowed or denied."""

    name: ClassVar[str] = "azure-firewall"
    summary: ClassVar[str] = (
        "Azure Firewall log, structured and older (the network's firewall, not a NetworkPolicy)"
    )
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """A category, a sentence, or the columns of a table."""
        words = (b"AZFW", b"AzureFirewall", b"request from ")
        if seek(_SNIFF, head, *words) is not None:
            return 0.95
        return 0.9 if seek(_COLUMNS, head, b'"RuleCollection"') is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Actions are spelled in several ways: ``Deny``, ``drop``."""
        del head
        return (b"Deny", b"deny", b"DENY", b"Drop", b"drop", b"DROP")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per record."""
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            body = object_behind(line, b'"SourceIp"')
            if body.lstrip()[:1] != b"{":
                text = decode(line)
                if "request from " in text[:200]:
                    yield from _said(text, None, frame(block.of_line(index), context, text), cut=index == cut)
                continue
            around, text = block.of_line(index), decode(line)
            record = json_object(body)
            if record is None:
                yield ParseWarning(
                    **frame(around, context, text), code="malformed-json", message="not a whole record"
                )
                continue
            stamp = instant_of(text_of(record, "time", "TimeGenerated"))
            yield from _of(record, frame(around, context, text, stamp))

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first record of each kind."""
        from flowdiag_parsers.azure.firewall_forms import form_of

        fold_forms(self, block, context, sink, LineForm(pattern=form_of(block.data), clock=utc_second))


def _of(record: dict[str, Any], shared: Frame) -> Iterator[Event]:
    category = text_of(record, "category", "Category", "Type") or ""
    entry = object_of(record, "properties") or record
    sentence = text_of(entry, "msg", "msg_s")
    if sentence is not None:
        if _CATEGORY.fullmatch(category) is not None or not category:
            yield from _said(sentence, category or None, shared)
        return
    cells = {_TYPED.sub("", name.lower()): value for name, value in entry.items()}
    if not (_CATEGORY.fullmatch(category) is not None or ("sourceip" in cells and _RULES & cells.keys())):
        return
    source = text_of(cells, "sourceip")
    if source is None or not is_ip(source):
        yield ParseWarning(**shared, code="malformed-flow", message="addresses of the connection are missing")
        return
    word = text_of(cells, "protocol") or ""
    rule = "/".join(
        name for name in (text_of(cells, "rulecollection"), text_of(cells, "rule")) if name is not None
    )
    why = text_of(cells, "actionreason", "threatdescription", "description")
    yield _flow(
        shared,
        protocol=word,
        ends=(
            source,
            integer_of(cells, "sourceport"),
            text_of(cells, "destinationip") or text_of(cells, "fqdn"),
            integer_of(cells, "destinationport"),
        ),
        name=text_of(cells, "fqdn"),
        action=text_of(cells, "action") or _TRANSLATED,
        rule=rule or why,
        threat=category.lower() in _THREATS or not _OF_THREATS.isdisjoint(cells),
        witness=Witness.DROP,
    )


def _said(text: str, category: str | None, shared: Frame, *, cut: bool = False) -> Iterator[Event]:
    """What a sentence says, without its rule where it may have been `cut` off; whatever else a category holds is passed over."""
    found = _SENTENCE.search(text, 0, 5000)
    if found is None or not is_ip(found["src"].strip("[]")):
        if category is None and _SAID.search(text, 0, 400) is None:
            return
        yield ParseWarning(**shared, code="truncated", message="not a whole sentence of the firewall")
        return
    rest = text[found.end() :][:1000]
    rule = _RULE.search(rest)
    kind = found["type"]
    yield _flow(
        shared,
        protocol=found["protocol"] if kind is None else f"{found['protocol']} Type={kind}",
        ends=(found["src"].strip("[]"), found["sport"] or None, found["dst"], found["dport"] or None),
        name=found["dst"],
        action=found["action"] or _TRANSLATED,
        rule=None
        if cut
        else f"{rule['set']}/{rule['rule']}"
        if rule is not None
        else rest.strip(" .") or None,
        threat=" IDS: " in rest or "ThreatIntel: " in rest,
        witness=Witness.VERDICT,
    )


def _flow(
    shared: Frame,
    *,
    protocol: str,
    ends: tuple[str, str | int | None, str | None, str | int | None],
    name: str | None,
    action: str,
    rule: str | None,
    threat: bool,
    witness: Witness,
) -> FlowEvent:
    """A record's flow; a refusal has one `witness` as columns and the other as a sentence, since both may be written of it."""
    source, sport, target, dport = ends
    word, _, kind = protocol.partition(" Type=")
    transport = "TCP" if word.upper() in _OVER_TCP else protocol_name(word)
    verdict = _VERDICTS.get(action.lower(), Verdict.UNKNOWN)
    denied = verdict is Verdict.DENIED
    known = target is not None and is_ip(target)
    ports = transport in ("TCP", "UDP", "SCTP")
    return FlowEvent(
        **shared,
        src=Peer(ip=canonical_ip(source), port=port_number(sport) if ports else None),
        dst=Peer(
            ip=canonical_ip(target) if target is not None and known else None,
            port=port_number(dport) if ports else None,
            dns_names=(name,) if name is not None and not is_ip(name) else None,
        ),
        protocol=transport,
        verdict=verdict,
        verdict_raw=action,
        cause=Cause.CONFIGURATION if denied else None,
        reason=("cloud-firewall-threat" if threat else "cloud-firewall-rule") if denied else None,
        reason_raw=rule if denied else None,
        witness=witness if denied else None,
        icmp=Icmp(int(kind), None) if kind.isascii() and kind.isdigit() and len(kind) < 4 else None,
    )
