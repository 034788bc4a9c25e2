"""Policies that are written without the library."""

from __future__ import annotations

import string
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.policy.manifest import yaml_text
from flowdiag.policy.plain_yaml import plain_text

WORDS = st.one_of(
    st.sampled_from(
        [
            "yes",
            "NO",
            "Null",
            "nULL",
            "on",
            "y",
            "n",
            "app.kubernetes.io/name",
            "k8s:app",
            "a:",
            "10.0.0.0/8",
            "10.0.0.0",
        ]
    ),
    st.sampled_from(
        ["1e3", "1.5", "0x1f", "1:30", "2001-01-01", "=", "<<", "~", "-", "--- a", "a #b", "fd00::/8", ".inf"]
    ),
    st.text(string.ascii_letters + string.digits + "._/-: #'\"{}[]&*!|>%@`é\n", max_size=12),
    st.text(string.ascii_lowercase + "-", min_size=90, max_size=140),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(WORDS, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)


class _NoAnchors(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def library_text(body: dict[str, Any]) -> str:
    text: str = yaml.dump(body, Dumper=_NoAnchors, sort_keys=False, default_flow_style=False, width=100)
    return text


@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4))
def test_the_text_is_the_librarys(body: dict[str, Any]) -> None:
    """Whatever a policy holds, its text is the one that PyYAML writes."""
    assert library_text(body) == yaml_text(body)


def test_an_ordinary_policy_needs_no_library() -> None:
    """Labels, lists of rules in lists, ports, ranges and empty selectors are written at once."""
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": "allow-web", "labels": {"k8s:io.kubernetes.pod.namespace": "shop"}},
        "spec": {
            "podSelector": {},
            "ingress": [
                {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": []}}], "ports": [{"port": 80}]},
                {},
            ],
            "matrix": [["a", ["b"]], None, True],
        },
    }

    assert library_text(body) == plain_text(body)


@pytest.mark.parametrize("word", ["on", "NULL", "1.5", "8080", "a b", "a:", "", "-a", "fd00::/8", "n" * 101])
def test_what_may_need_quotes_is_left(word: str) -> None:
    """A word that YAML may read as something else, or may break, is the library's, as key and as value."""
    assert plain_text({"a": [word]}) is None
    assert plain_text({word: "a"}) is None
