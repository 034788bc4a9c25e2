"""Parser of Antrea's flow records: FlowAggregator's FlowLogger file, its objects in S3, and its ClickHouse or IPFIX names as JSON.

Format: antrea-io/antrea ``pkg/flowaggregator/flowlogger/logger.go`` (columns without a header or quotes: the first 26 are the same but
for destinationServiceIP, which came last; behind the policies' stand the Egress', for some releases with what L7 export found,
a JSON text whose commas are not escaped), ``pkg/flowaggregator/s3uploader/s3uploader.go`` (``records-XXXX.csv.gz``: 49 to 54 columns without a
header, numbers for words, labels in single quotes), ``pkg/flowaggregator/clickhouseclient`` (``FORMAT JSONEachRow``), and ``antctl get flowrecords -o json``, whose
addresses have IPFIX' names, as Antrea's Logstash puts them under ``ipfix``.  A record stands for a connection's part
in one export window; it names the policies of both directions, and with `prettyPrint` off actions and kinds are numbers.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    FlowSink,
    Frame,
    LineForm,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Verdict,
    canonical_ip,
    decode,
    fold_forms,
    frame,
    from_epoch,
    iter_lines,
    json_object,
    parse_rfc3339,
    port_number,
    protocol_name,
    seek,
)

__all__ = ["AntreaFlows"]

# "1637706961,1637706973,10.10.0.79,10.10.0.80,44752,5201,TCP,perftest-a,antrea-test,k8s-node-cp,perftest-b,..."
_SNIFF = re.compile(
    rb"^1\d{9},1\d{9},[0-9a-fA-F.:]{2,45},[0-9a-fA-F.:]{2,45},\d{1,5},\d{1,5},[A-Za-z0-9-]{1,15},(?:[^,\n]{0,253},){15,80}[^,\n]{0,253}\r?$",
    re.MULTILINE,
)
_JSON_SNIFF = re.compile(rb'"ingressNetworkPolicyRuleAction"')
# "1637706961,1637706973,1637706974,1637706975,3,10.10.0.79,10.10.0.80,44752,5201,6,823188,30472817041,241333,..."   S3 uploader, v1.8
_UPLOADED_SNIFF = re.compile(
    rb"^1\d{9},1\d{9},-?\d{1,12},-?\d{1,12},\d{1,3},[0-9a-fA-F.:]{2,45},[0-9a-fA-F.:]{2,45},\d{1,5},\d{1,5},\d{1,3},(?:\d{1,20},){8}",
    re.MULTILINE,
)


# The same as whole lines of 28 or 30 columns, with the groups of `flowdiag.parserkit.line_form.GROUPS`; when a record's
# window ended tells nothing, and a port that is 0 is none.
@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(1\d{9})(),\d{1,11},(?!-?\d{1,12},)([0-9a-fA-F.:]{2,45},[0-9a-fA-F.:]{2,45})(),"
        rb"(?:0|([1-9]\d{0,4}))(),(?:0|([1-9]\d{0,4})),([^\s\"\x80-\xff]{1,3000})()()()"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first where nothing is quoted: see `flowdiag.parserkit.LineForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(1\d{9})(),\d{1,11},(?!-?\d{1,12},)([^,]{2,45},[^,]{2,45})(),(?:0|([1-9]\d{0,4}))(),(?:0|([1-9]\d{0,4})),"
        rb"(.{1,3000})()()()"
        rb"|(.*))\n"
    )


# The same for rows of objects in S3.  What counts packets and bytes, the state of TCP and all behind the labels tell nothing.
@cache
def _uploaded_form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(1\d{9})(),\d{1,11},-?\d{1,12},-?\d{1,12},\d{1,3},([0-9a-fA-F.:]{2,45},[0-9a-fA-F.:]{2,45})(),"
        rb"(?:0|([1-9]\d{0,4}))(),(?:0|([1-9]\d{0,4})),(\d{1,3})(?:,\d{1,20}){8},"
        rb"((?:[^\s\"',\x80-\xff]{0,300},){19})()[A-Z_0-9]{0,20},\d{1,3},"
        rb"('[^\s'\x80-\xff]{0,9000}','[^\s'\x80-\xff]{0,9000}')(?:,\d{1,20}){6},[0-9a-f-]{0,36},\d{1,12}(?:,[^\n]{0,9000})?"
        rb"|([^\n]*))\n"
    )


_COLUMNS = [
    "flowStartSeconds",
    "flowEndSeconds",
    "sourceIP",
    "destinationIP",
    "sourceTransportPort",
    "destinationTransportPort",
    "protocolIdentifier",
    "sourcePodName",
    "sourcePodNamespace",
    "sourceNodeName",
    "destinationPodName",
    "destinationPodNamespace",
    "destinationNodeName",
    "destinationClusterIP",
    "destinationServiceIP",
    "destinationServicePort",
    "destinationServicePortName",
    "ingressNetworkPolicyName",
    "ingressNetworkPolicyNamespace",
    "ingressNetworkPolicyRuleName",
    "ingressNetworkPolicyRuleAction",
    "ingressNetworkPolicyType",
    "egressNetworkPolicyName",
    "egressNetworkPolicyNamespace",
    "egressNetworkPolicyRuleName",
    "egressNetworkPolicyRuleAction",
    "egressNetworkPolicyType",
]
_SERVICE_IP = "destinationServiceIP"
_OLDER = [name for name in _COLUMNS if name != _SERVICE_IP]
_PLACE = _COLUMNS.index(_SERVICE_IP)
# With Egress and its address; the Egress' node came before the Service's address, and is always there beside it.
_LEAST, _LEAST_OLDER = 30, 28
# Columns in S3; counts and rates are numbered, since nobody asks for them.  Behind them stand what came with Egress and L7.
_UPLOADED = [
    *(
        "flowStartSeconds",
        "flowEndSeconds",
        "flowEndSecondsFromSourceNode",
        "flowEndSecondsFromDestinationNode",
    ),
    "flowEndReason",
    *_COLUMNS[2:7],
    *(f"count{number}" for number in range(8)),
    *(name for name in _COLUMNS[7:] if name != _SERVICE_IP),
    *("tcpState", "flowType", "sourcePodLabels", "destinationPodLabels"),
]
_LEAST_UPLOADED = 49
# antrea/pkg/flowaggregator/apis and the IPFIX registry: 0 no rule
_ACTIONS = {"1": "Allow", "2": "Drop", "3": "Reject"}
_KUBERNETES = "networking.k8s.io"
_KINDS: dict[str, tuple[str, str]] = {
    "1": ("NetworkPolicy", _KUBERNETES),
    "2": ("NetworkPolicy", "crd.antrea.io"),
    "3": ("ClusterNetworkPolicy", "crd.antrea.io"),
    "K8sNetworkPolicy": ("NetworkPolicy", _KUBERNETES),
    "AntreaNetworkPolicy": ("NetworkPolicy", "crd.antrea.io"),
    "AntreaClusterNetworkPolicy": ("ClusterNetworkPolicy", "crd.antrea.io"),
}
_EFFECTS = {"Allow": "allow", "Drop": "deny", "Reject": "deny"}


class AntreaFlows:
    """Antrea's flow records, CSV or JSON."""

    name: ClassVar[str] = "antrea-flows"
    summary: ClassVar[str] = "Antrea FlowAggregator records (FlowLogger CSV, objects in S3, ClickHouse JSON)"
    cni: ClassVar[str | None] = "antrea"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """Two epochs, two addresses, two ports and a protocol, then many columns: rarely anything else."""
        if _JSON_SNIFF.search(head) is not None:
            return 0.95
        if seek(_UPLOADED_SNIFF, head, b",1") is not None:
            return 0.95
        return 0.85 if seek(_SNIFF, head, b",1") is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """The action's word, or its number as a cell; a quote stands in every JSON record, and around odd cells."""
        del head
        return (b"Drop", b"Reject", b",2,", b",3,", b'"')

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per record."""
        for index, line in iter_lines(block):
            if not line.strip():
                continue
            around = block.of_line(index)
            text = decode(line)
            record = _object(line) if line[:1] == b"{" else _row(text)
            if record is None:
                if line[:1] == b"{" or re.match(rb"1\d{9},1\d{9},", line):
                    shared = frame(around, context, text)
                    yield ParseWarning(**shared, code="truncated", message="not a whole flow record")
                continue
            yield _flow(record, frame(around, context, text, _instant(record, context)))

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first row of each kind."""
        if _UPLOADED_SNIFF.match(block.data) is not None:
            fold_forms(self, block, context, sink, LineForm(pattern=_uploaded_form(), clock=_second))
            return
        quick = None if b'"' in block.data else _quick()
        fold_forms(self, block, context, sink, LineForm(pattern=_form(), quick=quick, clock=_second))


def _second(text: bytes, enveloped: bool) -> int | None:
    del enveloped
    return from_epoch(int(text))


def _object(line: bytes) -> dict[str, Any] | None:
    record = json_object(line)
    inner = record.get("ipfix") if record is not None else None
    return inner if isinstance(inner, dict) else record


def _address(record: dict[str, Any], side: str) -> str | None:
    """By ClickHouse's name or by those of IPFIX, of which a record has one."""
    names = (f"{side}IP", f"{side}IPv4Address", f"{side}IPv6Address")
    return next((text for name in names if (text := _text(record, name)) is not None), None)


def _row(text: str) -> dict[str, Any] | None:
    if _UPLOADED_ROW.match(text) is not None:
        return _uploaded_row(text)
    try:
        cells = next(csv.reader([text]), [])
    except csv.Error:
        return None
    if len(cells) < _LEAST_OLDER or not (cells[0].isascii() and cells[0].isdigit() and len(cells[0]) < 12):
        return None
    # A port is a number, 0 where there is none; in its place newer releases have an address, or nothing.
    older = cells[_PLACE].isdigit()
    if not older and len(cells) < _LEAST:
        return None
    record: dict[str, Any] = dict(zip(_OLDER if older else _COLUMNS, cells, strict=False))
    port = record["destinationServicePort"]
    return record if not port or port.isdigit() else None


# A third time stands where the FlowLogger has an address.
_UPLOADED_ROW = re.compile(r"\d{1,11},\d{1,11},-?\d{1,12},")


def _uploaded_row(text: str) -> dict[str, Any] | None:
    """A row of an object in S3: labels are JSON in single quotes, which hold commas."""
    try:
        cells = next(csv.reader([text], quotechar="'"), [])
    except csv.Error:
        return None
    return dict(zip(_UPLOADED, cells, strict=False)) if len(cells) >= _LEAST_UPLOADED else None


def _text(record: dict[str, Any], key: str) -> str | None:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _instant(record: dict[str, Any], context: ParseContext) -> int | None:
    """Seconds since the epoch; ClickHouse prints a date and time of its server, UTC by default."""
    stamp = _text(record, "flowStartSeconds")
    if stamp is None:
        return None
    if stamp.isascii() and stamp.isdigit():
        return from_epoch(int(stamp)) if len(stamp) < 12 else None
    try:
        return parse_rfc3339(stamp, context.zone)
    except (ValueError, OverflowError):
        return None


def _flow(record: dict[str, Any], shared: Frame) -> Event:
    src, dst = _address(record, "source"), _address(record, "destination")
    if src is None or dst is None:
        return ParseWarning(**shared, code="malformed-flow", message="addresses are missing")
    words = {way: _action(_text(record, f"{way}NetworkPolicyRuleAction")) for way in ("ingress", "egress")}
    hits = tuple(hit for way in ("ingress", "egress") if (hit := _hit(record, way, words[way])) is not None)
    refused = [way for way in ("egress", "ingress") if words[way] in ("Drop", "Reject")]
    # Of both directions the one that refused is told; a record without any rule's action says nothing of verdicts.
    verdict = Verdict.DENIED if refused else Verdict.ALLOWED if "Allow" in words.values() else Verdict.UNKNOWN
    return FlowEvent(
        **shared,
        src=_end(record, "source", src),
        dst=_end(record, "destination", dst),
        protocol=protocol_name(_text(record, "protocolIdentifier") or ""),
        direction=Direction(refused[0]) if refused else None,
        verdict=verdict,
        verdict_raw=words[refused[0]] if refused else ("Allow" if verdict is Verdict.ALLOWED else None),
        cause=Cause.POLICY if refused else None,
        reason=_reason(hits) if refused else None,
        policies=hits,
    )


def _action(text: str | None) -> str | None:
    word = _ACTIONS.get(text or "", text)
    return word if word in _EFFECTS else None


def _reason(hits: tuple[PolicyHit, ...]) -> str:
    named = any(hit.effect == "deny" and hit.group != _KUBERNETES for hit in hits)
    return "policy-rule-denied" if named else "default-deny"


def _hit(record: dict[str, Any], way: str, action: str | None) -> PolicyHit | None:
    name = _text(record, f"{way}NetworkPolicyName")
    if name is None:
        return None
    kind, group = _KINDS.get(_text(record, f"{way}NetworkPolicyType") or "", (None, None))
    namespace = _text(record, f"{way}NetworkPolicyNamespace")
    if group == _KUBERNETES and namespace is None:
        # The exporter has no word for AdminNetworkPolicy and its like, and calls them so (PolicyTypeToUint8).
        kind = group = None
    effect = _EFFECTS.get(action or "")
    # A NetworkPolicy has no rule that denies: its pod is isolated, and nothing matched.
    isolated = effect == "deny" and group == _KUBERNETES
    return PolicyHit(
        kind=kind,
        group=group,
        namespace=namespace,
        name=name,
        rule="default-deny" if isolated else _text(record, f"{way}NetworkPolicyRuleName"),
        effect=effect,
    )


def _end(record: dict[str, Any], side: str, ip: str) -> Peer:
    port = _text(record, f"{side}TransportPort")
    namespace = _text(record, f"{side}PodNamespace")
    service = _text(record, "destinationServicePortName") if side == "destination" else None
    labels = json_object((_text(record, f"{side}PodLabels") or "").encode())
    return Peer(
        ip=canonical_ip(ip),
        port=port_number(port) or None,
        namespace=namespace,
        pod=_text(record, f"{side}PodName"),
        # "default/web:http"   namespace, Service and port name
        service=service.partition(":")[0] if service and "/" in service else None,
        labels=tuple(sorted((key, value) for key, value in (labels or {}).items() if isinstance(value, str)))
        or None,
    )
