"""Packet lines: what a prefix says, which way a packet went, and that no cut loses a refusal."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.parserkit import Block, Cause, FlowEvent, GapEvent, ParseContext, TimeSource, Verdict
from flowdiag_parsers.calico.bpf import CalicoBpf
from flowdiag_parsers.calico.component_log import CalicoLog
from flowdiag_parsers.netfilter.kernel_log import NetfilterLog
from flowdiag_parsers.netfilter.prefix import read_prefix

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
TAIL = "SRC=10.0.1.5 DST=192.0.2.10 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=40001 DPT=443 WINDOW=1 RES=0x00 SYN URGP=0 "


def _read(data, parser=None):
    block = Block(data=data.encode() if isinstance(data, str) else data, last=True)
    return list((parser or NetfilterLog()).parse(block, ParseContext(input="kern.log", year=2026)))


@pytest.mark.parametrize(
    ("prefix", "forwarded", "verdict", "cause"),
    [
        ("calico-packet: ", True, Verdict.LOGGED, None),
        ("calico-packet-deny: ", True, Verdict.LOGGED, None),
        ("calico-drop: ", True, Verdict.DENIED, Cause.POLICY),
        ("[UFW BLOCK] ", False, Verdict.DENIED, Cause.CONFIGURATION),
        ("[UFW BLOCK] ", True, Verdict.LOGGED, None),
        ("[UFW AUDIT INVALID] ", False, Verdict.LOGGED, None),
        ("FINAL_REJECT: ", True, Verdict.DENIED, Cause.CONFIGURATION),
        ("STATE_INVALID_DROP: ", True, Verdict.DENIED, Cause.FAULT),
        ("iptables denied: ", False, Verdict.DENIED, None),
        ("DROP:", False, Verdict.DENIED, None),
        # k3s writes it for each policy that does not match, whatever another one lets pass
        ("Jan  5 16:23:17 node-1 DROP by policy shop/web ", True, Verdict.LOGGED, None),
        # iptables -j TRACE: where the packet passed, whatever the chain is called
        ("TRACE: filter:KUBE-POD-FW-DROP:rule:1 ", True, Verdict.LOGGED, None),
        ("dropbear: ", False, Verdict.LOGGED, None),
        ("unblocked ", False, Verdict.LOGGED, None),
        ("", False, Verdict.LOGGED, None),
    ],
)
def test_a_prefix_says_no_more_than_its_software_means(prefix, forwarded, verdict, cause):
    """Only what always refuses what it logs is a denial; a Log rule decides nothing."""
    reading = read_prefix(prefix, forwarded)

    assert (reading.verdict, reading.cause) == (verdict, cause)


@pytest.mark.parametrize(
    ("prefix", "namespace", "name", "tier"),
    [
        ("calico-packet np:shop/web:sec: ", "shop", "web", "sec"),
        ("gnp:deny-all: ", None, "deny-all", None),
        # 29 characters and no end: the last part may be cut off, so it is not said.
        ("calico-packet np:storefront/c", "storefront", None, None),
        ("calico-packet np:shop/web:sec", "shop", "web", None),
        # Templates of other shapes: "%t/%k %p", "[%k] %p", "%p|%k|%t", "%k %n"; which word is the tier is not said.
        ("calico sec/np shop/web: ", "shop", "web", None),
        ("[knp] shop/web: ", "shop", "web", None),
        ("shop/web|snp|sec: ", "shop", "web", None),
        ("calico-packet gnp deny-all: ", None, "deny-all", None),
        ("calico-packet sec/np store/we", "store", None, None),
    ],
)
def test_a_template_names_the_policy_as_far_as_it_was_kept(prefix, namespace, name, tier):
    """iptables keeps 29 characters of a prefix; what may be a piece of a name is no name."""
    (hit,) = read_prefix(prefix, forwarded=True).policies

    assert (hit.namespace, hit.name, hit.tier, hit.effect) == (namespace, name, tier, "log")


@pytest.mark.parametrize(
    "prefix",
    [
        "calico-packet np web: ",
        "calico-packet np a/b c/d: ",
        "calico-packet gnp sec deny-all: ",
        "np gnp shop/web: ",
        "calico-packet shop/web: ",
        "calico-packet pro shop/web: ",
    ],
)
def test_a_template_that_can_be_read_in_two_ways_names_nobody(prefix):
    """A wrong name costs more than none; the text stays with the record."""
    assert read_prefix(prefix, forwarded=True).policies == ()


@pytest.mark.parametrize(
    ("entered", "left", "direction"),
    [
        ("cali43878a68a0a", "eth0", "egress"),
        ("eth0", "cali43878a68a0a", "ingress"),
        ("cali43878a68a0a", "calia4fc3c48bd8", None),
        ("cali43878a68a0a", "", "egress"),
        ("vxlan.calico", "eni43878a68a0a", "ingress"),
        ("eth0", "", "ingress"),
        ("", "eth0", "egress"),
        ("eth0", "cni0", None),
    ],
)
def test_direction_is_known_only_from_interfaces(entered, left, direction):
    """With pods on both sides either policy may have logged it; plain forwarding has no direction."""
    (event,) = _read(f"calico-packet: IN={entered} OUT={left} {TAIL}")

    assert event.direction == direction
    assert (event.interface_in, event.interface_out) == (entered or None, left or None)


def test_repeated_keys_keep_their_places():
    """The first LEN and ID are the IP header's; an ICMP error's quoted packet lends nothing."""
    (event,) = _read(
        "calico-packet: IN=eth0 OUT= SRC=192.0.2.1 DST=10.0.1.9 LEN=88 TOS=0x00 PREC=0xC0 TTL=62 ID=5 PROTO=ICMP "
        "TYPE=3 CODE=1 [SRC=10.0.1.9 DST=198.51.100.7 LEN=60 TOS=0x00 PREC=0x00 TTL=61 ID=7 DF PROTO=TCP SPT=41000 "
        "DPT=8080 WINDOW=64240 RES=0x00 SYN URGP=0 ] "
    )

    assert (event.src.ip, event.dst.ip, event.protocol) == ("192.0.2.1", "10.0.1.9", "ICMP")
    assert (event.icmp.type, event.icmp.code) == (3, 1)
    assert (event.src.port, event.dst.port, event.tcp_flags) == (None, None, None)


@pytest.mark.parametrize("cut", range(len(TAIL)))
def test_a_line_cut_anywhere_never_says_a_wrong_address_or_port(cut):
    """What may be half a number is left out, or warned of."""
    (event,) = _read(f"calico-packet: IN=eth0 OUT=cali43878a68a0a {TAIL[:cut]}")

    if cut <= TAIL.index(" LEN="):
        assert (event.code, event.line) == ("truncated", 1)
    if cut >= TAIL.index(" TOS="):
        assert isinstance(event, FlowEvent)
        whole = cut > TAIL.index(" WINDOW=")
        assert (event.src.port, event.dst.port) == ((40001, 443) if whole else (None, None))
    if isinstance(event, FlowEvent):
        assert (event.src.ip, event.dst.ip) == ("10.0.1.5", "192.0.2.10")


@given(
    prefix=st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=29),
    entered=st.sampled_from(["", "eth0", "cali43878a68a0a"]),
)
def test_no_refusal_is_lost_by_skipping(prefix, entered):
    """Whatever a rule writes before it, a packet line holds a mark."""
    parser = NetfilterLog()
    line = f"Mar  2 10:00:00 node-1 kernel: {prefix}IN={entered} OUT= {TAIL}".encode()
    marks = parser.denied_marks(line)

    told = [event for event in _read(line, parser) if isinstance(event, GapEvent | FlowEvent)]
    assert told
    assert any(mark in line for mark in marks)


@given(st.text(alphabet="[]()=: INOUTSRCDST0.9\t", max_size=300))
def test_hostile_text_is_read_without_error(text):
    """No arrangement of the words of the format raises."""
    for event in _read(f"IN=a OUT=b {text}"):
        assert event.line >= 1


@pytest.mark.parametrize(
    ("folder", "parser"),
    [("netfilter", NetfilterLog), ("calico-bpf", CalicoBpf), ("calico-log", CalicoLog)],
)
@given(data=st.data())
def test_events_do_not_depend_on_where_blocks_are_cut(folder, parser, data):
    """Blocks cut between records give what one block gives."""
    path = data.draw(st.sampled_from(sorted(FIXTURES.glob(f"{folder}/*/input.*"))))
    content = path.read_bytes()
    reader = parser()
    starts = getattr(reader, "record_start", lambda _line: True)
    lines = content.splitlines(keepends=True)
    places = [index for index, line in enumerate(lines) if index and starts(line)]
    cuts = sorted(data.draw(st.sets(st.sampled_from(places), max_size=4))) if places else []
    context = ParseContext(input="cut", year=2026)
    pieces = []
    for first, end in pairwise([0, *cuts, len(lines)]):
        block = Block(data=b"".join(lines[first:end]), first_line=first + 1, last=end == len(lines))
        pieces += list(reader.parse(block, context))

    whole = parser().parse(Block(data=content, last=True), ParseContext(input="cut", year=2026))
    assert pieces == list(whole)


@pytest.mark.parametrize("name", ["MESSAGE", "message"])
def test_a_journal_entry_is_read_under_either_spelling(name):
    """Collectors write the journal's fields in capitals, and the message beside them in small letters."""
    entry = {name: f"calico-packet: IN=eth0 OUT=cali1 MAC= {TAIL}", "_HOSTNAME": "n1"}
    (event,) = _read(json.dumps(entry))

    assert (event.node, event.src.ip, event.verdict_raw) == ("n1", "10.0.1.5", "calico-packet")


def test_a_packet_line_in_an_unknown_wrapper_is_not_passed_over_in_silence():
    """JSON of a collector that nobody knows: a warning says that a packet line was in it."""
    (warning,) = _read(json.dumps({"body": f"calico-packet: IN=eth0 OUT=cali1 MAC= {TAIL}"}))

    assert (warning.code, warning.line) == ("unknown-wrapper", 1)


@pytest.mark.parametrize(
    "head",
    ["kern  :warn  : [Mon Jan  5 10:00:00 2026] ", "192.0.2.2: kern: warning: [2026-01-05T10:00:00Z]: "],
)
def test_the_time_in_a_kernel_s_head_is_the_line_s(head):
    """dmesg with facility and time, and Talos, which also says of which node."""
    (event,) = _read(f"{head}calico-drop: IN=eth0 OUT=cali1 MAC= {TAIL}")

    assert (event.at, event.time_source) == (1767607200 * 10**9, TimeSource.RECORD)


@pytest.mark.parametrize("head", ["node3 kern.log ", "Nov 20 10:59:44 node3 kern.log "])
def test_a_log_service_s_file_name_is_no_prefix(head):
    """LogDNA puts the host and the file before the line, with or without a time."""
    (event,) = _read(f"{head}[1234.567890] calico-packet: IN=eth0 OUT=cali1 MAC= {TAIL}")

    assert (event.node, event.verdict_raw) == ("node3", "calico-packet")


@pytest.mark.parametrize(
    ("head", "node"),
    [
        ("[ 1000.123456] node3 kernel: ", "node3"),
        ("[ 1000.123456][  T123] ", None),
        ("[ 1000.123456] [   C0] ", None),
        ("Jan  5 10:00:00 node3 kernel: [T123] ", "node3"),
        ("[ 1000.123456 <    0.000012 >] node3 kernel: ", "node3"),
        ("[Jan 5 10:00] ", None),
        ("[Jan05 10:00] ", None),
        ("[  +0.000012] ", None),
        ("kern  :warn  : [Mon Jan  5 10:00:00 2026] ", None),
        ("node3: kern: warning: [2026-01-05T10:00:00Z]: ", "node3"),
    ],
    ids=[
        *(
            "journalctl -o short-monotonic",
            "task",
            "processor",
            "task in syslog",
            "journalctl -o short-delta",
        ),
        *("dmesg -H", "dmesg -H, two digits", "dmesg -H, soon after", "dmesg -xT", "talosctl dmesg"),
    ],
)
def test_a_kernel_s_own_head_is_no_prefix(head, node):
    """Whatever journalctl, dmesg and talosctl print before a line: a firewall's prefix stays known."""
    (event,) = _read(f"{head}calico-drop: IN=eth0 OUT=cali1 MAC= {TAIL}")

    assert (event.node, event.verdict, event.verdict_raw) == (node, Verdict.DENIED, "calico-drop")
