"""Proposals for random clusters, applied as a user would: they mend, close nothing, and list all that they open."""

import json
import random
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from msgspec import UNSET

sys.path.insert(0, str(Path(__file__).parent))

from brute_force import within
from diagnosis_cases import build_case, objects
from random_clusters import OUTSIDE, cluster

from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.diagnose import Case, diagnose
from flowdiag.diagnose.proposals import attach, propose
from flowdiag.diagnose.proposals.proof import Ends
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.read_yaml import read_yaml

LANGUAGES = {"kubernetes": "antrea", "calico": "calico", "cilium": "cilium"}
PORTS = (1, 53, 80, 81, 443, 8000, 8080, 8081, 65535)
ASKED = ("80/TCP", "8080/TCP", "53/UDP", "443/TCP")


def refused(dice, state, dialect, most):
    """Cases of refused connections, all in the context of the first."""
    found = []
    for _ in range(12 * most):
        src, dst = (dice.choice([*state["pods"], *OUTSIDE[:2], *OUTSIDE[-1:]]) for _ in "ab")
        if len(found) == most or src == dst or ("/" not in src and "/" not in dst):
            continue
        flow = {"from": src, "to": dst, "port": dice.choice(ASKED), "node": None}
        other = next((end for end in (src, dst) if "/" not in end), None)
        for side, end in (("src", src), ("dst", dst)):
            ips = state["pods"].get(end, {}).get("ip", end).split(",")
            flow[side] = {"ip": next((ip for ip in ips if (":" in ip) == (":" in (other or ""))), None)}
        if None in (flow["src"]["ip"], flow["dst"]["ip"]):
            continue
        case = build_case({"state": state, "flow": flow, "dialect": dialect})
        if case.decision.allowed is False:
            found.append(Case(found[0].context, case.flow, case.decision, case.at) if found else case)
    return found


def applied(state, manifests, dialect):
    """The policies with these objects in the place of those of their names."""
    every = {_key(one): one for one in objects(state)} | {_key(one): one for one in manifests}
    document = json.dumps({"kind": "List", "items": list(every.values())}).encode()
    snapshot, problems = build_snapshot([("state.json", document)])
    assert problems == []
    return compile_policies(snapshot, dialect=Dialect(dialect))


def _key(one):
    group = one["apiVersion"].partition("/")[0]
    return (group, one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])


def lets_pass(policies, case):
    """Whether a case's connection is allowed."""
    return policies.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed is True


def _ends(snapshot):
    pods = [
        Endpoint(
            kind=EndpointKind.POD,
            namespace=pod.namespace,
            name=pod.name,
            ip=ip,
            pod=pod,
            workload=pod.workload,
        )
        for pod in snapshot.pods
        for ip in pod.ips
    ]
    return [*pods, *(Endpoint(kind=EndpointKind.EXTERNAL, ip=ip) for ip in OUTSIDE)]


def _pairs(snapshot):
    for src in _ends(snapshot):
        for dst in _ends(snapshot):
            inside = src.pod is not None or dst.pod is not None
            one_family = ip_address(src.ip).version == ip_address(dst.ip).version
            if inside and one_family and end_text(src) != end_text(dst):
                yield src, dst


def _is(text, end):
    """Whether a report's word for an end means this one."""
    if text == end_text(end):
        return True
    if end.pod is not None or "/" in text.replace("/", "", 1):
        return False
    address = ip_address(end.ip)
    if text.endswith("outside"):
        return True
    if "-" in text and "/" not in text:
        first, last = map(ip_address, text.split("-"))
        return first.version == address.version and first <= address <= last
    try:
        return address in ip_network(text)
    except ValueError:
        return False


def unlisted(found, before, after, own):
    """What closes, or opens beside the connections `own` and is not listed."""
    wrong = []
    for src, dst in _pairs(after.snapshot):
        for protocol in ("TCP", "UDP", "SCTP"):
            for port in PORTS:
                was, now = (
                    each.evaluate(src, dst, protocol, port, nearest=False).allowed is True
                    for each in (before, after)
                )
                asked = (end_text(src), end_text(dst), protocol, port)
                if was == now or asked in own:
                    continue
                listed = any(
                    one.protocol == protocol
                    and any(within(port, text) for text in one.ports)
                    and _is(one.src, src)
                    and _is(one.dst, dst)
                    for one in found.also_allows
                )
                if was or not listed:
                    wrong.append((*asked, src.ip, dst.ip, "closes" if was else "opens"))
    return wrong


def _own(cases):
    return {(end_text(one.flow.src), end_text(one.flow.dst), one.protocol, one.port) for one in cases}


def held_on_random_clusters(check, name, language, most):
    """Hold `check` against clusters drawn one after the other until there was something to check in one."""
    dialect = LANGUAGES[language]
    for again in range(8):
        dice = random.Random(f"{name} {again}" if again else name)  # noqa: S311 - clusters of a test, no secret
        state = cluster(dice, language)
        cases = refused(dice, state, dialect, most)
        if cases and check(dice, state, dialect, cases):
            return
    pytest.fail("no cluster had a refused connection with a proposal")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("seed", range(12))
def test_a_proposal_does_what_it_says(language, seed):
    """Compiled anew with its manifests it lets the connection pass; nothing closes, and what else opens is listed."""
    held_on_random_clusters(_each_does_what_it_says, f"{language} {seed}", language, most=3)


def _each_does_what_it_says(dice, state, dialect, cases):
    checked = 0
    for case in cases:
        policies = compile_policies(case.context.snapshot, dialect=Dialect(dialect))
        ends = Ends.of(case.context.snapshot, [case.flow.src, case.flow.dst])
        proposal = propose(case, policies, ends, narrow=dice.random() < 0.5)
        if proposal is None:
            continue
        found = proposal.for_all(())
        after = applied(state, [read_yaml(text) for text in found.manifests], dialect)

        assert lets_pass(after, case), found.summary
        assert unlisted(found, policies, after, _own([case])) == [], found.summary
        checked += 1
    return checked


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("seed", range(12))
def test_proposals_of_one_run_do_what_they_say_together(language, seed):
    """All applied, each lets its connection pass, but where it says that others edit its objects or undo it.

    A joined change does for all of its problems what theirs do for each.
    """
    held_on_random_clusters(_together_they_do, f"together {language} {seed}", language, most=5)


def _together_they_do(_, state, dialect, cases):
    policies = compile_policies(cases[0].context.snapshot, dialect=Dialect(dialect))
    mended = attach([(case, diagnose(case)[0]) for case in cases], policies)
    pairs = [
        (case, one.counterfactual) for case, one in zip(cases, mended, strict=True) if one.counterfactual
    ]
    kept = [(case, found) for case, found in pairs if "other problem" not in found.summary.lower()]
    after = applied(state, [read_yaml(text) for _, found in kept for text in found.manifests], dialect)

    assert [found.summary for case, found in kept if not lets_pass(after, case)] == []
    for change in {id(one.joined): one.joined for one in mended if one.joined is not None}.values():
        own = [case for case, one in zip(cases, mended, strict=True) if one.joined is change]
        after = applied(state, [read_yaml(text) for text in change.manifests], dialect)
        assert [end_text(case.peer) for case in own if not lets_pass(after, case)] == [], change.summary
        assert unlisted(change, policies, after, _own(own)) == [], change.summary
    return len(kept)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("seed", range(12))
def test_a_proposal_for_several_connections_says_whether_it_serves_all(language, seed):
    """It is called proved exactly where every connection of the problem passes, and lists what else opens."""
    held_on_random_clusters(_it_says_whether_it_serves_all, f"several {language} {seed}", language, most=3)


def _it_says_whether_it_serves_all(_, state, dialect, cases):
    policies = compile_policies(cases[0].context.snapshot, dialect=Dialect(dialect))
    (mended,) = attach(
        [(cases[0], diagnose(cases[0])[0])], policies, others=[[[], *([case] for case in cases[1:])]]
    )
    found = mended.counterfactual
    if found is None:
        return False
    after = applied(state, [read_yaml(text) for text in found.manifests], dialect)

    passing = [case for case in cases if lets_pass(after, case)]
    assert passing
    assert found.proved is (passing == cases), found.summary
    assert found.mends == (UNSET if found.proved else len(passing))
    assert unlisted(found, policies, after, _own(cases)) == [], found.summary
    return True
