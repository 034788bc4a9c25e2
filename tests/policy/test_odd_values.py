"""Objects are what somebody wrote: any value may stand anywhere, and none may end a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from flowdiag.cluster.manifests import read_manifest
from flowdiag.cluster.snapshot import merge_manifests
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Icmp
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.policy.scenes import pod_end

ODD: tuple[Any, ...] = (None, [], {}, [["x"]], {"x": [1]}, True, 1.5, 2**70, "", "\x1b[1m")

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
    "status": {"podIP": "10.0.0.7", "phase": "Running"},
}
_LABELS = {
    "matchLabels": {"app": "web"},
    "matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}],
}
_ADMIN_RULES = {
    "subject": {"pods": {"namespaceSelector": _LABELS, "podSelector": _LABELS}},
    "priority": 3,
    "ingress": [
        {"name": "a", "action": "Pass", "from": [{"namespaces": _LABELS}], "ports": [{"namedPort": "http"}]}
    ],
    "egress": [
        {
            "action": "Deny",
            "to": [{"networks": ["192.0.2.0/24"]}, {"domainNames": ["*.example.com"]}, {"nodes": _LABELS}],
            "ports": [{"portRange": {"protocol": "TCP", "start": 1, "end": 9}}, {"portNumber": {"port": 80}}],
        }
    ],
}
_CALICO_RULE = {
    "action": "Allow",
    "protocol": "TCP",
    "notProtocol": "UDP",
    "ipVersion": 4,
    "source": {"selector": "app == 'web'", "nets": ["192.0.2.0/24"], "serviceAccounts": {"names": ["a"]}},
    "destination": {
        "namespaceSelector": "all()",
        "ports": [80, "81:90", "http"],
        "notNets": ["192.0.2.1/32"],
    },
}

WRITTEN: dict[str, dict[str, Any]] = {
    "NetworkPolicy": {
        "apiVersion": "networking.k8s.io/v1",
        "spec": {
            "podSelector": _LABELS,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"podSelector": _LABELS, "namespaceSelector": _LABELS}], "ports": [{"port": 80}]}
            ],
            "egress": [
                {
                    "to": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}}],
                    "ports": [{"protocol": "TCP", "port": 8080, "endPort": 8090}],
                }
            ],
        },
    },
    "AdminNetworkPolicy": {"apiVersion": "policy.networking.k8s.io/v1alpha1", "spec": _ADMIN_RULES},
    "ClusterNetworkPolicy": {
        "apiVersion": "policy.networking.k8s.io/v1alpha2",
        "spec": {"tier": "Admin", **_ADMIN_RULES},
    },
    "CiliumNetworkPolicy": {
        "apiVersion": "cilium.io/v2",
        "spec": {
            "endpointSelector": _LABELS,
            "enableDefaultDeny": {"ingress": False},
            "ingress": [
                {
                    "fromEndpoints": [_LABELS],
                    "fromEntities": ["world"],
                    "fromCIDRSet": [{"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}],
                    "toPorts": [
                        {
                            "ports": [{"port": "80", "endPort": 90, "protocol": "TCP"}],
                            "rules": {"http": [{"method": "GET", "path": "/a.*", "headers": ["x"]}]},
                        }
                    ],
                    "authentication": {"mode": "required"},
                }
            ],
            "egress": [
                {
                    "toFQDNs": [{"matchName": "a.example.com"}, {"matchPattern": "*.example.com"}],
                    "toServices": [{"k8sService": {"serviceName": "a", "namespace": "b"}}],
                    "icmps": [{"fields": [{"type": 8, "family": "IPv4"}]}],
                }
            ],
            "egressDeny": [{"toCIDR": ["192.0.2.0/24"], "toNodes": [_LABELS]}],
        },
    },
    "calico": {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkPolicy",
        "spec": {
            "tier": "default",
            "order": 10,
            "selector": "app == 'web'",
            "serviceAccountSelector": "all()",
            "types": ["Ingress", "Egress"],
            "ingress": [
                _CALICO_RULE,
                {"action": "Pass", "icmp": {"type": 8, "code": 0}, "notICMP": {"type": 1}},
            ],
            "egress": [{"action": "Deny", "destination": {"services": {"name": "a", "namespace": "b"}}}],
        },
    },
    "EgressFirewall": {
        "apiVersion": "k8s.ovn.org/v1",
        "spec": {
            "egress": [
                {
                    "type": "Allow",
                    "to": {"cidrSelector": "192.0.2.0/24"},
                    "ports": [{"protocol": "TCP", "port": 80}],
                },
                {"type": "Deny", "to": {"dnsName": "a.example.com"}},
                {"type": "Deny", "to": {"nodeSelector": _LABELS}},
            ]
        },
    },
    "FQDNNetworkPolicy": {
        "apiVersion": "networking.gke.io/v1alpha1",
        "spec": {
            "podSelector": _LABELS,
            "egress": [
                {
                    "matches": [{"name": "a.example.com"}, {"pattern": "*.example.com"}],
                    "ports": [{"protocol": "TCP", "port": 443}, {"port": 80}],
                },
            ],
        },
    },
    "ApplicationNetworkPolicy": {
        "apiVersion": "networking.k8s.aws/v1alpha1",
        "spec": {
            "podSelector": _LABELS,
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"domainNames": ["*.example.com"]}], "ports": [{"port": 80, "endPort": 90}]}],
        },
    },
    "aws": {
        "apiVersion": "networking.k8s.aws/v1alpha1",
        "kind": "ClusterNetworkPolicy",
        "spec": {"tier": "Admin", **_ADMIN_RULES},
    },
    "antrea": {
        "apiVersion": "crd.antrea.io/v1beta1",
        "kind": "ClusterNetworkPolicy",
        "spec": {
            "tier": "securityops",
            "priority": 5,
            "appliedTo": [{"podSelector": _LABELS, "namespaceSelector": _LABELS}, {"group": "apis"}],
            "ingress": [
                {
                    "name": "a",
                    "action": "Allow",
                    "from": [
                        {"podSelector": _LABELS, "namespaces": {"match": "Self"}},
                        {"group": "apis"},
                        {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}},
                    ],
                    "ports": [{"protocol": "TCP", "port": 80, "endPort": 90}, {"port": "http"}],
                }
            ],
            "egress": [
                {
                    "action": "Drop",
                    "to": [{"fqdn": "*.example.com"}, {"nodeSelector": _LABELS}],
                    "protocols": [{"icmp": {"icmpType": 8, "icmpCode": 0}}],
                }
            ],
        },
    },
    "antrea by rule": {
        "apiVersion": "crd.antrea.io/v1beta1",
        "kind": "NetworkPolicy",
        "spec": {
            "priority": 5.5,
            "ingress": [
                {
                    "action": "Reject",
                    "appliedTo": [{"podSelector": _LABELS}],
                    "from": [{"podSelector": _LABELS}],
                }
            ],
        },
    },
}
"""A policy of each language that holds most of its fields."""


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container and key below."""
    for key in (
        list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    ):
        yield value, key
        yield from _places(value[key])


def _spoilt(policy: dict[str, Any], odd: Any) -> Iterator[dict[str, Any]]:
    """The policy with one of its values replaced, for each of them."""
    for number in range(sum(1 for _ in _places(policy["spec"]))):
        copy = deepcopy(policy)
        container, key = list(_places(copy["spec"]))[number]
        container[key] = odd
        yield copy


@pytest.mark.parametrize("language", WRITTEN)
def test_any_value_anywhere_in_a_policy_is_survived(language: str) -> None:
    policy = {"kind": language, "metadata": {"name": "p", "namespace": "default"}, **WRITTEN[language]}
    items = []
    for odd in ODD:
        items += _spoilt(policy, odd)
    for number, item in enumerate(items):
        item["metadata"] = {"name": f"p{number}", "namespace": "default"}
    data = json.dumps({"apiVersion": "v1", "kind": "List", "items": [POD, *items]}).encode()
    snapshot, _ = merge_manifests([read_manifest("s.json", data)])
    # None is lost: each is compiled, undecidable, or said not to be in force.
    assert len(snapshot.policies) == len(items)
    web, outside = pod_end(snapshot.pods[0]), Endpoint(kind=EndpointKind.EXTERNAL, ip="192.0.2.7")
    for dialect in Dialect:
        policies = compile_policies(snapshot, dialect=dialect)
        policies.evaluate(web, outside, "TCP", 80, walk=True)
        policies.evaluate(outside, web, "ICMP", None, icmp=Icmp(8, 0))
