"""Example alerts and dashboard: they ask for metrics and labels that an audit really writes."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from flowdiag.cli.main import _run

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
QUERIES = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Name of a metric to the names of its labels, of a real audit."""
    folder = tmp_path_factory.mktemp("audit")
    incident = ROOT / "fixtures" / "incidents" / "default-deny-egress"
    files = ("--history", str(folder / "h.db"), "--metrics", str(folder / "m.prom"))
    (folder / "none.toml").write_text("")
    _run(["audit", str(incident), "--config", str(folder / "none.toml"), *files], "flowdiag")
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families((folder / "m.prom").read_text())
        for sample in family.samples
    }


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_asks_for_what_is_written(query, written):
    """A metric that was renamed would leave an alert silent for ever."""
    names = set(re.findall(r"flowdiag_\w+", query))
    selectors = {
        label for inside in re.findall(r"\{([^}]*)\}", query) for label in re.findall(r"(\w+)=", inside)
    }
    grouped = {
        label.strip() for inside in re.findall(r"by \(([^)]*)\)", query) for label in inside.split(",")
    }

    assert names
    assert names <= written.keys()
    assert all(selectors | grouped <= written[name] for name in names)


def test_panels_and_rules_have_names_of_their_own():
    """Prometheus and Grafana take the last of two."""
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
