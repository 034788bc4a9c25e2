"""What a policy change does: to the connections of a small cluster, and to the traffic of an incident."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flowdiag.analysis.options import StateOptions
from flowdiag.analysis.whatif import Revision, whatif
from flowdiag.model.errors import InputError, UsageError
from flowdiag.model.policy import Dialect

ROOT = Path(__file__).resolve().parents[2]
INCIDENTS = ROOT / "fixtures" / "incidents"
DENY = INCIDENTS / "default-deny-egress"
ISOLATED = INCIDENTS / "ingress-other-namespace"

CLUSTER = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Namespace
metadata: {name: data, labels: {team: b}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web, old: "yes"}}
    spec: {containers: [{name: c, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-5d4f6c7b89-abcde
  namespace: shop
  labels: {app: web, old: "yes", pod-template-hash: 5d4f6c7b89, injected: "1"}
  ownerReferences: [{kind: ReplicaSet, name: web-5d4f6c7b89, apiVersion: apps/v1, controller: true}]
spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 8080}]}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: data, labels: {app: db}}
spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 5432}]}]}
status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: data, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {team: a}}
      podSelector: {matchLabels: {app: web}}
    ports: [{port: 5432}]
"""


def policy(name, namespace, spec):
    return json.dumps(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
    )


@pytest.fixture
def cluster(tmp_path):
    """The small cluster as a state, and a function that asks what a change of it does."""
    (tmp_path / "state.yaml").write_text(CLUSTER)
    state = StateOptions(paths=(str(tmp_path / "state.yaml"),))

    def ask(*manifests, delete=(), to=None):
        paths = []
        for number, text in enumerate(manifests):
            path = tmp_path / f"apply-{number}.yaml"
            path.write_text(text)
            paths.append(str(path))
        if to is not None:
            (tmp_path / "new.yaml").write_text(to)
            return whatif(Revision(to=(str(tmp_path / "new.yaml"),)), state=state)
        return whatif(Revision(apply=tuple(paths), delete=tuple(delete)), state=state)

    return ask


def pairs(answer):
    """Changes between the workloads, outside ranges aside."""
    return {
        (one.src, one.dst): (one.change, one.old, one.new)
        for one in answer.result.connections
        if "/" in one.src and "/" in one.dst
    }


def test_an_applied_policy_replaces_the_one_of_its_name(cluster):
    """The old policy counts no more, whatever its dates say; nothing else changes."""
    answer = cluster(
        policy(
            "db",
            "data",
            {
                "podSelector": {"matchLabels": {"app": "db"}},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"port": 5433}]}],
            },
        )
    )

    assert pairs(answer) == {("shop/web", "data/db-0"): ("changed", {"TCP": ("5432",)}, {"TCP": ("5433",)})}
    assert answer.result.flows is None


def test_a_deleted_policy_opens_what_it_closed(cluster):
    """From one port to all of them, for workloads and for outside addresses of both families."""
    answer = cluster(delete=["netpol/data/db"])
    every = {"SCTP": ("1-65535",), "TCP": ("1-65535",), "UDP": ("1-65535",)}

    assert pairs(answer) == {("shop/web", "data/db-0"): ("changed", {"TCP": ("5432",)}, every)}
    outside = [one for one in answer.result.connections if "/" not in one.src]
    assert [("0.0.0.0-255.255.255.255", "data/db-0", "added", every)] == [
        (one.src, one.dst, one.change, one.new) for one in outside
    ]
    assert [(one.dst, one.new) for one in answer.result.connections_v6] == [("data/db-0", every)]


def test_a_namespace_that_loses_its_label(cluster):
    """Manifests of a review hold more than policies."""
    answer = cluster("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: c}}\n")

    assert pairs(answer) == {("shop/web", "data/db-0"): ("removed", {"TCP": ("5432",)}, {})}


def test_pods_follow_their_workloads_template(cluster):
    """New labels in a Deployment reach its pods; what the old template did not give them stays."""
    template = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: "
    )
    same = cluster(template + "{metadata: {labels: {app: web}}}}\n")
    other = cluster(template + "{metadata: {labels: {app: site}}}}\n")
    kept = cluster(
        template + "{metadata: {labels: {app: web}}}}\n",
        policy(
            "db",
            "data",
            {
                "podSelector": {},
                "ingress": [
                    {
                        "from": [
                            {
                                "namespaceSelector": {},
                                "podSelector": {
                                    "matchLabels": {"injected": "1"},
                                    "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}],
                                },
                            }
                        ],
                        "ports": [{"port": 5432}],
                    }
                ],
            },
        ),
    )

    assert pairs(same) == {}
    assert pairs(other) == {("shop/web", "data/db-0"): ("removed", {"TCP": ("5432",)}, {})}
    assert pairs(kept) == {}


def test_an_applied_pod_stays_where_it_runs(cluster):
    """A manifest has no address, but the pod that it changes keeps its own."""
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: db-0, namespace: data, labels: {app: store}}\nspec: {}\n"
    )
    answer = cluster(pod)

    assert pairs(answer)["shop/web", "data/db-0"][0] == "changed"
    assert {one.src for one in answer.result.connections if one.dst == "data/db-0"} == {
        "shop/web",
        "0.0.0.0-255.255.255.255",
    }


def test_a_deleted_workload_takes_its_pods_along(cluster):
    """It stands on one side only, so all of its connections are removed."""
    for name in (
        "Deployment/shop/web",
        "deploy/shop/web",
        "deployments/shop/web",
        "ns/shop",
        "Namespace//shop",
    ):
        answer = cluster(delete=[name])
        assert {one.change for one in answer.result.connections} == {"removed"}, name
        assert {"shop/web"} <= {one.src for one in answer.result.connections}, name
        assert ("shop/web", "data/db-0") in pairs(answer), name


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("NetworkPolicy/shop/db", "NetworkPolicy/data/db"),
        ("netpol/data/bd", "NetworkPolicy/data/db"),
        ("NetworkPolicy/db", "NetworkPolicy/data/db"),
        ("Namespace/shpo", "Namespace/shop"),
        ("CiliumNetworkPolicy/data/db", "NetworkPolicy/data/db"),
        ("Node/n7", "no Node"),
    ],
)
def test_a_name_that_does_not_exist(cluster, name, closest):
    """A slip is met with what was probably meant."""
    with pytest.raises(UsageError) as error:
        cluster(delete=[name])

    assert closest in error.value.hint


@pytest.mark.parametrize("name", ["db", "a/b/c/d", "/data/db", "NetworkPolicy/data/"])
def test_what_is_no_name(cluster, name):
    """The form is told."""
    with pytest.raises(UsageError, match="not the name of an object"):
        cluster(delete=[name])


def test_names_of_several_groups_must_say_which(cluster, tmp_path):
    """Four groups have a NetworkPolicy."""
    calico = (
        "apiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicy\n"
        "metadata: {name: db, namespace: data}\nspec: {selector: all()}\n"
    )
    (tmp_path / "state.yaml").write_text(CLUSTER + "---\n" + calico)

    with pytest.raises(UsageError) as error:
        cluster(delete=["NetworkPolicy/data/db"])
    assert "NetworkPolicy.networking.k8s.io or NetworkPolicy.projectcalico.org" in error.value.hint
    answer = cluster(delete=["NetworkPolicy.crd.projectcalico.org/data/db"])
    assert {one.change for one in answer.result.connections} <= {"added", "changed"}


def test_calico_serves_one_policy_under_two_names(cluster, tmp_path):
    """The group for storage and the group for users, with and without the default tier's name."""
    stored = (
        "apiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicy\n"
        "metadata: {name: default.none, namespace: shop}\nspec: {selector: all(), types: [Egress]}\n"
    )
    (tmp_path / "state.yaml").write_text(CLUSTER + "---\n" + stored)
    answer = cluster(
        "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\n"
        "metadata: {name: none, namespace: shop}\n"
        "spec: {selector: all(), types: [Egress], egress: [{action: Allow}]}\n"
    )

    assert pairs(answer) == {("shop/web", "data/db-0"): ("added", {}, {"TCP": ("5432",)})}


def test_what_is_no_change(cluster):
    """A question without a change, or with two kinds of it, is a mistake."""
    with pytest.raises(UsageError):
        cluster()
    with pytest.raises(UsageError):
        whatif(Revision(to=("x",), delete=("ns/a",)), state=StateOptions())


def test_a_manifest_that_is_not_whole_is_no_answer(cluster):
    """Half a manifest would give a wrong answer; nothing to apply would give a comforting one."""
    good = CLUSTER.rpartition("---")[2]
    for text in (
        f"{good}\n---\nkind: NetworkPolicy\n  metadata: [\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n",
        "just text\n",
    ):
        with pytest.raises(InputError):
            cluster(text)


def test_a_manifest_without_a_namespace_is_told(cluster):
    """It is read as default, where the reviewer may have meant another."""
    answer = cluster("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {}\n")

    assert any("default" in text for text in answer.said)


def test_a_new_state_of_policies_alone_is_told(cluster):
    """Without workloads everything is removed, which is seldom what was asked."""
    answer = cluster(to=policy("a", "data", {"podSelector": {}}))

    assert {one.change for one in answer.result.connections} == {"removed"}
    assert any("--apply" in text for text in answer.said)


SELECTORS = st.sampled_from([{}, {"matchLabels": {"app": "web"}}, {"matchLabels": {"app": "db"}}])
RULES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "ports": st.lists(st.integers(1, 65535).map(lambda port: {"port": port}), min_size=1, max_size=2),
        },
    ),
    max_size=2,
)
SPECS = st.builds(
    lambda selector, ingress, egress: {
        "podSelector": selector,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": egress,
    },
    SELECTORS,
    RULES,
    RULES,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=SPECS)
def test_there_and_back(cluster, tmp_path, spec):
    """The same state twice has no change; the way back undoes the way there, pair by pair."""
    own = policy("a", "data", spec)
    (tmp_path / "with.yaml").write_text(f"{CLUSTER}---\n{own}\n")
    (tmp_path / "state.yaml").write_text(CLUSTER)
    both = StateOptions(paths=(str(tmp_path / "with.yaml"),))

    assert cluster(to=CLUSTER).result.connections == ()
    there = cluster(own).result
    back = whatif(Revision(delete=("netpol/data/a",)), state=both).result
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    for ways in (("connections", "connections"), ("connections_v6", "connections_v6")):
        assert [(one.src, one.dst, one.change, one.old, one.new) for one in getattr(there, ways[0])] == [
            (one.src, one.dst, turned[one.change], one.new, one.old) for one in getattr(back, ways[1])
        ]


CHANGES = st.one_of(
    SPECS.map(lambda spec: policy("db", "data", spec)),
    SPECS.map(lambda spec: policy("web", "shop", spec)),
    st.sampled_from(["a", "b", "c"]).map(
        lambda team: f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{team: {team}}}}}\n"
    ),
    st.sampled_from(["db", "web"]).map(
        lambda app: (
            "apiVersion: v1\nkind: Pod\n"
            f"metadata: {{name: db-0, namespace: data, labels: {{app: {app}}}}}\nspec: {{}}\n"
        )
    ),
)


def flow(src, dst, traffic, verdict):
    """A line of a Hubble export between two addresses."""
    ends = {
        "10.0.0.1": {"namespace": "shop", "pod_name": "web-5d4f6c7b89-abcde", "labels": ["k8s:app=web"]},
        "10.0.0.2": {"namespace": "data", "pod_name": "db-0", "labels": ["k8s:app=db"]},
    }
    record = {
        "time": "2026-01-05T10:00:00.100000000Z",
        "verdict": verdict,
        "IP": {"source": src, "destination": dst, "ipVersion": "IPv4"},
        "l4": traffic,
        "source": ends.get(src, {"identity": 2, "labels": ["reserved:world"]}),
        "destination": ends.get(dst, {"identity": 2, "labels": ["reserved:world"]}),
        "Type": "L3_L4",
        "node_name": "n1",
        "traffic_direction": "EGRESS",
    }
    return json.dumps({"flow": record, "node_name": "n1", "time": record["time"]}) + "\n"


OBSERVED = "".join(
    flow(src, dst, traffic, verdict)
    for src, dst in (
        ("10.0.0.1", "10.0.0.2"),
        ("10.0.0.2", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7"),
        ("198.51.100.7", "10.0.0.2"),
    )
    for traffic, verdict in (
        ({"TCP": {"source_port": 40000, "destination_port": 5432, "flags": {"SYN": True}}}, "FORWARDED"),
        ({"TCP": {"source_port": 40001, "destination_port": 8080, "flags": {"SYN": True}}}, "DROPPED"),
        ({"ICMPv4": {"type": 8}}, "FORWARDED"),
    )
)


@example(policy("web", "shop", {"podSelector": {}, "policyTypes": ["Egress"]}), "kubernetes")
@example(policy("web", "shop", {"podSelector": {}, "policyTypes": ["Ingress"]}), "cilium")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=CHANGES, dialect=st.sampled_from(["kubernetes", "calico", "cilium"]))
def test_what_is_not_asked_does_not_change(tmp_path, change, dialect):
    """Leaving out the pairs and flows that a change cannot reach gives what asking all of them gives."""
    (tmp_path / "state.yaml").write_text(CLUSTER)
    (tmp_path / "flows.jsonl").write_text(OBSERVED)
    (tmp_path / "change.yaml").write_text(change)
    state = StateOptions(paths=(str(tmp_path / "state.yaml"),), dialect=dialect)
    revision = Revision(apply=(str(tmp_path / "change.yaml"),))
    paths = [str(tmp_path / "flows.jsonl")]
    short = whatif(revision, state=state, paths=paths).result
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowdiag.analysis.whatif.affected_workloads", lambda *_: None)
        whole = whatif(revision, state=state, paths=paths).result

    assert whole == short


NAMED = {
    "cilium": policy("named", "shop", {"podSelector": {}, "egress": [{"ports": [{"port": "pg"}]}]}),
    "antrea": json.dumps(
        {
            "apiVersion": "crd.antrea.io/v1beta1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "drop", "namespace": "shop"},
            "spec": {
                "priority": 5,
                "appliedTo": [{"group": "mine"}],
                "ingress": [{"action": "Drop", "name": "all"}],
            },
        }
    ),
}
GROUP = {
    "apiVersion": "crd.antrea.io/v1beta1",
    "kind": "Group",
    "metadata": {"name": "mine", "namespace": "shop"},
    "spec": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}},
}
OTHER = """
apiVersion: v1
kind: Pod
metadata: {name: other-0, namespace: other, labels: {app: APP}}
spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: PORT, name: pg}]}]}
status: {phase: Running, podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}]}
"""


@pytest.mark.parametrize("dialect", sorted(NAMED))
def test_a_pod_that_no_policy_selects_may_change_what_one_means(tmp_path, dialect):
    """To Cilium by what it calls its ports, to Antrea as a member of a group that a policy may not be applied to."""

    def other(app, port):
        return OTHER.replace("APP", app).replace("PORT", str(port))

    state = "\n---\n".join([CLUSTER, NAMED[dialect], json.dumps(GROUP), other("x", 1)])
    (tmp_path / "state.yaml").write_text(state)
    (tmp_path / "change.yaml").write_text(other("web", 5432))
    options = StateOptions(paths=(str(tmp_path / "state.yaml"),), dialect=dialect)
    revision = Revision(apply=(str(tmp_path / "change.yaml"),))
    short = whatif(revision, state=options).result
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowdiag.analysis.whatif.affected_workloads", lambda *_: None)
        whole = whatif(revision, state=options).result

    assert any(
        (one.src, one.dst) == ("shop/web", "data/db-0") or one.dst == "shop/web"
        for one in (*whole.connections, *whole.unknown)
    )
    assert whole == short


def test_audit_mode_is_said_beside_what_a_change_closes(cluster):
    """Agents in audit mode refuse nothing: the answer is what the policies say."""
    config = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\n"
        'data: {policy-audit-mode: "true"}\n---\n'
    )
    answer = cluster(config + policy("a", "data", {"podSelector": {}}))

    assert answer.dialect is Dialect.CILIUM
    assert any("as if they were enforced" in text for text in answer.said)
