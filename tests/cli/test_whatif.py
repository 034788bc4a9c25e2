"""``flowdiag whatif`` as a user and a pipeline meet it."""

import json
from pathlib import Path

import jsonschema
import pytest

from flowdiag.analysis.options import StateOptions
from flowdiag.analysis.whatif import Revision, whatif
from flowdiag.cli import exit_codes
from flowdiag.cli.main import _run
from flowdiag.report.schema import whatif_schema

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT.parent / "shared" / "suites" / "policy-diff"
CASES = sorted(path.parent for path in SUITE.glob("*/expect.json"))
DENY = ROOT / "fixtures" / "incidents" / "default-deny-egress"
BASE = ["whatif", "--state", str(DENY / "cluster")]
NO_DNS = ["--delete", "NetworkPolicy/frontend/allow-dns-access"]

HOSTILE = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a, namespace: frontend}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{}]}
---
apiVersion: v1
kind: Pod
metadata: {name: "x|<b>`@you", namespace: frontend, labels: {app: "x"}}
spec: {}
"""


def run(capsys, *args):
    """Exit code, standard output and standard error of a run."""
    code = _run(list(args), "flowdiag")
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.skipif(not CASES, reason="the suites are not beside the checkout (shared/suites/policy-diff)")
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_suite_by_the_command_line(case, capsys):
    """Two folders of manifests give the known changes, and nothing else."""
    expected = json.loads((case / "expect.json").read_text())
    mode = {"match": "match", "no-match": "no-match"}.get(expected.get("pod_ip_in_ip_block"), "auto")
    old, new = str(case / "resources-old"), str(case / "resources-new")
    code, out, _ = run(capsys, "whatif", "--state", old, "--to", new, "--ip-block-pods", mode, "-o", "json")
    answer = json.loads(out)

    assert code == exit_codes.DONE
    assert answer["schema"] == "flowdiag.whatif/1"
    assert answer["flows"] is None
    assert {
        (one["src"], one["dst"]): (one["type"], one["old"], one["new"]) for one in expected["changes"]
    } == {(one["src"], one["dst"]): (one["change"], one["old"], one["new"]) for one in answer["connections"]}


@pytest.mark.parametrize("paths", [(), (str(DENY),)])
def test_it_tells_what_it_does(paths):
    """Stages in their order, and the last one only where there is traffic."""
    told = []
    whatif(
        Revision(delete=("NetworkPolicy/frontend/allow-dns-access",)),
        state=StateOptions(paths=(str(DENY / "cluster"),)),
        paths=paths,
        stage=told.append,
    )

    assert told == [
        "reading both states",
        "compiling the policies of both",
        "comparing what they let pass",
        *(["holding observed traffic against both"] if paths else []),
    ]


def test_json_is_of_its_schema(capsys):
    """With flows and without."""
    for paths in ([], [str(DENY)]):
        _, out, _ = run(capsys, *BASE, *paths, *NO_DNS, "-o", "json")
        jsonschema.validate(json.loads(out), whatif_schema())


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([str(DENY), *NO_DNS], exit_codes.DONE),
        ([str(DENY), *NO_DNS, "--fail-on", "newly-denied"], exit_codes.FINDINGS),
        ([str(DENY), *NO_DNS, "--fail-on", "newly-allowed"], exit_codes.DONE),
        (
            [str(DENY), *NO_DNS, "--fail-on", "newly-allowed", "--fail-on", "newly-denied"],
            exit_codes.FINDINGS,
        ),
        ([*NO_DNS, "--fail-on", "newly-denied"], exit_codes.FINDINGS),
        ([*NO_DNS, "--fail-on", "newly-allowed"], exit_codes.DONE),
        ([str(DENY), *NO_DNS, "--fail-on", "never"], exit_codes.DONE),
        ([str(DENY), *NO_DNS, "--fail-on", "high"], exit_codes.USAGE),
        ([], exit_codes.USAGE),
        (["--to", str(DENY / "cluster"), *NO_DNS], exit_codes.USAGE),
        (["--delete", "netpol/frontend/nothing-like-it"], exit_codes.USAGE),
        (["--to", str(DENY / "no-such-folder")], exit_codes.INPUT),
        (["--apply", str(DENY / "README.md")], exit_codes.INPUT),
        ([str(DENY / "cluster"), *NO_DNS], exit_codes.INPUT),
        ([*NO_DNS, "-o", "html"], exit_codes.USAGE),
    ],
)
def test_exit_codes(args, expected, capsys):
    """A pipeline can tell a change that breaks traffic from a mistake in asking."""
    code, _, _ = run(capsys, *BASE, *args)

    assert expected == code


def test_without_a_state(capsys):
    """Evidence that holds the cluster objects is enough; nothing at all is a mistake."""
    assert run(capsys, "whatif", *NO_DNS)[0] == exit_codes.USAGE
    code, out, _ = run(capsys, "whatif", str(DENY), *NO_DNS, "-o", "json")
    assert code == exit_codes.DONE
    assert len(json.loads(out)["flows"]["newly_denied"]) == 2


def test_several_files_and_names_after_one_option(capsys, tmp_path):
    """As a shell's pattern gives them; what follows and is no manifest is evidence."""
    spec = '{"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}'
    names = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
            f"metadata: {{name: {name}, namespace: frontend}}\nspec: {spec}\n"
        )
        names.append(str(path))
    export = str(DENY / "hubble" / "events.jsonl")
    spread = run(capsys, *BASE, "--apply", *names, export, "-o", "json")
    repeated = run(capsys, *BASE, export, "--apply", names[0], "--apply", names[1], "-o", "json")
    deleted = run(
        capsys, *BASE, *NO_DNS, "netpol/frontend/default-deny", "ns/monitoring", export, "-o", "json"
    )

    assert spread == repeated
    assert json.loads(spread[1])["flows"]["newly_allowed"]
    assert deleted[0] == exit_codes.DONE
    assert any(one["dst"] == "monitoring/prometheus" for one in json.loads(deleted[1])["connections"])


def test_files_besides(capsys, tmp_path):
    """One format on standard output, others in files."""
    _, out, _ = run(
        capsys, *BASE, *NO_DNS, "-o", f"json={tmp_path / 'a.json'}", "-o", f"markdown={tmp_path / 'a.md'}"
    )

    assert out.startswith("The change closes")
    assert json.loads((tmp_path / "a.json").read_text())["connections"]
    assert (tmp_path / "a.md").read_text().startswith("### ")


def test_the_terminal_tells_breakage_first(capsys):
    """What would break with counts and cause, then what closes, then what opens; equal pairs in one line."""
    _, out, err = run(capsys, *BASE, str(DENY), *NO_DNS)
    lines = [line.strip() for line in out.splitlines()]

    order = [
        lines.index("Observed traffic that would break"),
        next(i for i, line in enumerate(lines) if line.startswith("Closes")),
        next(i for i, line in enumerate(lines) if line.startswith("Opens")),
    ]
    assert sorted(order) == order
    assert "frontend/promo-banner, frontend/web-app → kube-system/coredns" in lines
    assert any(line.startswith("isolated by frontend/default-deny") for line in lines)
    assert not err


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_pairs_are_counted_as_they_are_listed(capsys, tmp_path, form):
    """All addresses outside are one end, though each family has an entry of its own in the JSON."""
    state = tmp_path / "state.yaml"
    state.write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {app: web}}\nspec: {}\n"
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: job, namespace: shop}\nspec: {}\n"
    )
    lock = tmp_path / "lock.yaml"
    lock.write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: lock, namespace: shop}\n"
        "spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}\n"
    )
    as_json = tmp_path / "a.json"
    arguments = ("whatif", "--state", str(state), "--apply", str(lock), "-o", f"json={as_json}", "-o", form)
    _, out, _ = run(capsys, *arguments)
    answer = json.loads(as_json.read_text())

    assert (len(answer["connections"]), len(answer["connections_v6"])) == (2, 1)
    assert "closes ports of 2 pairs and opens nothing" in " ".join(out.split())


def test_markdown_is_narrow_and_harmless(capsys, tmp_path):
    """Tables of at most five columns whatever the names hold; no mention, no HTML, no broken row."""
    path = tmp_path / "new.yaml"
    path.write_text(HOSTILE)
    _, out, _ = run(capsys, *BASE, str(DENY), "--apply", str(path), "-o", "markdown")
    rows = [line for line in out.splitlines() if line.startswith("|")]

    assert rows
    assert {line.count("|") for line in rows} <= {4, 6}
    assert "<b>" in out
    outside_code = "".join(part for line in rows for part in line.split("``")[::2])
    assert "<b>" not in outside_code
    assert "@you" not in outside_code


def test_long_lists_are_bounded(capsys, tmp_path):
    """Forty pods that close are one line, and different ports are a dozen and a count."""
    pods, rules = [], []
    for number in range(40):
        pods.append(
            f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}, namespace: many, "
            f"labels: {{n: '{number}'}}}}\nspec: {{}}\n"
        )
        rules.append(
            {
                "from": [{"podSelector": {"matchLabels": {"n": str(number)}}}],
                "ports": [{"port": 1000 + number}],
            }
        )
    spec = {"podSelector": {"matchLabels": {"n": "0"}}, "ingress": rules}
    (tmp_path / "state.yaml").write_text("---\n".join(pods))
    (tmp_path / "apply.yaml").write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        f"metadata: {{name: a, namespace: many}}\nspec: {json.dumps(spec)}\n"
    )
    base = ["whatif", "--state", str(tmp_path / "state.yaml"), "--apply", str(tmp_path / "apply.yaml")]
    _, short, _ = run(capsys, *base)
    _, whole, _ = run(capsys, *base, "--all")

    assert "and 28 more groups of pairs (-o json has all)" in short
    assert short.count("\n") < 40
    assert "more" not in whole


UNDECIDED = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: groups, namespace: frontend}
spec:
  endpointSelector: {matchLabels: {app: web-app}}
  egress:
    - toPorts: [{ports: [{port: "443", protocol: TCP}]}]
      toGroups: [{aws: {securityGroupsIds: [sg-1]}}]
"""


@pytest.fixture
def undecided(tmp_path):
    """A policy with a peer that only the cloud knows, in place of one that closes."""
    path = tmp_path / "groups.yaml"
    path.write_text(UNDECIDED)
    return ["--dialect", "cilium", "--apply", str(path)]


def test_a_policy_that_cannot_be_evaluated_makes_ports_unknown(undecided, capsys):
    """Neither open nor closed: the pairs and ports are listed, for people and as JSON."""
    _, shown, _ = run(capsys, *BASE, *undecided)
    _, review, _ = run(capsys, *BASE, *undecided, "-o", "markdown")
    _, out, _ = run(capsys, *BASE, *undecided, "-o", "json")
    answer = json.loads(out)

    jsonschema.validate(answer, whatif_schema())
    assert "opens and closes nothing" not in shown + review
    assert "cannot be told" in shown
    assert "cannot be told" in review
    assert "Becomes unknown" in shown
    assert "**Becomes unknown**" in review
    assert answer["unknown"]
    assert all(one["new"] == {"TCP": ["443"]} for one in answer["unknown"])
    assert all(one["old"] == {} for one in answer["unknown"])


def test_deleting_what_cannot_be_evaluated_is_told_too(capsys, tmp_path):
    """Unknown before, decided after."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "groups.yaml").write_text(UNDECIDED)
    gone = ["--delete", "CiliumNetworkPolicy/frontend/groups"]
    state = [*BASE, "--state", str(tmp_path / "old"), "--dialect", "cilium"]
    _, shown, _ = run(capsys, *state, *gone)
    _, out, _ = run(capsys, *state, *gone, "-o", "json")

    assert "Ceases to be unknown" in shown
    assert all(one["new"] == {} and one["old"] for one in json.loads(out)["unknown"])


def test_fail_on_says_what_it_cannot_count(undecided, capsys):
    """Unknown is neither a failure nor fine: it is said beside the exit code."""
    code, _, said = run(capsys, *BASE, *undecided, "--fail-on", "newly-allowed")
    _, _, quiet = run(capsys, *BASE, *NO_DNS, "--fail-on", "newly-allowed")

    assert code == exit_codes.DONE
    assert "--fail-on cannot count what is unknown: ports of " in said
    assert "cannot count" not in quiet


def test_of_many_that_isolate_the_changed_policies_are_named_first(capsys, tmp_path):
    """Only some are shown, and the change is what the reader asked about."""
    closed = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        "metadata: {{name: {name}, namespace: frontend}}\nspec: {{podSelector: {{}}, policyTypes: [Egress]}}\n---\n"
    )
    (tmp_path / "new.yaml").write_text(
        "".join(closed.format(name=f"zz-closed-{number}") for number in range(2))
    )
    drop = ["--delete", "NetworkPolicy/frontend/allow-web-app-to-call-user-api"]
    code, out, _ = run(capsys, *BASE, str(DENY), "--apply", str(tmp_path / "new.yaml"), *drop)

    assert code == exit_codes.DONE
    text = " ".join(out.split())
    assert "frontend/web-app → backend/user-api 8080/TCP" in text
    assert "isolated by frontend/zz-closed-0, frontend/zz-closed-1 and 2 more, and no rule allows it" in text


def test_workloads_are_named_whole_where_a_line_holds_them(capsys, monkeypatch):
    """frontend/p…mo-banner stood on a line with room for all of it."""
    monkeypatch.setenv("COLUMNS", "80")
    new = [*NO_DNS, str(DENY / "hubble")]
    code, out, _ = run(capsys, *BASE, *new)

    assert code == exit_codes.DONE
    assert "frontend/promo-banner → kube-system/coredns 53/UDP" in out
