"""Passes over logs of agents and over Whisker's records, which share no form with packets: of `single_pass.py`."""

import re

from clocks import iso
from counting_pass import MINUTE
from msgspec import Raw, Struct
from msgspec.json import Decoder


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

    def forget_times(self):
        """Begin with a file whose seconds were not seen before."""
        self._seconds = {}

    def take(self, data):
        """Count the records of `data`; returns how many."""
        seconds, lanes, told = self._seconds, self.lanes, self._told
        found = self._findall(data)
        for second, fraction, message, rest in found:
            at = seconds.get(second)
            if at is None:
                at = seconds[second] = iso(second)
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

    def forget_times(self):
        """Begin with a file whose instants were not seen before."""
        self._instants = {}

    def take(self, data):
        """Count the records of `data`; returns how many."""
        instants, lanes = self._instants, self.lanes
        found = self._decode(data)
        for one in found:
            at = instants.get(one.start_time)
            if at is None:
                at = instants[one.start_time] = iso(one.start_time[:-1].encode())
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
