"""Parser of Antrea's network policy log, ``/var/log/antrea/networkpolicy/np.log``.

Format: antrea-io/antrea ``docs/antrea-network-policy.md`` at each tag; blank-separated, and the columns changed six times:

- v0.11 to v1.3   ``action prio SRC: ip DEST: ip len proto``
- v1.4, v1.5      ``action prio src dst len proto``
- v1.6 to v1.8    ``action prio src sport dst dport proto len``
- v1.9 to v1.11   a rule before the action
- v1.12           and a label at the end
- v1.13 to v2.7   ``rule direction action prio appliedTo src sport dst dport proto len label``

Times are the agent container's local ones, without a zone.  A line with ``[N packets in 1s]`` is written at the end of
its window, so the first of the packets is up to that much older than the stamp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    FlowSink,
    Frame,
    LineEnvelope,
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
    is_ip,
    iter_lines,
    parse_rfc3339,
    port_number,
    protocol_name,
    seek,
    zoned_second,
)

__all__ = ["POLICIES", "AntreaNpLog"]

# "2023/07/04 12:33:26.221413 IngressDefaultRule K8sNetworkPolicy <nil> Ingress Drop <nil> default/nettool 10.10.1.13 <nil> ..."   v1.13 to v2.7
_HEADER = re.compile(
    r"(?P<y>\d{4})/(?P<m>\d\d)/(?P<d>\d\d) (?P<clock>\d\d:\d\d:\d\d\.\d{6}) (?P<table>\S{1,64}) (?P<ref>\S{1,400}) "
)
_SNIFF = re.compile(
    rb"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} [A-Z]\w{1,60}Rule \w{0,30}NetworkPolicy(?::\S{1,320})? \S",
    re.MULTILINE,
)
# "[3 packets in 1.011379442s]"   v1.2 and later, drops and rejects
_PACKETS = re.compile(r" \[(?P<count>\d{1,9}) packets in (?P<window>[\d.]{1,20}[a-zµ]{1,2}s?)\]\s*$")


# The same as whole lines since v1.13, with the groups of `flowdiag.parserkit.line_form.GROUPS`: a packet's length, the
# rule's label and the window of a count tell nothing; a label with a dot at its beginning or a colon could be an address.
@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\.(\d{6}) ([!-~]{1,64} [!-~]{0,40}NetworkPolicy[!-~]{0,320} [!-~]{1,300} (?:In|E)gress"
        rb" (?:Allow|Drop|Reject|Redirect) (?:-?\d{1,8}|<nil>) [!-~]{1,400} [0-9a-fA-F.:]{2,45})() (?:(\d{1,5})|<nil>)"
        rb" ([0-9a-fA-F.:]{2,45}) (?:(\d{1,5})|<nil>) ([!-~]{1,16})()() \d{1,6} (?:<nil>|[A-Za-z][\w.-]{0,62})"
        rb"(?: \[(\d{1,9}) packets in [\d.]{1,20}[a-z]{1,2}s?\])?"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(\d{4}/\d\d/\d\d .{8})\.(\d{6}) ([^ ]{1,64} [^ ]{1,360} [^ ]{1,300} (?:In|E)gress"
        rb" (?:Allow|Drop|Reject) [^ ]{1,8} [^ ]{1,400} [^ ]{2,45})() (?:(\d{1,5})|<nil>)"
        rb" ([^ ]{2,45}) (?:(\d{1,5})|<nil>) ([^ ]{1,16})()() \d{1,6} (?:<nil>|[A-Za-z][\w-]{0,62})"
        rb"(?: \[(\d{1,9}) packets in [\d.]{1,20}[a-z]{1,2}s?\]|)"
        rb"|(.*))\n"
    )


_VERDICTS = {
    "Allow": Verdict.ALLOWED,
    "Drop": Verdict.DENIED,
    "Reject": Verdict.DENIED,
    "Redirect": Verdict.REDIRECTED,
}
POLICIES = {
    "K8sNetworkPolicy": ("NetworkPolicy", "networking.k8s.io"),
    "AntreaNetworkPolicy": ("NetworkPolicy", "crd.antrea.io"),
    "AntreaClusterNetworkPolicy": ("ClusterNetworkPolicy", "crd.antrea.io"),
    "K8sClusterNetworkPolicy": ("ClusterNetworkPolicy", "policy.networking.k8s.io"),
    "AdminNetworkPolicy": ("AdminNetworkPolicy", "policy.networking.k8s.io"),
    "BaselineAdminNetworkPolicy": ("BaselineAdminNetworkPolicy", "policy.networking.k8s.io"),
}
_DIRECTIONS = {"Ingress": Direction.INGRESS, "Egress": Direction.EGRESS}
_PROTOCOLS = frozenset({"TCP", "UDP", "SCTP", "ICMP", "IPv6-ICMP", "IGMP"})
"""Another word at a line's end is half of one."""
_NIL = "<nil>"
_MOST_WORDS = 24
_ACTION_WITHIN = 3
"""Rule and direction may stand before the action; a rule may itself be called Drop."""


class AntreaNpLog:
    """What Antrea's policies with logging allowed, dropped, rejected or redirected."""

    name: ClassVar[str] = "antrea-np-log"
    summary: ClassVar[str] = "Antrea network policy log (np.log, all six column sets)"
    cni: ClassVar[str | None] = "antrea"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """Date with slashes, a table's name and a kind of policy."""
        return 0.96 if seek(_SNIFF, head, b"Rule ") is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """The action is a word of its own."""
        del head
        return (b" Drop ", b" Reject ")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per line."""
        for index, line in iter_lines(block):
            text = decode(line)
            header = _HEADER.match(text)
            if header is None or "NetworkPolicy" not in header["ref"]:
                continue
            yield _event(text, header, block.of_line(index), context)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first line of each kind."""
        clock = zoned_second(context.zone)
        form = LineForm(pattern=_form(), quick=_quick(), clock=clock, weighs=True)
        fold_forms(self, block, context, sink, form)


def _event(text: str, header: re.Match[str], around: LineEnvelope, context: ParseContext) -> Event:
    stamp = f"{header['y']}-{header['m']}-{header['d']}T{header['clock']}"
    try:
        at: int | None = parse_rfc3339(stamp, context.zone)
    except (ValueError, OverflowError):
        at = None
    shared = frame(around, context, text, at)
    packets = _PACKETS.search(text, max(0, len(text) - 60))
    words = text[header.end() : packets.start() if packets else len(text)].split(maxsplit=_MOST_WORDS)
    place = _action(words)
    if place is None:
        return ParseWarning(**shared, code="truncated", message="the line has no action")
    flow = _flow(header, words, place, shared, int(packets["count"]) if packets else 1)
    if flow is None:
        return ParseWarning(**shared, code="truncated", message="the packet's addresses are cut off")
    return flow


def _action(words: list[str]) -> int | None:
    """Where the action stands: after a direction if there is one, else the last word that could be one."""
    places = [at for at, word in enumerate(words[:_ACTION_WITHIN]) if word in _VERDICTS]
    if not places:
        return None
    after = [at for at in places if at >= 2 and words[at - 1] in _DIRECTIONS]
    if after:
        return after[0]
    # After the action comes a priority: a number, or nothing for default rules.
    return next((at for at in places if at + 1 < len(words) and _priority(words[at + 1])), places[0])


def _priority(word: str) -> bool:
    return word == _NIL or word.removeprefix("-").isdigit()


def _flow(header: re.Match[str], words: list[str], place: int, shared: Frame, count: int) -> FlowEvent | None:
    ends = [at for at in range(place + 1, len(words)) if is_ip(words[at])][:2]
    if len(ends) < 2:
        return None
    first, second = ends
    ports = second - first == 2 and words[first + 1] != "DEST:"
    tail = words[second + (2 if ports else 1) :]
    if not words[second + 1 :]:
        return None
    # With ports the protocol comes before the length, without them after it.
    protocol = (tail[0] if ports else tail[1]) if len(tail) > (0 if ports else 1) else None
    if protocol is not None and protocol == words[-1] and protocol not in _PROTOCOLS:
        protocol = None
    action = words[place]
    verdict = _VERDICTS[action]
    direction = _direction(header["table"], words, place)
    pod = _applied_to(words[place + 2 : first], ports=ports)
    hit = _hit(header["ref"], words, place, verdict)
    named = hit is not None and hit.name is not None
    denied = verdict is Verdict.DENIED
    kubernetes = header["ref"].startswith("K8sNetworkPolicy")
    src_pod = pod if direction is Direction.EGRESS else (None, None)
    dst_pod = pod if direction is Direction.INGRESS else (None, None)
    return FlowEvent(
        **shared,
        src=Peer(
            ip=canonical_ip(words[first]),
            port=port_number(words[first + 1]) if ports else None,
            namespace=src_pod[0],
            pod=src_pod[1],
        ),
        dst=Peer(
            ip=canonical_ip(words[second]),
            port=port_number(words[second + 1]) if ports and tail else None,
            namespace=dst_pod[0],
            pod=dst_pod[1],
        ),
        protocol=protocol_name(protocol) if protocol else None,
        direction=direction,
        verdict=verdict,
        verdict_raw=action,
        cause=Cause.POLICY if denied else None,
        reason=("policy-rule-denied" if named and not kubernetes else "default-deny") if denied else None,
        reason_raw=header["table"],
        policies=(hit,) if hit is not None else (),
        count=max(count, 1),
    )


def _direction(table: str, words: list[str], place: int) -> Direction | None:
    """Written since v1.13; before, the table's name tells."""
    if place >= 2 and words[place - 1] in _DIRECTIONS:
        return _DIRECTIONS[words[place - 1]]
    if "Ingress" in table:
        return Direction.INGRESS
    return Direction.EGRESS if "Egress" in table else None


def _applied_to(between: list[str], *, ports: bool) -> tuple[str | None, str | None]:
    """``namespace/pod`` of the end that the policy selects, v1.13 and later."""
    if not ports or len(between) != 1 or "/" not in between[0]:
        return None, None
    namespace, _, pod = between[0].partition("/")
    return (namespace, pod) if namespace and pod else (None, None)


def _hit(ref: str, words: list[str], place: int, verdict: Verdict) -> PolicyHit | None:
    """The policy of the line; a bare ``K8sNetworkPolicy`` is the default deny of a pod that policies isolate."""
    kind, _, name = ref.partition(":")
    if kind not in POLICIES or not name:
        return None
    namespace, slash, bare = name.rpartition("/")
    rule = words[0] if place >= 1 and words[0] != _NIL and words[0] not in _DIRECTIONS else None
    effect = {Verdict.ALLOWED: "allow", Verdict.DENIED: "deny"}.get(verdict)
    return PolicyHit(
        kind=POLICIES[kind][0],
        group=POLICIES[kind][1],
        namespace=namespace or None,
        name=bare if slash else name,
        # A NetworkPolicy has no rule that denies: its pod is isolated, and nothing matched.
        rule="default-deny" if effect == "deny" and kind == "K8sNetworkPolicy" else rule,
        effect=effect,
        raw=ref,
    )
