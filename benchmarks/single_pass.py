"""The best single pass over text records that we could write by hand: a yardstick for `benchmarks/text.py`.

Per format one pattern for the lines that the generator writes, and nothing else: no other form, no damaged line,
no envelope, no reply turned round, no example kept (but `KEEPING`).  What it gives is what counting needs: of every record its
time to the nanosecond, both ends, the server's port, verdict and reason as the key of a count, in buckets of a
minute, with the first and last time of each key.  Lines of a log of no interest are counted by their message, and
of those that tell of a policy its name is kept.

Keys are joined to one string, which is faster than a tuple (measured); a second is read once.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from operator import itemgetter

from msgspec import Raw, Struct
from msgspec.json import Decoder

__all__ = ["KEEPING", "PASSES"]

MINUTE, SECOND = 60_000_000_000, 1_000_000_000
BETWEEN = b"\xff"
CLIENTS = b"32768"


def _syslog(second):
    return int(datetime.strptime(f"2026 {second.decode()} +0000", "%Y %b %d %H:%M:%S %z").timestamp()) * 10**9


def _iso(second):
    text = second.decode().replace(" ", "T").replace("/", "-")
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def _klog(second):
    return int(datetime.strptime(f"2026{second.decode()} +0000", "%Y%m%d %H:%M:%S %z").timestamp()) * 10**9


def _epoch(second):
    return int(second) * 10**9


class Timed:
    """Records with a time: the first groups are second and the digits behind it.

    Args:
        pattern: of a record.
        clock: nanoseconds of a second.
        ports: places of the left and the right port among the groups.
        key: places of what makes the key.
        scale: nanoseconds of the last digit behind the second.
        when: places of second and digits.
    """

    def __init__(self, pattern, clock, ports, key, scale=1_000_000, when=(0, 1)):
        self._when = when
        self._findall = re.compile(pattern).findall
        self._scale = scale
        self._clock = clock
        self._ports = itemgetter(*ports)
        self._key = itemgetter(*key)
        self._seconds = {}
        self.lanes = {}

    def take(self, data):
        """Count the records of `data`; returns how many."""
        seconds, lanes, ports, rest, join = self._seconds, self.lanes, self._ports, self._key, BETWEEN.join
        scale, (place, behind) = self._scale, self._when
        found = self._findall(data)
        for record in found:
            second = record[place]
            at = seconds.get(second)
            if at is None:
                at = seconds[second] = self._clock(second)
            at += int(record[behind]) * scale
            left, right = ports(record)
            server = right if left >= CLIENTS and len(left) == 5 else left
            key = join((server, *rest(record)))
            lane = lanes.get(key)
            if lane is None:
                lane = lanes[key] = [at, at, {}]
            buckets, minute = lane[2], at // MINUTE
            buckets[minute] = buckets.get(minute, 0) + 1
            if at > lane[1]:
                lane[1] = at
            elif at < lane[0]:
                lane[0] = at
        return len(found)


class Repeated(Timed):
    """As `Timed`; a line that says the same as one within a millisecond before it is counted as its second witness."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._seen = {}

    def take(self, data):
        """Count the records of `data`; returns how many."""
        seconds, lanes, ports, rest, join = self._seconds, self.lanes, self._ports, self._key, BETWEEN.join
        seen = self._seen
        found = self._findall(data)
        for record in found:
            second = record[0]
            at = seconds.get(second)
            if at is None:
                at = seconds[second] = self._clock(second)
            at += int(record[1]) * 1_000
            words = record[2:]
            again = at - seen.get(words, -1) <= 1_000_000
            if again:
                del seen[words]
            else:
                if len(seen) > 256:
                    seen.clear()
                seen[words] = at
            left, right = ports(record)
            server = right if left >= CLIENTS and len(left) == 5 else left
            key = join((server, b"again" if again else b"", *rest(record)))
            lane = lanes.get(key)
            if lane is None:
                lane = lanes[key] = [at, at, {}]
            buckets, minute = lane[2], at // MINUTE
            buckets[minute] = buckets.get(minute, 0) + 1
            if at > lane[1]:
                lane[1] = at
            elif at < lane[0]:
                lane[0] = at
        return len(found)


class Pairs(Timed):
    """Lines of a policy and the last rule's of the same packet, counted as one each."""

    def take(self, data):
        """Count the pairs of `data`; returns how many."""
        seconds, lanes, join = self._seconds, self.lanes, BETWEEN.join
        found = self._findall(data)
        for second, host, policy, entered, src, dst, proto, left, right, flags, _ in found:
            at = seconds.get(second)
            if at is None:
                at = seconds[second] = self._clock(second)
            server = right if left >= CLIENTS and len(left) == 5 else left
            key = join((server, host, policy, entered, src, dst, proto, flags))
            lane = lanes.get(key)
            if lane is None:
                lane = lanes[key] = [at, at, {}]
            buckets, minute = lane[2], at // MINUTE
            buckets[minute] = buckets.get(minute, 0) + 1
            if at > lane[1]:
                lane[1] = at
            elif at < lane[0]:
                lane[0] = at
        return len(found)


class Untimed:
    """Records without a time; as `Timed`."""

    def __init__(self, pattern, ports, key):
        self._findall = re.compile(pattern).findall
        self._ports = itemgetter(*ports)
        self._key = itemgetter(*key)
        self.lanes = {}

    def take(self, data):
        """Count the records of `data`; returns how many."""
        lanes, ports, rest, join = self.lanes, self._ports, self._key, BETWEEN.join
        found = self._findall(data)
        for record in found:
            left, right = ports(record)
            server = right if left >= CLIENTS and len(left) == 5 else left
            key = join((server, *rest(record)))
            lanes[key] = lanes.get(key, 0) + 1
        return len(found)


class Kept:
    """What a report needs of a key all of whose records are refused: beside the count, as below."""

    __slots__ = ("buckets", "examples", "first", "last", "ports")

    def __init__(self, at):
        self.first = self.last = at
        self.buckets = {}
        """By the second, as refusals are rare and their moments tell what caused them."""
        self.ports = set()
        """Of clients; the 16 smallest count, and digits compare as numbers do."""
        self.examples = []
        """The first two."""

    def add(self, port):
        """A port more; called where there are too many."""
        self.ports.add(port)
        self.ports = set(sorted(self.ports)[:16])


class KeepingUntimed(Untimed):
    """As `Untimed`, with `Kept`."""

    def take(self, data):
        """Count the records of `data`; returns how many."""
        lanes, ports, rest, join = self.lanes, self._ports, self._key, BETWEEN.join
        found = self._findall(data)
        for record in found:
            left, right = ports(record)
            if left >= CLIENTS and len(left) == 5:
                client, server = left, right
            else:
                client, server = right, left
            key = join((server, *rest(record)))
            lane = lanes.get(key)
            if lane is None:
                lane = lanes[key] = Kept(0)
            lane.last += 1
            known = lane.ports
            if client not in known:
                if len(known) < 64:
                    known.add(client)
                else:
                    lane.add(client)
            if len(lane.examples) < 2:
                lane.examples.append(record)
        return len(found)


class KeepingPairs(Timed):
    """As `Pairs`, with `Kept`."""

    def take(self, data):
        """Count the pairs of `data`; returns how many."""
        seconds, lanes, join = self._seconds, self.lanes, BETWEEN.join
        found = self._findall(data)
        for record in found:
            second, host, policy, entered, src, dst, proto, left, right, flags, _ = record
            at = seconds.get(second)
            if at is None:
                at = seconds[second] = self._clock(second)
            if left >= CLIENTS and len(left) == 5:
                client, server = left, right
            else:
                client, server = right, left
            key = join((server, host, policy, entered, src, dst, proto, flags))
            lane = lanes.get(key)
            if lane is None:
                lane = lanes[key] = Kept(at)
            buckets, start = lane.buckets, at // SECOND
            buckets[start] = buckets.get(start, 0) + 1
            if at > lane.last:
                lane.last = at
            elif at < lane.first:
                lane.first = at
            known = lane.ports
            if client not in known:
                if len(known) < 64:
                    known.add(client)
                else:
                    lane.add(client)
            if len(lane.examples) < 2:
                lane.examples.append(record)
        return len(found)


class KeepingRepeated(Repeated):
    """As `Repeated`, with `Kept`."""

    def take(self, data):
        """Count the records of `data`; returns how many."""
        seconds, lanes, ports, rest, join = self._seconds, self.lanes, self._ports, self._key, BETWEEN.join
        seen = self._seen
        found = self._findall(data)
        for record in found:
            second = record[0]
            at = seconds.get(second)
            if at is None:
                at = seconds[second] = self._clock(second)
            at += int(record[1]) * 1_000
            words = record[2:]
            again = at - seen.get(words, -1) <= 1_000_000
            if again:
                del seen[words]
            else:
                if len(seen) > 256:
                    seen.clear()
                seen[words] = at
            left, right = ports(record)
            if left >= CLIENTS and len(left) == 5:
                client, server = left, right
            else:
                client, server = right, left
            key = join((server, b"again" if again else b"", *rest(record)))
            lane = lanes.get(key)
            if lane is None:
                lane = lanes[key] = Kept(at)
            buckets, start = lane.buckets, at // SECOND
            buckets[start] = buckets.get(start, 0) + 1
            if at > lane.last:
                lane.last = at
            elif at < lane.first:
                lane.first = at
            known = lane.ports
            if client not in known:
                if len(known) < 64:
                    known.add(client)
                else:
                    lane.add(client)
            if len(lane.examples) < 2:
                lane.examples.append(record)
        return len(found)


class Messages:
    """A log: messages are counted, and of those that begin with `told` the name that `name` finds is kept.

    Groups of `pattern`: second, milliseconds, message, rest of the line.
    """

    def __init__(self, pattern, told, name):
        self._findall = re.compile(pattern).findall
        self._told = told
        self._name = re.compile(name).search
        self._seconds = {}
        self.lanes = {}
        self.policies = []

    def take(self, data):
        """Count the records of `data`; returns how many."""
        seconds, lanes, told = self._seconds, self.lanes, self._told
        found = self._findall(data)
        for second, fraction, message, rest in found:
            at = seconds.get(second)
            if at is None:
                at = seconds[second] = _iso(second)
            at += int(fraction) * 1_000_000
            if message.startswith(told):
                self.policies.append((at, self._name(rest)[1]))
                message = told  # noqa: PLW2901 - what follows is the policy's
            lane = lanes.get(message)
            if lane is None:
                lane = lanes[message] = [at, at, 0]
            lane[2] += 1
            if at > lane[1]:
                lane[1] = at
            elif at < lane[0]:
                lane[0] = at
        return len(found)


class _Flow(Struct, gc=False):
    start_time: str
    action: str
    reporter: str
    source_name: str
    source_namespace: str
    source_labels: str
    dest_name: str
    dest_namespace: str
    dest_labels: str
    protocol: str
    dest_port: int
    policies: Raw


class Flows:
    """Whisker's records: the bytes of the policies are a part of the key."""

    def __init__(self):
        self._decode = Decoder(_Flow).decode_lines
        self._instants = {}
        self.lanes = {}

    def take(self, data):
        """Count the records of `data`; returns how many."""
        instants, lanes = self._instants, self.lanes
        found = self._decode(data)
        for one in found:
            at = instants.get(one.start_time)
            if at is None:
                at = instants[one.start_time] = _iso(one.start_time[:-1].encode())
            key = (
                one.action,
                one.reporter,
                one.source_name,
                one.source_namespace,
                one.source_labels,
                one.dest_name,
                one.dest_namespace,
                one.dest_labels,
                one.protocol,
                one.dest_port,
                bytes(one.policies),
            )
            lane = lanes.get(key)
            if lane is None:
                lane = lanes[key] = [at, at, {}]
            buckets, minute = lane[2], at // MINUTE
            buckets[minute] = buckets.get(minute, 0) + 1
            if at > lane[1]:
                lane[1] = at
            elif at < lane[0]:
                lane[0] = at
        return len(found)


_NFLOG = (
    (
        rb"(.{15}) ([^ ]+) DROP by policy ([^ ]+) (?=(IN=[^ ]* OUT=[^ ]*) MAC=[^ ]* SRC=([^ ]+) DST=([^ ]+) .+? PROTO=([^ ]+) "
        rb"SPT=(\d+) DPT=(\d+) SEQ=\d+ ACK=\d+ WINDOW=\d+ (.+) URGP)(.+)\n\1 \2  \11\n"
    ),
    _syslog,
    (7, 8),
    (1, 2),
)
_WEAVE = (
    rb"WARN: (.{19})\.(\d+) (.+ from [^:]+):(\d+) to ([^:]+):(\d+) blocked by Weave NPC\.\n",
    _iso,
    (3, 5),
    (2, 4),
)
_NETFILTER = (
    (
        rb"(?:\[[^\]]+\] )?([^=]*=[^ ]* OUT=[^ ]* MAC=[^ ]* SRC=[^ ]+ DST=[^ ]+) .*PROTO=([^ ]+) SPT=(\d+) DPT=(\d+) "
        rb"WINDOW=\d+ RES=[^ ]+ (.*) URGP=0 \n"
    ),
    (2, 3),
    (0, 1),
)
PASSES = {
    "aws-network-policy-agent": lambda: Timed(
        rb'..level":"\w+","ts":"(.{19})\.(\d+)Z","caller":"[^"]+","msg":"Flow Info: Src IP: ([^ ]+) Src Port: (\d+) '
        rb'Dest IP: ([^ ]+) Dest Port: (\d+) Proto ([^ ]+) Verdict ([^ ]+) Direction ([^"]+)"\}\n',
        _iso,
        (3, 5),
        (2, 4, 6, 7, 8),
    ),
    "hubble-compact": lambda: Timed(
        rb"(.{15})\.(\d{3})([^:]*: [^:]+):(\d+)( [^:]+:[^:]+):(\d+)(.*\()TCP Flags: ([A-Z, ]+)\)\n",
        _syslog,
        (3, 5),
        (2, 4, 6),
    ),
    "hubble-dict": lambda: Timed(
        rb"  TIMESTAMP: (.{15})\.(\d{3})\n     SOURCE: ([^:]+):(\d+)\nDESTINATION: ([^:]+):(\d+)\n"
        rb"       TYPE: (.+)\n    VERDICT: (.+)\n    SUMMARY: TCP Flags: (.+)\n-+\n",
        _syslog,
        (3, 5),
        (2, 4, 6, 7),
    ),
    "hubble-table": lambda: Timed(
        rb"(.{15})\.(\d{3}) +([^:]+):(\d+) +([^:]+):(\d+)(.+)   TCP Flags: (.+)\n", _syslog, (3, 5), (2, 4, 6)
    ),
    "cilium-monitor": lambda: Untimed(
        rb"(.+?) flow 0x[0-9a-f]+(.+ [0-9.]+):(\d+) -> ([0-9.]+):(\d+) tcp (.+)\n", (2, 4), (0, 1, 3)
    ),
    "cilium-agent-log": lambda: Messages(
        rb'time=([^.]+)\.(\d+)Z level=[a-z]+ (?:source=[^ ]+ )?msg="([^"]*)"(.*)\n',
        b"Upserted policy to repository",
        rb" resource=([^ ]+)",
    ),
    "calico-log": lambda: Messages(
        rb"([^.]+)\.(\d{3}) \[\w+\]\[\d+\] [^:]+: ((?:Received \*proto.ActivePolicyUpdate)?)(.*)\n",
        b"Received",
        rb'name:"([^"]+)"',
    ),
    "calico-flowlog": Flows,
    "calico-bpf": lambda: Untimed(
        rb".*?\] \S+ +[\d.]+: bpf_trace_printk: ([^:]+: policy \w+ +proto \d+ src [^:]+):(\d+) dest ([^:]+):(\d+)\n",
        (1, 3),
        (0, 2),
    ),
    "ovn-acl": lambda: Timed(
        rb'([^.]+)\.(\d+)Z\|\d+\|acl_log\([^)]+\)\|INFO\|name=("[^"]+", verdict=[^:]+: tcp),vlan_tci=0x0000,dl_src=[^,]+,dl_dst=[^,]+,'
        rb"(nw_src=[^,]+,nw_dst=[^,]+),nw_tos=0,nw_ecn=0,nw_ttl=\d+,nw_frag=no,tp_src=(\d+),tp_dst=(\d+),tcp_flags=(.+)\n",
        _iso,
        (4, 5),
        (2, 3, 6),
    ),
    "antrea-np-log": lambda: Timed(
        rb"(.{19})\.(\d+) ([^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+) (\d+) ([^ ]+) (\d+) ([^ ]+) \d+ [^ \n]+( \[\d+|)(?:.*)\n",
        _iso,
        (3, 5),
        (2, 4, 6, 7),
        1_000,
    ),
    "antrea-flows": lambda: Timed(
        rb"(\d{10}),\d{9}(\d),([^,]+,[^,]+),(\d+),(\d+),(.+)\n", _epoch, (3, 4), (2, 5), 0
    ),
    "kube-network-policies": lambda: Timed(
        rb'I.{13}\.\d+ +1 [^ ]+ "Evaluating packet" id=(?=(\d+))\d+ direction="[^"]+" srcPod="([^"]+)" dstPod="([^"]+)" packet=<\n'
        rb"\t[^ ]+ ([^:]+):(\d+) ([^:]+):(\d+) ([^\n]+)\n(?:\t.+\n)* >\n"
        rb'I(.{13})\.(\d+) +1 [^ ]+ "Packet ([^"]+)" id=\1\n.+ "Finished syncing packet" id=.+\n',
        _klog,
        (4, 6),
        (1, 2, 3, 5, 7, 10),
        1_000,
        when=(8, 9),
    ),
    "nflog": lambda: Pairs(*_NFLOG),
    "weave-npc": lambda: Repeated(*_WEAVE),
    "netfilter": lambda: Untimed(*_NETFILTER),
}
"""Parser -> a new pass over blocks of what the generator writes for it."""

KEEPING = {
    "nflog": lambda: KeepingPairs(*_NFLOG),
    "weave-npc": lambda: KeepingRepeated(*_WEAVE),
    "netfilter": lambda: KeepingUntimed(*_NETFILTER),
}
"""The same for formats of which every line is kept for its ports and as an example, and which keep these too."""
