"""Every connection of the shared suites gets the answer that its source gives."""

import pytest

from tests.policy.suite_cases import SUITES, cases, compiled

KNOWN = [*cases("policy"), *cases("recipes")]

pytestmark = pytest.mark.skipif(not KNOWN, reason=f"no suites beside the repository ({SUITES.name})")


def key(query):
    return (query["src"], query["dst"], query["protocol"], query["port"])


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_every_scored_query_of_a_case_is_right(case):
    """A case's queries, disputed ones aside, have the verdict of their source, per end where it tells."""
    expect, policies, end = compiled(case)
    disputed = {key(query) for query in expect.get("disputed_queries") or ()}
    wrong = []
    for query in expect["queries"]:
        if key(query) in disputed:
            continue
        found = policies.evaluate(end(query["src"]), end(query["dst"]), query["protocol"], query["port"])
        wanted = (query["allowed"], query.get("egress"), query.get("ingress"))
        got = (
            found.allowed,
            found.egress.allowed if found.egress is not None and wanted[1] is not None else wanted[1],
            found.ingress.allowed if found.ingress is not None and wanted[2] is not None else wanted[2],
        )
        if got != wanted:
            wrong.append((query, got, found))

    assert not wrong, f"{len(wrong)} of {len(expect['queries'])} wrong, first: {wrong[0]}"
