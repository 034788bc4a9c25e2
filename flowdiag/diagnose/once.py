"""What hangs on an end and the cluster's objects alone is worked out once a run: an end has many refusals."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, TypeVarTuple

from flowdiag.diagnose.context import Context

__all__ = ["once"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def once(read: Callable[[Context, *Ts], T]) -> Callable[[Context, *Ts], T]:
    """Remember what `read` says of objects in a run, by their identities: flows share their ends, and to hash one takes longer."""

    @wraps(read)
    def known(context: Context, *of: *Ts) -> T:
        key = (read, *map(id, of))
        found = context.texts.get(key)
        if found is None:
            # The objects are kept, so that their identities stay their own.
            found = context.texts[key] = (of, read(context, *of))
        said: T = found[1]
        return said

    return known
