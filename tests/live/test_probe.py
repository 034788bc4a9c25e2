"""Probing: what is tried, what is made of it, and that nothing happens without --yes."""

import json
import shutil
import socket
import subprocess
import threading

import pytest

from flowdiag.cluster.live.tools import TOOLS, Outcome, read_outcome
from tests.apiserver.cluster import pod, policy, small
from tests.apiserver.rbac import Rules
from tests.live.clusters import answer, flowdiag, server

WEB = ("shop", "web-1", "app")
ALLOW = {"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": [{"namespaceSelector": {}}]}]}
NOT_FOUND = (b"", b"", 127)


def canned(**by_tool):
    """A container that has these programs, each with its one answer (stdout, stderr, code)."""
    asked = []

    def run(argv):
        asked.append(argv)
        name = "bash" if argv[0] == "timeout" else argv[0]
        return by_tool.get(name, NOT_FOUND)

    run.asked = asked
    return run


@pytest.fixture
def cluster():
    with server(small()) as one:
        one.commands[WEB] = canned(
            nc=(b"", b"nc: connect to 10.42.0.20 port 5432 (tcp) timed out: Operation now in progress\n", 1)
        )
        yield one


@pytest.fixture
def kubeconfig(cluster, tmp_path):
    return cluster.kubeconfig(tmp_path / "kubeconfig")


def changed(one):
    """Requests that are not for reading."""
    return [
        seen.ask
        for seen in one.seen
        if seen.ask.verb not in ("get", "list") or seen.ask.subresource == "exec"
    ]


def test_without_yes_nothing_is_done(cluster, kubeconfig):
    """It says what it would do and what the policies say, and exits with 2."""
    done = flowdiag("probe", "shop/web-1", "data/db-1", "5432", KUBECONFIG=kubeconfig)

    assert done.returncode == 2
    assert "a command runs in container app of pod shop/web-1" in done.stdout
    assert "refuse it: ingress, NetworkPolicy data/default-deny" in done.stdout
    assert "add --yes" in done.stderr
    assert changed(cluster) == []


def test_a_refusal_that_happens_agrees(cluster, kubeconfig):
    """Denied by policy, and nobody answers."""
    done = flowdiag("probe", "shop/web-1", "data/db-1", "5432", "--yes", "-o", "json", KUBECONFIG=kubeconfig)
    result = answer(done)

    assert result["schema"] == "flowdiag.probe/1"
    assert result["observed"]["outcome"] == "timed-out"
    assert result["agrees"] is True
    assert result["source"] == {"namespace": "shop", "pod": "web-1", "container": "app", "node": "node-1"}
    assert cluster.commands[WEB].asked == [["nc", "-z", "-v", "-w", "5", "10.42.0.20", "5432"]]
    assert [ask.words for ask in changed(cluster)] == ["pods/exec"]


@pytest.mark.parametrize(
    ("allowed", "said", "agrees", "code", "words"),
    [
        (True, (b"", b"open", 0), True, 0, "as the policies allow"),
        (True, (b"", b"Connection refused", 1), None, 0, "nothing listens"),
        (True, (b"", b"timed out", 1), False, 1, "look beyond policies"),
        (False, (b"", b"open", 0), False, 1, "not enforced here"),
        (False, (b"", b"Connection refused", 1), True, 0, "as the policies say"),
        (False, (b"", b"No route to host", 1), True, 0, "does not connect (unreachable)"),
        (False, (b"", b"something else", 1), None, 0, "says nothing of the network"),
    ],
)
def test_what_happened_is_held_against_the_policies(cluster, kubeconfig, allowed, said, agrees, code, words):
    """Exit 1 only where both speak and differ."""
    if allowed:
        cluster.add(policy("data", "allow", ALLOW))
    cluster.commands[WEB] = canned(nc=said)
    done = flowdiag("probe", "shop/web-1", "data/db-1", "5432", "--yes", "-o", "json", KUBECONFIG=kubeconfig)
    result = json.loads(done.stdout)

    assert result["agrees"] is agrees
    assert done.returncode == code
    assert words in result["text"]


def test_the_next_program_is_taken_where_one_is_missing_or_cannot(cluster, kubeconfig):
    """A busybox without -z, a curl that crashes, no timeout: python3 answers."""
    cluster.commands[WEB] = canned(
        nc=(b"", b"nc: unrecognized option: z\nUsage: nc [OPTIONS] HOST PORT -w SEC timeout\n", 1),
        curl=(b"", b"", 139),
        python3=(b"", b"", 0),
    )
    done = flowdiag("probe", "shop/web-1", "data/db-1", "5432", "--yes", "-o", "json", KUBECONFIG=kubeconfig)

    assert json.loads(done.stdout)["observed"]["command"][0] == "python3"
    assert [argv[0] for argv in cluster.commands[WEB].asked] == ["nc", "nc", "curl", "timeout", "python3"]


def test_an_empty_container_is_exit_3_and_names_the_way_out(cluster, kubeconfig):
    """Distroless images have nothing to run."""
    cluster.commands[WEB] = canned()
    done = flowdiag("probe", "shop/web-1", "data/db-1", "5432", "--yes", KUBECONFIG=kubeconfig)

    assert done.returncode == 3
    assert "--image" in done.stderr


def test_a_debug_container_with_the_chosen_image(cluster, kubeconfig):
    """It has no rights, ends by itself, and is said to stay in the pod's spec."""
    cluster.commands[WEB] = canned()

    def start(patched, container):
        patched["status"].setdefault("ephemeralContainerStatuses", []).append(
            {"name": container["name"], "state": {"running": {"startedAt": "2026-11-03T12:00:00Z"}}}
        )
        cluster.commands["shop", "web-1", container["name"]] = canned(nc=(b"", b"timed out", 1))

    cluster.on_ephemeral = start
    words = ("probe", "shop/web-1", "data/db-1", "5432", "--yes", "--image", "busybox:1.37", "-o", "json")
    result = answer(flowdiag(*words, KUBECONFIG=kubeconfig))
    ((namespace, name, container),) = cluster.ephemeral

    assert (namespace, name, container["image"]) == ("shop", "web-1", "busybox:1.37")
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["command"] == ["sleep", "40"]
    assert result["source"]["container"] == container["name"]
    assert result["agrees"] is True
    assert "busybox:1.37" in result["changes"][0]
    assert [ask.words for ask in changed(cluster)] == ["pods/ephemeralcontainers", "pods/exec"]


def test_a_debug_container_that_does_not_come_up_is_exit_4(cluster, kubeconfig):
    """With kubelet's reason."""

    def fail(patched, container):
        status = {"name": container["name"], "state": {"terminated": {"reason": "StartError"}}}
        patched["status"].setdefault("ephemeralContainerStatuses", []).append(status)

    cluster.on_ephemeral = fail
    done = flowdiag(
        "probe", "shop/web-1", "data/db-1", "5432", "--yes", "--image", "scratch", KUBECONFIG=kubeconfig
    )

    assert done.returncode == 4
    assert "StartError" in done.stderr


def test_forbidden_names_the_rule(tmp_path):
    """Reading is allowed, running commands is not: exit 4."""
    rules = [
        {
            "apiGroups": [""],
            "resources": ["pods", "namespaces", "nodes", "services"],
            "verbs": ["get", "list"],
        }
    ]
    rules.append({"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["list"]})
    role = {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": rules}
    with server(small(), rules=Rules([role])) as one:
        done = flowdiag(
            "probe", "shop/web-1", "data/db-1", "5432", "--yes", KUBECONFIG=one.kubeconfig(tmp_path / "k")
        )

    assert done.returncode == 4
    assert '{apiGroups: [""], resources: ["pods/exec"], verbs: ["get", "create"]}' in done.stderr


def test_a_service_is_tried_at_its_own_address(cluster, kubeconfig):
    """Where kube-proxy or the CNI sends it is part of what is tested."""
    answer(
        flowdiag("probe", "shop/web-1", "svc:data/db", "5432", "--yes", "-o", "json", KUBECONFIG=kubeconfig)
    )

    assert cluster.commands[WEB].asked[0][-2:] == ["10.43.0.7", "5432"]


@pytest.mark.parametrize("words", [("53/UDP",), ("5432", "--image", "a", "-c", "b")])
def test_what_cannot_be_tried_is_usage(kubeconfig, words):
    """Silence over UDP says nothing."""
    assert (
        flowdiag("probe", "shop/web-1", "data/db-1", *words, "--yes", KUBECONFIG=kubeconfig).returncode == 2
    )


def test_a_source_without_a_pod_is_exit_3(kubeconfig):
    """An address outside has no container."""
    assert (
        flowdiag("probe", "198.51.100.7", "data/db-1", "5432", "--yes", KUBECONFIG=kubeconfig).returncode == 3
    )


# --- the programs themselves --------------------------------------------------------------------------


@pytest.fixture
def listener():
    """A port that answers, and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        stop = threading.Event()

        def serve():
            one.settimeout(0.1)
            while not stop.is_set():
                try:
                    one.accept()[0].close()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield one.getsockname()[1]
        stop.set()
        thread.join()


@pytest.fixture
def silent():
    """A port whose queue is full: the kernel drops what comes, as a policy does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as one:
        held = [socket.socket() for _ in range(4)]
        for client in held:
            client.setblocking(False)
            client.connect_ex(one.getsockname())
        yield one.getsockname()[1]
        for client in held:
            client.close()


@pytest.fixture
def closed():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.mark.parametrize("busybox", [False, True], ids=["own", "busybox"])
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_real_programs_are_understood(tool, busybox, listener, closed, silent):
    """Each program as it is installed here, against a port that answers, one that is closed, one that is silent."""
    prefix = ["busybox"] if busybox else []
    program = tool.argv("", 0, 1)[0]
    if shutil.which(prefix[0] if busybox else program) is None or (busybox and program not in ("nc", "wget")):
        pytest.skip(f"{program} is not installed here")
    found = []
    # Only silence is waited for to its end; the others answer, however late.
    for port, seconds in ((listener, 30), (closed, 30), (silent, 1)):
        done = subprocess.run(
            [*prefix, *tool.argv("127.0.0.1", port, seconds)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        # A shell, and the container runtime too, say 128 and the signal's number.
        code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        found.append(read_outcome(tool.name, code, done.stdout, done.stderr))

    # Where a build cannot do it, the next program is taken.
    cannot = (busybox or tool.name == "nc -e") and set(found) == {None}
    assert cannot or found == [Outcome.CONNECTED, Outcome.REFUSED, Outcome.TIMED_OUT]


@pytest.mark.parametrize(
    ("tool", "code", "stdout", "stderr", "outcome"),
    [
        ("nc", 1, "", "nc: 10.42.0.20 (10.42.0.20:5432): Operation timed out\n", Outcome.TIMED_OUT),
        ("nc", 1, "", "Ncat: TIMEOUT.\n", Outcome.TIMED_OUT),
        ("nc", 1, "", "nc: 10.42.0.20 (10.42.0.20:5432): Connection refused\n", Outcome.REFUSED),
        ("curl", 28, "time_connect=0.000000", "curl: (28) Connection timed out after 5001 milliseconds\n", Outcome.TIMED_OUT),
        ("curl", 52, "time_connect=0.000412", "curl: (52) Empty reply from server\n", Outcome.CONNECTED),
        ("curl", 28, "time_connect=0.000412", "curl: (28) Operation timed out after 6001 milliseconds\n", Outcome.CONNECTED),
        ("bash", 124, "", "", Outcome.TIMED_OUT),
        ("bash", 127, "", "timeout: failed to run command 'bash': No such file or directory\n", None),
        ("python3", 1, "", "TimeoutError: timed out\n", Outcome.TIMED_OUT),
        ("wget", 1, "", "wget: download timed out\n", Outcome.TIMED_OUT),
        ("wget", 8, "", "HTTP request sent, awaiting response... 504 Gateway Timeout\n", Outcome.CONNECTED),
        ("wget", 1, "", "wget: server returned error: HTTP/1.1 404 Not Found\n", Outcome.CONNECTED),
        ("wget", 1, "", "wget: can't connect to remote host (10.42.0.20): Connection refused\n", Outcome.REFUSED),
    ],
)  # fmt: skip
def test_words_of_programs_that_are_not_installed_here(tool, code, stdout, stderr, outcome):
    """As busybox, ncat, curl and GNU wget print them."""
    assert read_outcome(tool, code, stdout, stderr) is outcome


def test_an_address_of_ipv6_goes_into_a_url_in_brackets():
    """As RFC 3986 wants it."""
    curl = next(tool for tool in TOOLS if tool.name == "curl")

    assert curl.argv("2001:db8::7", 80, 5)[-1] == "http://[2001:db8::7]:80/"


def test_only_running_pods_are_tried_from(tmp_path):
    """A workload's pod that is pending has no container to run in."""
    pending = pod("shop", "web-0", "10.42.0.9", {"app": "web"})
    pending["status"]["phase"] = "Pending"
    with server([*small(), pending]) as one:
        done = flowdiag("probe", "shop/web-0", "data/db-1", "5432", KUBECONFIG=one.kubeconfig(tmp_path / "k"))

    assert done.returncode == 3
    assert "no running pod" in done.stderr
