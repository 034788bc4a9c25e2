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


XTABLES = b" TRACE: 2 %08x filter:FORWARD:rule:0x2:DROP  -4 -t filter -A FORWARD -j DROP\n"
PACKET = b"PACKET: 2 %08x IN=a OUT=b SRC=10.0.1.7 DST=10.0.2.9 LEN=60 TOS=0x0 TTL=63 ID=1DF SPORT=1 DPORT=8080 SYN \n"


def codes(events):
    return [(one.line, one.code if isinstance(one, ParseWarning) else one.dst.port) for one in events]


def test_a_drop_of_xtables_whose_packet_never_comes_is_said():
    """Until 1.8.7 the packet comes behind its first rule; where the file ends before, the drop was lost silently."""
    assert codes(read(NftTrace(), XTABLES % 1 + PACKET % 2 + XTABLES % 2)) == [(3, 8080), (1, "no-ends")]


def test_a_drop_of_xtables_that_is_forgotten_is_said():
    """Of too many traced packets the oldest is forgotten."""
    passed = b"".join(PACKET % number for number in range(2, 4200))

    assert codes(read(NftTrace(), XTABLES % 1 + passed)) == [(1, "no-ends")]


def test_a_drop_of_xtables_waits_for_the_next_block():
    """Only the input's end says that nothing comes any more."""
    parser, context = NftTrace(), ParseContext(input="in")
    first = list(parser.parse(Block(data=XTABLES % 1, first_line=1), context))
    second = list(parser.parse(Block(data=PACKET % 1, first_line=2, last=True), context))

    assert (first, codes(second)) == ([], [(2, 8080)])


def test_a_packet_of_xtables_that_was_cut_is_said():
    """What has no address is either not of IP, whose header is then in hex, or was cut."""
    cut = b"PACKET: 2 00000001 IN=a OUT=b SRC=10.0.1.7 DST=10.0.\n"
    bridged = b"PACKET: 7 00000002 IN=a OUT=b NH=450000 \n"

    assert codes(read(NftTrace(), cut + XTABLES % 1 + bridged + XTABLES % 2)) == [(2, "no-ends")]


def test_no_port_is_taken_of_the_end_of_a_cut_trace():
    """Until 1.8.7 the packet's line completes a drop, and may itself be the last one."""
    whole = PACKET % 1
    for end in range(len(whole) - 1):
        for event in read(NftTrace(), XTABLES % 1 + whole[:end]):
            assert isinstance(event, ParseWarning) or event.dst.port in (None, 8080), whole[:end]


def test_a_packet_behind_its_rule_in_one_line_is_its_packet():
    """A rule that the tool could not print ends without a newline, until 1.8.7."""
    line = b" TRACE: 2 00000001 filter:FORWARD:rule:0x9:DROP " + PACKET % 1

    assert codes(read(NftTrace(), line)) == [(1, 8080)]


def test_a_rule_that_the_monitor_does_not_know_drops_as_well():
    """Rules that were written since nft monitor began have a handle alone."""
    line = b"trace id 0000000b inet filter forward unknown rule handle 41 (verdict drop)\n"

    assert codes(read(NftTrace(), TRACED % 0xB + line)) == [(2, 80)]


DROPPED_PACKET = (
    '{"dst":{"addr":"10.0.2.9","port":80},"src":{"addr":"10.0.1.7","port":40001},"reason":"SKB_DROP_REASON_NETFILTER_DROP",'
    '"state":"%s","tcpflags":"%s"}\n'
)


@pytest.mark.parametrize(
    ("state", "flags", "source"),
    [
        ("tcp_syn_sent", "SYN", "10.0.1.7"),
        # The server's answer, which the client's node dropped.
        ("tcp_syn_sent", "SYN|ACK", "10.0.2.9"),
        ("SYN_SENT", "ACK|RST", "10.0.2.9"),
        ("tcp_established", "SYN|ACK", "10.0.2.9"),
        # A server's own answer, and its client's call that came again.
        ("tcp_new_syn_recv", "SYN|ACK", "10.0.1.7"),
        ("tcp_syn_recv", "SYN", "10.0.2.9"),
        # Either may have sent it.
        ("tcp_established", "ACK", "10.0.1.7"),
    ],
)
def test_the_gadgets_source_is_the_sockets_own_end(state, flags, source):
    """What came in is told with the same ends as what went out: a client was said to be called by its server."""
    (flow,) = read(GadgetTcpdrop(), (DROPPED_PACKET % (state, flags)).encode())

    assert (flow.src.ip, {flow.src.ip, flow.dst.ip}) == (source, {"10.0.1.7", "10.0.2.9"})


def test_a_rules_tag_of_a_datagram_is_no_flags():
    """Behind the ports of UDP only the rule's tag follows, which may be of the letters that TCP's flags have."""
    line = b"2026-01-05T10:00:00.647Z 028cd586 INET match DROP mainrs/1027 IN 60 UDP 10.4.0.3/40001->10.4.0.4/53 SAP\n"

    assert [(one.dst.port, one.tcp_flags) for one in read(NsxFirewall(), line)] == [(53, None)]


@pytest.mark.parametrize("word", ["196609", "OVS_DROP_LAST_ACTION", "SKB_DROP_REASON_NETFILTER_DROP"])
def test_a_drop_that_a_policy_may_be_behind_is_no_fault(word):
    """A number stands where the kernel's types name no reason of Open vSwitch, whose own names begin otherwise."""
    line = (DROPPED_PACKET % ("tcp_syn_sent", "SYN")).replace("SKB_DROP_REASON_NETFILTER_DROP", word)

    assert [(one.verdict, one.cause) for one in read(GadgetTcpdrop(), line.encode())] == [("denied", None)]
