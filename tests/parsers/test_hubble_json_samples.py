"""The published Hubble JSON samples agree with their index, row by row."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from flowdiag.parserkit import Block, FlowEvent, ParseContext
from flowdiag_parsers.hubble.flow_json import HubbleJson

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "cilium"

if not SAMPLES.is_dir():
    pytest.skip("the shared samples are not here", allow_module_level=True)


def _rows():
    rows = defaultdict(list)
    with (SAMPLES / "index.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["file"].startswith("hubble-") and ".json" in row["file"]:
                rows[row["file"]].append(row)
    return rows


ROWS = _rows()


def _end(peer):
    return f"{peer.namespace}/{peer.pod}" if peer.pod is not None else peer.ip or ""


def _said(event):
    protocol = {"ICMP": "ICMPv4"}.get(event.protocol, event.protocol)
    return {
        "src": _end(event.src),
        "dst": _end(event.dst),
        "port": "" if event.dst.port is None else str(event.dst.port),
        "proto": protocol or "",
        "direction": event.direction.upper() if event.direction is not None else "",
        "verdict": event.verdict_raw or "",
        "drop_reason": event.reason or "",
        "policy": ",".join(f"{hit.namespace}/{hit.name}" for hit in event.policies),
        "src_identity": str(event.src.identity or ""),
        "dst_identity": str(event.dst.identity or ""),
    }


@pytest.mark.parametrize("name", sorted(ROWS))
def test_sample_agrees_with_index(name):
    """Every row's source, destination, port, protocol, direction, verdict, reason and policy are what `parse` says."""
    data = (SAMPLES / name).read_bytes()
    events = list(HubbleJson().parse(Block(data=data, last=True), ParseContext(input=name)))
    flows = {event.line: event for event in events if isinstance(event, FlowEvent)}

    differences = []
    for row in ROWS[name]:
        event = flows.get(int(row["line"]))
        if event is None:
            differences.append(f"{name}:{row['line']}: no flow")
            continue
        for field, said in _said(event).items():
            # The index leaves identities out where its author did not need them.
            if row[field] != said and not (field.endswith("_identity") and not row[field]):
                differences.append(f"{name}:{row['line']}: {field} is {said!r}, index {row[field]!r}")

    assert differences == []
    assert len(events) == len(flows)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_sample_is_recognised(name):
    """Each of them is surely Hubble JSON."""
    assert HubbleJson().sniff((SAMPLES / name).read_bytes()[:65_536]) >= 0.9


def test_other_samples_are_not_claimed():
    """No other sample of any CNI looks like Hubble JSON."""
    claimed = [
        path.name
        for path in sorted(SAMPLES.parent.rglob("*"))
        if path.is_file()
        and not path.name.startswith("hubble-")
        and path.suffix not in {".note", ".csv"}
        and HubbleJson().sniff(path.read_bytes()[:65_536]) > 0.5
    ]

    assert claimed == []
