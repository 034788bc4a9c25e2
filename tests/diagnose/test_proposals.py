"""Proposals mend what they say, close nothing, and tell all that they open: checked against brute force."""

import json
import re
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from msgspec import UNSET, structs

sys.path.insert(0, str(Path(__file__).parent))

from brute_force import is_of_nodes, listed, listed_as_perhaps, opened, opened_to_nodes, perhaps, stands_for
from diagnosis_cases import build_case, load_cases, objects

from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.diagnose import Case, diagnose
from flowdiag.diagnose.proposals import attach, node_ends, propose
from flowdiag.diagnose.proposals.addresses import with_addresses
from flowdiag.diagnose.proposals.edit import Edit, changed_policy
from flowdiag.diagnose.proposals.proof import Elsewhere, Ends
from flowdiag.diagnose.proposals.propose import compiled
from flowdiag.diagnose.proposals.sentence import in_one
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import Dialect, IpBlockPods, PolicyRef
from flowdiag.policy import compile_policies
from tests.read_yaml import read_yaml

SPECS = {f"{code}-{name}": spec for code, name, spec in load_cases()}
CASES = {
    name: spec
    for name, spec in SPECS.items()
    if "-fires_" in name and not {"decision", "no_state", "no_replay"} & set(spec)
}

WITHOUT_PROPOSAL = {
    "FD105",
    *("FD308", "FD310", "FD404", "FD405"),
    *("FD501", "FD503", "FD504", "FD505", "FD508"),
    *("FD601", "FD604", "FD605", "FD608", "FD609"),
    "FD700",
}
"""Codes of which no case has a change of policies to propose: the mistake is not in a rule (FD105's is the agent's mode), or
nobody can say which (FD405's addresses have no names)."""
PROPOSED = {
    "FD101-fires_rule_for_another_workload": "Admit shop/web in NetworkPolicy data/redis ingress[0].",
    "FD102-fires_ingress_missing": "Add NetworkPolicy data/allow-redis-from-web to let data/redis be reached by shop/web.",
    "FD104-fires_cilium_deny_only_that_is_called_so": (
        "Set enableDefaultDeny.ingress: false in CiliumNetworkPolicy shop/block-evil, if it is meant to deny and not to "
        "close the rest."
    ),
    "FD201-fires_mistyped_value": (
        "Correct NetworkPolicy data/redis ingress[0].from[0]: app=frontend becomes app=front."
    ),
    "FD201-fires_one_label_of_several_is_mistyped": (
        "Correct NetworkPolicy data/redis ingress[0].from[0]: tier=front becomes tier=Front."
    ),
    "FD201-fires_none_of_a_choice": (
        "Correct NetworkPolicy data/redis ingress[0].from[0]: "
        "tier in (edge,front) becomes tier in (Front,edge,front)."
    ),
    "FD202-fires_none_of_a_choice_of_names": (
        "Correct NetworkPolicy shop/allow-ntp egress[0].to[0]: "
        "name in (kube-system,ops) becomes kubernetes.io/metadata.name in (kube-system,ops)."
    ),
    "FD201-fires_same_value_under_a_key_in_another_case": (
        "Correct NetworkPolicy data/redis ingress[0].from[0]: tier=web becomes Tier=web."
    ),
    "FD201-fires_same_value_under_a_key_in_another_case_in_ciliums_words": (
        "Correct CiliumNetworkPolicy data/redis ingress[0].fromEndpoints[0]: tier=web becomes Tier=web."
    ),
    "FD201-fires_same_value_under_a_key_in_another_case_in_calicos_words": (
        "Correct NetworkPolicy data/redis ingress[0]: "
        "tier == 'web' && app != 'old' becomes Tier == 'web' && app != 'old'."
    ),
    "FD202-fires_selector_wants_the_name": (
        "Correct NetworkPolicy shop/allow-ntp egress[0].to[0]: "
        "name=kube-system becomes kubernetes.io/metadata.name=kube-system."
    ),
    "FD204-fires_peer_in_another_namespace": (
        "Correct NetworkPolicy data/redis ingress[0].from[0]: "
        "add namespaceSelector kubernetes.io/metadata.name=shop."
    ),
    "FD101-fires_a_policy_that_selects_nothing_by_one_label": (
        "Let NetworkPolicy vms/db select vms/vm-db by vm.kubevirt.io/name=vm-db: "
        "it asks for kubevirt.io/vm=vm-db, and selects no pod."
    ),
    "FD101-fires_a_cilium_policy_that_selects_nothing_by_one_label": (
        "Let CiliumNetworkPolicy data/redis select data/redis by app=redis: it asks for app=reds, and selects no pod."
    ),
    "FD101-fires_a_policy_that_selects_another_pod": (
        "Add NetworkPolicy vms/allow-vm-db-from-web to let vms/vm-db be reached by shop/web."
    ),
    "FD101-fires_a_policy_of_what_goes_on_for_longer": (
        "Add NetworkPolicy vms/allow-vm-db-from-web to let vms/vm-db be reached by shop/web."
    ),
    "FD101-fires_a_policy_that_misses_by_two_labels": (
        "Add NetworkPolicy vms/allow-vm-db-from-web to let vms/vm-db be reached by shop/web."
    ),
    "FD301-fires_service_port": "Allow 8080/TCP in NetworkPolicy data/api ingress[0].",
    "FD303-fires_protocol_left_out": "Allow 8125/UDP in NetworkPolicy ops/statsd ingress[0].",
    "FD401-fires_default_deny": (
        "Add NetworkPolicy shop/allow-dns to allow DNS to all that NetworkPolicy shop/default-deny isolates."
    ),
    "FD401-fires_an_exception_covers_the_dns_pods": (
        "Admit kube-system/coredns on 53/UDP and 53/TCP in NetworkPolicy shop/internet by a rule beside egress[0]."
    ),
    "FD213-fires_backend_admits_the_world": (
        "Admit ingress (10.0.9.7) in CiliumNetworkPolicy shop/web ingress[0]."
    ),
    "FD307-fires_aggregated_api": (
        "Add CiliumNetworkPolicy certs/allow-hook-from-kube-apiserver to let certs/hook be reached by kube-apiserver."
    ),
    "FD402-fires_local_address": (
        "Add NetworkPolicy shop/allow-dns to allow DNS to all that NetworkPolicy shop/dns isolates, "
        "at 169.254.20.10 and 1 other address of the cluster's DNS."
    ),
    "FD205-fires_labels_of_a_host_pod": (
        "Add NetworkPolicy shop/allow-web-from-nodes to let shop/web be reached by 192.0.2.11 "
        "and 1 other address of the nodes."
    ),
    "FD205-fires_labels_in_calicos_words": (
        "Admit 192.0.2.11 and 1 other address of the nodes on 8080/TCP in NetworkPolicy shop/web "
        "by a rule behind ingress[0]."
    ),
    "FD205-fires_labels_in_ciliums_words": (
        "Add CiliumNetworkPolicy shop/allow-web-from-nodes to let shop/web be reached by nodes (host, remote-node)."
    ),
    "FD207-fires_range_over_nodes": (
        "Add CiliumNetworkPolicy shop/allow-web-to-nodes to let shop/web reach nodes (host, remote-node)."
    ),
    "FD214-fires_selector_without_a_cluster": (
        "Admit the same pods of cluster east beside CiliumNetworkPolicy pay/api ingress[0].fromEndpoints[0]."
    ),
    "FD211-fires_outside_address": (
        "Admit 198.51.100.9 on 443/TCP in NetworkPolicy shop/internet by a rule beside egress[0]."
    ),
}


def proposal_of(spec):
    """The case, its policies and its proposal."""
    case = build_case(spec)
    policies = compile_policies(
        case.context.snapshot,
        dialect=Dialect(spec.get("dialect", "kubernetes")),
        ip_block_pods=IpBlockPods(spec.get("ip_block_pods", "auto")),
    )
    ends = Ends.of(case.context.snapshot, [case.flow.src, case.flow.dst])
    proved = propose(case, policies, ends)
    return case, policies, ends, proved and proved.for_all(())


@pytest.mark.parametrize("name", sorted(PROPOSED))
def test_the_smallest_edit_is_proposed(name):
    """The nearest rule's condition first, a policy of its own where no rule is near."""
    _, _, _, found = proposal_of(CASES[name])

    assert found is not None
    assert PROPOSED[name] == found.summary


@pytest.mark.parametrize("code", sorted({name[:5] for name in CASES}))
def test_a_proposal_holds_when_applied(code):
    """Its manifests, read back as YAML, allow the connection; what else opens is what it lists."""
    held = []
    for name, spec in CASES.items():
        if not name.startswith(code):
            continue
        case, policies, ends, found = proposal_of(spec)
        if found is None:
            continue
        applied = _applied(spec, found, policies)

        assert applied.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed is True, name
        rows = listed(found, policies, applied)
        of_nodes = {row for row in rows if is_of_nodes(row)}
        assert opened(case, policies, applied, ends) == rows - of_nodes, name
        to_nodes = opened_to_nodes(case, policies, applied, ends)
        assert all(any(stands_for(row, one) for row in of_nodes) for one in to_nodes), name
        asked = (end_text(case.flow.src), end_text(case.flow.dst), case.protocol, case.port)
        assert all(any(stands_for(row, one) for one in (*to_nodes, asked)) for row in of_nodes), name
        assert perhaps(case, policies, applied, ends) == listed_as_perhaps(found, policies, applied), name
        held.append(name)

    assert bool(held) is (code not in WITHOUT_PROPOSAL)


def _applied(spec, found, policies):
    """The policies with a proposal's manifests applied."""
    manifests = [read_yaml(text) for text in found.manifests]
    items = [one for one in objects(spec["state"]) if _key(one) not in {_key(m) for m in manifests}]
    snapshot, problems = build_snapshot(
        [("state.json", json.dumps({"kind": "List", "items": items + manifests}).encode())]
    )
    assert problems == []
    return compile_policies(snapshot, dialect=policies.dialect)


def _key(one):
    return (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])


def _spec(**state):
    return {
        "state": {
            "namespaces": {"shop": {}, "data": {}},
            "pods": {"shop/web-1": {"ip": "10.0.1.1"}, "data/redis-0": {"ip": "10.0.2.1"}},
            **state,
        },
        "flow": {"from": "shop/web-1", "to": "data/redis-0", "port": "6379/TCP", "direction": "egress"},
    }


DENY = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_both_ends_are_mended():
    """Where both ends refuse, the proposal holds a manifest for each."""
    _, _, _, found = proposal_of(_spec(policies={"shop/deny": DENY, "data/deny": DENY}))

    assert [read_yaml(text)["metadata"]["namespace"] for text in found.manifests] == ["shop", "data"]
    assert "; add NetworkPolicy data/" in found.summary
    assert found.also_allows == ()
    assert found.patch is None


def test_a_diff_holds_what_is_new_beside_what_is_known():
    """Terminal, Markdown and `explain` show the diff where there is one, and then nothing else."""
    redis = {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}
    _, _, _, found = proposal_of(_spec(policies={"shop/deny": DENY, "data/redis": redis}))

    heads = [line for line in found.patch.splitlines() if line.startswith(("---", "+++", "@@"))]
    assert heads[:2] == ["--- /dev/null", "+++ b/shop/allow-web-to-redis.yaml"]
    assert "--- a/data/redis.yaml" in heads
    added = [line[1:] for line in found.patch.splitlines() if line[:1] == "+" and line[:3] != "+++"]
    assert found.manifests[0].splitlines() == added[: len(found.manifests[0].splitlines())]


def test_a_written_selector_that_admits_somebody_stays():
    """The entry is added beside one that other pods need, and the diff shows only that."""
    spec = CASES["FD204-fires_own_pods_carry_the_label_too"]
    _, _, _, found = proposal_of(spec)

    assert found.summary.startswith("Admit shop/web in NetworkPolicy data/redis")
    assert [line for line in found.patch.splitlines() if line.startswith("-") and line[1] != "-"] == []


_PEERS = {
    "kubernetes": {
        "data/redis": {
            "podSelector": {"matchLabels": {"app": "redis"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "redis"}}}]}],
        }
    },
    "cilium": {
        "CiliumNetworkPolicy data/redis": {
            "endpointSelector": {"matchLabels": {"app": "redis"}},
            "ingress": [{"fromEndpoints": [{"matchLabels": {"app": "redis"}}]}],
        }
    },
    "calico": {
        "CalicoNetworkPolicy data/redis": {
            "selector": "app == 'redis'",
            "types": ["Ingress"],
            "ingress": [{"action": "Allow", "source": {"selector": "app == 'redis'"}}],
        }
    },
}


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("dialect", sorted(_PEERS))
def test_a_workload_keeps_reaching_its_own_replicas(dialect, replicas):
    """A rule for the workload's own pods is not rewritten for the caller: its replicas need it, now or when they come."""
    pods = {f"data/redis-{number}": {"ip": f"10.0.2.{number}"} for number in range(replicas)}
    spec = _spec(policies=_PEERS[dialect], pods={"data/cli-0": {"ip": "10.0.1.1"}, **pods})
    spec |= {"dialect": dialect, "flow": {**spec["flow"], "from": "data/cli-0", "direction": "ingress"}}
    _, _, _, found = proposal_of(spec)

    assert found.summary.startswith("Admit data/cli ")
    assert [line for line in found.patch.splitlines() if line.startswith("-") and line[1] != "-"] == []


def test_what_one_end_lets_pass_stays_though_the_other_end_refuses_it():
    """It is half of another problem's fix: the rule keeps its selector, and the peer is admitted beside it."""
    rule = {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 5432}]}
    policies = {
        "shop/out": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": ["Egress"],
            "egress": [rule],
        },
        "shop/db": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]},
    }
    pods = {
        name: {"ip": f"10.0.1.{n}"} for n, name in enumerate(("shop/web-1", "shop/db-0", "shop/cache-0"), 1)
    }
    flow = {"from": "shop/web-1", "to": "shop/cache-0", "port": "5432/TCP", "direction": "egress"}
    _, _, _, found = proposal_of(_spec(pods=pods, policies=policies) | {"flow": flow})

    assert found.summary == "Admit shop/cache in NetworkPolicy shop/out egress[0]."


_ELSEWHERE = {
    "kubernetes": {
        "data/redis": {
            "podSelector": {"matchLabels": {"app": "redis"}},
            "ingress": [
                {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "batch"}}}]}
            ],
        }
    },
    "cilium": {
        "CiliumNetworkPolicy data/redis": {
            "endpointSelector": {"matchLabels": {"app": "redis"}},
            "ingress": [{"fromEndpoints": [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "batch"}}]}],
        }
    },
    "calico": {
        "GlobalNetworkPolicy redis": {
            "selector": "app == 'redis'",
            "types": ["Ingress"],
            "ingress": [
                {"action": "Allow", "source": {"namespaceSelector": "projectcalico.org/name == 'batch'"}}
            ],
        }
    },
}


@pytest.mark.parametrize("dialect", sorted(_ELSEWHERE))
def test_a_namespace_that_a_rule_names_keeps_its_access(dialect):
    """Nothing runs in it today, so that nothing would close; it is there and named, and stays."""
    spec = _spec(policies=_ELSEWHERE[dialect], namespaces={"shop": {}, "data": {}, "batch": {}})
    spec |= {"dialect": dialect, "flow": {**spec["flow"], "direction": "ingress"}}
    _, _, _, found = proposal_of(spec)

    assert found.summary.startswith("Admit shop/web ")
    assert [line for line in found.patch.splitlines() if line.startswith("-") and line[1] != "-"] == []


_EVERYBODY = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 80}]}]}


@pytest.mark.parametrize("dialect", ["kubernetes", "calico", "cilium"])
def test_no_namespace_is_taken_out_of_a_rule_where_namespaces_were_not_read(dialect):
    """Whoever carries the label is not known, and may be let in by it."""
    label = "io.cilium.k8s.namespace.labels.team"
    kind, spec = {
        "kubernetes": (
            "",
            {
                "podSelector": {},
                "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}]}],
            },
        ),
        "calico": (
            "CalicoNetworkPolicy ",
            {
                "types": ["Ingress"],
                "ingress": [{"action": "Allow", "source": {"namespaceSelector": "team == 'shop'"}}],
            },
        ),
        "cilium": (
            "CiliumNetworkPolicy ",
            {"endpointSelector": {}, "ingress": [{"fromEndpoints": [{"matchLabels": {label: "shop"}}]}]},
        ),
    }[dialect]
    state = _spec(policies={f"{kind}data/redis": spec}, namespaces={})
    state |= {"dialect": dialect, "flow": {**state["flow"], "direction": "ingress"}}
    _, _, _, found = proposal_of(state)

    assert found is None or not found.summary.startswith("Correct")
    assert found is None or not [line for line in (found.patch or "").splitlines() if re.match("-[^-]", line)]


def test_a_rule_for_pods_is_not_rewritten_for_an_address():
    """Though nobody carries the label today: the namespace that it is for may come, and the address be none of its."""
    policies = {
        "data/redis": {
            "podSelector": {},
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"group": "ingress"}}}]}],
        }
    }
    spec = _spec(policies=policies)
    spec["flow"] = {"from": "192.0.2.77", "to": "data/redis-0", "port": "6379/TCP", "direction": "ingress"}
    _, _, _, found = proposal_of(spec)

    assert (
        found.summary
        == "Admit 192.0.2.77 on 6379/TCP in NetworkPolicy data/redis by a rule beside ingress[0]."
    )


def test_what_opens_to_everybody_outside_is_listed():
    """A port that is added to a rule without peers opens it for addresses that nobody has seen, too."""
    _, _, _, found = proposal_of(_spec(policies={"shop/web": _EVERYBODY}))

    assert found.summary == "Allow 6379/TCP in NetworkPolicy shop/web egress[0]."
    assert [(one.src, one.dst, one.ports) for one in found.also_allows] == [
        ("shop/web", "any address outside", ("6379",))
    ]


def test_a_rule_for_somebody_who_is_not_here_is_kept():
    """Nobody is in the namespace that it names, and still it was written for them: the caller gets a rule beside it."""
    rule = {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}}]}
    policies = {"data/redis": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]}}
    spec = _spec(policies=policies)
    case, policies, _, _ = proposal_of(spec | {"flow": spec["flow"] | {"direction": "ingress"}})
    (finding,) = attach([(case, diagnose(case)[0])], policies)

    assert finding.code == "FD101"
    assert finding.counterfactual.summary == (
        "Admit shop/web on 6379/TCP in NetworkPolicy data/redis by a rule beside ingress[0]."
    )
    assert rule in read_yaml(finding.counterfactual.manifests[0])["spec"]["ingress"]


@pytest.mark.parametrize(
    "requirement", [{"operator": "NotIn", "values": ["web"]}, {"operator": "DoesNotExist"}]
)
def test_a_rule_that_excludes_the_caller_is_kept(requirement):
    """What a selector keeps out on purpose is not let in by taking the exclusion away."""
    selector = {"matchExpressions": [{"key": "app", **requirement}]}
    rule = {"from": [{"namespaceSelector": {}, "podSelector": selector}], "ports": [{"port": 6379}]}
    spec = _spec(policies={"data/redis": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]}})
    _, _, _, found = proposal_of(spec | {"flow": spec["flow"] | {"direction": "ingress"}})

    assert found.summary == "Admit shop/web in NetworkPolicy data/redis ingress[0]."


def _control_plane(*addresses):
    """A cluster whose API server runs on nodes with these addresses."""
    piece = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]} for address in addresses],
        "ports": [{"port": 6443, "protocol": "TCP"}],
    }
    nodes = {f"cp-{number}": {"ip": address} for number, address in enumerate(addresses)}
    return _spec(policies={"shop/deny": DENY}, nodes=nodes, objects=[piece])


@pytest.mark.parametrize(
    ("dialect", "written"),
    [("kubernetes", ["192.168.7.1/32", "192.168.7.2/32", "192.168.7.3/32"]), ("cilium", ["kube-apiserver"])],
)
def test_the_api_server_is_admitted_wherever_it_answers(dialect, written):
    """By all of its addresses where policies go by these: a Service's next connection goes to another."""
    spec = _control_plane("192.168.7.2", "192.168.7.1", "192.168.7.3") | {"dialect": dialect}
    record = {"dst": {"entity": "kube-apiserver"}} if dialect == "cilium" else {}
    to = {"to": "192.168.7.2", "port": "6443/TCP", "direction": "egress"}
    case, policies, _, found = proposal_of(spec | {"flow": {"from": "shop/web-1", **to, **record}})
    text = found.manifests[0]

    assert [name for name in written if f" {name}\n" in text] == written
    applied = _applied(spec, found, policies)
    assert applied.evaluate(case.flow.src, case.flow.dst, "TCP", 6443).allowed is True


def test_a_choice_of_calicos_namespaces_keeps_the_others():
    """They are called by a label that none has; all of them are meant, and not the caller's alone."""
    source = {"selector": "app == 'web'", "namespaceSelector": "name in {'shop', 'ops'}"}
    rule = {"action": "Allow", "protocol": "TCP", "source": source, "destination": {"ports": [6379]}}
    policies = {"CalicoNetworkPolicy data/redis": {"types": ["Ingress"], "ingress": [rule]}}
    spec = _spec(policies=policies) | {"dialect": "calico"}
    _, _, _, found = proposal_of(spec | {"flow": spec["flow"] | {"direction": "ingress"}})

    assert found.summary == (
        "Correct NetworkPolicy data/redis ingress[0]: "
        "name in {'shop', 'ops'} becomes projectcalico.org/name in {'shop', 'ops'}."
    )
    assert found.proved


_OUT = {"podSelector": {}, "policyTypes": ["Egress"]}


def test_both_families_of_a_pod_count():
    """A range of IPv6 holds a pod's second address: a port that opens for it opens for the pod, and for no other."""
    rule = {"to": [{"ipBlock": {"cidr": "2001:db8:0:2::/64"}}], "ports": [{"port": 80}]}
    pods = {
        "shop/web-1": {"ip": "10.0.1.1,2001:db8:0:1::1"},
        "data/redis-0": {"ip": "10.0.2.1,2001:db8:0:2::1"},
        "data/old-0": {"ip": "10.0.2.2,2001:db8:0:3::1"},
    }
    spec = _spec(pods=pods, policies={"shop/web": {**_OUT, "egress": [rule]}}) | {"dialect": "calico"}
    flow = {"from": "shop/web-1", "to": "2001:db8:0:2::9", "port": "443/TCP", "direction": "egress"}
    _, _, _, found = proposal_of(spec | {"flow": flow})

    assert found.summary == "Allow 443/TCP in NetworkPolicy shop/web egress[0]."
    assert [(one.src, one.dst, one.ports) for one in found.also_allows] == [
        ("shop/web", "2001:db8:0:2::/64", ("443",)),
        ("shop/web", "data/redis", ("443",)),
    ]


@pytest.mark.parametrize(
    ("denied", "listed"),
    [(["0.0.0.0/0"], ["::/0"]), (["::/0"], ["0.0.0.0/0"]), ([], ["any address outside"])],
)
def test_what_opens_to_everybody_outside_is_told_by_family(denied, listed):
    """Where the cluster has both: a denial of every IPv4 address says nothing of IPv6, which opens all the same."""
    pods = {
        "shop/web-1": {"ip": "10.0.1.1,2001:db8:0:1::1"},
        "data/redis-0": {"ip": "10.0.2.1,2001:db8:0:2::1"},
    }
    policy = {
        "endpointSelector": {},
        "egress": [{"toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}]}]}],
    }
    if denied:
        policy["egressDeny"] = [{"toCIDR": denied}]
    spec = _spec(pods=pods, policies={"CiliumNetworkPolicy shop/web": policy}) | {"dialect": "cilium"}
    _, _, _, found = proposal_of(spec)

    assert found.summary == "Allow 6379/TCP in CiliumNetworkPolicy shop/web egress[0]."
    assert [(one.src, one.dst, one.ports) for one in found.also_allows] == [
        ("shop/web", each, ("6379",)) for each in listed
    ]


def test_a_pod_of_one_family_meets_no_address_of_the_other():
    """What opens for a dual-stack neighbour to an IPv6 address opens for nobody who has IPv4 alone."""
    pods = {
        "shop/web-1": {"ip": "10.0.1.1,2001:db8:0:1::1"},
        "shop/old-1": {"ip": "10.0.1.2"},
        "shop/new-1": {"ip": "10.0.1.3,2001:db8:0:1::3"},
    }
    rule = {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": [{"port": 443}]}
    spec = _spec(pods=pods, policies={"shop/web": {**_OUT, "egress": [rule]}}) | {"dialect": "calico"}
    flow = {"from": "shop/web-1", "to": "2001:db8:9::9", "port": "443/TCP", "direction": "egress"}
    flow["src"] = {"ip": "2001:db8:0:1::1"}
    _, _, _, found = proposal_of(spec | {"flow": flow})

    assert found.summary == "Admit 2001:db8:9::9 in NetworkPolicy shop/web egress[0]."
    assert [(one.src, one.dst, one.ports) for one in found.also_allows] == [
        ("shop/new", "2001:db8:9::9", ("443",))
    ]


@pytest.mark.parametrize(
    ("block", "listed"),
    [
        ({"cidr": "198.51.100.0/24"}, ["198.51.100.0/24"]),
        (
            {"cidr": "0.0.0.0/0", "except": ["198.51.0.0/18"]},
            ["0.0.0.0-198.50.255.255", "198.51.64.0-255.255.255.255"],
        ),
        ({"cidr": "198.51.100.9/32"}, []),
    ],
)
def test_what_opens_to_a_range_outside_is_listed(block, listed):
    """A port that is added to a rule for a range opens it for all of the range, and not for the one address seen."""
    rule = {"to": [{"ipBlock": block}], "ports": [{"port": 80}]}
    spec = _spec(policies={"shop/web": {**_OUT, "egress": [rule]}})
    spec |= {"flow": {"from": "shop/web-1", "to": "198.51.100.9", "port": "443/TCP", "direction": "egress"}}
    _, _, _, found = proposal_of(spec)

    own, _, doubt = found.summary.partition(" Whether it opens ")
    assert own == "Allow 443/TCP in NetworkPolicy shop/web egress[0]."
    # By its numbers the pod's address is in the range that is nearly everything; enforcers differ on whether that counts.
    assert bool(doubt) is (block["cidr"] == "0.0.0.0/0")
    assert [(one.src, one.dst, one.ports) for one in found.also_allows] == [
        ("shop/web", each, ("443",)) for each in listed
    ]


def test_a_range_that_is_denied_before_does_not_open():
    """An earlier policy closes part of what the rule opens; the rest is listed, and nobody is called any address."""
    rules = [
        {"action": "Deny", "destination": {"nets": ["198.51.0.0/16"]}},
        {"action": "Allow", "protocol": "TCP", "destination": {"ports": [80]}},
    ]
    policy = {"tier": "default", "order": 10, "selector": "all()", "types": ["Egress"], "egress": rules}
    spec = _spec(policies={"GlobalNetworkPolicy out": policy}) | {"dialect": "calico"}
    spec |= {"flow": {"from": "shop/web-1", "to": "203.0.113.9", "port": "443/TCP", "direction": "egress"}}
    _, _, _, found = proposal_of(spec)

    assert found.summary == "Allow 443/TCP in GlobalNetworkPolicy out egress[1]."
    rows = {(one.src, one.dst) for one in found.also_allows if not one.dst.startswith(("shop/", "data/"))}
    assert rows == {
        (name, block)
        for name in ("shop/web", "data/redis")
        for block in ("0.0.0.0-198.50.255.255", "198.52.0.0-255.255.255.255")
    } | {("data/redis", "203.0.113.9")}


def test_more_ranges_than_can_be_asked_are_one_line(monkeypatch):
    """It says that some addresses may open rather than nothing."""
    monkeypatch.setattr("flowdiag.diagnose.proposals.ranges._MOST", 1)
    rule = {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": [{"port": 80}]}
    spec = _spec(policies={"shop/web": {**_OUT, "egress": [rule]}})
    spec |= {"flow": {"from": "shop/web-1", "to": "198.51.100.9", "port": "443/TCP", "direction": "egress"}}
    _, _, _, found = proposal_of(spec)

    assert [(one.src, one.dst, one.ports) for one in found.also_allows] == [
        ("shop/web", "some addresses outside", ("443",))
    ]


def test_a_rule_for_everybody_is_not_widened_for_one_pod():
    """No rule is mistaken, so the pod gets one of its own; a rule with a mistake is corrected where it stands."""
    case, policies, _, _ = proposal_of(_spec(policies={"shop/web": _EVERYBODY}))
    (finding,) = attach([(case, diagnose(case)[0])], policies)

    assert finding.code == "FD101"
    assert finding.counterfactual.summary == (
        "Add NetworkPolicy shop/allow-web-to-redis to let shop/web reach data/redis."
    )
    assert finding.counterfactual.also_allows == ()

    http = {"ip": "10.96.0.7", "selector": {"app": "redis"}, "ports": [{"port": 80, "targetPort": 6379}]}
    spec = _spec(policies={"shop/web": _EVERYBODY}, services={"data/redis": http})
    case, policies, _, _ = proposal_of(spec)
    (finding,) = attach([(case, diagnose(case)[0])], policies)

    assert finding.code == "FD301"
    assert finding.counterfactual.summary == "Allow 6379/TCP in NetworkPolicy shop/web egress[0]."


def test_a_label_that_a_rollout_lost_is_put_back_where_it_was():
    """The rule is right: none is made to mean the workload by another label."""
    case, policies, _, _ = proposal_of(CASES["FD201-fires_label_lost_in_a_rollout"])
    (finding,) = attach([(case, diagnose(case)[0])], policies)

    assert (finding.code, finding.counterfactual) == ("FD201", None)


def test_metrics_are_not_opened_to_everybody():
    """A rule without peers that lacks the metrics port is no mistake: the scraper gets one of its own."""
    rule = {"podSelector": {"matchLabels": {"app": "api"}}, "ingress": [{"ports": [{"port": 8080}]}]}
    spec = CASES["FD306-fires_scrape"]
    spec = {**spec, "state": {**spec["state"], "policies": {"shop/api": rule}}}
    case, policies, _, _ = proposal_of(spec)
    (finding,) = attach([(case, diagnose(case)[0])], policies)

    assert finding.code == "FD306"
    assert finding.counterfactual.also_allows == ()
    assert finding.counterfactual.summary == (
        "Add NetworkPolicy shop/allow-api-from-prometheus to let shop/api be reached by monitoring/prometheus."
    )


@pytest.mark.parametrize(
    ("name", "mended"),
    [
        ("FD205-fires_labels_of_a_host_pod", True),
        ("FD207-fires_range_over_nodes", True),
        ("FD210-fires_client_hidden_by_the_node", False),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_nodes_are_admitted_where_a_rule_means_them(name, mended, alone):
    """Else anybody outside may stand behind a node's address, whom the policy means to keep out."""
    case, policies, _, _ = proposal_of(CASES[name])
    finding = diagnose(case)[0]
    finding = finding if alone else structs.replace(finding, code="FD101")
    (told,) = attach([(case, finding)], policies)

    inward = case.flow.src.kind is EndpointKind.NODE
    assert (told.counterfactual is not None) is (mended if alone else not inward)


def test_the_other_addresses_stand_beside_the_one_that_is_admitted():
    """``Admit a (198.51.100.7) and 2 other addresses of that name in ...``, not behind the policy's rule."""
    new = PolicyObject(
        ref=PolicyRef("NetworkPolicy", "networking.k8s.io", "shop", "web"),
        api_version="networking.k8s.io/v1",
        spec={"egress": [{"to": [{"ipBlock": {"cidr": "198.51.100.7/32"}}]}]},
    )
    old = changed_policy(new, {"egress": [{}]})
    edit = Edit("Admit a (198.51.100.7) in NetworkPolicy shop/web egress[0]", Direction.EGRESS, old, new)
    more = ["198.51.100.8/32", "198.51.100.9/32"]
    (wider,) = with_addresses([edit], "198.51.100.7/32", more, of="that name", named="a (198.51.100.7)")

    assert wider.summary == (
        "Admit a (198.51.100.7) and 2 other addresses of that name in NetworkPolicy shop/web egress[0]"
    )


def test_addresses_that_a_list_has_already_are_not_written_again():
    """kubernetes#71649: one API server was admitted by an ipBlock, and the others' are put beside it."""
    has, new = [{"ipBlock": {"cidr": f"192.0.2.{last}/32"}} for last in (11, 12)]
    old = PolicyObject(
        ref=PolicyRef("NetworkPolicy", "networking.k8s.io", "kube-system", "metrics"),
        api_version="networking.k8s.io/v1",
        spec={"podSelector": {}, "ingress": [{"from": [has]}]},
    )
    changed = changed_policy(old, {"podSelector": {}, "ingress": [{"from": [has, new]}]})
    edit = Edit("Admit 192.0.2.12", Direction.INGRESS, old, changed)

    more = ["192.0.2.11/32", "192.0.2.13/32"]
    (wider,) = with_addresses([edit], "192.0.2.12/32", more, of="the nodes", named="192.0.2.12")

    cidrs = [each["ipBlock"]["cidr"] for each in wider.new.spec["ingress"][0]["from"]]
    assert cidrs == ["192.0.2.11/32", "192.0.2.12/32", "192.0.2.13/32"]
    assert wider.summary == "Admit 192.0.2.12 and 1 other address of the nodes"


def test_a_selector_that_means_a_network_set_stays():
    """Its addresses stand in no proof, so the caller gets a rule of its own and the set keeps the one it has."""
    partners = {
        "apiVersion": "projectcalico.org/v3",
        "kind": "GlobalNetworkSet",
        "metadata": {"name": "partners", "labels": {"role": "partner"}},
        "spec": {"nets": ["203.0.113.0/24"]},
    }
    allow = {"action": "Allow", "source": {"selector": "role == 'partner'"}}
    policy = {"selector": "app == 'redis'", "types": ["Ingress"], "ingress": [allow]}
    spec = _spec(policies={"GlobalNetworkPolicy redis": policy}, objects=[partners])
    spec |= {"dialect": "calico", "flow": {**spec["flow"], "direction": "ingress"}}
    case, policies, _, found = proposal_of(spec)
    applied = _applied(spec, found, policies)
    partner = Endpoint(kind=EndpointKind.EXTERNAL, ip="203.0.113.9")

    for before_and_after in (policies, applied):
        assert before_and_after.evaluate(partner, case.flow.dst, "TCP", 6379).allowed is True
    assert (
        found.summary
        == "Admit shop/web on 6379/TCP in GlobalNetworkPolicy redis by a rule behind ingress[0]."
    )


def test_nothing_is_proposed_for_what_is_mended_already():
    """A policy that came after the refusals allows the connection now."""
    policies = {
        "shop/deny": DENY,
        "shop/open": {"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"], "created": 60},
    }
    case, _, _, found = proposal_of(_spec(policies=policies))

    assert case.decision.allowed is False
    assert found is None


def test_nothing_is_proposed_for_ends_without_lasting_labels():
    """A peer that no selector can mean is not admitted by a wider one."""
    pods = {"shop/web-1": {"ip": "10.0.1.1"}, "data/redis-0": {"ip": "10.0.2.1", "labels": {}}}
    _, _, _, found = proposal_of(_spec(pods=pods, policies={"shop/deny": DENY}))

    assert found is None


def test_nothing_is_proposed_for_packets_that_may_be_answers():
    """A rule for a client's port would outlive the connection, and open nothing that anybody asked for."""
    _, _, _, found = proposal_of(SPECS["FD602-unknown_answer_of_a_server"])

    assert found is None


@pytest.mark.parametrize(
    ("source", "summary"),
    [
        ("shop/web-1", "Allow 8080/TCP in NetworkPolicy data/api ingress[0]."),
        ("shop/batch-1", "Admit shop/batch in NetworkPolicy data/api by a rule behind ingress[0]."),
    ],
)
def test_a_mend_goes_before_the_deny_that_ends_a_calico_policy(source, summary):
    """First match wins: behind the Deny for all else an Allow would do nothing."""
    spec = SPECS["FD502-fires_behind_what_a_rule_before_the_rest_missed"]
    flow = {**spec["flow"], "from": source}
    if source != "shop/web-1":
        pods = {**spec["state"]["pods"], source: {"ip": "10.0.1.9"}}
        spec = {**spec, "state": {**spec["state"], "pods": pods}}
        flow["port"] = "80/TCP"
    case, policies, _, found = proposal_of({**spec, "flow": flow})

    assert found.summary == summary
    assert (
        _applied({**spec, "flow": flow}, found, policies)
        .evaluate(case.flow.src, case.flow.dst, case.protocol, case.port)
        .allowed
    )


def test_a_new_calico_policy_stands_before_the_one_that_denies_all_else():
    """Without an order it would be asked last, behind the Deny for everybody whom no rule allows."""
    spec = SPECS["FD401-fires_the_rest_is_logged_and_denied"]
    case, policies, _, found = proposal_of(spec)

    assert found.summary == (
        "Add NetworkPolicy shop/allow-dns to allow DNS to all that NetworkPolicy shop/default-deny isolates."
    )
    assert ["spec:\n  tier: default\n  order: 999\n" in text for text in found.manifests] == [True]
    assert (
        _applied(spec, found, policies)
        .evaluate(case.flow.src, case.flow.dst, case.protocol, case.port)
        .allowed
    )


def test_a_deny_for_all_else_is_opened_and_one_that_comes_too_early_is_not():
    """The one is a default deny, written out; before the other a rule for somebody would undo what it is there for."""
    rest, early = (SPECS[f"FD502-fires_{name}"] for name in ("a_last_rule_that_denies_the_rest", "replayed"))
    case, policies, *_ = proposal_of(rest)
    other, others, *_ = proposal_of(early)

    (opened,) = attach([(case, diagnose(case)[0])], policies)
    (left,) = attach([(other, diagnose(other)[0])], others)

    assert (opened.code, opened.counterfactual.proved) == ("FD502", True)
    assert (left.code, left.counterfactual) == ("FD502", None)


def test_no_policy_is_proposed_where_no_policy_is_wrong():
    """Replies that are judged as new need no rule for ephemeral ports, though one would let them pass."""
    case, policies, _, found = proposal_of(CASES["FD602-fires_answer_of_an_allowed_call"])

    assert found is not None
    assert [one.counterfactual for one in attach([(case, diagnose(case)[0])], policies)] == [None]


def test_what_mends_a_second_pod_keeps_what_mended_one_that_is_gone():
    """Nobody alive carries the ended pod's label, so that taking it back closes nothing that the radius sees."""
    spec = {
        "state": {
            "namespaces": {"shop": {}, "data": {}},
            "pods": {
                "shop/batch-1": {"ip": "10.0.1.1", "labels": {"app": "batch"}, "phase": "Succeeded"},
                "shop/web-1": {"ip": "10.0.1.2", "labels": {"app": "web"}},
                "data/redis-0": {"ip": "10.0.2.1", "labels": {"app": "redis"}},
            },
            "policies": {
                "data/redis": {
                    "podSelector": {},
                    "ingress": [
                        {
                            "from": [
                                {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "api"}}}
                            ],
                            "ports": [{"port": 6379}],
                        }
                    ],
                }
            },
        },
        "flow": {"from": "shop/batch-1", "to": "data/redis-0", "port": "6379/TCP", "direction": "ingress"},
    }
    case, policies, _, _ = proposal_of(spec)
    other = build_case({**spec, "flow": {**spec["flow"], "from": "shop/web-1"}})
    (finding,) = attach([(case, diagnose(case)[0])], policies, others=[[[], [other]]])

    found = finding.counterfactual
    assert found.summary.endswith(
        "app=api becomes app=batch; admit shop/web in NetworkPolicy data/redis ingress[0]."
    )
    assert found.proved


@pytest.mark.parametrize(
    ("denied", "source", "port", "closed", "change"),
    [
        # The rule opens the port to every pod of the namespace.
        ("data/api", "shop/web-2", 8080, (), ""),
        # Another port and another caller go into the same rule, and the rule may not serve both at once.
        ("data/api", "shop/web-2", 9090, (), " and 9090/TCP"),
        ("data/api", "ops/probe-1", 8080, (), "; admit ops/probe in NetworkPolicy data/api ingress[0]"),
        # What another object refuses as well, gets a policy of its own there.
        (
            "data/api",
            "ops/probe-1",
            8080,
            ("ops",),
            (
                "; admit ops/probe in NetworkPolicy data/api ingress[0]; "
                "add NetworkPolicy ops/allow-probe-to-api to let ops/probe reach data/api"
            ),
        ),
        # What no policy may be written for stays refused.
        ("data/api", "192.0.2.0/24", 8080, (), None),
    ],
)
def test_a_change_serves_every_connection_where_its_object_can(denied, source, port, closed, change):
    """And is called proved only where every one passes; the problem's own connections are not what else it opens."""
    allowed = change is not None
    policies = {
        denied: {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}],
                    "ports": [{"port": 80, "protocol": "TCP"}],
                }
            ],
        },
        **{f"{name}/deny": {"podSelector": {}, "policyTypes": ["Egress"]} for name in closed},
    }
    spec = {
        "state": {
            "namespaces": {"shop": {}, "data": {}, "ops": {}},
            "pods": {
                "shop/web-1": {"ip": "10.0.1.1"},
                "shop/web-2": {"ip": "10.0.1.2"},
                "ops/probe-1": {"ip": "10.0.3.1"},
                "data/api-0": {"ip": "10.0.2.1"},
            },
            "policies": policies,
        },
        "flow": {"from": "shop/web-1", "to": "data/api-0", "port": "8080/TCP", "direction": "ingress"},
    }
    case, compiled, ends, _ = proposal_of(spec)
    other = build_case({**spec, "flow": {**spec["flow"], "from": source, "port": f"{port}/TCP"}})
    (finding,) = attach([(case, diagnose(case)[0])], compiled, others=[[[], [other]]])

    found = finding.counterfactual
    # Ports of one rule are told as a list.
    ports, rest = ("8080/TCP" + change, "") if change and change[0] != ";" else ("8080/TCP", change or "")
    kept = "" if allowed else f" It leaves {source} to data/api on {port}/TCP refused."
    assert found.summary == f"Allow {ports} in NetworkPolicy data/api ingress[0]{rest}.{kept}"
    assert found.mends == (UNSET if allowed else 1)
    assert (found.proved, found.allows_denied) == (allowed, allowed)
    assert len(found.manifests) == 1 + len(closed)
    applied = _applied(spec, found, compiled)
    for one in [case, other][: 1 + allowed]:
        assert applied.evaluate(one.flow.src, one.flow.dst, one.protocol, one.port).allowed is True
    own = {(end_text(one.flow.src), end_text(one.flow.dst), one.protocol, one.port) for one in (case, other)}
    assert listed(found, compiled, applied) == opened(case, compiled, applied, ends) - own


@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_each_of_several_workloads_gets_what_it_would_get_alone(direction):
    """A new policy selects one workload, so that the others of the problem get policies of their own."""
    names = ["web", "cart", "pay"]
    here, there = {f"shop/{name}-1": {"ip": f"10.0.1.{at}"} for at, name in enumerate(names)}, "data/redis-0"
    spec = _spec(pods={**here, there: {"ip": "10.0.2.1"}}, policies={"shop/deny": DENY})
    ends = [(pod, there) if direction == "egress" else (there, pod) for pod in here]
    cases = [
        build_case({**spec, "flow": {"from": src, "to": dst, "port": "6379/TCP", "direction": direction}})
        for src, dst in ends
    ]
    policies = compile_policies(cases[0].context.snapshot, dialect=Dialect.KUBERNETES)
    (finding,) = attach(
        [(cases[0], diagnose(cases[0])[0])], policies, others=[[[], *([case] for case in cases[1:])]]
    )

    found = finding.counterfactual
    assert (found.proved, found.allows_denied, found.also_allows) == (True, True, ())
    words = [
        f"allow-{name}-to-redis" if direction == "egress" else f"allow-{name}-from-redis" for name in names
    ]
    assert [read_yaml(text)["metadata"]["name"] for text in found.manifests] == words
    applied = _applied(spec, found, policies)
    for one in cases:
        assert applied.evaluate(one.flow.src, one.flow.dst, one.protocol, one.port).allowed is True


def test_one_workload_gets_one_policy_for_all_that_it_calls():
    """New policies that select the same pods are put together, and named after the first."""
    names = [f"db-{letter}" for letter in "abcdefghijkl"]
    there = {
        f"data/{name}-0": {"ip": f"10.0.2.{at}", "labels": {"app": name}} for at, name in enumerate(names)
    }
    spec = _spec(pods={"shop/web-1": {"ip": "10.0.1.1"}, **there}, policies={"shop/deny": DENY})
    cases = [
        build_case({**spec, "flow": {**spec["flow"], "to": pod, "port": f"{6000 + at}/TCP"}})
        for at, pod in enumerate(there)
    ]
    policies = compile_policies(cases[0].context.snapshot, dialect=Dialect.KUBERNETES)
    (finding,) = attach(
        [(cases[0], diagnose(cases[0])[0])], policies, others=[[[], *([case] for case in cases[1:])]]
    )

    found = finding.counterfactual
    assert (found.proved, found.also_allows) == (True, ())
    (written,) = map(read_yaml, found.manifests)
    assert len(written["spec"]["egress"]) == len(names)
    assert found.summary.startswith(
        f"Add NetworkPolicy shop/{written['metadata']['name']} to let shop/web reach "
    )
    applied = _applied(spec, found, policies)
    for one in cases:
        assert applied.evaluate(one.flow.src, one.flow.dst, one.protocol, one.port).allowed is True


@pytest.mark.parametrize("lead", ["bare-0", "db-0"])
def test_what_no_rule_can_open_keeps_nothing_from_the_rest(lead):
    """A selector of the pod without labels would mean every pod; the problem's other connections are mended."""
    there = {
        f"data/{name}-0": {"ip": f"10.0.2.{at}", "labels": {"app": name} if name != "bare" else {}}
        for at, name in enumerate(("bare", "db", "cache"))
    }
    spec = _spec(pods={"shop/web-1": {"ip": "10.0.1.1"}, **there}, policies={"shop/deny": DENY})
    cases = [build_case({**spec, "flow": {**spec["flow"], "to": pod, "port": "6379/TCP"}}) for pod in there]
    cases.sort(key=lambda case: case.flow.dst.name != lead)
    policies = compile_policies(cases[0].context.snapshot, dialect=Dialect.KUBERNETES)
    others = [[], *([case] for case in cases[1:])]
    (finding,) = attach([(cases[0], diagnose(cases[0])[0])], policies, others=[others])

    found = finding.counterfactual
    assert found.summary == (
        "Add NetworkPolicy shop/allow-web-to-db to let shop/web reach data/db; "
        "admit data/cache in NetworkPolicy shop/allow-web-to-db egress[0]. "
        "It leaves shop/web to data/bare on 6379/TCP refused."
    )
    assert (found.proved, found.allows_denied, found.mends, found.also_allows) == (False, False, 2, ())
    applied = _applied(spec, found, policies)
    assert [
        case.flow.dst.name
        for case in cases
        if not applied.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed
    ] == ["bare-0"]


def test_of_very_many_connections_the_first_are_mended():
    """Each is proved by itself, and how many there are left is said."""
    there = {f"data/db-{at}-0": {"ip": f"10.0.2.{at}", "labels": {"app": f"db-{at}"}} for at in range(1, 31)}
    spec = _spec(pods={"shop/web-1": {"ip": "10.0.1.1"}, **there}, policies={"shop/deny": DENY})
    cases = [build_case({**spec, "flow": {**spec["flow"], "to": pod, "port": "6379/TCP"}}) for pod in there]
    policies = compile_policies(cases[0].context.snapshot, dialect=Dialect.KUBERNETES)
    others = [[], *([case] for case in cases[1:])]
    (finding,) = attach([(cases[0], diagnose(cases[0])[0])], policies, others=[others])

    found = finding.counterfactual
    assert (found.proved, found.mends) == (False, 25)
    assert found.summary.endswith(
        " It leaves shop/web to data/db-26 on 6379/TCP, shop/web to data/db-27 on 6379/TCP and 3 more refused."
    )


_FOR_ALL = {
    "CiliumClusterwideNetworkPolicy default-deny": {
        "endpointSelector": {
            "matchExpressions": [
                {"key": "k8s:io.kubernetes.pod.namespace", "operator": "NotIn", "values": ["kube-system"]}
            ]
        },
        "egress": [{}],
    },
    "GlobalNetworkPolicy default-deny": {
        "namespaceSelector": "kubernetes.io/metadata.name != 'kube-system'",
        "types": ["Egress"],
    },
}


@pytest.mark.parametrize("closing", _FOR_ALL)
def test_lookups_of_many_namespaces_are_let_through_by_one_policy(closing):
    """A policy of the whole cluster closed them, and one like it opens them; nothing else than lookups."""
    spaces = [f"team-{number}" for number in range(30)]
    spec = {
        "state": {
            "namespaces": {name: {} for name in [*spaces, "kube-system"]},
            "pods": {
                **{f"{name}/app-1": {"ip": f"10.0.1.{at}"} for at, name in enumerate(spaces)},
                "kube-system/coredns-1": {"ip": "10.0.3.1", "labels": {"k8s-app": "kube-dns"}},
            },
            "policies": {closing: _FOR_ALL[closing]},
        },
        "dialect": "cilium" if closing.startswith("Cilium") else "calico",
    }
    to = {"to": "kube-system/coredns-1", "port": "53/UDP", "direction": "egress"}
    cases = [build_case({**spec, "flow": {"from": f"{name}/app-1", **to}}) for name in spaces]
    policies = compile_policies(cases[0].context.snapshot, dialect=Dialect(spec["dialect"]))
    (finding,) = attach(
        [(cases[0], diagnose(cases[0])[0])], policies, others=[[[], *([case] for case in cases[1:])]]
    )

    found = finding.counterfactual
    kind = closing.split()[0]
    assert found.summary == f"Add {kind} allow-dns to allow DNS to all that {kind} default-deny isolates."
    assert found.proved
    assert {(one.dst, one.protocol, one.ports) for one in found.also_allows} == {
        ("kube-system/coredns", "TCP", ("53",))
    }
    applied = _applied(spec, found, policies)
    for one in cases:
        assert applied.evaluate(one.flow.src, one.flow.dst, "UDP", 53).allowed is True
        assert applied.evaluate(one.flow.src, one.flow.dst, "TCP", 80).allowed is False


@pytest.mark.parametrize("edited", [False, True])
def test_a_proof_by_the_policies_nearby_is_that_by_all(edited):
    """Where the policies at hand are those of the ends' namespaces, all of them decide about what opens elsewhere.

    Also between pods that only policies elsewhere tell apart, where an edit before looks at something new.
    """
    rule = {"from": [{"namespaceSelector": {}}], "ports": [{"port": 80, "protocol": "TCP"}]}
    probes = {"podSelector": {"matchLabels": {"role": "probe"}}, "policyTypes": ["Egress"]}
    spec = {
        "state": {
            "namespaces": {"shop": {}, "data": {}, "ops": {}},
            "pods": {
                "shop/web-1": {"ip": "10.0.1.1"},
                "ops/probe-1": {"ip": "10.0.3.1", "labels": {"role": "probe"}},
                "ops/tool-1": {"ip": "10.0.3.2", "labels": {"role": "tool"}},
                "data/api-0": {"ip": "10.0.2.1"},
            },
            "policies": {
                "data/api": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]},
                "ops/deny": probes,
            },
        },
        "flow": {"from": "shop/web-1", "to": "data/api-0", "port": "8080/TCP", "direction": "ingress"},
    }
    case, policies, ends, _ = proposal_of(spec)
    (old,) = (one for one in policies.snapshot.policies if one.ref.namespace == "data")
    more = {"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}
    new = changed_policy(old, {**old.spec, "ingress": [*old.spec["ingress"], more]})
    edits = (Edit("before", Direction.INGRESS, old, new),) if edited else ()

    def proposed(near, elsewhere=None):
        at_hand = compiled(policies, edits, IpBlockPods.AUTO, near)
        met = Case(case.context.edited(at_hand.snapshot), case.flow, case.decision, case.at)
        return propose(met, at_hand, ends, elsewhere=elsewhere)

    whole, alone = proposed(None), proposed({"shop", "data", None})
    parted = proposed({"shop", "data", None}, Elsewhere(policies, frozenset({"shop", "data"})))

    assert whole.opened == parted.opened
    assert {src for src, _, _ in parted.opened} == {"shop/web", "ops/tool"}
    assert {src for src, _, _ in alone.opened} == {"shop/web", "ops/tool", "ops/probe"}


def test_proposals_are_attached_in_order():
    """Findings come back in the order given, those with a proof with their proposal."""
    case, policies, _, _ = proposal_of(CASES["FD301-fires_service_port"])
    finding = diagnose(case)[0]
    other, _, _, _ = proposal_of(CASES["FD309-fires_instance_metadata"])

    result = attach([(case, finding), (other, diagnose(other)[0])], policies)

    assert [one.code for one in result] == ["FD301", "FD309"]
    assert result[0].counterfactual.proved


def _problems(state, *flows):
    """Findings with proposals for several refusals of one cluster, as a run has them; the policies and the cases."""
    cases = []
    for source, destination, port in flows:
        flow = {"from": source, "to": destination, "port": port, "node": None}
        case = build_case({"state": state, "flow": flow, "dialect": "calico"})
        cases.append(Case(cases[0].context, case.flow, case.decision, case.at) if cases else case)
    policies = compile_policies(cases[0].context.snapshot, dialect=Dialect.CALICO)
    return attach([(case, diagnose(case)[0]) for case in cases], policies), policies, cases


_SEVERAL = {
    "namespaces": {"shop": {}, "kube-system": {}},
    "pods": {
        "shop/web-1": {"ip": "10.0.1.1"},
        "shop/api-1": {"ip": "10.0.1.2"},
        "kube-system/coredns-1": {"ip": "10.0.3.1", "labels": {"k8s-app": "kube-dns"}},
    },
    "services": {
        "kube-system/kube-dns": {
            "ip": "10.96.0.10",
            "selector": {"k8s-app": "kube-dns"},
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
        }
    },
}


def test_new_policies_of_two_problems_do_not_take_each_others_place():
    """Each isolated by a policy of its own: with one name for both, what is applied last would undo the first."""
    policies = {
        f"shop/{app}": {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Egress"]}
        for app in ("web", "api")
    }
    flows = [(f"shop/{app}-1", "kube-system/coredns-1", "53/UDP") for app in ("web", "api")]
    findings, compiled_now, cases = _problems({**_SEVERAL, "policies": policies}, *flows)
    manifests = [read_yaml(text) for one in findings for text in one.counterfactual.manifests]
    items = [*objects({**_SEVERAL, "policies": policies}), *{_key(one): one for one in manifests}.values()]
    snapshot, _ = build_snapshot([("state.json", json.dumps({"kind": "List", "items": items}).encode())])
    applied = compile_policies(snapshot, dialect=compiled_now.dialect)

    assert sorted(one["metadata"]["name"] for one in manifests) == ["allow-dns", "allow-dns-2"]
    for case in cases:
        assert applied.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed is True


def test_a_change_for_some_pods_of_a_workload_is_not_called_one_for_the_others():
    """Two problems of one workload at one port, whose pods policies tell apart: each gets what mends its own."""
    tiers = {"web-1": "old", "web-2": "new"}
    pods = {
        f"shop/{name}": {"ip": f"10.0.1.{name[-1]}", "labels": {"app": "web", "tier": tier}}
        for name, tier in tiers.items()
    }
    ports = [{"port": 5432}]
    policies = {
        f"shop/{tier}": {
            "podSelector": {"matchLabels": {"tier": tier}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {"matchLabels": {"app": tier}}}], "ports": ports}],
        }
        for tier in tiers.values()
    }
    state = {"namespaces": {"shop": {}}, "policies": policies}
    state["pods"] = {**pods, "shop/db-0": {"ip": "10.0.1.9", "workload": "db"}}
    flows = [(one, "shop/db-0", "5432/TCP") for one in pods]
    findings, compiled_now, cases = _problems(state, *flows)

    for finding, case in zip(findings, cases, strict=True):
        applied = _applied({"state": state}, finding.counterfactual, compiled_now)
        assert finding.counterfactual.proved
        assert applied.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed is True


def test_one_new_policy_serves_two_problems():
    """Where both want the very same object it keeps its name."""
    policies = {"shop/deny": {"podSelector": {}, "policyTypes": ["Egress"]}}
    flows = [
        ("shop/web-1", "kube-system/coredns-1", "53/UDP"),
        ("shop/api-1", "kube-system/coredns-1", "53/TCP"),
    ]
    findings, _, _ = _problems({**_SEVERAL, "policies": policies}, *flows)

    assert len({one.counterfactual.manifests for one in findings}) == 1


def test_two_problems_that_change_one_object_say_so():
    """Each manifest is the whole object with its own change alone: the one that is applied last would undo the other."""
    rule = {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 5432}]}
    policies = {"shop/out": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}}
    pods = {**_SEVERAL["pods"], "shop/mail-0": {"ip": "10.0.1.8"}, "shop/cache-0": {"ip": "10.0.1.9"}}
    state = {**_SEVERAL, "pods": pods, "policies": policies}
    flows = [("shop/web-1", "shop/mail-0", "5432/TCP"), ("shop/api-1", "shop/cache-0", "5432/TCP")]
    both, _, _ = _problems(state, *flows)
    alone, _, _ = _problems(state, flows[0])

    assert {one["metadata"]["name"] for f in both for one in map(read_yaml, f.counterfactual.manifests)} == {
        "out"
    }
    for finding in both:
        assert finding.counterfactual.summary.endswith(
            " Another problem's change edits NetworkPolicy shop/out too, and each manifest holds its own change "
            "alone: apply the joined change for both."
        )
    assert "Another problem" not in alone[0].counterfactual.summary
    assert alone[0].joined is None


def test_changes_that_meet_in_an_object_are_joined_and_proved_as_one():
    """The joined manifest is the object with both changes, and what it opens besides is listed for both."""
    rule = {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 5432}]}
    policies = {"shop/out": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}}
    pods = {**_SEVERAL["pods"], "shop/mail-0": {"ip": "10.0.1.8"}, "shop/cache-0": {"ip": "10.0.1.9"}}
    state = {**_SEVERAL, "pods": pods, "policies": policies}
    flows = [("shop/web-1", "shop/mail-0", "5432/TCP"), ("shop/api-1", "shop/cache-0", "5432/TCP")]
    findings, compiled_now, cases = _problems(state, *flows)
    (join,) = {id(one.joined): one.joined for one in findings}.values()
    applied = _applied({"state": state}, join, compiled_now)

    assert join.proved
    assert join.allows_denied
    assert [(ref.kind, ref.namespace, ref.name) for ref in join.objects] == [("NetworkPolicy", "shop", "out")]
    assert [one.counterfactual.shared for one in findings] == [join.objects, join.objects]
    assert len(join.manifests) == 1
    for case in cases:
        assert applied.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed is True
    assert {(one.src, one.dst) for one in join.also_allows} >= {
        ("shop/web", "shop/cache"),
        ("shop/api", "shop/mail"),
    }
    assert {("shop/web", "shop/mail"), ("shop/api", "shop/cache")}.isdisjoint(
        (one.src, one.dst) for one in join.also_allows
    )


def test_changes_that_meet_in_different_objects_are_joined_apart():
    """Four problems of one namespace, two for each of two policies: whoever mends two opens nothing for the others."""
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]}
    servers = ("mail", "cache")
    policies = {
        f"shop/{name}": {"podSelector": {"matchLabels": {"app": name}}, "ingress": [rule]} for name in servers
    }
    pods = {
        f"shop/{name}-1": {"ip": f"10.0.3.{number}"}
        for number, name in enumerate(("web", "one", "two", "three", "four", *servers), 1)
    }
    callers = {"mail": ("one", "two"), "cache": ("three", "four")}
    flows = [
        (f"shop/{caller}-1", f"shop/{server}-1", "5432/TCP")
        for server in servers
        for caller in callers[server]
    ]
    findings, _, _ = _problems({"namespaces": {"shop": {}}, "pods": pods, "policies": policies}, *flows)
    joins = [one.joined for one in findings]

    assert joins[0] is joins[1]
    assert joins[2] is joins[3]
    assert [ref.name for one in joins[::2] for ref in one.objects] == ["mail", "cache"]
    assert [len(one.manifests) for one in joins] == [1, 1, 1, 1]


def test_a_rule_that_is_written_anew_for_one_leaves_the_other_an_object_of_its_own():
    """Two problems correct one peer, each in its own way: the joined change has the one's correction and a new policy."""
    peer = {"podSelector": {"matchLabels": {"app": "front", "tier": "x"}}}
    rule = {"from": [peer], "ports": [{"port": 5432}]}
    state = {
        "namespaces": {"shop": {}, "data": {}},
        "pods": {
            "data/db-1": {"ip": "10.0.2.1"},
            "data/web-1": {"ip": "10.0.2.2", "labels": {"app": "web", "tier": "x"}},
            "shop/front-1": {"ip": "10.0.1.1", "labels": {"app": "front", "tier": "x"}},
        },
        "policies": {"data/db": {"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [rule]}},
    }
    flows = [(one, "data/db-1", "5432/TCP") for one in ("data/web-1", "shop/front-1")]
    findings, compiled_now, cases = _problems(state, *flows)
    (join,) = {id(one.joined): one.joined for one in findings}.values()
    applied = _applied({"state": state}, join, compiled_now)

    assert join.proved
    for case in cases:
        assert applied.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed is True


_UNDOING = {
    "namespaces": {"data": {}, "ops": {"labels": {"team": "r"}}, "shop": {}},
    "pods": {
        "data/db-0": {"ip": "10.0.1.1"},
        "ops/job-0": {"ip": "10.0.2.1", "labels": {"app": "job", "tier": "y"}},
        "shop/web-0": {"ip": "10.0.3.1", "labels": {"app": "web", "tier": "x"}},
    },
    "policies": {
        "data/db": {
            "podSelector": {},
            "ingress": [
                {
                    "from": [
                        {
                            "namespaceSelector": {"matchLabels": {"team": "r"}},
                            "podSelector": {"matchLabels": {"tier": "x"}},
                        }
                    ],
                    "ports": [{"port": 5432}],
                }
            ],
        }
    },
}


def _undoing():
    """Two problems: one's change labels a namespace for a rule that the other's change writes anew."""
    return _problems(_UNDOING, *((one, "data/db-0", "5432/TCP") for one in ("ops/job-0", "shop/web-0")))


def test_changes_that_undo_each_other_say_so():
    """Each does alone what both do not do together."""
    findings, _, _ = _undoing()
    corrected, labelled = (one.counterfactual.summary for one in findings)

    assert corrected == "Correct NetworkPolicy data/db ingress[0].from[0]: tier=x becomes tier=y."
    assert labelled == (
        "Label namespace shop with team=r, which NetworkPolicy data/db ingress[0].from[0] selects. "
        "Together with the changes for other problems it does not let this pass: apply the joined change for all of them."
    )


def test_changes_that_undo_each_other_are_joined():
    """The rule that one of them writes anew gets the other's caller, too."""
    findings, compiled_now, cases = _undoing()
    (join,) = {id(one.joined): one.joined for one in findings}.values()

    assert join.proved
    assert [(ref.kind, ref.name) for ref in join.objects] == [("NetworkPolicy", "db")]
    applied = _applied({"state": _UNDOING}, join, compiled_now)
    for case in cases:
        assert applied.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed is True


@pytest.mark.parametrize(
    ("group", "name", "proposed"),
    [
        ("crd.projectcalico.org/v1", "default.deny", "default.allow-redis-from-web"),
        ("projectcalico.org/v3", "default.deny", "default.allow-redis-from-web"),
        ("projectcalico.org/v3", "deny", "allow-redis-from-web"),
    ],
)
def test_a_new_calico_policy_is_called_as_those_of_its_tier(group, name, proposed):
    """Up to v3.31 objects carry the tier in their names, and Felix drops one of the storage's form that does not."""
    deny = {
        "apiVersion": group,
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "data"},
        "spec": {"selector": "all()", "types": ["Ingress"]},
    }
    spec = _spec(objects=[deny]) | {"dialect": "calico"}
    spec |= {"flow": {**spec["flow"], "direction": "ingress"}}
    _, _, _, found = proposal_of(spec)
    written = read_yaml(found.manifests[0])

    assert (written["apiVersion"], written["metadata"]["name"]) == (group, proposed)


def _grouped(*others):
    """A rule that selects a group of namespaces by a label, which the peer's namespace lacks."""
    namespaces = {"shop": {}, "data": {}, **{name: {"labels": {"zone": "trusted"}} for name in others}}
    pods = {
        "shop/web-1": {"ip": "10.0.1.1"},
        "shop/cron-1": {"ip": "10.0.1.2"},
        "data/redis-0": {"ip": "10.0.2.1"},
        **{f"{name}/web-1": {"ip": f"10.0.{n}.1"} for n, name in enumerate(others, start=7)},
    }
    peer = {"namespaceSelector": {"matchLabels": {"zone": "trusted"}}}
    rule = {"podSelector": {}, "ingress": [{"from": [peer], "ports": [{"port": 6379}]}]}
    return _spec(namespaces=namespaces, pods=pods, policies={"data/redis": rule})


def test_a_namespace_joins_the_group_that_a_rule_means():
    """Where other namespaces carry the label, it is put on this one; what that opens besides is listed."""
    case, policies, ends, found = proposal_of(_grouped("portal"))
    namespace = read_yaml(found.manifests[0])
    labelled = _grouped("portal")
    labelled["state"]["namespaces"]["shop"] = {"labels": {"zone": "trusted"}}
    applied = compile_policies(build_case(labelled).context.snapshot, dialect=policies.dialect)

    assert found.summary.startswith("Label namespace shop with zone=trusted")
    assert namespace["metadata"] == {
        "name": "shop",
        "labels": {"kubernetes.io/metadata.name": "shop", "zone": "trusted"},
    }
    assert "+    zone: trusted" in found.patch
    assert [(one.src, one.dst, one.ports) for one in found.also_allows] == [
        ("shop/cron", "data/redis", ("6379",))
    ]
    assert listed(found, policies, applied) == opened(case, policies, applied, ends)


@pytest.mark.parametrize(("dialect", "listed_too"), [("aws", True), ("calico", False)])
def test_a_label_opens_to_pods_on_the_nodes_network_where_these_are_meant(dialect, listed_too):
    """To AWS a peer's selector means host network pods of the namespace too, by their nodes' addresses."""
    spec = _grouped("portal") | {"dialect": dialect}
    agent = {"ip": "192.0.2.12", "host_ip": "192.0.2.12", "host_network": True, "node": "node-b"}
    nodes = {name: {"ip": f"192.0.2.1{n}"} for n, name in enumerate(("node-a", "node-b"), start=1)}
    spec["state"] = {
        **spec["state"],
        "nodes": nodes,
        "pods": {**spec["state"]["pods"], "shop/agent-0": agent},
    }
    _, _, _, found = proposal_of(spec)
    from_nodes = [(one.src, one.dst, one.ports) for one in found.also_allows if "node" in one.src]

    assert found.summary.startswith("Label namespace shop with zone=trusted")
    assert from_nodes == ([("node node-b", "data/redis", ("6379",))] if listed_too else [])


def test_a_label_that_takes_a_policy_out_of_force_opens_what_that_denied():
    """Antrea realizes none that is applied to a group with pods of another namespace."""

    def of_data(kind, name, spec):
        metadata = {"name": name, "namespace": "data"}
        return {"apiVersion": "crd.antrea.io/v1beta1", "kind": kind, "metadata": metadata, "spec": spec}

    trusted = {"namespaceSelector": {"matchLabels": {"zone": "trusted"}}}
    denial = {"action": "Drop", "name": "no-https", "ports": [{"protocol": "TCP", "port": 443}]}
    spec = _grouped("portal") | {"dialect": "antrea"}
    spec["state"]["objects"] = [
        of_data("Group", "own", {"podSelector": {}}),
        of_data("Group", "far", {**trusted, "podSelector": {"matchLabels": {"app": "cron"}}}),
        of_data("Group", "both", {"childGroups": ["own", "far"]}),
        of_data(
            "NetworkPolicy", "drop", {"priority": 5, "appliedTo": [{"group": "both"}], "egress": [denial]}
        ),
    ]
    _, _, _, found = proposal_of(spec)
    opened_to = {(one.dst, one.ports) for one in found.also_allows if one.src == "data/redis"}

    assert found.summary.startswith("Label namespace shop with zone=trusted")
    assert {("shop/web", ("443",)), ("portal/web", ("443",))} <= opened_to


def test_a_label_that_nobody_carries_is_not_spread():
    """Where no namespace has the label, the rule is corrected and the namespace left alone."""
    _, _, _, found = proposal_of(_grouped())

    assert found.summary.startswith("Correct NetworkPolicy data/redis ingress[0].from[0]")


def test_a_label_that_would_close_something_is_not_proposed():
    """A policy that isolates by the same label would refuse what passes today, so the rule is changed."""
    spec = _grouped("portal")
    spec["dialect"] = "calico"
    spec["state"]["policies"]["GlobalNetworkPolicy trusted"] = {
        "namespaceSelector": "zone == 'trusted'",
        "selector": "app == 'cron'",
        "types": ["Egress"],
        "egress": [{"action": "Deny"}],
    }
    _, _, _, found = proposal_of(spec)

    assert not found.summary.startswith("Label")


@pytest.mark.parametrize(("others", "broad"), [(4, False), (9, False), (10, True), (12, True)])
def test_a_broad_change_is_called_so(others, broad):
    """A port that many more pods get with it is said beside the change; a few are only listed."""
    pods = {f"shop/job{n}-1": {"ip": f"10.0.7.{n}"} for n in range(others)}
    pods |= {"shop/web-1": {"ip": "10.0.1.1"}, "data/redis-0": {"ip": "10.0.2.1"}}
    rule = {
        "podSelector": {},
        "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"port": 6380}]}],
    }
    _, _, _, found = proposal_of(_spec(pods=pods, policies={"data/redis": rule}))

    assert len(found.also_allows) == others
    assert (f"This is broad: {others} other pairs would open." in found.summary) == broad


def test_the_proxy_is_not_opened_with_everything_else():
    """A cluster-wide policy that isolates the Ingress proxy selects pods too, so no rule is added to it."""
    _, _, _, found = proposal_of(CASES["FD213-fires_cluster_wide_policy_selects_the_proxy"])

    assert found is None


def test_the_diagnosed_rule_is_mended_before_others_that_come_as_near():
    """DNS over TCP is added to the DNS rule; the rule for addresses, which misses once too, would open every port."""
    spec = {
        "state": {
            "namespaces": {"shop": {}, "kube-system": {}},
            "pods": {
                "shop/web-1": {"ip": "10.0.1.1"},
                "kube-system/coredns-1": {"ip": "10.0.3.1", "labels": {"k8s-app": "kube-dns"}},
            },
            "services": {
                "kube-system/kube-dns": {
                    "ip": "10.96.0.10",
                    "selector": {"k8s-app": "kube-dns"},
                    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
                }
            },
            "policies": {
                "shop/out": {
                    "podSelector": {},
                    "policyTypes": ["Egress"],
                    "egress": [
                        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]},
                        {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]},
                    ],
                }
            },
        },
        "dialect": "calico",
        "flow": {
            "from": "shop/web-1",
            "to": "kube-system/coredns-1",
            "port": "53/TCP",
            "direction": "egress",
        },
    }
    case, policies, _, _ = proposal_of(spec)
    (finding,) = attach([(case, diagnose(case)[0])], policies)

    assert finding.code == "FD304"
    assert finding.counterfactual.summary == "Allow 53/TCP in NetworkPolicy shop/out egress[1]."


def test_what_may_open_is_told_apart_from_what_opens():
    """Whether a range matches pods differs between enforcers: its new port opens outside, and perhaps to pods in it."""
    rule = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 80}]}
    spec = _spec(policies={"shop/web": {**_OUT, "egress": [rule]}})
    spec["flow"] = {**spec["flow"], "to": "10.200.0.1"}
    found = {dialect: proposal_of({**spec, "dialect": dialect})[3] for dialect in ("kubernetes", "calico")}

    assert [(one.src, one.dst, one.ports) for one in found["kubernetes"].may_allow] == [
        ("shop/web", "data/redis", ("6379",))
    ]
    assert (
        "Whether it opens shop/web to data/redis on 6379/TCP, too, is not known."
        in found["kubernetes"].summary
    )
    assert "data/redis" not in {one.dst for one in found["kubernetes"].also_allows}
    assert "data/redis" in {one.dst for one in found["calico"].also_allows}
    assert found["calico"].may_allow is UNSET


_ANY_PORT = {
    "kubernetes": {"data/redis": {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}},
    "calico": {
        "CalicoNetworkPolicy data/redis": {
            "selector": "all()",
            "types": ["Ingress"],
            "ingress": [{"action": "Allow", "source": {"selector": "app == 'redis'"}}],
        }
    },
    "admin": {
        "AdminNetworkPolicy redis": {
            "priority": 5,
            "subject": {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}},
            "ingress": [
                {
                    "action": "Allow",
                    "from": [
                        {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "redis"}}}}
                    ],
                },
            ],
        },
        "data/closed": {"podSelector": {}, "policyTypes": ["Ingress"]},
    },
}


@pytest.mark.parametrize("language", sorted(_ANY_PORT))
def test_a_rule_for_every_port_is_no_reason_to_open_them_all(language):
    """One call was refused on one port: the caller gets a rule of its own for that."""
    spec = _spec(
        policies=_ANY_PORT[language],
        pods={
            "shop/web-1": {"ip": "10.0.1.1"},
            "data/redis-0": {"ip": "10.0.2.1"},
            "data/redis-1": {"ip": "10.0.2.2"},
        },
    )
    spec |= {"dialect": "kubernetes" if language == "admin" else language}
    spec["flow"] = {**spec["flow"], "direction": "ingress"}
    _, _, _, found = proposal_of(spec)

    assert found.proved
    assert "6379" in "".join(found.manifests)
    assert found.also_allows == ()


@pytest.mark.parametrize(("ports", "rules"), [(1, 1), (2, 2), (100, 1)])
def test_an_admin_policy_stays_one_that_the_api_takes(ports, rules):
    """A range stands beside no port by name, and a list of a hundred takes no more: what would be refused is not proposed."""
    listed = [{"portNumber": {"protocol": "TCP", "port": 443 if n == 0 else 1000 + n}} for n in range(ports)]
    if ports == 2:
        listed[1] = {"namedPort": "metrics"}
    peer = {"namespaces": {"matchLabels": {"team": "data"}}}
    policy = {
        "priority": 5,
        "subject": {"namespaces": {}},
        "egress": [{"action": "Allow", "to": [peer] * (100 if ports == 100 else 1), "ports": listed}],
    }
    spec = {
        "state": {
            "namespaces": {"shop": {}},
            "pods": {"shop/web-1": {"ip": "10.0.1.1"}},
            "policies": {
                "AdminNetworkPolicy out": policy,
                "shop/closed": {"podSelector": {}, "policyTypes": ["Egress"]},
            },
        },
        "flow": {"from": "shop/web-1", "to": "203.0.113.7", "port": "443/TCP", "direction": "egress"},
    }
    _, _, _, found = proposal_of(spec)
    (manifest,) = (read_yaml(text) for text in found.manifests)

    assert found.proved
    if ports == 100:
        assert manifest["kind"] == "NetworkPolicy"
        return
    egress = manifest["spec"]["egress"]
    assert len(egress) == rules
    assert not any("networks" in repr(rule["to"]) and "namedPort" in repr(rule["ports"]) for rule in egress)


def test_calico_s_fields_of_icmp_stay_with_icmp():
    """A rule for another protocol that is made after one for ICMP would be refused with them."""
    rule = {"action": "Allow", "protocol": "ICMP", "notICMP": {"type": 13}, "source": {"selector": "all()"}}
    policy = {"selector": "all()", "types": ["Ingress"], "ingress": [rule]}
    spec = _spec(
        policies={"CalicoNetworkPolicy data/redis": policy},
        pods={"data/web-1": {"ip": "10.0.1.1"}, "data/redis-0": {"ip": "10.0.2.1"}},
    )
    spec["flow"] |= {"from": "data/web-1", "direction": "ingress"}
    _, _, _, found = proposal_of(spec | {"dialect": "calico"})
    (manifest,) = (read_yaml(text) for text in found.manifests)

    assert found.proved
    assert manifest["spec"]["ingress"] == [
        rule,
        {
            "action": "Allow",
            "protocol": "TCP",
            "source": {"selector": "all()"},
            "destination": {"ports": [6379]},
        },
    ]


def test_an_address_is_let_in_beside_a_selector_and_not_in_its_place():
    """Whom the rule means may be in a namespace that was not collected, and nothing shows that it is closed then."""
    dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    rule = {"to": [dns], "ports": [{"protocol": "UDP", "port": 53}]}
    spec = {
        "state": {
            "namespaces": {"shop": {}},
            "pods": {"shop/web-1": {"ip": "10.0.1.1"}},
            "policies": {"shop/dns": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}},
        },
        "flow": {"from": "shop/web-1", "to": "169.254.20.10", "port": "53/UDP", "direction": "egress"},
    }
    _, _, _, found = proposal_of(spec)

    assert found is not None
    assert found.summary == "Admit 169.254.20.10 in NetworkPolicy shop/dns egress[0]."
    (manifest,) = (read_yaml(text) for text in found.manifests)
    assert manifest["spec"]["egress"][0]["to"] == [dns, {"ipBlock": {"cidr": "169.254.20.10/32"}}]


def test_the_ports_of_one_rule_are_told_once():
    """Three connections on three ports named the policy three times, and the terminal had no room for the third."""
    api, web = "NetworkPolicy data/api ingress[0]", "NetworkPolicy data/web ingress[0]"
    edits = [
        f"Allow 8443/TCP in {api}; admit a/b in {api}",
        f"Allow 53/UDP in {web}",
        f"Allow 9090-9099/TCP in {api}",
    ]

    assert in_one([*edits, f"Allow 8443/TCP in {api}"]) == (
        f"Allow 8443/TCP and 9090-9099/TCP in {api}; admit a/b in {api}; allow 53/UDP in {web}"
    )
    assert in_one(["Allow it as ICMP type 8; x"]) == "Allow it as ICMP type 8; x"


def test_nodes_that_a_rule_means_are_among_what_its_change_opens():
    """Policies take them for alike, whatever their own names' labels are, and a report names them together."""
    rule = {"toEntities": ["cluster"], "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}]}]}
    policy = {"endpointSelector": {"matchLabels": {"app": "web"}}, "egress": [rule]}
    spec = _spec(policies={"CiliumNetworkPolicy shop/web": policy}) | {"dialect": "cilium"}
    nodes = {
        name: {"ip": ip, "labels": {"kubernetes.io/hostname": name}}
        for name, ip in (("node-a", "192.0.2.11"), ("node-b", "192.0.2.12"), ("node-c", "192.0.2.13"))
    }
    spec["state"] = {**spec["state"], "nodes": nodes}
    _, _, _, found = proposal_of(spec)

    assert found.summary.startswith("Allow 6379/TCP in CiliumNetworkPolicy shop/web egress[0].")
    opened_to_nodes = [(one.src, one.dst, one.ports) for one in found.also_allows if "node" in one.dst]
    assert opened_to_nodes == [("shop/web", "any node", ("6379",))]

    with patch.object(node_ends, "_MOST", 1):
        assert proposal_of(spec)[3] is None, "what is not asked is not proved"


@pytest.mark.parametrize(
    ("address", "dialect", "proposed"),
    [
        ("100.64.0.3", "ovn", False),
        ("100.88.0.4", "ovn", False),
        ("169.254.0.2", "ovn", False),
        ("fd98::3", "ovn", False),
        ("100.66.0.3", "ovn", True),
        ("198.51.100.9", "ovn", True),
        ("100.64.0.3", "calico", True),
    ],
)
@pytest.mark.parametrize("annotated", [False, True])
def test_an_address_of_ovns_routers_is_let_in_by_no_rule_for_it(address, dialect, proposed, annotated):
    """It stands for whoever comes through that node; who has it is known from the node's annotations alone."""
    note = json.dumps({"default": {"ipv4": "100.64.0.3/16", "ipv6": "fd98::3/64"}})
    node = {"ip": "192.0.2.9"} | (
        {"annotations": {"k8s.ovn.org/node-gateway-router-lrp-ifaddrs": note}} if annotated else {}
    )
    family = "fd00:10:2::1" if ":" in address else "10.0.2.1"
    state = {
        "namespaces": {"data": {}},
        "nodes": {"node-a": node},
        "pods": {"data/redis-0": {"ip": f"10.0.2.1,{family}" if ":" in family else family, "node": "node-b"}},
        "policies": {"data/redis": {"podSelector": {}, "policyTypes": ["Ingress"]}},
    }
    flow = {
        "from": address,
        "to": "data/redis-0",
        "port": "6379/TCP",
        "direction": "ingress",
        "dst": {"ip": family},
    }
    case, _, _, found = proposal_of({"state": state, "flow": flow, "dialect": dialect})

    state["policies"] = {"data/redis": {"podSelector": {}, "policyTypes": ["Egress"]}}
    back = {
        "from": "data/redis-0",
        "to": address,
        "port": "443/TCP",
        "direction": "egress",
        "src": {"ip": family},
    }
    _, _, _, other = proposal_of({"state": state, "flow": back, "dialect": dialect})

    if annotated and address in note:
        assert case.flow.src.kind is EndpointKind.NODE
    elif not annotated:
        assert case.flow.src.kind is EndpointKind.EXTERNAL
        assert (found is not None) is (other is not None) is proposed
