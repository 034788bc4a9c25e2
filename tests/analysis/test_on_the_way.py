"""What a firewall of the network let by was not let in by the policies of the pod that it is for."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import BEGIN, OBJECTS, at, listed, policy, write

from flowdiag.analysis import StateOptions, analyze, explain
from flowdiag.report.explain_view import render_explain
from flowdiag.report.protocol import Options

LONG_AGO = "2026-01-01T00:00:00Z"
INGRESS = policy("data", "lock", {"podSelector": {}, "policyTypes": ["Ingress"]}, created=LONG_AGO)
EGRESS = policy("shop", "lock", {"podSelector": {}, "policyTypes": ["Egress"]}, created=LONG_AGO)
HEAD = (
    "version interface-id srcaddr dstaddr srcport dstport pkt-srcaddr pkt-dstaddr protocol packets start end action "
    "flow-direction log-status\n"
)


def vpc(*seconds, way="ingress", turned=False):
    """Accepted SYNs of web to db (or answers) at an instance's interface, as VPC flow logs have them since version 5."""
    lines = [HEAD]
    for second in seconds:
        begin = int(BEGIN.timestamp()) + second
        ends = f"10.0.0.5 10.0.1.7 {40000 + second % 1000} 8080 10.0.0.5 10.0.1.7"
        if turned:
            ends = f"10.0.1.7 10.0.0.5 8080 {40000 + second % 1000} 10.0.1.7 10.0.0.5"
        lines.append(f"5 eni-1235b8ca123456789 {ends} 6 1 {begin} {begin + 60} ACCEPT {way} OK\n")
    return "".join(lines)


def denied(*seconds):
    """Refusals of the same calls at db, as AWS's policy agent logs them."""
    return "".join(
        f'{{"level":"info","ts":"{at(second)}","caller":"events/events.go:195","msg":"Flow Info: Src IP: 10.0.0.5 '
        f"Src Port: {40000 + second % 1000} Dest IP: 10.0.1.7 Dest Port: 8080 Proto TCP Verdict DENY Direction "
        'ingress, Tier DEFAULT"}\n'
        for second in seconds
    )


def state_of(folder, *policies):
    return write(folder / "state", state_json=listed(*OBJECTS[:-1], *policies))


def asked(folder, *policies, **files):
    """What explain says of the call, below the answer."""
    state = StateOptions(paths=(state_of(folder, *policies),))
    result, walk, finding = explain(
        "shop/web", "data/db", 8080, "TCP", paths=[write(folder / "logs", **files)], state=state
    )
    return result, " ".join(render_explain(result, walk, Options(width=100), finding, walk.shown).split())


def test_a_refused_call_was_not_seen_to_pass(tmp_path):
    """Each refused packet came by the interface before, and the interface's log says ACCEPT."""
    logs = write(tmp_path / "logs", npa_log=denied(600, 610, 620), vpc_log=vpc(10, 600, 610, 620, 900))
    (problem,) = analyze([logs], state=StateOptions(paths=(state_of(tmp_path, INGRESS),))).problems

    assert (problem.code, problem.direction, problem.count) == ("FD101", "ingress", 3)
    assert not [note for note in problem.notes if "seen to pass" in note or "seen allowed" in note]


@pytest.mark.parametrize("policies", [(), (INGRESS,)])
def test_nothing_follows_from_it_for_policies_at_the_destination(tmp_path, policies):
    """Neither are they cleared, nor are they not enforced."""
    result, page = asked(tmp_path, *policies, vpc_log=vpc(10, 20))

    assert (result.observed.allowed, result.observed.on_the_way) == (0, 2)
    assert (
        "observed let through 2 times by the network's firewall Whether policies at the destination" in page
    )
    assert "cleared" not in page
    assert "seen to pass" not in page


def test_an_answer_shows_that_the_call_arrived(tmp_path):
    """Whoever recorded it."""
    result, page = asked(tmp_path, vpc_log=vpc(10, 20) + vpc(10, 20, turned=True)[len(HEAD) :])

    assert result.observed.allowed == 2
    assert "Policy may be cleared as the cause." in page


def test_what_left_its_source_was_let_out(tmp_path):
    """The interface lies behind the source's policies."""
    result, page = asked(tmp_path, EGRESS, vpc_log=vpc(10, 20, way="egress"))

    assert (result.observed.allowed, result.observed.on_the_way) == (2, 0)
    assert "The policies deny it and yet it was seen to pass" in page


@pytest.mark.parametrize(("locked", "codes"), [(INGRESS, []), (EGRESS, ["FD810"])])
def test_only_the_sources_policies_are_found_not_enforced(tmp_path, locked, codes):
    """FD810 said that the ingress side had let it through, of a record that was made before."""
    logs = write(tmp_path / "logs", vpc_log=vpc(*range(10, 200, 10)))
    report = analyze([logs], state=StateOptions(paths=(state_of(tmp_path, locked),)))

    assert [problem.code for problem in report.problems] == codes
