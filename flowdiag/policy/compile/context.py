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
    "beside",
    "check_fields",
    "entries",
    "network",
    "port_number",
    "unknown_field",
    "validity_of",
]


_One = TypeVar("_One")
_Other = TypeVar("_Other")


class PolicyError(ValueError):
    """A policy that cannot be evaluated: what is wrong with it, in words."""


Made = dict[tuple[int, str], tuple[PolicyObject | Policy, Policy]]
"""Compiled policies by the identity of what they are made from, which is kept so that it stays its."""


Turned = tuple[Policy, Policy]
"""A compiled policy, and the same in other words."""

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

    def once(
        self,
        policy: PolicyObject,
        compiler: Callable[[PolicyObject, CompileContext], Policy],
        variant: str = "",
    ) -> Policy:
        """Compile an object, or give what was made of it before; `variant` names how, where there are two ways."""
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
        """Put a compiled policy into other words, or give what was made of it before.

        Args:
            policy: as its own language has it.
            turn: does it, told what became of the policy of that name in `base`.
        """
        known = self.made.get((id(policy), _TURNED))
        if known is None:
            was = self.before(policy.ref)
            old = self.made.get((id(was[1]), _TURNED)) if was is not None else None
            turned = turn(policy, (was[1], old[1]) if was is not None and old is not None else None)
            known = self.made[id(policy), _TURNED] = (policy, turned)
        return known[1]


def beside(now: Iterable[_One], was: Iterable[_Other]) -> Iterator[tuple[_One, _Other | None]]:
    """What stands somewhere now, with what stood in the same place; ``None`` where nothing did."""
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
    """Say which of an object's keys is none that its kind has; ``None`` where it has all of them.

    Args:
        raw: the keys, or the object.
        known: those of the kind.
        path: where the object stands: ``spec.egress[0]``.
    """
    strange = min((str(key) for key in raw if key not in known), default=None)
    return None if strange is None else f"the field {path}.{strange} is not supported"


def check_fields(spec: dict[str, Any], known: Container[Any]) -> None:
    """Hold the fields of a policy's spec to those of its kind; null is as if it were left out.

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
