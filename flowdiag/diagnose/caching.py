"""Working out once per run what depends on an end and the cluster's objects alone, since an end has many refusals."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, TypeVarTuple, cast

from flowdiag.diagnose.context import Context

__all__ = ["cached_per_run"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def cached_per_run(read: Callable[[Context, *Ts], T]) -> Callable[[Context, *Ts], T]:
    """Remember what `read` says of objects in a run, by their identities: flows share their ends, and to hash one takes longer."""

    # The objects are kept, so that no other object gets their ``id()``.
    @wraps(read)
    def known(context: Context, *of: *Ts) -> T:
        own = context.texts.get(read)
        if own is None:
            own = context.texts[read] = {}
        key = tuple(map(id, of))
        found = own.get(key)
        if found is None:
            found = own[key] = (of, read(context, *of))
        said: T = found[1]
        return said

    # Asked some ten times a refusal, and nearly always about one object: then a key needs no tuple.
    @wraps(read)
    def known_of_one(context: Context, one: object) -> T:
        own = context.texts.get(read)
        if own is None:
            own = context.texts[read] = {}
        found = own.get(id(one))
        if found is None:
            found = own[id(one)] = (one, cast("Any", read)(context, one))
        said: T = found[1]
        return said

    return cast("Any", known_of_one) if read.__code__.co_argcount == 2 else known
