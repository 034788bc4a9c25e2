"""Older versions of objects put beside the dumped ones, from logs of changes with bodies."""

import json

import pytest

from flowdiag.cluster import build_snapshot, cluster_changes, merge_changes, with_past
from flowdiag.cluster.differences import difference_text
from flowdiag.model.event import ChangeEvent, ObjectRef
from flowdiag.model.time import NS
from flowdiag.policy.label_times import labels_at

CREATED = "2026-03-01T10:00:00Z"
T0 = 1_772_359_200 * NS


def body(spec, generation=1, created=CREATED, **metadata):
    meta = {"name": "guard", "namespace": "shop", "generation": generation, **metadata}
    if created:
        meta["creationTimestamp"] = created
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta,
        "spec": spec,
    }


def event(second, change, before=None, after=None, ref=None):
    ref = ref or ObjectRef("NetworkPolicy", "networking.k8s.io", "shop", "guard")
    return (
        "audit.log",
        ChangeEvent(line=1, at=T0 + second * NS, object=ref, change=change, before=before, after=after),
    )


def dumped(*objects, taken=None):
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}).encode()
    snapshot, _ = build_snapshot([("state.json", document)], taken)
    return snapshot


def versions(snapshot):
    """(spec's mark, since, valid_from, until) of each version, in seconds after the creation."""

    def seconds(at):
        return None if at is None else (at - T0) // NS

    return [
        (one.spec.get("mark"), seconds(one.since), seconds(one.valid_from), seconds(one.valid_until))
        for one in snapshot.policies
    ]


A, B, C = {"mark": "a"}, {"mark": "b"}, {"mark": "c"}


@pytest.mark.parametrize(
    ("objects", "events", "expected"),
    [
        # made, changed twice, dumped: three spans without a hole
        (
            [body(C, 3)],
            [event(0, "created", after=body(A)), event(60, "updated", after=body(B, 2)), event(90, "updated", after=body(C, 3))],
            [("a", 0, 0, 60), ("b", 60, 60, 90), ("c", 90, 90, None)],
        ),
        # the old object of the first change is known since it was made, by its generation
        (
            [body(B, 2)],
            [event(60, "updated", before=body(A), after=body(B, 2))],
            [("a", None, 0, 60), ("b", 60, 60, None)],
        ),
        # deleted: nothing of now
        ([], [event(60, "deleted", before=body(A))], [("a", None, 0, 60)]),
        # deleted, and made anew under the same name
        (
            [body(B, 1, "2026-03-01T10:02:00Z")],
            [event(60, "deleted", before=body(A)), event(120, "created", after=body(B, 1, "2026-03-01T10:02:00Z"))],
            [("a", None, 0, 60), ("b", 120, 120, None)],
        ),
        # a change of unknown content between two known ones: the later stands for it, certain from its own time on
        (
            [body(C, 4)],
            [event(0, "created", after=body(A)), event(30, "updated"), event(90, "updated", after=body(C, 4))],
            [("a", 0, 0, 30), ("c", 30, 90, None)],
        ),
        # an agent that starts meets old objects as new ones: nothing is known of before
        ([body(A)], [event(500, "created", after=body(A))], [("a", None, 0, None)]),
        # records without bodies change nothing
        ([body(A)], [event(60, "updated")], [("a", None, 0, None)]),
    ],
    ids=["three", "before", "deleted", "anew", "hole", "agent-start", "no-bodies"],
)  # fmt: skip
def test_versions_and_their_spans(objects, events, expected):
    """Each version holds exactly between the changes around it."""
    assert versions(with_past(dumped(*objects), events)) == expected


def test_a_dump_from_before_the_changes_is_an_older_version():
    """The dump's time, or its content, says in which span the dumped object stands."""
    events = [event(0, "created", after=body(A)), event(60, "updated", after=body(B, 2))]
    expected = [("a", 0, 0, 60), ("b", 60, 60, None)]

    assert versions(with_past(dumped(body(A), taken=T0 + 30 * NS), events)) == expected
    assert versions(with_past(dumped(body(A)), events)) == expected


def test_a_policy_that_was_dumped_and_then_deleted_ends_there():
    """It is in the dump, and its deletion in the log."""
    assert versions(with_past(dumped(body(A)), [event(60, "deleted", before=body(A))])) == [
        ("a", None, 0, 60)
    ]


def test_changes_of_older_versions_are_told_once():
    """The log's own records tell them; the dumped object's stamps tell the rest."""
    events = [event(0, "created", after=body(A)), event(60, "updated", before=body(A), after=body(B, 2))]
    snapshot = with_past(dumped(body(B, 2)), events)
    changes = merge_changes(cluster_changes(snapshot), events)

    assert [(change.kind, (change.at - T0) // NS) for change in changes if change.object.name == "guard"] == [
        ("created", 0),
        ("updated", 60),
    ]
    assert changes[-1].what == 'mark: "a" -> "b"'


def namespace(labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}


def test_labels_of_a_namespace_in_time():
    """The labels of each span; before the first record nothing is known, and the oldest known ones stand."""
    ref = ObjectRef("Namespace", "", None, "shop")
    events = [
        event(60, "updated", after=namespace({"team": "b"}), ref=ref),
        event(90, "updated", after=namespace({"team": "c"}), ref=ref),
    ]
    shop = with_past(dumped(namespace({"team": "c"})), events).namespaces["shop"]

    def team(second):
        return labels_at(shop.labels, shop.labels_before, T0 + second * NS)["team"]

    assert [team(second) for second in (0, 60, 89, 90, 500)] == ["b", "b", "b", "c", "c"]


def test_a_pod_of_the_same_name_before_is_another():
    """A StatefulSet's pod that was replaced keeps its name, and its labels are nobody's now."""
    ref = ObjectRef("Pod", "", "shop", "web-0")

    def pod(uid, app):
        meta = {"name": "web-0", "namespace": "shop", "uid": uid, "labels": {"app": app}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}, "status": {}}

    events = [
        event(10, "updated", before=pod("old", "x"), after=pod("old", "y"), ref=ref),
        event(60, "updated", before=pod("new", "a"), after=pod("new", "b"), ref=ref),
    ]
    (found,) = with_past(dumped(pod("new", "b")), events).pods

    assert [change.labels for change in found.labels_before] == [{"app": "a"}]


@pytest.mark.parametrize(
    ("kind", "before", "after", "expected"),
    [
        ("NetworkPolicy", {"spec": {"a": [{"port": 80}]}}, {"spec": {"a": [{"port": 81}]}}, "a[0].port: 80 -> 81"),
        ("NetworkPolicy", {"spec": {"a": 1}}, {"spec": {"a": 1}}, None),
        ("NetworkPolicy", None, {"spec": {"a": 1}}, None),
        ("NetworkPolicy", {"spec": {"a": 1}}, None, 'it was {"a":1}'),
        ("Namespace", {"metadata": {"labels": {"t.x": "a"}}}, {"metadata": {}}, 'labels["t.x"]: "a" -> absent'),
        (
            "Deployment",
            {"spec": {"replicas": 1, "template": {"metadata": {"labels": {"v": "1"}}}}},
            {"spec": {"replicas": 2, "template": {"metadata": {"labels": {"v": "2"}}}}},
            'labels["v"]: "1" -> "2"',
        ),
        (
            "NetworkPolicy",
            {"spec": {}},
            {"spec": dict.fromkeys("abcde", 1)},
            "a: absent -> 1; b: absent -> 1; c: absent -> 1 and 2 more",
        ),
    ],
    ids=["path", "same", "unknown-before", "deleted", "labels", "template", "many"],
)  # fmt: skip
def test_differences_in_words(kind, before, after, expected):
    """Old and new by path, few of them; only what decides who may talk to whom."""
    assert difference_text(kind, before, after) == expected


def test_long_values_are_cut_outside_of_quotes():
    """What stands in quotes is redacted by its quotes: a cut never leaves one open."""
    text = difference_text("NetworkPolicy", {"spec": {"a": ["name" * 9] * 9}}, None)

    assert text.endswith("...")
    assert text.count('"') % 2 == 0


def _sysdump(moment, *policies, namespaces=("shop",)):
    """The files of a Cilium sysdump: a list of policies, perhaps empty, and the namespaces."""
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces]
    lists = {
        "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicyList", policies),
        "namespaces": ("v1", "NamespaceList", spaces),
    }
    return [
        (
            f"cilium-sysdump-{moment}/k8s-{name}-{moment}.yaml",
            json.dumps({"apiVersion": api, "kind": kind, "items": list(items)}).encode(),
        )
        for name, (api, kind, items) in lists.items()
    ]


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_policy_that_a_newer_dump_lacks_held_until_then(newest_first):
    """It refused what was refused before, and nothing since; that it is gone is said."""
    dumps = [_sysdump("20260301-103000", body(A)), _sysdump("20260301-110000")]
    files = [file for dump in (dumps[::-1] if newest_first else dumps) for file in dump]
    snapshot, problems = build_snapshot(files)

    assert versions(snapshot) == [("a", None, 0, 3600)]
    (said,) = (one.message for one in problems if one.code == "policy-gone")
    assert said == (
        "NetworkPolicy shop/guard was there at 2026-03-01 10:30:00 UTC and is not in the objects of "
        "2026-03-01 11:00:00 UTC: it was deleted between"
    )


@pytest.mark.parametrize(
    "newer",
    [
        _sysdump("20260301-110000", body(A)),
        _sysdump("20260301-110000", namespaces=("data",)),
        _sysdump("20260301-110000")[1:],
        [
            (
                "later.json",
                json.dumps(
                    {"kind": "NetworkPolicyList", "apiVersion": "networking.k8s.io/v1", "items": []}
                ).encode(),
            )
        ],
    ],
    ids=["still-there", "another-namespace", "no-policies-read", "no-time"],
)
def test_a_policy_that_may_be_there_still_has_no_end(newer):
    """Where the newer dump holds it, or holds nothing of its namespace or kind, or nobody knows that it is newer."""
    snapshot, problems = build_snapshot([*_sysdump("20260301-103000", body(A)), *newer])

    assert [one.valid_until for one in snapshot.policies] == [None]
    assert "policy-gone" not in {one.code for one in problems}
