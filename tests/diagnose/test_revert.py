"""A change that came just before the refusals is offered to be taken back, where the old object is known."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from diagnosis_cases import build_case

from flowdiag.diagnose import diagnose
from flowdiag.diagnose.proposals import attach
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.read_yaml import read_yaml

DENY = {"podSelector": {}, "policyTypes": ["Ingress"]}
OPEN = {
    "podSelector": {},
    "policyTypes": ["Ingress"],
    "ingress": [
        {
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}],
            "ports": [{"port": 6379}],
        }
    ],
}


def _attached(before, policies):
    case = build_case(
        {
            "state": {
                "namespaces": {"shop": {}, "data": {}},
                "pods": {
                    "shop/web-1": {"ip": "10.0.1.1"},
                    "shop/cron-1": {"ip": "10.0.1.2"},
                    "data/redis-0": {"ip": "10.0.2.1"},
                },
                "policies": {"data/deny": DENY, **policies},
            },
            "before": before,
            "flow": {"from": "shop/web-1", "to": "data/redis-0", "port": "6379/TCP", "direction": "ingress"},
        }
    )
    return attach(
        [(case, diagnose(case)[0])], compile_policies(case.context.snapshot, dialect=Dialect.KUBERNETES)
    )[0]


def test_a_deleted_policy_is_offered_beside_the_fix():
    """Who deleted what, when, and what restoring it would open besides; the fix itself stays the smallest."""
    found = _attached([{"at": -3, "by": "jane", "policy": "data/redis", "was": OPEN}], {})

    assert (
        "Or take back what was done at 2026-03-01 11:59:57 UTC: NetworkPolicy data/redis was deleted by jane, and "
        "as it was before it lets this pass, and opens other ports or pairs too (1)."
    ) in found.advice
    assert found.counterfactual.summary.startswith("Add NetworkPolicy data/allow-redis-from-web")


def test_the_old_object_comes_as_a_manifest_with_its_own_proof():
    """Applied as it stands, it lets the call pass, and opens what it lists and nothing else."""
    found = _attached([{"at": -3, "by": "jane", "policy": "data/redis", "was": OPEN}], {})
    back = found.revert
    (written,) = [read_yaml(text) for text in back.manifests]

    assert back.summary == (
        "Take back what was done at 2026-03-01 11:59:57 UTC: NetworkPolicy data/redis was deleted by jane."
    )
    assert (written["kind"], written["metadata"]["name"], written["spec"]) == ("NetworkPolicy", "redis", OPEN)
    assert (back.proved, back.allows_denied, back.patch) == (True, True, None)
    assert [(one.src, one.dst, one.protocol, one.ports) for one in back.also_allows] == [
        ("shop/cron", "data/redis", "TCP", ("6379",))
    ]


def test_an_update_is_taken_back_by_a_patch():
    """A rule was taken out of a policy that is still there: the diff puts it back."""
    found = _attached(
        [{"at": -3, "change": "updated", "policy": "data/redis", "was": OPEN}], {"data/redis": DENY}
    )

    assert "+    - port: 6379" in found.revert.patch
    assert found.revert.patch.startswith("--- a/data/redis.yaml")


def test_what_would_close_something_is_no_revert():
    """The old object would shut a port that is open now, so it is told in words and not offered."""
    now = {**OPEN, "ingress": [{**OPEN["ingress"][0], "ports": [{"port": 6380}]}]}
    found = _attached(
        [{"at": -3, "change": "updated", "policy": "data/redis", "was": OPEN}], {"data/redis": now}
    )

    assert found.revert is None


def test_an_update_is_offered_too():
    """The old rules in the place of those of now."""
    now = {**OPEN, "ingress": [{**OPEN["ingress"][0], "ports": [{"port": 6380}]}]}
    found = _attached(
        [{"at": -3, "change": "updated", "policy": "data/redis", "was": OPEN}], {"data/redis": now}
    )

    assert "NetworkPolicy data/redis was updated, and as it was before it lets this pass" in found.advice
    assert "is not proved to keep everything open" in found.advice


def test_changes_that_did_not_do_it_are_left_alone():
    """An old change, one whose old object was not logged, and one of a policy that never allowed it."""
    for change in (
        {"at": -7200, "policy": "data/redis", "was": OPEN},
        {"at": -3, "policy": "data/redis"},
        {"at": -3, "policy": "shop/redis", "was": OPEN},
    ):
        assert "Or take back" not in _attached([change], {}).advice


def test_nothing_is_taken_back_where_another_change_mended_it():
    """Somebody wrote an allow policy under another name since: what was deleted is wanted no more."""
    found = _attached(
        [{"at": -3, "by": "jane", "policy": "data/redis", "was": OPEN}],
        {"data/again": {**OPEN, "created": 60}},
    )

    assert (found.revert, found.counterfactual) == (None, None)
    assert "Or take back" not in found.advice
