"""The fast reader, the safe reader and PyYAML say the same of the same text."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.cluster.wanted import filter_of
from flowdiag.cluster.yamlfast import Doubt, read_block
from flowdiag.cluster.yamlsafe import MAX_ALIAS_NODES, YamlError, compose, read_documents

KEYS = st.sampled_from(
    ["apiVersion", "kind", "name", "labels", "matchLabels", "values", "spec", "ports", "status", "image", "f:metadata",
     'k:{"type":"Ready"}', "app.kubernetes.io/name", ".", "annotations", "env", "a b", "on", "123", "metadata", "containers"]
)  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(
        [
            "",
            "yes",
            "no",
            "on",
            "null",
            "~",
            "true",
            "0644",
            "1.10",
            "1e3",
            "8080",
            "-1",
            "2026-11-03T12:00:00Z",
            "a: b",
            "a #b",
            " x",
            "x ",
            "- x",
            "*star",
            "&and",
            "line\nline\n",
            "line\n\nline",
            "tab\there",
            "it's",
            'say "hi"',
            "ünïcode",
            "{}",
            "[]",
            "{a: b}",
            "0x1f",
            "---",
            "...",
            "%",
            "@",
            "`",
            "|",
            ">",
            "a\u2028b",
            "\ufeff",
            "back\\slash",
            "#",
        ]
    ),
    st.text(max_size=12),
    st.integers(-5, 70000),
    st.booleans(),
    st.none(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
TREES = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)


def dump(tree, **options) -> str:
    return yaml.safe_dump(tree, sort_keys=False, **options)


@settings(max_examples=300, deadline=None)
@given(
    TREES,
    st.sampled_from([80, 1 << 20]),
    st.sampled_from([None, "'", '"']),
    st.booleans(),
    st.sampled_from(["", "Pod", "Node"]),
)
def test_fast_reader_agrees_with_safe_reader(tree, width, style, unicode, kind):
    """Where the fast reader answers, its answer is the safe reader's, with any filter."""
    text = dump(tree, width=width, default_style=style, allow_unicode=unicode, default_flow_style=False)
    want = filter_of(kind)
    try:
        fast = read_block(text, want)
    except Doubt:
        return  # doubt is always right
    assert [fast] == read_documents(text, want)


LINES = st.sampled_from(
    ["a: b", "a:", "- a", "- a: b", "-", "  b: c", "  - x", "    - y: z", "b: |", "  text", "   more", "", "# note", 'c: "x', "d: 'y",
     'x"', "y'", "e: {a", "f: [b", "}", "]", "status:", "  conditions:", "  - type: Ready", "g: &x 1", "h: *x", "i: >", "k: !!str 1",
     "kind: Pod", "spec:", "  volumes:", '  - name: "v', "  tolerations: 'w", "? a", ": b", "image: x # y", "---", "a: b: c", "\ttab: x"]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=9), st.sampled_from(["", "Pod"]))
def test_fast_reader_doubts_what_the_safe_reader_refuses(lines, kind):
    """On arbitrary, mostly broken text the fast reader doubts or agrees; it never invents a reading.

    A fault inside a part that is skipped unread goes unseen, and only there: read whole, it is doubted.
    """
    text = "\n".join(lines) + "\n"
    want = filter_of(kind)
    try:
        fast = read_block(text, want)
    except Doubt:
        return  # doubt is always right
    try:
        safe = read_documents(text, want)
    except YamlError:
        with pytest.raises(Doubt):
            read_block(text)
        return
    assert [fast] == safe


def test_a_fault_in_a_skipped_part_is_not_looked_for():
    """What nobody needs is not read, so that nobody learns whether it could be."""
    text = "status:\n- a: b\n  - x\n"

    assert read_block(text, filter_of("Pod")) == {"status": [{"a": None}]}
    with pytest.raises(Doubt):
        read_block(text)


@pytest.mark.usefixtures("never_endless")
@pytest.mark.parametrize("again", ["- &a", "- !a ", ": &a ", '- "a" ', "- ", "? "])
def test_a_skipped_line_is_read_once(again):
    """What looks like the beginning of a node, time and again, is not read from each of them to the line's end."""
    text = f"status:\n  message: it's {again * 200_000}\nkind: Pod\n"

    assert read_block(text, filter_of("Pod")) == {"status": {"message": None}, "kind": "Pod"}


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_safe_reader_keeps_the_structure_that_pyyaml_sees(tree):
    """With every scalar as text, the safe reader and PyYAML's base loader agree on structure and keys."""
    text = dump(tree)

    def shape(value):
        if isinstance(value, dict):
            return {key: shape(part) for key, part in value.items()}
        return [shape(part) for part in value] if isinstance(value, list) else "scalar"

    assert shape(read_documents(text)[0]) == shape(yaml.load(text, yaml.BaseLoader))  # noqa: S506 - it builds strings only


def test_label_values_are_the_text_a_user_sees():
    """YAML 1.1 words, numbers and nulls under labels stay what was typed; null is the empty string."""
    text = "labels:\n  a: no\n  b: on\n  c: 1.10\n  d: 0123\n  e: null\n  f:\n  g: True\n  h: 2026-11-03\n  i: 1e3\n"
    expected = {
        "a": "no",
        "b": "on",
        "c": "1.10",
        "d": "0123",
        "e": "",
        "f": "",
        "g": "True",
        "h": "2026-11-03",
        "i": "1e3",
    }
    assert read_block(text) == {"labels": expected}
    assert read_documents(text) == [{"labels": expected}]


def test_other_scalars_follow_the_api_machinery_but_times_stay_text():
    text = "a: yes\nb: 0644\nc: 0x1f\nd: 10.5\ne: 2026-11-03T12:00:00Z\nf: 0o80\ng: 12:30:45\nname: 123\nkey: on\n"
    expected = {
        "a": True, "b": 420, "c": 31, "d": 10.5, "e": "2026-11-03T12:00:00Z", "f": "0o80", "g": "12:30:45", "name": "123", "key": "on",
    }  # fmt: skip
    assert read_block(text) == expected
    assert read_documents(text) == [expected]


def test_alias_bomb_is_refused():
    """Nested aliases stop at a budget instead of filling memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(YamlError, match="aliases expand"):
        read_documents("\n".join(lines))
    assert MAX_ALIAS_NODES < 10**6


def test_deep_nesting_is_refused():
    with pytest.raises(YamlError, match="nested too deeply"):
        read_documents("a: " + "[" * 500 + "]" * 500)


def test_tags_make_no_objects():
    """A Python tag is text like any other; nothing is constructed."""
    assert read_documents("a: !!python/object/apply:os.system ['true']\nb: !!binary aGk=\n") == [
        {"a": ["true"], "b": "aGk="}
    ]


def test_anchors_and_merge_keys_of_hand_written_manifests():
    text = "x: &l\n  app: web\n  tier: 1\nlabels:\n  <<: *l\n  app: api\nmatchLabels: *l\n"
    read = read_documents(text)[0]
    assert read["labels"] == {"app": "api", "tier": 1}
    assert read["matchLabels"] == {"app": "web", "tier": 1}


def test_anchor_inside_a_skipped_part_is_still_found():
    text = "spec:\n  volumes:\n  - &v {a: b}\nmetadata:\n  x: *v\n"
    assert read_documents(text, filter_of("Pod"))[0]["metadata"]["x"] == {"a": "b"}


@pytest.mark.parametrize("text", ["- " * 100_000, "{a: " * 50_000, "[" * 5000, "a: ["])
def test_nodes_are_not_composed_of_what_would_overflow_the_stack(text):
    """PyYAML composes by recursion in C."""
    with pytest.raises(YamlError):
        compose(text)


def test_aliases_of_long_texts_count_by_their_length():
    """Ninety thousand labels of a megabyte each are one text until somebody writes them down."""
    labels = "".join(f"  k{number}: *a\n" for number in range(200))
    with pytest.raises(YamlError, match="too many values"):
        read_documents(f"a: &a {'x' * 1_000_000}\nlabels:\n{labels}")
