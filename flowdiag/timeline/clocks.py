"""What clocks that disagree leave open: whether a change came before a refusal that another clock dated."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from flowdiag.model.report import ClockSkew, Problem
from flowdiag.model.words import object_text, was

__all__ = ["clock_doubt"]


def clock_doubt(problem: Problem, nodes: Collection[str], skews: Iterable[ClockSkew]) -> str | None:
    """Say which changes stand nearer to the first refusal than the clocks agree; ``None`` where none does.

    Args:
        problem: a problem with the changes near its first refusal.
        nodes: nodes that recorded its refusals.
        skews: pairs of nodes whose clocks disagree.
    """
    own = {node.rpartition("/")[2] for node in nodes}
    apart = [
        skew for skew in skews if own & {skew.node.rpartition("/")[2], skew.reference.rpartition("/")[2]}
    ]
    if not apart:
        return None
    worst = max(apart, key=lambda skew: abs(skew.offset_s))
    near = [change for change in problem.changes if abs(change.delta_s) <= abs(worst.offset_s)]
    if not near:
        return None
    ref = near[0].object
    name = object_text(ref)
    more = f" (and {len(near) - 1} more)" if len(near) > 1 else ""
    return (
        f"the clocks of {worst.node} and {worst.reference} are {abs(worst.offset_s):.1f} s apart: whether {name} "
        f"{was(near[0].kind)}{more} before the first refusal or after it is not certain"
    )
