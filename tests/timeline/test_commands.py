"""Commands to paste are one command each, whatever the names in the logs try."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.event import L7, WorkloadRef
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import ReportEndpoint
from flowdiag.timeline.commands import confirm_commands

EVIL = "$(touch /tmp/x); `id` | sh & 'a\" > f \n--all \\"
NAMES = (
    st.text(min_size=1, max_size=40) | st.just(EVIL) | st.sampled_from(["--all", "-n", "a b", "'", "$HOME"])
)


def end(name, namespace, kind="Deployment", ips=("10.0.0.5",), dns=()):
    return ReportEndpoint(
        kind="pod",
        namespace=namespace,
        name=name,
        pods=(name,),
        workload=WorkloadRef(kind, name),
        ips=ips,
        labels=None,
        identity=None,
        dns_names=dns,
        known_by=None,
    )


@given(
    name=NAMES,
    namespace=NAMES,
    target=NAMES,
    kind=st.sampled_from(["Deployment", "Odd"]),
    shape=st.sampled_from([("TCP", 80), ("UDP", 80), ("UDP", 53), ("TCP", 53)]),
)
def test_every_name_is_one_word_and_no_option(name, namespace, target, kind, shape):
    """A shell reads the same number of words as for harmless names, and each name as it is."""

    def words(one, space, other):
        ref = PolicyRef("NetworkPolicy", "networking.k8s.io", space, one)
        source, destination = end(one, space, kind), end("db", "data", ips=(), dns=(other,))
        return [shlex.split(text) for text in confirm_commands(source, destination, *shape, (ref,))]

    hostile, harmless = words(name, namespace, target), words("web", "shop", "db.example")

    assert [len(each) for each in hostile] == [len(each) for each in harmless]
    plain = {"web", "shop", "db.example", "deploy/web", "pod/web"}
    for each, usual in zip(hostile, harmless, strict=True):
        assert [word for word in usual if word not in plain] == [
            word for word, model in zip(each, usual, strict=True) if model not in plain
        ]
        given_words = [word for word, model in zip(each, usual, strict=True) if model in plain]
        assert not any(word.startswith("-") for word in given_words)


def test_a_host_endpoint_without_a_profile_is_looked_for_among_all():
    """Which one it was, no policy's name says."""
    ref = PolicyRef("HostEndpoint", "projectcalico.org", None, "no profile")

    assert confirm_commands(end("web", "shop"), end("db", "data", ips=()), "TCP", 5432, (ref,)) == (
        "kubectl get hostendpoint.projectcalico.org -o yaml",
    )


def test_a_pod_of_another_cluster_is_not_looked_for_here():
    """kubectl asks this cluster, which may have a workload of that name too."""
    ref = PolicyRef("CiliumNetworkPolicy", "cilium.io", "data", "db")

    assert confirm_commands(
        replace(end("web", "shop"), cluster="west"), end("db", "data"), "TCP", 5432, (ref,)
    ) == ("kubectl -n data describe ciliumnetworkpolicy db",)


def test_a_name_that_is_shell_stays_a_name():
    """The worst at once, as the shell would read it."""
    commands = confirm_commands(end(EVIL, "shop"), end("db", "data"), "TCP", 5432, ())

    assert shlex.split(commands[0]) == [
        "kubectl",
        "-n",
        "shop",
        "exec",
        f"deploy/{EVIL}",
        "--",
        "nc",
        "-zvw3",
        "10.0.0.5",
        "5432",
    ]


@pytest.mark.parametrize(
    ("l7", "asked"),
    [
        (
            L7(kind="http", method="POST", url="http://api:8080/v1/orders"),
            ["curl -sSi -X POST http://api:8080/v1/orders"],
        ),
        (L7(kind="http", method="HEAD", url="/status"), ["curl -sSI http://10.0.0.5:8080/status"]),
        (L7(kind="http", method="GET", url=f"/?token={EVIL}"), ["curl -sSi -X GET http://10.0.0.5:8080/"]),
        (
            L7(kind="http", method=EVIL, url="/a b"),
            [f"curl -sSi -X {shlex.quote(EVIL)} 'http://10.0.0.5:8080/a b'"],
        ),
        (L7(kind="http", method="GET", url="/" + "a" * 300), []),
        (L7(kind="http"), []),
        (L7(kind="kafka"), []),
        (L7(kind="dns", query="a.example"), ["nc -zvw3 10.0.0.5 8080"]),
    ],
)
def test_a_refused_request_is_asked_again(l7, asked):
    """The proxy lets every connection be opened, so that netcat would call it fine."""
    commands = confirm_commands(end("web", "shop"), end("api", "shop"), "TCP", 8080, (), l7=l7)

    assert [text.partition(" -- ")[2] for text in commands] == 2 * asked


@pytest.mark.parametrize(("shape", "asked"), [(("TCP", 80), "nc -zvw3 10.96.0.10 80"), (("UDP", 53), "nslookup kubernetes.default.svc.cluster.local 10.96.0.10")])  # fmt: skip
def test_the_recorded_address_stands_in_for_unknown_ones(shape, asked):
    """Of the pods behind a Service nobody knows which was meant; the Service's address can be tried."""
    source, destination = end("web", "shop"), end("db", "data", ips=())

    commands = confirm_commands(source, destination, *shape, (), address="10.96.0.10")

    assert commands[0] == f"kubectl -n shop exec deploy/web -- {asked}"
    assert confirm_commands(source, destination, *shape, ()) == ()
