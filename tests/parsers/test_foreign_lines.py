"""Where several programs write one log, a parser says nothing of the others' lines, and loses none of its own."""

import pytest

from flowdiag.parserkit import Block, FlowEvent, ParseContext, ParseWarning
from flowdiag_parsers.aci.drop_log import OpflexDropLog
from flowdiag_parsers.azure.firewall_log import AzureFirewall
from flowdiag_parsers.kernel.nft_trace import NftTrace
from flowdiag_parsers.kernel.pwru import Pwru
from flowdiag_parsers.kernel.retis import Retis
from flowdiag_parsers.kernel.tcpdrop import GadgetTcpdrop
from flowdiag_parsers.nsx.packet_log import NsxFirewall
from tests.conftest import ROOT

SEARCHING = [
    AzureFirewall(),
    GadgetTcpdrop(),
    NftTrace(),
    NsxFirewall(),
    OpflexDropLog(),
    Pwru(),
    Retis(),
]
INPUTS = sorted(path for path in (ROOT / "fixtures" / "parsers").glob("*/*/input*") if path.is_file())


def read(parser, data):
    return list(parser.parse(Block(data=data, first_line=1, last=True), ParseContext(input="in")))


@pytest.mark.parametrize("parser", SEARCHING, ids=lambda one: one.name)
def test_no_connection_is_found_in_other_formats(parser):
    """Most parsers look for their records anywhere in a line, and tables have words in capitals."""
    found = {
        path.parts[-3:-1]: flows
        for path in INPUTS
        if path.parts[-3] != parser.name
        and (flows := [one for one in read(parser, path.read_bytes()) if isinstance(one, FlowEvent)])
    }

    assert found == {}


def test_a_message_of_somebody_else_is_no_sentence_that_was_cut():
    """Azure's older records have a sentence in `msg`, and so has every program that logs in JSON."""
    line = b'{"level":"info","ts":"2026-01-05T10:00:00Z","msg":"Reconciling","name":"web"}\n'

    assert read(AzureFirewall(), line) == []


@pytest.mark.parametrize("source", ["p/shop/checkout-7d9f8b6c5d-…", "x/shop/web-1:40001"])
def test_a_drop_whose_ends_do_not_fit_their_column_is_not_lost_silently(source):
    """A column of ig's that was too narrow ends with an ellipsis, where the port was."""
    row = f"worker-1  shop  web-1  web  0  4  {source}  s/data/db:5432  SYN_SENT  SYN  NETFILTER_DROP\n"
    found = read(GadgetTcpdrop(), row.encode())

    assert [(type(one), one.code) for one in found] == [(ParseWarning, "no-ends")]


TRACED = b'trace id %08x inet filter forward packet: iif "a" oif "b" ip saddr 10.0.1.7 ip daddr 10.0.2.9 ip protocol tcp tcp sport 1 tcp dport 80\n'
DROPPED = b"trace id %08x inet filter forward rule counter drop (verdict drop)\n"


def test_of_too_many_traced_packets_the_oldest_is_forgotten():
    """Packets that passed are never told to be over: they were all forgotten at once, and with them the last ones."""
    lines = [TRACED % number for number in range(1, 4100)]
    found = read(NftTrace(), b"".join([*lines, DROPPED % 4000, DROPPED % 1]))

    assert [type(one) for one in found] == [FlowEvent, ParseWarning]
    assert found[1].code == "no-ends"


def test_a_traced_packet_without_addresses_is_no_connection():
    """A drop of ARP is nobody's refusal; one of a packet whose line was cut is told."""
    arp = b'trace id 000000aa arp filter input packet: iif "a" ether saddr 02:00:00:00:00:01 arp operation request\n'
    arp_drop = b"trace id 000000aa arp filter input policy drop\n"
    cut = b'trace id 000000bb inet filter forward packet: iif "a" ip saddr 10.0.1.7 ip dad\n'

    assert read(NftTrace(), arp + arp_drop) == []
    assert [type(one) for one in read(NftTrace(), cut + DROPPED % 0xBB)] == [ParseWarning]
