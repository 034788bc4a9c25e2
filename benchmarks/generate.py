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
import json
import time
from datetime import UTC, datetime
from pathlib import Path

from exporter import NS
from traffic import Writer
from world import World, write_state

START = int(datetime(2026, 4, 1, 6, tzinfo=UTC).timestamp()) * NS
MEAN_LINE = 1990
MEAN_BATCH = 5.6
"""Records that one thing that happens leaves, on average; only the pace hangs on it."""


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
