"""What is said of a problem that was mended since: in place of the advice where all of it passes, else beside it."""

import sys
from pathlib import Path

from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent))

from flows import pod, refusal

from flowdiag.model.finding import Mended
from flowdiag.model.time import NS
from flowdiag.timeline.group import group
from flowdiag.timeline.mended import ended

WEB = pod("shop", "web-1", "web")


def refused(name, text, *, made=200, at=100, port=8080, **more):
    """A refusal of a call to a workload of `pay`, which `text` lets pass; ``None`` where nothing does."""
    one = refusal(WEB, pod("pay", f"{name}-1", name), port, at=at, **more)
    mended = Mended(text, made * NS if made is not None else None) if text is not None else None
    return replace(one, finding=replace(one.finding, mended=mended))


def said(*refusals, seen=True):
    """What is said of the one problem that these refusals are."""
    (problem,) = group(refusals)
    return ended(problem, seen=seen)


def test_three_of_what_mends_it_are_named_and_the_others_counted():
    """Each once, however many connections it mends."""
    three = [refused(name, f"policy {name}") for name in "abc"]
    five = [*three, refused("d", "policy d"), refused("e", "policy e"), refused("f", "policy a")]

    assert said(*three).advice == "Mended since: policy a; policy b; policy c."
    assert said(*five).advice == "Mended since: policy a; policy b; policy c; and 2 more."


def test_what_was_not_seen_to_pass_may_be_refused_still():
    """An agent may lag behind the policies, unless traffic tells otherwise."""
    assert said(refused("a", "policy a")).advice == "Mended since: policy a."
    assert said(refused("a", "policy a"), seen=False).advice.endswith(
        "If it is refused still, look for an agent that lags behind."
    )


def test_where_a_part_passes_that_part_is_named():
    """By its ends and its port, where it has one; the diagnosis keeps its own advice."""
    found = said(refused("a", "policy a"), refused("b", None))
    without = said(refused("a", "policy a", port=None, protocol="ICMP"), refused("b", None))

    assert (found.advice, found.over) == (None, False)
    assert found.notes == ("shop/web -> pay/a 8080/TCP passes since, as far as the policies tell: policy a.",)
    assert without.notes == ("shop/web -> pay/a passes since, as far as the policies tell: policy a.",)


def test_a_refusal_that_would_be_refused_again_is_not_mended():
    """Of one connection all refusals have to pass; what mends the last of them is named."""
    first, last = refused("a", "policy old", at=100), refused("a", "policy new", at=150)
    again = replace(first, finding=replace(first.finding, mended=None))

    assert said(first, last).advice == "Mended since: policy new."
    assert said(again, last).advice is None
    assert said(refused("a", "")).advice is None


def test_it_is_over_where_what_mends_it_came_after_the_last_refusal():
    """Not where it is as old, or where its time is not known."""
    assert said(refused("a", "policy a", made=101)).over
    assert not said(refused("a", "policy a", made=100)).over
    assert not said(refused("a", "policy a", made=None)).over
    assert not said(refused("a", "policy a", made=101), refused("b", "policy b", made=99)).over
