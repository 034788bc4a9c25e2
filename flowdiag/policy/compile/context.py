"""What every compiler needs: who enforces, the table of address ranges, and readers that fail in words."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, TypeVar

from msgspec import Struct, field

from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import Dialect, PolicyRef
from flowdiag.policy.addresses import Network, RangeTable, parse_network
from flowdiag.policy.calico_labels import CalicoLabels
from flowdiag.policy.dialect import Traits
from flowdiag.policy.evaluate import PolicySet
from flowdiag.policy.model import Policy, Validity

__all__ = [
    "CompileContext",
    "Made",
    "PolicyError",
    "Turned",
    "check_fields",
    "entries",
    "network",
    "port_number",
    "unknown_field",
    "validity_of",
    "with_former",
]


_One = TypeVar("_One")
_Other = TypeVar("_Other")


class PolicyError(ValueError):
    """A policy that cannot be evaluated: what is wrong with it, in words."""


Made = dict[tuple[int, str], tuple[PolicyObject | Policy, Policy]]
"""Compiled policies by the ``id()`` of what each was made from, and a variant; that object is kept beside, so that
its ``id()`` is not given to another."""


Turned = tuple[Policy, Policy]
"""A compiled policy, and the same policy with its conditions turned into another language's."""

_TURNED = "turned"


class CompileContext(Struct, frozen=True):
    """What a compiler may look at besides the object itself."""

    snapshot: Snapshot
    dialect: Dialect
    traits: Traits
    ranges: RangeTable
    calico: CalicoLabels | None = None
    """What Calico's compilers and matchers look labels up in; only in its dialect."""
    base: PolicySet | None = None
    """Policies over the very same pods, namespaces and so on, which differ in policies alone."""
    made: Made = field(default_factory=dict)
    """What was compiled before, from objects that are still the same."""

    def compiled_once(
        self,
        policy: PolicyObject,
        compiler: Callable[[PolicyObject, CompileContext], Policy],
        variant: str = "",
    ) -> Policy:
        """Compile an object, or give what was made of it before; `variant` names the way, where there are several."""
        key = (id(policy), variant)
        known = self.made.get(key)
        if known is None:
            known = self.made[key] = (policy, compiler(policy, self))
        return known[1]

    def before(self, ref: PolicyRef) -> tuple[PolicyObject, Policy] | None:
        """Give the object of that name in `base`, and what it was compiled to.

        What stands in an edited object as it stood in that one, at the same place, means the same.
        """
        return self.base.compiled.get(ref) if self.base is not None else None

    def turned(self, policy: Policy, turn: Callable[[Policy, Turned | None], Policy]) -> Policy:
        """Turn a compiled policy's conditions into another language's, or give what was made of it before.

        Args:
            policy: as its own language has it.
            turn: called with the policy and, if `base` has one of that name, what that was and what it was turned into.
        """
        known = self.made.get((id(policy), _TURNED))
        if known is None:
            was = self.before(policy.ref)
            old = self.made.get((id(was[1]), _TURNED)) if was is not None else None
            turned = turn(policy, (was[1], old[1]) if was is not None and old is not None else None)
            known = self.made[id(policy), _TURNED] = (policy, turned)
        return known[1]


def with_former(now: Iterable[_One], was: Iterable[_Other]) -> Iterator[tuple[_One, _Other | None]]:
    """Pair what stands in each place of a list now with what stood there before; ``None`` where nothing did."""
    old = iter(was)
    return ((one, next(old, None)) for one in now)


def validity_of(policy: PolicyObject) -> Validity:
    """When the object existed."""
    ends = [end for end in (policy.deleted, policy.valid_until) if end is not None]
    begin = policy.created if policy.since is None else policy.since
    return Validity(begin, policy.valid_from, min(ends) if ends else None)


def entries(raw: Any, what: str) -> list[Any]:
    """Read a list that may be missing or null.

    Raises:
        PolicyError: it is something else.
    """
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise PolicyError(f"{what} is not a list")
    return raw


def unknown_field(raw: Iterable[Any], known: Container[Any], path: str) -> str | None:
    """Say which key of an object its kind does not have; ``None`` where all are known.

    Args:
        raw: the keys, or the object.
        known: those of the kind.
        path: where the object stands: ``spec.egress[0]``.
    """
    strange = min((str(key) for key in raw if key not in known), default=None)
    return None if strange is None else f"the field {path}.{strange} is not supported"


def check_fields(spec: dict[str, Any], known: Container[Any]) -> None:
    """Check that a policy's spec has no field that its kind does not have; a field that is null counts as left out.

    Raises:
        PolicyError: one is none of them.
    """
    why = unknown_field((key for key, value in spec.items() if value is not None), known, "spec")
    if why is not None:
        raise PolicyError(why)


def network(raw: Any, what: str) -> Network:
    """Read a CIDR.

    Raises:
        PolicyError: it is none.
    """
    if not isinstance(raw, str):
        raise PolicyError(f"{what}: {raw!r} is not a CIDR")
    try:
        return parse_network(raw)
    except ValueError:
        raise PolicyError(f"{what}: {raw[:64]!r} is not a CIDR") from None


def port_number(raw: Any, what: str) -> int:
    """Read a port number.

    Raises:
        PolicyError: not an integer from 1 to 65535.
    """
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= 65535:
        raise PolicyError(f"{what}: {raw!r} is not a port number")
    return raw
