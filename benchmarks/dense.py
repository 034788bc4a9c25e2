"""Evidence in which nearly every record is a connection of its own: pods that call each other at random, the internet.

Run ``python benchmarks/dense.py [--records 300000] [--rounds 3] [--only pods ...]``.  What folding gains of repeated
records it cannot gain here, and what is kept of each flow shows in time and in memory.  Each case is written once, and
then analysed by the whole command, in turns; 3 % of the records are refused but for ``refused``, where half are.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

START = datetime(2026, 11, 1, tzinfo=UTC)
PORTS = (80, 443, 5432, 8080, 9090)
CASES = ("pods", "outside", "lookups", "refused", "observe", "observe-outside", "vpc")
COMMAND = (sys.executable, "-c", "from flowdiag.cli.start import main; main()")


def pods(dice):
    """Six hundred of 200 workloads in 20 namespaces: (namespace, workload, name, address, identity)."""
    return [
        (
            f"team-{team}",
            f"app-{app}",
            f"app-{app}-{dice.getrandbits(32):08x}-{replica}{dice.getrandbits(16):04x}",
            f"10.{team}.{app}.{replica + 2}",
            1_000 + team * 10 + app,
        )
        for team in range(20)
        for app in range(10)
        for replica in range(3)
    ]


def outside(dice):
    """An address that hardly any other record has."""
    return f"{dice.randrange(20, 90)}.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(1, 255)}"


def end(pod):
    """As Hubble writes a pod."""
    namespace, app, name, _, identity = pod
    return {
        "ID": identity + 7,
        "identity": identity,
        "namespace": namespace,
        "labels": [f"k8s:app={app}", f"k8s:io.kubernetes.pod.namespace={namespace}"],
        "pod_name": name,
        "workloads": [{"name": app, "kind": "Deployment"}],
    }


def connections(dice, records, share):
    """(time, source, destination, whether refused) of each record."""
    everybody, at = pods(dice), START
    for _ in range(records):
        at += timedelta(microseconds=dice.randrange(4_000))
        yield at, dice.choice(everybody), dice.choice(everybody), dice.random() < share


def exports(case, dice, records):
    """Lines of a Hubble export."""
    ports = (*PORTS[1:], 53) if case == "lookups" else PORTS
    for at, src, dst, refused in connections(dice, records, 0.5 if case == "refused" else 0.03):
        ip, to = dst[3], end(dst)
        if case == "outside" and dice.random() < 0.5:
            ip, to = outside(dice), {"identity": 2, "labels": ["reserved:world"]}
        port = dice.choice(ports)
        node = f"node-{dice.randrange(10)}"
        ends = {"source_port": dice.randrange(32_768, 60_999), "destination_port": port}
        flow = {
            "time": f"{at:%Y-%m-%dT%H:%M:%S.%f}{dice.randrange(1_000):03d}Z",
            "verdict": "DROPPED" if refused else "FORWARDED",
            "IP": {"source": src[3], "destination": ip, "ipVersion": "IPv4"},
            "l4": {"UDP": ends} if port == 53 else {"TCP": ends | {"flags": {"SYN": True}}},
            "source": end(src),
            "destination": to,
            "Type": "L3_L4",
            "node_name": node,
            "event_type": {"type": 1, "sub_type": 133} if refused else {"type": 4, "sub_type": 3},
            "traffic_direction": dice.choice(["INGRESS", "EGRESS"]),
            "Summary": "TCP Flags: SYN",
        }
        if refused:
            flow |= {"drop_reason": 133, "drop_reason_desc": "POLICY_DENIED"}
        yield json.dumps({"flow": flow, "node_name": node, "time": flow["time"]}, separators=(",", ":"))


def texts(case, dice, records):
    """Lines of ``hubble observe``, or VPC flow records."""
    for at, src, dst, refused in connections(dice, records, 0.03):
        client, port = dice.randrange(32_768, 60_999), dice.choice(PORTS)
        if case == "vpc":
            second = int(at.timestamp())
            yield (
                f"2 123456789010 eni-0a1b2c3d4e5f67890 {src[3]} {outside(dice)} {client} {port} 6 10 840 "
                f"{second} {second + 60} {'REJECT' if refused else 'ACCEPT'} OK"
            )
            continue
        away = case == "observe-outside"
        to = f"{outside(dice)}:{port} (world)" if away else f"{dst[0]}/{dst[2]}:{port} (ID:{dst[4]})"
        how = "Policy denied DROPPED" if refused else "to-endpoint FORWARDED"
        yield f"{at:%b %e %H:%M:%S.%f}"[:-3] + (
            f": {src[0]}/{src[2]}:{client} (ID:{src[4]}) -> {to} {how} (TCP Flags: SYN)"
        )


def write(case, path, records):
    """The case's file."""
    dice = random.Random(case)
    made = exports if case in CASES[:4] else texts
    with path.open("w") as file:
        file.writelines(f"{line}\n" for line in made(case, dice, records))


def run(path):
    """Seconds and peak megabytes of one analysis, and how many records it counted."""
    report = path.with_suffix(".json")
    begun = time.monotonic()
    command = [*COMMAND, "analyze", str(path), "--year", "2026", "-o", f"json={report}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    taken = time.monotonic() - begun
    # A child's peak is at least what this process has when it begins one, so the report is not read as a whole.
    with report.open() as file:
        counted = re.search(r'"totals": \{\s*"records": (\d+)', file.read(1 << 20))
    return taken, used.ru_maxrss / 1024, int(counted[1]) if counted else 0


def main():
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=CASES, default=CASES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = {case: Path(folder) / f"{case}.log" for case in asked.only}
        for case, path in files.items():
            write(case, path, asked.records)
        found = {case: [] for case in files}
        for _ in range(asked.rounds):
            for case, path in files.items():
                found[case].append(run(path))
                if found[case][-1][2] != asked.records:
                    sys.exit(f"{case}: {found[case][-1][2]} of {asked.records} records were counted")
        print(f"{'case':16} {'MB':>5} {'s':>6} {'us a record':>12} {'peak MB':>8}")
        for case, path in files.items():
            seconds, peak = (median(one[place] for one in found[case]) for place in (0, 1))
            each = seconds / asked.records * 1e6
            print(f"{case:16} {path.stat().st_size / 1e6:5.0f} {seconds:6.1f} {each:12.1f} {peak:8.0f}")


if __name__ == "__main__":
    main()
