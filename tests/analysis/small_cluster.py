"""A cluster of two namespaces in few words: Hubble lines, objects, and files of both."""

import json
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
CREATED = "2026-03-01T10:00:00Z"


def at(second):
    """RFC 3339 of so many seconds after noon."""
    return (BEGIN + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def end(namespace, name, ip, app, identity=1000):
    """One end of a flow, a pod of the Deployment `app`."""
    return {
        "ip": ip,
        "end": {
            "identity": identity,
            "namespace": namespace,
            "pod_name": name,
            "labels": [f"k8s:app={app}", f"k8s:io.kubernetes.pod.namespace={namespace}"],
            "workloads": [{"name": app, "kind": "Deployment"}],
        },
    }


WEB = end("shop", "web-5d9c7b6f4-x2v4z", "10.0.0.5", "web")
DB = end("data", "db-7f6b5c4d6-k8m2n", "10.0.1.7", "db", 1001)


def world(ip="203.0.113.9"):
    """One end of a flow, outside."""
    return {"ip": ip, "end": {"identity": 2, "labels": ["reserved:world"]}}


def record(second, src=WEB, dst=DB, port=8080, *, verdict="DROPPED", way="EGRESS", source_port=40000, **more):
    """A line of a Hubble export; `more` goes into the flow."""
    flow = {
        "time": at(second),
        "verdict": verdict,
        "IP": {"source": src["ip"], "destination": dst["ip"], "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": source_port, "destination_port": port, "flags": {"SYN": True}}},
        "source": src["end"],
        "destination": dst["end"],
        "Type": "L3_L4",
        "node_name": "node-a",
        "event_type": {"type": 1 if verdict == "DROPPED" else 4},
        "traffic_direction": way,
        "is_reply": False,
    }
    if verdict == "DROPPED":
        flow |= {"drop_reason": 133, "drop_reason_desc": "POLICY_DENIED"}
    flow |= more
    return json.dumps({"flow": flow, "node_name": "node-a", "time": flow["time"]}) + "\n"


def refused(number=10):
    """So many refused calls of web to db, two seconds apart."""
    return "".join(record(1 + 2 * index, source_port=40000 + index) for index in range(number))


def namespace(name):
    """A Namespace object."""
    labels = {"kubernetes.io/metadata.name": name}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels, "creationTimestamp": CREATED},
    }


def pod(namespace, name, ip, app, created=CREATED, port=8080):
    """A running Pod object of a ReplicaSet that is not in the dump."""
    replica_set, _, _ = name.rpartition("-")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"{namespace}-{name}",
            "creationTimestamp": created,
            "labels": {"app": app, "pod-template-hash": replica_set.rpartition("-")[2]},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": replica_set,
                    "uid": "u",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "nodeName": "node-a",
            "containers": [{"name": "main", "ports": [{"containerPort": port, "name": "http"}]}],
        },
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "startTime": created,
            "hostIP": "192.168.7.1",
        },
    }


def policy(namespace, name, spec, created="2026-03-01T12:00:00Z", **metadata):
    """A NetworkPolicy object."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": created,
            "generation": 1,
            **metadata,
        },
        "spec": spec,
    }


DENY = policy("shop", "deny", {"podSelector": {}, "policyTypes": ["Egress"]})
OBJECTS = [
    namespace("shop"),
    namespace("data"),
    pod("shop", "web-5d9c7b6f4-x2v4z", "10.0.0.5", "web"),
    pod("data", "db-7f6b5c4d6-k8m2n", "10.0.1.7", "db"),
    DENY,
]


def listed(*objects):
    """A List object as text."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}, indent=1)


def write(folder, **files):
    """Write files into a folder; ``state_json`` is ``state.json``, ``a__b_log`` is ``a/b.log``."""
    for name, content in files.items():
        path = folder.joinpath(*name.replace("__", "/").rsplit("_", 1)[0].split("/"))
        path = path.with_name(f"{path.name}.{name.rsplit('_', 1)[1]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
    return str(folder)


def incident(folder, *objects, records=None, **files):
    """A folder with the small cluster, more `objects`, and its refused calls (or other `records`)."""
    flows = refused() if records is None else records
    return write(folder, state_json=listed(*OBJECTS, *objects), flows_jsonl=flows, **files)
