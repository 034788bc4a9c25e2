"""What is new, known and gone: the algebra of statuses, apart from where history is kept.

A problem is met by its fingerprint.  Two of one fingerprint in one report are told apart by their order,
which is what `Key` holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping

from msgspec import Struct

from flowdiag.model.report import Problem

__all__ = ["Key", "Verdicts", "compare", "keys_of"]

Key = tuple[str, int]
"""(fingerprint, which of those that share it, from 0)."""


class Verdicts(Struct, frozen=True, kw_only=True):
    """What became of the problems between the runs before and this one."""

    new: frozenset[Key]
    known: frozenset[Key]
    gone: frozenset[Key]
    waiting: Mapping[Key, int]
    """Not seen now and not called gone yet: how many whole runs in a row have not shown them."""


def keys_of(problems: Iterable[Problem]) -> list[Key]:
    """Give each problem its key, in their order."""
    seen: Counter[str] = Counter()
    keys = []
    for problem in problems:
        keys.append((problem.fingerprint, seen[problem.fingerprint]))
        seen[problem.fingerprint] += 1
    return keys


def compare(
    before: Mapping[Key, int],
    present: Iterable[Key],
    *,
    complete: bool = True,
    overlooked: Container[Key] = frozenset(),
    gone_after: int = 1,
) -> Verdicts:
    """Hold a run against what was open before it.

    A run that could not read all of its input proves no absence: what it does not show goes on waiting.
    What is gone and met again is new again.

    Args:
        before: open problems, each with the number of whole runs in a row that have not shown it.
        present: problems of this run.
        complete: this run read all of its input.
        overlooked: problems that this run could not have seen, complete as it is.
        gone_after: whole runs in a row without a problem after which it is gone.
    """
    here = frozenset(present)
    gone: set[Key] = set()
    waiting: dict[Key, int] = {}
    for key, absent in before.items():
        if key in here:
            continue
        looked_for = complete and key not in overlooked
        missed = absent + 1 if looked_for else absent
        if looked_for and missed >= gone_after:
            gone.add(key)
        else:
            waiting[key] = missed
    return Verdicts(
        new=here - before.keys(),
        known=here & before.keys(),
        gone=frozenset(gone),
        waiting=waiting,
    )
