"""Collection from a running cluster: what is in the bundle, what never is, and what becomes of refusals and kills."""

import io
import json
import re
import signal
import subprocess
import tarfile
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.cluster.collect.newest import Newest
from flowdiag.cluster.collect.options import CollectOptions
from flowdiag.cluster.collect.run import collect
from flowdiag.cluster.live.options import ClusterOptions
from tests.apiserver.cluster import node, pod, policy, small
from tests.apiserver.kinds import CILIUM, CORE
from tests.apiserver.rbac import Rules
from tests.apiserver.server import Fault
from tests.live.clusters import COMMAND, answer, environment, flowdiag, server
from tests.live.proxies import forward_proxy

AGENT = ("kube-system", "cilium-abcde", "cilium-agent")
ENOUGH = ("1s", "4s", "16s", "64s")
"""Times to collect within; a machine under load needs the longer ones."""
FLOW = {
    "time": "2026-11-03T12:00:00.000000001Z",
    "verdict": "DROPPED",
    "drop_reason_desc": "POLICY_DENIED",
    "traffic_direction": "INGRESS",
    "ethernet": {},
    "IP": {"source": "10.42.0.10", "destination": "10.42.0.20", "ipVersion": "IPv4"},
    "l4": {"TCP": {"source_port": 40000, "destination_port": 5432, "flags": {"SYN": True}}},
    "source": {"identity": 1001, "namespace": "shop", "pod_name": "web-1"},
    "destination": {"identity": 1002, "namespace": "data", "pod_name": "db-1"},
    "node_name": "node-1",
    "Type": "L3_L4",
}
LINE = json.dumps({"flow": FLOW, "node_name": "node-1", "time": FLOW["time"]}).encode() + b"\n"
EVENT = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "e1", "namespace": "shop"},
    "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
    "reason": "Unhealthy",
    "message": "Readiness probe failed: dial tcp 10.42.0.10:8080: i/o timeout",
    "type": "Warning",
    "count": 3,
    "firstTimestamp": "2026-11-03T11:59:00Z",
    "lastTimestamp": "2026-11-03T12:01:00Z",
}
MESSAGE = 'time="2026-11-03T12:00:00.5Z" level=warning msg="Regeneration failed" subsys=endpoint'


def cilium(**more):
    one = server(small([EVENT]), kinds=(*CORE, *CILIUM), **more)
    one.asked = []

    def run(argv):
        one.asked.append(argv)
        return LINE * 3, b"", 0

    one.commands[AGENT] = run
    one.logs[(*AGENT, False)] = [("2026-11-03T10:00:00Z", "too old"), ("2126-11-03T12:00:00.5Z", MESSAGE)]
    return one


@pytest.fixture
def cluster():
    with cilium() as one:
        yield one


@pytest.fixture
def kubeconfig(cluster, tmp_path):
    return cluster.kubeconfig(tmp_path / "kubeconfig")


def members(path):
    """Path below the bundle's folder to content."""
    with tarfile.open(path) as tar:
        return {one.name.partition("/")[2]: tar.extractfile(one).read() for one in tar.getmembers()}


def fates(path):
    return {one["what"]: one for one in json.loads(members(path)["manifest.json"])["items"]}


def test_a_bundle_is_an_input_for_analyze(tmp_path, kubeconfig):
    """Objects, events, flows and logs: the report names the cause from the bundle alone."""
    bundle = tmp_path / "bundle.tar.gz"
    done = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)
    report = answer(flowdiag("analyze", bundle, "-o", "json"))

    assert done.returncode == 0, done.stderr
    assert "1 export of flows (" in done.stdout
    assert f"Next: flowdiag analyze {bundle}" in done.stdout
    assert report["complete"] is True
    assert report["totals"]["denied"] == 3
    assert report["problems"][0]["isolating"][0]["name"] == "default-deny"
    assert report["evidence"]["snapshot"]["taken"] is not None
    parsers = {one["path"].partition("!")[2].partition("/")[2]: one["parser"] for one in report["inputs"]}
    assert parsers["flows/hubble/node-1/cilium-abcde.json"] == "hubble-json"
    assert parsers["events/events.jsonl"] == "kubernetes-events"
    assert parsers["logs/kube-system/cilium-abcde/cilium-agent.log"] == "cilium-agent-log"
    assert bundle.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "bundle.tar.gz.partial").exists()


def test_it_tells_what_it_waits_for(tmp_path, kubeconfig):
    """Before the first object comes, and what the bytes do not show."""
    told = []
    options = CollectOptions(cluster=ClusterOptions(kubeconfig=str(kubeconfig)))
    collect(options, tmp_path / "b.tar.gz", lambda _done, _all, what: told.append(what), told.append)

    assert told[0] == "asking the cluster for its objects"
    assert told[-1] == "packing the archive"
    assert 1 < told.index("pods") < told.index("asking for flows, logs and files") < len(told) - 2


def test_logs_and_flows_begin_where_since_says(tmp_path, cluster, kubeconfig):
    """The server is asked for no more than that, and lines carry their times."""
    bundle = tmp_path / "bundle.tar.gz"
    assert flowdiag("collect", "-o", bundle, "--since", "30m", KUBECONFIG=kubeconfig).returncode == 0

    assert (
        members(bundle)["logs/kube-system/cilium-abcde/cilium-agent.log"].decode()
        == f"2126-11-03T12:00:00.5Z {MESSAGE}\n"
    )
    assert cluster.asked == [["hubble", "observe", "--since", "1800s", "-o", "jsonpb"]]


def test_secrets_and_values_of_variables_never_leave(tmp_path, cluster, kubeconfig):
    """Neither from Secrets nor ConfigMaps, containers, arguments or annotations; only GET requests are made."""
    bundle = tmp_path / "bundle.tar.gz"
    assert flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig).returncode == 0

    found = {name for name, data in members(bundle).items() if b"hunter2" in data or b"aHVudGVyMi" in data}
    assert found == set()
    assert not [seen for seen in cluster.seen if seen.ask.resource == "secrets"]
    assert {seen.ask.verb for seen in cluster.seen} == {"get", "list"}
    assert b"registry.example" not in members(bundle)["state/pods.json"]


def test_full_is_explicit_and_still_without_values_of_variables(tmp_path, kubeconfig):
    """Images, arguments and annotations are there; values, passwords and what was last applied are not."""
    bundle = tmp_path / "bundle.tar.gz"
    assert flowdiag("collect", "-o", bundle, "--full", KUBECONFIG=kubeconfig).returncode == 0
    pods = members(bundle)["state/pods.json"]

    assert b"registry.example/app:1" in pods
    assert b"--password=***" in pods
    assert b"hunter2-in-annotation" in pods
    assert b'{"name":"DB_PASSWORD"}' in pods
    assert b"hunter2-in-env" not in pods
    assert b"hunter2-in-applied" not in pods
    assert b"secretKeyRef" not in pods


def test_credentials_of_probes_proxies_and_snippets_never_leave(tmp_path):
    """Headers and commands of probes, Envoy's keys, passwords in URLs, annotations that no diagnosis reads."""
    web = pod("shop", "web-2", "10.42.0.11", {"app": "web"})
    web["spec"]["containers"][0] |= {
        "livenessProbe": {
            "httpGet": {
                "path": "/?token=hunter2",
                "port": 8080,
                "httpHeaders": [{"name": "X", "value": "hunter2"}],
            },
            "periodSeconds": 7,
        },
        "readinessProbe": {"exec": {"command": ["mysqladmin", "-phunter2"]}},
    }
    web["status"]["containerStatuses"][0]["state"] = {
        "terminated": {"finishedAt": "2026-11-03T09:00:00Z", "message": "hunter2"}
    }
    worker = node("node-2", "192.0.2.12")
    worker["metadata"]["annotations"] = {
        "rke2.io/node-env": "hunter2",
        "projectcalico.org/IPv4Address": "192.0.2.12/24",
    }
    envoy = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEnvoyConfig",
        "metadata": {"name": "tls", "namespace": "shop"},
        "spec": {
            "services": [{"name": "web"}],
            "resources": [{"tls_certificate": {"private_key": {"inline_string": "hunter2"}}}],
        },
    }
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "annotations": {"nginx.ingress.kubernetes.io/configuration-snippet": "hunter2"},
        },
    }
    webhook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "w"},
        "webhooks": [
            {"name": "w", "clientConfig": {"url": "https://u:hunter2@hooks.example/?token=hunter2"}}
        ],
    }
    kept = policy("shop", "kept", {"podSelector": {}})
    kept["metadata"]["annotations"] = {"team": "storefront"}
    bundles = []
    with server(small([web, worker, envoy, ingress, webhook, kept]), kinds=(*CORE, *CILIUM)) as one:
        for more in ([], ["--full"]):
            bundle = tmp_path / f"{len(more)}.tar.gz"
            done = flowdiag("collect", "-o", bundle, *more, KUBECONFIG=one.kubeconfig(tmp_path / "k"))
            assert done.returncode == 0, done.stderr
            bundles.append(members(bundle))
    found, full = bundles

    assert [name for name, data in found.items() if b"hunter2" in data] == []
    assert b'"periodSeconds":7' in found["state/pods.json"]
    assert b'"httpGet":{"port":8080}' in found["state/pods.json"]
    assert b'"finishedAt":"2026-11-03T09:00:00Z"' in found["state/pods.json"]
    assert b"192.0.2.12/24" in found["state/nodes.json"]
    assert b"storefront" in found["state/networkpolicies.networking.k8s.io.json"]
    assert b'"httpHeaders":[{"name":"X"}]' in full["state/pods.json"]
    assert b"u:hunter2@" not in full["state/mutatingwebhookconfigurations.admissionregistration.k8s.io.json"]


def test_credentials_in_logs_flows_and_events_are_masked(tmp_path):
    """Lines stay lines and JSON stays JSON, wherever the stream was cut into pieces."""
    headers = [
        {"key": "Authorization", "value": 'Bearer hunter2"}'},
        {"key": "X-Request-Id", "value": "kept"},
    ]
    request = {
        "type": "REQUEST",
        "http": {"url": "http://u:hunter2@db/?access_token=hunter2&x=1", "headers": headers},
    }
    flow = {"flow": FLOW | {"l7": request}, "node_name": "node-1", "time": FLOW["time"]}
    event = EVENT | {"message": 'Get "http://u:hunter2@10.42.0.10:8080/": i/o timeout'}
    with cilium() as one:
        one.objects.clear()
        for each in small([event]):
            one.add(each)
        one.commands[AGENT] = lambda _: (json.dumps(flow).encode() + b"\n" + LINE, b"", 0)
        one.logs[(*AGENT, False)] = [("2126-11-03T12:00:00.5Z", MESSAGE + " password=hunter2 user=kept")]
        bundle = tmp_path / "bundle.tar.gz"
        assert flowdiag("collect", "-o", bundle, KUBECONFIG=one.kubeconfig(tmp_path / "k")).returncode == 0
    found = members(bundle)

    assert [name for name, data in found.items() if b"hunter2" in data] == []
    first, second = map(json.loads, found["flows/hubble/node-1/cilium-abcde.json"].splitlines())
    assert first["flow"]["l7"]["http"]["url"] == "http://***@db/?access_token=***&x=1"
    assert first["flow"]["l7"]["http"]["headers"][1]["value"] == "kept"
    assert second == json.loads(LINE)
    assert b"password=*** user=kept\n" in found["logs/kube-system/cilium-abcde/cilium-agent.log"]
    assert "http://***@10.42.0.10:8080/" in json.loads(found["events/events.jsonl"])["message"]


def test_manifests_that_other_tools_keep_never_leave(tmp_path, cluster, kubeconfig):
    """kapp, Rancher and their like write down what they applied, as kubectl does."""
    (web,) = next(one for one in cluster.objects.values() if one and one[0]["kind"] == "Pod")[:1]
    applied = '{"env":[{"name":"DB_PASSWORD","value":"hunter2-applied"}]}'
    names = ("kapp.k14s.io/original", "objectset.rio.cattle.io/applied", "x.example/last-applied-spec")
    web["metadata"]["annotations"].update(dict.fromkeys(names, applied))
    bundle = tmp_path / "bundle.tar.gz"

    assert flowdiag("collect", "-o", bundle, "--full", KUBECONFIG=kubeconfig).returncode == 0

    pods = members(bundle)["state/pods.json"]
    assert b"hunter2-in-annotation" in pods
    assert b"hunter2-applied" not in pods


def test_a_life_before_a_restart_that_was_forgotten_is_absent(tmp_path, cluster, kubeconfig):
    """The kubelet keeps the log of the last container only as long as the container; nothing failed."""
    pods = next(all_ for all_ in cluster.objects.values() if all_ and all_[0]["kind"] == "Pod")
    agent = next(one for one in pods if one["metadata"]["name"] == AGENT[1])
    agent["status"]["containerStatuses"][0]["restartCount"] = 1
    bundle = tmp_path / "bundle.tar.gz"

    done = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    assert fates(bundle)["log of kube-system/cilium-abcde/cilium-agent (previous)"]["fate"] == "absent"
    assert "failed" not in done.stdout


def test_a_pod_that_is_gone_when_it_is_asked_is_told(tmp_path, cluster, kubeconfig):
    """What it would have said is missing from the bundle, which is not the same as nothing to say."""
    cluster.faults.append(Fault("/log", "status", status=404, times=99))
    bundle = tmp_path / "bundle.tar.gz"

    done = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    assert fates(bundle)["log of kube-system/cilium-abcde/cilium-agent"]["fate"] == "failed"
    assert "failed: log of kube-system/cilium-abcde/cilium-agent (" in done.stdout


def deployment():
    inside = pod("shop", "web-1", "10.42.0.10", {"app": "web"})
    template = {
        "metadata": {"labels": {"app": "web"}, "annotations": {"prometheus.io/port": "80", "x": "hunter2"}},
        "spec": inside["spec"],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": template},
    }


@pytest.mark.parametrize("full", [False, True])
def test_templates_of_workloads_are_stripped_too(tmp_path, full):
    """A Deployment's template holds the same values as its pods."""
    with server([*small(), deployment()]) as one:
        bundle = tmp_path / "bundle.tar.gz"
        more = ["--full"] if full else []
        assert (
            flowdiag("collect", "-o", bundle, *more, KUBECONFIG=one.kubeconfig(tmp_path / "k")).returncode
            == 0
        )
    written = members(bundle)["state/deployments.apps.json"]

    assert b"hunter2-in-env" not in written
    assert b'"prometheus.io/port":"80"' in written
    assert (b'"x":"hunter2"' in written) is full


# --- refusals -----------------------------------------------------------------------------------------

READ_ONLY = {
    "kind": "ClusterRole",
    "metadata": {"name": "r"},
    "rules": [
        {"apiGroups": [""], "resources": ["pods", "namespaces", "nodes", "services"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get"]},
    ],
}
IN_DATA = {
    "kind": "Role",
    "metadata": {"name": "r", "namespace": "data"},
    "rules": [
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["list"]},
    ],
}


def test_what_was_refused_is_written_down_with_the_rule(tmp_path):
    """Objects, logs and commands alike; the analysis of the bundle knows that kinds are missing."""
    with cilium(rules=Rules([READ_ONLY])) as one:
        bundle = tmp_path / "bundle.tar.gz"
        done = flowdiag("collect", "-o", bundle, KUBECONFIG=one.kubeconfig(tmp_path / "k"))
    told = fates(bundle)
    report = answer(flowdiag("analyze", bundle, "-o", "json"))

    assert done.returncode == 0
    assert told["networkpolicies.networking.k8s.io"]["fate"] == "refused"
    assert told["flows of kube-system/cilium-abcde (Hubble)"]["rule"] == (
        '{apiGroups: [""], resources: ["pods/exec"], verbs: ["get", "create"]}'
    )
    assert 'cannot get resource "pods/log"' in told["log of kube-system/cilium-abcde/cilium-agent"]["reason"]
    assert '- {apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}' in done.stdout
    assert report["complete"] is False
    assert any("networkpolicies" in one["message"] for one in report["warnings"])
    asked = flowdiag("explain", "shop/web-1", "data/db-1", "5432", "--state", bundle, "-o", "json")
    assert answer(asked)["allowed"] is None


@pytest.mark.parametrize("kinds", [CORE, (*CORE, *CILIUM)], ids=["plain", "cilium"])
def test_a_role_in_one_namespace_collects_that_namespace(tmp_path, kinds):
    """Nothing namespaced is asked for elsewhere; hidden kinds that may decide leave the verdict open."""
    with server(small(), kinds=kinds, rules=Rules([IN_DATA])) as one:
        bundle = tmp_path / "bundle.tar.gz"
        words = ("collect", "-o", bundle, "-n", "data", "-n", "shop")
        done = flowdiag(*words, KUBECONFIG=one.kubeconfig(tmp_path / "k"))
    result = answer(flowdiag("explain", "10.42.0.10", "data/db-1", "5432", "--state", bundle, "-o", "json"))

    assert done.returncode == 0, done.stderr
    assert "no namespace" not in done.stdout, "one that may not be read may be there"
    assert result["allowed"] is (False if kinds is CORE else None)
    assert result["ingress"]["isolated_by"][0]["name"] == "default-deny"
    assert {seen.ask.namespace for seen in one.seen if seen.ask.resource == "pods"} == {"data", "shop"}
    assert fates(bundle)["logs"]["reason"] == "no CNI pods among the pods that may be read"


@pytest.mark.parametrize("token", ["admin-token", "stale-token"])
def test_nothing_allowed_is_exit_4_and_leaves_nothing(tmp_path, token):
    """No empty bundle, no folder."""
    with cilium(rules=Rules([])) as one:
        kubeconfig = one.kubeconfig(tmp_path / "k", token=token)
        done = flowdiag("collect", "-o", tmp_path / "bundle.tar.gz", KUBECONFIG=kubeconfig)

    assert done.returncode == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k"]


# --- bounds -------------------------------------------------------------------------------------------


def test_of_a_log_that_is_too_long_the_latest_lines_are_there_which_is_said(tmp_path, cluster, kubeconfig):
    """What happened last is what is asked for; it begins with a whole line."""
    lines = [(f"2126-11-03T12:00:{number:02}Z", f"{number} " + "x" * 900) for number in range(20)]
    cluster.logs[(*AGENT, False)] = lines
    bundle = tmp_path / "bundle.tar.gz"
    done = flowdiag("collect", "-o", bundle, "--max-file", "5k", KUBECONFIG=kubeconfig)

    fate = fates(bundle)["log of kube-system/cilium-abcde/cilium-agent"]
    assert (fate["fate"], fate["reason"]) == ("cut", "longer than 5,120 bytes: the latest of them are kept")
    kept = members(bundle)["logs/kube-system/cilium-abcde/cilium-agent.log"].decode().splitlines()
    assert kept == [f"{at} {text}" for at, text in lines[-5:]]
    assert "1 of them cut" in done.stdout


def test_flows_that_are_too_many_lose_the_oldest(tmp_path, cluster, kubeconfig):
    """`hubble observe` prints the oldest first, too."""
    before = cluster.commands[AGENT]
    cluster.commands[AGENT] = lambda _: (b"".join(b"%03d %s\n" % (n, b"x" * 995) for n in range(99)), b"", 0)
    bundle = tmp_path / "bundle.tar.gz"
    flowdiag("collect", "-o", bundle, "--max-file", "9k", KUBECONFIG=kubeconfig)
    cluster.commands[AGENT] = before

    (flows,) = (data for name, data in members(bundle).items() if name.startswith("flows/hubble/"))
    assert [line[:3] for line in flows.splitlines()] == [b"%03d" % number for number in range(90, 99)]


@pytest.mark.parametrize("limit", [1, 7, 30, 4096])
@given(st.lists(st.binary(max_size=60), max_size=30))
def test_the_newest_lines_of_any_stream_are_kept(limit, pieces):
    """Whole lines within the bound; a line that is longer than all that is kept has its end."""
    stream, whole = io.BytesIO(), b"".join(pieces)
    kept = Newest(stream, limit)
    for piece in pieces:
        kept(piece)
    cut = kept.end()
    end = whole[-limit:]
    if len(whole) > limit:
        _, newline, rest = end.partition(b"\n")
        end = rest if newline and rest else end

    assert (stream.getvalue(), kept.size, cut) == (end, len(end), len(whole) > limit)


def test_out_of_room_and_out_of_time_leave_the_rest_out(tmp_path, cluster, kubeconfig):
    """What fits is there, and what was left out stands in the manifest; kinds without room are not absent."""
    small_one, late = tmp_path / "small.tar.gz", tmp_path / "late.tar.gz"
    assert flowdiag("collect", "-o", small_one, "--max-size", "3k", KUBECONFIG=kubeconfig).returncode == 0
    over = threading.Event()
    cluster.commands[AGENT] = lambda _: over.wait(300) and (LINE, b"", 0)
    codes = (
        flowdiag("collect", "-o", late, "--within", within, KUBECONFIG=kubeconfig).returncode
        for within in ENOUGH
    )
    assert 0 in codes
    over.set()

    assert "state/pods.json" in members(small_one)
    assert fates(small_one)["networkpolicies.networking.k8s.io"]["fate"] == "left"
    asked = flowdiag("explain", "shop/web-1", "data/db-1", "80", "--state", small_one, "-o", "json")
    assert answer(asked)["allowed"] is None
    assert (
        fates(small_one)["flows of kube-system/cilium-abcde (Hubble)"]["reason"] == "out of room (--max-size)"
    )
    assert fates(late)["flows of kube-system/cilium-abcde (Hubble)"]["fate"] in ("failed", "left")


def test_a_list_that_drips_for_ever_ends_with_the_time_that_was_given(tmp_path, cluster, kubeconfig):
    """--within holds for objects too; the others are there."""
    cluster.faults = [Fault("/ingresses", "drip", times=99, seconds=0.2)]
    for within in ENOUGH:
        bundle = tmp_path / f"{within}.tar.gz"
        done = flowdiag("collect", "-o", bundle, "--within", within, KUBECONFIG=kubeconfig)
        found = fates(bundle) if done.returncode == 0 else {}
        if found.get("networkpolicies.networking.k8s.io", {}).get("fate") == "collected":
            break

    assert done.returncode == 0, done.stderr
    assert found["ingresses.networking.k8s.io"]["fate"] == "failed"
    assert found["networkpolicies.networking.k8s.io"]["fate"] == "collected"


# --- going on -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_collection_goes_on_where_it_stopped(tmp_path, cluster, kubeconfig, how):
    """Whatever ended it; lists that were read are not read again but for pods and Services."""
    hanging = Fault("/pods/cilium-abcde/log", "hang", seconds=300)
    cluster.faults = [hanging]
    bundle = tmp_path / "bundle.tar.gz"
    words = [*COMMAND, "collect", "-o", str(bundle), "--request-timeout", "5m"]
    with subprocess.Popen(
        words, env=environment(KUBECONFIG=kubeconfig), stderr=subprocess.PIPE, text=True
    ) as run:
        while not any(seen.ask.subresource == "log" for seen in cluster.seen) and run.poll() is None:
            time.sleep(0.05)
        run.send_signal(how)
        time.sleep(0.3)
        hanging.over = True
        said = run.communicate()[1]
    assert not bundle.exists()
    if how is signal.SIGINT:
        assert run.returncode == 130
        assert "goes on from" in said

    cluster.seen.clear()
    done = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    assert done.returncode == 0, done.stderr
    assert "gone on from before" in done.stdout
    listed = {seen.ask.resource for seen in cluster.seen if seen.ask.verb == "list" and seen.status == 200}
    assert listed == {"pods", "services"}
    assert fates(bundle)["log of kube-system/cilium-abcde/cilium-agent"]["fate"] == "collected"
    assert answer(flowdiag("analyze", bundle, "-o", "json"))["totals"]["denied"] == 3


def interrupted(words, how, cluster, *, stopped=False, **env):
    """(exit code, messages) of a run that is ended while an agent's command says nothing; the agent waits for it.

    With `stopped` the run is one that the shell's Ctrl-Z had stopped, and that goes on with the signal.
    """
    asked, over = threading.Event(), threading.Event()

    def wait(_):
        asked.set()
        over.wait(300)
        return LINE * 3, b"", 0

    before, cluster.commands[AGENT] = cluster.commands[AGENT], wait
    try:
        with subprocess.Popen(
            [*COMMAND, *map(str, words)], env=environment(**env), stderr=subprocess.PIPE, text=True
        ) as run:
            assert asked.wait(300)
            for number in (signal.SIGSTOP, how, signal.SIGCONT) if stopped else (how,):
                run.send_signal(number)
                time.sleep(0.05 if stopped else 0)
            said = run.communicate(timeout=300)[1]
    finally:
        over.set()
        cluster.commands[AGENT] = before
    return run.returncode, said


def test_an_interrupt_does_not_wait_for_a_silent_command(tmp_path, cluster, kubeconfig):
    """And what it cut is asked for again, not taken for the beginning of something long."""
    bundle = tmp_path / "bundle.tar.gz"

    code, said = interrupted(["collect", "-o", bundle], signal.SIGINT, cluster, KUBECONFIG=kubeconfig)
    done = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    assert code == 130
    assert "goes on from" in said
    assert "gone on from before" in done.stdout
    assert fates(bundle)["flows of kube-system/cilium-abcde (Hubble)"]["fate"] == "collected"
    assert answer(flowdiag("analyze", bundle, "-o", "json"))["totals"]["denied"] == 3


def test_an_interrupt_reaches_a_command_that_was_stopped(tmp_path, cluster, kubeconfig):
    """Whichever thread wakes first would take the signal, and the main one would wait on."""
    words = ["collect", "-o", tmp_path / "bundle.tar.gz"]

    code, said = interrupted(words, signal.SIGINT, cluster, stopped=True, KUBECONFIG=kubeconfig)

    assert code == 130
    assert "goes on from" in said


@pytest.mark.parametrize(
    "silent", ["/pods/cilium-abcde/log", "/networkpolicies", "/namespaces/kube-system/configmaps", "/exec"]
)
def test_an_interrupt_does_not_wait_for_a_silent_server(tmp_path, cluster, kubeconfig, silent):
    """A log, a list, what comes after the lists, a command's handshake: the connection is broken off."""
    hanging = Fault(silent, "hang", seconds=300)
    cluster.faults = [hanging]
    words = [*COMMAND, "collect", "-o", str(tmp_path / "bundle.tar.gz"), "--request-timeout", "5m"]
    with subprocess.Popen(
        words, env=environment(KUBECONFIG=kubeconfig), stderr=subprocess.PIPE, text=True
    ) as run:
        while hanging.times and run.poll() is None:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        try:
            # Not a measure of speed: without it the command ends with the request, minutes later.
            said = run.communicate(timeout=60)[1]
        finally:
            hanging.over = True
            run.kill()

    assert run.returncode == 130
    assert "Traceback" not in said


def test_a_job_that_is_told_to_end_leaves_nothing_of_the_cluster_behind(tmp_path, cluster, kubeconfig):
    """SIGTERM: neither the bundle of an audit nor certificates of the kubeconfig stay in the folder for such things."""
    aside = tmp_path / "aside"
    aside.mkdir()
    words = ["audit", "--live", "--history", tmp_path / "history.db"]

    code, _ = interrupted(words, signal.SIGTERM, cluster, KUBECONFIG=kubeconfig, TMPDIR=aside)

    assert code == 130
    assert list(aside.iterdir()) == []


def test_a_cluster_that_is_lost_is_exit_4_and_what_was_fetched_stays(tmp_path, cluster, kubeconfig):
    """Credentials that expire in the middle; then they are renewed, and the collection goes on."""
    cluster.faults = [Fault("/pods/cilium-abcde/log", "status", status=401)]
    bundle = tmp_path / "bundle.tar.gz"
    lost = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)
    again = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    assert lost.returncode == 4
    assert "goes on from" in lost.stderr
    assert again.returncode == 0
    assert "gone on from before" in again.stdout


def test_an_unfinished_collection_of_something_else_is_not_mixed_in(tmp_path, cluster, kubeconfig):
    """Another span or another cluster: exit 2, and the folder is named."""
    cluster.faults = [Fault("/pods/cilium-abcde/log", "status", status=401)]
    bundle = tmp_path / "bundle.tar.gz"
    flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)
    done = flowdiag("collect", "-o", bundle, "--since", "2h", KUBECONFIG=kubeconfig)

    assert done.returncode == 2
    assert "bundle.tar.gz.partial" in done.stderr


# --- flows and files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v5.channel.k8s.io"])
def test_commands_run_over_both_protocols_with_impersonation(tmp_path, protocol):
    """The command runs as whom it was asked for, never with more rights."""
    with cilium(tls=True) as one:
        one.subprotocols = (protocol,)
        bundle = tmp_path / "bundle.tar.gz"
        kubeconfig = one.kubeconfig(tmp_path / "k")
        assert (
            flowdiag(
                "collect", "-o", bundle, "--as", "jane", "--as-group", "dev", KUBECONFIG=kubeconfig
            ).returncode
            == 0
        )

    assert members(bundle)["flows/hubble/node-1/cilium-abcde.json"] == LINE * 3
    assert {(seen.ask.user, seen.ask.groups) for seen in one.seen} == {("jane", ("dev",))}


def test_commands_go_through_a_proxy_too(tmp_path):
    """CONNECT for TLS and for WebSocket: nothing reaches the cluster past it."""
    with cilium(tls=True) as one, forward_proxy() as proxy:
        kubeconfig = one.kubeconfig(tmp_path / "k")
        config = json.loads(kubeconfig.read_text())
        config["clusters"][0]["cluster"]["proxy-url"] = proxy.url
        kubeconfig.write_text(json.dumps(config))
        bundle = tmp_path / "bundle.tar.gz"
        assert flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig).returncode == 0

    assert members(bundle)["flows/hubble/node-1/cilium-abcde.json"] == LINE * 3
    assert {*proxy.asked} == {f"127.0.0.1:{one.port}"}
    assert len(proxy.asked) >= 2


@pytest.mark.parametrize("kind", ["cut", "status"])
def test_where_no_websocket_comes_through_all_else_is_collected(tmp_path, cluster, kubeconfig, kind):
    """Some proxies know none: that costs the flows alone."""
    cluster.faults = [Fault("/exec", kind, times=99, status=400)]
    bundle = tmp_path / "bundle.tar.gz"
    done = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    assert done.returncode == 0, done.stderr
    assert fates(bundle)["flows of kube-system/cilium-abcde (Hubble)"]["fate"] == "failed"
    assert "logs/kube-system/cilium-abcde/cilium-agent.log" in members(bundle)


def test_a_command_that_fails_is_said(tmp_path, cluster, kubeconfig):
    """With its exit code and what it wrote."""
    cluster.commands[AGENT] = lambda _: (
        b"",
        b"failed to connect to unix:///var/run/cilium/hubble.sock\n",
        1,
    )
    bundle = tmp_path / "bundle.tar.gz"
    flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    reason = fates(bundle)["flows of kube-system/cilium-abcde (Hubble)"]["reason"]
    assert reason == "hubble observe ended with 1: failed to connect to unix:///var/run/cilium/hubble.sock"


def settings_of(cluster):
    """cilium-config's."""
    every = (one for kind in cluster.objects.values() for one in kind)
    return next(one for one in every if one["metadata"]["name"] == "cilium-config")["data"]


@pytest.mark.parametrize("there", [True, False])
def test_the_exporters_file_is_read_instead_where_there_is_one(tmp_path, cluster, kubeconfig, there):
    """It reaches further back than the ring; without the file the ring is asked, and never both."""
    settings_of(cluster)["hubble-export-file-path"] = "/var/run/cilium/hubble/events.log"
    asked = []

    def run(argv):
        asked.append(argv[0])
        if argv[0] == "tail" and not there:
            return b"", b"tail: cannot open", 1
        return LINE * (5 if argv[0] == "tail" else 2), b"", 0

    cluster.commands[AGENT] = run
    bundle = tmp_path / "bundle.tar.gz"
    flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    assert asked == (["tail"] if there else ["tail", "hubble"])
    assert members(bundle)["flows/hubble/node-1/cilium-abcde.json"] == LINE * (5 if there else 2)


def test_a_namespace_that_is_not_there_is_said(tmp_path, kubeconfig):
    """The API server lists nothing of it, and no more: the bundle would be taken away empty."""
    words = ("collect", "-o", tmp_path / "bundle.tar.gz", "-n", "shop", "-n", "dota")
    done = flowdiag(*words, KUBECONFIG=kubeconfig)

    assert "  none: the cluster has no namespace dota\n" in done.stdout


def test_nobody_is_asked_for_flows_where_hubble_is_off(tmp_path, cluster, kubeconfig):
    """It is a setting, no failure of every agent on every day; and it is said."""
    settings_of(cluster)["enable-hubble"] = "false"
    bundle = tmp_path / "bundle.tar.gz"
    done = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    told = fates(bundle)["flows of Cilium's agents (Hubble)"]
    assert (told["fate"], told["reason"]) == (
        "absent",
        "Hubble is off: cilium-config has enable-hubble: false",
    )
    assert "  none: flows of Cilium's agents (Hubble) (Hubble is off" in done.stdout
    assert not [one for one in cluster.seen if one.ask.subresource == "exec"]


def test_of_a_pod_that_was_evicted_nothing_is_missing(tmp_path, cluster, kubeconfig):
    """Such pods stay in the list for weeks: they run no command, and the kubelet has no log of them."""
    evicted = pod(
        "kube-system",
        "cilium-old",
        "192.0.2.11",
        {"k8s-app": "cilium"},
        host_network=True,
        containers=("cilium-agent",),
    )
    evicted["status"] = {"phase": "Failed", "reason": "Evicted"}
    cluster.add(evicted)
    cluster.faults.append(Fault("/cilium-old/log", "status", status=400, times=99))
    bundle = tmp_path / "bundle.tar.gz"
    done = flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig)

    found = fates(bundle)
    assert found["log of kube-system/cilium-old/cilium-agent"]["fate"] == "absent"
    assert "flows of kube-system/cilium-old (Hubble)" not in found
    assert "failed" not in done.stdout


def calico():
    agent = pod(
        "calico-system",
        "calico-node-x",
        "192.0.2.11",
        {"k8s-app": "calico-node"},
        host_network=True,
        containers=("calico-node",),
    )
    agent["status"]["containerStatuses"] = [
        {"name": "calico-node", "state": {"running": {}}, "restartCount": 2}
    ]
    whisker = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "whisker", "namespace": "calico-system"},
        "spec": {"ports": [{"port": 8081}]},
    }
    one = server([*small(), agent, whisker])
    one.services["calico-system", "whisker:8081", "/whisker-backend/flows"] = (
        "application/json",
        b'{"items":[]}',
    )
    one.node_files["node-1", "/logs/kern.log"] = b"Nov  3 12:00:00 node-1 kernel: calico-packet: IN=eth0\n"
    one.logs["calico-system", "calico-node-x", "calico-node", True] = [
        ("2126-11-03T12:00:00Z", "2026-11-03 [INFO] before")
    ]
    one.logs["calico-system", "calico-node-x", "calico-node", False] = [
        ("2126-11-03T12:30:00Z", "2026-11-03 [INFO] now")
    ]
    return one


def test_whisker_node_files_and_the_life_before(tmp_path):
    """Calico's flows through the API server's proxy, the ends of files on nodes, logs of restarted containers."""
    with calico() as one:
        bundle = tmp_path / "bundle.tar.gz"
        done = flowdiag(
            "collect", "-o", bundle, "--max-file", "1M", KUBECONFIG=one.kubeconfig(tmp_path / "k")
        )
    inside = members(bundle)

    assert done.returncode == 0, done.stderr
    assert inside["flows/whisker/flows.json"] == b'{"items":[]}'
    assert inside["nodes/node-1/kern.log"].startswith(b"Nov  3")
    assert b"before" in inside["logs/calico-system/calico-node-x/calico-node.previous.log"]
    asked = next(seen for seen in one.seen if seen.ask.path.endswith("/logs/kern.log"))
    assert asked.headers["Range"] == "bytes=-1048576"
    assert fates(bundle)["/var/log/calico/flowlogs/flows.log of node node-1"]["fate"] == "absent"


def test_skip_leaves_kinds_of_evidence_out(tmp_path, cluster, kubeconfig):
    """Nobody runs a command who does not want to."""
    bundle = tmp_path / "bundle.tar.gz"
    flowdiag("collect", "-o", bundle, "--skip", "flows", "--skip", "logs", KUBECONFIG=kubeconfig)

    assert cluster.asked == []
    assert not [name for name in members(bundle) if name.startswith(("flows", "logs"))]


@pytest.mark.parametrize("name", ["bundle.zip", "nowhere/bundle.tar.gz"])
def test_an_archive_that_cannot_be_is_usage(tmp_path, kubeconfig, name):
    """Said before anything is asked of the cluster."""
    assert flowdiag("collect", "-o", tmp_path / name, KUBECONFIG=kubeconfig).returncode == 2


def test_names_from_a_hostile_server_stay_inside_the_bundle(tmp_path):
    """A container may call itself what it likes; its log is kept all the same."""
    name = "../../../../../agent"
    odd = pod("kube-system", "cilium-odd", "192.0.2.12", {"k8s-app": "cilium"}, containers=(name,))
    with server([*small(), odd]) as one:
        one.logs["kube-system", "cilium-odd", name, False] = [("2126-11-03T12:00:00Z", "the odd one's log")]
        bundle = tmp_path / "bundle.tar.gz"
        flowdiag("collect", "-o", bundle, KUBECONFIG=one.kubeconfig(tmp_path / "k"))

    with tarfile.open(fileobj=io.BytesIO(bundle.read_bytes())) as tar:
        names = tar.getnames()
    assert [name for name in names if ".." in name.split("/")] == []
    assert [
        name for name, data in members(bundle).items() if name.endswith("agent.log") and b"the odd" in data
    ] != []


def test_a_password_in_the_servers_address_is_neither_written_nor_said(tmp_path, cluster):
    """Of a kubeconfig's ``server`` the host is enough."""
    kubeconfig = cluster.kubeconfig(tmp_path / "k")
    kubeconfig.write_text(kubeconfig.read_text().replace("http://", "http://bob:hunter2@"))
    bundle = tmp_path / "b.tar.gz"
    assert flowdiag("collect", "-o", bundle, KUBECONFIG=kubeconfig).returncode == 0
    gone = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", kubeconfig.read_text())
    kubeconfig.write_text(gone)
    lost = flowdiag("collect", "-o", tmp_path / "c.tar.gz", KUBECONFIG=kubeconfig)

    assert json.loads(members(bundle)["manifest.json"])["server"].startswith("http://127.0.0.1:")
    assert [name for name, data in members(bundle).items() if b"hunter2" in data] == []
    assert (lost.returncode, "hunter2" in lost.stderr) == (4, False)
