"""Every manifest of the shared policy suites is read as its own project reads it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from flowdiag.cluster import build_snapshot
from flowdiag.cluster.documents import iter_yaml
from flowdiag.cluster.wanted import filter_of
from flowdiag.cluster.yamlfast import Doubt, read_block
from flowdiag.cluster.yamlsafe import read_documents

SUITES = Path(__file__).resolve().parents[3] / "shared" / "suites"
CASES = sorted(path.parent for path in SUITES.glob("*/*/expect.json")) if SUITES.is_dir() else []

INVALID_ON_PURPOSE = {
    # two policies whose ipBlock is an address without a prefix length: the API server refuses them
    "nca-k8s-network-policy-checks-checks-policy": 2,
}

pytestmark = pytest.mark.skipif(not CASES, reason="the shared policy suites are not beside the repository")


def _given_labels(pod):
    """Labels that the API server adds to a manifest's pods, which no suite lists."""
    keys = ("job-name", "batch.kubernetes.io/job-name") if pod["kind"] == "Job" else ()
    return dict.fromkeys(keys, pod["name"])


def test_every_case_gives_the_pods_it_lists():
    """Ids, kinds, labels, addresses, ports, node, phase, account and profiles are those of expect.json."""
    wrong = []
    for case in CASES:
        files = sorted((case / "resources").glob("*.yaml"))
        expected = json.loads((case / "expect.json").read_text()).get("pods")
        if not files or expected is None:
            continue  # a what-if case: two sets of manifests, no list of pods
        snapshot, problems = build_snapshot((file.name, file.read_bytes()) for file in files)
        serious = [problem for problem in problems if not problem.note]
        if len(serious) != INVALID_ON_PURPOSE.get(case.name, 0):
            wrong.append((case.name, serious))
        names = Counter((pod.namespace, pod.name) for pod in snapshot.pods)
        found = {
            f"{pod.namespace}/{pod.name}"
            + (f"[{pod.kind}]" if names[(pod.namespace, pod.name)] > 1 else ""): (
                pod.kind,
                pod.labels,
                list(pod.ips),
                [(port.name, port.port, port.protocol) for port in pod.ports],
                pod.host_network,
                pod.node,
                pod.phase,
                pod.service_account,
                list(pod.profiles),
            )
            for pod in snapshot.pods
        }
        listed = {
            pod["id"]: (
                pod["kind"],
                _given_labels(pod) | pod["labels"],
                pod["ips"],
                [(port["name"], port["containerPort"], port["protocol"]) for port in pod["ports"]],
                pod["hostNetwork"],
                pod["nodeName"],
                pod["phase"],
                pod["serviceAccount"],
                pod.get("profiles", []),
            )
            for pod in expected
        }
        if found != listed:
            wrong.append((case.name, sorted(set(found) ^ set(listed))))
    assert wrong == []


def test_both_readers_agree_on_every_manifest():
    """Where the fast reader answers it agrees with the safe one, whole and filtered, and it answers nearly always."""
    asked = doubted = 0
    for file in sorted(SUITES.glob("*/*/resources*/*.yaml"))[::3]:
        for part in file.read_text().split("\n---\n"):
            text = part.removeprefix("---\n") + "\n"
            if not text.strip():
                continue
            asked += 1
            for want in (None, filter_of("Pod"), filter_of("Deployment")):
                try:
                    fast = read_block(text, want)
                except Doubt:
                    doubted += want is None
                    continue
                assert [fast] == read_documents(text, want), file
    assert asked
    assert doubted < asked * 0.05


def test_every_object_names_its_line():
    """The line of an object is where it starts in its file."""
    looked_at = 0
    for file in sorted(SUITES.glob("*/*/resources/*.yaml"))[::40]:
        text = file.read_text()
        lines = text.split("\n")
        for found in iter_yaml(text):
            line = lines[found.line - 1]
            assert line.lstrip("- ").split(":")[0] in found.value, file
            looked_at += 1
    assert looked_at
