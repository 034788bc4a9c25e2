"""What a policy's own text says at a rule's path: peers and ports as written, for diagnosis.

`flowdiag.policy` decides; this only reads the words that a person will look at (``egress[0].to[1]``), so
that a diagnosis can tell *why* a condition was written the way it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeVar

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.model.cilium import POLICY_KINDS
from flowdiag.model.digits import is_digits, whole
from flowdiag.model.event import PORT_PROTOCOLS
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import CALICO_GROUPS, KUBERNETES_GROUPS, NearestRule, PolicyRef
from flowdiag.policy.names_controller import FQDN_POLICY
from flowdiag.policy.selectors import LabelSelector, SelectorError, read_selector

__all__ = [
    "IpBlock",
    "PeerText",
    "PortText",
    "admits_a_pod",
    "directions_without_rules",
    "ip_blocks",
    "labels_asked_for",
    "peers",
    "policy_at",
    "policy_now",
    "port_texts",
    "rule_at",
    "selected_labels",
    "selector_holds",
]

_STEP = re.compile(r"([A-Za-z]+)\[(\d{1,6})\]")
# "egress[0].to[1]", "ingressDeny[2]": steps of a rule's path (`NearestRule.rule`).

_CILIUM_ANY = PORT_PROTOCOLS
# What a port of a Cilium rule is for that names no protocol, or ANY; never ICMP.

Network = IPv4Network | IPv6Network


class PeerText(Struct, frozen=True):
    """One entry of ``from`` or ``to`` of a NetworkPolicy; a selector is ``None`` where it is not written."""

    path: str
    namespaces: LabelSelector | None
    pods: LabelSelector | None


class PortText(Struct, frozen=True):
    """One entry of ``ports``; `port` is ``None`` for every port of the protocol."""

    protocol: str
    port: int | str | None
    end: int | None = None

    def has(self, port: int) -> bool:
        """Whether a number is within it."""
        if self.port is None:
            return True
        if isinstance(self.port, str):
            return False
        return self.port <= port <= (self.end or self.port)


class IpBlock(Struct, frozen=True):
    """One range with its exceptions, as written."""

    cidr: str
    exceptions: tuple[str, ...] = ()

    def holds(self, ip: str | None) -> bool:
        """Whether the address is in the range, exceptions aside."""
        return _within(ip, self.cidr)

    def admits(self, ip: str | None) -> bool:
        """Whether the address is in the range, and in none of its exceptions."""
        return self.holds(ip) and self.excepting(ip) is None

    def excepting(self, ip: str | None) -> str | None:
        """Give the exception that covers the address."""
        return next((each for each in self.exceptions if _within(ip, each)), None)


def _within(ip: str | None, cidr: str) -> bool:
    network, address = _network(cidr), _address(ip or "")
    if network is None or address is None:
        return False
    return address.version == network.version and address in network


@lru_cache(maxsize=4096)
def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def policy_at(case: Case, ref: PolicyRef) -> PolicyObject | None:
    """Give the object of a policy that held at the time of the case; the only one, or ``None`` if unsure."""
    versions = case.context.policy(ref)
    if len(versions) == 1:
        return versions[0]
    at = case.at
    holding = [
        one
        for one in versions
        if at is None
        or (
            (one.valid_from is None or one.valid_from <= at)
            and (one.valid_until is None or at < one.valid_until)
        )
    ]
    found = holding or list(versions)
    return found[0] if len(found) == 1 else None


def policy_now(case: Case, ref: PolicyRef) -> PolicyObject | None:
    """Give the object of a policy that a change made now would meet; the only one, or ``None``."""
    found = [one for one in case.context.policy(ref) if one.valid_until is None]
    return found[0] if len(found) == 1 else None


_Text = TypeVar("_Text")


def _once(read: Callable[[Case, NearestRule], _Text]) -> Callable[[Case, NearestRule], _Text]:
    """Read each rule of each policy object once a run, however many refusals come near it."""

    @wraps(read)
    def known(case: Case, rule: NearestRule) -> _Text:
        policy = policy_at(case, rule.policy)
        if policy is None:
            return read(case, rule)
        # The context's snapshot keeps the object, so that its id stays its own.
        key = (read, id(policy), rule.rule)
        texts = case.context.texts
        if key not in texts:
            texts[key] = read(case, rule)
        found: _Text = texts[key]
        return found

    return known


@_once
def rule_at(case: Case, rule: NearestRule) -> dict[str, Any] | None:
    """Give the rule's own object (the whole ``egress[0]``, whichever of its peers is meant)."""
    policy = policy_at(case, rule.policy)
    step = _STEP.match(rule.rule)
    if policy is None or step is None:
        return None
    found = policy.spec.get(step[1])
    index = int(step[2])
    if not isinstance(found, list) or index >= len(found):
        return None
    return found[index] if isinstance(found[index], dict) else {}


def _peer_index(rule: NearestRule) -> int | None:
    steps = _STEP.findall(rule.rule)
    return int(steps[1][1]) if len(steps) > 1 else None


def _entries(case: Case, rule: NearestRule) -> Iterator[tuple[str, dict[str, Any]]]:
    raw = rule_at(case, rule)
    if raw is None or rule.policy.kind != "NetworkPolicy":
        return
    base = _STEP.match(rule.rule)
    wanted = _peer_index(rule)
    for word in ("from", "to"):
        found = raw.get(word)
        for index, peer in enumerate(found if isinstance(found, list) else ()):
            if isinstance(peer, dict) and (wanted is None or wanted == index):
                yield f"{base[0] if base else rule.rule}.{word}[{index}]", peer


@_once
def peers(case: Case, rule: NearestRule) -> tuple[PeerText, ...]:
    """Read the selectors of the rule's peers (of the one that its path names, else of all)."""
    found = []
    for path, peer in _entries(case, rule):
        if peer.get("ipBlock") is not None:
            continue
        try:
            namespaces = peer.get("namespaceSelector")
            pods = peer.get("podSelector")
            found.append(
                PeerText(
                    path,
                    None if namespaces is None else read_selector(namespaces),
                    None if pods is None else read_selector(pods),
                )
            )
        except SelectorError:
            continue
    return tuple(found)


@_once
def ip_blocks(case: Case, rule: NearestRule) -> tuple[IpBlock, ...]:
    """Read the address ranges of the rule's peers, in NetworkPolicy, Cilium and Calico wording."""
    found: list[IpBlock] = []
    for _, peer in _entries(case, rule):
        block = peer.get("ipBlock")
        if isinstance(block, dict) and isinstance(block.get("cidr"), str):
            found.append(IpBlock(block["cidr"], _strings(block.get("except"))))
    raw = rule_at(case, rule) or {}
    for word in ("fromCIDR", "toCIDR"):
        found.extend(IpBlock(cidr) for cidr in _strings(raw.get(word)))
    for word in ("fromCIDRSet", "toCIDRSet"):
        for entry in _objects(raw.get(word)):
            named = (entry["cidr"],) if isinstance(entry.get("cidr"), str) else _of_group(case, entry)
            found.extend(IpBlock(cidr, _strings(entry.get("except"))) for cidr in named)
    for word in ("source", "destination"):
        side = raw.get(word)
        if isinstance(side, dict):
            exceptions = _strings(side.get("notNets"))
            found.extend(IpBlock(cidr, exceptions) for cidr in _strings(side.get("nets")))
    return tuple(found)


def _of_group(case: Case, entry: dict[str, Any]) -> Iterator[str]:
    """The ranges of the CiliumCIDRGroup that an entry names (``cidrGroupRef``)."""
    for one in case.context.snapshot.others:
        if one.kind == "CiliumCIDRGroup" and one.name == entry.get("cidrGroupRef"):
            spec = one.body.get("spec")
            yield from _strings(spec.get("externalCIDRs") if isinstance(spec, dict) else None)


@_once
def port_texts(case: Case, rule: NearestRule) -> tuple[PortText, ...] | None:
    """Read the rule's ports; empty is every port, ``None`` is not known."""
    raw = rule_at(case, rule)
    if raw is None:
        return None
    if rule.policy.kind in POLICY_KINDS:
        return tuple(
            text
            for group in _objects(raw.get("toPorts"))
            for entry in _objects(group.get("ports"))
            for text in _port_text(entry, absent=_CILIUM_ANY)
        )
    if rule.policy.group in CALICO_GROUPS:
        return tuple(_calico_ports(raw))
    of_gke = (rule.policy.group, rule.policy.kind) == FQDN_POLICY
    if of_gke or (rule.policy.kind == "NetworkPolicy" and rule.policy.group in KUBERNETES_GROUPS):
        absent = PORT_PROTOCOLS if of_gke else ("TCP",)
        return tuple(
            text for entry in _objects(raw.get("ports")) for text in _port_text(entry, absent=absent)
        )
    return None


def _port_text(entry: dict[str, Any], *, absent: tuple[str, ...]) -> Iterator[PortText]:
    port, end = entry.get("port"), entry.get("endPort")
    number = whole(port) if isinstance(port, str) and is_digits(port) else port
    protocol = str(entry.get("protocol") or "").upper()
    for each in absent if protocol in ("", "ANY", "ALL") else (protocol,):
        yield PortText(
            each,
            number if isinstance(number, int | str) and not isinstance(number, bool) else None,
            end if isinstance(end, int) else None,
        )


def _calico_ports(raw: dict[str, Any]) -> Iterator[PortText]:
    protocol = str(raw.get("protocol") or "TCP").upper()
    side = raw.get("destination")
    for port in (side.get("ports") if isinstance(side, dict) else None) or ():
        if isinstance(port, bool) or not isinstance(port, int | str):
            continue
        first, colon, last = str(port).partition(":")
        if is_digits(first) and (is_digits(last) or not colon):
            yield PortText(protocol, whole(first), whole(last) if colon else None)
        elif isinstance(port, str):
            yield PortText(protocol, port)


def _objects(raw: Any) -> Iterator[dict[str, Any]]:
    return (each for each in raw if isinstance(each, dict)) if isinstance(raw, list) else iter(())


def _strings(raw: Any) -> tuple[str, ...]:
    return tuple(each for each in raw if isinstance(each, str)) if isinstance(raw, list) else ()


def selector_holds(selector: LabelSelector | None, labels: dict[str, str]) -> bool:
    """Whether complete labels meet a selector; one that is not written is met."""
    return selector is None or all(each.holds(labels) for each in selector.requirements)


def admits_a_pod(case: Case, rule: NearestRule, peer: PeerText) -> bool:
    """Whether a NetworkPolicy's peer admits any live pod of the snapshot today."""
    key = (rule.policy.namespace if peer.namespaces is None else None, (peer.namespaces, peer.pods))
    known = case.context.admitting.get(key)
    if known is None:
        known = case.context.admitting[key] = _admits(case, rule.policy.namespace, peer)
    return known


def _admits(case: Case, own: str | None, peer: PeerText) -> bool:
    namespaces = case.context.snapshot.namespaces
    by_namespace = case.context.index.by_namespace
    if peer.namespaces is None:
        spaces = [own] if own is not None and own in by_namespace else []
    else:
        spaces = [
            name
            for name in by_namespace
            if selector_holds(peer.namespaces, namespaces[name].labels if name in namespaces else {})
        ]
    return any(
        pod.live and not pod.host_network and selector_holds(peer.pods, pod.labels)
        for name in spaces
        for pod in by_namespace[name]
    )


def directions_without_rules(policy: PolicyObject) -> dict[str, str]:
    """Directions that a NetworkPolicy isolates though it has no rule for them, and how that came about.

    ``implied``: ``policyTypes`` is left out, so Ingress is isolated, while only egress rules are written;
    ``listed``: ``policyTypes`` names the direction, while rules are written for the other one only;
    ``empty``: the list of rules is there and empty.
    """
    if policy.ref.kind != "NetworkPolicy" or policy.ref.group not in KUBERNETES_GROUPS:
        return {}
    spec = policy.spec
    types = spec.get("policyTypes")
    given = [str(each).lower() for each in types] if isinstance(types, list) else []
    rules = {word: spec.get(word) for word in ("ingress", "egress")}
    isolated = given or (["ingress", "egress"] if rules["egress"] else ["ingress"])
    found: dict[str, str] = {}
    for word, other in (("ingress", "egress"), ("egress", "ingress")):
        if word not in isolated or rules[word]:
            continue
        if rules[other]:
            found[word] = "listed" if given else "implied"
        elif rules[word] == [] and spec.get("podSelector"):
            found[word] = "empty"
    return found


def selected_labels(case: Case, ref: PolicyRef, path: str) -> tuple[tuple[str, str], ...]:
    """Read ``key=value`` pairs that a rule's peer selectors ask pods for (NetworkPolicy and Cilium kinds)."""
    return _selected(case, NearestRule(policy=ref, rule=path, misses=()))


def labels_asked_for(case: Case, policy: PolicyObject) -> frozenset[tuple[str, str]]:
    """All that `selected_labels` reads of any rule of a policy."""
    texts = case.context.texts
    key = (labels_asked_for, id(policy))
    if key not in texts:
        texts[key] = frozenset(
            pair
            for word, rules in policy.spec.items()
            if isinstance(rules, list)
            for index in range(len(rules))
            for pair in selected_labels(case, policy.ref, f"{word}[{index}]")
        )
    found: frozenset[tuple[str, str]] = texts[key]
    return found


@_once
def _selected(case: Case, rule: NearestRule) -> tuple[tuple[str, str], ...]:
    found: dict[tuple[str, str], None] = {}
    selectors = [peer.pods for peer in peers(case, rule) if peer.pods is not None]
    raw = rule_at(case, rule) or {}
    for word in ("fromEndpoints", "toEndpoints"):
        entries = raw.get(word)
        for entry in entries if isinstance(entries, list) else ():
            try:
                selectors.append(read_selector(entry))
            except SelectorError:
                continue
    for selector in selectors:
        for each in selector.requirements:
            if each.operator == "In" and len(each.values) == 1:
                key = each.key.removeprefix("k8s:").removeprefix("any:")
                if not key.startswith("io.kubernetes.pod.") and not key.startswith("io.cilium."):
                    found[(key, each.values[0])] = None
    return tuple(found)
