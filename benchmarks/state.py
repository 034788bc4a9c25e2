"""Reading cluster state: flowdiag against PyYAML's own loaders and against JSON, on the same pods.

Run ``python benchmarks/state.py [MEGABYTES]``.  The dump is made here, in the shape that
``kubectl get pods -A -o yaml --show-managed-fields`` prints; times are CPU seconds, best of three.
"""

import json
import random
import sys
import time

import yaml

from flowdiag.cluster.manifests import read_manifest
from flowdiag.cluster.yamlsafe import read_documents


def pod(number, rng):
    """One pod as the API server shows it."""
    name = f"web-{rng.randrange(1 << 30):08x}-{number:05d}"
    stamp = f"2026-11-03T{number % 24:02d}:{number % 60:02d}:07Z"
    probe = {
        "httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"},
        "periodSeconds": 10,
        "timeoutSeconds": 1,
    }
    fields = {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:pod-template-hash": {}}, "f:generateName": {}},
        "f:spec": {
            "f:containers": {
                'k:{"name":"web"}': {
                    ".": {},
                    **{
                        f"f:{key}": {}
                        for key in ("env", "image", "name", "ports", "resources", "volumeMounts")
                    },
                }
            },
            **{f"f:{key}": {} for key in ("dnsPolicy", "restartPolicy", "schedulerName", "volumes")},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "annotations": {"cni.projectcalico.org/podIP": f"10.0.{number >> 8 & 255}.{number & 255}/32"},
            "creationTimestamp": stamp,
            "generateName": "web-6d4cf56db6-",
            "labels": {"app": "web", "pod-template-hash": "6d4cf56db6", "team": f"team-{number % 7}"},
            "managedFields": [
                {
                    "apiVersion": "v1",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": fields,
                    "manager": "kube-controller-manager",
                    "operation": "Update",
                    "time": stamp,
                }
            ],
            "name": name,
            "namespace": f"shop-{number % 9}",
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "controller": True,
                    "kind": "ReplicaSet",
                    "name": "web-6d4cf56db6",
                    "uid": name,
                }
            ],
            "resourceVersion": str(1000 + number),
            "uid": f"00000000-0000-4000-8000-{number:012d}",
        },
        "spec": {
            "containers": [
                {
                    "env": [{"name": f"SETTING_{one}", "value": f"value {one}"} for one in range(8)],
                    "image": "registry.example/web:1.2.3",
                    "livenessProbe": probe,
                    "name": "web",
                    "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
                    "readinessProbe": probe,
                    "resources": {
                        "limits": {"memory": "256Mi"},
                        "requests": {"cpu": "100m", "memory": "256Mi"},
                    },
                    "volumeMounts": [{"mountPath": "/etc/web", "name": "config", "readOnly": True}],
                }
            ],
            "nodeName": f"node-{number % 12}",
            "serviceAccountName": "web",
            "tolerations": [
                {"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists"}
            ],
            "volumes": [{"configMap": {"defaultMode": 420, "name": "web"}, "name": "config"}],
        },
        "status": {
            "conditions": [
                {"lastProbeTime": None, "lastTransitionTime": stamp, "status": "True", "type": kind}
                for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [
                {
                    "image": "registry.example/web:1.2.3",
                    "name": "web",
                    "ready": True,
                    "state": {"running": {"startedAt": stamp}},
                }
            ],
            "hostIP": f"192.0.2.{number % 12 + 10}",
            "phase": "Running",
            "podIP": f"10.0.{number >> 8 & 255}.{number & 255}",
            "podIPs": [{"ip": f"10.0.{number >> 8 & 255}.{number & 255}"}],
            "startTime": stamp,
        },
    }


def best(function, data):
    """CPU seconds of the quickest of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        function(data)
        times.append(time.process_time() - start)
    return min(times)


def main():
    wanted = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    rng = random.Random(7)
    items = [pod(number, rng) for number in range(max(1, int(wanted * 1e6 / 4600)))]
    state = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumper.ignore_aliases = lambda *_: True
    text = yaml.dump(state, Dumper=dumper, width=1 << 20)
    data = text.encode()
    as_json = json.dumps(state, indent=4).encode()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    base = best(lambda raw: yaml.load(raw, loader), data)  # noqa: S506 - a safe loader
    rows = [
        ("PyYAML, C safe loader", data, base),
        ("event reader, everything kept", data, best(lambda _: read_documents(text), data)),
        ("read_manifest, YAML", data, best(lambda raw: read_manifest("pods.yaml", raw), data)),
        ("read_manifest, JSON", as_json, best(lambda raw: read_manifest("pods.json", raw), as_json)),
    ]
    print(f"{len(items)} pods, {len(data) / 1e6:.2f} MB of YAML, {len(as_json) / 1e6:.2f} MB of JSON")
    for name, raw, seconds in rows:
        print(f"{name:32s} {seconds:7.3f} s  {len(raw) / 1e6 / seconds:7.1f} MB/s  {base / seconds:6.1f} x")


if __name__ == "__main__":
    main()
