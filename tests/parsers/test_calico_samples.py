"""Every row of the sample index for Calico, read through the parsers and compared column by column."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pytest

from flowdiag.ingest import Gathered, ReadOptions, detect, recognise
from flowdiag.ingest.blocks import blocks
from flowdiag.ingest.parts import parts_of
from flowdiag.ingest.plugins import parser_named, parsers
from flowdiag.parserkit import FlowEvent, LogEvent, from_datetime, parse_rfc3339
from flowdiag_parsers.calico.bpf import CalicoBpf
from flowdiag_parsers.calico.component_log import CalicoLog
from flowdiag_parsers.calico.flow_log import CalicoFlowLog
from flowdiag_parsers.calico.rules_dump import CalicoRules
from flowdiag_parsers.netfilter.kernel_log import NetfilterLog

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "calico"
PARSERS = {
    "kernel": NetfilterLog,
    "bpf_trace": CalicoBpf,
    "bpf_policy_dump": CalicoBpf,
    "bpf_counters": CalicoBpf,
    "iptables_save": CalicoRules,
    "iptables_L": CalicoRules,
    "calico_log": CalicoLog,
    "kubelet": CalicoLog,
    "whisker_flow": CalicoFlowLog,
    "enterprise_flow": CalicoFlowLog,
    "enterprise_policies": CalicoFlowLog,
    "policy_string": CalicoFlowLog,
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


def _events(row):
    return _read(row["file"], PARSERS[row["kind"]])


@lru_cache
def _read(file, parser):
    """Events of a sample as ``flowdiag events`` sees them: detected, peeled, cut, parsed."""
    options = ReadOptions(year=YEAR)
    problems, events = [], []
    with Gathered([str(SAMPLES / file)]) as gathered:
        source = gathered.sources[0]
        found = detect(source, recognise(gathered.sources)[source.name], parsers()[0], options)
        assert found.parser == parser.name, found.scores
        for part in parts_of(found, options):
            reader, context = parser_named(part.parser), part.context()
            for block in blocks(part, reader, context, problems):
                events += reader.parse(block, context)
    assert not problems
    return events


def _time(text):
    """Nanoseconds of an index timestamp; uptimes and Go's zero time are no instants."""
    if re.fullmatch(r"\d+\.\d+", text) or text.startswith("0001-"):
        return None
    if text.isdigit():
        return int(text) * 1_000_000_000
    if text[0].isdigit():
        return parse_rfc3339(text, UTC)
    return from_datetime(datetime.strptime(f"{YEAR} {text}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC))


def _peer_text(peer):
    """The forms of an end that the index uses."""
    pod = f"{peer.namespace}/{peer.pod}" if peer.pod else None
    return {peer.ip, pod, f"{peer.ip} {pod}"}


def _hit_text(hit):
    place = f"{hit.namespace}/" if hit.namespace else ""
    return f"{SHORT[(hit.kind, hit.group)]}:{place}{hit.name}"


def _flow_differences(row, event):
    wanted = {
        "src": (row["src"] in _peer_text(event.src), _peer_text(event.src)),
        "dst": (row["dst"] in _peer_text(event.dst), _peer_text(event.dst)),
        "sport": (row["sport"] == str(event.src.port), event.src.port),
        "dport": (row["dport"] == str(event.dst.port), event.dst.port),
        "proto": (
            PROTOCOLS.get(row["proto"], row["proto"].upper()) == event.protocol,
            event.protocol,
        ),
        "in_if": (row["in_if"] == event.interface_in, event.interface_in),
        "out_if": (row["out_if"] == event.interface_out, event.interface_out),
        "prefix": (row["prefix"] == event.verdict_raw, event.verdict_raw),
        "action": (event.verdict in VERDICTS.get(row["action"], set()), event.verdict),
        "timestamp": (
            not row["timestamp"] or _time(row["timestamp"]) == event.at,
            event.at,
        ),
        "component": (
            row["component"].rsplit("-", 1)[0] in (event.interface_in, event.interface_out),
            (event.interface_in, event.interface_out),
        ),
        "policy": (_policy_found(row["policy"], event.policies), event.policies),
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
    return any(_hit_text(hit) == name and (not place or hit.rule == place) for hit in hits if hit.name)


def _log_differences(row, events):
    own = row["timestamp"] != ""
    if not own and not row["message_contains"]:
        # BIRD, klog ("E", "W") and panics are records of others; a Calico level makes it Calico's own.
        headed = [e for e in events if e.level in ("INFO", "WARNING", "ERROR") and "file" in e.fields]
        return [f"a continuation line gave a record: {e}" for e in headed]
    if not events:
        return ["no event"]
    event = events[0]
    found = {
        "level": event.level,
        "pid": event.fields.get("pid"),
        "component": event.component,
        "srcfile": event.fields.get("file", "<nil>"),
        "srcline": event.fields.get("line", "<nil>"),
    }
    differences = [
        f"{column}: wanted {row[column]!r}, found {value!r}"
        for column, value in found.items()
        if row[column] and row[column] != value
    ]
    if row["message_contains"] not in event.message:
        differences.append(f"message: wanted {row['message_contains']!r} in {event.message!r}")
    if row["kind"] == "calico_log" and own and _time(row["timestamp"]) != event.at:
        differences.append(f"timestamp: wanted {row['timestamp']}, found {event.at}")
    return differences


def _string_differences(row, event):
    name = _hit_text(_Named(event.fields))
    rule = event.fields.get("rule", "").replace("end-of-tier", "-1")
    wanted = {
        "tier": event.fields["tier"],
        "policy": name,
        "action": event.fields["action"],
        "notes": f"policy index {event.fields['index']} rule {rule}",
    }
    return [f"{k}: wanted {row[k]!r}, found {v!r}" for k, v in wanted.items() if row[k] != v]


class _Named:
    def __init__(self, fields):
        self.kind, self.group = fields["kind"], fields["group"]
        self.namespace, self.name = fields.get("namespace"), fields["name"]


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r["line"].isdigit()], ids=lambda row: f"{row['file']}:{row['line']}"
)
def test_row_is_read_as_the_index_says(row):
    """Each indexed line gives the event that its columns describe."""
    events = _events(row)
    here = [event for event in events if event.line == int(row["line"])]
    logs = [event for event in here if isinstance(event, LogEvent)]
    flows = [event for event in here if isinstance(event, FlowEvent)]
    if row["kind"] in ("calico_log", "kubelet"):
        differences = _log_differences(row, logs)
    elif row["kind"] == "policy_string":
        differences = _string_differences(row, logs[0])
    elif row["kind"] == "enterprise_policies":
        names = [_hit_text(_Named(event.fields)) for event in logs]
        differences = [] if row["policy"] in names else [f"policy: wanted {row['policy']}, found {names}"]
    elif row["action"] == "none":
        differences = [] if logs and not flows else [f"wanted a log event, found {here}"]
    else:
        assert flows, f"no flow event on line {row['line']}: {here}"
        differences = _flow_differences(row, flows[0])
    assert not differences, "\n".join(differences)


def test_policy_dump_tells_which_rule_was_hit():
    """The rule's counter, its policy and the pod's direction come out of the dump."""
    events = _events({"file": "d01_bpf_policy_dump_v330.txt", "kind": "bpf_policy_dump"})
    rule, tier, profile = events

    assert tuple(rule.fields[key] for key in ("count", "action", "direction", "tier")) == (
        "9",
        "allow",
        "ingress",
        "default",
    )
    assert tuple(rule.fields[key] for key in ("policy_kind", "policy_namespace", "policy_name")) == (
        "NetworkPolicy",
        "default",
        "allow-nginx-from-ubuntu",
    )
    assert tier.signal == "bpf-end-of-tier"
    assert tier.fields["action"] == "deny"
    assert "tier" not in profile.fields
    assert profile.fields["count"] == "0"


def test_counters_are_read_across_wrapped_and_merged_cells():
    """A merged category is the one above, a wrapped type is joined, N/A is no number."""
    events = _events({"file": "d02_bpf_counters.txt", "kind": "bpf_counters"})
    rows = {(e.fields["category"], e.fields["type"]): e for e in events}

    assert rows["Dropped", "by policy"].fields["egress"] == "11"
    assert rows["Dropped", "by policy"].fields["ingress"] == "0"
    assert "xdp" not in rows["Dropped", "by policy"].fields
    assert ("Dropped", "NAT source collision resolution failed") in rows
    assert ("Dropped", "fragment of yet incomplete packet") in rows


def test_rule_counters_tell_whose_refusals_they_count():
    """The end of a tier is the pod's egress here; the policy's own drop has the name its chain gave before."""
    end, profiles = _events({"file": "d03_iptables_end_of_tier.txt", "kind": "iptables_save"})
    nflog, drop = _events({"file": "d05_iptables_enterprise_nflog.txt", "kind": "iptables_L"})

    assert (end.line, end.fields["direction"], end.fields["packets"]) == (3, "egress", "0")
    assert end.fields["comment"] == "Drop if no policies passed packet"
    assert profiles.line == 6
    assert nflog.fields["rule"] == "0"
    assert drop.fields["policy"] == "hipstershop/app-hipstershop.checkoutservice"
    assert drop.fields["direction"] == "ingress"


def test_staged_denial_is_never_a_denial():
    """The documented Enterprise record is allowed; only its staged policy would deny."""
    (event,) = _events({"file": "e02_enterprise_docs_allow.json", "kind": "enterprise_flow"})

    assert event.verdict == "audited"
    assert event.verdict_raw == "allow"
    assert [hit.kind for hit in event.policies if hit.effect == "deny"] == ["StagedNetworkPolicy"]
