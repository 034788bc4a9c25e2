"""As `counting_pass.py`, for formats of which every line is refused: clients' ports and examples are kept too."""

from counting_pass import BETWEEN, CLIENTS, Repeated, Timed, Untimed

SECOND = 1_000_000_000


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
