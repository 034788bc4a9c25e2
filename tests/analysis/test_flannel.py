"""Flannel connects pods and enforces nothing."""

from flowdiag.analysis import analyze

LOG = (
    "I0512 10:11:12.123456       1 main.go:204] CLI flags config: {etcdEndpoints:http://127.0.0.1:4001}\n"
    "I0512 10:11:12.223456       1 main.go:437] Created subnet manager: Kubernetes Subnet Manager - node-a\n"
)
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api-in, namespace: pay}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""


def said(folder):
    return [w.message for w in analyze([str(folder)]).warnings if w.code == "not-enforced"]


def test_policies_beside_flannel_alone_are_said_to_have_no_effect(tmp_path):
    """A reader learns that nobody enforces what the state holds."""
    (tmp_path / "flannel.log").write_text(LOG)
    (tmp_path / "policies.yaml").write_text(POLICY)

    (message,) = said(tmp_path)

    assert "Flannel" in message
    assert "(1)" in message


def test_without_policies_nothing_is_said(tmp_path):
    """No policies, nothing to enforce."""
    (tmp_path / "flannel.log").write_text(LOG)

    assert not said(tmp_path)
