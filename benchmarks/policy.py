"""How fast policies compile and evaluate: distinct connections against many policies over many pods.

    python benchmarks/policy.py [--pods 2000] [--policies 500] [--connections 100000] [--naive 500]

Prints compile and evaluation apart, with the ratio to a naive evaluation (straight from the objects, no
index) of a sample of the same connections in the same run.
"""

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import ContainerPort, Namespace, Pod, PolicyObject, Snapshot
from flowdiag.model.policy import Dialect, IpBlockPods, PolicyRef
from flowdiag.policy import compile_policies
from flowdiag.policy.ends import pod_endpoint
from tests.policy.naive import allows

REPLICAS = 5
WORKLOADS_PER_NAMESPACE = 10
PORTS = (53, 80, 443, 5432, 6379, 8080, 8443, 9090)


def cluster(pods, policies, seed):
    """Namespaces of ten workloads with five replicas each, and policies as people write them."""
    dice = random.Random(seed)
    made = []
    spaces = max(1, pods // (REPLICAS * WORKLOADS_PER_NAMESPACE))
    names = [f"team-{number:03d}" for number in range(spaces)]
    for number in range(pods):
        workload = number // REPLICAS
        made.append(
            Pod(
                namespace=names[workload // WORKLOADS_PER_NAMESPACE % spaces],
                name=f"app-{workload}-{number}",
                labels={
                    "app": f"app-{workload % WORKLOADS_PER_NAMESPACE}",
                    "tier": dice.choice(("front", "back", "data"))
                    if number % REPLICAS == 0
                    else made[-1].labels["tier"],
                    "pod-template-hash": f"{workload:x}",
                    "instance": str(number),
                },
                ips=(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",),
                ports=(ContainerPort("http", 8080, "TCP"), ContainerPort("metrics", 9090, "TCP")),
                workload=WorkloadRef("Deployment", f"app-{workload}"),
                phase="Running",
            )
        )
    rules = [
        lambda: {"podSelector": {"matchLabels": {"app": f"app-{dice.randrange(WORKLOADS_PER_NAMESPACE)}"}}},
        lambda: {
            "podSelector": {
                "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front", "back"]}]
            }
        },
        lambda: {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": dice.choice(names)}}},
        lambda: {
            "namespaceSelector": {"matchLabels": {"zone": dice.choice("abc")}},
            "podSelector": {"matchLabels": {"tier": dice.choice(("front", "back", "data"))}},
        },
        lambda: {"ipBlock": {"cidr": f"203.0.{dice.randrange(113)}.0/24", "except": []}},
    ]
    written = []
    for number in range(policies):
        space = names[number % spaces]
        direction, word = dice.choice((("ingress", "from"), ("egress", "to")))
        spec = {
            "podSelector": {}
            if number < spaces
            else {"matchLabels": {"app": f"app-{dice.randrange(WORKLOADS_PER_NAMESPACE)}"}},
            "policyTypes": [direction.capitalize()],
            direction: [
                {
                    word: [dice.choice(rules)() for _ in range(dice.randint(1, 3))],
                    "ports": [{"port": dice.choice((*PORTS, "http"))} for _ in range(dice.randint(1, 2))],
                }
                for _ in range(dice.randint(1, 3))
            ],
        }
        written.append(
            PolicyObject(
                ref=PolicyRef("NetworkPolicy", "networking.k8s.io", space, f"policy-{number}"),
                api_version="networking.k8s.io/v1",
                spec=spec,
            )
        )
    spaces_made = {
        name: Namespace(name=name, labels={"kubernetes.io/metadata.name": name, "zone": "abc"[index % 3]})
        for index, name in enumerate(names)
    }
    return Snapshot(pods=tuple(made), policies=tuple(written), namespaces=spaces_made)


def questions(snapshot, count, seed):
    """Distinct connections: most between pods, some with the outside."""
    dice = random.Random(seed)
    pods = snapshot.pods
    found = set()
    while len(found) < count:
        src, dst = dice.randrange(len(pods)), dice.randrange(len(pods))
        kind = dice.random()
        outside = f"203.0.{dice.randrange(256)}.{dice.randrange(256)}"
        port = dice.choice(PORTS)
        if kind < 0.1:
            found.add((src, outside, port))
        elif kind < 0.2:
            found.add((outside, dst, port))
        elif src != dst:
            found.add((src, dst, port))
    return sorted(found, key=str)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--policies", type=int, default=500)
    parser.add_argument("--connections", type=int, default=100_000)
    parser.add_argument("--naive", type=int, default=500, help="connections of the naive sample")
    asked = parser.parse_args()
    snapshot = cluster(asked.pods, asked.policies, 1)
    wanted = questions(snapshot, asked.connections, 2)
    ends = [pod_endpoint(pod) for pod in snapshot.pods]
    outside = {
        end: Endpoint(kind=EndpointKind.EXTERNAL, ip=end)
        for question in wanted
        for end in question[:2]
        if isinstance(end, str)
    }
    pairs = [
        (
            ends[src] if isinstance(src, int) else outside[src],
            ends[dst] if isinstance(dst, int) else outside[dst],
            port,
        )
        for src, dst, port in wanted
    ]

    start = time.perf_counter()
    policies = compile_policies(snapshot, dialect=Dialect.KUBERNETES, ip_block_pods=IpBlockPods.MATCH)
    compiled = time.perf_counter() - start

    start = time.perf_counter()
    verdicts = [policies.evaluate(src, dst, "TCP", port).allowed for src, dst, port in pairs]
    evaluated = time.perf_counter() - start

    plain = compile_policies(snapshot, dialect=Dialect.KUBERNETES, ip_block_pods=IpBlockPods.MATCH)
    start = time.perf_counter()
    again = [plain.evaluate(src, dst, "TCP", port, nearest=False).allowed for src, dst, port in pairs]
    verdicts_only = time.perf_counter() - start
    if again != verdicts:
        sys.exit("verdicts differ without nearest rules")

    sample = range(0, len(wanted), max(1, len(wanted) // asked.naive))
    start = time.perf_counter()
    slow = []
    for index in sample:
        src, dst, port = wanted[index]
        both = [
            (snapshot.pods[end], snapshot.pods[end].ips[0]) if isinstance(end, int) else (None, end)
            for end in (src, dst)
        ]
        slow.append(allows(snapshot.policies, snapshot.namespaces, *both, "TCP", port))
    naive = time.perf_counter() - start
    if slow != [verdicts[index] for index in sample]:
        sys.exit("the naive evaluation disagrees")

    each = evaluated / len(pairs)
    bare = verdicts_only / len(pairs)
    print(f"pods {len(ends)}, policies {len(snapshot.policies)}, distinct connections {len(pairs)}")
    print(f"compile   {compiled:8.3f} s")
    print(f"evaluate  {evaluated:8.3f} s   {each * 1e6:7.1f} us each, {verdicts.count(False)} denied")
    print(f"verdicts  {verdicts_only:8.3f} s   {bare * 1e6:7.1f} us each, without nearest rules")
    slowly = naive / len(slow)
    print(
        f"naive     {slowly * 1e6:8.1f} us each over {len(slow)}, verdicts only: {slowly / bare:.1f} times slower"
    )


if __name__ == "__main__":
    main()
