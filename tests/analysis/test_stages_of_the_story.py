"""The bundled incident as it looked on the way: each stage names its cause and what is refused next."""

import json
from pathlib import Path

import pytest
import yaml

from flowdiag.analysis import analyze
from flowdiag.report.protocol import Options
from flowdiag.report.terminal import TerminalReporter

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress"


@pytest.fixture
def stage(tmp_path):
    """The records until a time of that day, and only these policies."""

    def at(until, *policies, early=None):
        lines = (INCIDENT / "hubble" / "events.jsonl").read_text().splitlines(keepends=True)
        kept = [line for line in lines if json.loads(line)["time"] < f"2026-03-17T{until}Z"]
        (tmp_path / "events.jsonl").write_text("".join(kept))
        listed = yaml.safe_load((INCIDENT / "cluster" / "networkpolicies.yaml").read_text())
        listed["items"] = [one for one in listed["items"] if one["metadata"]["name"] in policies]
        for one in listed["items"]:
            if one["metadata"]["name"] == early:
                one["metadata"].pop("managedFields")
                one["metadata"]["creationTimestamp"] = "2026-03-16T09:00:00Z"
        (tmp_path / "networkpolicies.json").write_text(json.dumps(listed))
        (tmp_path / "objects.yaml").write_text((INCIDENT / "cluster" / "objects.yaml").read_text())
        return analyze([str(tmp_path)])

    return at


def test_dns_first_and_what_it_hides(stage):
    """The calls that stopped are refused too: who opens DNS alone has the next outage."""
    report = stage("14:08:00", "default-deny")
    (problem,) = report.problems
    page = " ".join(TerminalReporter().render(report, Options(width=80)).split())

    assert (problem.code, problem.ongoing) == ("FD401", True)
    stopped = [
        note for note in problem.notes if "absent while lookups were refused; the policies refuse it" in note
    ]
    assert [note.partition(":")[0] for note in stopped] == [
        "frontend/promo-banner -> content.example.net 443/TCP",
        "frontend/web-app -> backend/user-api 8080/TCP",
    ]
    assert "stopped frontend/promo-banner → content.example.net 443/TCP and 1 more" in page
    assert "names alone do not bring it back" in page


def test_a_call_that_the_policies_allow_only_waits_for_its_name(stage):
    """With a policy for the call there already, mending DNS is enough for it."""
    third = "allow-web-app-to-call-user-api"
    report = stage("14:08:00", "default-deny", third, early=third)
    notes = [note for problem in report.problems for note in problem.notes]
    (note,) = [one for one in notes if one.startswith("frontend/web-app -> backend/user-api")]

    assert note.endswith("absent while lookups were refused")


def test_names_back_and_the_call_refused(stage):
    """Each of the calls has its own problem and its own fix, and DNS is told as mended."""
    report = stage("14:13:00", "default-deny", "allow-dns-access")

    assert [(one.code, one.ongoing) for one in report.problems] == [
        ("FD401", False),
        ("FD101", True),
        ("FD101", True),
    ]
    assert report.problems[0].advice.startswith(
        "Mended since: NetworkPolicy frontend/allow-dns-access egress[0]"
    )
    assert all(one.counterfactual is not None and one.counterfactual.proved for one in report.problems[1:])
    assert not [note for one in report.problems for note in one.notes if "names alone" in note]


def test_shortened_names_are_judged_by_their_workloads(tmp_path):
    """Whisker names no pod (``web-app-…-*``), and the pods of one template are refused alike."""
    objects = yaml.safe_load((INCIDENT / "cluster" / "objects.yaml").read_text())
    (tmp_path / "objects.yaml").write_text((INCIDENT / "cluster" / "objects.yaml").read_text())
    listed = yaml.safe_load((INCIDENT / "cluster" / "networkpolicies.yaml").read_text())
    listed["items"] = [one for one in listed["items"] if one["metadata"]["name"] == "default-deny"]
    (tmp_path / "networkpolicies.json").write_text(json.dumps(listed))
    pods = [one["metadata"] for one in objects["items"] if one["kind"] == "Pod"]

    def shortened(namespace, workload):
        (name,) = {
            one["name"].rpartition("-")[0]
            for one in pods
            if (one["namespace"], one["name"].rsplit("-", 2)[0]) == (namespace, workload)
        }
        return f"{name}-*"

    def flow(minute, second, action, namespace, workload, protocol, port):
        clock = f"2026-03-17T14:{minute:02}:{second:02}Z"
        return {
            "start_time": clock,
            "end_time": clock,
            "action": action,
            "source_name": shortened("frontend", "web-app"),
            "source_namespace": "frontend",
            "source_labels": "app=web-app",
            "dest_name": shortened(namespace, workload),
            "dest_namespace": namespace,
            "dest_labels": "",
            "protocol": protocol,
            "dest_port": port,
            "reporter": "Src",
            "policies": {"enforced": [], "pending": []},
            "num_connections_started": 3,
            "packets_in": 3,
            "packets_out": 3,
            "bytes_in": 1,
            "bytes_out": 1,
        }

    lookups = [
        flow(minute, second, "Allow" if minute < 4 else "Deny", "kube-system", "coredns", "udp", 53)
        for minute in range(9)
        for second in (0, 30)
    ]
    calls = [
        flow(minute, second, "Allow", "backend", "user-api", "tcp", 8080)
        for minute in range(4)
        for second in (0, 30)
    ]
    (tmp_path / "flows.json").write_text("".join(json.dumps(one) + "\n" for one in [*lookups, *calls]))
    (problem,) = analyze([str(tmp_path)]).problems
    (note,) = [one for one in problem.notes if one.startswith("frontend/web-app -> backend/user-api")]

    assert problem.code == "FD401"
    assert note.endswith("the policies refuse it, too: names alone do not bring it back")
