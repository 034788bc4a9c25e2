"""What must hold of any of Cilium's policies: deny first, order, monotony, the index, unknowns."""

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction, Icmp
from flowdiag.model.policy import Dialect
from flowdiag.policy import PortSet, compile_policies, connections
from tests.policy.scenes import net_policy, outside, pod, pod_end, snapshot

SPACES = {"a": {"team": "x"}, "b": {"team": "y"}}
HEALTH = Endpoint(kind=EndpointKind.ENTITY, entity="health")
LABELS = st.dictionaries(st.sampled_from(("app", "tier")), st.sampled_from(("p", "q")))
PODS = st.lists(st.tuples(st.sampled_from(("a", "b")), LABELS), min_size=2, max_size=3)

plain = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"matchLabels": LABELS}),
    st.builds(
        lambda key, operator: {
            "matchExpressions": [
                {"key": key, "operator": operator}
                | ({"values": ["p"]} if operator in ("In", "NotIn") else {})
            ]
        },
        st.sampled_from(("app", "k8s:tier")),
        st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist")),
    ),
)
scoped = st.one_of(
    plain,
    st.just({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "b"}}),
    st.just({"matchLabels": {"io.cilium.k8s.namespace.labels.team": "x", "app": "p"}}),
    st.just({"matchExpressions": [{"key": "io.kubernetes.pod.namespace", "operator": "Exists"}]}),
    st.just({"matchExpressions": [{"key": "reserved:health", "operator": "Exists"}]}),
    st.just({"matchExpressions": [{"key": "reserved:health", "operator": "DoesNotExist"}]}),
)
CIDRS = st.sampled_from(("0.0.0.0/0", "203.0.113.0/24", "203.0.113.7/32", "10.0.0.0/8"))
ENTITIES = st.sampled_from(("all", "world", "cluster", "health", "none", "world-ipv6"))
SETS = st.sampled_from(
    (
        {"cidr": "203.0.113.0/24", "except": ["203.0.113.0/29"]},
        {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]},
    )
)
ports = st.one_of(
    st.fixed_dictionaries({"port": st.sampled_from(("80", "8080", "0"))}),
    st.just({"port": "79", "endPort": 81, "protocol": "TCP"}),
    st.just({"port": "80", "protocol": "UDP"}),
)
INGRESS, EGRESS = "ingress", "egress"
WORDS = {INGRESS: "from", EGRESS: "to"}


def elements(word):
    peers = st.one_of(
        st.just({}),
        st.fixed_dictionaries({f"{word}Endpoints": st.lists(scoped, max_size=2)}),
        st.fixed_dictionaries({f"{word}CIDR": st.lists(CIDRS, max_size=2)}),
        st.fixed_dictionaries({f"{word}CIDRSet": st.lists(SETS, min_size=1, max_size=1)}),
        st.fixed_dictionaries({f"{word}Entities": st.lists(ENTITIES, max_size=2)}),
    )
    lists = st.lists(ports, min_size=1, max_size=2).map(lambda items: [{"ports": items}])
    more = st.one_of(
        st.just({}),
        st.fixed_dictionaries({"toPorts": lists}),
        st.just({"icmps": [{"fields": [{"type": 8}]}]}),
    )
    return st.builds(lambda one, other: {**one, **other}, peers, more)


specs = st.fixed_dictionaries(
    {"endpointSelector": plain},
    optional={
        "ingress": st.lists(elements("from"), max_size=2),
        "ingressDeny": st.lists(elements("from"), max_size=1),
        "egress": st.lists(elements("to"), max_size=2),
        "egressDeny": st.lists(elements("to"), max_size=1),
        "enableDefaultDeny": st.fixed_dictionaries(
            {}, optional={"ingress": st.booleans(), "egress": st.booleans()}
        ),
    },
)
written = st.lists(st.tuples(st.sampled_from(("a", "b", None)), specs), max_size=4)


def cilium(space, name, spec):
    kind = "CiliumNetworkPolicy" if space else "CiliumClusterwideNetworkPolicy"
    return net_policy(space, name, spec, kind=kind, group="cilium.io", version="v2")


def build(made, policies):
    pods = [
        pod(space, f"p{index}", labels, ip=f"10.0.0.{index}") for index, (space, labels) in enumerate(made)
    ]
    objects = [cilium(space, f"n{index}", spec) for index, (space, spec) in enumerate(policies)]
    return snapshot(pods, objects, namespaces=SPACES)


def compiled(state):
    return compile_policies(state, dialect=Dialect.CILIUM)


TRAFFIC = (("TCP", 80, None), ("UDP", 80, None), ("ICMP", None, 8))


def questions(state):
    """Ends as (who, endpoint): a pod, an address outside, or the word of a reserved endpoint."""
    ends = [(one, pod_end(one)) for one in state.pods]
    ends += [("203.0.113.7", outside("203.0.113.7")), ("health", HEALTH)]
    for source in ends:
        for target in ends:
            if source is not target and not (isinstance(source[0], str) and isinstance(target[0], str)):
                for traffic in TRAFFIC:
                    yield source, target, traffic


def verdicts(state):
    found = compiled(state)
    return [ask(found, *question).allowed for question in questions(state)]


def ask(found, source, target, traffic):
    protocol, number, kind = traffic
    icmp = None if kind is None else Icmp(kind, 0)
    return found.evaluate(source[1], target[1], protocol, number, icmp=icmp)


# A second, slow reading, straight from the reference: no index, no classes, no identities' labels but a dict.


def identity(end):
    if isinstance(end, str):
        return {"reserved:health": ""} if end == "health" else {"reserved:world": ""}
    found = {f"k8s:{key}": value for key, value in end.labels.items()}
    found["k8s:io.kubernetes.pod.namespace"] = end.namespace
    found["k8s:io.cilium.k8s.namespace.labels.team"] = SPACES[end.namespace]["team"]
    return found


def holds(selector, labels, space=None, *, scope=False):
    wanted = [(key, "In", [value]) for key, value in (selector.get("matchLabels") or {}).items()]
    wanted += [
        (each["key"], each["operator"], each.get("values")) for each in selector.get("matchExpressions") or ()
    ]
    keys = [key.removeprefix("k8s:") for key, _, _ in wanted]
    if scope and not any(key.startswith("reserved:") for key in keys):
        named = "io.kubernetes.pod.namespace" in keys
        if not named and space is None:
            wanted.append(("k8s:io.kubernetes.pod.namespace", "Exists", None))
        elif not named and not any(key.startswith("io.cilium.k8s.namespace.labels.") for key in keys):
            wanted.append(("k8s:io.kubernetes.pod.namespace", "In", [space]))
    for key, operator, values in wanted:
        value = labels.get(key if ":" in key else f"k8s:{key}")
        good = {
            "In": value is not None and value in (values or ()),
            "NotIn": value is None or value not in (values or ()),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[operator]
        if not good:
            return False
    return True


def in_range(end, cidr):
    return (
        isinstance(end, str) and end != "health" and ipaddress.ip_address(end) in ipaddress.ip_network(cidr)
    )


def is_entity(end, word):
    world = isinstance(end, str) and end != "health"
    return {
        "all": True,
        "none": False,
        "world": world,
        "world-ipv6": False,
        "cluster": not world,
        "health": end == "health",
    }[word]


def admits(element, word, space, end, traffic):
    protocol, number, kind = traffic
    lists = [key for key in element if key.startswith(word) and key != "toPorts"]
    if not lists and not element.get("toPorts") and not element.get("icmps"):
        return False
    for key in lists:
        tests = {
            "Endpoints": lambda each: holds(each, identity(end), space, scope=True),
            "CIDR": lambda each: in_range(end, each),
            "CIDRSet": lambda each: (
                in_range(end, each["cidr"]) and not any(in_range(end, inner) for inner in each["except"])
            ),
            "Entities": lambda each: is_entity(end, each),
        }
        if not any(tests[key.removeprefix(word)](each) for each in element[key]):
            return False
    if element.get("icmps"):
        return protocol == "ICMP" and kind == 8
    if element.get("toPorts"):
        if number is None:
            return False
        for each in element["toPorts"][0]["ports"]:
            low = int(each["port"])
            inside = low == 0 or low <= number <= each.get("endPort", low)
            if inside and each.get("protocol", protocol) == protocol:
                return True
        return False
    return True


def one_end(policies, direction, subject, peer, traffic):
    isolated, allowed = False, False
    for space, spec in policies:
        if subject == "health" and space is not None:
            continue
        if space is not None and subject.namespace != space:
            continue
        if not holds(spec["endpointSelector"], identity(subject)):
            continue
        if not any(spec.get(each) for each in ("ingress", "ingressDeny", "egress", "egressDeny")) and not (
            spec.get("enableDefaultDeny")
        ):
            continue
        listed = bool(spec.get(direction) or spec.get(f"{direction}Deny"))
        isolated |= spec.get("enableDefaultDeny", {}).get(direction, listed)
        word = WORDS[direction]
        if any(admits(each, word, space, peer, traffic) for each in spec.get(f"{direction}Deny") or ()):
            return False
        allowed |= any(admits(each, word, space, peer, traffic) for each in spec.get(direction) or ())
    return allowed or not isolated


def slowly(policies, source, target, traffic):
    ends = ((EGRESS, source[0], target[0]), (INGRESS, target[0], source[0]))
    return all(
        one_end(policies, direction, subject, peer, traffic)
        for direction, subject, peer in ends
        if subject == "health" or not isinstance(subject, str)
    )


@settings(max_examples=150, deadline=None)
@given(PODS, written)
def test_the_index_agrees_with_a_slow_reading(made, policies):
    """Classes, identities and bit sets change no verdict."""
    state = build(made, policies)

    assert [slowly(policies, *question) for question in questions(state)] == verdicts(state)


@settings(max_examples=60, deadline=None)
@given(PODS, written, st.sampled_from((INGRESS, EGRESS)), st.data())
def test_deny_always_wins(made, policies, direction, data):
    """What an added denial admits is refused, and nothing else changes."""
    element = data.draw(elements(WORDS[direction]))
    denial = {
        "endpointSelector": {},
        "enableDefaultDeny": {"ingress": False, "egress": False},
        f"{direction}Deny": [element],
    }
    state = build(made, policies)
    after = verdicts(build(made, [*policies, (None, denial)]))

    for question, before, now in zip(questions(state), verdicts(state), after, strict=True):
        source, target, traffic = question
        subject, peer = (source, target) if direction == EGRESS else (target, source)
        policed = subject[0] == "health" or not isinstance(subject[0], str)
        refused = policed and admits(element, WORDS[direction], None, peer[0], traffic)
        assert now is (False if refused else before)


@settings(max_examples=60, deadline=None)
@given(PODS, written, st.data())
def test_an_added_allow_never_removes_an_allow(made, policies, data):
    """An element more in a list of allows only opens, where the direction was isolated before."""
    direction = data.draw(st.sampled_from((INGRESS, EGRESS)))
    if not any(spec.get(direction) for _, spec in policies):
        first = {"endpointSelector": {}, direction: [data.draw(elements(WORDS[direction]))]}
        policies = [*policies, ("a", first)]
    places = [place for place, (_, spec) in enumerate(policies) if spec.get(direction)]
    place = data.draw(st.sampled_from(places))
    space, spec = policies[place]
    wider = {**spec, direction: [*spec[direction], data.draw(elements(WORDS[direction]))]}
    grown = build(made, [*policies[:place], (space, wider), *policies[place + 1 :]])

    for before, after in zip(verdicts(build(made, policies)), verdicts(grown), strict=True):
        assert after or not before


@settings(max_examples=50, deadline=None)
@given(PODS, written, st.randoms(use_true_random=False))
def test_order_never_matters(made, policies, dice):
    """Neither for the verdict nor for what is told of it."""
    state = build(made, policies)
    mixed = list(state.policies)
    dice.shuffle(mixed)
    one, other = compiled(state), compiled(structs.replace(state, policies=tuple(mixed)))

    for question in questions(state):
        assert ask(one, *question) == ask(other, *question)


OPEN = st.one_of(
    st.just({"toFQDNs": [{"matchName": "www.example.org"}]}),
    st.just({"toEntities": ["kube-apiserver"]}),
    st.just({"toEndpoints": [{}], "authentication": {"mode": "required"}}),
    st.just({"toMoon": [{}]}),
    st.just({"toCIDRSet": [{"cidrGroupRef": "nobody"}]}),
    st.just({"toRequires": [{"matchLabels": {"app": "p"}}]}),
)


@settings(max_examples=60, deadline=None)
@given(PODS, written, st.lists(OPEN, min_size=1, max_size=2), plain)
def test_an_unknown_is_not_settled_by_an_unrelated_policy(made, policies, unclear, selector):
    """A policy over pods that do not exist changes nothing, and unknown stays unknown."""
    doubtful = ("a", {"endpointSelector": selector, "egress": unclear})
    stranger = {
        "endpointSelector": {"matchLabels": {"app": "nobody"}},
        "egressDeny": [{"toEntities": ["all"]}],
    }
    state = build(made, [*policies, doubtful])
    more = build(made, [*policies, doubtful, ("a", stranger), (None, stranger)])

    assert verdicts(state) == verdicts(more)


@settings(max_examples=60, deadline=None)
@given(PODS, written, st.lists(OPEN, min_size=1, max_size=2), plain)
def test_an_unclear_rule_is_never_a_silent_match_or_miss(made, policies, unclear, selector):
    """A verdict beside unclear rules is the one that holds with or without what they may admit or refuse."""
    subject = ("a", {"endpointSelector": selector, "egress": [{}]})
    everything = ("a", {"endpointSelector": selector, "egress": [{"toEntities": ["all"]}]})
    nothing = ("a", {"endpointSelector": selector, "egress": [{}], "egressDeny": [{"toEntities": ["all"]}]})
    doubtful = ("a", {"endpointSelector": selector, "egress": unclear})
    bounds = [verdicts(build(made, [*policies, each])) for each in (subject, everything, nothing)]
    found = verdicts(build(made, [*policies, doubtful]))

    for now, closed, opened, refused in zip(found, *bounds, strict=True):
        assert now is None or now in (closed, opened, refused)
        if closed == opened == refused:
            assert now is closed


@settings(max_examples=50, deadline=None)
@given(PODS, written)
def test_a_refusal_tells_what_was_wanted_and_found(made, policies):
    """Every nearest rule of a refusal misses something, and says what in words."""
    state = build(made, policies)
    found = compiled(state)
    for question in questions(state):
        decision = ask(found, *question)
        for end in (decision.egress, decision.ingress):
            for rule in () if end is None or end.allowed is not False else end.nearest:
                assert rule.misses
                assert all(each.wanted for each in rule.misses)


@settings(max_examples=60, deadline=None)
@given(PODS, written)
def test_connections_are_the_ports_that_are_allowed_one_by_one(made, policies):
    """The symbolic sets hold exactly the ports that a question allows, at every edge."""
    state = build(made, policies)
    found = compiled(state)
    src, dst = (pod_end(one) for one in state.pods[:2])
    sets = connections(found, src, dst)
    for protocol in ("TCP", "UDP", "SCTP"):
        for number in (1, 78, 79, 81, 82, 80, 8079, 8080, 8081, 65535):
            allowed = found.evaluate(src, dst, protocol, number, nearest=False).allowed
            assert allowed is (number in sets.get(protocol, PortSet()))


@settings(max_examples=60, deadline=None)
@given(PODS, written)
def test_the_isolating_set_is_every_policy_with_default_deny(made, policies):
    """All of them are named, none that only selects."""
    state = build(made, policies)
    found = compiled(state)
    for one in state.pods:
        for direction in Direction:
            wanted = set()
            for index, (space, spec) in enumerate(policies):
                word = direction.value
                rules = any(spec.get(each) for each in ("ingress", "ingressDeny", "egress", "egressDeny"))
                if not rules and not spec.get("enableDefaultDeny"):
                    continue
                listed = bool(spec.get(word) or spec.get(f"{word}Deny"))
                if (
                    space in (None, one.namespace)
                    and holds(spec["endpointSelector"], identity(one))
                    and spec.get("enableDefaultDeny", {}).get(word, listed)
                ):
                    wanted.add(f"n{index}")
            assert wanted == {ref.name for ref in found.isolating(pod_end(one), direction)}
