"""Calico's own policy scenarios and the explained packet lines of the samples, held against the replay."""

import csv
import json
from pathlib import Path

import pytest

from flowdiag.analysis import EvidenceOptions, StateOptions, analyze
from flowdiag.cluster import build_snapshot
from flowdiag.model.policy import Dialect
from flowdiag.parserkit import interface_name
from flowdiag.policy import compile_policies
from flowdiag.policy.ends import pod_endpoint

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "calico"
pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="shared/samples/calico is not beside this checkout"
)
YEAR = 2024


def _pod(namespace, name, ip, node, labels=None):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels or {},
            "creationTimestamp": f"{YEAR}-01-01T00:00:00Z",
        },
        "spec": {"nodeName": node, "containers": [{"name": "main"}]},
        "status": {"phase": "Running", "podIP": ip},
    }


def _namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _node(name, ip):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}]},
    }


def _list(*items):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}).encode()


def _expected(folder):
    path = SAMPLES / folder / "expected.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def _verdict(policies, src, dst, port):
    decision = policies.evaluate(src, dst, "TCP", port)
    return {True: "allow", False: "deny", None: "unknown"}[decision.allowed]


CLUSTER_POLICY = _expected("sc_clusternetworkpolicy_fv")
SERVICES = _expected("sc_service_match_fv")


@pytest.mark.parametrize(
    ("phase", "wanted"), sorted(CLUSTER_POLICY.get("verdict_by_phase", {}).items()), ids=lambda text: text
)
def test_cluster_network_policy_phase(phase, wanted):
    """Tiers and priorities decide as Felix's own test found that they do, for both destinations."""
    flow = CLUSTER_POLICY["flow"]
    ends = [flow["src"], *flow["dst"]]
    pods = []
    for text in ends:
        name, ip = text.split()
        node = "felix-0" if text == flow["src"] else "felix-1"
        pods.append(_pod(*name.split("/"), ip, node))
    manifest = (SAMPLES / "sc_clusternetworkpolicy_fv" / f"{phase}.yaml").read_bytes()
    snapshot, problems = build_snapshot(
        [("pods.json", _list(_namespace("default"), *pods)), ("policies.yaml", manifest)]
    )
    assert not problems
    policies = compile_policies(snapshot, dialect=Dialect.CALICO)
    src, *dsts = [pod_endpoint(pod) for pod in snapshot.pods]

    assert {_verdict(policies, src, dst, flow["port"]) for dst in dsts} == {wanted}


@pytest.mark.parametrize(
    "flow", SERVICES.get("flows", []), ids=lambda flow: f"{flow['src']}-{flow['dst']}-{flow['port']}"
)
def test_service_match(flow):
    """A rule that names a Service opens its endpoints at their port, and nothing else of those pods."""
    folder = SAMPLES / "sc_service_match_fv"
    pods = [_pod("default", name, ip, "felix-0") for name, ip in (("w0", "10.65.0.2"), ("w1", "10.65.1.2"))]
    snapshot, _ = build_snapshot(
        [
            ("pods.json", _list(_namespace("default"), *pods)),
            ("policies.yaml", (folder / "policies.yaml").read_bytes()),
        ]
    )
    policies = compile_policies(snapshot, dialect=Dialect.CALICO)
    ends = {pod.name: pod_endpoint(pod) for pod in snapshot.pods}

    assert _verdict(policies, ends[flow["src"]], ends[flow["dst"]], flow["port"]) == flow["verdict"]


# --- packet lines that the index explains --------------------------------------------------------


def _rows():
    index = SAMPLES / "index.csv"
    if not index.is_file():
        return []
    with index.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["replay"]]


def _log_then_deny(namespace, selector):
    """A policy that writes the line and then refuses, for a sample that comes without its policy."""
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkPolicy",
        "metadata": {"name": "log-then-deny", "namespace": namespace},
        "spec": {
            "selector": selector,
            "types": ["Ingress"],
            "ingress": [{"action": "Log"}, {"action": "Deny"}],
        },
    }


CLIENT, SERVER = "netperf-client-696e3d2e605c", "netperf-server-696e3d2e605c"
STATES = {
    "k02_syslog_host_endpoint.log": (
        "p01_prednat_hostendpoint.yaml",
        [
            _node("node2", "192.168.8.41"),
            _node("node3", "192.168.8.42"),
            _namespace("default"),
            _pod("default", "web-1", "10.233.96.5", "node2", {"app": "web"}),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {
                    "type": "NodePort",
                    "clusterIP": "10.233.10.20",
                    "selector": {"app": "web"},
                    "ports": [{"port": 80, "targetPort": 8080, "nodePort": 32123}],
                },
            },
        ],
    ),
    "k08_minikube.log": (
        None,
        [
            _namespace("default"),
            # The addresses are left out: the interfaces name both pods.
            _pod("default", CLIENT, "", "minikube", {"app": "client"}),
            _pod("default", SERVER, "", "minikube", {"app": "server"}),
            _log_then_deny("default", "app == 'server'"),
        ],
    ),
    "k12_journal_worker.log": (
        "p02_log_then_deny.yaml",
        [
            _namespace("pci"),
            _pod("pci", "ledger-1", "10.0.2.41", "worker-b", {"app": "ledger"}),
            _pod("pci", "reports-1", "10.0.1.23", "worker-a", {"app": "reports"}),
        ],
    ),
}


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row['file']}:{row['line']}")
def test_packet_line_is_replayed_as_explained(row, tmp_path):
    """The rules behind the Log rule say what became of the packet, and the finding says that they did."""
    manifest, objects = STATES[row["file"]]
    line = (SAMPLES / row["file"]).read_text().splitlines(keepends=True)[int(row["line"]) - 1]
    (tmp_path / "kern.log").write_text(line)
    state = tmp_path / "state"
    state.mkdir()
    (state / "objects.json").write_bytes(_list(*objects))
    if manifest is not None:
        (state / manifest).write_bytes((SAMPLES / manifest).read_bytes())

    report = analyze(
        [str(tmp_path / "kern.log")],
        evidence=EvidenceOptions(year=YEAR),
        state=StateOptions(paths=(str(state),), dialect="calico"),
    )

    if row["replay"] == "allow":
        assert (report.totals.denied, report.totals.allowed, report.problems) == (0, 1, ())
        return
    assert (report.totals.denied, report.totals.allowed) == (1, 0)
    (problem,) = report.problems
    assert (problem.verdict, problem.reason.raw) == ("denied", "calico-packet")
    assert problem.confidence in ("likely", "possible")
    inferred = next(note for note in problem.notes if note.startswith("Logged, not recorded as refused"))
    if row["policy"]:
        name, _, rule = row["policy"].removeprefix("gnp:").partition(" rule ")
        assert f"GlobalNetworkPolicy {name} ingress[{rule}] (deny)" in inferred


def test_log_only_policy_closes_its_pods(tmp_path):
    """Calico issue 3801: nothing but a Log rule, and the end of the tier denies what was logged."""
    labels = {"app.kubernetes.io/name": "telcoservice-5gudm"}
    interface = interface_name("default", "telco-1")
    (tmp_path / "kern.log").write_text(
        f"2024-12-05T02:41:49+00:00 node-a kernel: calico-packet: IN=eth0 OUT={interface} MAC= SRC=198.51.100.7 "
        "DST=10.0.1.9 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=40000 DPT=80 WINDOW=64240 RES=0x00 "
        "SYN URGP=0 \n"
    )
    (tmp_path / "objects.json").write_bytes(
        _list(_namespace("default"), _pod("default", "telco-1", "10.0.1.9", "node-a", labels))
    )
    (tmp_path / "policy.yaml").write_bytes((SAMPLES / "p03_log_only_drops.yaml").read_bytes())

    report = analyze([str(tmp_path)])

    (problem,) = report.problems
    assert problem.code == "FD103"
    assert [ref.name for ref in problem.isolating] == ["telco-logger"]
    assert "then the end of the tier (deny)" in "\n".join(problem.notes)
