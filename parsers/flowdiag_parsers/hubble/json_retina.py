"""What a drop says that Retina saw, where no Cilium is.

Retina (microsoft/retina ``pkg/utils/flow_utils.go``, 2023 to 2026) writes its own reasons beside flows, in ``extensions``, and
for some of them the reason of Cilium's that comes nearest: ``POLICY_DENIED`` for whatever rule of iptables dropped it.
Sample: ``"extensions":{"@type":"type.googleapis.com/utils.RetinaMetadata","bytes":"74","drop_reason":"TCP_CONNECT_BASIC"}``;
the first of its reasons is zero, and so left out.
"""

from __future__ import annotations

from typing import Any

from flowdiag.parserkit import Cause
from flowdiag_parsers.hubble.json_fields import text

__all__ = ["RETINA", "retina_reason"]

RETINA = "RetinaMetadata"
"""How the type of its extension ends."""

_FIRST = "IPTABLE_RULE_DROP"
_CAUSES = {
    # A policy's rule or anybody's: a firewall's, kube-proxy's for what it marked.
    _FIRST: None,
    "IPTABLE_NAT_DROP": Cause.FAULT,
    "CONNTRACK_ADD_DROP": Cause.FAULT,
    "TCP_CONNECT_BASIC": Cause.FAULT,
    # A socket without a connection to accept, or with none to close.
    "TCP_ACCEPT_BASIC": Cause.NOISE,
    "TCP_CLOSE_BASIC": Cause.NOISE,
}


def retina_reason(
    extensions: dict[str, Any] | None, cilium: str | None
) -> tuple[str, Cause | None, str] | None:
    """Reason, cause and the word as written; ``None`` where it is no drop of Retina's, or says nothing.

    Args:
        extensions: of the flow.
        cilium: the reason that the record gives in Cilium's words.
    """
    if extensions is None or not (text(extensions, "@type") or "").endswith(RETINA):
        return None
    word = text(extensions, "drop_reason") or (_FIRST if cilium == "POLICY_DENIED" else None)
    if word is None:
        return None
    return word[:128].lower().replace("_", "-"), _CAUSES.get(word), word[:128]
