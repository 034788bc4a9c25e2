"""One incident as five CNIs record it, over the same objects: the same problems."""

import tomllib
from pathlib import Path

import pytest

from flowdiag.analysis import EvidenceOptions, StateOptions, analyze
from flowdiag.report.names import recorded_text

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "five-tellings"
PER_PACKET = ("cilium", "aws", "ovn", "weave")
TELLINGS = (*PER_PACKET, "calico")
CNI = {"aws": "aws-vpc-cni", "ovn": "ovn-kubernetes"}
"""Names of CNIs that are not those of the folders."""


@pytest.fixture(scope="module")
def reports():
    """One report for each telling."""
    state = StateOptions(paths=(str(FOLDER / "cluster"),))
    return {name: analyze([str(FOLDER / name)], state=state) for name in TELLINGS}


def end(one):
    return f"{one.namespace}/{one.name}"


def told(problem):
    """All that a reader acts on: what it is, whose policies, which rule came near, what mends it and what that opens."""
    fix = problem.counterfactual
    return (
        problem.code,
        problem.title,
        problem.severity,
        problem.direction,
        problem.summary,
        problem.isolating,
        problem.nearest,
        sorted((end(c.source), end(c.destination), c.protocol, c.port) for c in problem.connections),
        fix and (fix.summary, fix.manifests, fix.patch, fix.proved, fix.also_allows),
        [(change.kind, change.object) for change in problem.changes],
    )


@pytest.mark.parametrize("name", TELLINGS)
def test_every_telling_is_read_as_that_cni(reports, name):
    """So that their policies are read in five dialects, not in one."""
    assert reports[name].cluster.cni == (CNI.get(name, name),)
    assert reports[name].complete


@pytest.mark.parametrize("name", TELLINGS[1:])
def test_the_same_problems(reports, name):
    """Codes, causes, nearest rules, changes and proposals with what else they open."""
    assert {told(one)[0]: told(one) for one in reports[name].problems} == {
        told(one)[0]: told(one) for one in reports["cilium"].problems
    }
    assert {one.fingerprint for one in reports[name].problems} == {
        one.fingerprint for one in reports["cilium"].problems
    }


@pytest.mark.parametrize("name", PER_PACKET)
def test_every_packet_counts_once(reports, name):
    """Hubble's pairs, Weave's doubles: the generator knows how many packets there were, and when."""
    expected = tomllib.loads((FOLDER / "told.toml").read_text())
    report = reports[name]

    assert report.totals.denied == expected["denied"]
    found = {problem.code: problem for problem in report.problems}
    assert len(found) == len(expected["problems"])
    for facts in expected["problems"]:
        problem = found[facts["code"]]
        assert (
            problem.count,
            end(problem.source),
            end(problem.destination),
            problem.protocol,
            problem.port,
        ) == (
            facts["count"],
            facts["source"],
            facts["destination"],
            facts["protocol"],
            facts["port"],
        )
        assert [f"{ref.namespace}/{ref.name}" for ref in problem.isolating] == [facts["policy"]]
        # Milliseconds are the coarsest of the four.
        assert problem.first[:19] == facts["first"][:19]


def test_refusals_alone_tell_the_same(reports):
    """Lines that no refusal can stand in are left unread: nothing of the story is lost."""
    state = StateOptions(paths=(str(FOLDER / "cluster"),))
    for name in TELLINGS:
        report = analyze([str(FOLDER / name)], state=state, evidence=EvidenceOptions(only_denied=True))
        assert [told(one) for one in report.problems] == [told(one) for one in reports[name].problems], name


def test_the_isolation_of_a_namespace_is_recorded_as_that(reports):
    """``NP:data:Ingress`` is what all policies of the namespace came to, and no policy of that name."""
    (problem,) = [one for one in reports["ovn"].problems if one.code == "FD204"]
    (recorded,) = problem.recorded

    assert (recorded.namespace, recorded.name) == ("data", None)
    assert recorded_text(recorded) == "default deny of namespace data: deny"
