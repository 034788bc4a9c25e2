"""``flowdiag verify`` as a whole command: 5,000 queries against 300 policies, from a cold start.

Run: ``python benchmarks/verify.py [--queries N] [--policies N] [--profile]``.  Prints one JSON line with
seconds and queries a second; the state is JSON, as ``kubectl get -o json`` prints it.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CREATED = "2026-01-05T08:00:00Z"
APPS = 12
LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def _pod(namespace: str, app: str, ip: str, dice: random.Random) -> dict[str, Any]:
    template = "".join(dice.choices(LETTERS, k=9))
    name = f"{app}-{template}"
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": name, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{''.join(dice.choices(LETTERS, k=5))}",
            "namespace": namespace,
            "uid": f"{namespace}-{ip}",
            "creationTimestamp": CREATED,
            "labels": {"app": app, "tier": f"t{int(app[3:]) % 3}", "pod-template-hash": template},
            "ownerReferences": [owner],
        },
        "spec": {"nodeName": "node-a", "containers": [{"name": "main", "ports": [{"containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "startTime": CREATED},
    }


def _policy(namespace: str, number: int, peers: list[str], dice: random.Random) -> dict[str, Any]:
    def peer() -> dict[str, Any]:
        where = {"matchLabels": {"kubernetes.io/metadata.name": dice.choice(peers)}}
        return {
            "namespaceSelector": where,
            "podSelector": {"matchLabels": {"app": f"app{dice.randrange(APPS)}"}},
        }

    spec: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if number:
        spec = {
            "podSelector": {"matchLabels": {"app": f"app{dice.randrange(APPS)}"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [peer() for _ in range(3)], "ports": [{"port": 8080}]}],
            "egress": [{"to": [peer(), {"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 8080}]}],
        }
    metadata = {"name": f"policy-{number}", "namespace": namespace, "creationTimestamp": CREATED}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def generate(folder: Path, queries: int, policies: int, seed: int = 7) -> tuple[Path, Path]:
    """Write a state of 30 namespaces and a file of queries; returns both paths."""
    dice = random.Random(seed)
    names = [f"team-{number}" for number in range(30)]
    objects: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        }
        for name in names
    ]
    for index, name in enumerate(names):
        objects += [_pod(name, f"app{app}", f"10.7.{index}.{app + 2}", dice) for app in range(APPS)]
    objects += [
        _policy(names[number % len(names)], number // len(names), names, dice) for number in range(policies)
    ]
    asked = [
        {
            "src": f"{dice.choice(names)}/app{dice.randrange(APPS)}",
            "dst": f"{dice.choice(names)}/app{dice.randrange(APPS)}",
            "protocol": "TCP",
            "port": dice.choice((8080, 8080, 443)),
            "allowed": bool(dice.randrange(2)),
        }
        for _ in range(queries)
    ]
    state, questions = folder / "state.json", folder / "queries.json"
    state.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    questions.write_text(json.dumps({"queries": asked}))
    return state, questions


def main() -> None:
    """Generate, run the command, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--policies", type=int, default=300)
    parser.add_argument("--profile", action="store_true", help="print where the time went instead")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        state, questions = generate(Path(name), given.queries, given.policies)
        arguments = ["verify", str(questions), "--state", str(state), "-o", "json"]
        if given.profile:
            code = f"import sys; from flowdiag.cli.main import main; sys.argv[0] = 'flowdiag'; main({arguments!r})"
            script = Path(name) / "run.py"
            script.write_text(code)
            command = [sys.executable, "-m", "cProfile", "-s", "cumtime", str(script)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            start = done.stdout.rfind("function calls")
            print("\n".join(done.stdout[start:].splitlines()[:60]))
            return
        started = time.perf_counter()
        code = "import sys; from flowdiag.cli.main import main; main(sys.argv[1:])"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - started
        result = json.loads(done.stdout)
    print(
        json.dumps(
            {
                "queries": result["total"],
                "policies": given.policies,
                "seconds": round(took, 2),
                "queries_per_s": round(result["total"] / took),
                "errors": sum(one["error"] is not None for one in result["results"]),
            }
        )
    )


if __name__ == "__main__":
    main()
