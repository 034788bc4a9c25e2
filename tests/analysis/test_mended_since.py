"""Refusals that the policies of a later moment let pass: nothing is proposed, and what mended them is named.

Most sources record refusals alone, so that the traffic that passes since is not seen.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DB, OBJECTS, WEB, end, listed, namespace, pod, policy, record, refused, write

from flowdiag.analysis import StateOptions, analyze

NAME = "kubernetes.io/metadata.name"
LONG_AGO = "2026-02-01T00:00:00Z"
CLOSED = {"podSelector": {}, "policyTypes": ["Egress"]}
DENY = policy("shop", "default-deny", CLOSED, created=LONG_AGO)
CACHE = end("data", "cache-6c5b4d7f8-p9q8r", "10.0.1.8", "cache", 1002)
CACHE_POD = pod("data", "cache-6c5b4d7f8-p9q8r", "10.0.1.8", "cache", port=6379)


def opened(created, app="db"):
    """The policy that lets `web` reach the pods of `app`."""
    to = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": app}}}]
    return policy("shop", "allow-web", {**CLOSED, "egress": [{"to": to}]}, created=created)


def report(folder, *objects, records=None):
    """The small incident (refused from 12:00:01 to 12:00:19) with these policies."""
    return analyze(
        [write(folder, state_json=listed(*OBJECTS[:-1], *objects), flows_jsonl=records or refused())]
    )


def test_what_lets_it_pass_since_is_named_and_nothing_is_proposed(tmp_path):
    """Only refusals were recorded, and the policy that ended them was made after the last of them."""
    (problem,) = report(tmp_path, DENY, opened("2026-03-01T12:00:40Z")).problems

    assert (problem.code, problem.ongoing) == ("FD101", False)
    assert [ref.name for ref in problem.isolating] == ["default-deny"]
    assert problem.counterfactual is None
    assert problem.advice == (
        "Mended since: NetworkPolicy shop/allow-web egress[0] (created at "
        "2026-03-01 12:00:40 UTC). If it is refused still, look for an agent that lags behind."
    )


def test_a_policy_that_came_while_it_was_refused_does_not_end_it(tmp_path):
    """Refused ten seconds after it was made: whether the agent has it by now is not known."""
    (problem,) = report(tmp_path, DENY, opened("2026-03-01T12:00:09Z")).problems

    assert problem.ongoing is True


def test_one_of_two_connections_that_passes_is_a_note(tmp_path):
    """What mends the other one is still proposed."""
    records = refused() + "".join(record(second, WEB, CACHE, 6379) for second in range(2, 20, 3))
    found = report(tmp_path, DENY, CACHE_POD, opened("2026-03-01T12:00:40Z", app="cache"), records=records)
    (problem,) = found.problems

    assert [one.destination.name for one in problem.connections] == ["db", "cache"]
    assert problem.counterfactual is not None
    assert problem.advice.startswith(
        "If these calls are meant, let shop/web have egress rules to data/db and data/cache"
    )
    assert (
        "shop/web -> data/cache 6379/TCP passes since, as far as the policies tell: NetworkPolicy "
        "shop/allow-web egress[0] (created at 2026-03-01 12:00:40 UTC)." in problem.notes
    )


@pytest.mark.parametrize("others", [[], [policy("shop", "other", CLOSED, created=LONG_AGO)]])
def test_what_is_refused_still_is_not_called_mended(tmp_path, others):
    """A policy that came later and does not let it pass changes nothing."""
    (problem,) = report(tmp_path, DENY, opened("2026-03-01T12:00:40Z", app="elsewhere"), *others).problems

    assert "Mended" not in problem.advice
    assert problem.counterfactual is not None


def test_a_side_that_nobody_knows_of_keeps_no_one_from_saying_what_mended_the_other(tmp_path):
    """Policies of one namespace were brought, and nothing else: what they say of its egress is all that refused."""
    to = [
        {"podSelector": {"matchLabels": {"app": "db"}}, "namespaceSelector": {"matchLabels": {NAME: "data"}}}
    ]
    allow = policy("shop", "allow-web", {**CLOSED, "egress": [{"to": to}]}, created="2026-03-01T12:00:40Z")
    (problem,) = analyze([write(tmp_path, state_json=listed(DENY, allow), flows_jsonl=refused())]).problems

    assert (problem.code, problem.ongoing) == ("FD101", False)
    assert problem.advice.startswith(
        "Mended since: NetworkPolicy shop/allow-web egress[0] (created at 2026-03-01 12:00:40 UTC), as far as egress "
        "is concerned: what the policies say of ingress is not known."
    )


def test_a_part_that_nothing_explains_does_not_hide_what_mended_the_rest(tmp_path):
    """The clock of the node is behind: the first refusals came before the policy was there, and pass by those of now."""
    deny = policy("shop", "default-deny", CLOSED, created="2026-03-01T12:00:10Z")
    (problem,) = report(tmp_path, deny, opened("2026-03-01T12:00:40Z")).problems

    assert problem.code == "FD101"
    assert [note for note in problem.notes if "FD806" in note]
    assert problem.advice.startswith("Mended since: NetworkPolicy shop/allow-web egress[0]")


UNDATED = (
    "Policy verdict log: flow 0x51a2 local EP ID 41, remote ID 1001, proto 6, egress, action deny, auth: disabled, "
    "match none, 10.0.0.5:40000 -> 10.0.1.7:8080 tcp SYN\n"
)


def undated(folder, *objects):
    """The same refusal as `cilium monitor` prints it, without any time."""
    (problem,) = analyze(
        [write(folder, state_json=listed(*OBJECTS[:-1], *objects), monitor_txt=UNDATED)]
    ).problems
    return problem


def test_a_refusal_without_a_time_was_refused_by_the_policies_before(tmp_path):
    """It passes by the policies of now: those before the last of them explain it, and no CNI is doubted."""
    problem = undated(tmp_path, DENY, opened("2026-03-01T12:00:40Z"))

    assert (problem.code, problem.confidence, problem.ongoing) == ("FD101", "likely", None)
    assert [ref.name for ref in problem.isolating] == ["default-deny"]
    assert problem.advice.startswith("Mended since: NetworkPolicy shop/allow-web")
    assert "The records have no time, so the policies may be of another one. (FD804)" in problem.notes


@pytest.mark.parametrize("created", [LONG_AGO, None], ids=["made at once", "of unknown age"])
def test_a_refusal_without_a_time_that_policies_always_allowed_disagrees(tmp_path, created):
    """No policy is known to have come later than another, so nothing but the record speaks of a refusal."""
    allow = opened(created)
    if created is None:
        del allow["metadata"]["creationTimestamp"]
    problem = undated(tmp_path, DENY, allow)

    assert problem.code == "FD806"
    assert problem.title == ("shop/web to data/db on 8080/TCP was refused, which the known policies allow")


def test_labels_that_were_written_since_let_it_pass(tmp_path):
    """The record carries the labels of then; nothing is proposed for a pod that is labelled otherwise by now."""
    policies = [DENY, opened(LONG_AGO, app="store")]
    moved = pod("data", "db-7f6b5c4d6-k8m2n", "10.0.1.7", "db")
    moved["metadata"]["labels"]["app"] = "store"
    moved["metadata"]["managedFields"] = [
        {
            "manager": "kubectl-label",
            "operation": "Update",
            "time": "2026-03-01T12:00:40Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:app": {}}}},
        }
    ]
    objects = [one for one in OBJECTS[:-1] if one["metadata"]["name"] != moved["metadata"]["name"]]
    (problem,) = analyze(
        [write(tmp_path, state_json=listed(*objects, moved, *policies), flows_jsonl=refused())]
    ).problems

    assert problem.counterfactual is None
    assert problem.advice.startswith("Mended since: NetworkPolicy shop/allow-web egress[0].")


def labelled(name, moment):
    """The namespace with a label that was last written then."""
    own = namespace(name)
    own["metadata"]["labels"]["team"] = "web"
    write_of = {"f:metadata": {"f:labels": {"f:team": {}}}}
    own["metadata"]["managedFields"] = [
        {
            "manager": "kubectl-label",
            "operation": "Update",
            "apiVersion": "v1",
            "time": moment,
            "fieldsV1": write_of,
        }
    ]
    return own


def test_a_label_that_was_put_back_is_what_is_looked_at_first(tmp_path):
    """Refused while the namespace had lost the label that a rule asks for; it passes by the labels of now."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    peers = [{"namespaceSelector": {"matchLabels": {"team": "web"}}}]
    allow = policy("data", "allow-web-team", {**spec, "ingress": [{"from": peers}]}, created=LONG_AGO)
    # As a kernel's or OVN's log has them: without the labels that an enforcer went by.
    bare = [
        {key: value for key, value in one["end"].items() if key in ("namespace", "pod_name")}
        for one in (WEB, DB)
    ]
    ends = {"source": bare[0], "destination": bare[1]}
    lines = "".join(
        record(second, way="INGRESS", **ends, **({"verdict": "FORWARDED"} if second >= 120 else {}))
        for second in range(0, 180, 10)
    )
    objects = [labelled("shop", "2026-03-01T12:01:59Z"), *OBJECTS[1:-1], allow]
    found = analyze(
        [write(tmp_path, state_json=listed(*objects), flows_jsonl=lines)],
        state=StateOptions(dialect="kubernetes"),
    )
    (problem,) = found.problems

    assert (problem.code, problem.ongoing, problem.counterfactual) == ("FD806", False, None)
    assert problem.advice.startswith(
        "The labels of namespace shop were written at 2026-03-01 12:01:59 UTC, after these refusals began"
    )
    assert (
        "seen allowed again from about 2026-03-01 12:02:00 UTC; Namespace shop was labelled at 2026-03-01 12:01:59 UTC"
        in problem.notes
    )


def test_a_policy_that_was_written_after_refusals_that_it_lets_pass_says_so(tmp_path):
    """What it was before nobody tells; that the dump does not tell when it changed would be wrong."""
    to = [{"namespaceSelector": {}}]
    allow = policy("shop", "web", {**CLOSED, "egress": [{"to": to}]}, created=LONG_AGO, generation=2)
    allow["metadata"]["managedFields"] = [
        {
            "manager": "argocd",
            "operation": "Apply",
            "time": "2026-03-01T12:01:00Z",
            "fieldsV1": {"f:spec": {}},
        }
    ]
    (problem,) = report(tmp_path, allow).problems

    assert problem.code == "FD806"
    assert problem.advice.startswith(
        "NetworkPolicy shop/web was last written at 2026-03-01 12:01:00 UTC, after these refusals, and lets this pass"
    )
