"""Audits of a running cluster: collected, analysed, and held against the runs before."""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.apiserver.cluster import pod, small
from tests.apiserver.kinds import CILIUM, CORE
from tests.apiserver.rbac import Rules
from tests.apiserver.server import Fault
from tests.live.clusters import flowdiag, server
from tests.live.test_collect import AGENT, FLOW, LINE, MESSAGE, settings_of

PASSED = (
    json.dumps(
        {
            "flow": {
                **FLOW,
                "verdict": "FORWARDED",
                "drop_reason_desc": None,
                "IP": {"source": "10.42.0.20", "destination": "10.42.0.10", "ipVersion": "IPv4"},
                "source": FLOW["destination"],
                "destination": FLOW["source"],
            }
        }
    ).encode()
    + b"\n"
)
"""A quiet day: the agents have something to tell, and nothing of it was refused."""


@pytest.fixture
def cluster():
    """Cilium, whose agents have three refused packets to tell."""
    with server(small(), kinds=(*CORE, *CILIUM)) as one:
        one.lines = LINE * 3
        one.commands[AGENT] = lambda _: (one.lines, b"", 0)
        yield one


@pytest.fixture
def audit(cluster, tmp_path):
    """Run an audit of the cluster: (exit code, report, messages)."""
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
    (tmp_path / "run").mkdir()

    def run(*more):
        done = flowdiag(
            *("audit", "--live", "--kubeconfig", kubeconfig, "--history", tmp_path / "history.db"),
            *("--config", tmp_path / "none.toml", "-o", "json", *more),
            TMPDIR=str(tmp_path / "run"),
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr

    (tmp_path / "none.toml").write_text("")
    return run


def refused(report):
    return {p["status"] for p in report["problems"] if not p["code"].startswith("FD9")}


def test_a_live_audit_finds_what_the_agents_recorded_and_knows_it_again(audit, tmp_path):
    """New at first, known then; and nothing is left where it was collected."""
    first, second = audit(), audit()

    assert refused(first[1]) == {"new"}
    assert refused(second[1]) == {"known"}
    assert first[1]["totals"]["denied"] == 3
    assert "run 2, compared with run 1" in second[2]
    assert not list((tmp_path / "run").iterdir())


def test_no_report_names_a_place_that_is_gone(audit, tmp_path):
    """Inputs and evidence stand as the bundle's members, the same every day."""
    _, report, _ = audit()

    assert any(one["path"].startswith("live.tar.gz") for one in report["inputs"])
    told = report["generator"].pop("command")
    assert f"--history={tmp_path}" in told, "which is not gone"
    assert "live.tar.gz" not in told
    assert str(tmp_path) not in json.dumps(report)
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        assert "flowdiag-" not in "".join(map(str, connection.execute("SELECT scope, created FROM run")))


def test_a_collection_that_failed_in_part_calls_nothing_gone(audit, cluster):
    """The agents' flows cannot be had today: the run is incomplete, and what was open stays so."""
    audit()
    del cluster.commands[AGENT]
    cluster.faults.append(Fault("/exec", "status", status=500, times=99))

    _, report, said = audit()

    assert not report["complete"]
    assert "gone" not in refused(report)
    assert [w for w in report["warnings"] if w["code"] == "collect-failed"]
    assert "since the input was not read whole" in said


def test_what_is_not_to_be_asked_is_not_asked(audit, cluster):
    """--skip flows: no command is run in any pod."""
    cluster.seen.clear()

    audit("--skip", "flows", "--skip", "files")

    assert cluster.seen
    assert not [one for one in cluster.seen if one.ask.subresource == "exec"]


def test_what_is_collected_is_bounded_as_for_collect(audit):
    """A cluster with more to tell than the bounds let through is one of which nothing is called gone."""
    audit()

    _, report, said = audit("--max-size", "3k", "--max-file", "1k", "--within", "5m")

    assert not report["complete"]
    assert "--max-size=3k --max-file=1k --within=5m" in report["generator"]["command"]
    assert [w for w in report["warnings"] if "--max-size" in w["message"]]
    assert "not called gone" in said


def test_a_cluster_that_cannot_be_reached_is_exit_code_4(audit, cluster, tmp_path):
    """And the history has no run of it."""
    cluster.faults.append(Fault("/", "status", status=403, times=999))

    code, report, said = audit()

    assert (code, report) == (4, None), said
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (0,)


def test_agents_that_vanish_while_they_are_asked_prove_nothing_gone(audit, cluster):
    """Not found is a loss where the pod was listed a moment ago: the run is incomplete, and says of whom."""
    audit()
    cluster.faults.append(Fault("/exec", "status", status=404, times=99))

    _, report, said = audit()

    assert not report["complete"]
    assert refused(report) == set()
    assert "1 not seen now, and not called gone" in said
    assert ["cilium-abcde" in w["message"] for w in report["warnings"] if w["code"] == "collect-failed"] == [
        True
    ]


class Without(Rules):
    """Everything is allowed but some resources."""

    def __init__(self, *words):
        super().__init__([])
        self.words = set(words)

    def allows(self, ask):
        return ask.words not in self.words


def test_what_is_forbidden_every_day_keeps_nothing_open(audit, cluster):
    """With kinds that no Role of a namespace grants, what ends is called gone all the same."""
    cluster.rules = Without("nodes", "deployments")
    audit()
    cluster.lines = PASSED

    _, report, _ = audit()

    assert not report["complete"]
    assert refused(report) == {"gone"}
    assert len({w["message"] for w in report["warnings"]}) == len(report["warnings"])


@pytest.mark.parametrize("lost", ["pods/exec", "networkpolicies"])
def test_a_right_that_is_lost_proves_nothing_gone(audit, cluster, lost):
    """On the day it is lost what was open stays so, and on every day after."""
    cluster.logs[(*AGENT, False)] = [("2126-11-03T12:00:00.5Z", MESSAGE)]
    audit()
    cluster.rules = Without(lost)
    if lost == "networkpolicies":
        cluster.lines = PASSED

    for _ in range(2):
        _, report, said = audit()

        assert "gone" not in refused(report)
        assert "0 gone" in said
        assert "1 not seen now, and not called gone since what cannot be read now was read when" in said
        assert [w for w in report["warnings"] if "the rule that allows it" in w["message"]]


def test_hubble_that_is_switched_off_mends_nothing(audit, cluster):
    """The run is whole and says so every day; what the flows had shown is not gone by that."""
    cluster.logs[(*AGENT, False)] = [("2126-11-03T12:00:00.5Z", MESSAGE)]
    audit()
    settings_of(cluster)["enable-hubble"] = "false"

    for _ in range(2):
        _, report, said = audit()

        assert report["complete"]
        assert "0 gone" in said
        assert "1 not seen now, and not called gone since what cannot be read now" in said
        assert [w["message"] for w in report["warnings"] if w["code"] == "collect-absent"] == [
            "flows of Cilium's agents (Hubble): Hubble is off: cilium-config has enable-hubble: false"
        ]


def test_each_context_has_a_history_of_its_own_also_as_the_current_one(cluster, tmp_path):
    """`kubectl config use-context` between two runs, and one that is named besides."""
    kubeconfig = tmp_path / "kubeconfig"
    words = ("audit", "--live", "--kubeconfig", kubeconfig, "--history", tmp_path / "history.db")
    said = []
    for context, more in (("blue", ()), ("green", ()), ("blue", ("--context", "blue"))):
        cluster.kubeconfig(kubeconfig, context=context)
        said.append(flowdiag(*words, *more).stderr)

    assert ["the first of its kind" in one for one in said] == [True, True, False]
    assert "run 3, compared with run 1" in said[2]


def test_containers_without_records_of_traffic_leave_a_run_whole(audit, cluster):
    """Envoy runs beside every Cilium agent, and its log speaks of itself alone."""
    cluster.add(
        pod(
            "kube-system",
            "cilium-envoy-x",
            "192.0.2.11",
            {"k8s-app": "cilium-envoy"},
            host_network=True,
            containers=("cilium-envoy",),
        )
    )
    cluster.logs["kube-system", "cilium-envoy-x", "cilium-envoy", False] = [
        ("2126-11-28T14:00:00.1Z", "[2126-11-28 14:00:00.100][7][info][main] initializing epoch 0")
    ]
    audit()
    cluster.lines = PASSED

    _, report, _ = audit()

    assert report["complete"]
    assert refused(report) == {"gone"}
