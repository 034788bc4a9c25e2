"""Who can reach a workload: what is open, what is closed, and what the state does not say."""

import msgspec
import pytest

from flowdiag.analysis import load_asker
from flowdiag.analysis.options import StateOptions
from flowdiag.analysis.reach import reach
from flowdiag.analysis.whatif import Revision, whatif
from flowdiag.report.reach_view import render_reach

UNCLEAR = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: to-groups, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
  egress:
  - toGroups: [{aws: {securityGroupsIds: [sg-0123]}}]
    toPorts: [{ports: [{port: "443", protocol: TCP}]}]
  - toEndpoints: [{matchLabels: {app: db}}]
    toPorts: [{ports: [{port: "5432", protocol: TCP}]}]
"""


def pod(name, ip):
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}
spec: {{nodeName: n1, containers: [{{name: c}}]}}
status: {{podIP: {ip}, phase: Running}}
---"""


def asked(tmp_path, workload):
    path = tmp_path / "state.yaml"
    path.write_text(pod("web", "10.0.0.1") + pod("db", "10.0.0.2") + pod("other", "10.0.0.3") + UNCLEAR)
    asker, _ = load_asker(StateOptions(paths=(str(path),)))
    return reach(asker, workload)


AUDITED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: cilium-config, namespace: kube-system}
data: {policy-audit-mode: "true"}
---"""


def test_audit_mode_is_said_beside_what_the_policies_close(tmp_path):
    """Nothing is refused there: a list of what is closed must not be read as the packets' fate."""
    path = tmp_path / "state.yaml"
    path.write_text(AUDITED + pod("web", "10.0.0.1") + pod("db", "10.0.0.2") + UNCLEAR)
    asker, _ = load_asker(StateOptions(paths=(str(path),)))
    result = reach(asker, "shop/web")

    assert "as if they were enforced" in "".join(result.notes)
    assert render_reach(result).startswith("Note: the agents run with policy-audit-mode")


def test_what_nobody_can_say_is_neither_open_nor_closed(tmp_path):
    """A group that lives outside the cluster may hold any address there: unknown on its port alone; it holds no pod."""
    result = asked(tmp_path, "shop/web")
    outside = next(row for row in result.outbound if row.peer.endswith("-255.255.255.255"))

    assert outside.ports == {}
    assert outside.unknown == {"TCP": ("443",)}
    assert next(row for row in result.outbound if row.peer == "shop/db").ports == {"TCP": ("5432",)}
    assert [row.peer for row in result.outbound if row.peer == "shop/other"] == []
    text = render_reach(result)
    assert "unknown, as the state lacks what decides it:\n    TCP 443\n" in text
    assert "1 workload cannot be reached from it" in text
    assert b'"unknown":{"TCP":["443"]}' in msgspec.json.encode(result)


FAMILIES = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {space}}}
spec: {{nodeName: n1, containers: [{{name: c}}]}}
status: {{phase: Running, podIP: {four}, podIPs: [{{ip: {four}}}, {{ip: "{six}"}}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: p, namespace: {space}}}
spec: {{podSelector: {{}}, policyTypes: [{way}], {rules}}}
---"""


POD = """---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {space}, labels: {{app: {name}}}}}
spec: {{containers: [{{name: c}}]}}
status: {{phase: Running, podIPs: [{ips}]}}
"""

EGRESS = """---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: out, namespace: shop}}
spec: {{podSelector: {{}}, policyTypes: [Egress], {rules}}}
"""


@pytest.mark.parametrize(("admitted", "found"), [("10.0.0.0/8", 1), ("2001:db8::/32", 0)])
def test_two_ends_meet_in_one_family_of_addresses(tmp_path, admitted, found):
    """What one side lets out by IPv4 and the other lets in by IPv6 alone gets nowhere."""
    out = "egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]"
    into = f"ingress: [{{from: [{{ipBlock: {{cidr: '{admitted}'}}}}]}}]"
    path = tmp_path / "state.yaml"
    path.write_text(
        FAMILIES.format(name="web", space="shop", four="10.0.1.1", six="2001:db8::1", way="Egress", rules=out)
        + FAMILIES.format(
            name="db", space="data", four="10.0.2.1", six="2001:db8::2", way="Ingress", rules=into
        )
    )
    asker, _ = load_asker(StateOptions(paths=(str(path),), dialect="calico"))

    assert sum(row.peer == "data/db" for row in reach(asker, "shop/web").outbound) == found


@pytest.mark.parametrize(("ips", "found"), [("10.0.2.1", 1), ("10.0.2.1,2001:db8::2", 1), ("2001:db8::2", 0)])
@pytest.mark.parametrize("ranged", [False, True])
def test_a_pod_of_one_family_meets_nobody_who_has_the_other_alone(tmp_path, ips, found, ranged):
    """Whatever policies say: there is no address at which the two could meet."""
    rule = "egress: [{to: [{ipBlock: {cidr: '2001:db8::/32'}}, {namespaceSelector: {}}]}]"
    plain = "egress: [{to: [{namespaceSelector: {}}]}]"
    path = tmp_path / "state.yaml"
    pods = "".join(
        POD.format(name=name, space=space, ips=", ".join(f"{{ip: '{ip}'}}" for ip in own.split(",")))
        for name, space, own in (("web", "shop", "10.0.1.1"), ("db", "data", ips))
    )
    path.write_text(pods + EGRESS.format(rules=rule if ranged else plain))
    asker, _ = load_asker(StateOptions(paths=(str(path),), dialect="calico"))

    assert sum(row.peer == "data/db" for row in reach(asker, "shop/web").outbound) == found
    assert sum(row.peer == "shop/web" for row in reach(asker, "data/db").inbound) == found


def test_a_range_of_the_other_family_opens_nothing_to_a_pod_without_it(tmp_path):
    """An older replica has IPv4 alone: what opens for its peers' IPv6 addresses opens for the newer ones."""
    path = tmp_path / "state.yaml"
    pods = "".join(
        POD.format(name=name, space=space, ips=", ".join(f"{{ip: '{ip}'}}" for ip in own.split(",")))
        for name, space, own in (("web", "shop", "10.0.1.1"), ("db", "data", "10.0.2.1,2001:db8::2"))
    )
    path.write_text(pods + EGRESS.format(rules="egress: [{to: [{ipBlock: {cidr: '2001:db8::/32'}}]}]"))
    asker, _ = load_asker(StateOptions(paths=(str(path),), dialect="calico"))

    assert [row.peer for row in reach(asker, "shop/web").outbound if row.peer == "data/db"] == []


def test_outside_addresses_of_a_family_that_a_pod_lacks_reach_it_in_no_cluster_of_both(tmp_path):
    """Also where no policy names a range, by which families would be told apart."""
    path = tmp_path / "state.yaml"
    pods = "".join(
        POD.format(name=name, space=space, ips=", ".join(f"{{ip: '{ip}'}}" for ip in own.split(",")))
        for name, space, own in (("web", "shop", "10.0.1.1"), ("db", "data", "10.0.2.1,2001:db8::2"))
    )
    path.write_text(pods + EGRESS.format(rules="egress: [{}]"))
    asker, _ = load_asker(StateOptions(paths=(str(path),), dialect="calico"))

    assert [row.peer for row in reach(asker, "shop/web").inbound if ":" in row.peer] == []
    assert [row.peer for row in reach(asker, "shop/web").outbound if ":" in row.peer] == []
    assert any(":" in row.peer for row in reach(asker, "data/db").inbound)


CLOSED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: blue}
spec: {podSelector: {matchLabels: {app: web}}}
"""


def _removed(tmp_path, state):
    """Pairs of workloads that a default deny around blue/web closes for sure."""
    change = tmp_path / "closed.yaml"
    change.write_text(CLOSED)
    changed = whatif(
        Revision(apply=(str(change),)), state=StateOptions(paths=(str(state),), dialect="ovn")
    ).result
    return [(one.src, one.dst) for one in changed.connections if "-" not in one.src + one.dst]


OWN = """
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: {space}
  labels: {{app: {name}}}
  annotations:
    k8s.ovn.org/pod-networks: >-
      {{"default": {{"ip_addresses": ["{ip}/23"], "role": "infrastructure-locked"}},
       "{space}/{network}": {{"ip_addresses": ["{own}/16"], "role": "primary"}}}}
spec: {{nodeName: n1, containers: [{{name: c}}]}}
status: {{podIP: {ip}, phase: Running}}
---"""


def own(space, name, network, number):
    """A pod as OVN-Kubernetes notes it whose namespace has a primary network."""
    return OWN.format(
        space=space, name=name, network=network, ip=f"10.131.0.{number}", own=f"10.0.0.{number}"
    )


def test_what_policies_open_between_networks_that_are_apart_is_not_open(tmp_path):
    """No policy closes it, and still nothing passes from a network of a namespace to another's, nor to the cluster's."""
    path = tmp_path / "state.yaml"
    pods = [own("blue", "web", "blue", 4), own("blue", "db", "blue", 5), own("red", "db", "red", 6)]
    path.write_text("".join([*pods, pod("plain", "10.131.0.9")]))
    asker, _ = load_asker(StateOptions(paths=(str(path),), dialect="ovn"))
    result = reach(asker, "blue/web")

    rows = {row.peer: (bool(row.ports), bool(row.unknown)) for row in (*result.inbound, *result.outbound)}
    workloads = {peer: row for peer, row in rows.items() if "/" in peer}
    assert workloads == {"blue/db": (True, False), "red/db": (False, True), "shop/plain": (False, True)}
    assert "pods in another network than this workload are listed as unknown" in "".join(result.notes)
    assert reach(asker, "shop/plain").notes
    assert _removed(tmp_path, path) == [("blue/db", "blue/web")]
    path.write_text("".join(pods[:2]))
    asker, _ = load_asker(StateOptions(paths=(str(path),), dialect="ovn"))
    assert not reach(asker, "blue/web").notes


TEAMS = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: teams, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {LABEL: x}}}]}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: SPACE, labels: {team: y}}
"""


@pytest.mark.parametrize("dialect", ["kubernetes", "calico", "cilium"])
@pytest.mark.parametrize(
    ("label", "space", "told"),
    [("team", "other", True), ("team", "shop", False), ("kubernetes.io/metadata.name", "other", False)],
)
def test_namespaces_whose_labels_nobody_tells_are_said(tmp_path, dialect, label, space, told):
    """They are taken to have none but their name, as manifests without them are meant; a dump may only lack them."""
    path = tmp_path / "state.yaml"
    path.write_text(pod("web", "10.0.0.1") + TEAMS.replace("LABEL", label).replace("SPACE", space))
    _, said = load_asker(StateOptions(paths=(str(path),), dialect=dialect))

    change = tmp_path / "closed.yaml"
    change.write_text(CLOSED)
    changed = whatif(Revision(apply=(str(change),)), state=StateOptions(paths=(str(path),), dialect=dialect))

    for each in (said, changed.said):
        text = "labels of namespaces (team), and the objects of shop were not read"
        assert sum(text in one for one in each) == told
