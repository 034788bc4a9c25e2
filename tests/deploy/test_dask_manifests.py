"""The manifests of a Dask cluster that reads a bucket: they fit together, and nobody gets more than is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.test_manifests import strange

DASK = Path(__file__).resolve().parents[2] / "deploy" / "dask"
BIN = Path(sys.executable).parent


def documents():
    return [
        one
        for path in sorted(DASK.glob("*.yaml"))
        for one in yaml.safe_load_all(path.read_text())
        if one and one["kind"] != "Kustomization"
    ]


def named(kind, name):
    return next(one for one in documents() if (one["kind"], one["metadata"]["name"]) == (kind, name))


def templates():
    return [one["spec"]["template"] for one in documents() if one["kind"] in ("Deployment", "Job")]


def container(template):
    (one,) = template["spec"]["containers"]
    return one


def test_every_file_is_applied():
    kustomization = yaml.safe_load((DASK / "kustomization.yaml").read_text())
    assert {*kustomization["resources"], "kustomization.yaml"} == {path.name for path in DASK.iterdir()}


def test_nobody_may_ask_the_api_for_anything():
    """No role, no token, no root, nothing to write to but a bounded /tmp."""
    assert not [one for one in documents() if "Role" in one["kind"]]
    assert len(templates()) == 3
    for template in templates():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert named("ServiceAccount", spec["serviceAccountName"])["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        only = container(template)
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(only["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in only["resources"]["limits"]
        assert [volume["emptyDir"].keys() for volume in spec["volumes"]] == [{"sizeLimit"}]


@pytest.mark.parametrize("command", ["scheduler", "worker"])
def test_the_commands_take_these_options(command):
    """As the installed Dask has them."""
    pytest.importorskip("distributed")
    said = subprocess.run(
        [BIN / "dask", command, "--help"], capture_output=True, text=True, check=True
    ).stdout
    words = container(named("Deployment", f"flowdiag-{command}")["spec"]["template"])["command"]
    assert words[:2] == ["dask", command]
    for word in words[2:]:
        if word.startswith("--"):
            name = word.partition("=")[0]
            assert name in said or name.replace("--no-", "--") in said, name


def test_the_job_takes_these_options(tmp_path):
    """With a scheduler that is not there, it is this that is complained of."""
    pytest.importorskip("distributed")
    objects = {"apiVersion": "v1", "kind": "NamespaceList", "items": [{"metadata": {"name": "shop"}}]}
    (tmp_path / "state.json").write_text(json.dumps(objects))
    arguments = container(named("Job", "flowdiag-analyze")["spec"]["template"])["args"]
    assert arguments[0] == "analyze"
    assert any(word.startswith("s3://") for word in arguments)
    arguments = [str(tmp_path) if word.startswith("s3://") else word for word in arguments]
    arguments = [f"--state={tmp_path}" if word.startswith("--state") else word for word in arguments]
    done = subprocess.run([BIN / "flowdiag", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, "no Dask scheduler answers" in done.stderr) == (4, True), done.stderr


def test_the_api_server_would_take_them():
    """Every field is one of the API's own types."""
    for one in documents():
        assert strange(f"V1{one['kind']}", one, one["kind"]) == []


def test_addresses_and_ports_fit_together():
    service = named("Service", "flowdiag-scheduler")
    scheduler = named("Deployment", "flowdiag-scheduler")["spec"]["template"]
    assert service["spec"]["selector"].items() <= scheduler["metadata"]["labels"].items()
    (port,) = service["spec"]["ports"]
    address = f"tcp://{service['metadata']['name']}:{port['port']}"
    assert f"--port={port['port']}" in container(scheduler)["command"]
    assert address in container(named("Deployment", "flowdiag-worker")["spec"]["template"])["command"]
    assert f"--scheduler={address}" in container(named("Job", "flowdiag-analyze")["spec"]["template"])["args"]


def test_its_policies_let_in_only_its_own(tmp_path):
    """Asked of flowdiag itself: workers and the job reach the scheduler, a stranger reaches nothing."""
    objects = documents()
    for one in objects:
        if one["kind"] != "Namespace":
            one["metadata"]["namespace"] = "flowdiag"
    stranger = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "stranger", "namespace": "flowdiag"},
        "spec": {
            "selector": {"matchLabels": {"app": "stranger"}},
            "template": {
                "metadata": {"labels": {"app": "stranger"}},
                "spec": {"containers": [{"name": "main", "image": "stranger"}]},
            },
        },
    }
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
    items = {"apiVersion": "v1", "kind": "List", "items": [*objects, stranger, space]}
    (tmp_path / "state.json").write_text(json.dumps(items))
    asked = [
        ("flowdiag/flowdiag-worker", "flowdiag/flowdiag-scheduler[Deployment]", 8786, True),
        ("flowdiag/flowdiag-analyze", "flowdiag/flowdiag-scheduler[Deployment]", 8786, True),
        ("flowdiag/flowdiag-worker", "flowdiag/flowdiag-worker", 9000, True),
        ("flowdiag/flowdiag-scheduler[Deployment]", "flowdiag/flowdiag-worker", 9000, True),
        ("flowdiag/flowdiag-worker", "198.51.100.7", 443, True),
        ("flowdiag/flowdiag-worker", "2001:db8::7", 443, True),
        ("flowdiag/flowdiag-analyze", "2001:db8::7", 443, True),
        # A node-local cache has names, and a metadata server identities: none of them is a pod.
        ("flowdiag/flowdiag-worker", "169.254.20.10", 53, True),
        ("flowdiag/flowdiag-analyze", "169.254.25.10", 53, True),
        ("flowdiag/flowdiag-worker", "169.254.169.254", 80, True),
        ("flowdiag/flowdiag-analyze", "169.254.169.252", 988, True),
        ("flowdiag/flowdiag-worker", "198.51.100.7", 53, False),
        ("flowdiag/stranger", "flowdiag/flowdiag-scheduler[Deployment]", 8786, False),
        ("flowdiag/stranger", "flowdiag/flowdiag-worker", 9000, False),
        ("flowdiag/flowdiag-scheduler[Deployment]", "198.51.100.7", 443, False),
    ]
    queries = [
        {"src": src, "dst": dst, "protocol": "TCP", "port": port, "allowed": allowed}
        for src, dst, port, allowed in asked
    ]
    (tmp_path / "queries.json").write_text(json.dumps({"queries": queries}))
    command = [
        BIN / "flowdiag",
        "verify",
        tmp_path / "queries.json",
        "--state",
        tmp_path / "state.json",
        "-o",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert [(r["src"], r["dst"], r["allowed"], r["error"]) for r in found["results"]] == [
        (src, dst, allowed, None) for src, dst, _, allowed in asked
    ]
