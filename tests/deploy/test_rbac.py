"""The RBAC manifests grant what the client asks for, and nothing else: each is held against recorded requests."""

import copy
from pathlib import Path

import pytest
import yaml

from flowdiag.analysis.options import StateOptions
from flowdiag.analysis.probe import Probe, probe
from flowdiag.cluster.collect.options import CollectOptions
from flowdiag.cluster.collect.run import collect
from flowdiag.cluster.live.connect import connect
from flowdiag.cluster.live.kinds import KINDS
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.live.state import Outcome, read_objects
from tests.apiserver.cluster import pod, small
from tests.apiserver.kinds import CALICO_V3, EVERYTHING
from tests.apiserver.rbac import Rules
from tests.apiserver.server import ApiServer, needed

RBAC = Path(__file__).resolve().parents[2] / "deploy" / "rbac"
WITH_CALICOS_SERVER = (
    *(one for one in EVERYTHING if one.group != "crd.projectcalico.org"),
    *CALICO_V3,
)
"""Both ways in which Calico's objects are served need their rules."""


def documents(*names):
    return [one for name in names for one in yaml.safe_load_all((RBAC / name).read_text()) if one]


def objects():
    """One pod of each CNI whose settings are read, with them, and Whisker."""
    yield from small()
    for label, name in (
        (("k8s-app", "calico-node"), "calico-config"),
        (("component", "antrea-agent"), "antrea-config"),
        (("k8s-app", "aws-node"), "amazon-vpc-cni"),
        (("app", "flannel"), "kube-flannel-cfg"),
    ):
        meta = {"name": name, "namespace": "kube-system"}
        yield pod("kube-system", name, "192.0.2.11", dict([label]), host_network=True)
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}}
    whisker = {"name": "whisker", "namespace": "calico-system"}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": whisker}


def do_read(options, folder):
    del folder
    readings = list(read_objects(connect(options), KINDS, namespaces=options.namespaces))
    return [one.kind.resource for one in readings if one.outcome is Outcome.REFUSED or one.refused]


def do_collect(options, folder):
    done = collect(CollectOptions(cluster=options), folder / "bundle.tar.gz")
    return [one.what for one in done.fates if one.fate == "refused"]


def do_probe(options, folder):
    del folder
    for image in (None, "busybox:1.37"):
        asked = Probe(src="shop/web-1", dst="data/db-1", port=5432, image=image, yes=True)
        probe(asked, StateOptions(live=options))
    return []


def run(what, rules, folder, namespaces=()):
    """Do it against both servers; what was refused, and every right that was asked for."""
    refused, asks = [], []
    for kinds in (EVERYTHING, WITH_CALICOS_SERVER):
        with ApiServer(objects(), kinds=kinds, rules=rules) as one:
            one.commands["kube-system", "cilium-abcde", "cilium-agent"] = lambda _: (b"{}\n", b"", 0)

            def attempt(_):
                return b"", b"Connection refused", 1

            def start(patched, container, one=one, attempt=attempt):
                status = {"name": container["name"], "state": {"running": {}}}
                patched["status"].setdefault("ephemeralContainerStatuses", []).append(status)
                one.commands["shop", "web-1", container["name"]] = attempt

            one.commands["shop", "web-1", "app"] = attempt
            one.on_ephemeral = start
            options = ClusterOptions(kubeconfig=str(one.kubeconfig(folder / "k")), namespaces=namespaces)
            refused += what(options, folder)
            asks += [right for seen in one.seen for right in needed(seen.ask)]
    return refused, asks


MANIFESTS = {
    "read.yaml": (do_read, ()),
    "collect.yaml": (do_collect, ("read.yaml", "hubble.yaml", "node-files.yaml")),
    "hubble.yaml": (do_collect, ("read.yaml", "collect.yaml", "node-files.yaml")),
    "node-files.yaml": (do_collect, ("read.yaml", "collect.yaml", "hubble.yaml")),
    "probe.yaml": (do_probe, ("read.yaml",)),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_each_manifest_is_enough_and_all_of_it_is_needed(name, tmp_path):
    """With its companions nothing is refused; nothing in it is unused; whatever is taken out is missed."""
    what, companions = MANIFESTS[name]
    own = documents(name)
    refused, asks = run(what, Rules([*own, *documents(*companions)]), tmp_path)
    rules = Rules(own)
    for ask in asks:
        rules.allows(ask)

    assert refused == []
    assert rules.granted() - rules.used == set()
    allowed = [ask for ask in asks if rules.allows(ask)]
    for less, gone in without_one(own):
        assert not all(Rules(less).allows(ask) for ask in allowed), gone


def without_one(whole):
    """The documents with one verb, group, resource or name taken out, each in turn."""
    for number, one in enumerate(whole):
        for index, rule in enumerate(one["rules"]):
            for field in ("verbs", "apiGroups", "resources", "resourceNames"):
                for word in rule.get(field, ()):
                    less = copy.deepcopy(whole)
                    left = [each for each in rule[field] if each != word]
                    less[number]["rules"][index][field] = left or ["nothing"]
                    yield less, (index, field, word)


def test_the_role_of_one_namespace_is_enough_for_it_and_all_of_it_is_needed(tmp_path):
    """Every namespaced kind is read there, through both servers; what is cluster-wide stays refused."""
    role = documents("namespace.yaml")
    role[0]["metadata"]["namespace"] = "shop"
    rules = Rules(role)
    refused, asks = run(do_collect, rules, tmp_path, ("shop",))
    namespaced = {kind.resource for kind in KINDS if kind.namespaced}
    # Tiers are cluster-wide: policies in them need a ClusterRole where Calico's API server asks for it.
    tiered = {f"{name}.projectcalico.org" for name in ("networkpolicies", "stagednetworkpolicies")}

    assert set(refused) & namespaced <= tiered
    assert rules.granted() - rules.used == set()
    allowed = [ask for ask in asks if rules.allows(ask)]
    for less, gone in without_one(role):
        assert not all(Rules(less).allows(ask) for ask in allowed), gone


@pytest.mark.parametrize("path", sorted(RBAC.glob("*.yaml")), ids=lambda path: path.name)
def test_no_manifest_grants_secrets_wildcards_or_writing(path):
    """Probing may run a command and add a debug container; nothing else may change anything."""
    for one in documents(path.name):
        for rule in one.get("rules", ()):
            assert not {"*", "secrets"} & {*rule["resources"], *rule["verbs"], *rule["apiGroups"]}
            if set(rule["verbs"]) - {"get", "list"}:
                assert path.name in ("probe.yaml", "hubble.yaml"), rule
                assert set(rule["resources"]) <= {"pods/exec", "pods/ephemeralcontainers"}
