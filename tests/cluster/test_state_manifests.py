"""Each trap of real dumps of cluster state, read as a person would read it."""

from __future__ import annotations

import json

import pytest
import yaml

from flowdiag.cluster import build_snapshot, read_manifest, sniff_state
from flowdiag.cluster.collect.strip import strip
from flowdiag.model.event import WorkloadRef
from flowdiag.model.policy import PolicyRef

POD = """\
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: "2026-11-03T12:00:00Z"
  labels:
    app: web
  name: {name}
  namespace: shop
spec:
  containers:
  - name: web
    ports:
    - containerPort: 8080
      name: http
status:
  phase: Running
  podIP: 10.0.0.{number}
"""
NETPOL = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {"podSelector": {}},
}


def build(*texts, names=None):
    inputs = [
        (names[index] if names else f"file{index}", text if isinstance(text, bytes) else text.encode())
        for index, text in enumerate(texts)
    ]
    return build_snapshot(inputs)


def pod_text(name="web-1", number=1):
    return POD.format(name=name, number=number)


def listed(*objects, kind="List", api="v1"):
    return {"apiVersion": api, "kind": kind, "items": list(objects), "metadata": {"resourceVersion": ""}}


def pod_object(name, **parts):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", **parts.pop("metadata", {})},
        **parts,
    }


def test_typed_list_without_item_kind_in_both_formats():
    """The list's kind minus ``List`` is the kind of its items."""
    item = {"metadata": {"name": "web-1", "namespace": "shop"}, "status": {"podIP": "10.0.0.1"}}
    as_yaml = "apiVersion: v1\nitems:\n- metadata:\n    name: web-2\n    namespace: shop\nkind: PodList\n"
    snapshot, problems = build(json.dumps(listed(item, kind="PodList"), indent=2), as_yaml)
    assert [pod.name for pod in snapshot.pods] == ["web-1", "web-2"]
    assert problems == []


def test_one_list_with_mixed_kinds():
    snapshot, _ = build(json.dumps(listed(pod_object("web-1"), NETPOL)))
    assert len(snapshot.pods) == len(snapshot.policies) == 1


@pytest.mark.parametrize("as_text", [json.dumps, yaml.safe_dump], ids=["json", "yaml"])
@pytest.mark.parametrize("kind", ["List", "NetworkPolicyList"])
def test_lists_in_a_list(as_text, kind):
    """``kubectl get -f`` of files that hold lists, and lists put into one by hand: none is passed over."""
    policies = listed(NETPOL, kind=kind, api="v1" if kind == "List" else "networking.k8s.io/v1")
    snapshot, problems = build(
        as_text(listed(listed(pod_object("a"), kind="PodList"), policies, pod_object("b")))
    )

    assert sorted(pod.name for pod in snapshot.pods) == ["a", "b"]
    assert [policy.ref.name for policy in snapshot.policies] == ["deny"]
    assert problems == []


def test_empty_typed_list_is_knowledge():
    """An empty NetworkPolicyList says there are none; an empty generic List says nothing."""
    snapshot, _ = build(
        "apiVersion: networking.k8s.io/v1\nitems: []\nkind: NetworkPolicyList\n",
        "apiVersion: v1\nitems: []\nkind: List\n",
    )
    assert snapshot.kinds_seen == {("networking.k8s.io", "NetworkPolicy")}


def test_documents_comments_and_empty_parts():
    text = f"# only a comment\n---\n---\n{pod_text()}---\n# nothing\n...\n---\n{pod_text('web-2', 2)}"
    snapshot, problems = build(text)
    assert [(pod.name, pod.origin.line) for pod in snapshot.pods] == [("web-1", 4), ("web-2", 25)]
    assert text.split("\n")[24] == "apiVersion: v1"
    assert problems == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_windows_encodings_and_line_ends(encoding):
    """PowerShell redirection: UTF-16 with a byte order mark, CRLF."""
    data = pod_text().replace("\n", "\r\n").encode(encoding)
    if encoding == "utf-16-le":
        data = b"\xff\xfe" + data
    snapshot, problems = build(data)
    assert snapshot.pods[0].ips == ("10.0.0.1",)
    assert problems == []


@pytest.mark.parametrize("text", [pod_text(), json.dumps(pod_object("web-1"), indent=2)])
def test_terminal_dirt_between_objects(text):
    dirt = "ops@bastion:~$ kubectl get pods -A -o yaml\nNo resources found in shop namespace.\nWarning: v1 Endpoints is deprecated\n"
    snapshot, problems = build(dirt + text + "\nNo resources found\n")
    assert [pod.name for pod in snapshot.pods] == ["web-1"]
    assert problems == []


def test_redacted_values_do_not_break_a_file():
    text = pod_text().replace("10.0.0.1", "***HIDDEN***")
    snapshot, problems = build(text)
    assert snapshot.pods[0].ips == ()
    assert problems == []


def test_json_objects_one_after_the_other_and_lines():
    glued = json.dumps(pod_object("a")) + json.dumps(pod_object("b"), indent=1)
    lines = "\n".join(json.dumps(pod_object(name)) for name in ("c", "d"))
    snapshot, problems = build(glued, lines)
    assert [(pod.name, pod.origin.line) for pod in snapshot.pods] == [("a", 1), ("b", 1), ("c", 1), ("d", 2)]
    assert problems == []


def test_json_list_items_know_their_lines():
    text = json.dumps(listed(pod_object("a"), pod_object("b")), indent=4)
    snapshot, _ = build(text)
    lines = text.split("\n")
    assert [lines[pod.origin.line - 1].strip() for pod in snapshot.pods] == ["{", "{"]
    assert '"name": "b"' in "\n".join(lines[snapshot.pods[1].origin.line - 1 :])
    assert snapshot.pods[0].origin.line < snapshot.pods[1].origin.line


def test_bare_array_of_an_old_support_bundle():
    """Objects without kind: the file's place in the bundle tells."""
    snapshot, problems = build(
        '[{"metadata": {"name": "shop", "labels": {"team": "a"}}}]',
        names=["bundle/cluster-resources/namespaces.json"],
    )
    assert snapshot.namespaces["shop"].labels == {"team": "a", "kubernetes.io/metadata.name": "shop"}
    assert problems == []


def test_cluster_info_dump_on_standard_output():
    """Log sections are not read, even where a pod prints what looks like an object."""
    log = f"==== START logs for container web of pod shop/web-1 ====\n{json.dumps(pod_object('forged'))}\n==== END logs for container web of pod shop/web-1 ====\n"
    text = json.dumps(listed(pod_object("a"), kind="PodList")) + "\n" + log + json.dumps(pod_object("b"))
    snapshot, problems = build(text)
    assert [pod.name for pod in snapshot.pods] == ["a", "b"]
    assert problems == []


def test_a_broken_document_is_named_and_the_rest_is_read():
    snapshot, problems = build(f"{pod_text()}---\nkind: [\n---\n{pod_text('web-2', 2)}")
    assert [pod.name for pod in snapshot.pods] == ["web-1", "web-2"]
    assert [(problem.code, problem.input) for problem in problems] == [("invalid-document", "file0")]
    assert problems[0].line in (19, 20)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\x01\x02\xff", b"NAME READY\nweb 1/1\n", b"[1, 2]", b"{", b"- a\n- b\n", b"\xff\xfe\x00"],
)
def test_what_is_no_state_gives_problems_not_exceptions(data):
    manifest = read_manifest("x", data)
    assert manifest.entries == []


def test_four_groups_share_the_name_network_policy():
    groups = [
        "networking.k8s.io/v1",
        "projectcalico.org/v3",
        "crd.projectcalico.org/v1",
        "crd.antrea.io/v1beta1",
        "extensions/v1beta1",
    ]
    objects = [{**NETPOL, "apiVersion": group} for group in groups]
    snapshot, problems = build(json.dumps(listed(*objects)))
    assert {policy.ref.group for policy in snapshot.policies} == {
        "networking.k8s.io", "projectcalico.org", "crd.projectcalico.org", "crd.antrea.io",
    }  # fmt: skip
    assert [problem.code for problem in problems] == []


def test_cilium_specs_are_one_policy_each():
    cnp = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "two", "namespace": "shop"},
        "specs": [{"endpointSelector": {}}, {"endpointSelector": {"matchLabels": {"a": "b"}}}],
    }
    snapshot, _ = build(json.dumps(cnp))
    assert [policy.spec_index for policy in snapshot.policies] == [0, 1]
    assert snapshot.policies[0].ref == PolicyRef("CiliumNetworkPolicy", "cilium.io", "shop", "two")


def test_cluster_wide_kinds_have_no_namespace():
    anp = {
        "apiVersion": "policy.networking.k8s.io/v1alpha1",
        "kind": "AdminNetworkPolicy",
        "metadata": {"name": "a"},
        "spec": {},
    }
    snapshot, problems = build(json.dumps(anp))
    assert snapshot.policies[0].ref.namespace is None
    assert problems == []


def test_missing_namespace_is_default_and_said_once():
    text = "\n".join(
        json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}) for name in "ab"
    )
    snapshot, problems = build(text)
    assert {pod.namespace for pod in snapshot.pods} == {"default"}
    assert [(problem.code, problem.note, problem.line) for problem in problems] == [
        ("namespace-missing", True, 1)
    ]
    assert "1 more" in problems[0].message


def test_namespaces_are_synthesised_with_their_name_only():
    snapshot, _ = build(pod_text())
    namespace = snapshot.namespaces["shop"]
    assert (namespace.labels, namespace.declared) == ({"kubernetes.io/metadata.name": "shop"}, False)


def test_secrets_are_never_kept():
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop"},
        "data": {"p": "cA=="},
    }
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "own", "namespace": "shop"},
        "data": {"p": "x"},
    }
    snapshot, _ = build(json.dumps(listed(secret, config)))
    assert snapshot.others == ()


def test_cilium_config_becomes_settings():
    config = 'apiVersion: v1\ndata:\n  enable-policy: always\n  enable-ipv6: "false"\nkind: ConfigMap\nmetadata:\n  name: cilium-config\n  namespace: kube-system\n'
    snapshot, _ = build(config)
    assert snapshot.config == {"cilium.enable-ipv6": "false", "cilium.enable-policy": "always"}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Equals", "values": ["b"]}]}}, "unknown operator 'Equals'"),
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}}, "In needs values"),
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}}, "takes no values"),
        ({"podSelector": {}, "ingress": [{"from": [{}]}]}, "ingress[0].from[0]: a peer needs"),
        ({"podSelector": {}, "ingress": [{"from": [{"podSelector": None}]}]}, "a peer needs"),
        ({"podSelector": {}, "egress": [{"to": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}]}, "cannot stand beside"),
        ({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/8"]}}]}]}, "not strictly inside"),
        ({"podSelector": {}, "egress": [{"ports": [{"port": 90, "endPort": 80}]}]}, "endPort 80 is below port 90"),
        ({"podSelector": {}, "egress": [{"ports": [{"port": "http", "endPort": 80}]}]}, "needs a numeric port"),
        ({"podSelector": {}, "policyTypes": ["ingress"]}, "unknown type"),
    ],
)  # fmt: skip
def test_invalid_policies_are_named_and_kept(spec, said):
    """What the API server would refuse carries its problems, with file and line."""
    snapshot, problems = build("\n\n" + json.dumps({**NETPOL, "spec": spec}))
    assert said in snapshot.policies[0].problems[0]
    assert [(problem.code, problem.line) for problem in problems] == [("invalid-policy", 3)]
    assert said in problems[0].message


def test_sound_policy_has_no_problems():
    spec = {
        "podSelector": None,
        "ingress": [{"from": None, "ports": []}, {}],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "192.0.2.7/24", "except": ["192.0.2.128/25"]}}],
                "ports": [{"port": 80, "endPort": 90}],
            }
        ],
    }
    snapshot, problems = build(json.dumps({**NETPOL, "spec": spec}))
    assert snapshot.policies[0].problems == ()
    assert problems == []


def managed(part, time):
    return {
        "manager": "kubectl-edit",
        "operation": "Update",
        "time": time,
        "fieldsV1": {f"f:{part}": {"f:podSelector": {}}},
    }


def test_policy_is_known_to_hold_since_its_last_spec_write():
    """Generation 1 holds since creation; a changed one since its last spec write; else nobody knows."""

    def valid_from(**meta):
        snapshot, _ = build(
            json.dumps(
                {
                    **NETPOL,
                    "metadata": {
                        "name": "p",
                        "namespace": "s",
                        "creationTimestamp": "2026-11-03T12:00:00Z",
                        **meta,
                    },
                }
            )
        )
        return snapshot.policies[0].valid_from

    created = valid_from(generation=1)
    assert created == 1793707200 * 10**9
    assert valid_from(generation=3) is None
    assert (
        valid_from(
            generation=3,
            managedFields=[
                managed("spec", "2026-11-03T12:05:00Z"),
                managed("status", "2026-11-03T13:00:00Z"),
            ],
        )
        == created + 300 * 10**9
    )


def test_a_policy_in_a_list_stands_on_its_own_line():
    text = (
        "apiVersion: v1\nitems:\n- apiVersion: networking.k8s.io/v1\n  kind: NetworkPolicy\n  metadata:\n    name: a\n    namespace: shop\n"
        "  spec:\n    podSelector: {}\nkind: List\n"
    )
    snapshot, _ = build(text)
    assert snapshot.policies[0].origin.line == 3


def test_newer_version_of_an_object_wins_and_the_conflict_is_said():
    def version(number, app):
        return json.dumps(
            pod_object("web-1", metadata={"resourceVersion": str(number), "labels": {"app": app}})
        )

    snapshot, problems = build(version(9, "new"), version(5, "old"))
    assert snapshot.pods[0].labels == {"app": "new"}
    assert [(problem.code, problem.input) for problem in problems] == [("conflicting-objects", "file1")]
    same, silent = build(version(5, "a"), version(5, "a"))
    assert len(same.pods) == 1
    assert silent == []


def owned(name, kind, owner, **labels):
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": True}
    return pod_object(name, metadata={"ownerReferences": [reference], "labels": labels})


def test_owners_up_to_the_topmost_even_where_one_is_missing():
    replica_set = {
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "api-6d4cf56db6", "namespace": "shop", "ownerReferences": [{"kind": "Deployment", "name": "api", "controller": True}]},
    }  # fmt: skip
    pods = [
        owned("api-6d4cf56db6-x2x4z", "ReplicaSet", "api-6d4cf56db6"),
        owned("web-574f6b9c8d-x2x4z", "ReplicaSet", "web-574f6b9c8d", **{"pod-template-hash": "574f6b9c8d"}),
        owned("backup-28391040-bbbbb", "Job", "backup-28391040"),
        owned("etcd-node-a", "Node", "node-a"),
        pod_object("bare"),
    ]
    snapshot, _ = build(json.dumps(listed(replica_set, *pods)))
    assert [(pod.workload, pod.workload_inferred) for pod in snapshot.pods] == [
        (WorkloadRef("Deployment", "api"), False),
        (WorkloadRef("Deployment", "web"), True),
        (WorkloadRef("CronJob", "backup"), True),
        (WorkloadRef("Pod", "etcd-node-a"), False),
        (WorkloadRef("Pod", "bare"), False),
    ]


def test_workload_without_pods_gives_one_template_pod():
    def deployment(name):
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"ports": [{"containerPort": 80}]}]},
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "shop", "labels": {"own": "x"}},
            "spec": {"template": template},
        }

    running = owned(
        "api-6d4cf56db6-x2x4z", "ReplicaSet", "api-6d4cf56db6", **{"pod-template-hash": "6d4cf56db6"}
    )
    snapshot, _ = build(json.dumps(listed(deployment("web"), deployment("api"), running)))
    (template,) = [pod for pod in snapshot.pods if pod.template]
    assert (template.name, template.kind, template.labels, template.ips) == (
        "web",
        "Deployment",
        {"app": "web"},
        (),
    )
    assert [port.port for port in template.ports] == [80]


def test_a_cron_job_between_its_runs_is_there():
    """Its pods ended, and the next will be as the last was; a Job of its own that ran is over."""

    def ended(name, owner, app, minute):
        own = owned(name, "Job", owner, app=app)
        own["metadata"]["creationTimestamp"] = f"2026-11-03T12:{minute}:00Z"
        return own | {"status": {"phase": "Succeeded", "podIP": "10.0.0.9"}}

    snapshot, _ = build(
        json.dumps(
            listed(
                ended("export-29327485-x2x4z", "export-29327485", "export", "05"),
                ended("export-29327480-b2b4z", "export-29327480", "old", "00"),
                ended("restore-x2x4z", "restore", "restore", "00"),
            )
        )
    )
    assert [(pod.name, pod.kind, pod.labels, pod.ips, pod.workload) for pod in snapshot.pods if pod.live] == [
        ("export", "CronJob", {"app": "export"}, (), WorkloadRef("CronJob", "export"))
    ]


@pytest.mark.parametrize(
    ("manual", "written", "names"),
    [
        (False, {}, ("load", "load")),
        (False, {"job-name": "other"}, ("other", "load")),
        (True, {}, (None, None)),
    ],
)
def test_a_job_that_did_not_run_yet_carries_its_name(manual, written, names):
    """The API server labels the pods of a Job with it, unless the Job has a selector of its own."""
    template = {"metadata": {"labels": {"app": "load", **written}}, "spec": {"containers": [{}]}}
    meta = {"namespace": "shop", "name": "load"}
    spec = {"manualSelector": manual, "template": template}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
    snapshot, _ = build(json.dumps(listed(job)))
    (pod,) = snapshot.pods

    assert pod.labels["app"] == "load"
    assert (pod.labels.get("job-name"), pod.labels.get("batch.kubernetes.io/job-name")) == names


def test_a_template_stands_where_all_pods_ended():
    """Evicted pods of a Deployment stay in the list as Failed; a Job's template does not run again."""

    def workload(api, kind, name):
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{}]}}
        meta = {"name": name, "namespace": "shop"}
        return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": {"template": template}}

    evicted = owned("web-6d4cf56db6-x2x4z", "ReplicaSet", "web-6d4cf56db6") | {"status": {"phase": "Failed"}}
    ran = owned("restore-x2x4z", "Job", "restore") | {"status": {"phase": "Succeeded"}}
    objects = [workload("apps/v1", "Deployment", "web"), workload("batch/v1", "Job", "restore"), evicted, ran]
    snapshot, _ = build(json.dumps(listed(*objects)))

    assert [(pod.kind, pod.name) for pod in snapshot.pods if pod.template] == [("Deployment", "web")]


def test_dual_stack_host_network_and_finished_pods():
    status = {
        "phase": "Failed", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "2001:DB8::0:1"}, {"ip": "::ffff:10.0.0.1"}],
        "containerStatuses": [{"state": {"terminated": {"finishedAt": "2026-11-03T12:30:00Z"}}}],
    }  # fmt: skip
    snapshot, _ = build(json.dumps(pod_object("web-1", spec={"hostNetwork": True}, status=status)))
    pod = snapshot.pods[0]
    assert pod.ips == ("10.0.0.1", "2001:db8::1")
    assert (pod.host_network, pod.live, pod.finished) == (True, False, 1793709000 * 10**9)


def test_sysdump_stamp_gives_the_time_of_the_state():
    snapshot, _ = build(pod_text(), names=["cilium-sysdump-20261103-121530/k8s-pods-20261103-121530.yaml"])
    assert snapshot.taken == (1793707200 + 930) * 10**9
    assert build_snapshot([("a", b"")], 5)[0].taken == 5


AUDIT = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Request",
    "requestObject": pod_object("x"),
}


@pytest.mark.parametrize(
    "text",
    [
        pod_text(),
        json.dumps(pod_object("a")),
        json.dumps(listed(pod_object("a")), indent=4),
        "kubectl get pods\n" + pod_text(),
        "Unable to connect to the server: dial tcp 192.0.2.1:6443: i/o timeout\n" + pod_text(),
        "The connection to the server localhost:8080 was refused - did you specify the right host or port?\n"
        + pod_text(),
        "Using project: shop\n" + pod_text(),
        "# note\n---\n" + pod_text(),
        "apiVersion: v1\nitems:\n- metadata:\n    name: a\nkind: PodList\n",
        '[{"metadata": {"name": "shop"}, "spec": {}, "status": {}}]',
        '"apiVersion": "v1"\n"items":\n- "apiVersion": "v1"\n  "kind": "Pod"\n"kind": "List"\n',
        "---\n{apiVersion: v1, kind: Pod, metadata: {name: a}}\n",
        "{items: [{apiVersion: v1, kind: Pod, metadata: {name: a}}], kind: List}\n",
        "{'kind': 'Pod', 'apiVersion': 'v1', 'metadata': {'name': 'a'}}\n",
        "{{- if .Values.enabled }}\napiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n{{- end }}\n",
    ],
)
def test_sniff_knows_cluster_objects(text):
    assert sniff_state(text.encode()) >= 0.7


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"flow":{"time":"2026-11-03T12:00:00Z","verdict":"DROPPED","source":{"labels":["k8s:app=web"]}},"node_name":"a"}\n',
        json.dumps(AUDIT),
        json.dumps({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [AUDIT]}),
        '{"level":"info","msg":"apiVersion: v1 kind: Pod"}\n',
        "NAME   READY   STATUS\nweb-1  1/1     Running\n",
        'Error from server (Forbidden): secrets "x" is forbidden: User "ann" cannot get resource "secrets"\n',
        "2026-11-03T12:00:00Z level=info msg=hello\n  apiVersion: v1\n  kind: Pod\n",
        "\x00\x01\x02",
        "# Policies\n\nEvery namespace has this one, for example:\n\n```yaml\n" + pod_text() + "```\n",
        "# Policies\n\nEvery namespace has a pod as this:\n\n" + pod_text(),
        "#!/bin/sh\nkubectl apply -f - <<EOF\n" + pod_text() + "EOF\n",
        "# a test\nPOD = '''\n" + pod_text() + "'''\n",
    ],
)
def test_sniff_leaves_logs_alone(text):
    assert sniff_state(text.encode()) <= 0.2


@pytest.mark.parametrize(
    "line",
    [b" ", b"\n", b"[", b"[\n", b"- ", b"a:", b'{"a":1}\n', b'\\"', b"# a\n", b"a: 'b\n", b"kind: X\n---\n"],
)
def test_hostile_repetition_is_bounded(line):
    """No input of this shape makes a pattern run away, and problems stay few."""
    data = line * (200_000 // len(line))
    sniff_state(data)
    assert len(read_manifest("x", data).problems) <= 60


@pytest.mark.parametrize(
    "text",
    [
        '"apiVersion": "v1"\n"kind": "List"\n"items":\n- "apiVersion": "v1"\n  "kind": "Namespace"\n  "metadata":\n    "name": "shop"\n',
        "# jsonnet -y, PyYAML's flow style\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n",
        "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Namespace,\n      metadata: {name: shop}}]}\n",
        "{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'shop'}}\n",
    ],
)
def test_yaml_in_the_forms_that_programs_write(text):
    """Keys in quotes and objects in braces are YAML as well as any; a file of them was passed over without a word."""
    read = read_manifest("x", text.encode())
    assert not read.problems
    assert [entry.key for entry in read.entries] == [("", "Namespace", "", "shop")]


RELEASE = """\
NAME: shop
LAST DEPLOYED: Tue Mar 17 14:00:00 2026
NAMESPACE: shop
STATUS: deployed
USER-SUPPLIED VALUES:
null

COMPUTED VALUES:
NOTES: {}
image: shop:1

HOOKS:
---
# Source: shop/templates/tests/web.yaml
apiVersion: v1
kind: Pod
metadata: {name: test, namespace: shop}
MANIFEST:
---
# Source: shop/templates/policy.yaml
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}}

NOTES:
Thank you for installing shop: visit http://shop.example.com
1. Get the URL by running: (see below)
"""


def test_what_helm_says_of_a_release_is_read_by_its_objects():
    """`helm get all`: the values and the notes are no objects, and what stands between them is whole."""
    read = read_manifest("x", RELEASE.encode())

    assert sniff_state(RELEASE.encode()) >= 0.7
    assert not read.problems
    assert [(entry.key[1:], entry.origin.line) for entry in read.entries] == [
        (("Pod", "shop", "test"), 14),
        (("NetworkPolicy", "shop", "closed"), 20),
    ]


def test_a_template_is_said_to_be_one():
    """A Helm chart's file beside the objects may hold a policy, and is not passed over without a word."""
    text = (
        "{{- if .Values.policy }}\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        "metadata:\n  name: {{ .Release.Name }}\n{{- end }}\n"
    )
    (problem,) = read_manifest("x", text.encode()).problems
    assert problem.hides
    assert problem.message.startswith("a template that is not rendered (helm template does)")


FORBIDDEN = (
    "Error from server (Forbidden): networkpolicies.networking.k8s.io is forbidden: "
    'User "ann" cannot list resource "networkpolicies" in API group "networking.k8s.io" %s\n'
)
POLICIES = ("networking.k8s.io", "NetworkPolicy")


@pytest.mark.parametrize("before", ["", "apiVersion: v1\nitems: []\nkind: List\n", pod_text()])
def test_a_kind_that_kubectl_was_refused_is_unread(before):
    """Standard error in the same file: the policies were refused, and that is not that there are none."""
    snapshot, problems = build_snapshot([("x", (before + FORBIDDEN % "at the cluster scope").encode())])
    assert snapshot.unread == {POLICIES}
    assert [(one.code, one.line) for one in problems if not one.note] == [
        ("not-read", 1 + before.count("\n"))
    ]
    assert sniff_state((before + FORBIDDEN % "at the cluster scope").encode()) >= 0.7
    # Standard error is often written first.
    first = (FORBIDDEN % "at the cluster scope" + before).encode()
    assert sniff_state(first) >= 0.7
    assert build_snapshot([("x", first)])[0].unread == {POLICIES}


def test_a_kind_that_another_input_has_is_read():
    """Whoever was refused came again with more rights."""
    refused = ("x", (FORBIDDEN % "at the cluster scope").encode())
    listed = ("y", b"apiVersion: networking.k8s.io/v1\nitems: []\nkind: NetworkPolicyList\n")
    assert not build_snapshot([refused, listed])[0].unread


def test_policies_of_a_namespace_that_were_refused_are_missing_whatever_else_is_there():
    refused = ("x", (FORBIDDEN % 'in the namespace "shop"').encode())
    listed = ("y", b"apiVersion: networking.k8s.io/v1\nitems: []\nkind: NetworkPolicyList\n")
    assert build_snapshot([refused, listed])[0].damaged == ("x:1",)


@pytest.mark.parametrize(
    ("name", "text", "hides"),
    [
        ("b/cluster-resources/network-policy-errors.json", '{"shop": "timed out"}', True),
        (
            "b/cluster-resources/custom-resources-errors.json",
            '{"globalnetworkpolicies.crd.projectcalico.org": "is forbidden"}',
            True,
        ),
        ("b/cluster-resources/jobs-errors.json", '["jobs.batch is forbidden"]', False),
    ],
)
def test_a_support_bundles_list_of_errors_tells_what_may_be_missing(name, text, hides):
    """The bundle holds the other namespaces' policies; those of one that was refused may decide all the same."""
    snapshot, problems = build_snapshot([(name, text.encode())])
    assert bool(snapshot.damaged) is hides
    assert all(one.note for one in problems)


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        ("NetworkPolicy", "apiVersion: networking/v1\n"),
        ("NetworkPolicies", "apiVersion: networking.k8s.io/v1\n"),
        ("networkpolicy", "apiVersion: networking.k8s.io/v1\n"),
        ("NetworkPolicy", ""),
        ("EgressNetworkPolicy", "apiVersion: network.openshift.io/v1\n"),
        ("FqdnNetworkPolicy", "apiVersion: netpol.example.com/v1alpha1\n"),
    ],
)
def test_a_policy_of_no_kind_that_is_known_is_said_to_be_one(kind, api):
    """Another enforcer's, or one whose kind or API is misspelt, which kubectl would refuse."""
    text = f"{api}kind: {kind}\nmetadata: {{name: closed, namespace: shop}}\nspec:\n  podSelector: {{}}\n"
    text = text.replace("metadata: {", "metadata:\n  {")
    snapshot, (problem,) = build_snapshot([("x", text.encode())])

    assert sniff_state(text.encode()) >= 0.7
    assert (problem.code, problem.line, problem.note) == ("unknown-policy-kind", 1, False)
    assert f"{kind} closed" in problem.message
    assert not snapshot.policies_read


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("kustomize.config.k8s.io/v1beta1", "namespace: shop\nresources: [policy.yaml]\n", "(namespace)"),
        (
            "kustomize.config.k8s.io/v1beta1",
            "patches:\n- path: p.yaml\nnamePrefix: a-\n",
            "(namePrefix, patches)",
        ),
        ("kustomize.config.k8s.io/v1beta1", "resources:\n- policy.yaml\n", None),
        ("kustomize.toolkit.fluxcd.io/v1", "metadata: {name: apps}\nspec: {path: x}\n", None),
    ],
)
def test_a_kustomization_that_changes_its_resources_is_said_to_be_unbuilt(kind, more, said):
    """Names, namespaces and specs are others once it is built."""
    text = f"apiVersion: {kind}\nkind: Kustomization\n{more}"
    problems = build_snapshot([("x/kustomization.yaml", text.encode())])[1]

    assert [said in one.message for one in problems] == ([True] if said else [])


SYSTEM = "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system, uid: %s}\n"


def test_objects_of_two_clusters_are_said_to_be():
    """The policies of both decide, and no name or address need mean the same in both."""
    east, again, west = (name.encode() for name in (SYSTEM % "e1", SYSTEM % "e1", SYSTEM % "w1"))
    told = [
        one for one in build_snapshot([("east", east), ("west", west)])[1] if one.code == "several-clusters"
    ]
    assert [(one.input, one.line, one.note) for one in told] == [("west", 1, False)]
    assert "objects of 2 clusters" in told[0].message
    assert "east:1, west:1" in told[0].message
    assert not build_snapshot([("east", east), ("again", again)])[1]


LISTED = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: %s}\nkind: List\n"
SINGLE = "kind: Namespace\napiVersion: v1\nmetadata: {name: %s}\n"
JSON_OBJECT = '{\n  "apiVersion": "v1",\n  "kind": "Namespace",\n  "metadata": {"name": "%s"}\n}\n'


@pytest.mark.parametrize(
    "forms",
    [
        (LISTED, LISTED),
        (SINGLE, SINGLE, SINGLE),
        (LISTED, SINGLE, LISTED),
        (SINGLE, JSON_OBJECT, LISTED),
        (JSON_OBJECT, LISTED, JSON_OBJECT, JSON_OBJECT, SINGLE),
    ],
)
def test_files_written_behind_each_other_are_all_read(forms):
    """``cat pods.yaml policies.yaml``: no mark stands between them, and none of them is left out."""
    names = [f"n{index}" for index in range(len(forms))]
    text = "".join(form % name for form, name in zip(forms, names, strict=True))
    snapshot, problems = build_snapshot([("state", text.encode())])

    assert sorted(snapshot.namespaces) == names
    assert not problems


@pytest.mark.parametrize(("form", "line"), [(LISTED, 7), (JSON_OBJECT, 6)])
def test_lines_behind_objects_that_are_none_are_said(form, line):
    """A prompt or a message that came along."""
    _, problems = build_snapshot([("state", (form % "a" + "ann@host $ ls\nstate\n").encode())])

    assert [(one.line, one.message.partition(" ")[2][:5]) for one in problems] == [(line, "lines")]


def test_json_is_held_to_the_depth_that_yaml_is():
    """What is kept whole is written down again by recursion; a number of thousands of digits is said to be one."""
    spec = '{"a":' * 500 + "1" + "}" * 500
    policy = f'{{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{{"name":"p","namespace":"n"}},"spec":{spec}}}'
    lists = '{"kind":"List","items":[' * 300 + "{}" + "]}" * 300
    number = f'{{"kind":"Pod","metadata":{{"name":"p","generation":{"9" * 5000}}}}}'
    found = [read_manifest("state.json", text.encode()) for text in (policy, lists, number)]

    assert [one.entries for one in found] == [[], [], []]
    assert [one.problems[0].message for one in found] == [
        "NetworkPolicy: nested too deeply",
        "nested too deeply",
        "not JSON: a number of thousands of digits",
    ]
    assert found[0].problems[0].hides


@pytest.mark.parametrize("listed", [False, True])
def test_a_key_that_comes_again_is_told_with_its_line(listed):
    """YAML takes the last; whoever wrote both rules finds out why the first is none, and the object is read."""
    lines = [
        "apiVersion: networking.k8s.io/v1",
        "kind: NetworkPolicy",
        "metadata: {name: api, namespace: shop}",
        "spec:",
        "  podSelector: {}",
        "  ingress:",
        "  - from:",
        "    - podSelector: {}",
        "  ingress:",
        "  - from:",
        "    - namespaceSelector: {}",
    ]
    if listed:
        head = ["apiVersion: v1", "kind: List", "items:"]
        lines = [*head, f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]
    manifest = read_manifest("state.yaml", "\n".join([*lines, ""]).encode())
    ((policy,),) = (entry.value for entry in manifest.entries)

    (problem,) = manifest.problems
    assert (problem.code, problem.line, problem.hides) == ("repeated-key", 12 if listed else 9, False)
    assert "'ingress'" in problem.message
    assert policy.spec["ingress"] == [{"from": [{"namespaceSelector": {}}]}]


def test_a_spec_that_comes_again_is_no_other_object():
    """Objects behind each other begin with their kind; the second ``spec`` was called one without."""
    text = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
spec: {podSelector: {}, policyTypes: [Egress]}
apiVersion: v1
kind: Namespace
metadata: {name: shop}
"""
    manifest = read_manifest("state.yaml", text.encode())

    (problem,) = manifest.problems
    assert (problem.code, problem.line) == ("repeated-key", 5)
    (policy,), namespace = (entry.value for entry in manifest.entries)
    assert policy.spec["policyTypes"] == ["Egress"]
    assert namespace.name == "shop"


AGENT = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: NAME, namespace: kube-system}
spec:
  template:
    metadata: {labels: {k8s-app: aws-node}}
    spec:
      containers:
        - name: aws-node
          env:
            - {name: PASSWORD, value: hunter2}
            - {name: NETWORK_POLICY_ENFORCING_MODE, value: strict}
            - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
"""


@pytest.mark.parametrize("name", ["aws-node", "other"])
def test_the_mode_of_aws_agent_is_read_from_its_daemon_set(name):
    """And nobody else's, and no other variable."""
    snapshot, problems = build_snapshot([("ds.yaml", AGENT.replace("NAME", name).encode())])
    assert snapshot.config == ({"aws.network-policy-enforcing-mode": "strict"} if name == "aws-node" else {})
    assert problems == []
    assert "hunter2" not in repr(snapshot)


@pytest.mark.parametrize("full", [False, True])
def test_a_bundle_keeps_the_mode_and_no_other_value(full):
    """Of an agent's variables the one that changes what policies mean leaves the cluster."""
    value = yaml.safe_load(AGENT)
    (container,) = strip(value, "apps", "DaemonSet", full=full)["spec"]["template"]["spec"]["containers"]
    assert {one["name"]: one.get("value") for one in container["env"]} == {
        "PASSWORD": None,
        "NETWORK_POLICY_ENFORCING_MODE": "strict",
        "NODE": None,
    }
