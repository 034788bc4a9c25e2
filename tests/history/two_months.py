"""Evidence and cluster objects of any day of ``fixtures/audits/two-months``, made from its plan."""

from __future__ import annotations

import gzip
import json
import tomllib
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "audits" / "two-months"
PLAN = tomllib.loads((FOLDER / "plan.toml").read_text())
DAYS = range(1, PLAN["days"] + 1)


def moment(day):
    """Two in the morning of a day, UTC."""
    return datetime.combine(PLAN["first"], time(2), UTC) + timedelta(days=day - 1)


def shown(day):
    """Names of what is refused on a day and can be seen."""
    if day in PLAN["cut"]:
        return set()
    return {c["name"] for c in PLAN["connection"] if any(low <= day <= high for low, high in c["days"])}


def config():
    """The .flowdiag.toml."""
    lines = []
    for entry in PLAN["accept"]:
        lines.append("[[accept]]")
        lines += [f"{k} = {v if k == 'expires' else json.dumps(v)}" for k, v in entry.items()]
    return "\n".join(lines) + "\n"


def write_day(folder, day):
    """Write a day's export and the objects of that day."""
    folder.mkdir(exist_ok=True)
    (folder / "state.json").write_text(
        json.dumps({"kind": "List", "apiVersion": "v1", "items": _objects(day)})
    )
    records = [
        json.dumps(_record(day, number, c))
        for number, c in enumerate(PLAN["connection"])
        if c["name"] in shown(day)
        for _ in range(3)
    ]
    # Something always passes, so that a quiet day is a day with evidence.
    data = gzip.compress("\n".join([*records, json.dumps(_passed(day))]).encode() + b"\n", mtime=0)
    (folder / "hubble.jsonl.gz").write_bytes(data[: len(data) // 3] if day in PLAN["cut"] else data)


def _pod(day, end, place):
    namespace, workload = end.split("/")
    return {
        "namespace": namespace,
        "workload": workload,
        "pod": f"{workload}-{_hash(day * 7919, 9)}-{_hash(day * 104_729 + place, 5)}",
        "ip": f"10.{60 + day % 20}.{place}.{1 + day}",
    }


def _hash(number, length):
    """A name's random part, in the letters that Kubernetes draws from (apimachinery, util/rand)."""
    letters = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(letters[number // len(letters) ** place * 5 % len(letters)] for place in range(length))


def _ends(day):
    ends = [c[side] for c in PLAN["connection"] for side in ("from", "to")]
    return {end: _pod(day, end, place) for place, end in enumerate(ends)}


def _objects(day):
    ends = _ends(day)
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {}}}
        for name in sorted({pod["namespace"] for pod in ends.values()})
    ]
    for pod in ends.values():
        owner = {
            "kind": "ReplicaSet",
            "name": pod["pod"].rsplit("-", 1)[0],
            "apiVersion": "apps/v1",
            "controller": True,
        }
        items.append(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "namespace": pod["namespace"],
                    "name": pod["pod"],
                    "labels": {"app": pod["workload"]},
                    "creationTimestamp": "2026-08-01T00:00:00Z",
                    "ownerReferences": [owner],
                },
                "spec": {"nodeName": "node-a", "containers": [{"name": "main"}]},
                "status": {"phase": "Running", "podIP": pod["ip"], "podIPs": [{"ip": pod["ip"]}]},
            }
        )
    items.append(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {
                "namespace": "shop",
                "name": "default-deny",
                "creationTimestamp": "2026-01-05T08:00:00Z",
                "generation": 1,
            },
            "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
        }
    )
    return items


def _flow(day, source, destination, port, offset):
    at = (moment(day) - timedelta(hours=9) + offset).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def end(pod):
        return {
            "identity": 10_000 + int(pod["ip"].split(".")[2]),
            "namespace": pod["namespace"],
            "labels": [f"k8s:app={pod['workload']}", f"k8s:io.kubernetes.pod.namespace={pod['namespace']}"],
            "pod_name": pod["pod"],
            "workloads": [{"name": pod["workload"], "kind": "Deployment"}],
        }

    return {
        "time": at,
        "node_name": "node-a",
        "flow": {
            "time": at,
            "IP": {"source": source["ip"], "destination": destination["ip"], "ipVersion": "IPv4"},
            "l4": {"TCP": {"source_port": 40_000 + day, "destination_port": port, "flags": {"SYN": True}}},
            "source": end(source),
            "destination": end(destination),
            "Type": "L3_L4",
            "node_name": "node-a",
            "traffic_direction": "EGRESS",
        },
    }


def _record(day, number, connection):
    ends = _ends(day)
    record = _flow(
        day,
        ends[connection["from"]],
        ends[connection["to"]],
        connection["port"],
        timedelta(minutes=7 * number),
    )
    record["flow"] |= {
        "verdict": "DROPPED",
        "drop_reason": 133,
        "drop_reason_desc": "POLICY_DENIED",
        "event_type": {"type": 5},
    }
    return record


def _passed(day):
    ends = _ends(day)
    record = _flow(day, ends["pay/ledger"], ends["data/store"], 5432, timedelta(hours=1))
    record["flow"] |= {"verdict": "FORWARDED", "event_type": {"type": 4}, "is_reply": False}
    return record
