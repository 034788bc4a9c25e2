"""The test server is one that the real kubectl can read: what the client is tested against is no mock."""

import json
import shutil
import subprocess

import pytest

from tests.apiserver.cluster import small
from tests.apiserver.kinds import CILIUM, CORE
from tests.apiserver.rbac import Rules
from tests.apiserver.server import ApiServer, Fault
from tests.live.clusters import environment

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(
    KUBECTL is None, reason="kubectl is not installed (Debian: kubernetes-client)"
)


@pytest.fixture
def kubectl(tmp_path):
    def run(one, *words):
        kubeconfig = one.kubeconfig(tmp_path / "kubeconfig")
        return subprocess.run(
            [KUBECTL, "--kubeconfig", str(kubeconfig), "--cache-dir", str(tmp_path / "cache"), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env=environment(HOME=tmp_path),
        )

    return run


def test_kubectl_lists_gets_and_pages(kubectl):
    """Tables, JSON, single objects, custom resources, and pages that are put together."""
    with ApiServer(small(), kinds=(*CORE, *CILIUM), tls=True) as one:
        table = kubectl(one, "get", "pods", "-A")
        paged = kubectl(one, "get", "ns", "-o", "json", "--chunk-size=1")
        single = kubectl(one, "get", "netpol", "-n", "data", "default-deny", "-o", "json")
        custom = kubectl(one, "get", "cnp", "-A")

    assert "cilium-abcde" in table.stdout
    assert [item["metadata"]["name"] for item in json.loads(paged.stdout)["items"]] == [
        "shop",
        "data",
        "kube-system",
    ]
    assert len([seen for seen in one.seen if seen.query.get("limit") == "1"]) == 3
    assert json.loads(single.stdout)["spec"]["policyTypes"] == ["Ingress"]
    assert custom.returncode == 0
    assert "No resources found" in custom.stderr


def test_kubectl_understands_what_is_refused(kubectl):
    """A 403 and a 404 are Status objects, a 429 is waited for."""
    with ApiServer(small(), rules=Rules([]), tls=True) as one:
        forbidden = kubectl(one, "get", "pods", "-A")
    with ApiServer(small(), tls=True) as one:
        absent = kubectl(one, "get", "pod", "-n", "shop", "nobody")
        unknown = kubectl(one, "get", "ciliumnetworkpolicies")
        one.faults = [Fault("/api/v1/pods", "status", status=429, headers={"Retry-After": "1"})]
        later = kubectl(one, "get", "pods", "-A")

    assert (
        'Error from server (Forbidden): pods is forbidden: User "admin" cannot list resource "pods"'
        in forbidden.stderr
    )
    assert 'Error from server (NotFound): pods "nobody" not found' in absent.stderr
    assert "doesn't have a resource type" in unknown.stderr
    assert "web-1" in later.stdout


def test_kubectl_reads_logs_and_runs_commands(kubectl):
    """Log and exec subresources, the latter over WebSocket with its exit code."""
    with ApiServer(small(), tls=True) as one:
        one.logs["kube-system", "cilium-abcde", "cilium-agent", False] = [
            ("2026-11-03T12:00:00.5Z", "level=info msg=started"),
            ("2026-11-03T13:00:00Z", "level=warning msg=later"),
        ]
        one.commands["kube-system", "cilium-abcde", "cilium-agent"] = lambda argv: (
            " ".join(argv).encode() + b"\n",
            b"to stderr\n",
            3,
        )
        logs = kubectl(
            one,
            "logs",
            "-n",
            "kube-system",
            "cilium-abcde",
            "--timestamps",
            "--since-time=2026-11-03T12:30:00Z",
        )
        run = kubectl(one, "exec", "-n", "kube-system", "cilium-abcde", "--", "hubble", "observe")

    assert logs.stdout == "2026-11-03T13:00:00Z level=warning msg=later\n"
    assert run.stdout == "hubble observe\n"
    assert "to stderr" in run.stderr
    assert run.returncode == 3
