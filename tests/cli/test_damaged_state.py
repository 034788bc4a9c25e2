"""A part of the cluster objects that cannot be read is unknown and not absent, in every answer's own words."""

import bz2
import gzip
import json
import sys

import pytest

from flowdiag.cli.main import _run

OBJECTS = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: web, ports: [{containerPort: 80}]}]}
status: {podIP: 10.1.0.1, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}
status: {podIP: 10.1.0.2, phase: Running}
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""
QUERIES = {"queries": [{"src": "shop/web", "dst": "shop/db", "port": 5432, "allowed": True}]}
DAMAGED = {
    "policy.yaml": POLICY.replace("[Ingress]}", "[Ingress"),
    "all.yaml": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: [Pod\n",
    "all.json": '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod", ',
    "policies.json": '{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": [',
    "policies.yaml.gz": gzip.compress(POLICY.encode(), mtime=0)[:100],
    "short.yaml.gz": gzip.compress(POLICY.encode(), mtime=0)[:40],
    "shorter.yaml.gz": gzip.compress(POLICY.encode(), mtime=0)[:12],
    "short.yaml.bz2": bz2.compress(POLICY.encode())[:60],
}
OTHER = {
    "deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: [web\n",
    "pods.json": '{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "x"',
    "nothing.yaml": b"",
    "nothing.yaml.gz": gzip.compress(b"", mtime=0),
    "notes.yaml": "{{- if .Values.closed }}\nnothing: [of a cluster\n",
}


@pytest.fixture
def state(tmp_path):
    """A folder with two pods and no policy."""
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "objects.yaml").write_text(OBJECTS)
    (tmp_path / "queries.json").write_text(json.dumps(QUERIES))
    return folder


@pytest.fixture
def run(capfdbinary):
    """Run a command: exit code, standard output and standard error."""

    def call(*words):
        code = _run([str(word) for word in words], "flowdiag")
        sys.stdout.flush()
        output = capfdbinary.readouterr()
        return code, output.out.decode(), output.err.decode()

    return call


def put(state, name, content):
    (state / name).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("name", DAMAGED)
def test_where_a_policy_may_be_lost_nothing_is_allowed_for_sure(run, state, name):
    """explain and verify say unknown and where, in JSON and in words."""
    put(state, name, DAMAGED[name])
    asked = run("explain", "shop/web", "shop/db", "5432", "--state", state, "-o", "json")
    told = run("explain", "shop/web", "shop/db", "5432", "--state", state)
    verified = run("verify", state.parent / "queries.json", "--state", state, "-o", "json")
    answer = json.loads(asked[1])
    result = json.loads(verified[1])["results"][0]

    assert (asked[0], told[0], verified[0]) == (0, 0, 1)
    assert (answer["allowed"], answer["ingress"]["allowed"]) == (None, None)
    assert (result["allowed"], result["passed"]) == (None, False)
    for text in (answer["error"], result["error"], " ".join(told[1].split())):
        assert "could not be read" in text
        assert "may hold a policy" in text
    assert name in answer["error"]
    assert told[1].startswith("UNKNOWN")


@pytest.mark.parametrize("name", OTHER)
def test_what_can_be_no_policy_leaves_the_verdict(run, state, name):
    """Damage of another kind is said, and policies decide as before."""
    put(state, name, OTHER[name])
    code, out, err = run("verify", state.parent / "queries.json", "--state", state, "-o", "json")

    assert (code, json.loads(out)["passed"]) == (0, 1)
    assert (name in err) == (name != "notes.yaml")


def test_a_change_of_a_damaged_state_is_not_said_to_do_nothing(run, state):
    """whatif: nothing can be told, and --fail-on says that it cannot count."""
    put(state, "policy.yaml", DAMAGED["policy.yaml"])
    put(state.parent, "closed.yaml", POLICY)
    words = ("whatif", "--state", state, "--apply", state.parent / "closed.yaml")
    code, out, _ = run(*words)
    _, document, err = run(*words, "-o", "json", "--fail-on", "newly-denied")
    found = json.loads(document)

    assert code == 0
    assert out.startswith("What the change opens and closes cannot be told: ")
    assert "nothing" not in out
    assert "policy.yaml:5" in found["unread"]
    assert "cannot count what is unknown" in err


def test_a_whole_state_has_nothing_unread(run, state):
    """The same change without the damage."""
    put(state.parent, "closed.yaml", POLICY)
    _, document, _ = run("whatif", "--state", state, "--apply", state.parent / "closed.yaml", "-o", "json")
    found = json.loads(document)

    assert found["unread"] is None
    assert [(one["src"], one["dst"]) for one in found["connections"]][:1] != []


def test_init_writes_no_file_that_is_there(run, state):
    """What a team expects is not replaced by what is true today; a new file is written, or standard output."""
    kept = (state.parent / "queries.json").read_bytes()
    code, _, err = run("verify", state.parent / "queries.json", "--init", "--state", state)
    new, *_ = run("verify", state.parent / "new.json", "--init", "--state", state)
    _, out, _ = run("verify", "-", "--init", "--state", state)

    assert code == 2
    assert "is there already" in err
    assert (state.parent / "queries.json").read_bytes() == kept
    assert (new, (state.parent / "new.json").read_text()) == (0, out)


@pytest.mark.parametrize("text", ['{"queries": []}', "queries: []\n", "[]"])
def test_no_queries_are_no_success(run, state, text):
    """A scheduled check that checks nothing is not green."""
    put(state.parent, "queries.json", text)
    code, out, err = run("verify", state.parent / "queries.json", "--state", state)

    assert (code, out) == (3, "")
    assert "nothing would be checked" in err


@pytest.mark.parametrize(
    "also",
    [
        "",
        POLICY.replace("Ingress", "Egress"),
        "kind: NetworkPolicyList\napiVersion: networking.k8s.io/v1\nitems: []\n",
    ],
)
def test_objects_without_any_policy_are_said_to_be(run, state, also):
    """A dump of pods alone allows everything; where policies, or an empty list of them, were read too, nothing is said."""
    if also:
        put(state, "more.yaml", also)
    _, _, told = run("explain", "shop/web", "shop/db", "5432", "--state", state)
    _, _, verified = run("verify", state.parent / "queries.json", "--state", state)

    assert ["hold no policy" in err for err in (told, verified)] == [not also] * 2


def test_a_policy_without_a_namespace_is_said_to_be_read_as_default(run, state):
    """Beside pods of other namespaces it may well be meant for theirs, as a kustomization says."""
    put(state, "policy.yaml", POLICY.replace(", namespace: shop", ""))
    _, _, told = run("explain", "shop/web", "shop/db", "5432", "--state", state)

    assert "policy.yaml:1: NetworkPolicy closed: no namespace given, read as default" in told


def test_a_place_for_a_namespace_is_none(run, state):
    """Whose pods the policy is for is not known before something is put there."""
    put(state, "policy.yaml", POLICY.replace("namespace: shop", 'namespace: "${NAMESPACE}"'))
    _, out, told = run("explain", "shop/web", "shop/db", "5432", "--state", state, "-o", "json")

    assert json.loads(out)["allowed"] is None
    assert "${NAMESPACE} is no namespace but a place for one" in told


def test_pictures_beside_manifests_are_no_fault(run, state):
    """A repository of manifests has some; of another binary file nobody knows what it held."""
    put(state, "logo.png", b"\x89PNG\r\n\x1a\n\0\0")
    put(state, "policies.bin", b"\0\1\2\3")
    _, _, told = run("explain", "shop/web", "shop/db", "5432", "--state", state)

    assert "logo.png" not in told
    assert "policies.bin: not text" in told


@pytest.mark.parametrize(
    "text",
    [
        "NAMESPACE   NAME     POD-SELECTOR   AGE\nshop        closed   <none>         7d\n",
        "Name:         closed\nNamespace:    shop\nSpec:\n  PodSelector:     <none>\n",
    ],
)
def test_policies_as_they_are_printed_for_people_are_said_to_be_unread(run, state, text):
    """Somebody brought them, and believes that they count."""
    put(state, "policies.txt", text)
    put(state, "notes.txt", "pods were moved on Tuesday\n")
    _, _, told = run("explain", "shop/web", "shop/db", "5432", "--state", state)

    assert "policies.txt: " in told
    assert "bring kubectl get KIND -A -o yaml instead" in told
    assert "notes.txt" not in told
