"""Cilium's policies, case by case: each says which statement of the semantics it comes from."""

import re

import pytest

from tests.policy.cilium_cases import cases, check

KNOWN = cases()


@pytest.mark.parametrize("case", [case for _, case in KNOWN], ids=[f"{s}-{c['case']}" for s, c in KNOWN])
def test_a_case_has_the_verdict_and_the_reason_that_it_says(case):
    """Verdict, deciding rule, isolating policies and nearest miss are those of the table."""
    assert check(case) == []


def test_the_table_is_sound():
    """Names are unique, every case names a statement, and there are at least 120 of them."""
    names = [case["case"] for _, case in KNOWN]

    assert len(names) == len(set(names))
    assert len(names) >= 120
    assert all(re.match(r"\d+(\.\d+)?: .{10}", case["says"]) for _, case in KNOWN)
    assert {case["says"].split(":")[0].split(".")[0] for _, case in KNOWN} >= set("12345678") | {"9", "10"}
