"""Diagnoses, checks and formats of other distributions: the page that tells of them works as it stands, and what fails costs itself."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests.cli.foreign import ROOT, install, run

PAGE = (ROOT / "docs" / "plugins.md").read_text()
_FILE = re.compile(
    r"^`([\w.]+)`[^\n]*\n(?:[^\n`]*(?:`[^\n]*)?\n)*?\n?```(?:toml|python)\n(.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
STATE = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop, creationTimestamp: "2026-03-01T00:00:00Z", generation: 1}
spec: {podSelector: {}, policyTypes: [Egress]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}, creationTimestamp: "2026-03-01T00:00:00Z"}
spec: {nodeName: worker-1}
status: {phase: Running, podIP: 10.244.1.17, podIPs: [{ip: 10.244.1.17}]}
"""
FLOW = (
    '{"flow":{"time":"2026-03-02T10:00:0%d.000000000Z","verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED",'
    '"IP":{"source":"10.244.1.17","destination":"203.0.113.%d","ipVersion":"IPv4"},"l4":{"TCP":{"source_port":41022,'
    '"destination_port":%d}},"source":{"identity":700,"namespace":"shop","pod_name":"web-1"},'
    '"destination":{"identity":2,"labels":["reserved:world"]},"Type":"L3_L4","traffic_direction":"EGRESS",'
    '"node_name":"worker-1"},"node_name":"worker-1","time":"2026-03-02T10:00:0%d.000000000Z"}\n'
)


@pytest.fixture
def evidence(tmp_path):
    """Two pods' mails and one other call, refused; and the policy that does."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    lines = [FLOW % (1, 5, 25, 1), FLOW % (2, 6, 25, 2), FLOW % (3, 7, 443, 3)]
    folder.joinpath("flows.json").write_text("".join(lines))
    folder.joinpath("state.yaml").write_text(STATE)
    return str(folder)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """What the page shows, installed."""
    files = dict(_FILE.findall(PAGE))
    assert set(files) == {"pyproject.toml", "acme_rules.py", "acme_tsv.py"}
    groups = tomllib.loads(files["pyproject.toml"])["project"]["entry-points"]
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {what}\n" for name, what in names.items())
        for group, names in groups.items()
    )
    modules = {name.removesuffix(".py"): text for name, text in files.items() if name.endswith(".py")}
    return install(tmp_path_factory.mktemp("page"), points, modules)


def _report(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_diagnosis_of_the_page(page, evidence):
    """It speaks for the refusals that it knows, and for no other."""
    report = _report(run(page, "analyze", evidence, "-o", "json"))

    (mine,) = [one for one in report["problems"] if one["code"] == "AC101"]
    assert mine["title"] == "shop/web-1 sends mail past the relay"
    assert (mine["count"], mine["severity"], mine["port"]) == (2, "medium", 25)
    assert {one["port"] for one in report["problems"] if one["code"] != "AC101"} == {443}
    assert report["warnings"] == []


def test_codes_of_the_page(page, evidence, tmp_path):
    """The catalogue prints them, a gate and an acceptance take them."""
    assert b"Use the relay." in run(page, "codes", "AC101").stdout
    assert b"AC901  low" in run(page, "codes").stdout
    assert run(page, "analyze", evidence, "--fail-on", "AC101").returncode == 1
    assert run(page, "analyze", evidence, "--fail-on", "AC102").returncode == 2
    accepted = tmp_path / "accepted.toml"
    accepted.write_text(
        '[[accept]]\nreason = "known"\nowner = "team"\nexpires = 2099-01-01\ncode = "AC101"\n'
    )

    done = run(
        page, "audit", evidence, "--history", str(tmp_path / "h.db"), "--config", str(accepted), "-o", "json"
    )

    statuses = {one["code"]: one["status"] for one in json.loads(done.stdout)["problems"]}
    assert (statuses["AC101"], statuses["AC901"]) == ("accepted", "new")


def test_format_of_the_page(page, evidence):
    """It is printed, and written to a file."""
    done = run(page, "analyze", evidence, "-o", "acme-tsv")

    assert done.stdout.decode().splitlines()[-1] == "AC101\tmedium\t2\tshop/web-1 sends mail past the relay"


BAD = '''
from itertools import repeat

from flowdiag.diagnose import Rule
from flowdiag.diagnose.check import Check, Concern
from flowdiag.model.report import Severity


class Base(Rule):
    """Says something."""

    slug = "acme"
    title = "{source} is refused"
    severity = Severity.LOW
    specificity = 200


class Raises(Base):
    """Raises."""
    code = "AC201"
    def diagnose(self, case):
        raise KeyError(case.port)


class Garbage(Base):
    """Gives text."""
    code = "AC202"
    def diagnose(self, case):
        yield "refused"


class Half(Base):
    """Gives a finding without words."""
    code = "AC203"
    def diagnose(self, case):
        yield self.finding(case, summary=5)


class Endless(Base):
    """Never ends."""
    code = "AC204"
    def diagnose(self, case):
        return repeat(self.finding(case, summary="again"))


class Qualifies(Base):
    """Loses the finding that it should qualify."""
    code = "AC205"
    def annotate(self, case, finding):
        return None


class NoWords(Base):
    code = "AC206"
    __doc__ = None


class OtherCode(Base):
    """Is registered as something else."""
    code = "AC999"


class SeverityInWords(Base):
    """Has its severity in words."""
    code = "AC208"
    severity = "high"


class CheckRaises(Check):
    """Raises."""
    code = "AC801"
    slug = "acme-raises"
    severity = Severity.LOW
    def look(self, scene):
        yield Concern(key=("a",), title="a", summary="a", advice="a")
        raise LookupError("nothing")


class CheckGarbage(Check):
    """Gives a key that is none."""
    code = "AC802"
    slug = "acme-garbage"
    severity = Severity.LOW
    def look(self, scene):
        yield Concern(key="a", title="a", summary="a", advice="a")


class Raising:
    name = "acme-raising"
    binary = False
    def render(self, report, options):
        return report.nothing


class Bytes:
    name = "acme-bytes"
    binary = False
    def render(self, report, options):
        return b"bytes"


class Refusing:
    name = "acme-refusing"
    binary = False
    def check(self):
        raise RuntimeError("no licence")
    def render(self, report, options):
        return ""


class Unnamed:
    def render(self, report, options):
        return ""
'''
POINTS = """\
[flowdiag.diagnoses]
AC201 = acme_bad:Raises
AC202 = acme_bad:Garbage
AC203 = acme_bad:Half
AC204 = acme_bad:Endless
AC205 = acme_bad:Qualifies
AC206 = acme_bad:NoWords
AC207 = acme_bad:OtherCode
AC208 = acme_bad:SeverityInWords
FD101 = acme_bad:Raises
[flowdiag.checks]
AC801 = acme_bad:CheckRaises
AC802 = acme_bad:CheckGarbage
AC803 = acme_bad:Raises
[flowdiag.reporters]
acme-raising = acme_bad:Raising
acme-bytes = acme_bad:Bytes
acme-refusing = acme_bad:Refusing
acme-unnamed = acme_bad:Unnamed
"""


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """Plugins that fail."""
    return install(tmp_path_factory.mktemp("bad"), POINTS, {"acme_bad": BAD})


FAILS = {
    "AC201": "raised KeyError: ",
    "AC202": "gives no Finding but str; self.finding(...) makes one",
    "AC203": "gives a Finding whose parts are not what they must be: Expected `str`, got `int` - at `$.summary`",
    "AC204": "gives more than 100 of them",
    "AC205": "gives no Finding but NoneType",
    "AC206": "its docstring is what flowdiag codes prints, and it has none",
    "AC207": "its code is 'AC999', and it is registered as 'AC207'",
    "AC208": "severity is a Severity, not 'high'",
    "FD101": "a name that flowdiag itself has",
}


def test_failing_diagnoses_leave_the_report_as_it_is(bad, evidence):
    """Of a rule that fails the report warns once, with what it did; the problems are those of a run without it."""
    report = _report(run(bad, "analyze", evidence, "-o", "json"))
    plain = _report(run(bad, "analyze", evidence, "-o", "json", FLOWDIAG_PLUGINS="none"))

    assert report["problems"] == plain["problems"]
    assert report["complete"] == plain["complete"]
    said = [one["message"] for one in report["warnings"] if one["code"] == "broken-plugin"]
    assert len(said) == len(FAILS)
    for code, words in FAILS.items():
        (message,) = [text for text in said if f"diagnosis {code} of flowdiag-acme 0.2.0" in text]
        assert words in message
    assert any("and failed on 2 more parts of the refusals" in text for text in said if "AC201" in text)
    listed = run(bad, "codes")
    assert b"AC206 of flowdiag-acme 0.2.0 does not load" in listed.stderr
    assert b"AC201" in listed.stdout


def test_failing_checks_call_nothing_gone(page, bad, evidence, tmp_path):
    """An audit in which a check fails says so, keeps what the others found, and calls nothing gone."""
    history = str(tmp_path / "h.db")
    first = json.loads(run(page, "audit", evidence, "--history", history, "-o", "json").stdout)
    assert "AC901" in {one["code"] for one in first["problems"]}

    second = json.loads(run(bad, "audit", evidence, "--history", history, "-o", "json").stdout)

    said = "\n".join(one["message"] for one in second["warnings"])
    assert (
        "check AC801 of flowdiag-acme 0.2.0 raised LookupError: nothing; what it looks for is not known"
        in said
    )
    assert "check AC802 of flowdiag-acme 0.2.0 gives a Concern whose parts are not what they must be" in said
    assert (
        "check AC803 of flowdiag-acme 0.2.0 does not load: a check is a flowdiag.diagnose.check.Check" in said
    )
    assert not any(one["code"].startswith("AC8") for one in second["problems"])
    assert not any(one["status"] == "gone" for one in second["problems"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("acme-raising", "raised AttributeError: 'Report' object has no attribute 'nothing' in render"),
        ("acme-bytes", "render gives bytes, and it says binary = False"),
        ("acme-refusing", "raised RuntimeError: no licence in check"),
        ("acme-unnamed", "is broken: its name is None, and it is registered as 'acme-unnamed'"),
    ],
)
def test_failing_formats_are_errors_of_their_own(bad, evidence, tmp_path, name, words):
    """A format that fails is no bug of flowdiag; what can be written beside it is."""
    other = tmp_path / "report.json"
    done = run(
        bad, "analyze", evidence, "-o", f"{name}={tmp_path / 'x'}", "-o", f"json={other}", "-o", "markdown"
    )

    assert done.returncode == 5
    assert f"{name} of flowdiag-acme 0.2.0" in done.stderr.decode()
    assert words in done.stderr.decode()
    assert b"bug" not in done.stderr
    late = name in ("acme-raising", "acme-bytes")
    assert other.exists() is late
    assert bool(done.stdout) is late
