"""The labels that Calico sees: a pod's own, those it adds, and those inherited; and host endpoints.

Source: projectcalico/calico ``libcalico-go/lib/backend/k8s/conversion`` and ``felix/labelindex``, v3.31: a
pod gains ``projectcalico.org/namespace``, ``orchestrator`` and ``serviceaccount``; profiles apply
``pcns.`` labels of its namespace and ``pcsa.`` labels of its service account.  Own labels win.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from typing import Any

from flowdiag.model.objects import RawObject, Snapshot
from flowdiag.policy.facts import Facts

__all__ = ["ACCOUNT_LABEL", "ACCOUNT_PREFIX", "NAMESPACE_LABEL", "CalicoLabels"]

NAMESPACE_LABEL = "projectcalico.org/namespace"
ACCOUNT_LABEL = "projectcalico.org/serviceaccount"
ACCOUNT_PREFIX = "pcsa."
NAMESPACE_PREFIX = "pcns."
NAME_LABEL = "projectcalico.org/name"


class CalicoLabels:
    """Effective labels of pods, workload endpoints and nodes with host endpoints."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._accounts: dict[tuple[str, str], Mapping[str, str]] = {}
        self.profiles: dict[str, RawObject] = {}
        self.host_endpoints: list[RawObject] = []
        for each in snapshot.others:
            if each.kind == "ServiceAccount" and each.namespace is not None:
                self._accounts[each.namespace, each.name] = labels_of(each)
            elif each.kind == "Profile":
                self.profiles[each.name] = each
            elif each.kind == "HostEndpoint":
                self.host_endpoints.append(each)
        self.accounts_known = ("", "ServiceAccount") in snapshot.kinds_seen or bool(self._accounts)

    def of(self, facts: Facts) -> Mapping[str, str]:
        """Build the labels of an end; what is not an endpoint to Calico has none."""
        if facts.kind == "node":
            found = self.host_endpoints_of(facts)
            if len({(tuple(sorted(labels_of(each).items())), *_profiles(each)) for each in found}) > 1:
                facts.why_unknown = "which of the node's host endpoints the traffic enters is not known"
            elif found and facts.addresses and all(map(_of_other_addresses, found, repeat(facts.addresses))):
                facts.why_unknown = (
                    f"whether the traffic enters by host endpoint {found[0].name} is not known: "
                    "it is of another interface's addresses"
                )
            names = "\0".join(each.name for each in found)
            return {HOST_MARK: names, **labels_of(found[0])} if found else {}
        if facts.kind != "pod":
            return {}
        effective: dict[str, str] = {}
        for profile in facts.profiles:
            if profile in self.profiles:
                effective |= _strings(spec_of(self.profiles[profile]).get("labelsToApply"))
        namespace, account = facts.namespace, facts.service_account
        if namespace is not None:
            for key, value in (facts.namespace_labels or {}).items():
                effective[NAMESPACE_PREFIX + key] = value
            effective[NAMESPACE_PREFIX + NAME_LABEL] = namespace
            effective[NAMESPACE_LABEL] = namespace
        effective["projectcalico.org/orchestrator"] = "k8s"
        # The API server fills in "default"; manifests leave it out.
        if account is None and facts.labels is not None and facts.labels_complete and not facts.profiles:
            account = "default"
        if account is not None:
            effective[ACCOUNT_LABEL] = account
            effective[ACCOUNT_PREFIX + NAME_LABEL] = account
            for key, value in self._accounts.get((namespace or "", account), {}).items():
                effective[ACCOUNT_PREFIX + key] = value
        return effective | dict(facts.labels or {})

    def host_endpoints_of(self, facts: Facts) -> list[RawObject]:
        """Host endpoints of a node: those with the address asked about, else all of the node."""
        own = [each for each in self.host_endpoints if spec_of(each).get("node") == facts.node]
        by_address = [
            each
            for each in own
            if set(facts.addresses) & {str(ip) for ip in spec_of(each).get("expectedIPs") or ()}
        ]
        return by_address or own


def _of_other_addresses(each: RawObject, addresses: tuple[str, ...]) -> bool:
    """Whether a host endpoint is that of one interface, whose addresses are told and are none of these."""
    spec = spec_of(each)
    own = {str(ip) for ip in spec.get("expectedIPs") or ()}
    return bool(own) and spec.get("interfaceName") != "*" and own.isdisjoint(addresses)


def _profiles(each: RawObject) -> list[str]:
    return sorted(map(str, spec_of(each).get("profiles") or ()))


HOST_MARK = "\0host-endpoint"
"""Key under which a node's effective labels name its host endpoints, a NUL between them: no label can be called so."""


def labels_of(each: RawObject) -> dict[str, str]:
    """Labels of an object's metadata."""
    metadata = each.body.get("metadata")
    return _strings(metadata.get("labels")) if isinstance(metadata, dict) else {}


def spec_of(each: RawObject) -> dict[str, Any]:
    """Give an object's spec; empty if it has none."""
    spec = each.body.get("spec")
    return spec if isinstance(spec, dict) else {}


def _strings(raw: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in raw.items()} if isinstance(raw, dict) else {}
