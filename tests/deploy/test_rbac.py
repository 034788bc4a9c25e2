"""The RBAC manifests grant what the client asks for, and nothing else."""

import copy
from pathlib import Path

import pytest
import yaml

from flowdiag.analysis.options import StateOptions
from flowdiag.analysis.probe import Probe, probe
from flowdiag.cluster.collect.run import CollectOptions, collect
from flowdiag.cluster.live.connect import connect
from flowdiag.cluster.live.kinds import KINDS
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.live.state import Outcome, read_objects
from tests.apiserver.cluster import small
from tests.apiserver.kinds import CALICO_V3, EVERYTHING
from tests.apiserver.rbac import Rules
from tests.apiserver.server import ApiServer, _needed

RBAC = Path(__file__).resolve().parents[2] / "deploy" / "rbac"
CALICO_ONLY = tuple(one for one in EVERYTHING if one.group != "crd.projectcalico.org")


def documents(name):
    return [one for one in yaml.safe_load_all((RBAC / name).read_text()) if one]


def every_agent():
    """One pod of each CNI whose settings are read, with them."""
    from tests.apiserver.cluster import pod

    for label, name in (
        (("k8s-app", "calico-node"), "calico-config"),
        (("component", "antrea-agent"), "antrea-config"),
        (("k8s-app", "aws-node"), "amazon-vpc-cni"),
        (("app", "flannel"), "kube-flannel-cfg"),
    ):
        yield pod("kube-system", name, "192.0.2.11", dict([label]), host_network=True)
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "kube-system"},
            "data": {},
        }


def read(rules, kinds, tmp_path):
    """What becomes of reading the state of a cluster that serves `kinds`."""
    with ApiServer([*small(), *every_agent()], kinds=kinds, rules=rules) as one:
        api = connect(ClusterOptions(kubeconfig=str(one.kubeconfig(tmp_path / "kubeconfig"))))
        return list(read_objects(api, KINDS))


def refused(readings):
    return [one.kind.resource for one in readings if one.outcome is Outcome.REFUSED or one.refused]


def test_read_yaml_grants_all_that_live_reads_and_nothing_more(tmp_path):
    """Both ways that Calico is served, every other kind, and every CNI's settings."""
    rules = Rules(documents("read.yaml"))

    assert refused(read(rules, EVERYTHING, tmp_path)) == []
    assert refused(read(rules, (*CALICO_ONLY, *CALICO_V3), tmp_path)) == []
    assert rules.granted() - rules.used == set()


def test_taking_anything_away_is_noticed(tmp_path):
    """Every resource and every verb of the manifest is needed: without one, something is refused."""
    whole = documents("read.yaml")
    for index, rule in enumerate(whole[0]["rules"]):
        less = copy.deepcopy(whole)
        less[0]["rules"][index]["resources"] = rule["resources"][1:]
        kinds = (*CALICO_ONLY, *CALICO_V3) if "projectcalico.org" in rule["apiGroups"] else EVERYTHING
        assert refused(read(Rules(less), kinds, tmp_path)), rule


def test_the_manifests_for_collecting_grant_what_it_asks_and_nothing_more(tmp_path):
    """Read, collect, Hubble and node files together: nothing is refused, and no rule is left over."""
    whisker = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "whisker", "namespace": "calico-system"},
    }
    grants = [one for name in ("collect", "hubble", "node-files") for one in documents(f"{name}.yaml")]
    rules = Rules([*documents("read.yaml"), *grants])
    only = Rules(grants)
    with ApiServer([*small(), *every_agent(), whisker], kinds=EVERYTHING, rules=rules) as one:
        one.commands["kube-system", "cilium-abcde", "cilium-agent"] = lambda _: (b"{}\n", b"", 0)
        kubeconfig = str(one.kubeconfig(tmp_path / "kubeconfig"))
        done = collect(CollectOptions(cluster=ClusterOptions(kubeconfig=kubeconfig)), tmp_path / "b.tar.gz")
        for seen in one.seen:
            for needed in _needed(seen.ask):
                only.allows(needed)

    assert [fate.what for fate in done.fates if fate.fate == "refused"] == []
    assert only.granted() - only.used == set()


@pytest.mark.parametrize("image", [None, "busybox:1.37"])
def test_probe_yaml_grants_what_probing_asks(tmp_path, image):
    """With read.yaml it is enough, in the pod's own container and with a debug container."""
    whole = documents("probe.yaml")
    grants = Rules(whole)
    rules = Rules([*documents("read.yaml"), *whole])
    with ApiServer(small(), rules=rules) as one:
        run = lambda _: (b"", b"Connection refused", 1)  # noqa: E731
        one.commands["shop", "web-1", "app"] = run

        def start(patched, container):
            status = {"name": container["name"], "state": {"running": {}}}
            patched["status"]["ephemeralContainerStatuses"] = [status]
            one.commands["shop", "web-1", container["name"]] = run

        one.on_ephemeral = start
        cluster = ClusterOptions(kubeconfig=str(one.kubeconfig(tmp_path / "kubeconfig")))
        asked = Probe(src="shop/web-1", dst="data/db-1", port=5432, image=image, yes=True)
        result, _ = probe(asked, StateOptions(live=cluster))
        for seen in one.seen:
            for needed in _needed(seen.ask):
                grants.allows(needed)
    left = {resource for _, _, _, resource in grants.granted() - grants.used}

    assert result.observed is not None
    assert left == (set() if image else {"pods/ephemeralcontainers"})


def test_the_role_of_one_namespace_is_enough_for_it_and_has_nothing_to_spare(tmp_path):
    """Every namespaced kind is read there; what is cluster-wide stays refused."""
    role = documents("namespace.yaml")
    role[0]["metadata"]["namespace"] = "shop"
    rules = Rules(role)
    for kinds in (EVERYTHING, (*CALICO_ONLY, *CALICO_V3)):
        with ApiServer(small(), kinds=kinds, rules=rules) as one:
            options = ClusterOptions(kubeconfig=str(one.kubeconfig(tmp_path / "k")), namespaces=("shop",))
            done = collect(CollectOptions(cluster=options), tmp_path / f"{len(kinds)}.tar.gz")
        namespaced = {kind.resource for kind in KINDS if kind.namespaced}
        tiered = {f"{name}.projectcalico.org" for name in ("networkpolicies", "stagednetworkpolicies")}
        assert {fate.what for fate in done.fates if fate.fate == "refused"} & namespaced <= tiered
    assert rules.granted() - rules.used == set()


@pytest.mark.parametrize("path", sorted(RBAC.glob("*.yaml")), ids=lambda path: path.name)
def test_no_manifest_grants_secrets_wildcards_or_writing(path):
    """Probing may run a command and add a debug container; nothing else may change anything."""
    for one in documents(path.name):
        for rule in one.get("rules", ()):
            assert not {"*", "secrets"} & {*rule["resources"], *rule["verbs"], *rule["apiGroups"]}
            verbs = set(rule["verbs"]) - {"get", "list"}
            if verbs:
                assert path.name in ("probe.yaml", "hubble.yaml"), rule
                assert set(rule["resources"]) <= {"pods/exec", "pods/ephemeralcontainers"}
