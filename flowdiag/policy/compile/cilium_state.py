"""What Cilium's policies refer to besides ends: settings, CIDR groups, Services, port names."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from flowdiag.model.objects import RawObject, Service, Snapshot
from flowdiag.model.policy import Condition
from flowdiag.policy.addresses import Network, parse_network
from flowdiag.policy.compile.cilium_traffic import PortNames, names_of
from flowdiag.policy.compile.context import PolicyError
from flowdiag.policy.model import Outcome
from flowdiag.policy.selectors import LabelSelector, read_selector

__all__ = ["HOST_FIREWALL_SEEN", "CiliumState"]

HOST_FIREWALL_SEEN = "seen.cilium-host-firewall"
"""Among the settings, but not one of the agent's: records show that its host firewall is on."""

_GROUP = "CiliumCIDRGroup"


class CiliumState:
    """The state as Cilium's compiler asks for it.

    Args:
        snapshot: its settings (``cilium.*``), CIDR groups, Services and pods.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        config = snapshot.config
        self.known = any(key.startswith("cilium.") for key in config)
        """Whether the agent's settings were read: then what is not set has its default."""
        self.mode = config.get("cilium.enable-policy", "default").lower()
        self.default_deny_field = config.get("cilium.enable-non-default-deny-policies") != "false"
        self.localhost = config.get("cilium.allow-localhost", "auto").lower() != "policy"
        self.host_firewall = self._switch("cilium.enable-host-firewall")
        if self.host_firewall is None and HOST_FIREWALL_SEEN in config:
            self.host_firewall = True
        self.node_labels = self._switch("cilium.enable-node-selector-labels")
        self.local_default = {"true": Outcome.MATCH, "false": Outcome.MISS}.get(
            config.get("cilium.policy-default-local-cluster", ""), Outcome.UNKNOWN
        )
        """Whether a selector without a cluster means this one; the default changed between releases."""
        self.port_names: PortNames = names_of(snapshot)
        self._groups = {each.name: each for each in snapshot.others if each.kind == _GROUP}
        self._groups_read = bool(self._groups) or any(kind == _GROUP for _, kind in snapshot.kinds_seen)

    def _switch(self, key: str) -> bool | None:
        """Tell a setting that is off unless set; ``None`` where no settings were read."""
        value = self._snapshot.config.get(key)
        if value is None:
            return False if self.known else None
        return value.lower() == "true"

    # CIDR groups

    def group(self, name: str) -> tuple[Network, ...] | str:
        """Give the ranges of a CiliumCIDRGroup, or why they are not known."""
        found = self._groups.get(name)
        return f"{_GROUP} {name} is not in the state" if found is None else _ranges(found)

    def groups(self, selector: LabelSelector) -> tuple[Network, ...] | str:
        """Give the ranges of the groups with these labels, or why they are not known."""
        if not self._groups_read:
            return f"no {_GROUP} is in the state"
        found: list[Network] = []
        for name in sorted(self._groups):
            group = self._groups[name]
            metadata = group.body.get("metadata")
            labels = metadata.get("labels") if isinstance(metadata, dict) else None
            texts = (
                {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
            )
            if selector.check(texts, Condition.IP).outcome is Outcome.MATCH:
                ranges = _ranges(group)
                if isinstance(ranges, str):
                    return ranges
                found.extend(ranges)
        return tuple(dict.fromkeys(found))

    # Services

    def services(self, raw: Any, where: str) -> list[Service] | str:
        """Find the Services that an entry of ``toServices`` names, or say why they are not known.

        Raises:
            PolicyError: what the agent rejects.
        """
        given = (
            {key: value for key, value in raw.items() if value is not None} if isinstance(raw, dict) else {}
        )
        if len(given) != 1 or not given.keys() <= {"k8sService", "k8sServiceSelector"}:
            raise PolicyError(f"{where} is not exactly one of k8sService and k8sServiceSelector")
        field, inner = next(iter(given.items()))
        if not isinstance(inner, dict):
            raise PolicyError(f"{where}.{field} is not an object")
        namespace = inner.get("namespace") or None
        if field == "k8sService":
            name = inner.get("serviceName")
            found = [each for each in self._in(namespace) if each.name == name]
            return found or f"Service {namespace or '*'}/{name} is not in the state"
        selector = _without_sources(read_selector(inner.get("selector")))
        if not self._snapshot.services:
            return "no Service is in the state"
        return [
            each
            for each in self._in(namespace)
            if selector.check(each.labels, Condition.SERVICE).outcome is Outcome.MATCH
        ]

    def _in(self, namespace: str | None) -> list[Service]:
        return [each for each in self._snapshot.services if namespace in (None, each.namespace)]

    def addresses(self, namespace: str, name: str) -> tuple[Network, ...]:
        """Give the addresses behind a Service without a selector."""
        found: list[Network] = []
        for each in self._snapshot.endpoint_slices:
            if (each.namespace, each.service) != (namespace, name):
                continue
            for address in each.addresses:
                try:
                    found.append(parse_network(address))
                except ValueError:
                    continue
        return tuple(dict.fromkeys(found))


def _ranges(group: RawObject) -> tuple[Network, ...] | str:
    spec = group.body.get("spec")
    raw = spec.get("externalCIDRs") if isinstance(spec, dict) else None
    found = []
    for each in raw if isinstance(raw, list) else []:
        try:
            found.append(parse_network(str(each)))
        except ValueError:
            return f"{_GROUP} {group.name} holds {str(each)[:50]!r}, which is no CIDR"
    return tuple(dict.fromkeys(found))


def _without_sources(selector: LabelSelector) -> LabelSelector:
    return LabelSelector(
        tuple(
            structs.replace(each, key=each.key.removeprefix("k8s:").removeprefix("any:"))
            for each in selector.requirements
        )
    )
