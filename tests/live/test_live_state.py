"""The state of a running cluster: read through the real client, asked through the command line."""

import json
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.apiserver.cluster import namespace, pod, policy, small
from tests.apiserver.kinds import ADMIN, CALICO_CRD, CALICO_V3, CILIUM, CORE
from tests.apiserver.rbac import Rules
from tests.apiserver.server import Fault
from tests.live.clusters import COMMAND, answer, environment, flowdiag, process, server
from tests.live.proxies import forward_proxy

ASK = ("explain", "shop/web-1", "data/db-1", "5432", "--live", "-o", "json")


@pytest.fixture
def cluster():
    with server(small()) as one:
        yield one


@pytest.fixture
def kubeconfig(cluster, tmp_path):
    return cluster.kubeconfig(tmp_path / "kubeconfig")


def paths(one):
    return [seen.ask.path for seen in one.seen]


def test_explain_reads_the_cluster_at_that_moment(cluster, kubeconfig):
    """A policy that appears between two questions changes the answer of the second."""
    before = answer(flowdiag(*ASK, KUBECONFIG=kubeconfig))
    allow = {
        "podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"namespaceSelector": {}}]}],
    }
    cluster.add(policy("data", "allow-all", allow))
    after = answer(flowdiag(*ASK, KUBECONFIG=kubeconfig))

    assert before["allowed"] is False
    assert before["ingress"]["isolated_by"][0]["name"] == "default-deny"
    assert after["allowed"] is True


def test_nothing_but_get_requests_and_no_secret(cluster, kubeconfig):
    """Reading changes nothing, and of ConfigMaps only the CNI's own is read, by name."""
    answer(flowdiag(*ASK, KUBECONFIG=kubeconfig))

    assert {seen.ask.verb for seen in cluster.seen} == {"get", "list"}
    assert not [path for path in paths(cluster) if "secrets" in path]
    assert [path for path in paths(cluster) if "configmaps" in path] == [
        "/api/v1/namespaces/kube-system/configmaps/cilium-config"
    ]


def test_analyze_names_the_cluster_among_its_inputs(kubeconfig, tmp_path):
    """The report says where the objects are from and when they were taken."""
    flow = {
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
    evidence = tmp_path / "flows.json"
    evidence.write_text(json.dumps({"flow": flow, "node_name": "node-1", "time": flow["time"]}) + "\n")

    report = answer(flowdiag("analyze", evidence, "--live", "-o", "json", KUBECONFIG=kubeconfig))

    assert [one["path"] for one in report["inputs"]] == [str(evidence), "cluster test"]
    assert report["evidence"]["snapshot"]["source"] == "cluster test"
    assert re.match(r"20\d\d-", report["evidence"]["snapshot"]["taken"])
    assert report["problems"][0]["isolating"] == [
        {"kind": "NetworkPolicy", "group": "networking.k8s.io", "namespace": "data", "name": "default-deny"}
    ]
    assert report["complete"] is True


def test_verify_whatif_and_reach_ask_the_cluster_too(kubeconfig, tmp_path):
    """Every question that takes --state takes --live."""
    queries = tmp_path / "queries.json"
    query = {"src": "shop/web-1", "dst": "data/db-1", "protocol": "TCP", "port": 5432, "allowed": False}
    queries.write_text(json.dumps({"queries": [query]}))
    opened = tmp_path / "open.json"
    spec = {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {}}]}]}
    opened.write_text(json.dumps(policy("data", "open", spec)))

    assert answer(flowdiag("verify", queries, "--live", "-o", "json", KUBECONFIG=kubeconfig))["passed"] == 1
    assert "nobody" in flowdiag("reach", "data/db-1", "--live", KUBECONFIG=kubeconfig).stdout
    changed = answer(flowdiag("whatif", "--live", "--apply", opened, "-o", "json", KUBECONFIG=kubeconfig))
    assert ("shop/web-1", "data/db-1", "added") in [
        (one["src"], one["dst"], one["change"]) for one in changed["connections"]
    ]


def test_custom_policies_are_read_where_they_are_served(tmp_path):
    """Cilium's, Calico's and the admin kinds; of Calico's two groups the API server's wins, read once."""
    deny = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "no-egress", "namespace": "shop", "unknownField": 1},
        "spec": {"endpointSelector": {}, "egressDeny": [{"toEntities": ["all"]}]},
    }
    with server([*small(), deny], kinds=(*CORE, *ADMIN, *CILIUM, *CALICO_CRD, *CALICO_V3)) as one:
        result = answer(
            flowdiag(*ASK, "--dialect", "cilium", KUBECONFIG=one.kubeconfig(tmp_path / "kubeconfig"))
        )

    assert result["egress"]["decided_by"]["name"] == "no-egress"
    listed = [path for path in paths(one) if "calico" in path and path.endswith("/globalnetworkpolicies")]
    assert listed == ["/apis/projectcalico.org/v3/globalnetworkpolicies"]
    assert "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies" in paths(one)


# --- patience -----------------------------------------------------------------------------------------


def many(number):
    return [
        pod("shop", f"web-{index}", f"10.42.{index // 250}.{index % 250}", {"app": "web"})
        for index in range(number)
    ]


def test_pages_are_read_to_the_last(tmp_path):
    """1,200 pods are three pages."""
    with server([*small(), *many(1200)]) as one:
        kubeconfig = one.kubeconfig(tmp_path / "kubeconfig")
        result = answer(flowdiag("explain", "shop/web-1150", *ASK[2:], KUBECONFIG=kubeconfig))

    assert result["allowed"] is False
    assert len([path for path in paths(one) if path == "/api/v1/pods"]) == 3


@pytest.mark.parametrize("times", [1, 2])
def test_an_expired_continue_token_begins_the_list_anew(tmp_path, times):
    """The kind is read whole all the same, the other kinds once; at last without pages."""
    with server([*small(), *many(600)]) as one:
        one.expired_after = times
        answer(flowdiag(*ASK, KUBECONFIG=one.kubeconfig(tmp_path / "kubeconfig")))

    limits = [seen.query.get("limit") for seen in one.seen if seen.ask.path == "/api/v1/pods"]
    assert limits == (["500"] * 4 if times == 1 else ["500"] * 4 + [None])
    assert paths(one).count("/api/v1/nodes") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/networkpolicies", "status", times=2, status=429, headers={"Retry-After": "1"}),
        Fault("/networkpolicies", "status", times=2, status=503),
        Fault("/networkpolicies", "cut", times=2),
        Fault("/apis$", "status", times=1, status=500, body=b"<html>gateway</html>"),
    ],
    ids=["429", "503", "cut", "html"],
)
def test_what_fails_for_a_moment_is_asked_again(cluster, kubeconfig, fault):
    """Throttled, down for a moment or cut in the middle: the answer is the same, only later."""
    cluster.faults = [fault]
    result = answer(flowdiag(*ASK, KUBECONFIG=kubeconfig))

    assert result["allowed"] is False
    assert fault.times == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("/networkpolicies", "status", times=99, status=503), "HTTP 503"),
        (Fault("/networkpolicies", "cut", times=99), "cut short"),
        (Fault("/networkpolicies", "hang", times=99, seconds=3), "did not answer within 1 s"),
        (Fault("/networkpolicies", "drip", times=99, seconds=0.2), "not at its end after"),
        (
            Fault("/networkpolicies", "status", times=99, status=200, body=b"<html>sign in</html>"),
            "not a list",
        ),
    ],
    ids=["503", "cut", "hang", "drip", "html"],
)
def test_a_kind_that_stays_away_costs_that_kind(cluster, kubeconfig, fault, words):
    """The others are there, what is missing is said, and nobody waits for ever."""
    cluster.faults = [fault]
    done = flowdiag(*ASK, "--request-timeout", "1s", KUBECONFIG=kubeconfig)

    assert done.returncode == 0, done.stderr
    assert "networkpolicies.networking.k8s.io" in done.stderr
    assert words in done.stderr


def test_an_interrupt_ends_reading(cluster, kubeconfig):
    """Exit 130, while a list is still awaited."""
    cluster.faults = [Fault("/api/v1/pods", "drip", times=99, seconds=0.2)]
    with subprocess.Popen(
        [*COMMAND, *ASK], env=environment(KUBECONFIG=kubeconfig), stderr=subprocess.PIPE, text=True
    ) as run:
        while not any(seen.ask.resource == "pods" for seen in cluster.seen) and run.poll() is None:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=300)[1]

    assert run.returncode == 130
    assert said.strip() == "interrupted; nothing was written"


# --- refusals -----------------------------------------------------------------------------------------

NO_POLICIES = {
    "kind": "ClusterRole",
    "metadata": {"name": "r"},
    "rules": [
        {"apiGroups": [""], "resources": ["pods", "namespaces", "nodes", "services"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    ],
}
IN_SHOP = {
    "kind": "Role",
    "metadata": {"name": "r", "namespace": "data"},
    "rules": [
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["list"]},
    ],
}


def test_a_forbidden_kind_costs_that_kind_and_the_rule_is_named(tmp_path):
    """One line an API group, with the rule ready to paste."""
    with server(small(), rules=Rules([NO_POLICIES])) as one:
        done = flowdiag(*ASK, KUBECONFIG=one.kubeconfig(tmp_path / "kubeconfig"))

    assert answer(done)["allowed"] is None
    assert answer(done)["error"] == "unknown: policies of these kinds could not be read: NetworkPolicy"
    assert (
        "networkpolicies.networking.k8s.io, ingresses.networking.k8s.io: forbidden; the rule that allows it: "
        '{apiGroups: ["networking.k8s.io"], resources: ["networkpolicies", "ingresses"], verbs: ["list"]}'
    ) in done.stderr


def test_what_could_not_be_read_may_come_from_a_file(tmp_path):
    """Somebody else's dump of the policies beside the cluster's pods decides it."""
    dump = tmp_path / "policies.json"
    dump.write_text(
        json.dumps(policy("data", "default-deny", {"podSelector": {}, "policyTypes": ["Ingress"]}))
    )
    with server(small(), rules=Rules([NO_POLICIES])) as one:
        done = flowdiag(*ASK, "--state", dump, KUBECONFIG=one.kubeconfig(tmp_path / "kubeconfig"))

    assert answer(done)["allowed"] is False


def test_nobody_is_said_to_be_reachable_where_policies_could_not_be_read(tmp_path):
    """An open cluster and one whose policies are hidden look alike to who forgets that."""
    with server(small(), rules=Rules([NO_POLICIES])) as one:
        kubeconfig = one.kubeconfig(tmp_path / "kubeconfig")
        done = flowdiag("reach", "data/db-1", "--live", "-o", "json", KUBECONFIG=kubeconfig)
        queries = tmp_path / "queries.json"
        query = {"src": "shop/web-1", "dst": "data/db-1", "protocol": "TCP", "port": 5432, "allowed": True}
        queries.write_text(json.dumps({"queries": [query]}))
        verified = flowdiag("verify", queries, "--live", "-o", "json", KUBECONFIG=kubeconfig)

    assert [one["ports"] for one in answer(done)["inbound"] if one["peer"] == "shop/web-1"] == [{}]
    assert json.loads(verified.stdout)["results"][0]["allowed"] is None
    assert verified.returncode == 1


def test_the_report_is_not_complete_where_a_kind_was_forbidden(tmp_path):
    """So that --strict refuses it."""
    evidence = tmp_path / "flows.json"
    evidence.write_text(
        '{"flow":{"verdict":"DROPPED","time":"2026-11-03T12:00:00Z"},"time":"2026-11-03T12:00:00Z"}\n'
    )
    with server(small(), rules=Rules([NO_POLICIES])) as one:
        kubeconfig = one.kubeconfig(tmp_path / "kubeconfig")
        report = answer(flowdiag("analyze", evidence, "--live", "-o", "json", KUBECONFIG=kubeconfig))
        strict = flowdiag("analyze", evidence, "--live", "--strict", KUBECONFIG=kubeconfig)

    assert report["complete"] is False
    assert any(one["code"] == "not-read" for one in report["warnings"])
    assert strict.returncode == 3


@pytest.mark.parametrize("how", ["-n", "context"])
def test_a_role_in_one_namespace_is_enough_for_that_namespace(tmp_path, how):
    """Named with -n, or as the context's own namespace."""
    with server(small(), rules=Rules([IN_SHOP])) as one:
        kubeconfig = one.kubeconfig(tmp_path / "kubeconfig", namespace="data" if how == "context" else None)
        done = flowdiag(
            "explain", "10.42.0.10", "data/db-1", "5432", "--live", *(["-n", "data"] if how == "-n" else []),
            "-o", "json", KUBECONFIG=kubeconfig,
        )  # fmt: skip

    assert answer(done)["allowed"] is False
    assert "forbidden in the whole cluster, read in data alone" in done.stderr


@pytest.mark.parametrize(
    ("token", "words"), [("admin-token", "everything is forbidden"), ("stale-token", "Unauthorized")]
)
def test_everything_forbidden_or_unauthorized_is_exit_4(tmp_path, token, words):
    """And what to do stands beside it."""
    with server(small(), rules=Rules([])) as one:
        done = flowdiag(*ASK, KUBECONFIG=one.kubeconfig(tmp_path / "kubeconfig", token=token))

    assert done.returncode == 4
    assert words in done.stderr
    assert "deploy/rbac/read.yaml" in done.stderr or "kubectl auth whoami" in done.stderr


@pytest.mark.parametrize(
    "words", [ASK, ("reach", "shop/web-1", "--live"), ("probe", "shop/web-1", "data/db-1", "5432")]
)
def test_an_end_that_is_not_there_may_be_in_what_could_not_be_read(cluster, kubeconfig, words):
    """Pods cannot be listed today: that is said before the end that is not in the state."""
    cluster.faults.append(Fault("/api/v1/pods", "status", status=500, times=99))
    done = flowdiag(*words, KUBECONFIG=kubeconfig)

    assert done.returncode == 3
    told, _, missing = done.stderr.partition("\nflowdiag: no ")
    assert "pods: GET /api/v1/pods: told to fail (HTTP 500)" in told
    assert "shop/web-1 in the state" in missing


def test_an_unreachable_cluster_is_exit_4(cluster, kubeconfig):
    """Nobody listens: the address and what went wrong are named."""
    text = kubeconfig.read_text().replace(f":{cluster.port}", ":9")
    kubeconfig.write_text(text)
    done = flowdiag(*ASK, KUBECONFIG=kubeconfig)

    assert done.returncode == 4
    assert "cluster test (http://127.0.0.1:9) cannot be reached" in done.stderr
    assert "Connection refused" in done.stderr


# --- which cluster, as whom ---------------------------------------------------------------------------


def test_tls_is_checked_against_the_kubeconfigs_authority(tmp_path):
    """The right authority reads; another one's certificate is refused with exit 4."""
    with server(small(), tls=True) as one, server(small(), tls=True) as other:
        kubeconfig = one.kubeconfig(tmp_path / "good")
        wrong = json.loads(kubeconfig.read_text())
        wrong["clusters"][0]["cluster"]["certificate-authority-data"] = json.loads(
            other.kubeconfig(tmp_path / "other").read_text()
        )["clusters"][0]["cluster"]["certificate-authority-data"]
        (tmp_path / "wrong").write_text(json.dumps(wrong))

        assert answer(flowdiag(*ASK, KUBECONFIG=kubeconfig))["allowed"] is False
        done = flowdiag(*ASK, KUBECONFIG=tmp_path / "wrong")

    assert done.returncode == 4
    assert "not signed by the authority" in done.stderr


def test_several_kubeconfigs_the_first_current_context_wins(cluster, tmp_path):
    """As for kubectl; --context chooses another, and one that is not there is exit 4."""
    with server(small()) as other:
        first = cluster.kubeconfig(tmp_path / "first", context="one")
        second = other.kubeconfig(tmp_path / "second", context="two")
        renamed = json.loads(second.read_text())
        renamed["clusters"][0]["name"] = renamed["contexts"][0]["context"]["cluster"] = "d"
        second.write_text(json.dumps(renamed))
        both = f"{first}:{tmp_path / 'absent'}:{second}"

        answer(flowdiag(*ASK, KUBECONFIG=both))
        assert cluster.seen
        assert not other.seen

        answer(flowdiag(*ASK, "--context", "two", KUBECONFIG=both))
        assert other.seen

        done = flowdiag(*ASK, "--context", "three", "--kubeconfig", first, KUBECONFIG=second)
        assert done.returncode == 4
        assert "no context is called 'three'" in done.stderr


def test_impersonation_is_sent_with_every_request(cluster, kubeconfig, tmp_path):
    """By option, or from the kubeconfig's user; groups go with a user only."""
    answer(flowdiag(*ASK, "--as", "jane", "--as-group", "dev", "--as-group", "ops", KUBECONFIG=kubeconfig))
    assert {(seen.ask.user, seen.ask.groups) for seen in cluster.seen} == {("jane", ("dev", "ops"))}

    cluster.seen.clear()
    user = {"token": "admin-token", "as": "joe", "as-groups": ["dev"], "as-user-extra": {"reason": ["audit"]}}
    answer(flowdiag(*ASK, KUBECONFIG=cluster.kubeconfig(tmp_path / "other", user=user)))
    assert {(seen.ask.user, seen.ask.groups) for seen in cluster.seen} == {("joe", ("dev",))}
    assert {seen.headers["Impersonate-Extra-reason"] for seen in cluster.seen} == {"audit"}

    assert flowdiag(*ASK, "--as-group", "dev", KUBECONFIG=kubeconfig).returncode == 2


def test_an_exec_credential_plugin_gives_the_token(cluster, tmp_path):
    """As cloud kubeconfigs have it; where one fails, that is what is said, and nobody is asked without credentials."""
    plugin = tmp_path / "plugin"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "admin-token"},
    }
    plugin.write_text(f"#!{sys.executable}\nprint('''{json.dumps(credential)}''')\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
    }
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", user=user)

    assert answer(flowdiag(*ASK, KUBECONFIG=kubeconfig))["allowed"] is False
    plugin.write_text(f"#!{sys.executable}\nraise SystemExit('no login,\\nAuthorization: Bearer hunter2')\n")
    cluster.seen.clear()
    done = process(*ASK, KUBECONFIG=kubeconfig)
    assert done.returncode == 4
    assert done.stderr.startswith(
        "flowdiag: the credential plugin plugin of the kubeconfig gave no credentials: it ended with 1: no login, "
    )
    assert "hunter2" not in done.stderr
    assert not cluster.seen


@pytest.mark.parametrize(
    ("command", "words"),
    [("/nonexistent/plugin", "No such file"), ("true", "failed to decode process output")],
)
def test_an_exec_credential_plugin_that_gives_nothing_is_the_error(cluster, tmp_path, command, words):
    """One that is not installed, or says something else."""
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command}}
    done = flowdiag(*ASK, KUBECONFIG=cluster.kubeconfig(tmp_path / "kubeconfig", user=user))

    assert done.returncode == 4
    assert "gave no credentials: " in done.stderr
    assert words in done.stderr


@pytest.mark.parametrize("how", ["proxy-url", "HTTP_PROXY"])
def test_a_proxy_is_used(cluster, kubeconfig, how):
    """The kubeconfig's proxy-url, or the environment's; NO_PROXY goes past it."""
    with forward_proxy() as proxy:
        more = {}
        if how == "proxy-url":
            config = json.loads(kubeconfig.read_text())
            config["clusters"][0]["cluster"]["proxy-url"] = proxy.url
            kubeconfig.write_text(json.dumps(config))
        else:
            more["HTTP_PROXY"] = proxy.url
        answer(flowdiag(*ASK, KUBECONFIG=kubeconfig, **more))
        asked = len(proxy.asked)
        through = {urlsplit(url).path for url in proxy.asked}
        assert through == set(paths(cluster))
        answer(flowdiag(*ASK, KUBECONFIG=kubeconfig, NO_PROXY="127.0.0.0/8", **more))

    assert len(proxy.asked) == asked


def test_inside_a_cluster_the_service_account_is_used(tmp_path, monkeypatch):
    """Token, authority and namespace as kubelet mounts them; a kubeconfig that is named goes first."""
    from kubernetes.config import incluster_config

    from flowdiag.cluster.live import connect

    rules = Rules([IN_SHOP])
    with server(small(), tls=True, rules=rules) as one:
        (tmp_path / "token").write_text("admin-token")
        (tmp_path / "namespace").write_text("data")
        one.ca.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
        monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
        monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
        monkeypatch.setattr(connect, "_ACCOUNT", tmp_path)
        inside = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": one.port}
        done = flowdiag("explain", "10.42.0.10", *ASK[2:], **inside)
        named = flowdiag(*ASK, "--kubeconfig", tmp_path / "absent", **inside)

    assert answer(done)["allowed"] is False
    assert "read in data alone" in done.stderr
    assert named.returncode == 4


def test_a_sign_in_page_is_not_taken_for_an_empty_cluster(cluster, kubeconfig):
    """Some proxies answer 200 and HTML to whatever is asked."""
    cluster.faults = [Fault("", "status", times=999, status=200, body=b"<html>sign in</html>")]
    done = flowdiag(*ASK, KUBECONFIG=kubeconfig)

    assert done.returncode == 4
    assert "not a list of objects" in done.stderr


def test_no_cluster_named_is_exit_4_and_a_context_without_live_is_usage(tmp_path):
    """The two mistakes that newcomers make."""
    none = flowdiag(*ASK)
    assert none.returncode == 4
    assert "--kubeconfig FILE" in none.stderr

    usage = flowdiag("explain", "a/b", "c/d", "80", "--state", tmp_path, "--context", "prod")
    assert usage.returncode == 2
    assert "--live" in usage.stderr


BROKEN = {
    "no-cluster": """
current-context: a
contexts: [{name: a, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: hunter2}}]
""",
    "provider": """
current-context: a
clusters: [{name: c, cluster: {server: "https://127.0.0.1:9"}}]
contexts: [{name: a, context: {cluster: c, user: u}}]
users: [{name: u, user: {auth-provider: {name: gcp, config: {id: hunter2}}}}]
""",
    "not-yaml": "current-context: a\nusers: [{name: u, user: {token: hunter2\n",
    "list": "- hunter2\n",
    "deep": "users: " + "{hunter2: " * 50_000 + "\n",
    "merges": "a0: &a0 {hunter2: 1}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 10))
    + "current-context: *a9\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_kubeconfig_never_shows_what_is_in_it(tmp_path, text):
    """It holds credentials."""
    broken = tmp_path / "kubeconfig"
    broken.write_text(text)
    done = process(*ASK, KUBECONFIG=broken)

    assert done.returncode == 4, done.stderr
    assert "hunter2" not in done.stderr


def test_namespaces_are_listed_by_name_where_only_that_is_allowed(tmp_path):
    """A Role may allow to get its own namespace: its labels are needed for selectors."""
    with server([*small(), namespace("other")], rules=Rules([IN_SHOP])) as one:
        flowdiag(
            "reach", "data/db-1", "--live", KUBECONFIG=one.kubeconfig(Path(tmp_path) / "k", namespace="data")
        )

    assert "/api/v1/namespaces/data" in paths(one)


def test_without_live_no_client_is_imported(tmp_path):
    """Start-up is a feature: neither kubernetes nor urllib3 is touched by what reads files."""
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": small()}))
    code = (
        "import sys; from flowdiag.cli.main import _run\n"
        f"_run(['explain', 'shop/web-1', 'data/db-1', '5432', '--state', {str(state)!r}], 'flowdiag')\n"
        "print(sorted({'kubernetes', 'urllib3', 'websocket'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "DENIED" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_name_from_somebody_elses_kubeconfig_does_not_act_on_the_terminal(tmp_path):
    """Contexts and reasons are shown with their control characters escaped, in warnings and in errors."""
    hostile = "prod\x1b]0;owned\x07\x1b[2J"
    with server(small(), rules=Rules([NO_POLICIES])) as one:
        kubeconfig = one.kubeconfig(tmp_path / "k", context=hostile)
        warned = flowdiag("explain", "shop/web-1", "data/db-1", "5432", "--live", KUBECONFIG=kubeconfig)
    failed = flowdiag("explain", "shop/web-1", "data/db-1", "5432", "--live", KUBECONFIG=kubeconfig)

    assert (warned.returncode, failed.returncode) == (0, 4)
    for said in (warned.stderr, failed.stderr):
        assert "prod\\x1b]0;owned" in said
        assert "\x1b" not in said


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"items":[' + b"[" * 100_000, "nested too deeply"),
        (b'{"items":[{"metadata":{"labels":' + b'{"a":' * 100_000, "nested too deeply"),
        (b'{"items":[null]}', "no object"),
        (b'{"items":[{"metadata":null}]}', "no object"),
        (b'{"items":[{"metadata":{"labels":{"k8s-app":["cilium"]}}}]}', "no object"),
        (b'{"items":[{"metadata":{"name":1}}]}', "no object"),
    ],
    ids=["deep", "deep labels", "null", "no metadata", "label", "name"],
)
def test_what_is_no_list_of_objects_costs_that_kind(cluster, kubeconfig, body, words):
    """Who answers may be a proxy, or anybody."""
    cluster.faults.append(Fault("/api/v1/pods", "status", status=200, times=9, body=body))
    done = flowdiag("collect", "-o", kubeconfig.with_name("b.tar.gz"), KUBECONFIG=kubeconfig)

    assert done.returncode == 0, done.stderr
    assert "failed: pods (" in done.stdout
    assert words in done.stdout
