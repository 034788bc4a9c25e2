"""Flow logs have the moment at which an interval began: a policy made within it refused what the record counts."""

import copy
import json

import pytest

from flowdiag.analysis import analyze
from flowdiag.report.protocol import Options
from flowdiag.report.terminal import TerminalReporter

META = "kubernetes.io/metadata.name"


def pod(namespace, name, ip):
    """A running pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name.rpartition("-")[0]}},
        "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
    }


def record(start, end):
    """A refused interval of Whisker's, as it is shown from v3.30 on."""
    return json.dumps(
        {
            "start_time": f"2026-03-17T{start}Z",
            "end_time": f"2026-03-17T{end}Z",
            "action": "Deny",
            "source_name": "web-1",
            "source_namespace": "shop",
            "source_labels": "app=web",
            "dest_name": "db-0",
            "dest_namespace": "data",
            "dest_labels": "app=db",
            "protocol": "tcp",
            "dest_port": 5432,
            "reporter": "Src",
            "policies": {
                "enforced": [
                    {
                        "kind": "EndOfTier",
                        "name": "",
                        "namespace": "",
                        "tier": "default",
                        "action": "Deny",
                        "policy_index": 0,
                        "rule_index": -1,
                        "trigger": None,
                    }
                ],
                "pending": [],
            },
            "packets_in": 0,
            "packets_out": 3,
            "bytes_in": 0,
            "bytes_out": 180,
        }
    )


@pytest.fixture
def run(tmp_path):
    """The intervals that were refused, beside a default-deny that was made then."""

    def of(created, *intervals, second=None):
        items = [
            *(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {META: name}}}
                for name in ("shop", "data")
            ),
            pod("shop", "web-1", "10.1.0.5"),
            pod("data", "db-0", "10.1.0.6"),
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {
                    "name": "deny",
                    "namespace": "shop",
                    "generation": 1,
                    "creationTimestamp": f"2026-03-17T{created}Z",
                },
                "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
            },
        ]
        if second is not None:
            other = copy.deepcopy(items[-1])
            other["metadata"] |= {"name": "second", "creationTimestamp": f"2026-03-17T{second}Z"}
            items.append(other)
        (tmp_path / "state.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        (tmp_path / "flows.jsonl").write_text("".join(f"{record(*one)}\n" for one in intervals))
        return analyze([str(tmp_path)])

    return of


INTERVALS = (("14:03:00", "14:03:15"), ("14:03:15", "14:03:30"), ("14:03:30", "14:03:45"))


def test_a_policy_made_within_the_first_interval_refused_it(run):
    """It was called made after these refusals, 'or a clock is wrong', and the interval a problem of its own kind."""
    report = run("14:03:12", *INTERVALS)
    (problem,) = report.problems

    assert (problem.code, problem.count) == ("FD101", 3)
    assert [ref.name for ref in problem.isolating] == ["deny"]
    assert [(one.object.name, one.delta_s) for one in problem.changes] == [("deny", 12.0)]
    assert problem.otherwise == ()
    page = TerminalReporter().render(report, Options(width=100))
    assert "isolated by   NetworkPolicy shop/deny (created within its first interval)" in page
    assert not [note for note in problem.notes if "clock is wrong" in note or "refused otherwise" in note]


def test_an_interval_that_ended_before_is_not_the_policys(run):
    """Intervals follow each other by 15 s here: what began 20 s before the policy was refused by something else."""
    report = run("14:03:12", ("14:02:45", "14:03:00"), *INTERVALS)
    notes = [note for problem in report.problems for note in problem.notes]

    assert any("after these refusals" in note for note in notes)


def test_an_interval_in_which_a_second_policy_was_made_is_the_same_refusal(run):
    """It counts with what holds at its end, as a second does: the first interval stood as refused otherwise."""
    report = run("13:00:00", *INTERVALS, second="14:03:12")
    (problem,) = report.problems

    assert {ref.name for ref in problem.isolating} == {"deny", "second"}
    assert problem.otherwise == ()


def enterprise(record_of, begin, end, host):
    """The same refusal as Enterprise's file has it, by one node."""
    whole = json.loads(record_of("14:03:00", "14:03:15"))
    whole |= {
        "start_time": begin,
        "end_time": end,
        "host": host,
        "proto": whole.pop("protocol"),
        "action": "deny",
    }
    whole["policies"] = {"all_policies": ["0|default|shop/knp.default.deny|deny|-1"]}
    return json.dumps(whole)


@pytest.mark.parametrize("begins", [[0], [0, 7], [0, 7, 300, 307]], ids=["one", "two-nodes", "followed"])
def test_records_say_their_own_interval(run, tmp_path, begins):
    """Nodes begin their five minutes when they like: the gaps between them say nothing of how long these are."""
    run("14:02:40", *INTERVALS)
    at = 1773756000  # 14:00:00
    lines = [enterprise(record, at + begin, at + begin + 300, f"n{begin % 300}") + "\n" for begin in begins]
    (tmp_path / "flows.jsonl").write_text("".join(lines))
    (problem,) = analyze([str(tmp_path)]).problems

    assert (problem.code, problem.count) == ("FD101", len(begins))
    assert [ref.name for ref in problem.isolating] == ["deny"]
    assert not [note for note in problem.notes if "clock is wrong" in note]


def test_a_list_over_an_hour_counts_an_hour(run):
    """Whisker's list with a range is one record over it."""
    (problem,) = run("14:40:00", ("14:00:00", "15:00:00")).problems

    assert (problem.code, [ref.name for ref in problem.isolating]) == ("FD101", ["deny"])
