"""Paths that are to hold cluster objects: a mistyped one is an error in every command, and one without objects is told."""

import json

import pytest

from flowdiag.cli.main import _run

OBJECTS = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: web}]}
status: {podIP: 10.1.0.1, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: db}]}
status: {podIP: 10.1.0.2, phase: Running}
"""
# hubble observe -o jsonpb, Cilium 1.16
FLOW = {
    "flow": {
        "time": "2026-05-04T09:00:00Z",
        "verdict": "DROPPED",
        "drop_reason": 133,
        "drop_reason_desc": "POLICY_DENIED",
        "IP": {"source": "10.1.0.1", "destination": "10.1.0.2", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 40000, "destination_port": 5432, "flags": {"SYN": True}}},
        "source": {"namespace": "shop", "pod_name": "web"},
        "destination": {"namespace": "shop", "pod_name": "db"},
        "Type": "L3_L4",
        "node_name": "node-a",
        "event_type": {"type": 1, "sub_type": 133},
        "traffic_direction": "INGRESS",
    }
}


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    """A folder with records, objects, a query file, an empty folder and one of notes."""
    (tmp_path / "flows.json").write_text(json.dumps(FLOW) + "\n")
    (tmp_path / "state.yaml").write_text(OBJECTS)
    (tmp_path / "queries.json").write_text(
        '{"queries": [{"src": "shop/web", "dst": "shop/db", "allowed": true}]}'
    )
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)


COMMANDS = {
    "analyze": ["analyze", "flows.json"],
    "audit": ["audit", "flows.json", "--history", "history.db"],
    "explain": ["explain", "shop/web", "shop/db", "5432"],
    "explain with evidence": ["explain", "shop/web", "shop/db", "5432", "flows.json"],
    "verify": ["verify", "queries.json"],
    "whatif": ["whatif", "--delete", "NetworkPolicy/shop/none"],
    "reach": ["reach", "shop/web"],
    "watch": ["watch", "flows.json"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("beside", [[], ["--state", "state.yaml"]], ids=["alone", "beside another"])
def test_state_that_does_not_exist_ends_every_command(capsys, command, beside):
    """Without the policies that it was to hold, every answer would be another one: of a job, all would be new."""
    code = _run([*command, *beside, "--state", "typo.yaml"], "flowdiag")

    told = capsys.readouterr()
    assert code == 3
    assert told.out == ""
    assert told.err.startswith("flowdiag: typo.yaml: no such file or directory\n")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_state_without_objects_ends_every_command(capsys, command):
    """As a path that was mistyped to one that exists: the answer would be one without policies."""
    code = _run([*command, "--state", "empty"], "flowdiag")

    told = capsys.readouterr()
    assert code == 3
    assert told.out == ""
    assert told.err.startswith(
        "flowdiag: no cluster objects in empty (empty: no files in it)\n  kubectl get "
    )


@pytest.mark.parametrize("other", ["empty", "flows.json"])
def test_state_without_objects_beside_another_is_told(capsys, other):
    """Nothing is missing for sure, so the report is complete."""
    code = _run(
        ["analyze", "flows.json", "--state", "state.yaml", "--state", other, "-o", "json"], "flowdiag"
    )

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert report["complete"] is True
    told = [(one["code"], one["input"]) for one in report["warnings"] if one["input"] is not None]
    assert told == [("no-objects", other)]


def test_a_new_state_and_a_manifest_that_do_not_exist(capsys):
    """What-if says which path it is, as for --state."""
    for option in (["--to", "typo.yaml"], ["--apply", "typo.yaml"]):
        assert _run(["whatif", "--state", "state.yaml", *option], "flowdiag") == 3
        assert capsys.readouterr().err.startswith("flowdiag: typo.yaml: no such file or directory\n")


@pytest.mark.parametrize("command", ["analyze", "events"])
def test_evidence_that_does_not_exist(capsys, command):
    """Alone it is an error, in the same words; beside other evidence it is a part that could not be read."""
    assert _run([command, "typo.log"], "flowdiag") == 3
    assert capsys.readouterr().err == (
        "flowdiag: typo.log: no such file or directory\n  name a file, a folder or an archive of CNI logs\n"
    )
    assert _run([command, "empty"], "flowdiag") == 3
    assert capsys.readouterr().err == (
        "flowdiag: empty: no files in it\n  name a file, a folder or an archive of CNI logs\n"
    )
    assert _run([command, "flows.json", "typo.log"], "flowdiag") == 0
    told = capsys.readouterr()
    assert "typo.log: no such file or directory" in told.out + told.err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("typo.log", None, "typo.log: no such file or directory"),
        ("notes.log", b"nothing of note\n" * 20, "parsers knows it"),
        ("core", b"\0\1\2\377" * 500, "core: not text"),
    ],
)
def test_evidence_that_cannot_be_read_is_an_error_beside_a_state_too(capsys, tmp_path, name, content, said):
    """It was an empty report and exit code 0, which a pipeline takes for peace."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert _run(["analyze", name, "--state", "state.yaml"], "flowdiag") == 3
    told = capsys.readouterr()
    assert (told.out, said in told.err) == ("", True)

    assert _run(["analyze", name, "flows.json", "--state", "state.yaml"], "flowdiag") == 0
    assert _run(["analyze", name, "state.yaml", "--state", "state.yaml"], "flowdiag") == 0
    assert _run(["analyze", "empty", "--state", "state.yaml"], "flowdiag") == 0
