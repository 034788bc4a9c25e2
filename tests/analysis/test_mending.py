"""Proposals in a report: made for problems, and never to open a door for a stranger who knocks everywhere."""

from pathlib import Path

import pytest

from flowdiag.analysis import analyze

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "ingress-other-namespace"


@pytest.fixture(scope="module")
def problems():
    return {(p.code, p.destination.name): p for p in analyze([str(INCIDENT)]).problems}


@pytest.mark.parametrize(("code", "destination"), [("FD301", "pay-api"), ("FD202", "ledger")])
def test_a_broken_rule_is_mended(problems, code, destination):
    """The leading connection's change, proved, as whole objects and as a patch."""
    change = problems[code, destination].counterfactual

    assert change.proved
    assert change.allows_denied
    assert change.manifests[0].startswith("apiVersion: networking.k8s.io/v1")
    assert change.patch.startswith("--- a/payments/")


def test_a_change_for_one_of_two_callers_does_not_claim_to_help_both():
    """It adds a policy for the first, and the other stays refused."""
    (logs,) = (p for p in analyze([str(INCIDENT.parent / "calico-log-lines")]).problems if p.code == "FD103")

    assert len(logs.connections) == 2
    assert (logs.counterfactual.proved, logs.counterfactual.allows_denied) == (True, False)


def test_a_scan_is_not_let_in(problems):
    """Many ports or addresses as one connection: opening one of them would mend nothing."""
    scanned = problems["FD101", "gateway"]

    assert scanned.connections[0].port is None
    assert scanned.counterfactual is None
