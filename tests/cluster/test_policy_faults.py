"""Faults of selectors anywhere in a policy."""

from hypothesis import given
from hypothesis import strategies as st

from flowdiag.cluster.validity import _may_err, _selectors, policy_problems

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
