"""Parser of iptables and nftables dumps of Calico's chains: how often each rule that refuses was hit.

``calicoctl node diags`` and bug reports hold them.  A dump has no times and no addresses of packets;
what it proves is that a pod's refusals grew, and in which direction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from flowdiag.parserkit import (
    Block,
    Event,
    LineEnvelope,
    LogEvent,
    ParseContext,
    decode,
    iter_lines,
    seek,
)
from flowdiag_parsers.calico.policy_names import named_policy

__all__ = ["CalicoRules"]

_SNIFF = re.compile(
    rb"(?:^|\n)(?:(?:\[\d{1,20}:\d{1,20}\] )?-A cali-|:cali-\S{1,40} - \[|Chain cali-|[ \t]{1,8}chain (?:[a-z]{1,10}-)?cali-)"
)

# iptables-save -c, v3.0 and later:
# [4:240] -A cali-fw-cali43878a68a0a -m comment --comment "cali:ykjy" -m comment --comment "Drop if no policies passed packet" ... -j DROP
_SAVED = re.compile(
    r"(?:\[(?P<packets>\d{1,20}):(?P<bytes>\d{1,20})\] )?-A (?P<chain>cali-\S{1,40}) (?P<rest>.{1,2000}?)"
    r"-[jg] (?P<target>DROP|REJECT|NFLOG)(?P<tail>(?: .{0,500})?)$"
)
_APPENDED = re.compile(r"(?:\[\d{1,20}:\d{1,20}\] )?-A (\S{1,40}) ")
# iptables -L -v -n:
# Chain cali-pi-_sQdl6e7ekf9DS2UYNem (1 references)
#     4   240 DROP       all  --  *      *       0.0.0.0/0            0.0.0.0/0            /* cali:RFn2 */ mark match 0x40000/0x40000
_CHAIN = re.compile(r"Chain (?P<chain>\S{1,40}) \(")
_LISTED = re.compile(
    r"\s{0,12}(?P<packets>\d{1,18}[KMGT]?) {1,12}(?P<bytes>\d{1,18}[KMGT]?) (?P<target>[A-Za-z0-9_.-]{1,40}) {1,16}"
    r"(?P<rest>\S.{0,2000})$"
)
# nft list ruleset, nftables dataplane (v3.29 and later): the chain's name begins with its layer
# 	chain filter-cali-tw-calia4fc3c48bd8 {
# 		meta mark & 0x00020000 == 0x00000000 counter packets 7 bytes 420 drop comment "cali:dddd; Drop if no policies passed packet"
_NFT_CHAIN = re.compile(r"\s{1,8}chain (?:[a-z]{1,10}-)?(?P<chain>cali-\S{1,60}) \{$")
_NFT_OTHER = re.compile(r"(?:\s{1,8}(?:chain|set|map) \S{1,80} \{|table \S{1,20} \S{1,60} \{)$")
_NFT = re.compile(
    r"\s{2,16}(?P<rest>(?:\S.{0,2000}? )?)(?P<target>drop|reject|log prefix)(?P<tail>(?: .{0,800})?)$"
)
_NFT_COUNTER = re.compile(r"counter packets (\d{1,20}) bytes (\d{1,20})")
_COMMENT = re.compile(r'(?:--)?comment "([^"]{1,300})"|/\* (.{1,300}?) \*/')
# "Policy shop/default.web ingress", "Profile kns.shop egress"
_NAMED = re.compile(r"(?:Policy|Profile) (?P<name>\S{1,300}) (?P<direction>ingress|egress)$")
# 'nflog-prefix "DPI0|np/shop/web"': deny, policy, ingress, rule 0; "DPE|default" is the end of a tier
_NFLOG = re.compile(
    r'(?:nflog-|log )prefix {1,2}"?(?P<action>[ADP])(?P<what>[PR])(?P<way>[IE])(?P<rule>\d{0,6})\|(?P<id>[^"\s]{1,64})'
)
# "cali-fw-" is from a workload (its egress), "cali-tw-" to one; then the interface.  "cali-pi-", "cali-po-": a policy's.
_WORKLOAD = re.compile(r"cali-(?P<way>[ft])w-(?P<interface>\S{1,20})$")


class CalicoRules:
    """``iptables-save -c``, ``iptables -L -v`` and ``nft list ruleset`` of Calico's chains."""

    name: ClassVar[str] = "calico-rules"
    summary: ClassVar[str] = (
        "Calico's chains with counters (iptables-save -c, iptables -L -v, nft list ruleset)"
    )
    cni: ClassVar[str | None] = "calico"
    sequential: ClassVar[bool] = True
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """A rule in one of Calico's chains is a mark."""
        return 0.9 if seek(_SNIFF, head, b"cali-") is not None else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a `LogEvent` per rule that refuses, with its counters; other rules are passed over."""
        state: dict[str, Any] = context.memory.setdefault("calico-rules", {})
        for index, line in iter_lines(block):
            if not line:
                continue
            text = decode(line)
            fields = _fields(text, state)
            if fields is not None:
                yield _event(fields, text, block.of_line(index), context, nft="nft" in state)


def _fields(text: str, state: dict[str, Any]) -> dict[str, str] | None:
    chain = _CHAIN.match(text) or _NFT_CHAIN.match(text)
    if chain is not None:
        state.clear()
        state["chain"] = chain["chain"]
        if chain.re is _NFT_CHAIN:
            state["nft"] = True
        return None
    if _NFT_OTHER.match(text) is not None:
        state.clear()
        return None
    if state.get("nft"):
        return _nft_fields(text, state)
    saved = _APPENDED.match(text)
    if saved is not None and state.get("chain") != saved[1]:
        state.clear()
        state["chain"] = saved[1]
    match = _SAVED.match(text)
    if match is not None:
        name, rest = match["chain"], match["rest"] + match["tail"]
    else:
        match = _LISTED.match(text)
        name = state.get("chain", "")
        if match is None or not name.startswith("cali-"):
            _remember(text, state)
            return None
        rest = match["rest"]
    _remember(text, state)
    return _refusal(name, match["target"], (match["packets"], match["bytes"]), rest, state)


def _nft_fields(text: str, state: dict[str, Any]) -> dict[str, str] | None:
    _remember(text, state)
    match = _NFT.match(text)
    if match is None:
        return None
    rest = match["rest"] + match["target"] + match["tail"]
    counter = _NFT_COUNTER.search(rest)
    counts = (counter[1], counter[2]) if counter else (None, None)
    target = {"log prefix": "NFLOG"}.get(match["target"], match["target"].upper())
    return _refusal(state["chain"], target, counts, rest, state)


def _refusal(
    name: str, target: str, counts: tuple[str | None, str | None], rest: str, state: dict[str, Any]
) -> dict[str, str] | None:
    """What a rule says that refuses; ``None`` for one that does not."""
    nflog = _NFLOG.search(rest)
    if target not in ("DROP", "REJECT") and not (target == "NFLOG" and nflog and nflog["action"] == "D"):
        return None
    comments = [quoted or starred for quoted, starred in _COMMENT.findall(rest)]
    fields = {"chain": name, "target": target}
    named = zip(("packets", "bytes"), counts, strict=True)
    fields |= {key: count for key, count in named if count is not None}
    workload = _WORKLOAD.match(name)
    if workload is not None:
        fields |= {
            "interface": workload["interface"],
            "direction": "egress" if workload["way"] == "f" else "ingress",
        }
    words = [_words(comment) for comment in comments]
    words = [comment for comment in words if comment]
    if words:
        fields["comment"] = "; ".join(words)
    fields |= _policy(nflog, state)
    return fields


def _words(comment: str) -> str:
    """A comment without Calico's hash of the rule; nftables has both in one."""
    if not comment.startswith("cali:"):
        return comment
    return comment.partition("; ")[2]


def _remember(text: str, state: dict[str, Any]) -> None:
    """The policy that a chain's rules name in their comments: the rule that drops does not repeat it."""
    for quoted, starred in _COMMENT.findall(text):
        named = _NAMED.match(_words(quoted or starred))
        if named is not None:
            state["policy"], state["direction"] = named["name"], named["direction"]


def _policy(nflog: re.Match[str] | None, state: dict[str, Any]) -> dict[str, str]:
    fields: dict[str, str] = {}
    if nflog is not None:
        fields["direction"] = "ingress" if nflog["way"] == "I" else "egress"
        if nflog["rule"] == "" and nflog["what"] == "P":
            return fields | {"tier": nflog["id"]}
        fields["rule"] = nflog["rule"]
        state.setdefault("policy", nflog["id"])
    name = state.get("policy")
    if name is None:
        return fields
    fields.setdefault("direction", state.get("direction", fields.get("direction", "")))
    fields["policy"] = name
    # "shop/default.web": the tier's name is not told apart from the policy's, so only the default one is cut off.
    ref = named_policy("default", name)
    if ref is not None and ref.name is not None:
        fields |= {"policy_kind": ref.kind, "policy_name": ref.name}
        fields |= {"policy_namespace": ref.namespace} if ref.namespace else {}
    return {key: value for key, value in fields.items() if value}


def _event(
    fields: dict[str, str], text: str, around: LineEnvelope, context: ParseContext, *, nft: bool
) -> LogEvent:
    return LogEvent(
        line=around.line,
        at=around.at,
        time_source=around.time_source,
        node=around.node or context.node,
        raw=text if context.keep_raw else None,
        component="nftables" if nft else "iptables",
        message=text.strip(),
        fields=fields,
        signal="rule-counter",
    )
