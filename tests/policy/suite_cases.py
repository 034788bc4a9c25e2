"""The shared suites of connections with known answers: cases, snapshots and ends."""

from functools import cache, lru_cache
from pathlib import Path

from msgspec.json import decode

from flowdiag.cluster import Leases, SnapshotIndex, build_snapshot, resolve_end
from flowdiag.model.policy import Dialect, IpBlockPods
from flowdiag.policy import compile_policies

SUITES = Path(__file__).resolve().parents[3] / "shared" / "suites"


def cases(suite):
    """Folders of one suite that hold a case, sorted; none where the suites are not there."""
    return sorted(path.parent for path in (SUITES / suite).glob("*/expect.json"))


def expected(case):
    """The expectations of a case alone, which takes a fraction of the time that its snapshot takes."""
    return decode((case / "expect.json").read_bytes())


@lru_cache(maxsize=4)
def load(case):
    """The expectations and the snapshot of a case."""
    expect = expected(case)
    inputs = [(path.name, path.read_bytes()) for path in sorted((case / "resources").glob("*.yaml"))]
    snapshot, _ = build_snapshot(inputs)
    return expect, snapshot


def dialect_of(expect):
    """Who enforces in a case: Calico where it has Calico's kinds or endpoints, else the API alone."""
    calico = any(kind.startswith("Calico") for kind in expect["policy_kinds"]) or any(
        pod["kind"] == "WorkloadEndpoint" for pod in expect["pods"]
    )
    return Dialect.CALICO if calico else Dialect.KUBERNETES


def compiled(case):
    """The expectations, the compiled policies and a function from a query's end to an endpoint."""
    expect, snapshot = load(case)
    ranges = {"match": IpBlockPods.MATCH, "no-match": IpBlockPods.NO_MATCH}
    policies = compile_policies(
        snapshot,
        dialect=dialect_of(expect),
        ip_block_pods=ranges.get(expect.get("pod_ip_in_ip_block"), IpBlockPods.AUTO),
    )
    leases, index = Leases(snapshot), SnapshotIndex(snapshot)

    @cache
    def end(text):
        found = resolve_end(text, snapshot, leases, index)
        assert len(found) == 1, f"{text} stands for {len(found)} ends"
        return found[0]

    return expect, policies, end
