"""Changes of several problems that meet in an object stand in the report as one, too."""

import json
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import end, listed, namespace, pod, policy, record, write

from flowdiag.cli.main import _run as run

API = end("shop", "api-6b8d9f7c5-q7w8e", "10.0.0.6", "api", 1002)
MAIL = end("shop", "mail-5f6d7c8b9-a1b2c", "10.0.0.8", "mail", 1003)
CACHE = end("shop", "cache-7c6d5e4f3-z9y8x", "10.0.0.9", "cache", 1004)
WEB = end("shop", "web-5d9c7b6f4-x2v4z", "10.0.0.5", "web")


def _objects():
    rule = {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 8080}]}
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}
    ends = (WEB, API, MAIL, CACHE)
    pods = [
        pod("shop", one["end"]["pod_name"], one["ip"], one["end"]["workloads"][0]["name"]) for one in ends
    ]
    return listed(namespace("shop"), *pods, policy("shop", "out", spec))


def test_a_report_offers_one_change_for_problems_that_meet_in_an_object(tmp_path, capsys):
    """In JSON with the ids of all of them, and in the formats that people read beside each problem's own fix."""
    flows = "".join(
        record(1 + index, src, dst, source_port=41000 + index)
        for index, (src, dst) in enumerate([(WEB, MAIL), (API, CACHE), (WEB, MAIL)])
    )
    folder = write(tmp_path / "in", state_json=_objects(), flows_jsonl=flows)
    formats = [part for name in ("json", "markdown", "html") for part in ("-o", f"{name}={tmp_path / name}")]
    assert run(["analyze", folder, "-v", *formats], "flowdiag") == 0
    shown = capsys.readouterr().out
    problems = json.loads((tmp_path / "json").read_text())["problems"]
    joins = [one["joined"] for one in problems]

    assert len(problems) == 2
    assert joins[0] == joins[1]
    assert joins[0]["problems"] == sorted(one["id"] for one in problems)
    assert joins[0]["objects"] == problems[0]["counterfactual"]["shared"]
    (manifest,) = joins[0]["manifests"]
    apps = {
        peer["podSelector"]["matchLabels"]["app"]
        for rule in yaml.safe_load(manifest)["spec"]["egress"]
        for peer in rule["to"]
    }
    assert apps >= {"mail", "cache"}
    for text in (shown, (tmp_path / "markdown").read_text(), (tmp_path / "html").read_text()):
        assert "In one for 2 problems" in text
        assert "proved for all connections of 2 problems" in " ".join(text.split())
    assert run(["show", str(tmp_path / "json"), "--redact", "-o", "json"], "flowdiag") == 0
    hidden = json.loads(capsys.readouterr().out)
    text = json.dumps([one["joined"] for one in hidden["problems"]])
    assert not any(name in text for name in ("shop", "mail", "cache", '"out"'))
