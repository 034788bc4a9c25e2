"""Faults of selectors anywhere in a policy."""

from hypothesis import given
from hypothesis import strategies as st

from flowdiag.cluster.quick_validity import is_plainly_valid
from flowdiag.cluster.validity import _may_err, _network_policy, _selectors, policy_problems

KEYS = st.sampled_from(
    ["matchLabels", "matchExpressions", "podSelector", "from", "key", "operator", "values"]
)
SPECS = st.dictionaries(
    KEYS,
    st.recursive(
        st.one_of(st.none(), st.integers(), st.sampled_from(["In", "Exists", "app", "Gt"])),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
        max_leaves=12,
    ),
    max_size=4,
)


@given(SPECS)
def test_where_nothing_is_to_be_looked_at_nothing_is_wrong(spec):
    """The short look leaves out work and never a fault."""
    assert _may_err(spec) or list(_selectors(spec, "", 0)) == []


def test_faults_are_found_however_deep_they_lie():
    """With the path at which they stand."""
    spec = {"ingress": [{"from": [{"podSelector": {"matchLabels": "web"}}]}]}
    deeper = {"egress": [{"to": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "Is"}]}}]}]}

    assert policy_problems("cilium.io", "CiliumNetworkPolicy", spec) == (
        "ingress[0].from[0].podSelector.matchLabels: not a map of labels",
    )
    assert policy_problems("cilium.io", "CiliumNetworkPolicy", deeper) == (
        "egress[0].to[0].podSelector.matchExpressions[0]: unknown operator 'Is'",
    )


SELECTORS = st.sampled_from(
    [
        None,
        {},
        {"matchLabels": {"app": "web"}},
        {"matchLabels": {"app": 1}},
        {"matchLabels": None},
        {"matchLabels": []},
        {"matchlabels": {}},
        {"matchExpressions": [{"key": "app", "operator": "In"}]},
        [],
    ]
)
PEERS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "podSelector": SELECTORS,
            "namespaceSelector": SELECTORS,
            "ipBlock": st.just({"cidr": "10.0.0.1"}),
            "pods": st.none(),
        },
    ),
)
PORTS = st.fixed_dictionaries(
    {},
    optional={
        "port": st.sampled_from([80, 0, 65536, "http", True, None, 1.5]),
        "protocol": st.sampled_from(["TCP", "tcp", None]),
        "endPort": st.sampled_from([90, 1, None]),
    },
)
RULES = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "from": st.lists(PEERS, max_size=2),
            "to": st.one_of(st.lists(PEERS, max_size=2), st.just({})),
            "ports": st.lists(PORTS, max_size=2),
        },
    ),
)
NETWORK_POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "podSelector": SELECTORS,
        "policyTypes": st.lists(st.sampled_from(["Ingress", "Egress", "ingress", None]), max_size=2),
        "ingress": st.one_of(st.lists(RULES, max_size=2), st.just("all")),
        "egress": st.lists(RULES, max_size=2),
    },
)


@given(NETWORK_POLICIES)
def test_what_is_sound_at_first_sight_has_no_fault(spec):
    """The type that most NetworkPolicies have admits none of which the long look has something to say."""
    assert not is_plainly_valid(spec) or [*_selectors(spec, "", 0), *_network_policy(spec)] == []


def test_an_ordinary_policy_is_sound_at_first_sight():
    """Labels, named and numbered ports, rules for all: the long look is for others."""
    rules = [{}, {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 80}]}]
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": rules, "egress": [{"to": []}]}

    assert is_plainly_valid(spec)
    assert not is_plainly_valid(spec | {"ingress": [{"from": [{}]}]})
