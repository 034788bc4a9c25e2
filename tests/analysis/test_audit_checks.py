"""What an audit finds besides refusals: policies that select nothing, open workloads, unused rules."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DB, WEB, namespace, pod, policy, record, world
from test_rule_use import state

from flowdiag.analysis import EvidenceOptions, Selection, StateOptions, examine
from flowdiag.analysis.audit import audit
from flowdiag.analysis.concerns import check_problems, unused_rule_problems
from flowdiag.diagnose.check import broken_checks, checks
from flowdiag.diagnose.check import look as asked
from flowdiag.diagnose.rule import SECTIONS, sections
from flowdiag.history import History

ALL = {"podSelector": {}, "policyTypes": ["Ingress"]}


def selecting(app, **more):
    return {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress"], **more}


PODS = [
    namespace("shop"),
    namespace("data"),
    pod("shop", WEB["end"]["pod_name"], WEB["ip"], "web"),
    pod("data", DB["end"]["pod_name"], DB["ip"], "db"),
]
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "batch", "namespace": "shop"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "batch"}},
        "template": {"metadata": {"labels": {"app": "batch"}}, "spec": {"containers": [{"name": "c"}]}},
    },
}


def _object(api, kind, name, spec, **metadata):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


@pytest.fixture
def found(tmp_path):
    """Problems of the checks over objects and records, and the whole examination."""

    def look(objects, lines=(), dialect="auto", **options):
        everything = {"apiVersion": "v1", "kind": "List", "items": objects}
        (tmp_path / "state.json").write_text(json.dumps(everything))
        (tmp_path / "flows.jsonl").write_text("".join(lines) or record(1, verdict="FORWARDED"))
        state = StateOptions(paths=(str(tmp_path / "state.json"),), dialect=dialect)
        examined = examine([str(tmp_path / "flows.jsonl")], state=state, **options)
        return list(check_problems(asked(examined.scene))) if examined.scene else None, examined

    return look


class TestSelectsNothing:
    def test_a_selector_that_no_pod_meets(self, found):
        """Its labels were renamed: it protects nobody, and its name says which."""
        problems, _ = found(
            [*PODS, policy("shop", "old", selecting("webb")), policy("shop", "new", selecting("web"))]
        )

        (problem,) = problems
        assert (problem.code, problem.title) == ("FD901", "NetworkPolicy shop/old selects no pod")
        assert (problem.count, problem.connections, problem.verdict) == (0, (), "unknown")
        assert (problem.destination.namespace, problem.destination.name) == ("shop", "old")

    def test_a_namespace_without_pods_where_all_pods_were_read(self, found):
        """What was left behind when the application went."""
        problems, _ = found([*PODS, namespace("gone"), policy("gone", "old", selecting("web"))])

        assert [p.title for p in problems] == ["NetworkPolicy gone/old selects no pod"]

    @pytest.mark.parametrize(
        ("why", "objects"),
        [
            (
                "it takes every pod, and waits for the first",
                [*PODS, namespace("fresh"), policy("fresh", "deny", ALL)],
            ),
            (
                "a workload is scaled to zero",
                [*PODS, DEPLOYMENT, policy("shop", "batch", selecting("batch"))],
            ),
            (
                "its namespace's pods were not read",
                [*PODS[:1], PODS[2], policy("data", "db", selecting("dbb"))],
            ),
        ],
    )
    def test_silent(self, found, why, objects):
        """Where the selector may yet be met, or nobody knows."""
        problems, _ = found(objects)

        assert problems == [], why

    @pytest.mark.parametrize("word", ["ingress", "health", "init"])
    def test_endpoints_of_ciliums_own_are_no_pods(self, found, word):
        """A policy for its Ingress proxy selects something, though no pod."""
        exists = {"matchExpressions": [{"key": f"reserved:{word}", "operator": "Exists"}]}
        own, old = (
            _object(
                "cilium.io/v2",
                "CiliumClusterwideNetworkPolicy",
                name,
                {"endpointSelector": selector, "ingress": [{"fromEntities": ["world"]}]},
            )
            for name, selector in (("own", exists), ("old", {"matchLabels": {"app": "webb"}}))
        )
        problems, _ = found([*PODS, own, old])

        assert [p.title for p in problems] == ["CiliumClusterwideNetworkPolicy old selects no pod"]

    @pytest.mark.parametrize(
        ("role", "spaces", "told"),
        [
            ("worker", None, False),
            ("workers", None, True),
            ("worker", "all()", True),
            (None, None, False),
            (None, "all()", True),
        ],
    )
    def test_host_endpoints_are_no_pods(self, found, role, spaces, told):
        """A global policy may be for these, and where they were not read nobody knows; `role` is what it asks for."""
        api = "projectcalico.org/v3"
        spec = {"selector": f"role == '{role or 'worker'}'", "types": ["Ingress"]}
        spec |= {"namespaceSelector": spaces} if spaces else {}
        host = _object(api, "HostEndpoint", "node-a-eth0", {"node": "node-a"}, labels={"role": "worker"})
        objects = [*PODS, _object(api, "GlobalNetworkPolicy", "hosts", spec), *([host] if role else [])]
        problems, _ = found(objects, dialect="calico")

        assert [p.title for p in problems] == (["GlobalNetworkPolicy hosts selects no pod"] if told else [])

    @pytest.mark.parametrize(("accounts", "told"), [([], False), (["default"], True)])
    def test_a_selector_that_cannot_be_decided_may_select(self, found, accounts, told):
        """Labels of service accounts that were not read may be those that it asks for."""
        spec = {"selector": "app == 'db'", "serviceAccountSelector": "team == 'a'", "types": ["Ingress"]}
        asked_for = _object("projectcalico.org/v3", "NetworkPolicy", "team", spec, namespace="data")
        read = [_object("v1", "ServiceAccount", name, {}, namespace="data") for name in accounts]
        problems, _ = found([*PODS, *read, asked_for], dialect="calico")

        assert [p.title for p in problems] == (["NetworkPolicy data/team selects no pod"] if told else [])

    def test_without_workloads_it_says_what_it_cannot_know(self, found):
        """A workload without pods would not be seen where only pods were read."""
        (alone,), _ = found([*PODS, policy("shop", "old", selecting("x"))])
        (beside,), _ = found([*PODS, DEPLOYMENT, policy("shop", "old", selecting("x"))])

        assert alone.notes
        assert not beside.notes
        assert alone.fingerprint == beside.fingerprint


def incoming(second=1, src=None, **more):
    return record(second, src or world(), WEB, verdict="FORWARDED", way="INGRESS", **more)


OTHER = policy("data", "db", selecting("db"))


class TestOpenToOutside:
    def test_a_workload_that_nothing_isolates(self, found):
        """Calls from outside arrived, and no policy selects it: one problem for the workload."""
        lines = [incoming(1), incoming(2, world("198.51.100.7"), source_port=40001), incoming(3, port=8443)]
        (problem,), _ = found([*PODS, OTHER], lines)

        assert problem.code == "FD902"
        assert problem.title == "shop/web takes calls from outside and no policy isolates it"
        assert problem.notes == ("3 allowed records from 198.51.100.7, 203.0.113.9 on 8080/TCP, 8443/TCP",)
        assert (problem.verdict, problem.count, problem.connections) == ("allowed", 0, ())
        assert (problem.first, problem.last) == (
            "2026-03-01T12:00:01.000000000Z",
            "2026-03-01T12:00:03.000000000Z",
        )

    def test_its_fingerprint_is_the_workloads(self, found):
        """Another caller, port and time are the same problem."""
        (one,), _ = found([*PODS, OTHER], [incoming(1)])
        (other,), _ = found([*PODS, OTHER], [incoming(500, world("198.51.100.7"), port=9090)])

        assert one.fingerprint == other.fingerprint

    @pytest.mark.parametrize(
        ("why", "objects", "lines"),
        [
            (
                "a policy isolates it",
                [*PODS, policy("shop", "web", selecting("web", ingress=[{}]))],
                [incoming()],
            ),
            ("no policies were read", PODS, [incoming()]),
            ("the caller is a pod", [*PODS, OTHER], [incoming(src=DB)]),
            (
                "a private address may be a node's",
                [*PODS, OTHER],
                [incoming(src={"ip": "192.168.7.9", "end": {"labels": []}})],
            ),
            ("it only left its source", [*PODS, OTHER], [record(1, WEB, world(), verdict="FORWARDED")]),
            ("it was refused", [*PODS, OTHER], [record(1, world(), WEB, way="INGRESS")]),
        ],
    )
    def test_silent(self, found, why, objects, lines):
        """Where it is isolated, where nobody can know, and where nothing came in."""
        problems, _ = found(objects, lines)

        assert not [p for p in problems or [] if p.code == "FD902"], why

    def test_a_private_address_that_the_record_calls_world_counts(self, found):
        """The CNI itself says that it is outside."""
        problems, _ = found([*PODS, OTHER], [incoming(src=world("10.99.0.4"))])

        assert [p.code for p in problems] == ["FD902"]

    def test_it_is_silent_where_allowed_traffic_was_not_read(self, found):
        """--only denied leaves it unread; policies that select nothing are told all the same."""
        problems, _ = found(
            [*PODS, policy("shop", "old", selecting("x"))],
            [incoming()],
            evidence=EvidenceOptions(only_denied=True),
        )

        assert [p.code for p in problems] == ["FD901"]


def test_checks_look_at_the_namespaces_that_were_asked_for(found):
    """-n narrows them as it narrows the traffic."""
    objects = [*PODS, policy("shop", "old", selecting("x")), policy("data", "old", selecting("x"))]
    problems, _ = found(objects, selection=Selection(namespaces=("data",)))

    assert [p.title for p in problems] == ["NetworkPolicy data/old selects no pod"]


def test_unused_rules_are_one_problem_for_a_policy(found):
    """Where each of its pods was seen; with what the evidence covers beside it."""
    spec = selecting(
        "db", ingress=[{"ports": [{"port": 8080}]}, {"ports": [{"port": 9100}]}, {"ports": [{"port": 9200}]}]
    )
    written = policy("data", "db", spec, created="2026-03-01T10:00:00Z")
    lines = [record(s, verdict="FORWARDED", way="INGRESS") for s in (1, 2)]
    _, examined = found([*PODS, written], lines)

    (problem,) = unused_rule_problems(examined.rule_use)

    assert (problem.code, problem.severity) == ("FD903", "info")
    assert problem.title == "Nothing observed used ingress[1], ingress[2] of NetworkPolicy data/db"
    assert problem.notes[0].startswith("1 distinct connection looked at")


def test_unused_rules_of_pods_that_nobody_saw_are_not_told(found):
    """Their silence says nothing."""
    written = policy("data", "db", selecting("db", ingress=[{"ports": [{"port": 9100}]}]))
    more = pod("data", "db-7f6b5c4d6-zzzzz", "10.0.1.8", "db")
    _, examined = found([*PODS, more, written], [record(1, verdict="FORWARDED", way="INGRESS")])

    assert examined.rule_use.unused
    assert list(unused_rule_problems(examined.rule_use)) == []


def test_unused_rules_of_pods_on_a_node_without_a_record_are_not_told(found):
    """The caller's node shows that the pod was called; who else called it, its own node would have recorded."""
    written = policy("data", "db", selecting("db", ingress=[{"ports": [{"port": 9100}]}]))
    elsewhere = [one | {"spec": one["spec"] | {"nodeName": "node-b"}} for one in PODS if one["kind"] == "Pod"]
    told = []
    for objects in ([*PODS, written], [*PODS, elsewhere[1], written], [*PODS, *elsewhere, written]):
        _, examined = found(objects, [record(1, verdict="FORWARDED")])
        told.append([problem.code for problem in unused_rule_problems(examined.rule_use)])

    # Of the last ones nobody runs on the node that the record names: it may be another word for theirs.
    assert told == [["FD903"], [], ["FD903"]]


def test_every_check_is_documented_and_loads():
    """flowdiag codes has the same four sections of it as of a diagnosis."""
    assert broken_checks() == ()
    assert [check.code for check in checks()] == ["FD203", "FD901", "FD902", "FD903", "FD904", "FD905"]
    for check in checks():
        documented = sections(type(check))
        assert documented[""], check.code
        assert all(documented.get(section) for section in SECTIONS), check.code


def test_an_audit_keeps_book_of_enforcement_gaps(tmp_path):
    """What passed against the policies (FD810) is new, known and gone as refusals are."""
    everything = state([("data", "lock", ALL)])
    everything["items"][-1]["metadata"] |= {"creationTimestamp": "2026-02-01T00:00:00Z", "generation": 1}
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "state.json").write_text(json.dumps(everything))
    for kind in ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"):
        empty = {"apiVersion": "cilium.io/v2", "kind": f"{kind}List", "items": []}
        (folder / f"{kind}.json").write_text(json.dumps(empty))
    told = []
    for verdict in ("FORWARDED", "FORWARDED", "DROPPED"):
        (folder / "flows.jsonl").write_text(record(1, verdict=verdict, way="INGRESS"))
        with History(tmp_path / "history.db") as history:
            report = audit([str(folder)], history).report
        told.append([(p.code, str(p.status)) for p in report.problems])

    assert told == [
        [("FD810", "new")],
        [("FD810", "known")],
        [("FD101", "new"), ("FD810", "gone")],
    ]


OPS = [{**namespace("ops"), "metadata": {"name": "ops", "labels": {"team": "ops"}}}, *PODS]


@pytest.mark.parametrize(
    ("peers", "own", "told"),
    [
        ([{"namespaceSelector": {"matchLabels": {"team": "ops"}}}, {"podSelector": {"matchLabels": {"app": "backup"}}}], "db", True),
        ([{"podSelector": {"matchLabels": {"app": "backup"}}}, {"namespaceSelector": {"matchLabels": {"team": "ops"}}}], "db", True),
        # The second item takes a pod of its own: both are meant.
        ([{"namespaceSelector": {"matchLabels": {"team": "ops"}}}, {"podSelector": {"matchLabels": {"app": "backup"}}}], "backup", False),
        # One item is an AND.
        ([{"namespaceSelector": {"matchLabels": {"team": "ops"}}, "podSelector": {"matchLabels": {"app": "backup"}}}], "db", False),
        # Nobody there has the labels, so that the two would not go together.
        ([{"namespaceSelector": {"matchLabels": {"team": "ops"}}}, {"podSelector": {"matchLabels": {"app": "none"}}}], "db", False),
        ([{"namespaceSelector": {}}, {"podSelector": {"matchLabels": {"app": "backup"}}}], "db", False),
    ],
)  # fmt: skip
def test_two_list_items_where_one_was_meant(found, peers, own, told):
    """Everybody of those namespaces is let in, which no refusal ever shows."""
    objects = [
        *OPS,
        pod("ops", "backup-7f6b5c4d6-k8m2n", "10.0.4.2", "backup"),
        pod("ops", "prober-7f6b5c4d6-k8m2n", "10.0.4.3", "prober"),
        pod("data", "x-7f6b5c4d6-zzzzz", "10.0.1.9", own),
        policy("data", "db", selecting("db", ingress=[{"from": peers}])),
    ]
    problems, _ = found(objects)
    codes = [problem.code for problem in problems]

    assert ("FD203" in codes) is told
    if told:
        (problem,) = (one for one in problems if one.code == "FD203")
        assert "every pod of namespaces team=ops (2 pods)" in problem.summary
        assert problem.slug == "split-list-item"
