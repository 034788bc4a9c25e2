"""Numbers past 64 bits, which anybody may write into a record of JSON, cost nobody a worker, a file or a sum."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowdiag.ingest import Gathered, ReadOptions, run
from flowdiag.parserkit import Block, ParseContext, registry
from flowdiag.parserkit.promises import sound
from flowdiag.tally import Tally

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
# "count":3 of GKE, "num_flows":2 of Calico, "drop_reason_desc":133 of Hubble
_NUMBER = re.compile(rb"(?<=[:,\[ ])\d+(?=[,}\] ])")
WITH_JSON = sorted(
    name
    for name in registry.available("flowdiag.parsers")
    if any(b"{" in path.read_bytes()[:300] for path in FIXTURES.glob(f"{name}/*/input.json*"))
    or name
    in ("gke-policy-action", "netobserv-flow", "kubernetes-audit", "cilium-monitor-json", "envoy-rbac")
)
_RECORD = (
    '{"connection":{"src_ip":"192.0.2.8","dest_ip":"192.0.2.11","src_port":45084,"dest_port":8080,"protocol":"tcp",'
    '"direction":"ingress"},"disposition":"deny","src":{"pod_name":"client","pod_namespace":"shop"},'
    '"dest":{"pod_name":"web","pod_namespace":"shop"},"count":%s,"timestamp":"2026-01-05T10:00:3%d.445836587Z"}\n'
)


@pytest.mark.parametrize("long", [b"1" + b"0" * 26, b"1e30", b"9223372036854775807", b"-1"])
@pytest.mark.parametrize("name", WITH_JSON)
def test_every_number_may_be_too_long(name, long):
    """Whatever number of a record it stands for: the events are sound, and what is counted can be sent."""
    parser = registry.load("flowdiag.parsers", name).plugin
    looked = 0
    for path in sorted(FIXTURES.glob(f"{name}/*/input.*")):
        data = path.read_bytes()[:6000] if path.suffix not in (".gz", ".zst") else b""
        for start, end in [found.span() for found in _NUMBER.finditer(data)][:60]:
            block = Block(data=data[:start] + long + data[end:], last=True)
            for event in parser.parse(block, ParseContext(input="log", keep_raw=True)):
                sound(event)
            tally = Tally()
            tally.take(parser, block, ParseContext(input="log"))
            tally.to_bytes()
            looked += 1
    assert looked


@pytest.mark.parametrize("count", ["1" + "0" * 26, "9223372036854775807"])
def test_a_count_that_no_sum_can_hold(count, tmp_path):
    """One process and two read the same, and the sum of it fits 64 bits."""
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text("".join(_RECORD % (count, number) for number in range(5)))

    def read(processes: int):
        with Gathered([str(tmp_path)]) as gathered:
            found = run(gathered, ReadOptions(processes=processes))
        return found.tally.records, found.tally.flows(), found.problems

    records, flows, problems = read(1)
    assert (records, problems) == (10, ())
    assert 10 <= sum(flow.count for flow in flows) < 1 << 63
    assert read(2) == (records, flows, problems)
