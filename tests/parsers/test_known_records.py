"""Records that are known are counted, and not read: what folding is for.  That it counts right is `test_text_fold`'s."""

from __future__ import annotations

import pytest

from flowdiag.parserkit import Block, ParseContext, line_reading
from flowdiag.tally import Tally
from flowdiag_parsers.aci.drop_log import OpflexDropLog
from flowdiag_parsers.azure.firewall_log import AzureFirewall
from flowdiag_parsers.hubble.observe_compact import HubbleCompact
from flowdiag_parsers.hubble.observe_table import HubbleTable
from flowdiag_parsers.nsx.packet_log import NsxFirewall

# One kind of record each, with its clients' ports, seconds and flags; the year stands in those of no Hubble.
LINES = {
    HubbleCompact: "Apr 21 09:10:{second:02}.000: shop/web-1:{port} (ID:7) <> shop/api-1:80 (ID:8) Policy denied DROPPED "
    "(TCP Flags: {flags})",
    HubbleTable: "Apr 21 09:10:{second:02}.000   shop/web-1:{port}   shop/api-1:80   Policy denied   DROPPED   "
    "TCP Flags: {flags}",
    NsxFirewall: "2026-04-21T09:10:{second:02}.001Z 7396c504 INET match DROP 1024 OUT 60 TCP 10.0.1.5/{port}->10.0.2.9/80 "
    "{letter}",
    OpflexDropLog: "[2026-Apr-21 09:10:{second:02}.845663] [info] [ovs/PacketLogHandler.cpp:262:parseLog] Acc-SEC_GROUP_IN_TABLE MISS  "
    "SMAC=00:22:bd:f8:19:ff DMAC=0a:58:0a:02:00:c3 ETYP=IPv4 SRC=10.0.1.5 DST=10.0.2.9 LEN=60 DSCP=0 TTL=62 ID={port} FLAGS=2 FRAG=0 "
    "PROTO=TCP SPT={port} DPT=80 SEQ={port} ACK=0 LEN=10 WINDOWS=62020 {flags}  URGP=0",
    AzureFirewall: '{{"category":"AZFWNetworkRule","properties":{{"Action":"Deny","DestinationIp":"203.0.113.7","DestinationPort":443,'
    '"Protocol":"TCP","Rule":"r","RuleCollection":"c","SourceIp":"10.0.1.4","SourcePort":{port}}},"time":"2026-04-21T09:10:{second:02}.001Z"}}',
}


def made(parser, count, port):
    """Lines whose clients begin at a port; every third says one flag more."""
    head = "TIMESTAMP   SOURCE   DESTINATION   TYPE   VERDICT   SUMMARY\n" if parser is HubbleTable else ""
    return (
        head
        + "".join(
            LINES[parser].format(
                second=number % 60,
                port=port + number,
                flags="SYN",
                letter="SEW" if number % 3 else "S",
            )
            + "\n"
            for number in range(count)
        )
    ).encode()


@pytest.mark.parametrize("year", [2026, None])
@pytest.mark.parametrize("parser", LINES, ids=lambda one: one.name)
def test_records_of_a_known_kind_are_not_read_again(parser, year, monkeypatch):
    """Whether or not something tells the year of their stamps, and whatever else their flags are."""
    met = []
    meet = line_reading.LineReading.meet

    def counted(self, place, *rest):
        met.append(place)
        return meet(self, place, *rest)

    monkeypatch.setattr(line_reading.LineReading, "meet", counted)
    tally, context = Tally(), ParseContext(input="in", year=year)
    tally.take(parser(), Block(data=made(parser, 30, 40_000)), context)
    learnt = len(met)
    read = []
    monkeypatch.setattr(parser, "parse", lambda _self, block, _context: iter(read.append(block.data) or ()))
    tally.take(parser(), Block(data=made(parser, 300, 50_000), last=True), context)

    assert tally.flow_records == 330
    assert 0 < learnt < 10
    assert len(met) == learnt
    assert [line for line in read if not line.startswith(b"TIMESTAMP")] == []
