"""Folding is reading, on every parser's goldens and on real samples: whole, cut, joined, of CR LF, and with bytes and numbers changed."""

import random
import re
from pathlib import Path

import pytest

from flowdiag.parserkit import Block, ParseContext, line_forms, registry
from flowdiag.parserkit.native import native
from flowdiag.tally import Tally

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT.parent / "shared" / "samples"
MOST_BYTES = 40_000
COMPACT = b"Feb  7 13:43:46.791: shop/web-1:54842 (ID:22654) -> shop/api-1:80 (ID:16530) to-endpoint FORWARDED (TCP Flags: ACK, PSH)"
TABLE = b"Dec 15 16:01:12.118   shop/web-1:8181   10.14.0.77:41010   from-endpoint   FORWARDED   TCP Flags: SYN, ACK"
DICT = (
    b"  TIMESTAMP: Dec 15 16:01:12.118\n     SOURCE: shop/web-1:8181\nDESTINATION: 10.14.0.77:41010\n       TYPE: from-endpoint\n"
    b"    VERDICT: FORWARDED\n    SUMMARY: TCP Flags: SYN, ACK\n------------"
)
MONITOR = (
    b"-> endpoint 61 flow 0x9bdd31c4 , identity 1000->2000 state established ifindex lxc61 orig-ip 10.0.1.7: "
    b"10.0.1.7:45002 -> 10.0.2.9:8080 tcp ACK, PSH"
)
WEAVE = b"WARN: 2026/01/05 10:00:06.963438 TCP connection from 10.32.0.17:43912 to 10.32.0.5:8080 blocked by Weave NPC."
ROW = (
    b"1767607200,1767607260,10.10.0.79,10.10.0.80,44752,5201,TCP,client-1,shop,worker-1,web-1,shop,worker-2,10.96.0.10,10.96.0.10,80,"
    b"shop/web:http,web,shop,rule-1,Drop,K8sNetworkPolicy,,,,Invalid,Invalid,,,"
)
TRACE = (
    b"            curl-5288    [000] ..s2.  3055.982021: bpf_trace_printk: cali43878a68a0a-E: policy DENIED proto 6 "
    b"src 10.0.1.5:56042 dest 192.0.2.12:80"
)
QUIET = b'time=2026-03-17T14:09:46.120Z level=info source=/go/log.go:112 msg="Rewrote endpoint BPF program" module=agent.datapath'
NODE = b"2026-03-02 10:00:00.077 [INFO][83] felix/summary.go 100: Summarising 11 dataplane reconciliation loops over 1m4.5s"
AGENT = (
    b'{"level":"info","ts":"2026-01-05T10:00:01.562Z","caller":"runtime/asm_arm64.s:1223","msg":"Flow Info: Src IP: 10.0.2.50 '
    b'Src Port: 45000 Dest IP: 10.0.1.100 Dest Port: 443 Proto TCP Verdict DENY Direction egress"}'
)
ULOGD = (
    b"Jan  5 16:23:17 worker-1  IN=cni0 OUT=cni0 MAC=a6:7c:4a:a7:8e:7c:06:15:37:ba:07:a9:08:00 SRC=10.42.0.9 DST=10.42.0.10 LEN=60 "
    b"TOS=00 PREC=0x00 TTL=64 ID=18210 DF PROTO=TCP SPT=35218 DPT=80 SEQ=949388975 ACK=0 WINDOW=62377 SYN URGP=0 MARK=0 "
)
ACL = (
    b'2026-01-05T16:28:54.139Z|00004|acl_log(ovn_pinctrl0)|INFO|name="NP:shop:Ingress", verdict=drop, severity=alert, direction=to-lport: '
    b"tcp,vlan_tci=0x0000,dl_src=0a:58:0a:83:00:27,dl_dst=0a:58:0a:81:02:23,nw_src=10.131.0.39,nw_dst=10.129.2.35,nw_tos=0,nw_ecn=0,"
    b"nw_ttl=62,nw_frag=no,tp_src=58496,tp_dst=8080,tcp_flags=syn"
)
TEXTS = 40
"""Of changed lines, for each parser; as many as take some seconds together."""
PARSERS = [
    one
    for one in (
        registry.load("flowdiag.parsers", name).plugin for name in registry.available("flowdiag.parsers")
    )
    if hasattr(one, "fold") and not one.document
]

CHANGED = [
    pytest.param(*case, id=f"{case[0]}-{number}")
    for number, case in enumerate(
        (
            ("hubble-compact", COMPACT, b"ACK, PSH", b"ACK FIN"),
            ("hubble-compact", COMPACT, b"ACK, PSH", b"ACK,FIN"),
            ("hubble-compact", COMPACT, b"ACK, PSH", b"ACK, FIN  "),
            ("hubble-compact", COMPACT, b":54842", b":65536"),
            (
                "hubble-compact",
                COMPACT,
                b"(TCP Flags: ACK, PSH)",
                b"(ICMPv4 EchoRequest(99999999999999999999))",
            ),
            ("hubble-table", TABLE, b"SYN, ACK", b"SYN ACK"),
            ("hubble-table", TABLE, b"SYN, ACK", b"SYN,ACK"),
            ("hubble-table", TABLE, b":41010", b":99999"),
            ("hubble-dict", DICT, b"SYN, ACK", b"SYN,,ACK"),
            ("cilium-monitor", MONITOR, b"ACK, PSH", b"ACK, FIN ,PSH"),
            ("cilium-monitor", MONITOR, b"tcp ACK, PSH", b"tcp  FIN, ACK"),
            ("cilium-monitor", MONITOR, b":45002", b":70000"),
            ("weave-npc", WEAVE, b":43912", b":65536"),
            ("antrea-flows", ROW, b",44752,", b",99999,"),
            ("calico-bpf", TRACE, b":56042", b":99999"),
            ("calico-bpf", TRACE, b"..s2.", b"..s\x1c2."),
            ("cilium-agent-log", QUIET, b"time=2026", b'time="2026'),
            ("calico-log", NODE, b"summary.go", b"sum\x1fmary.go"),
            ("calico-log", NODE, b"[INFO]", b"[INAFO]"),
            ("aws-network-policy-agent", AGENT, b"asm_arm64", b"asm_\x0crm64"),
            ("aws-network-policy-agent", AGENT, b"asm_arm64", b"asm_\\qrm64"),
            ("nflog", ULOGD, b"SPT=35218", b"SPT=65536"),
            ("ovn-acl", ACL, b"tp_src=58496", b"tp_src=65536"),
        )
    )
]
"""Parser, a line, and a change that a fold once did not see."""


def sources(parser):
    """Its goldens, and the real samples that it claims."""
    found = [
        path.read_bytes() for path in sorted((ROOT / "fixtures/parsers" / parser.name).glob("*/input.*"))
    ]
    if SAMPLES.is_dir():
        heads = (
            (path, path.read_bytes()[:MOST_BYTES]) for path in sorted(SAMPLES.rglob("*")) if path.is_file()
        )
        found += [data for _, data in heads if parser.sniff(data) >= 0.5]
    return [data for data in found if not data.startswith((b"\x1f\x8b", b"\x28\xb5"))]


def variants(lines, dice):
    """The lines twice over, so that the second time they are known; then damaged in every way."""
    twice = [*lines, *lines]
    yield b"\n".join(twice) + b"\n"
    yield b"\r\n".join(twice)
    for _ in range(3):
        some = twice.copy()
        for _ in range(1 + len(some) // 8):
            at = dice.randrange(len(some))
            line = some[at]
            some[at] = dice.choice(
                [
                    line[: dice.randrange(len(line) + 1)],
                    line[dice.randrange(len(line) + 1) :],
                    line + dice.choice(some),
                    line.replace(b" ", b"\xff", 1),
                    line.replace(b"=", "ä".encode(), 1),
                    b"\xc3" + line,
                    line + b"\r",
                    b"a foreign line",
                ]
            )
        yield b"\n".join(some) + dice.choice([b"", b"\n"])


_NUMBER = re.compile(rb"\d+")
NUMBERS = (
    *(
        b"0",
        b"1",
        b"00",
        b"007",
        b"12",
        b"31",
        b"59",
        b"60",
        b"61",
        b"99",
        b"255",
        b"256",
        b"999",
        b"1023",
        b"1024",
    ),
    *(
        b"32767",
        b"32768",
        b"40000",
        b"65535",
        b"65536",
        b"99999",
        b"123456",
        b"999999",
        b"1234567",
        b"000000080",
    ),
    *(
        b"123456789",
        b"1999999999",
        b"4294967296",
        b"9999999999",
        b"12345678901",
        b"18446744073709551616",
        b"9" * 24,
    ),
)
"""Around every bound that formats have."""
BYTES = (
    *(
        b"%c" % one
        for one in b"\0\x01\t\v\f\r\x1b\x1c\x1f !\"#%&'()*+,-./059:;<=>?@AEFINPSTZ[\\]_abefinpstxz{|}~\x7f"
    ),
    *(
        b"\x80",
        b"\xff",
        b"\xc3",
        "ä".encode(),
        "٣".encode(),
        "\u0085".encode(),
        "\u2028".encode(),
        b"  ",
        b"::",
        b"-1",
    ),
)
"""What separates, quotes, escapes and counts somewhere, and what counts as a blank or a digit to some."""


def changed(line, others, dice):
    """A line with a byte or a number of it changed, put in or left out."""
    at = dice.randrange(len(line) + 1)
    numbers = list(_NUMBER.finditer(line))
    way = dice.randrange(8)
    if way < 3 and numbers:
        number = dice.choice(numbers)
        other = dice.choice(NUMBERS) if way else b"%d" % max(0, int(number[0]) + dice.choice((-1, 1, 7)))
        return line[: number.start()] + other + line[number.end() :]
    if way < 5:
        return line[:at] + dice.choice(BYTES) + line[at + 1 :]
    if way == 5:
        return line[:at] + dice.choice(BYTES) + line[at:]
    if way == 6:
        return line[:at] + line[at + 1 :]
    words = list(re.finditer(rb"[^\s,=:\"]+", line))
    more = re.findall(rb"[^\s,=:\"]+", dice.choice(others))
    if not words or not more:
        return line
    word = dice.choice(words)
    return line[: word.start()] + dice.choice(more) + line[word.end() :]


def mutated(lines, dice, most):
    """The lines twice over with some of the second round changed, some of those twice; and how many were changed."""
    some, count = [*lines, *lines], 0
    for _ in range(most):
        at = dice.randrange(len(some))
        line = some[at]
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            line = changed(line, lines, dice)
            count += 1
        some[at] = line
        if dice.random() < 0.3:
            some.insert(dice.randrange(len(some)), line)
    return some, count


@pytest.fixture(autouse=True, params=["extension", "Python"])
def _counted_by(request, monkeypatch):
    """Known records are counted by one and the other."""
    if request.param == "Python":
        monkeypatch.setattr(line_forms, "native", lambda: None)
    elif native() is None:
        pytest.skip("flowdiag_native is not installed (make native; it wants a C compiler)")


def tallied(parser, data, at, *, folded):
    """All that a tally says of `data` in two blocks, the second of which begins behind `at`."""
    tally, context = Tally(), ParseContext(input="in", year=2026, keep_raw=True)
    cut = data.find(b"\n", at) + 1
    parts = [(data[:cut], 1), (data[cut:], 1 + data.count(b"\n", 0, cut))] if cut else [(data, 1)]
    for number, (part, first) in enumerate(parts, 1):
        block = Block(data=part, first_line=first, last=number == len(parts))
        if folded:
            tally.take(parser, block, context)
        else:
            for event in parser.parse(block, context):
                tally.add(event, parser.name, "in")
    return (
        tally.flows(),
        tally.inputs,
        tally.dns,
        tally.logs,
        tally.gaps,
        tally.changes,
        tally.warnings,
        tally.warning_counts,
    )


def same(parser, text, at):
    """Whether folding and reading tell the same of it, cut there."""
    return tallied(parser, text, at, folded=True) == tallied(parser, text, at, folded=False)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda one: one.name)
def test_folding_a_sample_is_reading_it(parser):
    """The same flows, counts, examples, gaps and warnings."""
    found = sources(parser)
    assert found
    for number, data in enumerate(found):
        dice = random.Random(number)  # noqa: S311 - test data
        lines = data[:MOST_BYTES].split(b"\n")[:60]
        for text in variants(lines, dice):
            at = dice.randrange(len(text))
            assert tallied(parser, text, at, folded=True) == tallied(parser, text, at, folded=False), text[
                :400
            ]


@pytest.mark.parametrize("parser", PARSERS, ids=lambda one: one.name)
def test_folding_changed_bytes_and_numbers_is_reading_them(parser):
    """Among the lines they came from, so that a fold that takes one for its neighbour's kind is found."""
    found, dice = sources(parser), random.Random(parser.name)  # noqa: S311 - test data
    for _ in range(TEXTS):
        lines = dice.choice(found)[:MOST_BYTES].split(b"\n")
        start = dice.randrange(max(1, len(lines) - 20))
        some, _ = mutated(lines[start : start + 24], dice, dice.randrange(1, 16))
        text = b"\n".join(some) + dice.choice([b"", b"\n"])
        assert same(parser, text, dice.randrange(len(text) + 1)), text[:400]


@pytest.mark.parametrize(("name", "line", "was", "becomes"), CHANGED)
def test_one_change_that_makes_another_record(name, line, was, becomes):
    """A record like one that is known but for what no known record has is not counted as that one."""
    parser = registry.load("flowdiag.parsers", name).plugin
    assert was in line
    other = line.replace(was, becomes)
    for lines in ([line, other], [other, line], [*[line] * 6, other, other, line, b""]):
        assert same(parser, b"\n".join(lines) + b"\n", 0)
