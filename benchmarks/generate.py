"""A large, realistic Hubble export with the cluster state that belongs to it, from a seed.

Run ``python benchmarks/generate.py DIRECTORY [--megabytes 100] [--pods 2000] [--seed 1]``.  It writes
``flows.jsonl``, ``state/*.json`` (pods, namespaces, nodes, services, networkpolicies as ``kubectl get -o
json`` lists) and ``truth.json`` with what was written.  Lines are about 2 KB, as the exporter of Cilium
1.16 and 1.19 (half of the nodes each) writes them; 5 % are refused.
"""

import argparse
import json
import random
import time
from datetime import UTC, datetime
from pathlib import Path

NS = 1_000_000_000
START = int(datetime(2026, 4, 1, 6, tzinfo=UTC).timestamp()) * NS
CLUSTER = "bench"
WORDS = [
    "order",
    "cart",
    "user",
    "stock",
    "price",
    "search",
    "media",
    "mail",
    "audit",
    "ledger",
    "quote",
    "route",
    "geo",
    "rank",
    "feed",
    "auth",
]
ROLES = ["api", "web", "worker", "cache", "db", "gateway", "sync", "store"]
PORTS = {
    "api": 8080,
    "web": 8443,
    "worker": 9090,
    "cache": 6379,
    "db": 5432,
    "gateway": 8081,
    "sync": 7000,
    "store": 9000,
}
OUTSIDE = [(f"198.51.100.{n}", f"partner-{n}.example.com") for n in range(1, 120)]


def dumps(value):
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"))


class Workload:
    """A Deployment: its pods, and the workloads that it calls."""

    def __init__(self, number, namespace, name, role):
        self.namespace, self.name, self.role = namespace, name, role
        self.identity = 20_000 + number
        self.port = PORTS[role]
        self.labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": namespace, "tier": role}
        self.pods = []
        self.calls = []
        self.refused = []


class Pod:
    """A pod, with its endpoint as JSON text: as its own node sees it, and as others do."""

    def __init__(self, number, workload, node):
        self.workload, self.node = workload, node
        self.name = f"{workload.name}-{workload.identity:x}7c9d-{number:05x}"
        self.ip = f"10.{16 + node}.{number // 250 % 250}.{number % 250 + 1}"
        self.ip6 = f"2001:db8:{node:x}::{number:x}"
        self.mac = (
            f"0a:58:{node & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        )
        labels = [f"k8s:{key}={value}" for key, value in workload.labels.items()]
        labels += [
            f"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name={workload.namespace}",
            f"k8s:io.cilium.k8s.namespace.labels.team=team-{workload.identity % 7}",
            f"k8s:io.cilium.k8s.policy.cluster={CLUSTER}",
            f"k8s:io.cilium.k8s.policy.serviceaccount={workload.name}",
            f"k8s:io.kubernetes.pod.namespace={workload.namespace}",
            f"k8s:helm.sh/chart={workload.name}-2.{workload.identity % 30}.1",
        ]
        end = {
            "identity": workload.identity,
            "cluster_name": CLUSTER,
            "namespace": workload.namespace,
            "labels": sorted(labels),
            "pod_name": self.name,
            "workloads": [{"name": workload.name, "kind": "Deployment"}],
        }
        self.far = dumps(end)
        self.near = dumps({"ID": number % 4000 + 10} | end)


class World:
    """Cluster, call graph and the clock of one run."""

    def __init__(self, pods, seed):
        self.rng = random.Random(seed)
        self.nodes = max(3, pods // 60)
        self.workloads = []
        number = 0
        while number < pods:
            index = len(self.workloads)
            role = ROLES[index % len(ROLES)]
            namespace = f"{WORDS[index // 12 % len(WORDS)]}-{index // 12}"
            workload = Workload(index, namespace, f"{self.rng.choice(WORDS)}-{role}-{index % 12}", role)
            for _ in range(self.rng.randint(1, 7)):
                if number < pods:
                    workload.pods.append(Pod(number, workload, self.rng.randrange(self.nodes)))
                    number += 1
            self.workloads.append(workload)
        self.dns = Workload(len(self.workloads), "kube-system", "coredns", "api")
        self.dns.port = 53
        self.dns.pods = [Pod(pods + n, self.dns, n % self.nodes) for n in range(2)]
        for workload in self.workloads:
            workload.calls = self.rng.sample(self.workloads, min(5, len(self.workloads)))
            workload.refused = [
                w
                for w in self.rng.sample(self.workloads, min(2, len(self.workloads)))
                if w not in workload.calls
            ]
        self.node_text = [self._node(n) for n in range(self.nodes)]

    def _node(self, number):
        """Name, and the labels that newer releases add, as JSON text."""
        labels = [
            "beta.kubernetes.io/arch=amd64",
            "beta.kubernetes.io/os=linux",
            "kubernetes.io/arch=amd64",
            f"kubernetes.io/hostname=worker-{number}",
            "kubernetes.io/os=linux",
            f"topology.kubernetes.io/zone=zone-{number % 3}",
        ]
        return f"{CLUSTER}/worker-{number}", f'"node_labels":{dumps(labels)},'

    def isolated(self, workload):
        """Whether a policy isolates this workload's ingress."""
        return workload.identity % 4 != 0


def stamp(at):
    """RFC 3339 with nine digits; the seconds are formatted once each."""
    second = at // NS
    text = stamp.known.get(second)
    if text is None:
        stamp.known.clear()
        text = stamp.known[second] = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{at % NS:09d}Z"


stamp.known = {}


class Writer:
    """Lines of flows, with the counts that truth.json gets."""

    def __init__(self, world):
        self.world, self.rng = world, world.rng
        self.counts = {"records": 0, "refused_records": 0, "refused_packets": 0, "dns_answers": 0}

    def line(self, at, node, src, dst, l4, *, verdict, kind, more="", summary, direction, v6=False):
        """One record as `node` saw it; `src` and `dst` are (ip, mac, endpoint text)."""
        bits = self.rng.getrandbits(128)
        text = f"{bits:032x}"
        time = stamp(at)
        name, labels = self.world.node_text[node]
        self.counts["records"] += 1
        if node % 2:
            uuid = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
            head = f'"uuid":"{uuid}","emitter":{{"name":"Hubble","version":"1.19.4"}},'
        else:
            head, labels = f'"uuid":"{text[:8]}-{text[8:12]}-4{text[13:16]}-b{text[17:20]}-{text[20:]}",', ""
        return (
            f'{{"flow":{{"time":"{time}",{head}"verdict":"{verdict}",'
            f'"ethernet":{{"source":"{src[1]}","destination":"{dst[1]}"}},'
            f'"IP":{{"source":"{src[0]}","destination":"{dst[0]}","ipVersion":"IPv{6 if v6 else 4}"}},'
            f'"l4":{l4},"source":{src[2]},"destination":{dst[2]},"Type":"{"L7" if kind == 129 else "L3_L4"}",'
            f'"node_name":"{name}",{labels}"event_type":{{"type":{kind}}},{direction}{more}'
            f'"Summary":"{summary}"}},"node_name":"{name}","time":"{time}"}}\n'
        )

    def batch(self, at):
        """The records of something that happens at `at`, with their times in order."""
        rng = self.rng
        source = rng.choice(self.world.workloads)
        pod = rng.choice(source.pods)
        dice = rng.random()
        if dice < 0.115 and source.refused:
            return self.refused(at, pod, rng.choice(rng.choice(source.refused).pods))
        if dice < 0.2:
            return self.lookup(at, pod)
        if dice < 0.25:
            return self.outside(at, pod)
        return self.connection(at, pod, rng.choice(rng.choice(source.calls).pods))

    def ends(self, pod, other, node):
        """Both ends as `node` sees them; one workload in ten speaks IPv6."""
        v6 = pod.workload.identity % 10 == 0
        return (
            (pod.ip6 if v6 else pod.ip, pod.mac, pod.near if pod.node == node else pod.far),
            (other.ip6 if v6 else other.ip, other.mac, other.near if other.node == node else other.far),
            v6,
        )

    def connection(self, at, pod, other):
        """A few packets of a connection and their replies, as the destination's node saw them."""
        node = other.node
        src, dst, v6 = self.ends(pod, other, node)
        here, port = self.rng.randrange(32_768, 60_999), other.workload.port
        out = []
        there = f'{{"TCP":{{"source_port":{here},"destination_port":{port},"flags":{{%s}}}}}}'
        back = f'{{"TCP":{{"source_port":{port},"destination_port":{here},"flags":{{%s}}}}}}'
        if self.world.isolated(other.workload):
            allowed = (
                '"policy_match_type":2,"is_reply":false,"ingress_allowed_by":[{"name":"callers","namespace":"'
                f'{other.workload.namespace}","labels":["k8s:io.cilium.k8s.policy.derived-from=NetworkPolicy",'
                '"k8s:io.cilium.k8s.policy.name=callers","k8s:io.cilium.k8s.policy.namespace='
                f'{other.workload.namespace}"],"revision":"14","kind":"NetworkPolicy"}}],'
            )
            out.append(
                self.line(at, node, src, dst, there % '"SYN":true', verdict="FORWARDED", kind=5, more=allowed,
                          summary="TCP Flags: SYN", direction='"traffic_direction":"INGRESS",', v6=v6)
            )  # fmt: skip
        for step in range(self.rng.randint(1, 4)):
            flags = ('"SYN":true', '"ACK":true', '"PSH":true,"ACK":true', '"FIN":true,"ACK":true')[step]
            reply = ('"SYN":true,"ACK":true', '"ACK":true', '"PSH":true,"ACK":true', '"FIN":true,"ACK":true')[
                step
            ]
            seen = '"trace_observation_point":"TO_ENDPOINT","trace_reason":"%s","is_reply":%s,'
            way = '"traffic_direction":"INGRESS",'
            out.append(
                self.line(at + step * 900_000 + 1000, node, src, dst, there % flags, verdict="FORWARDED", kind=4,
                          more=seen % ("NEW" if step == 0 else "ESTABLISHED", "false"), summary="TCP Flags: " + "ACK",
                          direction=way, v6=v6)
            )  # fmt: skip
            out.append(
                self.line(at + step * 900_000 + 400_000, node, dst, src, back % reply, verdict="FORWARDED", kind=4,
                          more=seen % ("REPLY", "true"), summary="TCP Flags: " + "ACK", direction=way, v6=v6)
            )  # fmt: skip
        return out

    def refused(self, at, pod, other):
        """A SYN that the destination's node refuses: a verdict and a drop."""
        node = other.node
        src, dst, v6 = self.ends(pod, other, node)
        l4 = (
            f'{{"TCP":{{"source_port":{self.rng.randrange(32_768, 60_999)},'
            f'"destination_port":{other.workload.port},"flags":{{"SYN":true}}}}}}'
        )
        reason = '"drop_reason":133,"drop_reason_desc":"POLICY_DENIED",'
        self.counts["refused_records"] += 2
        self.counts["refused_packets"] += 1
        return [
            self.line(at + n * 1500, node, src, dst, l4, verdict="DROPPED", kind=kind, more=more,
                      summary="TCP Flags: SYN", direction='"traffic_direction":"INGRESS",', v6=v6)
            for n, (kind, more) in enumerate(((5, reason), (1, reason + '"file":{"name":"bpf_lxc.c","line":2190},')))
        ]  # fmt: skip

    def lookup(self, at, pod):
        """A DNS question through the proxy and its answer, at the client's node."""
        node, server = pod.node, self.rng.choice(self.world.dns.pods)
        src, dst, v6 = self.ends(pod, server, node)
        here, name = self.rng.randrange(32_768, 60_999), self.rng.choice(OUTSIDE)
        question = f'"l7":{{"type":"REQUEST","dns":{{"query":"{name[1]}.","observation_source":"proxy","qtypes":["A"]}}}},"is_reply":false,'
        answer = (
            f'"l7":{{"type":"RESPONSE","latency_ns":"812000","dns":{{"query":"{name[1]}.","ips":["{name[0]}"],'
            '"ttl":30,"observation_source":"proxy","qtypes":["A"],"rrtypes":["A"]}},"is_reply":true,'
        )
        self.counts["dns_answers"] += 1
        way = '"traffic_direction":"EGRESS",'
        return [
            self.line(at, node, src, dst, f'{{"UDP":{{"source_port":{here},"destination_port":53}}}}', verdict="FORWARDED",
                      kind=129, more=question, summary=f"DNS Query {name[1]}. A", direction=way, v6=v6),
            self.line(at + 800_000, node, dst, src, f'{{"UDP":{{"source_port":53,"destination_port":{here}}}}}',
                      verdict="FORWARDED", kind=129, more=answer, summary="DNS Answer", direction=way, v6=v6),
        ]  # fmt: skip

    def outside(self, at, pod):
        """A connection to a partner outside, by name."""
        ip, name = self.rng.choice(OUTSIDE)
        world = (
            ip,
            "0a:58:00:00:00:01",
            '{"identity":16777217,"labels":["cidr:198.51.100.0/24","reserved:world"]}',
        )
        l4 = f'{{"TCP":{{"source_port":{self.rng.randrange(32_768, 60_999)},"destination_port":443,"flags":{{"SYN":true}}}}}}'
        more = f'"destination_names":["{name}"],"trace_observation_point":"TO_STACK","trace_reason":"NEW","is_reply":false,'
        return [
            self.line(at, pod.node, (pod.ip, pod.mac, pod.near), world, l4, verdict="FORWARDED", kind=4, more=more,
                      summary="TCP Flags: SYN", direction='"traffic_direction":"EGRESS",')
        ]  # fmt: skip


def write_flows(path, world, size, hours):
    """Write about `size` bytes of flows; returns the counts."""
    writer = Writer(world)
    written, at = 0, START
    # A record stands for about 2 KB; batches hold about 4 of them.
    step = max(1, hours * 3600 * NS // max(1, size // 8_600))
    with path.open("w", encoding="ascii", buffering=1 << 20) as stream:
        while written < size:
            at += world.rng.randrange(1, 2 * step)
            text = "".join(writer.batch(at))
            stream.write(text)
            written += len(text)
    return writer.counts | {"bytes": written, "first": stamp(START), "last": stamp(at)}


def meta(name, namespace=None, **more):
    """Metadata of an object that was there from the start."""
    found = {"name": name, "creationTimestamp": "2026-03-01T00:00:00Z", "generation": 1, **more}
    return found | ({"namespace": namespace} if namespace else {})


def write_state(folder, world):
    """Lists as ``kubectl get -o json`` prints them."""
    every = [*world.workloads, world.dns]
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta(
                pod.name,
                workload.namespace,
                labels=workload.labels,
                ownerReferences=[
                    {
                        "apiVersion": "apps/v1",
                        "kind": "ReplicaSet",
                        "controller": True,
                        "name": pod.name.rsplit("-", 1)[0],
                    }
                ],
            ),
            "spec": {
                "nodeName": f"worker-{pod.node}",
                "serviceAccountName": workload.name,
                "containers": [{"name": "main", "ports": [{"containerPort": workload.port}]}],
            },
            "status": {
                "phase": "Running",
                "podIP": pod.ip,
                "podIPs": [{"ip": pod.ip}, {"ip": pod.ip6}],
                "hostIP": f"192.168.0.{pod.node % 250 + 1}",
                "startTime": "2026-03-01T00:00:00Z",
            },
        }
        for workload in every
        for pod in workload.pods
    ]
    namespaces = sorted({workload.namespace for workload in every})
    policies = []
    for workload in world.workloads:
        if not world.isolated(workload):
            continue
        peers = [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": caller.namespace}},
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": caller.name}},
            }
            for caller in world.workloads
            if workload in caller.calls
        ]
        policies.append(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": meta(f"callers-of-{workload.name}", workload.namespace),
                "spec": {
                    "podSelector": {"matchLabels": {"app.kubernetes.io/name": workload.name}},
                    "policyTypes": ["Ingress"],
                    "ingress": [{"from": peers, "ports": [{"port": workload.port}]}] if peers else [],
                },
            }
        )
    lists = {
        "pods": pods,
        "namespaces": [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": meta(name, labels={"kubernetes.io/metadata.name": name}),
            }
            for name in namespaces
        ],
        "nodes": [
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": meta(f"worker-{n}"),
                "status": {"addresses": [{"type": "InternalIP", "address": f"192.168.0.{n % 250 + 1}"}]},
            }
            for n in range(world.nodes)
        ],
        "services": [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": meta(workload.name, workload.namespace),
                "spec": {
                    "clusterIP": f"10.250.{n // 250}.{n % 250 + 1}",
                    "selector": workload.labels,
                    "ports": [{"port": 80, "targetPort": workload.port, "protocol": "TCP"}],
                },
            }
            for n, workload in enumerate(every)
        ],
        "networkpolicies": policies,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in lists.items():
        (folder / f"{name}.json").write_text(dumps({"apiVersion": "v1", "kind": "List", "items": items}))


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
    parser.add_argument("--hours", type=int, default=6)
    options = parser.parse_args()
    start = time.perf_counter()
    truth = generate(options.folder, options.megabytes, options.pods, options.seed, options.hours)
    took = time.perf_counter() - start
    print(
        f"{truth['records']} records, {truth['bytes'] / 1e6:.0f} MB in {took:.1f} s ({truth['bytes'] / took / 1e6:.0f} MB/s)"
    )


if __name__ == "__main__":
    main()
