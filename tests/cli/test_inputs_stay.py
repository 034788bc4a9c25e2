"""No output replaces what it is made of: evidence, cluster objects, queries, a history."""

import shutil
import tarfile
from pathlib import Path

import pytest

from flowdiag.cli.main import _run

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress"
QUERIES = (
    '{"queries": [{"src": "frontend/web-app", "dst": "backend/user-api", "port": 8080, "allowed": true}]}'
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an incident, the same in an archive, and a query file; the working folder."""
    shutil.copytree(INCIDENT, tmp_path / "in")
    (tmp_path / "queries.json").write_text(QUERIES)
    with tarfile.open(tmp_path / "in.tgz", "w:gz") as archive:
        archive.add(tmp_path / "in", "in")
    monkeypatch.chdir(tmp_path)
    return tmp_path


FLOWS, OBJECTS = "in/hubble/events.jsonl", "in/cluster/objects.yaml"


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["analyze", "in"], FLOWS),
        (["analyze", FLOWS], FLOWS),
        (["analyze", "in"], OBJECTS),
        (["analyze", FLOWS, "--state", "in/cluster"], OBJECTS),
        (["analyze", "in.tgz"], "in.tgz"),
        (["verify", "queries.json", "--state", "in"], "queries.json"),
        (["verify", "queries.json", "--state", "in"], OBJECTS),
        (["whatif", "--state", "in", "--delete", "NetworkPolicy/frontend/default-deny"], OBJECTS),
        (["audit", "in", "--history", "new.db"], "new.db"),
        (["whatif", "in", "--state", "in", "--delete", "NetworkPolicy/frontend/default-deny"], FLOWS),
        (["explain", "frontend/web-app", "backend/user-api", "8080", "in"], FLOWS),
        (["explain", "frontend/web-app", "backend/user-api", "8080", "--state", "in"], OBJECTS),
        (["reach", "backend/user-api", "--state", "in"], OBJECTS),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:2]),
)
def test_an_input_named_as_output_is_refused_and_stays(here, capfd, words, target):
    """Exit 2, with the file named, however it is spelt."""
    before = (here / target).read_bytes() if (here / target).exists() else None

    for spelt in (target, f"./{target}", str(here / target)):
        assert _run([*words, "-o", f"json={spelt}"], "flowdiag") == 2
        assert "this is an input, and would be replaced" in capfd.readouterr().err
    assert ((here / target).read_bytes() if (here / target).exists() else None) == before


def test_a_report_beside_the_evidence_is_written_again(here):
    """It is no input."""
    for _ in range(2):
        assert (
            _run(["analyze", "in", "-o", "json=in/report.json", "-o", "html=in/report.html"], "flowdiag") == 0
        )
    assert (here / "in" / "report.json").stat().st_size > 1000


@pytest.mark.parametrize("target", [FLOWS, "in.tgz", "in"])
@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_events_replace_no_input(here, capfd, name, target):
    """Of a folder they would be written over what is read meanwhile."""
    for named in ("in", target):
        if named == "in" and target == "in.tgz":
            continue
        assert _run(["events", named, "-o", f"{name}={target}"], "flowdiag") == 2
        assert capfd.readouterr().out == ""
    assert (here / FLOWS).stat().st_size > 1_000_000


@pytest.mark.parametrize(
    "name",
    [
        "json",
        "jsonl",
        "markdown",
        "html",
        "csv",
        "parquet",
        "svg",
        "junit",
        "sarif",
        "openmetrics",
        "terminal",
    ],
)
def test_every_format_is_written_again_beside_the_evidence(here, capfd, name):
    """What flowdiag wrote is no input, though it holds lines of one."""
    for _ in range(2):
        assert _run(["analyze", "in", "-o", f"{name}=in/report.{name}"], "flowdiag") == 0, (
            capfd.readouterr().err
        )
    assert (here / "in" / f"report.{name}").stat().st_size > 0


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_events_are_written_again_beside_the_evidence(here, capfd, name):
    for _ in range(2):
        assert _run(["events", "in", "-o", f"{name}=in/all.{name}"], "flowdiag") == 0, capfd.readouterr().err
    assert (here / "in" / f"all.{name}").read_bytes().count(b"\n") > 1500
