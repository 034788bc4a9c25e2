"""How fast refusals are diagnosed: many distinct refused connections against many policies.

    python benchmarks/refusals.py [--pods 2000] [--policies 500] [--refusals 50000] [--crowded] [--profile]

Every connection is refused by the policies (each is asked first), half on one pair's side each, and read as
Hubble would have told it.  With ``--crowded`` all pods stand in one namespace, no two of them alike, and every
policy selects every pod: each refusal has as many rules near it as there are policies.  Prints processor seconds of diagnosis (replay, rules) and of the report (grouping,
proposals with their proofs) apart, and what each costs a refusal.
"""

import argparse
import cProfile
import pstats
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from msgspec.structs import replace

from benchmarks.policy import PORTS, cluster, questions
from flowdiag.analysis.attribute import attribute
from flowdiag.analysis.options import StateOptions
from flowdiag.analysis.state import State
from flowdiag.diagnose import Context
from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.event import Cause, Direction, Peer, TimeSource, Verdict, WorkloadRef
from flowdiag.model.flow import Flow
from flowdiag.model.objects import ContainerPort, Namespace, Pod, PolicyObject, Snapshot
from flowdiag.model.policy import Dialect, IpBlockPods, PolicyRef
from flowdiag.model.report import Cluster, Generator, SnapshotInfo
from flowdiag.model.tally import Bucket, DistinctFlow
from flowdiag.policy import compile_policies
from flowdiag.policy.ends import pod_endpoint
from flowdiag.tally.collecting import uncollected
from flowdiag.timeline import Material, build_report

NS = 1_000_000_000
BEGIN = 1_772_366_400 * NS


def crowded(pods, policies, seed):
    """One namespace, a workload a pod, and policies that select all of them and admit one workload each."""
    dice = random.Random(seed)
    made = tuple(
        Pod(
            namespace="crowd",
            name=f"app-{number}-0",
            labels={"app": f"app-{number}", "tier": dice.choice(("front", "back", "data"))},
            ips=(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",),
            ports=(ContainerPort("http", 8080, "TCP"),),
            workload=WorkloadRef("Deployment", f"app-{number}"),
            phase="Running",
        )
        for number in range(pods)
    )

    def peer():
        labels = {"app": f"app-{dice.randrange(pods)}"}
        kind = dice.random()
        if kind < 0.1:
            return {"ipBlock": {"cidr": f"203.0.{dice.randrange(113)}.0/24"}}
        if kind < 0.3:
            return {
                "podSelector": {"matchLabels": {**labels, "tier": dice.choice(("front", "back", "data"))}}
            }
        if kind < 0.4:
            space = {"matchLabels": {"kubernetes.io/metadata.name": f"team-{dice.randrange(50)}"}}
            return {"podSelector": {"matchLabels": labels}, "namespaceSelector": space}
        return {"podSelector": {"matchLabels": labels}}

    def policy(number):
        direction, word = dice.choice((("ingress", "from"), ("egress", "to")))
        rule = {word: [peer() for _ in range(dice.randint(1, 2))], "ports": [{"port": dice.choice(PORTS)}]}
        return PolicyObject(
            ref=PolicyRef("NetworkPolicy", "networking.k8s.io", "crowd", f"policy-{number}"),
            api_version="networking.k8s.io/v1",
            spec={"podSelector": {}, "policyTypes": [direction.capitalize()], direction: [rule]},
        )

    return Snapshot(
        pods=made,
        policies=tuple(policy(number) for number in range(policies)),
        namespaces={"crowd": Namespace(name="crowd", labels={"kubernetes.io/metadata.name": "crowd"})},
    )


def refused(snapshot, policies, count):
    """So many distinct refused flows, each on the end that the policies refuse."""
    pods = [replace(pod_endpoint(pod), ip=pod.ips[0], known_by=KnownBy.ADDRESS) for pod in snapshot.pods]
    flows = []
    for number, (src, dst, port) in enumerate(questions(snapshot, count * 2, 2)):
        ends = [
            pods[end] if isinstance(end, int) else Endpoint(kind=EndpointKind.EXTERNAL, ip=end)
            for end in (src, dst)
        ]
        decision = policies.evaluate(*ends, "TCP", port, nearest=False)
        sides = [
            way
            for way, end in ((Direction.EGRESS, decision.egress), (Direction.INGRESS, decision.ingress))
            if end is not None and end.allowed is False
        ]
        if not sides:
            continue
        at = BEGIN + number * NS // 100
        distinct = DistinctFlow(
            parser="hubble-json",
            node=None,
            src=Peer(ip=ends[0].ip),
            dst=Peer(ip=ends[1].ip),
            protocol="TCP",
            port=port,
            icmp=None,
            direction=sides[0],
            verdict=Verdict.DENIED,
            verdict_raw="DROPPED",
            cause=Cause.POLICY,
            reason="POLICY_DENIED",
            reason_code=133,
            reason_raw="POLICY_DENIED",
            policies=(),
            l7=None,
            turned=False,
            count=1,
            records=1,
            first=at,
            last=at,
            time_source=TimeSource.RECORD,
            buckets=(Bucket(at // NS * NS, NS, 1),),
            tcp_flags=frozenset({"SYN"}),
            source_ports=(40000,),
            interval_s=None,
            dns_names=(),
            folded_peers=None,
            folded_ports=None,
            examples=(),
        )
        flows.append(
            Flow(
                distinct=distinct,
                src=ends[0],
                dst=ends[1],
                direction=sides[0],
                count=1,
                buckets=distinct.buckets,
                first=at,
                last=at,
            )
        )
        if len(flows) == count:
            break
    return flows


def reported(snapshot, state, flows, count):
    """The report, and when diagnosis was done."""
    context = Context(snapshot=snapshot, dialect=Dialect.CALICO)
    found = attribute(flows, state, context, StateOptions().ip_block_pods)
    diagnosed = time.process_time()
    report = build_report(
        Material(
            generator=Generator("benchmark", "0", ()),
            created=0,
            complete=True,
            cluster=Cluster(None, (), None),
            inputs=[],
            records=len(flows),
            flows=len(flows),
            refusals=found.refusals,
            mend=found.mend,
            unattributed=found.unattributed,
            not_policy=[],
            allowed=[],
            allowed_buckets=[],
            since=BEGIN,
            until=BEGIN + count * NS,
            changes=[],
            signals=[],
            gaps=[],
            clock_skew=[],
            snapshot=SnapshotInfo(None, None),
            policies=lambda _: None,
            selects=lambda _: None,
            warnings=[],
        )
    )
    return report, diagnosed


def main():
    """Print the two times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--policies", type=int, default=500)
    parser.add_argument("--refusals", type=int, default=50_000)
    parser.add_argument("--crowded", action="store_true")
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    snapshot = (crowded if asked.crowded else cluster)(asked.pods, asked.policies, 1)
    policies = compile_policies(snapshot, dialect=Dialect.CALICO, ip_block_pods=IpBlockPods.AUTO)
    flows = refused(snapshot, policies, asked.refusals)
    policies = compile_policies(snapshot, dialect=Dialect.CALICO, ip_block_pods=IpBlockPods.AUTO)
    state = State(snapshot=snapshot, policies=policies, dialect=Dialect.CALICO, detected=True, problems=())
    profile = cProfile.Profile()
    if asked.profile:
        profile.enable()
    start = time.process_time()
    with uncollected():  # as a run does
        report, diagnosed = reported(snapshot, state, flows, asked.refusals)
    done = time.process_time()
    profile.disable()
    proved = sum(1 for problem in report.problems if problem.counterfactual is not None)
    print(f"{len(flows)} refusals, {asked.policies} policies, {asked.pods} pods")
    print(f"diagnosis {diagnosed - start:6.2f} s  {(diagnosed - start) / len(flows) * 1e6:6.0f} us a refusal")
    print(f"report    {done - diagnosed:6.2f} s  {len(report.problems)} problems, {proved} with a proposal")
    if asked.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
