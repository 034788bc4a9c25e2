"""Objects as they were before a change, from audit logs at the levels that hold them."""

import json
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import CREATED, OBJECTS, at, listed, policy, refused, write

from flowdiag.analysis import analyze

CLOSED = {"podSelector": {}, "policyTypes": ["Egress"]}
OPEN = {**CLOSED, "egress": [{}]}
OTHER_PORT = {**CLOSED, "egress": [{"ports": [{"port": 9090, "protocol": "TCP"}]}]}


def audit(second, verb, resource="networkpolicies", *, name="deny", namespace="shop", user="jane", **bodies):
    """A line of an API server's audit log: what was sent, what was answered."""
    group = {"networkpolicies": "networking.k8s.io"}.get(resource, "")
    ref = {"resource": resource, "namespace": namespace, "name": name, "apiGroup": group, "apiVersion": "v1"}
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse" if "responseObject" in bodies else "Request" if bodies else "Metadata",
        "auditID": f"id-{second}-{verb}",
        "stage": "ResponseComplete",
        "requestURI": "/apis/x",
        "verb": verb,
        "user": {"username": user},
        "objectRef": ref,
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": at(second),
        **bodies,
    }
    return json.dumps(record) + "\n"


def deny(spec, generation=1, **metadata):
    """The policy of the incident."""
    return policy("shop", "deny", spec, created=CREATED, generation=generation, **metadata)


def labelled(team):
    """The Namespace of the destination with a label."""
    labels = {"kubernetes.io/metadata.name": "data", **({"team": team} if team else {})}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "data", "labels": labels, "creationTimestamp": CREATED},
        "spec": {"finalizers": ["kubernetes"]},
    }


def blocked(seconds=range(1, 8, 2)):
    """The refusals as a source tells them that knows no labels."""
    return "".join(
        f"WARN: 2026/03/01 12:00:{second:02d}.100000 TCP connection from 10.0.0.5:{40000 + second} to "
        "10.0.1.7:8080 blocked by Weave NPC.\n"
        for second in seconds
    )


def report(folder, *objects, log, namespace=OBJECTS[1], records=None):
    """The small incident (refused from 12:00:01 to 12:00:19) with other policies and an audit log."""
    pods = (OBJECTS[0], namespace, *OBJECTS[2:4])
    folder = write(
        folder,
        state_json=listed(*pods, *objects),
        flows_log=refused() if records is None else records,
        audit_log=log,
    )
    return analyze([folder])


def test_a_policy_that_was_deleted_since_explains_the_refusals_of_its_time(tmp_path):
    """The dump has no policy any more; the record of its deletion holds it whole."""
    found = report(tmp_path, log=audit(25, "delete", responseObject=deny(CLOSED)))
    (problem,) = found.problems

    assert (problem.code, problem.confidence) == ("FD101", "derived")
    assert [ref.name for ref in problem.isolating] == ["deny"]
    assert (problem.ongoing, problem.counterfactual) == (False, None)
    assert problem.advice.startswith(
        "Mended since: no policy isolates shop/web for egress any more (NetworkPolicy shop/deny was deleted at "
        "2026-03-01 12:00:25 UTC)."
    )
    texts = [change.text for change in found.changes]
    assert (
        'NetworkPolicy shop/deny deleted by jane: it was {"podSelector":{},"policyTypes":["Egress"]}' in texts
    )


def test_a_spec_that_was_mended_since_explains_the_refusals_before(tmp_path):
    """Both versions are known: the old one refuses, the present one is not asked; the report shows both."""
    old, new = deny(CLOSED), deny(OPEN, generation=2)
    log = audit(-3600, "create", responseObject=old) + audit(25, "patch", responseObject=new)
    found = report(tmp_path, new, log=log)
    (problem,) = found.problems

    assert (problem.code, problem.confidence) == ("FD101", "derived")
    assert [ref.name for ref in problem.isolating] == ["deny"]
    assert problem.advice.startswith("Mended since: NetworkPolicy shop/deny egress[0]")
    assert problem.counterfactual is None
    assert [change.what for change in problem.changes] == ["egress: absent -> [{}]"]
    assert "NetworkPolicy shop/deny updated by jane: egress: absent -> [{}]" in [
        c.text for c in found.changes
    ]


def test_a_change_is_made_to_the_policy_as_it_is_now(tmp_path):
    """It had no rules when it refused, and has one since that is of no use either."""
    rule = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}}],
        "ports": [{"port": 9090, "protocol": "TCP"}],
    }
    old, new = deny(CLOSED), deny({**CLOSED, "egress": [rule]}, generation=2)
    log = audit(-3600, "create", responseObject=old) + audit(25, "patch", responseObject=new)
    (problem,) = report(tmp_path, new, log=log).problems
    (manifest,) = problem.counterfactual.manifests

    assert problem.counterfactual.summary == "Allow 8080/TCP in NetworkPolicy shop/deny egress[0]."
    assert problem.counterfactual.proved
    assert yaml.safe_load(manifest)["spec"]["egress"] == [
        {**rule, "ports": [*rule["ports"], {"protocol": "TCP", "port": 8080}]}
    ]


def test_request_level_patches_are_applied_to_what_was_known(tmp_path):
    """At level Request a patch alone is logged: on the object of before it gives the one of after."""
    log = audit(-3600, "update", requestObject=deny(OTHER_PORT)) + audit(
        -2,
        "patch",
        requestObject={"spec": {"egress": [{"ports": [{"port": 9091, "protocol": "TCP"}]}]}},
    )
    spec = {**CLOSED, "egress": [{"ports": [{"port": 9091, "protocol": "TCP"}]}]}
    found = report(tmp_path, deny(spec, generation=3), log=log)
    (problem,) = found.problems

    change = "egress[0].ports[0].port: 9090 -> 9091"
    assert f"NetworkPolicy shop/deny updated by jane: {change}" in [c.text for c in found.changes]
    assert f"just before the refusals began ({change})." in problem.summary
    assert problem.confidence == "derived"


def test_kubectl_apply_at_request_level_holds_the_whole_object(tmp_path):
    """The patch that kubectl sends has the applied object in an annotation."""

    def apply(second, spec):
        applied = json.dumps({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec})
        annotations = {"kubectl.kubernetes.io/last-applied-configuration": applied}
        return audit(
            second,
            "patch",
            requestObject={"metadata": {"annotations": annotations}, "spec": {"egress": None}},
        )

    log = apply(-3600, OPEN) + apply(-1, CLOSED)
    found = report(tmp_path, deny(CLOSED, generation=5), log=log)
    (problem,) = found.problems

    assert problem.code == "FD101"
    assert "(egress: [{}] -> absent)" in problem.summary


def test_metadata_level_knows_when_and_who_and_no_more(tmp_path):
    """Nothing is made up: no old and no new, and the replay of the time before is likely at best."""
    found = report(tmp_path, deny(CLOSED, generation=2), log=audit(25, "patch"))
    (problem,) = found.problems

    assert "NetworkPolicy shop/deny updated by jane" in [c.text for c in found.changes]
    assert (problem.code, problem.confidence) == ("FD101", "likely")


def test_old_labels_of_a_namespace_decide_for_their_time(tmp_path):
    """The namespace has the right label now; it had not when the refusals came."""
    selector = {"namespaceSelector": {"matchLabels": {"team": "db"}}}
    needs = deny({**CLOSED, "egress": [{"to": [selector]}]})
    log = audit(
        -3600, "update", "namespaces", name="data", namespace="data", responseObject=labelled("dba")
    ) + audit(25, "update", "namespaces", name="data", namespace="data", responseObject=labelled("db"))
    found = report(tmp_path, needs, log=log, namespace=labelled("db"), records=blocked())
    (problem,) = found.problems

    assert problem.code == "FD202"
    ((miss,),) = [rule.misses for rule in problem.nearest]
    assert (miss.condition, miss.wanted, miss.found) == ("namespace", "team=db", "team=dba")
    assert 'Namespace data updated by jane: labels["team"]: "dba" -> "db"' in [c.text for c in found.changes]


@pytest.mark.parametrize("last", [28, 50])
def test_refusals_before_and_after_a_change_of_labels_are_told_apart(tmp_path, last):
    """An agent that lags behind, or one more refusal later, makes those before no refusals of what is allowed."""
    selector = {"namespaceSelector": {"matchLabels": {"team": "db"}}}
    needs = deny({**CLOSED, "egress": [{"to": [selector]}]})
    log = audit(
        -3600, "update", "namespaces", name="data", namespace="data", responseObject=labelled("dba")
    ) + audit(25, "update", "namespaces", name="data", namespace="data", responseObject=labelled("db"))
    records = blocked([*range(1, 24), last])
    (problem,) = report(tmp_path, needs, log=log, namespace=labelled("db"), records=records).problems

    assert (problem.code, problem.count) == ("FD202", 24)
    assert any("(FD806)" in note for note in problem.notes) is (last == 50)


def test_refusals_follow_the_policies_of_their_labels(tmp_path):
    """One policy isolated the pod before its label was changed, and another does since."""
    before, after = ({**OBJECTS[2]["metadata"]["labels"], "tier": tier} for tier in ("old", "new"))
    pods = [
        {**OBJECTS[2], "metadata": {**OBJECTS[2]["metadata"], "labels": each}} for each in (before, after)
    ]
    old, new = (
        policy("shop", tier, {**CLOSED, "podSelector": {"matchLabels": {"tier": tier}}}, created=CREATED)
        for tier in ("old", "new")
    )
    web = OBJECTS[2]["metadata"]["name"]
    log = audit(-60, "update", "pods", name=web, responseObject=pods[0])
    log += audit(25, "patch", "pods", name=web, responseObject=pods[1])
    folder = write(
        tmp_path,
        state_json=listed(*OBJECTS[:2], pods[1], OBJECTS[3], old, new),
        flows_log=blocked([*range(1, 24), *range(41, 60)]),
        audit_log=log,
    )
    (problem,) = analyze([folder]).problems
    (otherwise,) = problem.otherwise

    assert ([ref.name for ref in problem.isolating], problem.count) == (["new"], 42)
    assert ([ref.name for ref in otherwise.policies], otherwise.count) == (["old"], 23)


def test_label_patches_at_request_level(tmp_path):
    """``kubectl label`` sends a patch of one label: old and new are told where the object was seen before."""
    log = audit(-3600, "update", "namespaces", name="data", namespace="data", requestObject=labelled("dba"))
    log += audit(
        25,
        "patch",
        "namespaces",
        name="data",
        namespace="data",
        requestObject={"metadata": {"labels": {"team": "db"}}},
    )
    found = report(tmp_path, deny(CLOSED), log=log, namespace=labelled("db"))

    assert 'Namespace data updated by jane: labels["team"]: "dba" -> "db"' in [c.text for c in found.changes]


def test_a_patch_tells_what_it_sets_where_the_object_before_it_is_not_known(tmp_path):
    """``kubectl label ns data team-``: what the label was nobody knows, that it is gone the patch says."""
    taken = {"metadata": {"labels": {"team": None, "tier": "back"}}}
    names = {"name": "data", "namespace": "data"}
    log = audit(-1, "patch", "namespaces", **names, requestObject=taken, responseObject=labelled("db"))
    found = report(tmp_path, deny(CLOSED), log=log, namespace=labelled("db"))

    assert 'Namespace data updated by jane: labels["team"] removed; labels["tier"] set to "back"' in [
        c.text for c in found.changes
    ]


def test_without_objects_any_policy_of_the_place_may_have_closed_it(tmp_path):
    """Nobody knows what isolates the ends, so what changed beside them is told, and no more is claimed."""
    changed = audit(-5, "update", requestObject=deny(CLOSED)) + audit(-4, "create", namespace="other")
    folder = write(tmp_path, flows_log=refused(), audit_log=changed)
    (problem,) = analyze([folder]).problems

    assert (problem.isolating, problem.confidence) == ((), "possible")
    assert [(c.object.namespace, c.object.name, c.kind) for c in problem.changes] == [
        ("shop", "deny", "updated")
    ]


def test_a_label_that_was_taken_away_is_put_back(tmp_path):
    """The rule meant the namespace by it; to name the namespace there would leave the label missing for others."""
    selector = {"namespaceSelector": {"matchLabels": {"team": "db"}}}
    needs = deny({**CLOSED, "egress": [{"to": [selector]}]})
    spaces = {"name": "data", "namespace": "data"}
    log = audit(-3600, "update", "namespaces", **spaces, responseObject=labelled("db")) + audit(
        -2, "update", "namespaces", **spaces, responseObject=labelled(None)
    )
    found = report(tmp_path, needs, log=log, namespace=labelled(None), records=blocked())
    (problem,) = found.problems

    assert problem.code == "FD202"
    assert problem.counterfactual.summary == (
        "Label namespace data with team=db, which NetworkPolicy shop/deny egress[0].to[0] selects."
    )
    assert problem.counterfactual.proved


def test_the_deletion_of_what_let_it_pass_stands_beside_the_problem(tmp_path):
    """It is none of the policies that refuse; one that went in the other end's namespace refused nothing."""
    gone = policy("shop", "allow-db", OPEN, created=CREATED)
    other = policy("data", "allow-web", OPEN, created=CREATED)
    log = audit(-1, "delete", name="allow-db", responseObject=gone)
    log += audit(-2, "delete", name="allow-web", namespace="data", responseObject=other)
    (problem,) = report(tmp_path, deny(CLOSED), log=log).problems

    assert [(one.kind, one.object.name, one.delta_s) for one in problem.changes] == [
        ("deleted", "allow-db", -2.0)
    ]
