"""Calico's selector language: every operator, precedence, quoting, errors; and against a slow reading."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.calico_selector import SelectorSyntaxError, parse_selector
from flowdiag.policy.model import Outcome

POD = {
    "app": "web",
    "tier": "front-end",
    "a/b.c_d-e": "x",
    "empty": "",
    "in": "in",
    "has": "y",
    "quote": "it's",
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        (" \t ", True),
        ("all()", True),
        ("all( )", True),
        ("global()", True),
        ("app == 'web'", True),
        ("app=='web'", True),
        ('app == "web"', True),
        ("app == 'Web'", False),
        ("nope == 'web'", False),
        ("app != 'web'", False),
        ("app != 'api'", True),
        ("nope != 'web'", True),
        ("app in {'web'}", True),
        ("app in {'api', \"web\"}", True),
        ("app in {'api', 'web',}", True),
        ("app in {}", False),
        ("nope in {'web'}", False),
        ("app in{'web'}", True),
        ("app not in {'web'}", False),
        ("app not in {'api'}", True),
        ("app notin {'api'}", True),
        ("app not in {}", True),
        ("nope not in {'web'}", True),
        ("has(app)", True),
        ("has( app )", True),
        ("has(nope)", False),
        ("!has(nope)", True),
        ("!!has(app)", True),
        ("tier contains 'ont-'", True),
        ("tier contains ''", True),
        ("nope contains ''", False),
        ("empty contains ''", True),
        ("tier starts with 'front'", True),
        ("tier startswith 'front'", True),
        ("tier starts with 'end'", False),
        ("nope starts with ''", False),
        ("tier ends with 'end'", True),
        ("tier endswith 'end'", True),
        ("nope ends with 'end'", False),
        ("app == 'web' && tier == 'front-end'", True),
        ("app == 'web' && tier == 'x'", False),
        ("app == 'x' || tier == 'front-end'", True),
        # && binds closer than ||
        ("app == 'web' || app == 'x' && tier == 'x'", True),
        ("(app == 'web' || app == 'x') && tier == 'x'", False),
        # ! binds to the next operation only
        ("!app == 'web' && tier == 'x'", False),
        ("!app == 'x' && tier == 'front-end'", True),
        ("!(app == 'x' && tier == 'front-end')", True),
        ("! has(app) || all()", True),
        ("a/b.c_d-e == 'x'", True),
        ("in in {'in'}", True),
        ("has == 'y'", True),
        ("has(has)", True),
        ('quote == "it\'s"', True),
        ("((((app == 'web'))))", True),
        ("\tapp\t==\t'web'\t", True),
    ],
)
def test_what_a_selector_matches(text, matches):
    """A missing label fails every test but ``!=`` and ``not in``."""
    assert matches is parse_selector(text).matches(POD)


@pytest.mark.parametrize(
    "text",
    [
        "app",
        "app = 'web'",
        "app == web",
        "app == 'web' & has(app)",
        "app == 'web' | has(app)",
        "app == 'web' has(tier)",
        "app == 'web",
        "app == 'web\"",
        "app in 'web'",
        "app in {'web'",
        "app in {'web' 'api'}",
        "app in {,}",
        "has (app)",
        "has(app",
        "has()",
        "all",
        "all(",
        "some()",
        "(app == 'web'",
        "app == 'web')",
        "&& has(app)",
        "has(app) &&",
        "!",
        "app == 'web'\n",
        "app ==\n'web'",
        "app not 'web'",
        "'app' == 'web'",
        f"{'a' * 513} == 'x'",
        "!" + "(" * 100 + "all()" + ")" * 100,
        "x" * 20_000,
    ],
)
def test_what_calico_refuses_is_an_error_with_its_place(text):
    """Nothing that does not parse is silently everything or nothing."""
    with pytest.raises(SelectorSyntaxError, match="character"):
        parse_selector(text)


def test_a_miss_names_the_label_wanted_and_found():
    """Each failing part of a conjunction is a miss of its own; an absent key has nothing found."""
    answer = parse_selector("app == 'api' && has(tier) && zone in {'a', 'b'}").check(POD, Condition.POD)

    assert Outcome.MISS is answer.outcome
    assert (
        Miss(Condition.POD, "app=api", "app=web"),
        Miss(Condition.POD, "zone in {a,b}", None),
    ) == answer.misses


def test_labels_that_are_not_known_make_no_answer():
    """Unknown where it matters only: another part may settle it."""
    partial = parse_selector("app == 'web' && zone == 'a'").check(POD, Condition.POD, complete=False)
    settled = parse_selector("app == 'api' && zone == 'a'").check(POD, Condition.POD, complete=False)
    account = parse_selector("pcsa.team == 'x'").check(POD, Condition.POD, doubtful="pcsa.")

    assert [each.outcome for each in (partial, settled, account)] == [
        Outcome.UNKNOWN,
        Outcome.MISS,
        Outcome.UNKNOWN,
    ]
    assert Outcome.UNKNOWN is parse_selector("has(app)").check(None, Condition.POD).outcome
    assert Outcome.MATCH is parse_selector("").check(None, Condition.POD).outcome


KEYS = ("app", "tier", "in", "zone")
VALUES = ("", "a", "ab", "b")

tests = st.one_of(
    st.tuples(
        st.sampled_from(("==", "!=", "contains", "starts with", "ends with")),
        st.sampled_from(KEYS),
        st.sampled_from(VALUES),
    ),
    st.tuples(
        st.sampled_from(("in", "not in")),
        st.sampled_from(KEYS),
        st.lists(st.sampled_from(VALUES), max_size=3),
    ),
    st.tuples(st.just("has"), st.sampled_from(KEYS)),
    st.sampled_from((("all",), ("global",))),
)
trees = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(("&&", "||")), inner, inner),
    ),
    max_leaves=12,
)


def written(tree, quote):
    """A tree in Calico's spelling, with every parenthesis."""
    word = tree[0]
    if word in ("&&", "||"):
        return f"({written(tree[1], quote)} {word} {written(tree[2], quote)})"
    if word == "not":
        return f"!({written(tree[1], quote)})"
    if word in ("all", "global"):
        return f"{word}()"
    if word == "has":
        return f"has({tree[1]})"
    if word in ("in", "not in"):
        return f"{tree[1]} {word} {{{', '.join(quote + value + quote for value in tree[2])}}}"
    return f"{tree[1]} {word} {quote}{tree[2]}{quote}"


def slow(tree, labels):
    """The same tree read straight from the language's description."""
    word = tree[0]
    if word == "&&":
        return slow(tree[1], labels) and slow(tree[2], labels)
    if word == "||":
        return slow(tree[1], labels) or slow(tree[2], labels)
    if word == "not":
        return not slow(tree[1], labels)
    if word in ("all", "global"):
        return True
    present = tree[1] in labels
    if word == "has":
        return present
    if word in ("!=", "not in"):
        refused = [tree[2]] if word == "!=" else tree[2]
        return not present or labels[tree[1]] not in refused
    if not present:
        return False
    value = labels[tree[1]]
    return {
        "==": lambda: value == tree[2],
        "in": lambda: value in tree[2],
        "contains": lambda: value.find(tree[2]) >= 0,
        "starts with": lambda: value[: len(tree[2])] == tree[2],
        "ends with": lambda: not tree[2] or value[-len(tree[2]) :] == tree[2],
    }[word]()


@settings(max_examples=300, deadline=None)
@given(trees, st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)), st.sampled_from("'\""))
def test_an_independent_slow_reading_agrees(tree, labels, quote):
    """Whatever tree, whatever labels, either quote; and the text that we print parses to the same."""
    selector = parse_selector(written(tree, quote))

    assert slow(tree, labels) is selector.matches(labels)
    outcome = selector.check(labels, Condition.POD).outcome
    assert (Outcome.MATCH if slow(tree, labels) else Outcome.MISS) is outcome


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab='\"!&|(){},. \tinhasllot", max_size=40))
def test_no_text_breaks_the_parser(text):
    """It parses or it is a syntax error."""
    try:
        selector = parse_selector(text)
    except SelectorSyntaxError:
        return
    assert isinstance(selector.matches({}), bool)
