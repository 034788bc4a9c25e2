"""The groups of a proof's ends: what no set of policies tells apart, whatever edits were made one after the other."""

import importlib
import random
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from random_clusters import OUTSIDE, cluster
from test_random_proposals import LANGUAGES, refused

from flowdiag.diagnose.proposals.concerned import selected_by
from flowdiag.diagnose.proposals.proof import Ends
from flowdiag.diagnose.proposals.propose import compiled, opening
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.policy import Dialect, IpBlockPods
from flowdiag.policy import compile_policies
from flowdiag.policy.model import Outcome

concerned = importlib.import_module("flowdiag.diagnose.proposals.concerned")


def edited_sets(dice, language):
    """Policies of a random cluster, and those with edits of proposals one after the other, each made from the last."""
    dialect = LANGUAGES[language]
    cases = refused(dice, cluster(dice, language), dialect, most=4)
    if not cases:
        return []
    policies = compile_policies(cases[0].context.snapshot, dialect=Dialect(dialect))
    sets = [policies]
    for case in cases:
        for edits, steps in list(opening(case, policies, IpBlockPods.AUTO))[:3]:
            sets += steps.sets[1:]
            if steps.sets[-1].snapshot.namespaces is policies.snapshot.namespaces:
                sets.append(compiled(sets[-2], edits, IpBlockPods.AUTO))
    return sets


def ends_of(policies):
    """All that a proof ranges over, and the ends of a test in their order."""
    seen = [Endpoint(kind=EndpointKind.EXTERNAL, ip=ip) for ip in OUTSIDE]
    ends = Ends.of(policies.snapshot, seen)
    return ends, [*ends.pods, *ends.outside]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("seed", range(10))
def test_groups_are_the_ends_that_no_set_tells_apart(language, seed):
    """Worked out from the groups of a book that others are made from, they are what each set's classes say."""
    dice = random.Random(f"groups {language} {seed}")  # noqa: S311 - clusters of a test, no secret
    sets = edited_sets(dice, language)
    for _ in range(6 if sets else 0):
        asked = dice.sample(sets, min(len(sets), dice.randrange(1, 4)))
        ends, every = ends_of(sets[0])
        cut = ends.groups.of(asked)
        by_definition = list(_by_definition(every, [sets[0], *asked]))
        for end, family in by_definition:
            assert any(
                end_text(end) in group.names
                and (family is None or family == group.family)
                and _classes(group.end, asked) == _classes(end, asked)
                for group in cut.groups
            ), end_text(end)
        looks = {
            (end.kind, end.cidr, family, _classes(end, [sets[0], *asked])) for end, family in by_definition
        }
        assert len(cut.groups) <= len(looks)


def _by_definition(every, asked):
    """Each end with its family, or with none where its pod's other addresses make no difference."""
    ranged = any(len(policies.ranges) for policies in asked)
    for end in every:
        own = [one for one in every if one.pod is not None and one.pod is end.pod] or [end]
        alone = len(own) == 1 or (ranged and len({_classes(one, asked) for one in own}) > 1)
        yield end, _family(end) if alone else None


def _classes(end, asked):
    return tuple(policies.facts(end, end)[0].class_id for policies in asked)


def _family(end):
    text = end.ip or end.cidr
    return None if text is None else 6 if ":" in text else 4


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("seed", range(10))
def test_no_group_is_left_out_that_a_condition_may_match(language, seed):
    """What groups show is found through the coarser groups: each that does not surely miss a rule's peer is among them."""
    dice = random.Random(f"shown {language} {seed}")  # noqa: S311 - clusters of a test, no secret
    sets = edited_sets(dice, language)
    for policies in sets[:8]:
        ends, _ = ends_of(policies)
        cut = ends.groups.of([sets[0], policies])
        seen = cut.facts(policies)
        for direction in Direction:
            plan = policies.plan(direction)
            for position in range(len(plan.rules)):
                for _, peer in plan.peers.alternatives(position) or ():
                    near = cut.may_meet(seen, peer)
                    left_out = [
                        group.names
                        for place, group in enumerate(cut.groups)
                        if place not in near and peer.outcome(seen[place]) is not Outcome.MISS
                    ]
                    assert left_out == []
        for ref in {one.ref for one in policies.snapshot.policies}:
            asked = selected_by(policies, ref, cut)
            with patch.object(concerned, "_FEW", 0):
                assert selected_by(policies, ref, cut) == asked
