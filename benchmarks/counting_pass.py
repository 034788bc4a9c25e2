"""Passes over records of packets that count, without or with the time: of `single_pass.py`."""

import re
from operator import itemgetter

MINUTE = 60_000_000_000
BETWEEN = b"\xff"
CLIENTS = b"32768"


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

    def forget_times(self):
        """Begin with a file whose seconds were not seen before."""
        self._seconds = {}

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

    def forget_times(self):
        """As `Timed`: there are none."""

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
