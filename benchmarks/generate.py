"""A large, realistic Hubble export with the cluster state that belongs to it, from a seed.

Run ``python benchmarks/generate.py DIRECTORY [--megabytes 100] [--pods 2000] [--seed 1]``.  It writes
``flows.jsonl``, ``state/*.json`` (pods, namespaces, nodes, services, networkpolicies as ``kubectl get -o
json`` lists) and ``truth.json`` with what was written.

Lines are about 2 KB, as the exporters of Cilium 1.14, 1.16 and 1.19 write them (a third of the nodes each),
in the order of their times, so that the packets of many connections stand between each other.  Both nodes of
a connection report it, replies too; there are HTTP and DNS records, IPv6, cluster addresses of services, health
checks of nodes, and ends outside.  5 % of the records are refused: a verdict and a drop for each packet.
"""

import argparse
import heapq
import json
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from world import CLUSTER, HTTP, PARTNERS, RELEASES, STRANGERS, VISITORS, World, dumps, node_ip, write_state

NS = 1_000_000_000
START = int(datetime(2026, 4, 1, 6, tzinfo=UTC).timestamp()) * NS
MEAN_LINE = 1990
LIFE = 1200 * NS
"""How long connections live at most."""
MEAN_BATCH = 5.6
"""Records that one thing that happens leaves, on average; only the pace hangs on it."""

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


class Writer:
    """What happens in the world, as records that wait for their time."""

    def __init__(self, world, life=LIFE):
        self.world, self.rng, self.life = world, world.rng, life
        self.nodes = [Node(number) for number in range(world.nodes)]
        self.counts = dict.fromkeys(
            ("records", "refused_records", "refused_packets", "replies", "ipv6", "l7", "service"), 0
        )
        self._waiting = []
        self._order = count()
        self._second, self._text = 0, ""

    # -- records -----------------------------------------------------------------------------------

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
        moment = f"{self._text}.{rest:09d}".rstrip("0") + "Z" if rest else self._text + "Z"
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

    # -- what happens ------------------------------------------------------------------------------

    def happen(self, at):
        """Something happens at `at`."""
        rng, world = self.rng, self.world
        source = rng.choice(world.workloads)
        pod = rng.choice(source.pods)
        dice = rng.random()
        if dice < 0.084 and world.refused:
            source, other = rng.choice(world.refused)
            self.refused(at, rng.choice(source.pods), rng.choice(other.pods))
        elif dice < 0.095 and world.strays:
            self.refused_outside(at, rng.choice(rng.choice(world.strays).pods))
        elif dice < 0.22:
            self.lookup(at, pod)
        elif dice < 0.30:
            self.outside(at, pod)
        elif dice < 0.36:
            self.probe(at, pod)
        elif dice < 0.41:
            self.visit(at, pod)
        elif source.calls:
            self.connection(at, pod, rng.choice(rng.choice(source.calls).pods))

    def connection(self, at, pod, other):
        """A connection that lives for a while, as both nodes see it: what trace aggregation leaves of it."""
        rng = self.rng
        here, port = rng.randrange(32_768, 60_999), other.workload.port
        there = f'{{"TCP":{{"source_port":{here},"destination_port":{port},"flags":{{%s}}}}}}'
        back = f'{{"TCP":{{"source_port":{port},"destination_port":{here},"flags":{{%s}}}}}}'
        http = other.workload.role in HTTP and rng.random() < 0.3
        self._server_side(at, pod, other, there, back, http)
        self._client_side(at, pod, other, there, back)

    def _later(self, at):
        """When the rest of a connection is reported, and whether it is the reply that is."""
        rng = self.rng
        return [(at + rng.randrange(NS, self.life), rng.random() < 0.5) for _ in range(rng.randint(0, 4))]

    def _server_side(self, at, pod, other, there, back, http):
        node = other.node
        src, dst = _ends(pod, other, node)
        agent = self.nodes[node]
        if other.workload.isolated:
            allowed, verdict = "", "FORWARDED"
            if agent.newest:
                name = f"callers-of-{other.workload.name}"
                allowed = _allowed_by("ingress", name, other.workload.namespace)
            if http:
                verdict, allowed = "REDIRECTED", f'"proxy_port":14{node % 900 + 100},' + allowed
            self.put(
                at, node, src, dst, there % SYN, verdict, VERDICT, INGRESS,
                '"policy_match_type":2,' + ASK + allowed, SUMMARY[SYN],
            )  # fmt: skip
        new, old, reply = (_trace(agent, "TO_ENDPOINT", reason) for reason in ("NEW", "ESTABLISHED", "REPLY"))
        kind, kind_back = '{"type":4}', f'{{"type":4,"sub_type":{3 + node % 2}}}'
        reply = reply.replace("TO_ENDPOINT", "TO_OVERLAY" if node % 2 else "TO_STACK")
        self.put(
            at + 20_000, node, src, dst, there % SYN, "FORWARDED", kind, INGRESS, new + ASK, SUMMARY[SYN]
        )
        self.put(
            at + 90_000, node, dst, src, back % SYN_ACK, "FORWARDED", kind_back, INGRESS, reply + ANSWER,
            SUMMARY[SYN_ACK],
        )  # fmt: skip
        for when, is_reply in self._later(at):
            if is_reply:
                more = reply + ANSWER
                self.put(
                    when, node, dst, src, back % ACK, "FORWARDED", kind_back, INGRESS, more, SUMMARY[ACK]
                )
            else:
                self.put(
                    when, node, src, dst, there % DATA, "FORWARDED", kind, INGRESS, old + ASK, SUMMARY[DATA]
                )
        if http:
            self._http(at + 300_000, node, src, dst, there, back, other)

    def _http(self, at, node, src, dst, there, back, other):
        rng = self.rng
        host = f"{other.workload.name}.{other.workload.namespace}:{other.workload.port}"
        url = f"http://{host}/v1/items/{rng.randrange(100_000)}"
        method, code = rng.choice(("GET", "GET", "GET", "POST")), rng.choice((200, 200, 200, 404, 503))
        trace = f"{rng.getrandbits(64):016x}"
        headers = (
            '"headers":[{"key":":scheme","value":"http"},{"key":"Accept","value":"*/*"},'
            '{"key":"User-Agent","value":"bench/2.0"},'
            f'{{"key":"X-B3-Traceid","value":"{trace}"}},{{"key":"X-Request-Id","value":"{trace}-{code}"}}]'
        )
        spent = rng.randrange(1, 80) * 1_000_000
        ask = f'"l7":{{"type":"REQUEST","http":{{"method":"{method}","url":"{url}","protocol":"HTTP/1.1",{headers}}}}},'
        answer = (
            f'"l7":{{"type":"RESPONSE","latency_ns":"{spent}","http":{{"code":{code},"method":"{method}",'
            f'"url":"{url}","protocol":"HTTP/1.1",{headers}}}}},'
        )
        said = f"HTTP/1.1 {method} {url}"
        bare, bare_back = there.replace(',"flags":{%s}', ""), back.replace(',"flags":{%s}', "")
        kind = '{"type":129}'
        self.put(at, node, src, dst, bare, "FORWARDED", kind, INGRESS, ASK, said, "", ask)
        self.put(
            at + spent, node, dst, src, bare_back, "FORWARDED", kind, INGRESS, ANSWER,
            f"HTTP/1.1 {code} {spent // 1_000_000}ms ({method} {url})", "", answer,
        )  # fmt: skip

    def _client_side(self, at, pod, other, there, back):
        node = pod.node
        src, dst = _ends(pod, other, node)
        agent = self.nodes[node]
        to = "TO_OVERLAY" if node % 2 else "TO_STACK"
        new, old, reply = (_trace(agent, to, reason) for reason in ("NEW", "ESTABLISHED", "REPLY"))
        reply = reply.replace(to, "TO_ENDPOINT")
        kind, kind_back = f'{{"type":4,"sub_type":{3 + node % 2}}}', '{"type":4}'
        service = other.workload
        if pod.workload.identity % 5 == 0 and not service.v6:
            # The dialled address of a service, where another component translates it behind Cilium's back.
            dst = (service.service_ip, OUTSIDE_MAC, WORLD)
            there = there.replace(f'"destination_port":{service.port}', '"destination_port":80')
            back = back.replace(f'"source_port":{service.port}', '"source_port":80')
            named = f'_service":{{"name":"{service.name}","namespace":"{service.namespace}"}},'
            ask, answer = '"destination' + named + EGRESS, '"source' + named + EGRESS
        else:
            ask = answer = EGRESS
        self.put(at - 30_000, node, src, dst, there % SYN, "FORWARDED", kind, ask, new + ASK, SUMMARY[SYN])
        for when, is_reply in self._later(at):
            if is_reply:
                more = reply + ANSWER
                self.put(when, node, dst, src, back % ACK, "FORWARDED", kind_back, answer, more, SUMMARY[ACK])
            else:
                self.put(when, node, src, dst, there % DATA, "FORWARDED", kind, ask, old + ASK, SUMMARY[DATA])

    def refused(self, at, pod, other):
        """A SYN and its repetitions that the destination's node refuses: a verdict and a drop each."""
        src, dst = _ends(pod, other, other.node)
        l4 = _tcp(self.rng.randrange(32_768, 60_999), other.workload.port, SYN)
        self._drops(at, other.node, src, dst, l4, INGRESS)

    def refused_outside(self, at, pod):
        """A SYN to an outside end that the pod's namespace may not call."""
        src = (pod.ip, pod.mac, pod.near)
        dst = (self.rng.choice(STRANGERS), OUTSIDE_MAC, WORLD)
        self._drops(at, pod.node, src, dst, _tcp(self.rng.randrange(32_768, 60_999), 443, SYN), EGRESS)

    def _drops(self, at, node, src, dst, l4, way):
        agent = self.nodes[node]
        why = '"drop_reason":133,'
        where = '"file":{"name":"bpf_lxc.c","line":2190},' if agent.newest else ""
        desc = '"drop_reason_desc":"POLICY_DENIED",'
        for again in range(self.rng.randint(1, 2)):
            when = at + again * NS + again * self.rng.randrange(20_000_000)
            said = SUMMARY[SYN]
            self.put(when, node, src, dst, l4, "DROPPED", VERDICT, way, desc + ASK, said, why)
            self.put(when + 1500, node, src, dst, l4, "DROPPED", '{"type":1}', way, where + desc, said, why)

    def lookup(self, at, pod):
        """A DNS question through the proxy and its answer, at the client's node."""
        node, server = pod.node, self.rng.choice(self.world.dns.pods)
        src, dst = _ends(pod, server, node)
        here, (ip, name) = self.rng.randrange(32_768, 60_999), self.rng.choice(PARTNERS)
        ask = f'"l7":{{"type":"REQUEST","dns":{{"query":"{name}.","observation_source":"proxy","qtypes":["A"]}}}},'
        answer = (
            f'"l7":{{"type":"RESPONSE","latency_ns":"812000","dns":{{"query":"{name}.","ips":["{ip}"],'
            '"ttl":30,"observation_source":"proxy","qtypes":["A"],"rrtypes":["A"]}},'
        )
        there = f'{{"UDP":{{"source_port":{here},"destination_port":53}}}}'
        back = f'{{"UDP":{{"source_port":53,"destination_port":{here}}}}}'
        kind, said = '{"type":129}', f"DNS Query {name}. A"
        self.put(at, node, src, dst, there, "FORWARDED", kind, EGRESS, ASK, said, "", ask)
        self.put(
            at + 800_000, node, dst, src, back, "FORWARDED", kind, EGRESS, ANSWER, f'DNS Answer \\"{ip}\\" TTL: 30 (Proxy {name}. A)',
            "", answer,
        )  # fmt: skip
        if self.rng.random() < 0.5:
            far, near = _ends(pod, server, server.node)
            seen = _trace(self.nodes[server.node], "TO_ENDPOINT", "NEW") + ASK
            self.put(
                at + 200_000, server.node, far, near, there, "FORWARDED", '{"type":4}', INGRESS, seen, "UDP"
            )

    def outside(self, at, pod):
        """A connection to a partner outside, by name."""
        ip, name = self.rng.choice(PARTNERS)
        agent = self.nodes[pod.node]
        src, dst = (pod.ip, pod.mac, pod.near), (ip, OUTSIDE_MAC, PARTNER)
        here = self.rng.randrange(32_768, 60_999)
        named = f'"destination_names":["{name}"],'
        new = _trace(agent, "TO_STACK", "NEW") + ASK
        reply = _trace(agent, "TO_ENDPOINT", "REPLY") + ANSWER
        self.put(
            at, pod.node, src, dst, _tcp(here, 443, SYN), "FORWARDED", '{"type":4,"sub_type":3}', EGRESS, new,
            SUMMARY[SYN], "", "", named,
        )  # fmt: skip
        self.put(
            at + 9_000_000, pod.node, dst, src, _tcp(443, here, SYN_ACK), "FORWARDED", '{"type":4}', EGRESS,
            reply, SUMMARY[SYN_ACK], "", "", named.replace("destination", "source"),
        )  # fmt: skip

    def probe(self, at, pod):
        """The kubelet's health check, which no policy refuses."""
        agent = self.nodes[pod.node]
        src, dst = (node_ip(pod.node), OUTSIDE_MAC, HOST), (pod.ip, pod.mac, pod.near)
        here, port = self.rng.randrange(32_768, 60_999), pod.workload.port
        new, reply = _trace(agent, "TO_ENDPOINT", "NEW") + ASK, _trace(agent, "TO_HOST", "REPLY") + ANSWER
        self.put(
            at,
            pod.node,
            src,
            dst,
            _tcp(here, port, SYN),
            "FORWARDED",
            '{"type":4}',
            INGRESS,
            new,
            SUMMARY[SYN],
        )
        self.put(
            at + 60_000, pod.node, dst, src, _tcp(port, here, SYN_ACK), "FORWARDED", '{"type":4,"sub_type":2}',
            INGRESS, reply, SUMMARY[SYN_ACK],
        )  # fmt: skip

    def visit(self, at, pod):
        """Somebody outside calls a gateway; other workloads are not reachable from there."""
        if pod.workload.role != "gateway":
            return
        agent = self.nodes[pod.node]
        src = (self.rng.choice(VISITORS), OUTSIDE_MAC, WORLD)
        dst = (pod.ip, pod.mac, pod.near)
        here, port = self.rng.randrange(32_768, 60_999), pod.workload.port
        new, reply = _trace(agent, "TO_ENDPOINT", "NEW") + ASK, _trace(agent, "TO_STACK", "REPLY") + ANSWER
        self.put(
            at,
            pod.node,
            src,
            dst,
            _tcp(here, port, SYN),
            "FORWARDED",
            '{"type":4}',
            INGRESS,
            new,
            SUMMARY[SYN],
        )
        self.put(
            at + 80_000, pod.node, dst, src, _tcp(port, here, SYN_ACK), "FORWARDED", '{"type":4,"sub_type":3}',
            INGRESS, reply, SUMMARY[SYN_ACK],
        )  # fmt: skip


def _ends(pod, other, node):
    """Both ends as `node` sees them, in the family that the called workload speaks."""
    v6 = other.workload.v6
    return (
        (pod.ip6 if v6 else pod.ip, pod.mac, pod.seen_from(node)),
        (other.ip6 if v6 else other.ip, other.mac, other.seen_from(node)),
    )


def _tcp(source, destination, flags):
    return f'{{"TCP":{{"source_port":{source},"destination_port":{destination},"flags":{{{flags}}}}}}}'


def _trace(agent, point, reason):
    """Where and why a packet was traced; the second since 1.16."""
    why = f'"trace_reason":"{reason}",' if agent.reasons else ""
    return f'"trace_observation_point":"{point}",{why}'


def _allowed_by(way, name, namespace):
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


def lines(writer, pace, begin=START):
    """Endless lines from `begin` on, `pace` records a second; yields (time, lines) now and then."""
    step = max(1, int(MEAN_BATCH * NS / pace))
    at = begin
    while True:
        at += writer.rng.randrange(1, 2 * step)
        writer.happen(at)
        # Nothing that happens later writes a record before this.
        yield at, writer.until(at - NS)


def write_flows(path, world, size, hours):
    """Write about `size` bytes of flows over `hours`; returns the counts."""
    writer = Writer(world)
    written, at = 0, START
    with path.open("w", encoding="ascii", buffering=1 << 20) as stream:
        for last, texts in lines(writer, size / MEAN_LINE / (hours * 3600)):
            at = last
            for text in texts:
                stream.write(text)
                written += len(text)
            if written >= size:
                break
    return writer.counts | {"bytes": written, "from": START, "to": at}


def generate(folder, megabytes=100, pods=2000, seed=1, hours=6):
    """Write everything into `folder`; returns what truth.json says."""
    folder.mkdir(parents=True, exist_ok=True)
    world = World(pods, seed)
    write_state(folder / "state", world)
    truth = write_flows(folder / "flows.jsonl", world, int(megabytes * 1_000_000), hours)
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
    return truth


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=6)
    options = parser.parse_args()
    start = time.perf_counter()
    truth = generate(options.folder, options.megabytes, options.pods, options.seed, options.hours)
    took = time.perf_counter() - start
    print(
        f"{truth['records']} records, {truth['bytes'] / 1e6:.0f} MB in {took:.1f} s ({truth['bytes'] / took / 1e6:.0f} MB/s)"
    )


if __name__ == "__main__":
    main()
