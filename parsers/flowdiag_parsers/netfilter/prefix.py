"""What the text that a rule puts before its packet lines says of the packet.

A LOG rule does not decide: the packet goes on to the next rule.  So a line is `Verdict.LOGGED` unless
the software that wrote the rule always refuses what it logs with that prefix.
"""

from __future__ import annotations

import itertools
import re
from functools import cache, lru_cache

from msgspec import Struct

from flowdiag.parserkit import Cause, PolicyHit, Verdict

__all__ = ["Reading", "read_prefix"]

LOG_PREFIX_BYTES = 29
"""Longest prefix that the iptables LOG target keeps (nftables keeps 127)."""


class Reading(Struct, frozen=True):
    """Verdict and cause of a prefix, and the policies that it names."""

    verdict: Verdict
    cause: Cause | None = None
    reason: str | None = None
    policies: tuple[PolicyHit, ...] = ()


_KINDS: dict[str, tuple[str, str]] = {
    "np": ("NetworkPolicy", "projectcalico.org"),
    "gnp": ("GlobalNetworkPolicy", "projectcalico.org"),
    "snp": ("StagedNetworkPolicy", "projectcalico.org"),
    "sgnp": ("StagedGlobalNetworkPolicy", "projectcalico.org"),
    "sknp": ("StagedKubernetesNetworkPolicy", "projectcalico.org"),
    "knp": ("NetworkPolicy", "networking.k8s.io"),
    "kcnp": ("ClusterNetworkPolicy", "policy.networking.k8s.io"),
    "pro": ("Profile", "projectcalico.org"),
}


# "calico-packet np:app/foo:admin: "  logPrefix "calico-packet %k:%p:%t" (Calico v3.30.6, v3.31.4, v3.32)
@cache
def _template() -> re.Pattern[str]:
    return re.compile(
        r"(?:^|[ |:\[(])(?P<kind>s?knp|kcnp|s?gnp|s?np|pro):(?:(?P<ns>[a-z0-9-]{1,63})/)?"
        r"(?P<name>[a-z0-9.-]{1,253})(?P<mark>[:\])|](?P<tier>[a-z0-9.-]{1,253}(?=:? ?$))?)?"
    )


# "calico-packet admin/np app/foo: "  logPrefix "calico-packet %t/%k %p"; "[knp] shop/web: "  "[%k] %p"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")

# "[UFW BLOCK] ", "[UFW LIMIT BLOCK] ", "[UFW AUDIT INVALID] ", "[UFW ALLOW] "   ufw 0.36
_UFW = re.compile(r"\[UFW ([A-Z][A-Z ]{0,30})\]")

# "FINAL_REJECT: ", "STATE_INVALID_DROP: ", "filter_IN_public_REJECT: ", "rpfilter_DROP: "  firewalld 0.9-2.x
_FIREWALLD = re.compile(
    r"(?:FINAL|STATE_INVALID|rpfilter|(?:filter|mangle|raw)_[A-Za-z]+_\S{1,64})_(DROP|REJECT)\b"
)


# "IPTables-Dropped: ", "iptables denied: ", "DROP:", "nft-reject "   rules that people write themselves
@cache
def _refusing_word() -> re.Pattern[str]:
    return re.compile(
        r"(?<![A-Za-z])(?:drop(?:ped|s)?|den(?:y|ied)|reject(?:ed)?|block(?:ed)?)(?![A-Za-z])", re.IGNORECASE
    )


@lru_cache(maxsize=4096)
def read_prefix(prefix: str, forwarded: bool) -> Reading:
    """Say what a prefix means.

    Args:
        prefix: the rule's text as the kernel printed it, its end (``": "``) included.
        forwarded: the packet passes through the host.  ufw logs before its FORWARD chain ends and a
            CNI's own rule may still accept the packet, so a forwarded ``[UFW BLOCK]`` is only logged.
    """
    text = prefix.strip()
    if text.startswith("calico-drop"):
        # Calico Enterprise DropActionOverride=LogAndDrop, and Felix before 2016.
        return Reading(Verdict.DENIED, Cause.POLICY, "policy-denied")
    if text.startswith("TRACE: "):
        # "TRACE: filter:KUBE-POD-FW-DROP:rule:1 ": where the packet passed (iptables -j TRACE), whatever the chain is called.
        return Reading(Verdict.LOGGED)
    ufw = _UFW.search(text)
    if ufw is not None:
        return _ufw(ufw[1], forwarded)
    firewalld = _FIREWALLD.search(text)
    if firewalld is not None:
        if "STATE_INVALID" in text:
            return Reading(Verdict.DENIED, Cause.FAULT, "conntrack-invalid")
        if "rpfilter" in text:
            return Reading(Verdict.DENIED, Cause.CONFIGURATION, "reverse-path-filter")
        return Reading(Verdict.DENIED, Cause.CONFIGURATION, f"host-firewall-{firewalld[1].lower()}")
    if "DROP by policy " in text:
        # k3s' policies: each that does not match writes so, whatever another one lets pass (the parser of ulogd's log pairs
        # such lines; here one stands behind something that neither knows).
        return Reading(Verdict.LOGGED)
    policies = _templated(prefix) or _freely_templated(prefix)
    if policies or "calico" in text:
        # "calico-packet-deny: " is a FelixConfiguration's one prefix for every Log rule, whatever follows.
        return Reading(Verdict.LOGGED, policies=policies)
    if _refusing_word().search(text):
        return Reading(Verdict.DENIED, None, "log-prefix-says-refused")
    return Reading(Verdict.LOGGED)


def _ufw(words: str, forwarded: bool) -> Reading:
    if words.endswith("BLOCK"):
        if forwarded:
            return Reading(Verdict.LOGGED, reason="ufw-block-forwarded")
        return Reading(Verdict.DENIED, Cause.CONFIGURATION, "host-firewall-block")
    if words == "ALLOW":
        return Reading(Verdict.ALLOWED)
    return Reading(Verdict.LOGGED)


def _templated(prefix: str) -> tuple[PolicyHit, ...]:
    """The policy that a template wrote into the prefix; a part that may be cut off is left out."""
    match = _template().search(prefix)
    if match is None:
        return ()
    kind, group = _KINDS[match["kind"]]
    cut = len(prefix) >= LOG_PREFIX_BYTES and not prefix.endswith(": ")
    at_end = match.end("name") == len(prefix.rstrip())
    name = None if cut and at_end else match["name"]
    tier = match["tier"]
    if cut and tier is not None and match.end("tier") == len(prefix.rstrip()):
        tier = None
    return (
        PolicyHit(
            kind=kind,
            group=group,
            namespace=match["ns"],
            name=name,
            tier=tier,
            effect="log",
            raw=prefix.strip().removesuffix(":"),
        ),
    )


def _freely_templated(prefix: str) -> tuple[PolicyHit, ...]:
    """The policy in a template of another shape, where it can be read in one way only; its tier stays unread."""
    words = list(_NAME.finditer(prefix))
    places = [at for at, word in enumerate(words) if word[0] in _KINDS and word[0] != "pro"]
    if len(places) != 1:
        return ()
    place = places[0]
    kind, group = _KINDS[words[place][0]]
    namespace: str | None = None
    if kind.startswith("Global") or kind in ("StagedGlobalNetworkPolicy", "ClusterNetworkPolicy"):
        if place != len(words) - 2:
            return ()
        last = words[-1]
    else:
        pairs = [
            (one, other)
            for at, (one, other) in enumerate(itertools.pairwise(words))
            if place not in (at, at + 1) and prefix[one.end() : other.start()] == "/"
        ]
        if len(pairs) != 1:
            return ()
        first, last = pairs[0]
        namespace = first[0]
    cut = len(prefix) >= LOG_PREFIX_BYTES and not prefix.endswith(": ")
    name = None if cut and last.end() == len(prefix.rstrip()) else last[0]
    raw = prefix.strip().removesuffix(":")
    return (PolicyHit(kind=kind, group=group, namespace=namespace, name=name, effect="log", raw=raw),)
