"""Every row of the published Calico samples through the command: detection, peeling, parser, JSON."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowdiag.cli.main import _run
from flowdiag.parserkit import from_datetime, parse_rfc3339, rfc3339

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "calico"
PARSERS = {
    "kernel": "netfilter",
    "bpf_trace": "calico-bpf",
    "bpf_policy_dump": "calico-bpf",
    "bpf_counters": "calico-bpf",
    "iptables_save": "calico-rules",
    "iptables_L": "calico-rules",
    "calico_log": "calico-log",
    "kubelet": "calico-log",
    "whisker_flow": "calico-flowlog",
    "enterprise_flow": "calico-flowlog",
    "enterprise_policies": "calico-flowlog",
    "policy_string": "calico-flowlog",
}
# Objects: the replay's, not evidence.
NO_EVIDENCE = {"policy_explained", "policy_scenario"}
SHORT = {
    ("NetworkPolicy", "projectcalico.org"): "np",
    ("GlobalNetworkPolicy", "projectcalico.org"): "gnp",
    ("StagedNetworkPolicy", "projectcalico.org"): "snp",
    ("StagedGlobalNetworkPolicy", "projectcalico.org"): "sgnp",
    ("StagedKubernetesNetworkPolicy", "projectcalico.org"): "sknp",
    ("NetworkPolicy", "networking.k8s.io"): "knp",
    ("ClusterNetworkPolicy", "policy.networking.k8s.io"): "kcnp",
    ("Profile", "projectcalico.org"): "pro",
}
VERDICTS = {
    "unknown": {"logged"},
    # Allowed, and perhaps refused by what is only staged: the record's own word says which.
    "allow": {"allowed", "audited"},
    "deny": {"denied"},
}
PROTOCOLS = {"1": "ICMP", "6": "TCP", "17": "UDP"}
YEAR = 2024


def _rows():
    index = SAMPLES / "index.csv"
    if not index.exists():
        return []
    with index.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] not in NO_EVIDENCE]


ROWS = _rows()
pytestmark = pytest.mark.skipif(not ROWS, reason="shared/samples/calico is not beside this checkout")


def _read(name, capfdbinary):
    """What the command prints for one sample, and its complaints."""
    assert _run(["events", str(SAMPLES / name), "--year", str(YEAR)], "flowdiag") == 0
    out, err = capfdbinary.readouterr()
    return [json.loads(line) for line in out.splitlines()], err.decode()


def _time(text):
    """An index timestamp as the command writes it; uptimes and Go's zero time are no instants."""
    if re.fullmatch(r"\d+\.\d+", text) or text.startswith("0001-"):
        return None
    if text.isdigit():
        return rfc3339(int(text) * 1_000_000_000)
    if text[0].isdigit():
        return rfc3339(parse_rfc3339(text, UTC))
    moment = datetime.strptime(f"{YEAR} {text}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
    return rfc3339(from_datetime(moment))


def _peer_text(peer):
    """The forms of an end that the index uses."""
    pod = f"{peer['namespace']}/{peer['pod']}" if peer["pod"] else None
    return {peer["ip"], pod, f"{peer['ip']} {pod}"}


def _hit_text(hit):
    place = f"{hit['namespace']}/" if hit.get("namespace") else ""
    return f"{SHORT[hit['kind'], hit['group']]}:{place}{hit['name']}"


def _flow_differences(row, event):
    wanted = {
        "src": (row["src"] in _peer_text(event["src"]), _peer_text(event["src"])),
        "dst": (row["dst"] in _peer_text(event["dst"]), _peer_text(event["dst"])),
        "sport": (row["sport"] == str(event["src"]["port"]), event["src"]["port"]),
        "dport": (row["dport"] == str(event["dst"]["port"]), event["dst"]["port"]),
        "proto": (
            PROTOCOLS.get(row["proto"], row["proto"].upper()) == event["protocol"],
            event["protocol"],
        ),
        "in_if": (row["in_if"] == event["interface_in"], event["interface_in"]),
        "out_if": (row["out_if"] == event["interface_out"], event["interface_out"]),
        "prefix": (row["prefix"] == event["verdict_raw"], event["verdict_raw"]),
        "action": (event["verdict"] in VERDICTS.get(row["action"], set()), event["verdict"]),
        "timestamp": (
            not row["timestamp"] or _time(row["timestamp"]) == event["at"],
            event["at"],
        ),
        "component": (
            row["component"].rsplit("-", 1)[0] in (event["interface_in"], event["interface_out"]),
            (event["interface_in"], event["interface_out"]),
        ),
        "policy": (_policy_found(row["policy"], event["policies"]), event["policies"]),
    }
    # In the kernel log the index names the policy that the replay finds: that is not evidence.
    skipped = {"policy"} if row["kind"] == "kernel" else set()
    differences = [
        f"{column}: wanted {row[column]!r}, found {found!r}"
        for column, (right, found) in wanted.items()
        if row[column] and column not in skipped and not right
    ]
    if row["kind"] == "kernel":
        differences += [
            f"{column}: wanted nothing, found {wanted[column][1]!r}"
            for column in ("sport", "dport", "in_if", "out_if")
            if not row[column] and wanted[column][1] is not None
        ]
    return differences


def _policy_found(text, hits):
    name, _, place = text.partition(" ")
    place = place.replace("(transit)", "").replace("rule", "").strip()
    return any(_hit_text(hit) == name and (not place or hit["rule"] == place) for hit in hits if hit["name"])


def _log_differences(row, events):
    own = row["timestamp"] != ""
    if not own and not row["message_contains"]:
        # BIRD, klog ("E", "W") and panics are records of others; a Calico level makes it Calico's own.
        headed = [e for e in events if e["level"] in ("INFO", "WARNING", "ERROR") and "file" in e["fields"]]
        return [f"a continuation line gave a record: {e}" for e in headed]
    if not events:
        return ["no event"]
    event = events[0]
    found = {
        "level": event["level"],
        "pid": event["fields"].get("pid"),
        "component": event["component"],
        "srcfile": event["fields"].get("file", "<nil>"),
        "srcline": event["fields"].get("line", "<nil>"),
    }
    differences = [
        f"{column}: wanted {row[column]!r}, found {value!r}"
        for column, value in found.items()
        if row[column] and row[column] != value
    ]
    if row["message_contains"] not in event["message"]:
        differences.append(f"message: wanted {row['message_contains']!r} in {event['message']!r}")
    if row["kind"] == "calico_log" and own and _time(row["timestamp"]) != event["at"]:
        differences.append(f"timestamp: wanted {row['timestamp']}, found {event['at']}")
    return differences


def _string_differences(row, event):
    name = _hit_text(event["fields"])
    rule = event["fields"].get("rule", "").replace("end-of-tier", "-1")
    wanted = {
        "tier": event["fields"]["tier"],
        "policy": name,
        "action": event["fields"]["action"],
        "notes": f"policy index {event['fields']['index']} rule {rule}",
    }
    return [f"{k}: wanted {row[k]!r}, found {v!r}" for k, v in wanted.items() if row[k] != v]


def _row_differences(row, here):
    """What of a row the events of its line do not say."""
    logs = [event for event in here if event["type"] == "log"]
    flows = [event for event in here if event["type"] == "flow"]
    if row["kind"] in ("calico_log", "kubelet"):
        return _log_differences(row, logs)
    if row["kind"] == "policy_string":
        return _string_differences(row, logs[0]) if logs else ["no event"]
    if row["kind"] == "enterprise_policies":
        names = [_hit_text(event["fields"]) for event in logs]
        return [] if row["policy"] in names else [f"policy: wanted {row['policy']}, found {names}"]
    if row["action"] == "none":
        return [] if logs and not flows else [f"wanted a log event, found {here}"]
    if len(flows) != 1:
        return [f"{len(flows)} flow events"]
    return _flow_differences(row, flows[0])


def test_every_row_comes_out_right(capfdbinary):
    """All lines of the index, printed where they differ; each file has its parser, and nothing warns."""
    by_file = defaultdict(list)
    for row in ROWS:
        by_file[row["file"]].append(row)
    wrong, checked = [], 0
    for name, rows in by_file.items():
        events, complaints = _read(name, capfdbinary)
        wrong += [f"{name}: {complaints}"] if complaints else []
        wrong += [f"{name}: {one['message']}" for one in events if one["type"] == "warning"]
        parsers = {one["parser"] for one in events}
        if parsers != {PARSERS[rows[0]["kind"]]}:
            wrong.append(f"{name}: read by {parsers}")
        by_line = defaultdict(list)
        for event in events:
            by_line[event["line"]].append(event)
        for row in rows:
            if row["line"].isdigit():
                checked += 1
                found = _row_differences(row, by_line[int(row["line"])])
                wrong += [f"{name}:{row['line']}: {what}" for what in found]
    assert checked > 120
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "name",
    [
        "p01_prednat_hostendpoint.yaml",
        "p02_log_then_deny.yaml",
        "p03_log_only_drops.yaml",
        "sc_clusternetworkpolicy_fv",
        "sc_service_match_fv",
    ],
)
def test_policies_are_not_taken_for_records(name, capfdbinary):
    """Manifests give no events; the command says that there was no evidence, and ends as for none."""
    assert _run(["events", str(SAMPLES / name)], "flowdiag") == 3
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert b"no evidence" in err
    assert b"(looked at 1 file)" not in err  # but also why


def test_policy_dump_tells_which_rule_was_hit(capfdbinary):
    """The rule's counter, its policy and the pod's direction come out of the dump."""
    events = _read("d01_bpf_policy_dump_v330.txt", capfdbinary)[0]
    rule, tier, profile = events

    assert tuple(rule["fields"][key] for key in ("count", "action", "direction", "tier")) == (
        "9",
        "allow",
        "ingress",
        "default",
    )
    assert tuple(rule["fields"][key] for key in ("policy_kind", "policy_namespace", "policy_name")) == (
        "NetworkPolicy",
        "default",
        "allow-nginx-from-ubuntu",
    )
    assert tier["signal"] == "bpf-end-of-tier"
    assert tier["fields"]["action"] == "deny"
    assert "tier" not in profile["fields"]
    assert profile["fields"]["count"] == "0"


def test_counters_are_read_across_wrapped_and_merged_cells(capfdbinary):
    """A merged category is the one above, a wrapped type is joined, N/A is no number."""
    events = _read("d02_bpf_counters.txt", capfdbinary)[0]
    rows = {(e["fields"]["category"], e["fields"]["type"]): e for e in events}

    assert rows["Dropped", "by policy"]["fields"]["egress"] == "11"
    assert rows["Dropped", "by policy"]["fields"]["ingress"] == "0"
    assert "xdp" not in rows["Dropped", "by policy"]["fields"]
    assert ("Dropped", "NAT source collision resolution failed") in rows
    assert ("Dropped", "fragment of yet incomplete packet") in rows


def test_rule_counters_tell_whose_refusals_they_count(capfdbinary):
    """The end of a tier is the pod's egress here; the policy's own drop has the name its chain gave before."""
    end, profiles = _read("d03_iptables_end_of_tier.txt", capfdbinary)[0]
    nflog, drop = _read("d05_iptables_enterprise_nflog.txt", capfdbinary)[0]

    assert (end["line"], end["fields"]["direction"], end["fields"]["packets"]) == (3, "egress", "0")
    assert end["fields"]["comment"] == "Drop if no policies passed packet"
    assert profiles["line"] == 6
    assert nflog["fields"]["rule"] == "0"
    assert drop["fields"]["policy"] == "hipstershop/app-hipstershop.checkoutservice"
    assert drop["fields"]["direction"] == "ingress"


def test_staged_denial_is_never_a_denial(capfdbinary):
    """The documented Enterprise record is allowed; only its staged policy would deny."""
    (event,) = _read("e02_enterprise_docs_allow.json", capfdbinary)[0]

    assert event["verdict"] == "audited"
    assert event["verdict_raw"] == "allow"
    assert [hit["kind"] for hit in event["policies"] if hit["effect"] == "deny"] == ["StagedNetworkPolicy"]
