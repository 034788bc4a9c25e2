"""The scanner in C takes only lines like ones that were read in full, and what it counts is what reading gives."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.parserkit import Block, ParseContext, parse_rfc3339
from flowdiag.tally import Tally
from flowdiag_parsers.hubble import json_full, json_learnt, json_memory, json_teaching
from flowdiag_parsers.hubble.json_native import Found, new_scanner

sys.path.insert(0, str(Path(__file__).parent))

from test_hubble_json_fold import NAME, PARSER, exports, good, results, starts_like_lines, whole

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT.parent / "shared" / "samples"

pytestmark = pytest.mark.skipif(
    new_scanner() is None, reason="flowdiag_native is not installed (make native; it wants a C compiler)"
)


@pytest.fixture(autouse=True)
def _from_the_first_block(monkeypatch):
    """As if much had been read: the scanner is there at once."""
    monkeypatch.setattr(json_learnt, "_WORTH_SCANNING", 0)


def folded(blocks, ahead=0):
    """Folded block by block with what earlier blocks taught; the tally, and how many lines the scanner took.

    The parser is told of each block when so many before it are still to be folded.
    """
    tally = Tally()
    line, taken, all_of_them = 1, 0, []
    for at, data in enumerate(blocks):
        all_of_them.append(Block(data=data, first_line=line, last=at == len(blocks) - 1))
        line += data.count(b"\n") + (not data.endswith(b"\n"))
    context = ParseContext(input=NAME)
    for at, block in enumerate(all_of_them):
        if ahead:
            for one in all_of_them[at + ahead if at else 0 : at + ahead + 1]:
                tally.expect(PARSER, one, context)
        tally.take(PARSER, block, context)
        data = block.data
        learnt = tally._memos.get(PARSER.name, {}).get("hubble", {}).get("learnt")
        if learnt is not None and learnt.teaching is not None:
            found = learnt.teaching.scan(data, bare=data.find(b'"flow"', 0, 4096) < 0)
            laned = found.laned_of()
            taken += len(found.times) // 8 + len(laned[0]) + len(found.hits_of()[0])
            assert not found.akin
            numbers = [
                number
                for column in (found.sources, found.destinations)
                for number in memoryview(column).cast("i")
            ]
            numbers += laned[3] + laned[4]
            assert all(0 <= number < len(tally.table.peers) for number in numbers)
    return tally, taken


def flow(**changes):
    """A flow as the exporter writes it."""
    return {
        "time": "2026-04-01T10:00:00.123456789Z",
        "uuid": "7b1a0c9e-0000-4000-8000-000000000001",
        "verdict": "FORWARDED",
        "ethernet": {"source": "0a:58:0a:00:00:01", "destination": "0a:58:0a:00:00:02"},
        "IP": {"source": "10.0.0.1", "destination": "10.0.0.2", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 40_000, "destination_port": 8080, "flags": {"SYN": True}}},
        "source": {"ID": 7, "identity": 100, "namespace": "a", "labels": ["k8s:app=p"], "pod_name": "p"},
        "destination": {"identity": 101, "namespace": "b", "labels": ["k8s:app=q"], "pod_name": "q"},
        "Type": "L3_L4",
        "node_name": "c/n1",
        "event_type": {"type": 4, "sub_type": 3},
        "traffic_direction": "EGRESS",
        "is_reply": False,
        "Summary": "TCP Flags: SYN",
    } | changes


def written(one, *, bare=False):
    record = one if bare else {"flow": one, "node_name": one["node_name"], "time": one["time"]}
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def compared(*blocks):
    """Fold, alone and with a thread, compare with parsing, and say how many lines were taken."""
    tally, taken = folded(blocks)
    wanted = results(whole(b"".join(blocks)))
    assert results(tally) == wanted
    for ahead in (1, 2):
        tally, _ = folded(blocks, ahead)
        assert results(tally) == wanted
    return taken


def test_blocks_that_never_come_are_let_go():
    """A parser that was told of blocks, more than it begins with, is given others, then two of them out of order."""
    first = written(flow()) + written(flow(verdict="DROPPED", drop_reason_desc="POLICY_DENIED"))
    told = [Block(data=first * number, first_line=1, last=False) for number in range(2, 9)]
    tally, context = Tally(), ParseContext(input=NAME)
    given = [Block(data=first * 9, first_line=1, last=False), told[2], told[1], told[6]]
    tally.take(PARSER, Block(data=first, first_line=1, last=False), context)
    for block in told:
        tally.expect(PARSER, block, context)
    for block in given:
        tally.take(PARSER, block, context)

    assert tally.records == 2 * (1 + 9 + 4 + 3 + 8)


@settings(max_examples=150, deadline=None)
@given(data=exports.filter(starts_like_lines))
def test_what_was_read_once_is_counted_alike(data):
    """Odd and broken exports, read, then scanned: flows, counters, answers, gaps, warnings are those of parsing."""
    data = data if data.endswith(b"\n") or not data else data + b"\n"
    compared(data, data, data + b"\n" + data)


@settings(max_examples=200, deadline=None)
@given(
    found=st.lists(good, min_size=1, max_size=8),
    bare=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=4),
)
def test_any_changed_byte_is_seen(found, bare, changes):
    """Bytes of known lines are changed anywhere: either that makes no difference to parsing, or the line is left."""
    data = b"".join(written(one, bare=bare) for one in found)
    changed = bytearray(data)
    for at, byte in changes:
        changed[at % len(changed)] = byte
    compared(data, data, bytes(changed))


@pytest.mark.parametrize("start", [b"[", b"{\n", b" [", b"\n{\n"])
def test_a_block_of_lines_that_begins_like_a_document_is_lines(start):
    """Its first line was damaged: the others are counted as they are, wherever the input is cut."""
    line = written(flow())
    assert compared(line, start + line[len(start) :] + line * 3) >= 3


def test_lines_like_known_ones_are_taken():
    """Other times, ports, uuids and MAC addresses are no other line; replies are turned; nothing is read twice."""
    reply = flow(
        IP={"source": "10.0.0.2", "destination": "10.0.0.1", "ipVersion": "IPv4"},
        l4={"TCP": {"source_port": 8080, "destination_port": 40_000, "flags": {"SYN": True, "ACK": True}}},
        is_reply=True,
    )
    first = written(flow()) + written(reply)
    second = b"".join(
        written(
            flow(
                time=f"2026-04-01T10:{minute:02d}:59.{'9' * digits}Z",
                uuid=f"00000000-0000-4000-8000-{minute:012x}",
                ethernet={"source": "0a:58:0a:00:00:ff", "destination": "0a:58:0a:00:00:fe"},
                l4={
                    "TCP": {"source_port": 50_000 + minute, "destination_port": port, "flags": {"SYN": True}}
                },
            )
        )
        for minute in range(60)
        for digits, port in ((1, 8080), (9, 443), (3, 65_535))
    )
    # Ports of another class can be a reply's: 65,535 and 443 are read once each.
    assert compared(first, second, second) >= 2 + 178 + 180


def test_services_and_bare_addresses():
    """Ends with a service beside them, and ends of which only the address is known, are the same ends."""
    served = flow(destination_service={"name": "q", "namespace": "b"})
    reply = flow(
        IP={"source": "10.0.0.2", "destination": "10.0.0.1", "ipVersion": "IPv4"},
        source_service={"name": "q", "namespace": "b"},
        is_reply=True,
    )
    outside = flow(
        IP={"source": "10.0.0.1", "destination": "198.51.100.7", "ipVersion": "IPv4"},
        destination={},
    )
    nobody = flow(source={}, destination={})
    block = b"".join(written(one) for one in (served, reply, outside, nobody))
    # Of the first block nothing is taken as it is read, then all but the two addresses without names.
    assert compared(block, block) == 6


def test_refusals_are_counted_one_by_one():
    """Refused, audited and failed ones: seconds, ports, flags, examples with their lines, services, names, policies."""
    drop = {
        "drop_reason": 133,
        "drop_reason_desc": "POLICY_DENIED",
        "event_type": {"type": 1, "sub_type": 133},
    }
    kinds = [
        flow(verdict="DROPPED", **drop),
        flow(verdict="AUDIT", event_type={"type": 5}),
        flow(verdict="ERROR", is_reply=None, traffic_direction="INGRESS"),
        # No word of whether it is a reply: the ports say.
        flow(verdict="DROPPED", is_reply=None, **drop)
        | {"l4": {"TCP": {"source_port": 443, "destination_port": 50_000, "flags": {"ACK": True}}}},
        flow(verdict="DROPPED", is_reply=True, source_service={"name": "q", "namespace": "b"}, **drop),
        flow(verdict="DROPPED", destination_names=["q.example.com"], destination={}, **drop),
        flow(
            verdict="DROPPED",
            egress_denied_by=[{"name": "deny", "namespace": "a", "labels": ["k8s:x=y"], "revision": "3"}],
            **drop,
        ),
        flow(verdict="DROPPED", l4={"ICMPv4": {"type": 8}}, **drop),
        # Housekeeping, which only the addresses tell.
        flow(verdict="DROPPED", **drop | {"drop_reason": 139, "drop_reason_desc": "UNSUPPORTED_L2_PROTOCOL"})
        | {"IP": {"source": "10.0.0.1", "destination": "ff02::2", "ipVersion": "IPv6"}},
    ]
    later = [
        one
        | {
            "time": f"2026-04-01T10:00:{second:02d}.5Z",
            "l4": {
                protocol: said
                | ({"source_port": said["source_port"] + second} if said.get("source_port", 0) > 999 else {})
                for protocol, said in one["l4"].items()
            },
        }
        for second in range(9, -1, -1)
        for one in kinds
    ]
    first, second = (b"".join(map(written, flows)) for flows in (kinds, later))
    assert compared(first, second) >= 9 + 90
    assert compared(first, second.replace(b"\n", b"\r\n"), b"\n\n" + second) >= 9 + 90 + 90
    bare = b"".join(written(one, bare=True) for one in kinds + later)
    assert compared(bare, bare) == 2 * 99


@pytest.mark.parametrize(
    "left",
    [
        flow(verdict="DROPPED", drop_reason=133, event_type=None),
        flow(verdict="DROPPED", l7={"type": "REQUEST", "http": {"method": "GET", "url": "http://q/1"}}),
        flow(l7={"type": "REQUEST", "http": {"method": "GET", "url": "http://q/ä"}}),
        flow(l7={"type": "RESPONSE", "dns": {"query": "q.", "ips": ["nonsense"], "ttl": 3}}),
        flow(l7={"type": "RESPONSE", "dns": {"query": "q.", "ips": ["10.0.0.2"], "ttl": 1 << 32}}),
        flow(l7={"type": "RESPONSE", "dns": {"ips": ["10.0.0.2"], "ttl": 3}}),
        flow(time="2026-04-01T10:00:00Z"),
        flow(time="2026-04-01T12:00:00.5+02:00"),
        flow(IP={"source": "10.0.0.1", "destination": "10.0.0.2", "ipVersion": "IPv9"}),
        flow(aggregate={"ingress_flow_count": "4"}),
        {"source": {"namespace": "a"}} | flow(),
    ],
)
def test_what_is_never_taken(left):
    """Refused requests, odd ones, answers, other times, ends before their addresses, aggregates."""
    block = written(left)
    assert compared(block, block, block) == 0


def request(number, **l7):
    """A request's record: protojson writes ``l7`` before the summary that repeats it."""
    one = flow(Type="L7", event_type={"type": 129})
    del one["Summary"]
    return one | {"l7": l7, "Summary": f'HTTP/1.1 GET http://q/{number} "\\'}


def test_requests_and_answers():
    """Other requests of the same ends are no other line, and every answer's addresses are told."""
    block = b"".join(
        written(one)
        for number in range(20)
        for one in (
            request(
                number,
                type="REQUEST",
                http={"url": f"http://q/{number}", "headers": [{"key": "\\x", "n": -1.5}]},
            ),
            request(number, type="REQUEST", dns={"query": f"n{number}.", "qtypes": ["A"]}),
            request(
                number,
                type="RESPONSE",
                dns={"query": f"n{number}.", "ips": [f"192.0.2.{number}"], "ttl": number},
            ),
            request(number, type="RESPONSE", dns={"query": "q", "ips": ["2001:DB8::1", ""]}, latency_ns="5"),
        )
    )
    assert compared(block, block) == 160


def test_a_field_twice_is_read_in_full():
    """JSON's last one counts; which that is is for whoever reads all of it."""
    line = written(flow())
    twice = line.replace(b',"Type":"L3_L4"', b',"time":"2026-04-02T10:00:00.5Z","Type":"L3_L4"', 1)
    l4 = line.replace(
        b',"Type":"L3_L4"', b',"l4":{"UDP":{"source_port":1,"destination_port":2}},"Type":"L3_L4"', 1
    )
    assert compared(line, twice + l4, twice + l4) == 1


def test_another_wrapper_s_time():
    """A wrapper that tells another time than its flow: the flow's counts, and the line is read in full."""
    line = written(flow())
    other = line.replace(
        b'"time":"2026-04-01T10:00:00.123456789Z"}\n', b'"time":"2026-04-01T11:00:00.123456789Z"}\n'
    )
    assert other != line
    assert compared(line, other, other) == 1


def test_lines_and_objects_that_make_up_for_each_other():
    """Two objects on one line and none on another are as many as lines: none is taught with another one's flow."""
    allowed, denied = (written(flow(verdict=verdict, **more))[:-1] for verdict, more in KINDS)
    blank, split = b" " * 64 + b"\n", b'{"note":\n"' + b"x" * 64 + b'"}\n'
    for rest in (blank, split):
        glued = allowed + allowed + b"\n" + denied + b"\n" + rest
        compared(glued, (denied + b"\n") * 5, (allowed + denied + b"\n") * 3)


KINDS = (("FORWARDED", {}), ("DROPPED", {"drop_reason": 133}))


def test_ports_of_every_transport():
    """SCTP has ports too; none is over 65,535; of two transports the last counts, however it is written."""
    for name in ("TCP", "UDP", "SCTP"):
        ports = [
            flow(l4={name: {"source_port": 40_000, "destination_port": port}}) for port in (3868, 3869, 3868)
        ]
        assert compared(*map(written, ports)) == 3
    line = written(flow())
    over = [line.replace(b":8080", b":%d" % port) for port in (65_535, 65_536, 99_999)]
    compared(line, line, b"".join(over), b"".join(over))
    other = b'"l4":{"TCP":{"destination_port":8080,"source_port":40000,"flags":{"SYN":true}}},"Type"'
    twice = line.replace(b'"Type"', other, 1)
    assert compared(twice, twice, twice.replace(b"8080", b"8081", 1)) == 0


def test_whether_a_record_is_a_reply_hangs_on_its_ports():
    """Where it does not say so, ports of another kind make another thing of the same rest."""

    def unsaid(source, destination):
        return written(
            flow(
                is_reply=None,
                l4={"TCP": {"source_port": source, "destination_port": destination, "flags": {"ACK": True}}},
            )
        )

    there, back = unsaid(40_000, 80), unsaid(80, 40_000)
    assert compared(there, back, back, there + back + unsaid(443, 50_000)) >= 5


def test_services_of_the_source():
    """A service beside the source is the source's, whichever way the record goes."""
    served = written(flow(source_service={"name": "s", "namespace": "a"}))
    both = written(
        flow(
            source_service={"name": "s", "namespace": "a"},
            destination_service={"name": "t", "namespace": "b"},
        )
    )
    assert compared(served, served, both, both, served) == 5


def test_bare_sources():
    """Of an end only the address is known, source or destination; two such are read in full."""
    outside = {"source": "198.51.100.7", "destination": "10.0.0.2", "ipVersion": "IPv4"}
    source = written(flow(IP=outside, source={}))
    back = written(
        flow(IP={"source": "10.0.0.2", "destination": "198.51.100.7", "ipVersion": "IPv4"}, destination={})
    )
    nobody = written(
        flow(
            IP={"source": "198.51.100.7", "destination": "198.51.100.7", "ipVersion": "IPv4"},
            source={},
            destination={},
        )
    )
    assert compared(source, back, source + back + nobody, nobody) == 4


def test_a_wrapper_with_two_flows_and_a_flow_that_is_a_wrapper():
    """The last flow counts, and an object with a flow in it is no flow."""
    line = written(flow())
    again = json.dumps(flow(), separators=(",", ":")).encode()
    twice = line.replace(b'},"node_name":"c/n1","time"', b'},"flow":' + again + b',"node_name":"c/n1","time"')
    assert twice != line
    changed = twice.replace(b":8080", b":8081", 1)
    assert compared(line, twice, twice + changed) == 1
    denied = json.dumps(flow(verdict="DROPPED", drop_reason=133), separators=(",", ":")).encode()
    bare = written(flow(), bare=True)
    inside = bare[:-2] + b',"flow":' + denied + b"}\n"
    # Where wrappers are looked for; further on they are not.
    compared(bare * 20, inside, bare + inside)


def test_numbers_and_names_over_all_bounds():
    """A number that Python does not read is malformed JSON, and a name that is cut is cut the same."""
    usual = written(request(1, type="REQUEST", http={"code": 7}))
    for number in (b"9" * 18, b"9" * 4_300, b"9" * 4_301):
        line = written(request(1, type="REQUEST", http={"code": 7})).replace(b'"code":7', b'"code":' + number)
        compared(usual, line, line)
    for size in (1_000, 1_024, 1_025, 70_000):
        names = [
            request(1, type="RESPONSE", dns={"query": "q" * n, "ips": ["192.0.2.7"]}) for n in (9, size, size)
        ]
        compared(*map(written, names))


def test_some_lines_that_cannot_be_taught_do_not_end_it(monkeypatch):
    """Only where nothing is taken between them is another encoder at work."""
    monkeypatch.setattr(json_teaching, "_MAX_UNTAUGHT", 5)
    line, odd = written(flow()), written(flow(time="2026-04-01T10:00:00Z"))
    spaced = (json.dumps({"flow": flow(), "node_name": "c/n1"}) + "\n").encode()
    assert compared(line, *[line + odd] * 20) == 21
    assert compared(*[spaced] * 20, line, line) == 0
    # Behind enough of the one encoder's lines another's are tried again.
    monkeypatch.setattr(json_learnt, "_AFTER_VAIN", 10 * len(spaced))
    assert compared(*[spaced] * 18, line, line, line) >= 2


def test_windows_line_ends_and_a_cut_end():
    """CRLF is another rest, taught like any; a last line without its newline is read in full."""
    line = written(flow())
    crlf = line.replace(b"\n", b"\r\n")
    assert compared(line + crlf, line + crlf + line[:-1]) == 4


@pytest.fixture(scope="module")
def taught():
    """A scanner that knows one line."""
    scanner = new_scanner()
    known = flow()
    ends = [json.dumps(known[end], separators=(",", ":")).encode() for end in ("source", "destination")]
    line = written(known)
    arguments = (line, False, parse_rfc3339(known["time"]), *ends, 40_000, 8080, 0, False, 2, -1, -1, 0)
    assert scanner.learn(*arguments) == 3
    scanner.meet("10.0.0.2", ends[1], 2, False)
    assert scanner.learn(*arguments) == 1
    scanner.meet("10.0.0.1", ends[0], 1, False)
    assert scanner.learn(*arguments) == 0
    return scanner


def test_rests_of_one_hash_are_told_apart():
    """Their bytes decide, whatever the seed: the highest bit of a word and two of the next one cancel out."""
    known = flow(Summary="a" * 200)
    for field in ("event_type", "node_name", "traffic_direction"):
        del known[field]
    ends = [json.dumps(known[end], separators=(",", ":")).encode() for end in ("source", "destination")]
    line = (
        json.dumps(
            {"flow": known, "node_name": "c/n1", "time": known["time"]}, separators=(",", ":")
        ).encode()
        + b"\n"
    )
    other = bytearray(line)
    # Words of eight bytes from where the piece behind the last end begins; every fourth one is of one sum.
    word = line.index(ends[1]) + len(ends[1]) + 8 * 16
    other[word + 7] ^= 0x80
    other[word + 39] ^= 0x80
    other[word + 36] ^= 0x04
    assert bytes(other).replace(b"\xe1", b"a").replace(b"e", b"a") == line.replace(b"e", b"a")
    scanner = new_scanner()
    for number, end in enumerate(ends):
        scanner.meet(f"10.0.0.{number + 1}", end, number, False)

    def taught(one, kind):
        at = parse_rfc3339(known["time"])
        return scanner.learn(one, False, at, *ends, 40_000, 8080, kind, False, 2, -1, -1, 0)

    def kinds():
        return memoryview(Found(*scanner.scan(both, False)).kinds).cast("i").tolist()

    both = line + bytes(other)
    assert taught(line, 3) == 0
    assert kinds() == [3]
    assert taught(bytes(other), 4) == 0
    assert kinds() == [3, 4]


@settings(max_examples=300, deadline=None)
@given(
    year=st.one_of(st.integers(1990, 2110), st.integers(0, 9999)),
    rest=st.tuples(
        st.integers(0, 14), st.integers(0, 33), st.integers(0, 25), st.integers(0, 61), st.integers(0, 61)
    ),
    fraction=st.text("0123456789", min_size=1, max_size=11),
)
def test_times_are_those_of_rfc_3339(taught, year, rest, fraction):
    """Every date and time that is taken is the one that the slow way reads, to the nanosecond."""
    month, day, hour, minute, second = rest
    time = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{fraction}Z"
    line = written(flow(time=time))
    columns = taught.scan(line, False)
    ats = memoryview(columns[4]).cast("q").tolist()
    try:
        wanted = parse_rfc3339(time)
    except ValueError:
        wanted = None
    assert ats in ([], [wanted])
    if wanted is not None and 2000 <= year < 2100 and second < 60 and len(fraction) <= 9:
        assert ats == [wanted]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")
def test_real_exports_with_changed_bytes():
    """Lines of real exports, each then once more as it is and a few times with a byte or a digit changed."""
    chance = random.Random(7)  # noqa: S311 - bytes to change, not secrets
    found = sorted(chain(SAMPLES.rglob("*"), (ROOT / "fixtures" / "incidents").rglob("*")))
    paths = [path for path in found if path.suffix in {".json", ".jsonl", ".log"}]
    texts = [path.read_bytes()[:100_000] for path in paths]
    rows = [
        line + b"\n"
        for line in chain.from_iterable(text.splitlines() for text in texts)
        if line.startswith((b'{"flow":{', b'{"time":')) and len(line) < 8_000
    ]
    assert len(rows) > 200
    taken = 0
    for start in range(0, len(rows), 40):
        some = rows[start : start + 40]
        block = b"".join(some)
        changed = []
        for row in some * 6:
            new = bytearray(row)
            new[chance.randrange(len(new) - 1)] = chance.choice(b'0123456789"\\{}[],: aZ\x00\xff')
            changed.append(bytes(new))
        taken += compared(block, block, b"".join(changed))
    assert taken > 20


FUZZ = Path(__file__).with_name("scanner_fuzz.py")


def test_what_is_taken_is_json_like_a_taught_line():
    """Bytes changed, moved, doubled and missing: judged by Python's own JSON reader."""
    done = subprocess.run(
        [sys.executable, str(FUZZ), "3", "30000"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000


def test_lines_of_other_nodes_are_not_read_in_full(monkeypatch):
    """What is known of one node is known of all: allowed, refused, replies, with labels of nodes; once each it is adopted."""
    read: list[int] = []
    decoded = json_full._flows
    monkeypatch.setattr(
        json_full, "_flows", lambda run, **how: read.append(run.count(b"\n")) or decoded(run, **how)
    )
    kinds = [
        {},
        {"verdict": "DROPPED", "drop_reason_desc": "POLICY_DENIED", "drop_reason": 133, "Summary": "x"},
        {"is_reply": True, "node_labels": ["os=linux"]},
        {"destination_service": {"name": "s", "namespace": "b"}},
    ]
    blocks = [
        b"".join(written(flow(node_name=f"c/n{node}", **kind)) for kind in kinds for node in nodes)
        for nodes in ([1], [2, 3], [2, 3], range(1, 9))
    ]

    assert compared(blocks[0]) == 4
    assert sum(read) == 3 * 4
    read.clear()
    assert compared(*blocks) == 4 + 8 + 8 + 32
    # Each of three foldings reads the first block's.
    assert sum(read) == 3 * 4


def test_of_lines_with_new_ends_only_the_ends_are_read(monkeypatch):
    """Of known kinds, allowed and refused, replies, with services, at other nodes; two bare addresses are read in full."""
    read: list[int] = []
    decoded = json_full._flows
    monkeypatch.setattr(
        json_full, "_flows", lambda run, **how: read.append(run.count(b"\n")) or decoded(run, **how)
    )
    kinds = [
        {},
        {"verdict": "DROPPED", "drop_reason_desc": "POLICY_DENIED", "drop_reason": 133},
        {"is_reply": True, "source_service": {"name": "s", "namespace": "b"}},
        {"destination_service": {"name": "s", "namespace": "b"}, "destination_names": ["q.example.com"]},
    ]

    def pod(number):
        return {
            "IP": {"source": "10.0.0.1", "destination": f"10.1.0.{number}", "ipVersion": "IPv4"},
            "destination": {"identity": 1_000 + number, "namespace": "b", "pod_name": f"p{number}"},
        }

    blocks = [
        b"".join(written(flow(**kind)) for kind in kinds),
        b"".join(written(flow(**kind, **pod(number))) for number in range(9) for kind in kinds),
        b"".join(
            written(flow(**kind, **pod(number) | {"node_name": "c/n2"}))
            for number in (3, 20)
            for kind in kinds
        ),
    ]
    assert compared(*blocks) == 4 + 36 + 8
    assert sum(read) == 3 * 4
    read.clear()
    bare = [written(flow(**pod(1) | {"source": {}, "destination": {}})) for _ in range(3)]
    assert compared(blocks[0], b"".join(bare)) == 4
    assert sum(read) == 3 * (4 + 3)
    read.clear()
    # No end: what stands for it is no JSON, or no text.
    for wrong in (b'{"identity":01}', b'{"identity":1,}', b'{"pod_name":"\xff"}', b'{"a":"\x01"}'):
        line = written(flow(**pod(1))).replace(b'{"identity":1001,"namespace":"b","pod_name":"p1"}', wrong)
        assert wrong in line
        assert compared(blocks[0], line * 3) == 4


def test_lines_that_are_new_all_are_read_together(monkeypatch):
    """One by one only as long as what they teach serves others behind them."""
    runs: list[int] = []
    decoded = json_full._flows
    monkeypatch.setattr(
        json_full, "_flows", lambda run, **how: runs.append(run.count(b"\n")) or decoded(run, **how)
    )
    new = [written(flow(socket_cookie=f"{number}")) for number in range(200)]
    compared(b"".join(new))
    assert sum(runs) == 3 * 200
    assert len(runs) <= 3 * (4 + 200 // 32 + 1)
    runs.clear()
    compared(b"".join(line * 2 for line in new[:20]))
    assert sum(runs) == 3 * 20


def test_many_nodes_are_forgotten_in_time(monkeypatch):
    """Of kinds at nodes that are never read in full there is a bound too, and blocks in flight are counted alike."""
    monkeypatch.setattr(json_memory, "_MAX_KINDS", 20)
    blocks = [
        written(flow()),
        *(
            b"".join(written(flow(node_name=f"c/n{node}")) for node in range(start, start + 15))
            for start in (2, 17, 32, 47)
        ),
    ]
    tally, taken = folded(blocks)
    memory = tally._memos[PARSER.name]["hubble"]["learnt"].memory

    assert taken == 1 + 15 * 4
    assert len(memory._known) <= 20 + 15
    compared(*blocks)


@pytest.mark.parametrize(
    "node",
    [
        {"node_name": "c/\u00e9"},
        {"node_name": 'c/"n2'},
        {"node_name": ""},
        {"node_name": "n" * 513},
        {"node_labels": ["b\\", "c"]},
        {"node_labels": []},
        {"node_labels": "text"},
        {"node_labels": [1]},
    ],
)
def test_nodes_of_other_forms_are_read_in_full(node):
    """A name or labels with escapes, none, over all bounds: counted as parsing counts them."""
    odd = flow(node_name="c/n1", node_labels=["a"]) | node
    usual = flow(node_name="c/n2", node_labels=["a"])
    compared(written(usual), written(odd), written(odd) + written(usual))


def test_two_names_of_a_node_are_read_in_full():
    """The last one counts, in the flow and in its wrapper."""
    line = written(flow())
    twice = line.replace(b'"node_name":"c/n1"', b'"node_name":"c/n2","node_name":"c/n3"')
    assert twice.count(b"node_name") == 4
    inner = line.replace(b'"node_name":"c/n1"', b'"node_name":"c/n2","node_name":"c/n3"', 1)
    outer = line.replace(b'},"node_name":"c/n1"', b'},"node_name":"c/n8"')
    none = line.replace(b'"node_name":"c/n1",', b"", 1)
    compared(line, twice, inner, outer, none, twice + inner + outer + none + line)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are not told of here")
def test_the_thread_takes_no_signals():
    """An interrupt goes to who may be waiting for input."""
    scanner = new_scanner()
    before = set(Path("/proc/self/task").iterdir())
    assert scanner.begin(b"", False)
    # It has begun by then: the system's library blocks all signals until it has.
    assert scanner.finish() is not None
    (thread,) = set(Path("/proc/self/task").iterdir()) - before
    blocked = re.search(r"^SigBlk:\s*(\w+)$", (thread / "status").read_text(), re.MULTILINE)

    assert blocked is not None
    assert int(blocked[1], 16) >> signal.SIGINT - 1 & 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_waits_for_no_thread(taught):
    """It has none, and what the thread of its parent held nobody lets go of."""
    data = written(flow()) * 20_000
    wanted = taught.scan(data, False)
    for _ in range(20):
        assert taught.begin(data, False)
        child = os.fork()
        if not child:
            signal.alarm(20)
            taught.meet("10.0.0.3", b"{}", 3, True)
            same = taught.finish() is None and not taught.begin(data, False)
            os._exit(0 if same and taught.scan(data, False) == wanted else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert taught.finish() == wanted


@pytest.mark.parametrize(
    ("library_name", "checks", "more"),
    [
        pytest.param("libasan.so", "address,undefined", [], id="bytes that are not there"),
        pytest.param("libasan.so", "address", ["-DNARROW_SEARCH"], id="the same on other processors"),
        pytest.param("libtsan.so", "thread", [], id="what two threads do at once"),
    ],
)
def test_sanitizers_find_nothing(library_name, checks, more, tmp_path):
    """The same, compiled with gcc's sanitizers, which end it at the first access that is wrong."""
    compiler = shutil.which("gcc")
    library = (
        compiler
        and subprocess.run(
            [compiler, f"-print-file-name={library_name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    if not library or not Path(library).is_absolute():
        pytest.skip(f"gcc with {library_name} is not installed here")
    native = ROOT / "parsers" / "native"
    sources = re.findall(r"\w+\.c\b", (native / "setup.py").read_text())
    assert "scanner.c" in sources
    flags = ["-shared", "-fPIC", "-g", "-O1", f"-fsanitize={checks}", "-fno-sanitize-recover"]
    flags += ["-Wall", "-Wextra", "-Werror", *more]
    include = [f"-I{sysconfig.get_path('include')}", "-DPy_LIMITED_API=0x030B0000"]
    built = tmp_path / "flowdiag_native.so"
    files = [str(native / name) for name in sources]
    subprocess.run([compiler, *flags, *include, *files, "-o", str(built)], check=True)
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path),
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0",
        "TSAN_OPTIONS": "halt_on_error=1",
        # Python's own arena would hide where a bytes object ends.
        "PYTHONMALLOC": "malloc",
    }
    command = [sys.executable, "-c", "import flowdiag_native; print(flowdiag_native.__file__)"]
    where = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert where == str(built)
    done = subprocess.run(
        [sys.executable, str(FUZZ), "4", "20000"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
