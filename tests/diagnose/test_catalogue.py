"""Every diagnosis against its cases: it fires, it stays silent where a naive rule would not, it knows what it lacks."""

import sys
from collections import defaultdict
from pathlib import Path

import pytest
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parent))

from diagnosis_cases import build_case, load_cases

from flowdiag.diagnose import broken_rules, diagnose, leading_finding, rules, sections
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.rule import SECTIONS
from flowdiag.diagnose.wording import rule_text
from flowdiag.model.policy import Condition, Miss, NearestRule, PolicyRef

CASES = load_cases()
RULES = {rule.code: rule for rule in rules()}
FIELDS = {"confidence", "direction", "cause_key", "severity", "elsewhere", "decided_by"}


def fired(code, case):
    """Findings that the rule made or changed."""
    rule = RULES[code]
    found = [finding for finding in diagnose(case) if finding.code == code]
    if found or rule.needs & case.has != rule.needs:
        return found
    others = diagnose(case, [one for one in rules() if one.code != code])
    return [changed for finding in others if (changed := rule.annotate(case, finding)) != finding]


def _text(finding):
    return "\n".join((finding.title, finding.summary, finding.advice, *finding.limits))


@pytest.mark.parametrize(("code", "name", "spec"), CASES, ids=[f"{code}-{name}" for code, name, _ in CASES])
def test_case(code, name, spec):
    """The case comes out as it says."""
    case = build_case(spec)

    findings = diagnose(case)
    made = fired(code, case)
    expect = spec.get("expect", {})

    assert spec.get("why"), "a case says why it is there"
    if "leads" in expect:
        assert expect["leads"] == (findings[0].code if findings else None), _told(findings)
    if name.startswith("fires_"):
        assert made, _told(findings)
    else:
        assert name.startswith(("silent_", "unknown_")), "cases are fires_, silent_ or unknown_"
        assert not made, _told(made)
    if expect.keys() - {"leads"}:
        _is_as_expected(expect, (made or findings)[0])


def _told(findings):
    return [(one.code, one.summary) for one in findings]


def _is_as_expected(expect, finding):
    for field in FIELDS & expect.keys():
        assert str(expect[field]) == str(getattr(finding, field)), (finding.limits, finding.cause_key)
    for text in expect.get("says", []):
        assert text in _text(finding)
    for text in expect.get("unsaid", []):
        assert text not in _text(finding)
    if "isolating" in expect:
        assert expect["isolating"] == [f"{ref.namespace}/{ref.name}" for ref in finding.isolating]
    if "nearest" in expect:
        near = [f"{rule.policy.namespace}/{rule.policy.name} {rule.rule}" for rule in finding.nearest[:1]]
        assert near == ([expect["nearest"]] if expect["nearest"] is not None else [])


@pytest.mark.parametrize(
    ("part", "known"),
    [
        ("expect", {"leads", "says", "unsaid", "isolating", "nearest"} | FIELDS),
        (
            "flow",
            {
                "from",
                "to",
                "src",
                "dst",
                "port",
                "icmp",
                "direction",
                "node",
                "at",
                "last",
                "count",
                "interval_s",
            }
            | {
                "verdict",
                "verdict_raw",
                "cause",
                "reason",
                "reason_raw",
                "code",
                "policies",
                "l7",
                "turned",
                "flags",
            }
            | {"source_ports", "dns_names", "parser", "time_source"},
        ),
        (
            "state",
            {
                "namespaces",
                "nodes",
                "pods",
                "services",
                "policies",
                "objects",
                "kinds",
                "taken",
                "relabelled",
            },
        ),
    ],
)
def test_no_case_says_what_nobody_reads(part, known):
    """A word that is written otherwise would be a case that holds nothing."""
    assert {
        (code, name, key) for code, name, spec in CASES for key in spec.get(part, {}).keys() - known
    } == set()


def test_every_rule_has_a_case_of_each_kind():
    """Fires, silent and unknown, for each code and for nothing else."""
    kinds = defaultdict(set)
    for code, name, _ in CASES:
        kinds[code].add(name.partition("_")[0])

    assert {code: {"fires", "silent", "unknown"} for code in RULES} == dict(kinds)


SPEAK_OF_A_RULE = {
    *(
        "FD101",
        "FD201",
        "FD202",
        "FD203",
        "FD204",
        "FD205",
        "FD206",
        "FD207",
        "FD208",
        "FD210",
        "FD211",
        "FD212",
    ),
    *("FD213", "FD214", "FD215", "FD301", "FD302", "FD303", "FD304", "FD401", "FD504"),
}
"""Codes whose sentence is about one rule of a policy."""


def test_every_cause_has_a_key_in_some_case():
    """What a rule calls one cause becomes one problem, so that a case says what the cause goes by."""
    gives, says = set(), set()
    for code, name, spec in CASES:
        if name.startswith("fires_"):
            gives |= {code for one in diagnose(build_case(spec)) if one.code == code and one.cause_key}
            says |= {code for _ in spec.get("expect", {}).keys() & {"cause_key"}}

    assert gives - says == set()


DECOY = NearestRule(
    policy=PolicyRef("NetworkPolicy", "networking.k8s.io", "elsewhere", "decoy"),
    rule="ingress[0]",
    misses=(Miss(Condition.POD, "app=x", None), Miss(Condition.IP, "192.0.2.0/24", None)),
)
"""A rule of nobody's, farther than any that a sentence is about."""


def test_the_rule_that_a_sentence_is_about_is_shown_first():
    """Even where another one stands before it."""
    about = defaultdict(set)
    for code, name, spec in CASES:
        if not name.startswith("fires_"):
            continue
        case = build_case(spec)
        if case.decision is None:
            continue
        ends = {
            side: structs.replace(end, nearest=(DECOY, *end.nearest))
            for side in ("egress", "ingress")
            if (end := getattr(case.decision, side)) is not None
        }
        decoyed = Case(case.context, case.flow, structs.replace(case.decision, **ends), case.at)
        for one in diagnose(decoyed):
            told = {
                one.summary.find(rule_text(rule)): rule
                for rule in one.nearest
                if rule_text(rule) in one.summary
            }
            if one.code == code and told:
                about[code].add(one.nearest[0] == told[min(told)])

    assert dict(about) == {code: {True} for code in SPEAK_OF_A_RULE}


def test_every_rule_is_documented():
    """Docstrings have every section, and a reference that is an address."""
    for rule in RULES.values():
        found = sections(type(rule))
        assert found[""], rule.code
        for section in SECTIONS:
            assert found.get(section), (rule.code, section)
        assert all(one.startswith("https://") for one in rule.references()), rule.code


def test_every_registered_rule_loads():
    """Nothing in our own entry points is broken."""
    assert broken_rules() == ()
    assert len({rule.slug for rule in RULES.values()}) == len(RULES)


@pytest.mark.parametrize(("code", "name", "spec"), CASES[::7], ids=[f"{c}-{n}" for c, n, _ in CASES[::7]])
def test_the_order_of_rules_never_matters(code, name, spec):
    """The same findings in the same order from a catalogue in another order."""
    case = build_case(spec)
    known = list(rules())
    turned = known[len(name) % len(known) :] + known[: len(name) % len(known)]

    assert diagnose(case) == diagnose(case, reversed(known))
    assert diagnose(case) == diagnose(case, turned), code


@pytest.mark.parametrize(("code", "name", "spec"), CASES, ids=[f"{c}-{n}" for c, n, _ in CASES])
def test_a_rule_has_nothing_to_say_where_the_case_shows_none_of_its_signs(code, name, spec):
    """Asked all the same, no rule finds anything: the signs leave out work and never a finding."""
    case = build_case(spec)

    passed_over = [
        rule
        for rule in rules()
        if rule.needs & case.has == rule.needs
        and rule.passed is case.passed
        and not any(case.signs & wanted == wanted for wanted in rule.signs)
    ]

    assert passed_over or case.passed, (code, name)
    assert {rule.code: list(rule.diagnose(case)) for rule in passed_over} == {
        rule.code: [] for rule in passed_over
    }


@pytest.mark.parametrize(("code", "name", "spec"), CASES, ids=[f"{c}-{n}" for c, n, _ in CASES])
def test_the_leading_finding_is_the_first_of_all(code, name, spec):
    """Asking only until somebody speaks gives what asking everybody gives."""
    case = build_case(spec)
    found = diagnose(case)

    assert leading_finding(case) == (found[0] if found else None), (code, name)
