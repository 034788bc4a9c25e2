"""Our isolating sets and deciding rules against the explanations that another analyser prints."""

import re

import pytest

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.policy.ports import PortSet
from tests.policy.suite_cases import SUITES, cases, compiled, expected

EXPLAINED = [case for case in cases("policy") if expected(case).get("explanations")]

pytestmark = pytest.mark.skipif(not EXPLAINED, reason=f"no suites beside the repository ({SUITES.name})")

_RANGE = re.compile(r"(\d+\.\d+\.\d+\.\d+)-(\d+\.\d+\.\d+\.\d+)")


def end_of(text, end):
    """An end of an explanation: a workload, or an address range, which one of its addresses stands for."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return end(text)
    if text == "0.0.0.0-255.255.255.255":
        return Endpoint(kind=EndpointKind.EXTERNAL, cidr="0.0.0.0/0")
    return Endpoint(kind=EndpointKind.EXTERNAL, ip=found[2])


def effects(decision):
    """Policies and their effects as the walk tells them: (kind, name, effect)."""
    told = {"allow", "deny", "pass", "no-match"}
    return {
        (
            step.policy.kind,
            f"{step.policy.namespace}/{step.policy.name}" if step.policy.namespace else step.policy.name,
            step.outcome,
        )
        for step in decision.walk
        if step.policy is not None and step.rule is None and step.outcome in told
    }


def disputed(ends):
    """Pods in their node's network: the source evaluates them like any other pod, as no CNI does."""
    return any(end.pod is not None and end.pod.host_network for end in ends)


@pytest.mark.parametrize("case", EXPLAINED, ids=lambda case: case.name)
def test_policies_and_effects_of_every_explanation_agree(case):
    """Every policy that decides, and every policy that selects and admits nothing, with the same effect."""
    expect, policies, end = compiled(case)
    wrong = []
    for explanation in expect["explanations"]:
        src, dst = end_of(explanation["src"], end), end_of(explanation["dst"], end)
        if disputed((src, dst)):
            continue
        for protocol, ranges in sorted(explanation["connections"].items()):
            ports = PortSet((int(part.split("-")[0]), int(part.split("-")[-1])) for part in ranges)
            for number in {ports.ranges[0][0], ports.ranges[-1][1]}:
                found = policies.evaluate(src, dst, protocol, number, walk=True)
                verdict = explanation["verdict"] == "allowed"
                if found.allowed is not verdict:
                    wrong.append((explanation["src"], explanation["dst"], protocol, number, found.allowed))
                for why in explanation["why"]:
                    if why["direction"] == "both":
                        assert not why["policies"]
                        continue
                    decision = getattr(found, why["direction"])
                    if decision is None:
                        continue
                    wanted = {(each["kind"], each["name"], each["effect"]) for each in why["policies"]}
                    got = effects(decision)
                    # A deciding allow ends the other's list; what only selects is told there on denials.
                    if decision.allowed:
                        got = {each for each in got if each[2] != "no-match" or each in wanted}
                    if wanted != got:
                        wrong.append((explanation["src"], explanation["dst"], protocol, number, why, got))

    assert not wrong, f"{len(wrong)} differ, first: {wrong[0]}"
