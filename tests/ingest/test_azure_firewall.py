"""However an Azure Firewall's records come out of Azure, the same refusals are read, at their own times."""

import json

import pytest

from flowdiag.ingest import Gathered, ReadOptions, iter_events

AT = "2026-01-05T10:00:02.849437Z"
CELLS = {
    "Protocol": "TCP",
    "SourceIp": "10.0.1.4",
    "SourcePort": 44210,
    "DestinationIp": "203.0.113.7",
    "DestinationPort": 5432,
    "Action": "Deny",
    "Policy": "hub",
    "RuleCollectionGroup": "aks",
    "RuleCollection": "data",
    "Rule": "deny-db",
    "ActionReason": "",
}
SENTENCE = (
    "TCP request from 10.0.1.4:44210 to 203.0.113.7:5432. Action: Deny. Policy: hub. "
    "Rule Collection Group: aks. Rule Collection: data. Rule: deny-db"
)
RECORD = {"category": "AZFWNetworkRule", "time": AT, "properties": CELLS}
OLD = {"category": "AzureFirewallNetworkRule", "time": AT, "properties": {"msg": SENTENCE}}
ROW = {"TenantId": "0", "TimeGenerated": AT, **CELLS, "Type": "AZFWNetworkRule"}
DIAGNOSTICS = {"TimeGenerated": AT, "Category": "AzureFirewallNetworkRule", "msg_s": SENTENCE}


def lines(*objects):
    return "".join(f"{json.dumps(one)}\n" for one in objects)


def answer(row):
    columns = [{"name": name, "type": "string"} for name in row]
    return json.dumps(
        {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": [[*row.values()]] * 2}]}
    )


def portal(row):
    names = ["TimeGenerated [UTC]", *(name for name in row if name != "TimeGenerated")]
    cells = [f'"{value}"' for name, value in row.items() if name != "TimeGenerated"]
    body = ",".join(['"1/5/2026, 10:00:02.849 AM"', *cells])
    return f"{','.join(names)}\n{body}\n{body}\n"


WAYS = {
    "storage, structured": lines(RECORD, RECORD),
    "storage, sentences": lines(OLD, OLD),
    "storage, one document": json.dumps({"records": [RECORD, OLD]}, indent=1),
    "event hub": lines({"records": [RECORD]}, {"records": [OLD]}),
    "az, structured": json.dumps([ROW, ROW], indent=2),
    "az, sentences": json.dumps([DIAGNOSTICS, DIAGNOSTICS], indent=2),
    "data export, structured": lines(ROW, ROW),
    "data export, sentences": lines(DIAGNOSTICS, DIAGNOSTICS),
    "API, structured": answer(ROW),
    "API, sentences": answer(DIAGNOSTICS),
    "portal, structured": portal(ROW),
    "portal, sentences": portal(DIAGNOSTICS),
    "sentences alone": f"{SENTENCE}\n{SENTENCE}\n",
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_read_from(way, tmp_path):
    """Two refusals, their ends, the rule, and the time wherever there is one."""
    (tmp_path / "firewall.log").write_text(WAYS[way])
    with Gathered([str(tmp_path / "firewall.log")]) as gathered:
        found = [one for _, _, one in iter_events(gathered, ReadOptions())]

    assert [type(one).__name__ for one in found] == ["FlowEvent", "FlowEvent"]
    for one in found:
        assert (one.src.ip, one.dst.ip, one.dst.port, one.protocol) == (
            "10.0.1.4",
            "203.0.113.7",
            5432,
            "TCP",
        )
        assert (one.verdict, one.cause, one.reason, one.reason_raw) == (
            "denied",
            "configuration",
            "cloud-firewall-rule",
            "data/deny-db",
        )
        if way != "sentences alone":
            assert one.at // 1_000_000 == 1767607202849
