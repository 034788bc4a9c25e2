"""Parser of dumps of kube-router's chains: how often the last rule of a pod's chain refused.

Format: cloudnativelabs/kube-router ``pkg/controllers/netpol/pod.go``, v0.2 to v2.5, and what k3s, RKE2 and k0s embed; iptables 1.8.
Each pod that policies select has a chain ``KUBE-POD-FW-…``, which its packets pass in both directions; its comments say
"destined for" of either.  A dump has no times and no addresses of packets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from flowdiag.parserkit import (
    Block,
    Event,
    LogEvent,
    ParseContext,
    decode,
    iter_lines,
    seek,
)

__all__ = ["KubeRouterRules"]

_SNIFF = re.compile(
    rb"(?:^|\n)(?:(?:\[\d{1,20}:\d{1,20}\] )?-[AN] KUBE-(?:POD-FW|NWPLCY|ROUTER)-|:KUBE-(?:POD-FW|NWPLCY|ROUTER)-\S{1,40} - \["
    rb"|Chain KUBE-(?:POD-FW|NWPLCY|ROUTER)-)"
)
# iptables-save -c:
# [13:780] -A KUBE-POD-FW-7D4QJ3YQ6J6S3GDA -m comment --comment "rule to REJECT traffic destined for POD name:web-1 namespace: shop"
#  -m mark ! --mark 0x10000/0x10000 -j REJECT --reject-with icmp-port-unreachable
_SAVED = re.compile(
    r"(?:\[(?P<packets>\d{1,20}):(?P<bytes>\d{1,20})\] )?-A (?P<chain>KUBE-POD-FW-\S{1,40}|KUBE-ROUTER-SERVICES) (?P<rest>.{1,1000})$"
)
# iptables -L -v:
#    13   780 REJECT     all  --  any    any     anywhere             anywhere             /* rule to REJECT traffic destined for POD ...
_LISTED = re.compile(
    r"\s{0,12}(?:(?P<packets>\d{1,18}[KMGT]?) {1,12}(?P<bytes>\d{1,18}[KMGT]?) )?(?P<target>REJECT|DROP) {1,16}(?P<rest>\S.{0,1000})$"
)
_CHAINS = ("KUBE-POD-FW-", "KUBE-ROUTER-SERVICES")
_CHAIN = re.compile(r"Chain (?P<chain>\S{1,64}) \(")
_TARGET = re.compile(r" -j (?P<target>REJECT|DROP)(?: |$)")
# "default rule to REJECT ..." in v0.2; "namespace:shop" without a blank from v2.2 on
_POD = re.compile(
    r"rule to REJECT traffic destined for POD name: ?(?P<name>[a-z0-9.-]{1,253}) namespace: ?(?P<namespace>[a-z0-9-]{1,63})"
)
# What no policy refuses: the second is of the proxy of Services, v1.0 and later.
_OTHERS = ("rule to drop invalid state for pod", "reject all unexpected traffic to service IPs")


class KubeRouterRules:
    """``iptables-save -c`` and ``iptables -L -v`` of kube-router's chains."""

    name: ClassVar[str] = "kube-router-rules"
    summary: ClassVar[str] = "kube-router's chains with counters (iptables-save -c, iptables -L -v)"
    cni: ClassVar[str | None] = "kube-router"
    sequential: ClassVar[bool] = True
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """A rule in one of its chains is a mark."""
        return (
            0.9 if seek(_SNIFF, head, b"KUBE-POD-FW-", b"KUBE-NWPLCY-", b"KUBE-ROUTER-") is not None else 0.0
        )

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a `LogEvent` per rule of a pod's chain that refuses, with its counters; other rules are passed over."""
        state: dict[str, str] = context.memory.setdefault("kube-router-rules", {})
        for index, line in iter_lines(block):
            text = decode(line)
            chain = _CHAIN.match(text)
            if chain is not None:
                state["chain"] = chain["chain"]
                continue
            fields = _fields(text, state.get("chain", ""))
            if fields is None:
                continue
            around = block.of_line(index)
            yield LogEvent(
                line=around.line,
                at=around.at,
                time_source=around.time_source,
                node=around.node or context.node,
                raw=text if context.keep_raw else None,
                component="iptables",
                message=text.strip(),
                fields=fields,
                signal="rule-counter",
            )


def _fields(text: str, chain: str) -> dict[str, str] | None:
    """What a rule says that refuses; ``None`` for another, and for one of another's chain."""
    match = _SAVED.match(text)
    if match is not None:
        chain = match["chain"]
        target = _TARGET.search(match["rest"])
    else:
        match = target = _LISTED.match(text) if chain.startswith(_CHAINS) else None
    if match is None or target is None:
        return None
    fields = {"chain": chain, "target": target["target"]}
    fields |= {key: match[key] for key in ("packets", "bytes") if match[key] is not None}
    pod = _POD.search(match["rest"])
    if pod is not None:
        return fields | {"pod": f"{pod['namespace']}/{pod['name']}"}
    told = next((comment for comment in _OTHERS if comment in match["rest"]), None)
    return fields | {"comment": told} if told is not None else None
