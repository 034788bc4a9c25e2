"""Looking rules up by what ends show, and measuring only those that may come near, changes no answer."""

from contextlib import ExitStack, contextmanager
from itertools import product
from unittest.mock import patch

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction, WorkloadRef
from flowdiag.model.policy import Dialect, IpBlockPods
from flowdiag.policy import compile_policies, nearest, peer_answers, register, selecting
from flowdiag.policy.demands import demands_of, shown
from flowdiag.policy.facts import OUTSIDE
from flowdiag.policy.model import Outcome, Traffic
from flowdiag.policy.nearest import MAX_NEAREST, candidates, nearest_rules
from flowdiag.policy.shortlist import Shortlist
from tests.policy import test_cilium_properties as cilium
from tests.policy import test_properties as kubernetes
from tests.policy.scenes import net_policy, outside, pod, pod_end, raw, snapshot

SEARCH = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example asks thousands of questions: shrinking one would take minutes."""

TRAFFIC = [Traffic("TCP", 80), Traffic("TCP", 8080), Traffic("UDP", 80), Traffic("ICMP", None)]
SELECTORS = st.sampled_from(
    (
        "app == 'p'",
        "app == 'p' && tier == 'q'",
        "app in {'p', 'q'}",
        "has(tier)",
        "!has(tier)",
        "app == 'p' || tier == 'p'",
        "app != 'p'",
        "all()",
        "pcns.team == 'x'",
        "pcsa.role == 'x' && app == 'p'",
    )
)
entities = st.fixed_dictionaries(
    {},
    optional={
        "selector": SELECTORS,
        "notSelector": SELECTORS,
        "namespaceSelector": st.sampled_from(("team == 'x'", "all()", "global()")),
        "nets": st.lists(st.sampled_from(("10.0.0.0/30", "203.0.113.0/24")), min_size=1, max_size=2),
        "notNets": st.just(["203.0.113.7/32"]),
    },
)
calico_rules = st.builds(
    lambda action, source, destination, ports: {
        "action": action,
        "protocol": "TCP",
        "source": source,
        "destination": {**destination, **({"ports": ports} if ports else {})},
    },
    st.sampled_from(("Allow", "Deny", "Pass", "Log")),
    entities,
    entities,
    st.sampled_from(((), (80,), (443, 8080))),
)
calico_specs = st.fixed_dictionaries(
    {"selector": SELECTORS, "ingress": st.lists(calico_rules, max_size=4)},
    optional={"egress": st.lists(calico_rules, max_size=4), "order": st.sampled_from((1, 2))},
)


def of_kubernetes(made, written):
    return kubernetes.build(made, written)


def of_cilium(made, written):
    pods = [pod(space, f"p{i}", labels, ip=f"10.0.0.{i}") for i, (space, labels) in enumerate(made)]
    objects = [
        net_policy(
            space,
            f"n{i}",
            spec,
            kind="CiliumNetworkPolicy" if space else "CiliumClusterwideNetworkPolicy",
            group="cilium.io",
            version="v2",
        )
        for i, (space, spec) in enumerate(written)
    ]
    return snapshot(pods, objects, namespaces=kubernetes.SPACES)


def of_calico(made, written):
    pods = [pod(space, f"p{i}", labels, ip=f"10.0.0.{i}") for i, (space, labels) in enumerate(made)]
    objects = [
        net_policy(
            space,
            f"n{i}",
            {"types": ["Ingress", "Egress"], **spec},
            kind="NetworkPolicy" if space else "GlobalNetworkPolicy",
            group="projectcalico.org",
            version="v3",
        )
        for i, (space, spec) in enumerate(written)
    ]
    sets = [raw("GlobalNetworkSet", "partners", {"nets": ["198.51.100.0/24"]}, labels={"app": "p"})]
    return snapshot(pods, objects, namespaces=kubernetes.SPACES, others=tuple(sets))


SPACES = st.sampled_from(("a", "b"))
WRITTEN = {
    Dialect.KUBERNETES: (of_kubernetes, st.lists(st.tuples(SPACES, kubernetes.specs), max_size=5)),
    Dialect.CILIUM: (
        of_cilium,
        st.lists(st.tuples(st.sampled_from(("a", "b", None)), cilium.specs), max_size=5),
    ),
    Dialect.CALICO: (
        of_calico,
        st.lists(st.tuples(st.sampled_from(("a", "b", None)), calico_specs), max_size=5),
    ),
}


def ends_of(state):
    """Ends of every sort: known, known in part, and hardly known."""
    labels = (("k8s:app", "p"), ("k8s:io.kubernetes.pod.namespace", "a"))
    return [
        *(pod_end(one) for one in state.pods),
        outside("203.0.113.7"),
        outside("198.51.100.1"),
        outside("2001:db8::1"),
        Endpoint(kind=EndpointKind.EXTERNAL, cidr="203.0.0.0/16"),
        Endpoint(kind=EndpointKind.POD, namespace="a", name="gone", ip="10.0.0.9"),
        Endpoint(kind=EndpointKind.POD, namespace="a", name="seen", ip="10.0.0.8", identity_labels=labels),
        Endpoint(
            kind=EndpointKind.POD,
            namespace="b",
            name="odd",
            ip="203.0.113.9",
            identity_labels=(("reserved:world", ""),),
        ),
        Endpoint(kind=EndpointKind.WORKLOAD, namespace="a", workload=WorkloadRef("Pod", "p0")),
        Endpoint(kind=EndpointKind.NODE, name="n1", ip="192.0.2.1"),
        Endpoint(kind=EndpointKind.ENTITY, entity="world"),
        Endpoint(kind=EndpointKind.UNKNOWN, ip="192.0.2.99"),
    ]


def compiled(state, dialect, ip_block_pods):
    return compile_policies(state, dialect=dialect, ip_block_pods=ip_block_pods)


@contextmanager
def looking_up():
    """Every set of rules is looked up, however small."""
    with ExitStack() as stack:
        for module, name in (
            (peer_answers, "_FEW"),
            (peer_answers, "_TRIES"),
            (selecting, "_FEW"),
            (selecting, "_TRIES"),
            (nearest, "_FEW"),
        ):
            stack.enter_context(patch.object(module, name, 0))
        yield


def exhaustive(plan, rules, *asked):
    """The nearest rules by measuring every alternative of every rule."""
    missing = [
        each for each in sorted(candidates(plan, rules, *asked)) if each.check.outcome is not Outcome.MATCH
    ]
    return [
        (plan.policies[plan.policy_of[each.position]].ref, each.path, each.check.misses, each.check.unknown)
        for each in missing[:MAX_NEAREST]
    ]


@pytest.mark.parametrize("dialect", list(WRITTEN))
@settings(max_examples=40, deadline=None, phases=SEARCH)
@given(st.data(), kubernetes.PODS, st.sampled_from(IpBlockPods))
def test_the_pruned_search_finds_what_the_exhaustive_one_does(dialect, data, made, ip_block_pods):
    """For every pair of ends, every kind of traffic and any set of rules."""
    build, policies = WRITTEN[dialect]
    state = build(made, data.draw(policies))
    found = compiled(state, dialect, ip_block_pods)
    ends = ends_of(state)
    dice = data.draw(st.randoms(use_true_random=False))
    for direction in Direction:
        plan = found.plan(direction)
        for left, right in dice.sample(list(product(ends, ends)), 60):
            subject, peer = found.facts(left, right)
            destination = subject if direction is Direction.INGRESS else peer
            rules = dice.getrandbits(len(plan.rules)) if dice.random() < 0.3 else (1 << len(plan.rules)) - 1
            for traffic in TRAFFIC:
                asked = (subject, peer, traffic, destination)
                with looking_up():
                    pruned = nearest_rules(plan, rules, *asked)
                told = [(each.policy, each.rule, each.misses, each.unknown) for each in pruned]
                assert told == exhaustive(plan, rules, *asked)


@pytest.mark.parametrize("dialect", list(WRITTEN))
@settings(max_examples=10, deadline=None, phases=SEARCH)
@given(st.data(), kubernetes.PODS, st.sampled_from(IpBlockPods))
def test_what_is_looked_up_decides_as_what_is_asked_one_by_one(dialect, data, made, ip_block_pods):
    """Verdicts, isolating policies, nearest rules and doubts are the same, whether rules or their peers are looked up."""
    build, policies = WRITTEN[dialect]
    state = build(made, data.draw(policies))
    plain, quick, listed = (compiled(state, dialect, ip_block_pods) for _ in range(3))
    ends = ends_of(state)
    inside = {id(end): plain.facts(end, end)[0].kind not in OUTSIDE for end in ends}
    for src, dst in product(ends, ends):
        for traffic in TRAFFIC if inside[id(src)] or inside[id(dst)] else ():
            asked = (src, dst, traffic.protocol, traffic.port)
            slow = plain.evaluate(*asked)
            with looking_up():
                fast = quick.evaluate(*asked)
            assert fast == slow
            with patch.object(peer_answers, "_MANY", 0):
                fast = listed.evaluate(*asked)
            assert fast == slow


@pytest.mark.parametrize("dialect", list(WRITTEN))
@settings(max_examples=40, deadline=None)
@given(st.data(), kubernetes.PODS)
def test_pods_that_are_looked_up_are_those_that_a_policy_selects(dialect, data, made):
    """Surely or perhaps, for policies of a namespace and of none; the same ends have the same views."""
    build, policies = WRITTEN[dialect]
    state = build(made, data.draw(policies))
    # Of a pod that has no address yet not all is known, and no list holds it.
    state = replace(state, pods=(*state.pods, pod("a", "waits", {"app": "p", "tier": "q"})))
    plain, quick, tried = (compiled(state, dialect, IpBlockPods.AUTO) for _ in range(3))
    for ref in {one.ref for one in state.policies}:
        for unknown in (False, True):
            asked = plain.register.selects(ref, unknown=unknown)
            with patch.object(register, "_TRIES", 0):
                assert quick.register.selects(ref, unknown=unknown) == asked
    for end in map(pod_end, state.pods):
        for direction in Direction:
            with patch.object(selecting, "_FEW", 0):
                assert tried.isolating(end, direction) == plain.isolating(end, direction)


@pytest.mark.parametrize("dialect", list(WRITTEN))
@settings(max_examples=60, deadline=None)
@given(st.data(), kubernetes.PODS, st.sampled_from(IpBlockPods))
def test_a_demand_that_is_not_met_is_a_miss(dialect, data, made, ip_block_pods):
    """A condition tells as many misses at least as it has demands of which an end shows nothing."""
    build, policies = WRITTEN[dialect]
    state = build(made, data.draw(policies))
    found = compiled(state, dialect, ip_block_pods)
    known = [
        (facts, tokens)
        for facts in (found.facts(end, end)[0] for end in ends_of(state))
        if (tokens := shown(facts)) is not None
    ]
    assert known
    conditions = [
        matcher
        for tier in found.tiers
        for policy in tier.policies
        for rules in policy.rules.values()
        for rule in rules
        for peer in rule.peers or ()
        for matcher in peer.matchers
    ]
    for matcher in conditions:
        for facts, tokens in known:
            unmet = [each for each in demands_of(matcher, facts.kind) if not each & set(tokens)]
            check = matcher.check(facts)
            assert len(check.misses) >= len(unmet)
            assert check.outcome is Outcome.MISS or not unmet


@given(
    st.lists(st.lists(st.frozensets(st.sampled_from("abcdef"), max_size=3), max_size=4), max_size=12),
    st.lists(st.sampled_from("abcdefg"), max_size=5, unique=True),
)
def test_a_shortlist_counts_no_demand_as_unmet_that_is_met(wanted, tokens):
    """Every conjunction stands at one level, which is exact where no demand is met twice and never too high."""
    listed = Shortlist(
        [[frozenset((each,) for each in demand) for demand in one] for one in wanted], [0] * len(wanted)
    )
    levels = listed.levels([(each,) for each in tokens])
    for number, demands in enumerate(wanted):
        (unmet,) = [unmet for (unmet, _), bits in levels.items() if bits >> number & 1]
        hits = [len(demand & set(tokens)) for demand in demands]
        assert unmet <= sum(1 for each in hits if not each)
        if all(each <= 1 for each in hits):
            assert unmet == hits.count(0)
    assert listed.possible([(each,) for each in tokens]) == sum(
        bits for (unmet, _), bits in levels.items() if not unmet
    )
