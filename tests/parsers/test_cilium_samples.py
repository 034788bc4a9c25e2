"""Every row of the shared Cilium samples that the text formats cover, record by record."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from flowdiag.parserkit import (
    Block,
    ChangeEvent,
    Event,
    FlowEvent,
    LogEvent,
    ParseContext,
    ParseWarning,
    Peer,
)
from flowdiag_parsers.cilium.agent_log import CiliumAgentLog
from flowdiag_parsers.cilium.monitor import CiliumMonitor
from flowdiag_parsers.hubble.observe_compact import HubbleCompact
from flowdiag_parsers.hubble.observe_dict import HubbleDict
from flowdiag_parsers.hubble.observe_table import HubbleTable

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "cilium"
INDEX = SAMPLES / "index.csv"
PARSERS = {
    "hubble-compact": HubbleCompact(),
    "hubble-dict": HubbleDict(),
    "hubble-table": HubbleTable(),
    "monitor": CiliumMonitor(),
    "monitor-verbose": CiliumMonitor(),
    "microscope": CiliumMonitor(),
}
VERDICTS = {
    "DROPPED": "denied",
    "DENIED": "denied",
    "DENY": "denied",
    "FORWARDED": "allowed",
    "ALLOWED": "allowed",
    "ALLOW": "allowed",
    "AUDIT": "audited",
    "AUDITED": "audited",
    "VERDICT_UNKNOWN": "unknown",
}
# Rows where the index and the line differ, and the line is right.
SAID_OTHERWISE = {
    ("monitor-ct-unknown-l4.txt", 2): {"proto": "LLC"},  # the line ends in LLC, no ICMP is in it
    ("monitor-verbose-llc.txt", 5): {"proto": "LLC"},  # EthernetType=LLC
    ("compact-starwars-l7.txt", 3): {
        "drop_reason": ""
    },  # an L7 refusal has no reason; the index repeats the type
    ("dict-printer.txt", 1): {"proto": "TCP"},  # the summary says TCP Flags
    ("dict-printer.txt", 9): {"proto": "TCP"},
}
SIGNALS = {
    "agent-fqdn-timeout.log": ["fqdn-update-timeout"],
    "agent-identity-changed.log": ["identity-changed"],
    "agent-identity-init.log": [None, "endpoint-labels-missing", "identity-changed"],
    "agent-ipam-full.log": ["ipam-exhausted", None],
    "agent-missed-revision.log": ["endpoint-stale-policy", "endpoint-stale-policy"],
    "agent-policy-add-1.6.log": ["policy-imported"],
    "agent-policymap-full.log": ["policy-map-full", "policy-map-full"],
    "agent-regen-failed-2019.log": ["endpoint-regeneration-failed", "endpoint-regeneration-failed"],
    "agent-slog-policy-upsert.log": ["policy-imported"] * 3,
    "agent-dnsproxy-debug.log": [None] * 4,
}

pytestmark = pytest.mark.skipif(not INDEX.is_file(), reason="the shared samples are not here")


def index_rows() -> list[dict[str, str]]:
    if not INDEX.is_file():
        return []
    with INDEX.open(encoding="utf-8", newline="") as file:
        return [
            {**row, **SAID_OTHERWISE.get((row["file"], int(row["line"] or 0)), {})}
            for row in csv.DictReader(file)
            if row["kind"] in PARSERS and row["line"]
        ]


def events_of(parser: Any, name: str) -> list[Event]:
    data = (SAMPLES / name).read_bytes()
    return list(parser.parse(Block(data=data, last=True), ParseContext(input=name, year=2024)))


def shown_ends(peer: Peer) -> set[str]:
    shown = {peer.ip or peer.mac or ""}
    if peer.pod is not None:
        shown = {f"{peer.namespace}/{peer.pod}", *(shown - {""})}
    return shown


def shown_protocols(event: FlowEvent) -> set[str]:
    shown = {event.protocol or "", (event.protocol or "").lower()}
    if event.protocol in {"ICMP", "ICMPv6"}:
        shown |= {"icmp", "ICMPv4" if event.protocol == "ICMP" else "ICMPv6"}
    if event.l7 is not None:
        shown |= {event.l7.protocol or "", event.l7.kind.upper()}
    return shown


def shown_identities(peer: Peer) -> set[str]:
    """Spellings of a peer's identity; 0 and ``unknown`` are none."""
    if peer.identity is None:
        return {"", "0", "unknown", peer.entity or ""}
    return {str(peer.identity), f"ID:{peer.identity}", peer.entity or ""}


def differences(row: dict[str, str], event: FlowEvent) -> list[str]:
    """What of a row the event does not say."""
    found = []

    def check(what: str, wanted: str, got: set[str]) -> None:
        if wanted not in got:
            found.append(f"{what}: wanted {wanted!r}, got {sorted(got)}")

    check("src", row["src"], shown_ends(event.src))
    check("dst", row["dst"], shown_ends(event.dst))
    check("port", row["port"], {"" if event.dst.port is None else str(event.dst.port)})
    check("proto", row["proto"], shown_protocols(event))
    check("direction", row["direction"], {event.direction.upper() if event.direction else ""})
    check("verdict", VERDICTS[row["verdict"]], {event.verdict.value})
    check("reason", row["drop_reason"], {event.reason_raw or ""})
    check("policy", row["policy"], {";".join(p.name or "" for p in event.policies)})
    for side, peer in (("src", event.src), ("dst", event.dst)):
        if row[f"{side}_identity"] and not row[f"{side}_identity"].startswith("4294967"):
            check(f"{side} identity", row[f"{side}_identity"], shown_identities(peer))
    return found


def test_index_rows_come_out_right():
    """Ends, port, protocol, direction, verdict, reason, policies and identities of every flow row agree."""
    wrong: list[str] = []
    rows = index_rows()
    by_file: dict[str, dict[int, list[Event]]] = {}
    for row in rows:
        name = row["file"]
        if name not in by_file:
            by_file[name] = {}
            for event in events_of(PARSERS[row["kind"]], name):
                by_file[name].setdefault(event.line, []).append(event)
        got = by_file[name].get(int(row["line"]), [])
        flows = [event for event in got if isinstance(event, FlowEvent)]
        where = f"{name}:{row['line']}"
        if len(flows) != 1:
            wrong.append(f"{where}: {len(flows)} flows, {got}")
        else:
            wrong += [f"{where}: {what}" for what in differences(row, flows[0])]
    assert len(rows) > 70
    assert not wrong, "\n".join(wrong)


def test_known_reasons_are_normalised():
    """Every textual drop reason of the samples has an enum name and a cause, but for numbers nobody knows."""
    unknown = set()
    for row in index_rows():
        for event in events_of(PARSERS[row["kind"]], row["file"]):
            if isinstance(event, FlowEvent) and event.reason_raw is not None and event.reason is None:
                unknown.add(event.reason_raw)
    assert unknown == {"123"}


def test_nothing_of_the_flow_samples_is_unreadable():
    """The samples are whole: none of their lines ends as a warning."""
    warnings = [
        (row["file"], event.line, event.code)
        for row in {r["file"]: r for r in index_rows()}.values()
        for event in events_of(PARSERS[row["kind"]], row["file"])
        if isinstance(event, ParseWarning)
    ]
    assert warnings == []


@pytest.mark.parametrize("name", sorted(SIGNALS))
def test_agent_samples_give_their_signals(name):
    """Each agent log line becomes a message, with the signal that it stands for."""
    events = events_of(CiliumAgentLog(), name)
    assert [e.signal for e in events if isinstance(e, LogEvent)] == SIGNALS[name]
    assert not [e for e in events if isinstance(e, ParseWarning)]


def test_agent_policy_imports_name_their_policy():
    """An import names the object it imported, in the old form by labels and in the new by resource."""
    old = [e for e in events_of(CiliumAgentLog(), "agent-policy-add-1.6.log") if isinstance(e, ChangeEvent)]
    new = [
        e for e in events_of(CiliumAgentLog(), "agent-slog-policy-upsert.log") if isinstance(e, ChangeEvent)
    ]

    assert [(e.object.namespace, e.object.name) for e in old] == [("default", "l7-policy")]
    assert [e.object.name for e in new] == [
        "nlb-access-team-investment-treasury",
        "on-premise-access-team-investment-treasury",
        "snowflake-access-team-investment-treasury",
    ]


def test_sniffers_know_their_samples():
    """Of these parsers the right one is surest of each sample, by a clear margin."""
    sniffers = {
        "hubble-compact": HubbleCompact(),
        "hubble-dict": HubbleDict(),
        "hubble-table": HubbleTable(),
        "monitor": CiliumMonitor(),
        "agent-log": CiliumAgentLog(),
    }
    same = {"monitor-verbose": "monitor", "microscope": "monitor"}
    with INDEX.open(encoding="utf-8", newline="") as file:
        kinds = {row["file"]: row["kind"] for row in csv.DictReader(file)}
    wrong = {}
    for name, kind in kinds.items():
        head = (SAMPLES / name).read_bytes()[:65_536]
        scores = {key: parser.sniff(head) for key, parser in sniffers.items()}
        own = scores.pop(same.get(kind, kind), None)
        best_other = max(scores.values())
        if (own is None and best_other >= 0.6) or (own is not None and own - max(best_other, 0.6) < 0.2):
            wrong[name] = (own, scores)
    assert wrong == {}
