"""Lines with changed, moved and missing bytes for `flowdiag_native`; run by itself, under sanitizers too.

    python scanner_fuzz.py SEED LINES

What is taken must be JSON that differs from a taught line in nothing but slots.  Prints how many lines were taken.
"""

from __future__ import annotations

import json
import random
import sys
from array import array
from collections import deque
from tempfile import TemporaryFile

import flowdiag_native

ENDS = [
    {
        "ID": 7,
        "identity": 100,
        "namespace": "a",
        "labels": ["k8s:app=p", 'k8s:odd={"time":"x"}'],
        "pod_name": "p",
    },
    {"identity": 100, "namespace": "a", "labels": ["k8s:app=p"], "pod_name": "p"},
    {"identity": 2, "labels": ["reserved:world"]},
    {},
]
L7 = [
    {
        "l7": {
            "type": "REQUEST",
            "http": {"url": 'http://q/"\\', "headers": [{"key": "a", "value": -1.5}, [], {}]},
        }
    },
    {
        "l7": {
            "type": "RESPONSE",
            "dns": {"query": "q.example.com.", "ips": ["192.0.2.1", "2001:db8::1"], "ttl": 30},
        }
    },
    {"l7": {"type": "REQUEST", "dns": {"query": "q.example.com.", "qtypes": ["A", None, True, False]}}},
]
PARTS = [
    b'"time":"',
    b'"source":{',
    b'"IP":{',
    b"}",
    b"{",
    b'"',
    b"\\",
    b"]",
    b'"l4":{"TCP":{',
    b"\n",
    b",",
    b"0",
]


def flows(chance: random.Random):
    """Flows of a few kinds."""
    for number in range(40):
        yield {
            "time": f"2026-04-01T10:00:{number:02d}.123456789Z",
            "uuid": f"7b1a0c9e-0000-4000-8000-{number:012x}",
            "verdict": chance.choice(["FORWARDED", "REDIRECTED", "DROPPED"]),
            "ethernet": {"source": "0a:58:0a:00:00:01", "destination": "0a:58:0a:00:00:02"},
            "IP": {
                "source": chance.choice(["10.0.0.1", "2001:db8::1"]),
                "destination": "10.0.0.2",
                "ipVersion": "IPv4",
            },
            "l4": chance.choice(
                [
                    {"TCP": {"source_port": 40_000, "destination_port": 80, "flags": {"SYN": True}}},
                    {"UDP": {"source_port": 40_000, "destination_port": 53}},
                    {"ICMPv4": {"type": 8}},
                ]
            ),
            "source": chance.choice(ENDS),
            "destination": chance.choice(ENDS),
            "node_name": chance.choice(["c/n1", "c/n2"]),
            **chance.choice([{}, {"node_labels": ["os=linux", "zone=a"]}]),
            "is_reply": chance.choice([True, False]),
            **chance.choice([{}, *L7]),
            "Summary": 'a "quoted" \\ word',
        }


def written(flow, *, bare):
    record = flow if bare else {"flow": flow, "node_name": flow["node_name"], "time": flow["time"]}
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def taken_apart(line, answers, *, bare, akin=False):
    """The rest of a line, and its ends with their addresses, each of which is known by itself; no JSON fails.

    What DNS answered is added to `answers`.  `akin` lines are the same at any node.
    """
    rest = json.loads(line)
    flow = rest if bare else rest["flow"]
    if akin:
        assert flow["node_name"]
        assert flow.get("node_labels", [""])
        for one, field in ((flow, "node_name"), (flow, "node_labels"), (rest, "node_name")):
            if field in one:
                one[field] = None
    if not bare and "time" in rest:
        assert rest.pop("time") == flow["time"]
    for field in ("time", "uuid", "ethernet"):
        flow.pop(field, None)
    for protocol in ("TCP", "UDP"):
        if protocol in flow["l4"]:
            assert 0 < flow["l4"][protocol].pop("source_port") < 65_536
            assert 0 < flow["l4"][protocol].pop("destination_port") < 65_536
    if "l7" in flow:
        dns = flow.pop("l7").get("dns")
        assert dns is None or isinstance(dns["query"], str)
        if dns is not None and dns.get("ips"):
            answers.append((dns["query"], tuple(dns["ips"]), dns.get("ttl", -1)))
        assert isinstance(flow.pop("Summary", ""), str)
    ends = [json.dumps([flow["IP"].pop(end), flow.pop(end)]) for end in ("source", "destination")]
    return {json.dumps(rest), *ends}


def changed(line, chance):
    new = bytearray(line)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(new))
        how = chance.randrange(5)
        if how == 0:
            new[at] = chance.randrange(256)
        elif how == 1:
            del new[at : at + chance.choice((1, 1, 9, 200))]
        elif how == 2:
            new[at:at] = chance.choice(PARTS)
        elif how == 3:
            new[at:at] = new[at : at + chance.randrange(1, 300)]
        else:
            new[at] = chance.choice(b'0123456789"{}[],:\\')
        if not new:
            new = bytearray(b"\n")
    return bytes(new)


def search(chance, wanted):
    """Lines by marks, and newlines, as Python finds them; marks at all places, the ends of the data too."""
    for _ in range(wanted):
        letters = chance.choice([b"ab_\n", b'"DROPE_x\n', b"a"])
        data = bytes(chance.choice(letters) for _ in range(chance.choice((0, 1, 9, 255, 300, 1_100))))
        marks = tuple(
            bytes(chance.choice(letters) for _ in range(chance.choice((1, 2, 3, 9, 256))))
            for _ in range(chance.choice((0, 1, 5, 32)))
        )
        if marks and chance.random() < 0.3:
            at = chance.randrange(len(data) + 1)
            data = data[:at] + marks[0] + chance.choice((b"", b"\n", data[at:]))
        wanted_rows, begin = [], 0
        for number, line in enumerate(data.splitlines(keepends=True)):
            # A mark may hold a newline: then it counts for the line that it begins in.
            if any(data.find(mark, begin, begin + len(line) + len(mark) - 1) >= 0 for mark in marks):
                wanted_rows += (begin, begin + len(line), number)
            begin += len(line)
        found = memoryview(flowdiag_native.lines_with(data, marks)).cast("q").tolist()
        assert found == wanted_rows, (data, marks)
        many = marks * 20 + tuple(data[at : at + 5] for at in range(0, max(len(data) - 5, 0), 7))
        many = many[: chance.choice((1, 200, 1024))]
        assert flowdiag_native.held(data, many) == bytes(mark in data for mark in many), (data, many)
        start, stop = (chance.randrange(-2, len(data) + 3) for _ in range(2))
        assert flowdiag_native.newlines(data, start, stop) == data[max(start, 0) : max(stop, 0)].count(b"\n")
    for marks in ((b"",), (b"x" * 257,), (b"x",) * 33):
        try:
            flowdiag_native.lines_with(b"x", marks)
        except ValueError:
            continue
        raise AssertionError(marks)
    for marks in ((b"",), (b"x",) * 1_025):
        try:
            flowdiag_native.held(b"x", marks)
        except ValueError:
            continue
        raise AssertionError(marks)


PIECES = (
    b"DROPPED",
    b"DROP",
    b"PED",
    b"_y",
    b"{}",
    b"\n",
    b"\n",
    b"\r\n",
    b"\xef\xbc\x9a",
    b"x" * 300,
    b"z" * 70_000,
)
ODD = (b"\0", b"\xef\xbb\xbf", b"\n\xef\xbb\xbf{}", b"y" * 1_100_000)


def skimming(chance, wanted):
    """Files read from a place on: all marked lines up to where it stops, and it stops where Python has to read."""
    for _ in range(wanted):
        data = b"".join(chance.choices(PIECES, k=chance.choice((0, 3, 40, 400))))
        if chance.random() < 0.3:
            at = chance.randrange(len(data) + 1)
            data = data[:at] + chance.choice(ODD) + data[at:]
        marks = tuple(
            chance.sample((b"DROPPED", b"_y", b"P", b"}", b"ED", b"x" * 256), k=chance.randrange(1, 5))
        )
        begins = [0, *(at + 1 for at, byte in enumerate(data) if byte == 10)]
        start = chance.choice(begins)
        end = chance.choice((-1, *(one for one in begins if one >= start)))
        text = data[start : len(data) if end < 0 else end]
        with TemporaryFile() as file:
            file.write(data)
            file.flush()
            skimmed(file.fileno(), (start, end), text, marks, chance.choice((1, 1_000, 1 << 19)))


def skimmed(file, span, text, marks, most):
    """One of these, asked for until it is over."""
    (start, end), at, line, found, over = span, span[0], 0, [], False
    while not over:
        lines, numbers, at, newlines, over = flowdiag_native.skim(file, at, end, marks, most)
        taken = zip(memoryview(numbers).cast("q"), lines.splitlines(keepends=True), strict=True)
        found += [(line + number, one) for number, one in taken]
        line += newlines
    before, behind = text[: at - start], text[at - start :]
    assert before == b"" or before.endswith(b"\n")
    assert line == before.count(b"\n")
    wanted = [
        (number, one)
        for number, one in enumerate(before.split(b"\n")[:-1])
        if any(mark in one for mark in marks)
    ]
    assert [(number, one[:-1]) for number, one in found] == wanted
    assert not is_for_python(before)
    # It goes on up to the last newline.
    whole = behind[: behind.rfind(b"\n") + 1]
    assert not whole or is_for_python(whole)


def is_for_python(text):
    """Whether there is a line in it that is not skimmed."""
    return b"\0" in text or b"\xef\xbb\xbf" in text or max(map(len, text.split(b"\n"))) > 1 << 20


def reading(scanner, data, most):
    """A file with these lines, read by the thread: each stretch says what a scan of its lines says."""
    with TemporaryFile() as file:
        before = b"somebody else's\n"
        file.write(before + data)
        file.flush()
        scanner.open(file.fileno(), len(before), -1)
    # It has a descriptor of its own.
    at, over = 0, False
    while not over:
        assert scanner.go_on(most)
        text, numbers, place, newlines, bare, over, told = scanner.read()
        place -= len(before)
        lines = data[at:place]
        assert not lines or lines.endswith(b"\n")
        assert newlines == lines.count(b"\n")
        assert len(numbers) == 8 * text.count(b"\n")
        wanted = scanner.scan(lines, bare)
        assert told[:6] + told[9:11] + told[12:] == wanted[:6] + wanted[9:11] + wanted[12:]
        places_in = text, memoryview(numbers).cast("q")
        for rows, width, column in ((told, 7, 6), (told, 9, 7), (told, 11, 8), (told, 3, 11)):
            of_file = [*lines_told(rows[column], width, *places_in)]
            of_lines = [*lines_told(wanted[column], width, lines, range(newlines))]
            assert of_file == of_lines
        at = place
    assert scanner.go_on(most)
    assert scanner.read()[2:4] == (at + len(before), 0)
    scanner.close()
    assert not scanner.go_on(most)
    rest = data[at:]
    line = rest[: rest.find(b"\n")]
    assert b"\n" not in rest or b"\0" in line or line.startswith(b"\xef\xbb\xbf") or len(line) > 1 << 20


def lines_told(rows, width, text, numbers):
    """What rows say, with the line and its number for its place, and a node's name as it stands there."""
    rows = memoryview(rows).cast("q").tolist()
    for begin, end, number, *said in zip(*(rows[place::width] for place in range(width)), strict=True):
        if width == 11:
            said[6:] = [text[said[6] : said[6] + said[7]]]
        yield text[begin:end], numbers[number], said


def places(data):
    """Rows of all lines: where each begins and ends, and its number."""
    rows, begin = array("q"), 0
    for number, line in enumerate(data.split(b"\n")):
        if begin < len(data):
            rows.extend((begin, begin + len(line), number))
        begin += len(line) + 1
    return rows.tobytes()


def few_by_few(scanner, data, left, bare, most):
    """What `again` says of lines, so many left at a time, without the first and last time."""
    columns, at, size = [b""] * 10 + [[]], 0, len(left) // 24
    while at < size:
        seen, found = scanner.again(data, left, at, most, bare)
        assert seen > 0
        at += seen
        assert len(found[11]) <= 24 * most
        assert at == size or len(found[11]) == 24 * most
        columns = [before + more for before, more in zip(columns, (*found[:9], *found[11:]), strict=True)]
    return columns


def lane_ends(lane):
    """Source and destination of a lane, which its number tells here."""
    return lane % 16 // 4, lane % 4


def ends_met(scanner, data, row, service, bare):
    """Have the ends met that are all that a line lacks, which is taken then; those that were new, as in `taken_apart`."""
    begin, end, _ = memoryview(row).cast("q")
    if data[end : end + 1] != b"\n":
        return set()
    unmet = scanner.unmet(data, begin, end, bare)
    if unmet is None:
        return set()
    found = {}
    *ends, turned, first, second = unmet
    assert (first, second) == (-1, -1)
    flow_ends = []
    for address, whole, number in ends:
        assert (whole is None) == (number >= 0)
        if whole is not None:
            try:
                found[json.dumps([address, json.loads(whole)])] = address, whole
            except ValueError:
                return set()
        flow_ends.append(address)
    flow = json.loads(data[begin:end])
    flow = flow if bare else flow["flow"]
    assert flow_ends == [flow["IP"][end] for end in ("source", "destination")]
    assert turned == flow["is_reply"]
    assert found
    for number, (address, whole) in enumerate(found.values()):
        scanner.meet(address, whole, number + 2 * service, False)
    seen, told = scanner.again(data, row, 0, 1, bare)
    assert (seen, told[11]) == (1, b"")
    return {*found}


def together(seed, wanted):
    """A thread scans while ends, lines, services and lanes are taught: it takes some of those, and no others."""
    scanner = flowdiag_native.Scanner(bytes(65_536), seed)
    ends = [b'{"identity":%d,"labels":["k8s:app=p"]}' % number for number in range(wanted)]
    lines = [
        b'{"time":"2026-04-01T10:00:00.1Z","IP":{"source":"10.0.%d.%d","destination":"10.1.0.0"},'
        b'"source":%b,"destination":{},"node_name":"n%d"}\n' % (*divmod(number, 256), end, number % 50)
        for number, end in enumerate(ends)
    ]
    data = b"".join(lines)
    scanner.meet("10.1.0.0", b"{}", 0, True)
    at = 1775037600 * 10**9 + 10**8
    known_at_first = deque()
    for number, line in enumerate(lines):
        if number % 100 == 0 and scanner.begin(data, True):
            known_at_first.append(number)
        high, low = divmod(number, 256)
        scanner.meet(f"10.0.{high}.{low}", ends[number], number + 1, False)
        scanner.serve(number + 1, 0, number + 2)
        # One node's are counted in lanes.
        kind = -2 if number % 50 == 7 else number % 50
        assert scanner.learn(line, True, at, ends[number], b"{}", 0, 0, kind, False, 0, 0, -1, 0) == 0
        if kind < 0:
            scanner.lane(number + 2, 0, 0, ~kind, number)
        begin = sum(map(len, lines[:number]))
        assert scanner.unmet(data, begin, begin + len(line) - 1, True) is None
        if len(known_at_first) == 3:
            found = scanner.finish()
            sources = [source - 2 for source in memoryview(found[0]).cast("i")]
            hits, laned, akin, left = (memoryview(found[place]).cast("q").tolist() for place in (6, 7, 8, 11))
            # The first of a node are known of others, and a line is taught before its lane is.
            sources += [source - 2 for source in akin[3::11] + laned[3::9]]
            sources += hits[3::7]
            assert sorted(sources + left[2::3]) == [*range(wanted)]
            assert {*range(known_at_first.popleft())} <= {*sources} <= {*range(number + 1)}
            numbers = [source - 2 for source in memoryview(found[0]).cast("i")]
            assert memoryview(found[3]).cast("i").tolist() == [number % 50 for number in numbers]
    # The last ones are let go with the scanner, at work or not.


def while_taught(seed, wanted):
    """As `together`, of a file that the thread reads; what it was at is let go of with the scanner."""
    scanner = flowdiag_native.Scanner(bytes(65_536), seed)
    line = (
        b'{"time":"2026-04-01T10:00:00.1Z","IP":{"source":"10.0.0.1","destination":"10.1.0.0"},"source":{"identity":1},'
        b'"destination":{},"node_name":"n1","Summary":"%d"}\n'
    )
    lines = [line % number for number in range(wanted)]
    at = 1775037600 * 10**9 + 10**8
    scanner.meet("10.0.0.1", b'{"identity":1}', 1, False)
    scanner.meet("10.1.0.0", b"{}", 0, True)
    with TemporaryFile() as file:
        file.write(b"".join(lines))
        file.flush()
        scanner.open(file.fileno(), 0, -1)
    for _ in range(3):
        assert scanner.go_on(3_000)
    counted = left = read = 0
    for number, one in enumerate(lines):
        assert scanner.learn(one, True, at, b'{"identity":1}', b"{}", 0, 0, number, False, 0, -1, -1, 0) == 0
        if number % 9 == 0 and read < wanted:
            text, _, _, newlines, bare, _, told = scanner.read()
            assert scanner.go_on(3_000)
            assert bare
            kinds = memoryview(told[3]).cast("i").tolist()
            assert kinds == [kind for kind in kinds if read <= kind < read + newlines and kind <= number]
            assert told[11].count(b"") - 1 == 24 * (newlines - len(kinds))
            assert len(text.splitlines()) == newlines - len(kinds)
            counted, left, read = counted + len(kinds), left + newlines - len(kinds), read + newlines
    assert counted + left == read
    assert read


def main(seed, wanted):
    chance = random.Random(seed)  # noqa: S311 - bytes to change, not secrets
    taken = adopted = introduced = in_lanes = 0
    for bare in (False, True):
        scanner = flowdiag_native.Scanner(bytes(65_536), seed)
        lines = [written(flow, bare=bare) for flow in flows(chance)]
        known, families, lanes = set(), set(), {}
        for line in lines:
            flow = json.loads(line) if bare else json.loads(line)["flow"]
            ports = flow["l4"].get("TCP") or flow["l4"].get("UDP") or {}
            ends = [
                json.dumps(flow[end], separators=(",", ":")).encode() for end in ("source", "destination")
            ]
            at = 1775037600 * 10**9 + int(flow["time"][17:19]) * 10**9 + 123456789
            arguments = [line, bare, at, *ends, ports.get("source_port", 0), ports.get("destination_port", 0)]
            kind = -3 if flow["verdict"] == "DROPPED" else 3
            arguments += [kind, flow["is_reply"], 2, -1, -1, 7]
            for number, end in enumerate(("source", "destination")):
                scanner.meet(flow["IP"][end], ends[number], number, False)
            if scanner.learn(*arguments) == 0:
                known |= taken_apart(line, [], bare=bare)
                families |= taken_apart(line, [], bare=bare, akin=True)
            # What is said of a line that it does not say is not learnt.
            for behind in (b" \n", b"{}\n", b"\r\n" + line, line):
                assert scanner.learn(line[:-1] + behind, *arguments[1:]) == -1
            for place, other in ((2, at + 1), (3, ends[0] + b" "), (5, 1), (6, 2)):
                assert scanner.learn(*arguments[:place], other, *arguments[place + 1 :]) == -1
        assert known
        for _ in range(wanted // 100):
            data = b"".join(
                chance.choice(lines) if chance.random() < 0.2 else changed(chance.choice(lines), chance)
                for _ in range(50)
            )
            data = data[: chance.randrange(1, len(data) + 1)]
            columns = scanner.scan(data, bare)
            assert not scanner.begin(data, bare) or scanner.finish() == columns
            assert scanner.finish() is None
            most = chance.choice((1, 1, 2, 9))
            assert few_by_few(scanner, data, columns[11], bare, most) == [b""] * 9 + [columns[11], []]
            assert few_by_few(scanner, data, places(data), bare, most) == [*columns[:9], *columns[11:]]
            if chance.random() < 0.2:
                odd = chance.choice((b"", b"", b"\0", b"\n\xef\xbb\xbf{}\n", b"y" * 1_100_000))
                cut = chance.randrange(len(data) + 1)
                reading(scanner, data[:cut] + odd + data[cut:], chance.choice((1, 700, 5_000, 1 << 20)))
            left = set(memoryview(columns[11]).cast("q").tolist()[2::3])
            hits, laned, akin = (memoryview(columns[place]).cast("q").tolist() for place in (6, 7, 8))
            rows = data.split(b"\n")
            count = len(rows) - (rows[-1] == b"")
            in_lanes += len(hits) // 7
            assert (
                len(left) + len(columns[4]) // 8 + len(hits) // 7 + len(laned) // 9 + len(akin) // 11 == count
            )
            assert set(memoryview(columns[3]).cast("i")) <= {3}
            for begin, end, number, *said in zip(*(laned[place::9] for place in range(9)), strict=True):
                assert data[begin:end] == rows[number]
                assert b'"verdict":"DROPPED"' in rows[number]
                assert number not in left
                assert said[4] == 2  # what it was taught as, counted from -1 downwards
                assert (*said[:3], said[4]) not in lanes
            for begin, end, number, lane, _, client, flags in zip(
                *(hits[place::7] for place in range(7)), strict=True
            ):
                assert data[begin:end] == rows[number]
                assert number not in left
                flow = json.loads(rows[number]) if bare else json.loads(rows[number])["flow"]
                said = flow["l4"].get("TCP") or flow["l4"].get("UDP") or {}
                ports = said.get("destination_port", 0), said.get("source_port", -1)
                if flow["is_reply"] and said:
                    ports = ports[::-1]
                assert flow["verdict"] == "DROPPED"
                assert lanes[*lane_ends(lane), ports[0], 2] == lane
                assert (client, flags) == (ports[1], 2)
            of_families = set()
            for begin, end, number, *said in zip(*(akin[place::11] for place in range(11)), strict=True):
                assert data[begin:end] == rows[number]
                assert number not in left
                assert said[4] == 7
                of_families.add(number)
                node = data[said[6] : said[6] + said[7]].decode()
                flow = json.loads(rows[number]) if bare else json.loads(rows[number])["flow"]
                assert flow["node_name"] == node
            answers = []
            for number, row in enumerate(rows[:count]):
                if number in of_families:
                    assert taken_apart(row, answers, bare=bare, akin=True) <= families, row
                    assert not taken_apart(row, [], bare=bare) <= known
                elif number not in left:
                    assert taken_apart(row, answers, bare=bare) <= known, row
                    taken += 1
            assert [answer[:3] for answer in columns[12]] == [one for one in answers if one[0]]
            if akin:
                # It is counted as what it is from then on.
                row = rows[akin[2]]
                kind = -3 if b'"verdict":"DROPPED"' in row else 3
                scanner.adopt(data, akin[0], akin[1], bare, kind)
                known |= taken_apart(row, [], bare=bare)
                adopted += 1
            if laned and chance.random() < 0.1:
                key = (*laned[3:6], laned[7])
                lanes[key] = len(lanes) * 16 + laned[3] * 4 + laned[4]
                scanner.lane(*key, lanes[key])
            if columns[11]:
                met = ends_met(scanner, data, columns[11][:24], chance.choice((True, False)), bare)
                introduced += len(met)
                known |= met
                families |= met
            scanner.learn(data[:200] + b"\n", bare, *arguments[2:])
    search(chance, wanted // 20)
    if hasattr(flowdiag_native, "skim"):
        skimming(chance, wanted // 500)
    together(seed, min(wanted // 10, 2_000))
    while_taught(seed, min(wanted // 10, 2_000))
    assert adopted
    assert introduced
    assert in_lanes
    print(taken)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
