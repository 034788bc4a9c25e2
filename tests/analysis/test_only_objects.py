"""A folder of objects without a log: what the policies say can be asked, and the flows to bring are named."""

from pathlib import Path

import pytest

from flowdiag.analysis import analyze
from flowdiag.report.markdown import MarkdownReporter
from flowdiag.report.protocol import Options
from flowdiag.report.terminal import TerminalReporter

INCIDENTS = Path(__file__).resolve().parents[2] / "fixtures" / "incidents"


@pytest.mark.parametrize(
    ("folder", "named", "left_out"),
    [
        (INCIDENTS / "default-deny-egress" / "cluster", "hubble observe", "whisker"),
        (INCIDENTS / "calico-whisker" / "cluster", "svc/whisker", "hubble observe"),
    ],
)
def test_objects_alone_say_what_to_ask_and_what_to_bring(folder, named, left_out):
    """An empty report read as peace; the commands are those of the CNI that the objects show."""
    report = analyze([str(folder)])
    (why, *more) = [one.message for one in report.warnings if one.code == "only-objects"]

    assert report.complete
    assert "only the cluster's objects" in why
    assert any("flowdiag explain" in text for text in more)
    assert any(named in text for text in more)
    assert not any(left_out in text for text in more)
    page = " ".join(TerminalReporter().render(report, Options(width=100)).split())
    assert "cannot show" not in page
    assert "why only the cluster's objects were read" in page
    narrow = TerminalReporter().render(report, Options(width=80)).splitlines()
    # Each command begins a line of its own, to be copied.
    assert [line for line in narrow if line.strip() == "flowdiag reach NAMESPACE/NAME --state PATH"]
    assert "`flowdiag reach NAMESPACE/NAME --state PATH`" in MarkdownReporter().render(report, Options())


def test_logs_alone_say_which_objects_to_bring():
    """The command stands whole where policies could not be replayed, with Cilium's kinds where Cilium enforces."""
    report = analyze([str(INCIDENTS / "default-deny-egress" / "hubble")])
    page = TerminalReporter().render(report, Options(width=160))

    assert "Next  kubectl get pods,ns,svc,endpointslices,nodes,netpol,cnp,ccnp -A -o yaml" in page
    assert "--state state.yaml: adds which policies refuse, and what mends it" in page


@pytest.mark.parametrize(("told", "asked"), [("calico/flows.jsonl", True), ("aws", False)])
def test_calicos_own_policies_are_asked_for_where_calico_is_seen(told, asked):
    """What logs and orders is written in Calico's kinds, which kubectl's short names leave out."""
    page = TerminalReporter().render(analyze([str(INCIDENTS / "five-tellings" / told)]), Options(width=160))

    assert "Next  kubectl get pods,ns,svc,endpointslices,nodes,netpol -A -o yaml" in page
    assert asked is (
        "calicoctl get networkpolicies,globalnetworkpolicies,tiers -A -o yaml > calico.yaml" in page
    )
    assert asked is ("--state state.yaml --state calico.yaml: adds" in page)
