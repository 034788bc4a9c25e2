"""Parser of flanneld's log (klog text, flannel-io/flannel since 0.8).

flannel enforces no NetworkPolicy and logs no flow; its messages matter because they say "a fault, not a policy".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from flowdiag.parserkit import (
    KLOG_BYTES,
    Block,
    Event,
    LogEvent,
    ParseContext,
    decode,
    frame,
    iter_lines,
    read_klog,
    seek,
)

__all__ = ["Flanneld"]

# 'E0519 00:37:28.550351       1 network.go:102] failed to register network: failed to acquire lease: node "n" pod cidr not assigned'   0.8 to 0.27
_SIGNALS: tuple[tuple[str, str], ...] = (
    ("pod cidr not assigned", "pod-cidr-missing"),
    ("ailed to acquire lease", "lease-failed"),
    ("ailed to read net conf", "network-config-missing"),
    ("ailed to create SubnetManager", "subnet-manager-failed"),
    ("rror registering network", "network-register-failed"),
    ("ailed to register network", "network-register-failed"),
    ("ailed to ensure iptables", "dataplane-out-of-sync"),
    ("ailed to setup IP", "dataplane-out-of-sync"),
    ("ailed to ensure nftables", "dataplane-out-of-sync"),
    ("ailed to ensure", "dataplane-out-of-sync"),
    ("ailed to bootstrap IPTables", "dataplane-out-of-sync"),
    ("CLI flags config: ", "agent-started"),
    ("shutdownHandler sent cancel signal", "agent-shutdown"),
)


@cache
def _marks() -> re.Pattern[bytes]:
    return re.compile(
        rb"\] (?:failed to (?:register network|acquire lease|read net conf)|Error registering network|Failed to create SubnetManager"
        rb"|Found network config - Backend type|CLI flags config: \{etcdEndpoints|Running backend\.|Wrote subnet file to|Using interface with name \S{1,64} and address"
        rb"|Created subnet manager: |Determining IP address of default interface|Lease acquired|Waiting for \d+m\S{1,12} to renew lease)"
    )


class Flanneld:
    """flanneld's messages, with stable codes for the faults among them."""

    name: ClassVar[str] = "flanneld"
    summary: ClassVar[str] = "flannel daemon log (klog): health of the pod network, no flows"
    cni: ClassVar[str | None] = "flannel"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """Klog alone is anybody's; the words are flanneld's."""
        if seek(KLOG_BYTES, head, b"] ") is None:
            return 0.0
        return 0.92 if _marks().search(head) is not None else 0.2

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield one message per klog line; other lines are nobody's record."""
        for index, line in iter_lines(block):
            text = decode(line)
            header = read_klog(text, context)
            if header is None:
                continue
            around = block.of_line(index)
            message = text[header.end :]
            yield LogEvent(
                **frame(around, context, text, header.at, source=header.time_source),
                level=header.level,
                component=around.container or "flanneld",
                message=message[:2000],
                fields={"pid": header.pid, "file": header.file, "line": header.source_line},
                signal=next((signal for words, signal in _SIGNALS if words in message), None),
            )
