"""A policy that a tool keeps is changed at the tool's source, and the advice says so."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from diagnosis_cases import build_case

from flowdiag.diagnose import diagnose

RULE = {
    "podSelector": {},
    "policyTypes": ["Ingress"],
    "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 6380}]}],
}
MARKS = {
    "helm": (
        {"annotations": {"meta.helm.sh/release-name": "redis", "meta.helm.sh/release-namespace": "data"}},
        "Helm release redis in namespace data",
    ),
    "argo annotation": (
        {
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "argocd.argoproj.io/tracking-id": "store:networking.k8s.io/NetworkPolicy:data/redis"
            },
        },
        "Argo CD application store",
    ),
    "argo label": ({"labels": {"argocd.argoproj.io/instance": "store"}}, "Argo CD application store"),
    "flux": (
        {
            "labels": {
                "kustomize.toolkit.fluxcd.io/name": "apps",
                "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            }
        },
        "Flux Kustomization flux-system/apps",
    ),
    "another tool": ({"labels": {"app.kubernetes.io/managed-by": "my-operator"}}, "my-operator"),
}


def _advice(marks):
    case = build_case(
        {
            "state": {
                "namespaces": {"data": {}},
                "pods": {"data/web-1": {"ip": "10.0.1.1"}, "data/redis-0": {"ip": "10.0.2.1"}},
                "policies": {"data/redis": {**RULE, **marks}},
            },
            "flow": {
                "from": "data/web-1",
                "to": "data/redis-0",
                "port": "6379/TCP",
                "direction": "ingress",
            },
        }
    )
    return diagnose(case)[0].advice


@pytest.mark.parametrize("name", sorted(MARKS))
def test_the_advice_points_to_the_source(name):
    """The tool and the name of its object stand in the advice, and what a direct edit is worth."""
    marks, source = MARKS[name]

    assert f"NetworkPolicy data/redis comes from {source}: change it there" in _advice(marks)


def test_a_policy_of_nobodys_is_changed_directly():
    """Where no tool left its mark nothing is said; kubectl as field manager is no tool."""
    assert "comes from" not in _advice({"written": -60})
