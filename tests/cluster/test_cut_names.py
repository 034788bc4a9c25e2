"""Names that OVN and k3s cut are completed by the policies at hand, where one alone can be meant."""

import json

import pytest

from flowdiag.cluster import build_snapshot
from flowdiag.cluster.cut_names import CutNames
from flowdiag.cluster.resolve import Resolver
from flowdiag.model.event import FlowEvent, Peer, Verdict
from flowdiag.tally import Tally
from flowdiag_parsers.nflog.packet_line import policy_of as k3s_policy
from flowdiag_parsers.ovn.acl_name import policy_of as ovn_policy

LONG = "allow-from-the-front-end-of-the-web-shop-on-port-8080-only"
LONG_NAMESPACE = "customer-relationship-management-production"


def snapshot(*names, kind="NetworkPolicy", group="networking.k8s.io"):
    """Policies by ``namespace/name``; a name alone is cluster-wide."""

    def item(name):
        namespace, _, name = name.rpartition("/")
        meta = {"name": name, **({"namespace": namespace} if namespace else {})}
        return {"apiVersion": f"{group}/v1", "kind": kind, "metadata": meta, "spec": {}}

    document = {"apiVersion": "v1", "kind": "List", "items": [item(name) for name in names]}
    return build_snapshot([("state.json", json.dumps(document).encode())])[0]


def flow(*hits):
    """A distinct flow whose record names these policies."""
    tally = Tally()
    event = FlowEvent(
        line=1, src=Peer(ip="10.0.0.1"), dst=Peer(ip="10.0.0.2"), verdict=Verdict.DENIED, policies=hits
    )
    tally.add(event, "ovn-acl", "acl.log")
    return tally.flows()[0]


def completed(hit, *names, **kind):
    (flow_of,) = Resolver(snapshot(*names, **kind)).resolve(flow(hit))
    (hit,) = flow_of.distinct.policies
    return hit.namespace, hit.name


@pytest.mark.parametrize(
    "spelled", [f"NP:shop:{LONG}:Ingress:0", f"shop_{LONG}_0", f"np/{LONG}.shop/ingress/IPv4/0"]
)
def test_ovn_names_cut_at_63(spelled):
    """All generations of names; another policy of the namespace, and one of the same name elsewhere, do not disturb."""
    hit = ovn_policy(spelled[:63], "drop")
    assert hit.name is None

    assert completed(hit, f"shop/{LONG}", "shop/other", f"data/{LONG[:20]}") == ("shop", LONG)


def test_k3s_cuts_both_parts():
    """Up to 24 characters of the namespace, and what is left for the policy."""
    hit = k3s_policy(f"DROP by policy {LONG_NAMESPACE[:23]}/{LONG[:24]}")
    assert (hit.namespace, hit.name) == (None, None)

    names = (f"{LONG_NAMESPACE}/{LONG}", f"{LONG_NAMESPACE}/deny-all", f"shop/{LONG}")
    assert completed(hit, *names) == (LONG_NAMESPACE, LONG)


def test_two_that_begin_alike_stay_open():
    """Nobody is named by guess."""
    hit = ovn_policy(f"NP:shop:{LONG}"[:63], "drop")

    assert completed(hit, f"shop/{LONG}", f"shop/{LONG}-too") == ("shop", None)
    assert completed(hit) == ("shop", None)


def test_whole_names_and_default_denies_are_left_alone():
    """``NP:shop:Ingress`` is the isolation of a namespace, no policy called so."""
    whole = ovn_policy("NP:shop:web:Ingress:0", "drop")
    isolation = ovn_policy("NP:shop:Ingress", "drop")

    assert completed(whole, "shop/web", "shop/web-2") == ("shop", "web")
    assert completed(isolation, "shop/ingress") == ("shop", None)


def test_cluster_wide_policies():
    """An AdminNetworkPolicy's name can be long as well."""
    kind = {"kind": "AdminNetworkPolicy", "group": "policy.networking.k8s.io"}
    name = f"{LONG}-and-nowhere-else"
    hit = ovn_policy(f"ANP:{name}:Ingress:0"[:63], "drop")

    assert hit.name is None
    assert completed(hit, name, "other", **kind) == (None, name)


def test_a_name_is_no_beginning_in_the_middle_of_another():
    """``_pre`` of another namespace's policy does not begin ``e_pre...`` of namespace ``e``."""
    hit = ovn_policy(f"shop-online_{LONG}"[:63], "drop")
    names = CutNames(snapshot(f"online/{LONG}"))

    assert names.completed(flow(hit)).policies == (hit,)
