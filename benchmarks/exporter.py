"""What agents write: records of flows as the exporters of several releases put them, in the order of their times."""

import heapq
from datetime import UTC, datetime
from itertools import count

from world import CLUSTER, RELEASES, dumps

NS = 1_000_000_000

SYN, SYN_ACK, ACK, DATA, FIN = (
    '"SYN":true',
    '"SYN":true,"ACK":true',
    '"ACK":true',
    '"PSH":true,"ACK":true',
    '"FIN":true,"ACK":true',
)
SUMMARY = {
    SYN: "TCP Flags: SYN",
    SYN_ACK: "TCP Flags: SYN, ACK",
    ACK: "TCP Flags: ACK",
    DATA: "TCP Flags: ACK, PSH",
    FIN: "TCP Flags: ACK, FIN",
}
WORLD = '{"identity":2,"labels":["reserved:world"]}'
HOST = '{"identity":1,"labels":["reserved:host"]}'
PARTNER = '{"identity":16777217,"labels":["cidr:198.51.100.0/24","reserved:world"]}'
OUTSIDE_MAC = "0a:58:00:00:00:01"
INGRESS, EGRESS = '"traffic_direction":"INGRESS",', '"traffic_direction":"EGRESS",'
VERDICT = '{"type":5}'
ANSWER, ASK = '"is_reply":true,', '"is_reply":false,'


class Node:
    """An agent: what it writes into every record, by its release."""

    def __init__(self, number):
        self.release = RELEASES[number % len(RELEASES)]
        self.name = f"{CLUSTER}/worker-{number}"
        labels = [
            "beta.kubernetes.io/arch=amd64",
            "beta.kubernetes.io/os=linux",
            "kubernetes.io/arch=amd64",
            f"kubernetes.io/hostname=worker-{number}",
            "kubernetes.io/os=linux",
            f"topology.kubernetes.io/zone=zone-{number % 3}",
        ]
        newest = self.release == "1.19"
        self.newest = newest
        self.emitter = '"emitter":{"name":"Hubble","version":"1.19.4"},' if newest else ""
        self.labels = "" if self.release == "1.14" else f'"node_labels":{dumps(labels)},'
        self.reasons = self.release != "1.14"
        """Whether records say why they were traced (since 1.16)."""


class Exporter:
    """Records that wait for their time, of all nodes."""

    def __init__(self, world):
        self.rng = world.rng
        self.nodes = [Node(number) for number in range(world.nodes)]
        self.counts = dict.fromkeys(
            ("records", "refused_records", "refused_packets", "replies", "ipv6", "l7", "service"), 0
        )
        self._waiting = []
        self._order = count()
        self._second, self._text = 0, ""

    def put(self, at, *record):
        """Let a record wait for its time; see `line` for what it holds."""
        heapq.heappush(self._waiting, (at, next(self._order), record))

    def until(self, at):
        """The lines of all records before `at`, in order."""
        waiting, line = self._waiting, self.line
        while waiting and waiting[0][0] < at:
            when, _, record = heapq.heappop(waiting)
            yield line(when, *record)

    def line(self, at, node, src, dst, l4, verdict, kind, way, more, summary, reason="", l7="", names=""):
        """One record as `node` saw it; `src` and `dst` are (ip, mac, endpoint text)."""
        agent = self.nodes[node]
        second, rest = divmod(at, NS)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        moment = f"{self._text}.{rest:09d}"
        while moment.endswith("000", len(self._text)):
            moment = moment[:-3]
        moment = moment.rstrip(".") + "Z"
        bits = f"{self.rng.getrandbits(128):032x}"
        v6 = ":" in src[0]
        counts = self.counts
        counts["records"] += 1
        counts["ipv6"] += v6
        counts["replies"] += ANSWER in more
        counts["l7"] += bool(l7)
        counts["service"] += "_service" in way
        if verdict == "DROPPED":
            counts["refused_records"] += 1
            counts["refused_packets"] += kind == VERDICT
        return (
            f'{{"flow":{{"time":"{moment}","uuid":"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-b{bits[17:20]}-{bits[20:]}",'
            f'{agent.emitter}"verdict":"{verdict}",{reason}'
            f'"ethernet":{{"source":"{src[1]}","destination":"{dst[1]}"}},'
            f'"IP":{{"source":"{src[0]}","destination":"{dst[0]}","ipVersion":"IPv{6 if v6 else 4}"}},'
            f'"l4":{l4},"source":{src[2]},"destination":{dst[2]},"Type":"{"L7" if l7 else "L3_L4"}",'
            f'"node_name":"{agent.name}",{agent.labels}{names}{l7}"event_type":{kind},{way}{more}'
            f'"Summary":"{summary}"}},"node_name":"{agent.name}","time":"{moment}"}}\n'
        )


def tcp(source, destination, flags):
    return f'{{"TCP":{{"source_port":{source},"destination_port":{destination},"flags":{{{flags}}}}}}}'


def trace(agent, point, reason):
    """Where and why a packet was traced; the second since 1.16."""
    why = f'"trace_reason":"{reason}",' if agent.reasons else ""
    return f'"trace_observation_point":"{point}",{why}'


def allowed_by(way, name, namespace):
    """The policies that let a connection in or out, as 1.19 names them."""
    labels = [
        "k8s:io.cilium.k8s.policy.derived-from=NetworkPolicy",
        f"k8s:io.cilium.k8s.policy.name={name}",
        f"k8s:io.cilium.k8s.policy.namespace={namespace}",
    ]
    policy = {
        "name": name,
        "namespace": namespace,
        "labels": labels,
        "revision": "14",
        "kind": "NetworkPolicy",
    }
    return f'"{way}_allowed_by":[{dumps(policy)}],'
