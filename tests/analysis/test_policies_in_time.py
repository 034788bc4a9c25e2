"""Policies that changed, came later, were dumped twice or were not dumped: what is said, and how surely."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import CREATED, OBJECTS, listed, policy, record, refused, write

from flowdiag.analysis import analyze

LONG_AGO = "2026-02-01T00:00:00Z"
CLOSED = {"podSelector": {}, "policyTypes": ["Egress"]}
OPEN = {**CLOSED, "egress": [{}]}


def deny(spec=CLOSED, written=None, name="deny", **metadata):
    """A policy created long ago, its spec written last at `written`."""
    if written is not None:
        fields = {"f:spec": {"f:podSelector": {}}}
        write_of = {
            "manager": "kubectl",
            "operation": "Update",
            "apiVersion": "networking.k8s.io/v1",
            "time": written,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        metadata |= {"generation": 2, "managedFields": [write_of]}
    return policy("shop", name, spec, created=LONG_AGO, **metadata)


def problem_of(folder, *policies):
    """The one problem of the small incident under these policies."""
    folder = write(folder, state_json=listed(*OBJECTS[:-1], *policies), flows_jsonl=refused())
    (problem,) = analyze([folder]).problems
    return problem


@pytest.mark.parametrize(
    "written", ["2026-03-01T12:30:00Z", "2026-03-01T12:00:10Z"], ids=["after", "meanwhile"]
)
def test_a_spec_written_later_is_likely_at_best(tmp_path, written):
    """What a policy said before its last change nobody knows (FD804), though a part came after it."""
    problem = problem_of(tmp_path, deny(written=written))

    assert problem.code == "FD101"
    assert problem.confidence == "likely"
    assert [note for note in problem.notes if "FD804" in note]


def test_a_spec_written_before_is_known(tmp_path):
    """A change before the first refusal leaves nothing open, and stands beside the problem as its start."""
    problem = problem_of(tmp_path, deny(written="2026-03-01T11:59:58Z"))
    (change,) = problem.changes

    assert problem.confidence == "derived"
    assert change.object.name == "deny"
    assert change.delta_s == pytest.approx(-3.0)


@pytest.mark.parametrize(
    "policies",
    [
        [policy("shop", "deny", CLOSED, created="2026-03-01T13:00:00Z")],
        [policy("shop", "open", OPEN, created=LONG_AGO)],
    ],
    ids=["created later", "allows it"],
)
def test_policies_that_allow_what_was_refused_are_a_disagreement(tmp_path, policies):
    """Record and replay disagree: neither a policy is accused nor the record explained away."""
    problem = problem_of(tmp_path, *policies)

    assert problem.code == "FD806"
    assert problem.counterfactual is None


def test_a_rule_that_was_corrected_since_allowed_nothing_then(tmp_path):
    """The dump has the corrected text alone: what was refused before it is put down to the isolation that held."""
    problem = problem_of(tmp_path, deny(), deny(OPEN, written="2026-03-01T12:00:40Z", name="allow"))

    assert (problem.code, problem.confidence, problem.ongoing) == ("FD101", "likely", False)
    assert [ref.name for ref in problem.isolating] == ["deny"]
    assert problem.counterfactual is None
    assert problem.advice.startswith(
        "Mended since: NetworkPolicy shop/allow egress[0] (changed at 2026-03-01 12:00:40 UTC)."
    )
    assert [note for note in problem.notes if "what it said before is not known" in note and "FD804" in note]


def test_a_rule_that_was_corrected_before_is_a_disagreement(tmp_path):
    """Its text is older than the refusals: the record stands against it."""
    problem = problem_of(tmp_path, deny(), deny(OPEN, written="2026-03-01T11:59:00Z", name="allow"))

    assert problem.code == "FD806"


def test_what_alone_isolates_and_was_opened_since_is_a_disagreement(tmp_path):
    """Without it nothing isolates: nobody knows what it said."""
    problem = problem_of(tmp_path, deny(OPEN, written="2026-03-01T12:00:40Z"))

    assert problem.code == "FD806"


def test_a_policy_that_came_after_the_refusals_is_named_beside_them(tmp_path):
    """Deleted and applied again, or refused by the clock of a node that is behind: nobody is accused, and it is said."""
    problem = problem_of(tmp_path, policy("shop", "deny", CLOSED, created="2026-03-01T12:10:00Z"))

    assert (problem.code, problem.isolating) == ("FD806", ())
    assert (
        "NetworkPolicy shop/deny isolates shop/web for egress and was created at 2026-03-01 12:10:00 UTC, after these "
        "refusals: it was created again then, or a clock is wrong." in problem.notes
    )


def test_a_state_without_policies_says_nothing_of_policies(tmp_path):
    """Pods alone name the ends; that no policy isolates them is not concluded from their dump."""
    problem = problem_of(tmp_path)

    assert problem.code == "FD101"
    assert (problem.source.name, problem.destination.name) == ("web", "db")
    assert problem.confidence == "possible"
    assert not problem.isolating


@pytest.mark.parametrize("typed", [False, True])
def test_objects_without_policies_say_what_to_add(tmp_path, typed):
    """`kubectl cluster-info dump` holds none; an empty list of them was asked for, and says that there are none."""
    empty = json.dumps({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": []})
    files = {"networkpolicies_json": empty} if typed else {}
    folder = write(tmp_path, state_json=listed(*OBJECTS[:-1]), flows_jsonl=refused(), **files)
    report = analyze([folder])
    said = [one.message for one in report.warnings if one.code == "no-policies"]

    assert report.complete
    assert len(said) == (0 if typed else 1)
    assert typed or "kubectl get networkpolicies,cnp,ccnp -A -o yaml" in said[0]


def test_a_policy_that_is_no_yaml_is_not_called_absent(tmp_path):
    """Its place is told, and that it may hold a policy; not that the objects hold none."""
    torn = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n\tname: deny\n"
    folder = write(
        tmp_path, state_json=listed(*OBJECTS[:-1]), flows_jsonl=refused(), networkpolicies_yaml=torn
    )
    report = analyze([folder])

    assert not report.complete
    assert {one.line for one in report.warnings if one.code == "invalid-document"} == {4}
    assert "no-policies" not in {one.code for one in report.warnings}


def test_two_dumps_of_one_cluster_are_complete(tmp_path):
    """The newer version counts, the older is named with its place, and nothing is missing."""
    folder = write(
        tmp_path,
        before__state_json=listed(*OBJECTS[:-1], deny(OPEN, resourceVersion="10")),
        after__state_json=listed(*OBJECTS[:-1], deny(written="2026-03-01T12:00:00Z", resourceVersion="20")),
        flows_jsonl=refused(),
    )
    for order in (["before", "after"], ["after", "before"]):
        report = analyze([*(f"{folder}/{name}" for name in order), f"{folder}/flows.jsonl"])
        (problem,) = report.problems
        (warning,) = report.warnings

        assert (problem.code, problem.confidence) == ("FD101", "derived")
        assert (warning.code, Path(warning.input).parent.name) == ("conflicting-objects", "before")
        assert report.complete


def test_two_versions_that_nobody_can_order_are_a_doubt(tmp_path):
    """Without a version that tells which is newer, the later input is used and the report says so."""
    folder = write(
        tmp_path,
        a__state_json=listed(*OBJECTS[:-1], deny(OPEN)),
        b__state_json=listed(*OBJECTS[:-1], deny()),
        flows_jsonl=refused(),
    )
    report = analyze([folder])

    assert [one.code for one in report.warnings] == ["conflicting-objects"]
    assert not report.complete


def version(port, generation, written=None, **metadata):
    """A version of the policy that lets `shop` reach the pods of `data` on one port."""
    rule = {"from": [{"namespaceSelector": {}}], "ports": [{"port": port}]}
    found = policy("data", "db", {"podSelector": {}, "ingress": [rule]}, created=CREATED, **metadata)
    found["metadata"]["generation"] = generation
    if written is not None:
        found["metadata"]["managedFields"] = [
            {"manager": "kubectl", "operation": "Update", "time": written, "fieldsV1": {"f:spec": {}}}
        ]
    return found


def told(folder, before, after, records):
    """The report of two dumps, each with one version of the policy."""
    dumps = {"before__state_json": before, "after__state_json": after}
    files = {name: listed(*OBJECTS[:-1], one) for name, one in dumps.items()}
    return analyze([write(folder, **files, flows_jsonl=records)])


ARRIVING = "".join(record(second, way="INGRESS", source_port=41000 + second) for second in range(30, 50))
PASSING = "".join(record(second, way="INGRESS", verdict="FORWARDED") for second in range(20))


def test_what_passes_again_leaves_open_how_late_it_passed_before(tmp_path):
    """Counts by the minute tell that it passed in the minute before the refusals, and not in which second of it."""
    before, after = version(8080, 1), version(8443, 2, "2026-03-01T12:01:08Z")
    refused = "".join(record(second, way="INGRESS", source_port=41000 + second) for second in range(70, 90))
    again = "".join(record(second, way="INGRESS", verdict="FORWARDED") for second in range(150, 160))
    (problem,) = told(tmp_path, before, after, PASSING + refused + again).problems

    assert "seen to pass before, at least until 2026-03-01 12:00:00 UTC" in problem.notes


def test_two_dumps_tell_what_the_last_write_changed(tmp_path):
    """One write lies between the two, and managedFields tell when: both versions hold in their time."""
    before, after = version(8080, 1), version(8443, 2, "2026-03-01T12:00:28Z")
    report = told(tmp_path, before, after, PASSING + ARRIVING)
    (problem,) = report.problems

    assert (problem.code, problem.confidence) == ("FD101", "derived")
    assert problem.changes[0].what == "ingress[0].ports[0].port: 8080 -> 8443"
    assert "seen to pass before, as late as 2026-03-01 12:00:19 UTC" in problem.notes
    assert [one.text for one in report.changes if "8443" in one.text] == [
        "NetworkPolicy data/db spec written by kubectl: ingress[0].ports[0].port: 8080 -> 8443"
    ]


def test_an_older_version_refused_what_the_newer_one_lets_pass(tmp_path):
    """Corrected between the dumps, at a moment that neither tells: the record speaks for the older version."""
    before, after = version(8443, 3, resourceVersion="10"), version(8080, 5, resourceVersion="20")
    report = told(tmp_path, before, after, ARRIVING)
    (problem,) = report.problems

    assert (problem.code, problem.confidence) == ("FD101", "likely")
    assert problem.nearest[0].misses[0].wanted == "8443/TCP"
    assert problem.advice.startswith("Mended since: NetworkPolicy data/db ingress[0].")
    assert any("which is the older version" in note for note in problem.notes)
    assert problem.counterfactual is None


def test_an_older_version_that_lets_it_pass_as_well_explains_no_refusal(tmp_path):
    """Record and replay disagree, whichever of the two it was."""
    before, after = version(8080, 3), version(8080, 5)
    before["spec"]["ingress"][0]["ports"].append({"port": 9090})
    (problem,) = told(tmp_path, before, after, ARRIVING).problems

    assert problem.code == "FD806"


def test_what_was_changed_is_said_where_nobody_knows_when(tmp_path):
    """Of a refusal that the newer version makes; whether it was in force already is not certain."""
    (problem,) = told(tmp_path, version(8080, 3), version(8443, 5), PASSING + ARRIVING).problems

    assert (problem.code, problem.confidence) == ("FD101", "likely")
    assert any("was read: ingress[0].ports[0].port: 8080 -> 8443." in note for note in problem.notes)
