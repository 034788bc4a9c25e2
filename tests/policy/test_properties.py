"""What must hold of any policies over any pods: order, monotony, the index, counterfactuals, unknowns."""

import random

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from flowdiag.model.event import Direction
from flowdiag.model.policy import Condition, Dialect, IpBlockPods
from flowdiag.policy import PortSet, compile_policies, connections
from flowdiag.policy.ports import ALL_PORTS
from tests.policy.naive import allows
from tests.policy.scenes import net_policy, outside, pod, pod_end, snapshot

SPACES = {"a": {"team": "x"}, "b": {"team": "y"}}
LABELS = st.dictionaries(st.sampled_from(("app", "tier")), st.sampled_from(("p", "q")))
PODS = st.lists(st.tuples(st.sampled_from(("a", "b")), LABELS), min_size=2, max_size=4)

selectors = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"matchLabels": LABELS}),
    st.builds(
        lambda key, operator, values: {
            "matchExpressions": [
                {"key": key, "operator": operator}
                | ({"values": values} if operator in ("In", "NotIn") else {})
            ]
        },
        st.sampled_from(("app", "tier", "team")),
        st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist")),
        st.lists(st.sampled_from(("p", "q", "x")), min_size=1, max_size=2, unique=True),
    ),
)
blocks = st.one_of(
    st.builds(lambda cidr: {"cidr": cidr}, st.sampled_from(("10.0.0.0/31", "203.0.113.0/24", "0.0.0.0/0"))),
    st.just({"cidr": "10.0.0.0/8", "except": ["10.0.0.1/32"]}),
)
peers = st.one_of(
    st.fixed_dictionaries({"podSelector": selectors}),
    st.fixed_dictionaries({"namespaceSelector": selectors}),
    st.fixed_dictionaries({"namespaceSelector": selectors, "podSelector": selectors}),
    st.fixed_dictionaries({"ipBlock": blocks}),
)
ports = st.one_of(
    st.fixed_dictionaries({"port": st.sampled_from((80, 8080, "http"))}),
    st.fixed_dictionaries({"port": st.just(79), "endPort": st.just(81)}),
    st.fixed_dictionaries({"protocol": st.just("UDP")}),
)


def rules(word):
    return st.fixed_dictionaries(
        {word: st.lists(peers, max_size=2)}, optional={"ports": st.lists(ports, max_size=2)}
    )


specs = st.fixed_dictionaries(
    {"podSelector": selectors},
    optional={
        "policyTypes": st.lists(st.sampled_from(("Ingress", "Egress")), max_size=2, unique=True),
        "ingress": st.lists(rules("from"), max_size=2),
        "egress": st.lists(rules("to"), max_size=2),
    },
)
policies = st.lists(st.tuples(st.sampled_from(("a", "b")), specs), max_size=4)


def build(made, written):
    pods = [
        pod(space, f"p{index}", labels, ip=f"10.0.0.{index}", ports=[("http", 8080, "TCP")])
        for index, (space, labels) in enumerate(made)
    ]
    objects = [net_policy(space, f"n{index}", spec) for index, (space, spec) in enumerate(written)]
    return snapshot(pods, objects, namespaces=SPACES)


def compiled(state, **more):
    return compile_policies(
        state, **({"dialect": Dialect.KUBERNETES, "ip_block_pods": IpBlockPods.MATCH} | more)
    )


def questions(state):
    ends = [(one, pod_end(one), one.ips[0]) for one in state.pods] + [
        (None, outside("203.0.113.7"), "203.0.113.7")
    ]
    for source in ends:
        for target in ends:
            if source is not target and (source[0] is not None or target[0] is not None):
                for protocol, number in (("TCP", 80), ("TCP", 8080), ("UDP", 80)):
                    yield source, target, protocol, number


def verdicts(state, **more):
    found = compiled(state, **more)
    return [
        found.evaluate(src[1], dst[1], protocol, number).allowed
        for src, dst, protocol, number in questions(state)
    ]


@settings(max_examples=80, deadline=None)
@given(PODS, policies)
def test_the_index_agrees_with_a_naive_reading(made, written):
    """Classes, bit sets and memory change no verdict."""
    state = build(made, written)
    wanted = [
        allows(state.policies, state.namespaces, (src[0], src[2]), (dst[0], dst[2]), protocol, number)
        for src, dst, protocol, number in questions(state)
    ]

    assert wanted == verdicts(state)


@settings(max_examples=40, deadline=None)
@given(PODS, policies, st.randoms(use_true_random=False))
def test_the_order_of_additive_policies_never_matters(made, written, dice):
    """Neither for the verdict nor for what is told of it."""
    state = build(made, written)
    mixed = list(state.policies)
    dice.shuffle(mixed)
    shuffled = structs.replace(state, policies=tuple(mixed))
    one, other = compiled(state), compiled(shuffled)

    for src, dst, protocol, number in questions(state):
        assert one.evaluate(src[1], dst[1], protocol, number) == other.evaluate(
            src[1], dst[1], protocol, number
        )


@settings(max_examples=40, deadline=None)
@given(PODS, policies.filter(bool), st.data())
def test_an_added_allow_rule_never_removes_an_allow(made, written, data):
    """Additive policies only open, once a pod is isolated."""
    state = build(made, written)
    place = data.draw(st.integers(0, len(written) - 1))
    word, direction = data.draw(st.sampled_from((("from", "ingress"), ("to", "egress"))))
    rule = data.draw(rules(word))
    space, spec = written[place]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    wider = {**spec, "policyTypes": types, direction: [*spec.get(direction, []), rule]}
    grown = build(made, [*written[:place], (space, wider), *written[place + 1 :]])

    for before, after in zip(verdicts(state), verdicts(grown), strict=True):
        assert after or not before


@settings(max_examples=40, deadline=None)
@given(PODS, policies)
def test_an_unknown_is_not_settled_by_a_policy_that_has_nothing_to_do_with_it(made, written):
    """A policy over pods that do not exist changes nothing."""
    state = build(made, written)
    stranger = net_policy("a", "zz", {"podSelector": {"matchLabels": {"app": "nobody"}}})
    more = structs.replace(state, policies=(*state.policies, stranger))

    assert verdicts(state, ip_block_pods=IpBlockPods.AUTO) == verdicts(more, ip_block_pods=IpBlockPods.AUTO)


@settings(max_examples=40, deadline=None)
@given(PODS, policies)
def test_an_unknown_verdict_is_the_one_that_differs_between_enforcers(made, written):
    """Where the API leaves ipBlock open, a verdict is given exactly where both readings agree."""
    state = build(made, written)
    both = zip(verdicts(state), verdicts(state, ip_block_pods=IpBlockPods.NO_MATCH), strict=True)
    auto = verdicts(state, ip_block_pods=IpBlockPods.AUTO)

    for (match, no_match), found in zip(both, auto, strict=True):
        assert found in ((match, None) if match == no_match else (None,))


def closing(direction, word):
    """A policy for all pods of its namespace, with rules that select peers by labels."""
    peer = st.fixed_dictionaries(
        {"podSelector": st.fixed_dictionaries({"matchLabels": LABELS})},
        optional={"namespaceSelector": st.just({})},
    )
    rule = st.fixed_dictionaries({word: st.lists(peer, min_size=1, max_size=2)})
    return st.fixed_dictionaries(
        {
            "podSelector": st.just({}),
            "policyTypes": st.just([direction.title()]),
            direction: st.lists(rule, min_size=1, max_size=2),
        }
    )


CLOSING = st.tuples(
    st.sampled_from(("a", "b")), st.one_of(closing("ingress", "from"), closing("egress", "to"))
)


@settings(max_examples=60, deadline=None)
@given(PODS, st.lists(CLOSING, min_size=1, max_size=3))
def test_meeting_what_the_nearest_rule_missed_turns_it_into_a_match(made, written):
    """With the wanted labels, the rule that came nearest no longer stands among the misses."""
    state = build(made, written)
    found = compiled(state)
    met = []
    for src, dst, protocol, number in questions(state):
        if src[0] is None or dst[0] is None:
            continue
        decision = found.evaluate(src[1], dst[1], protocol, number)
        for direction, end, peer in (
            (Direction.EGRESS, decision.egress, dst[0]),
            (Direction.INGRESS, decision.ingress, src[0]),
        ):
            if end is None or not end.nearest:
                continue
            misses = end.nearest[0].misses
            wanted = dict(miss.wanted.split("=", 1) for miss in misses if miss.condition is Condition.POD)
            if len(wanted) < len(misses):
                continue
            moved = structs.replace(peer, labels=peer.labels | wanted)
            changed = structs.replace(
                state, pods=tuple(moved if each is peer else each for each in state.pods)
            )
            again = compiled(changed).evaluate(
                pod_end(moved) if peer is src[0] else src[1],
                pod_end(moved) if peer is dst[0] else dst[1],
                protocol,
                number,
            )
            met.append((again.egress if direction is Direction.EGRESS else again.ingress).allowed)

    assume(met)
    assert set(met) == {True}


@settings(max_examples=40, deadline=None)
@given(PODS, policies)
def test_connections_are_the_ports_that_are_allowed_one_by_one(made, written):
    """The symbolic sets hold exactly the ports that a question allows, at every edge."""
    state = build(made, written)
    found = compiled(state)
    src, dst = (pod_end(one) for one in state.pods[:2])
    sets = connections(found, src, dst)
    for protocol in ("TCP", "UDP", "SCTP"):
        for number in (1, 78, 79, 80, 81, 82, 8079, 8080, 8081, 65535):
            allowed = found.evaluate(src, dst, protocol, number, nearest=False).allowed
            assert allowed is (number in sets.get(protocol, PortSet()))


RANGES = st.lists(st.tuples(st.integers(-5, 70000), st.integers(-5, 70000)), max_size=4)


@settings(max_examples=100, deadline=None)
@given(RANGES, RANGES)
def test_port_sets_are_an_algebra(one, other):
    """Union, intersection, difference and complement agree with sets of numbers."""
    left, right = PortSet(one), PortSet(other)
    probes = random.Random(7).sample(range(1, 65536), 200)  # noqa: S311 - probes, no secrets
    probes += [edge for low, high in (*left, *right) for edge in (low, high)]

    for port in probes:
        assert (port in (left | right)) is (port in left or port in right)
        assert (port in (left & right)) is (port in left and port in right)
        assert (port in (left - right)) is (port in left and port not in right)
    assert ~left | left == ALL_PORTS
    assert len(left) + len(~left) == len(ALL_PORTS)
    assert (left <= right) is (left | right == right)
    assert PortSet(tuple(left)) == left
