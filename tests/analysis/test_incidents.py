"""Whole incidents, from files to the report, against what their generators know to be true."""

import tomllib
from pathlib import Path

import pytest

from flowdiag.analysis import EvidenceOptions, StateOptions, analyze

INCIDENTS = Path(__file__).resolve().parents[2] / "fixtures" / "incidents"
NAMES = sorted(path.parent.name for path in INCIDENTS.glob("*/expected.toml"))


@pytest.fixture(scope="module", params=NAMES)
def incident(request):
    folder = INCIDENTS / request.param
    return analyze([str(folder)], state=StateOptions()), tomllib.loads((folder / "expected.toml").read_text())


def name(end):
    return f"{end.namespace}/{end.name}" if end.namespace else end.name


def found(report, wanted):
    """The problem of the report that is the expected one."""
    sources, destinations = set(wanted.get("sources", ())), set(wanted.get("destinations", ()))
    for problem in report.problems:
        ends = (
            {name(c.source) for c in problem.connections},
            {name(c.destination) for c in problem.connections},
        )
        addresses = {a for c in problem.connections for a in (*c.destination.ips, *c.source.ips)}
        if problem.direction not in (wanted.get("direction"), None):
            continue
        if "port" in wanted and wanted["port"] not in {c.port for c in problem.connections}:
            continue
        if sources <= ends[0] | addresses and destinations <= ends[1] | addresses:
            return problem
    listed = "\n".join(f"{p.code} {p.title} {p.count}" for p in report.problems)
    pytest.fail(f"no problem for {wanted}\n{listed}")


def test_totals(incident):
    """A verdict and its drop are one denial; audits and what no policy refused stand apart."""
    report, truth = incident

    assert truth["records"] == report.totals.records
    assert truth["denied"] == report.totals.denied
    assert truth["audited"] == report.totals.audited
    assert truth["first"] == report.window.since
    assert truth["last"] == report.window.until
    assert truth.get("not_policy", {}) == {entry.reason: entry.count for entry in report.not_policy}


def test_lost_events_are_gaps(incident):
    """What Hubble lost is said."""
    report, truth = incident

    assert truth["lost_events"] == sum(gap.lost or 0 for gap in report.evidence.gaps)


def test_problems(incident):
    """Each expected problem: code, counts, times, isolating policies, nearest rule and what it missed."""
    report, truth = incident
    for wanted in truth["problems"]:
        problem = found(report, wanted)
        what = f"{problem.code} {problem.title}"

        assert problem.code in wanted["codes"], what
        assert wanted["count"] == problem.count, what
        assert wanted["first"][:23] == problem.first[:23], what
        assert wanted["last"][:23] == problem.last[:23], what
        if "isolating" in wanted:
            assert wanted["isolating"] == sorted(name(ref) for ref in problem.isolating), what
        if "ongoing" in wanted:
            assert wanted["ongoing"] is problem.ongoing, what
        if "nearest" in wanted:
            nearest = problem.nearest[0]
            assert wanted["nearest"] == name(nearest), what
            assert nearest.rule.startswith(wanted["nearest_rule"]), what
            assert wanted.get("misses", []) == [str(m.condition) for m in nearest.misses] or (
                "misses" not in wanted
            ), what
        if "wanted" in wanted:
            misses = problem.nearest[0].misses
            assert any(str(wanted["wanted"]) in miss.wanted for miss in misses), what
            assert any(str(wanted.get("found", "")) in (miss.found or "") for miss in misses), what
        if "change" in wanted:
            near = {name(change.object): change.delta_s for change in problem.changes}
            assert wanted["change"] in near, what
            if "change_delta_s" in wanted:
                assert wanted["change_delta_s"] == pytest.approx(near[wanted["change"]], abs=0.1), what
        if "connections" in wanted:
            counts = {name(c.source): c.count for c in problem.connections}
            for connection in wanted["connections"]:
                assert connection["count"] == counts[connection["source"]], what


def test_calls_that_vanished_are_told(incident):
    """A call that stopped with the lookups is named beside the refused lookups."""
    report, truth = incident
    for wanted in truth["problems"]:
        if "missing_call" in wanted:
            source, _, rest = wanted["missing_call"].partition(" -> ")
            destination, _, port = rest.rpartition(":")
            notes = "\n".join(found(report, wanted).notes)
            assert f"{source} -> {destination} {port}" in notes


def test_everything_adds_up(incident):
    """Problems, connections and spans tell the same number."""
    report, _ = incident
    denied = [problem for problem in report.problems if problem.verdict != "audited"]

    assert report.totals.denied == sum(p.count for p in denied) + report.totals.unattributed
    for problem in report.problems:
        assert problem.count == sum(connection.count for connection in problem.connections)
    assert sum(report.buckets.counts.denied) == report.totals.denied
    assert sum(report.buckets.counts.allowed) == report.totals.allowed
    ids = [problem.id for problem in report.problems]
    assert len(ids) == len(set(ids))


def test_inputs_list_the_cluster_objects_too(tmp_path):
    """With --checksum a reader can tell which objects decided, and a hand-made list needs no apiVersion."""
    (tmp_path / "list.json").write_text(
        '{"kind": "List", "items": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}]}'
    )
    report = analyze([str(tmp_path)], evidence=EvidenceOptions(checksum=True))

    (only,) = report.inputs
    assert (only.parser, only.records) == (None, 0)
    assert len(only.sha256 or "") == 64


def test_a_call_that_is_refused_itself_once_names_resolve_is_not_called_seen_again():
    """Names came back and the call was refused at once: that it passes from a third policy on is told apart."""
    report = analyze([str(INCIDENTS / "default-deny-egress")])
    notes = [note for problem in report.problems for note in problem.notes if "absent while" in note]

    assert any(
        note.startswith("frontend/web-app -> backend/user-api 8080/TCP")
        and note.endswith(
            "refused itself from 2026-03-17 14:09:41 UTC, let through from about 2026-03-17 14:15:00 UTC"
        )
        for note in notes
    )
