"""Kubernetes label selectors (``matchLabels``, ``matchExpressions``), compiled once.

Source: Kubernetes API reference, LabelSelector (meta/v1): requirements are AND-ed; ``NotIn`` and
``DoesNotExist`` match objects without the key; ``In`` and ``NotIn`` need values, ``Exists`` and
``DoesNotExist`` take none; an empty selector matches everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.demands import Demand
from flowdiag.policy.model import MATCH, Check, all_of, miss, unknown

__all__ = ["LabelSelector", "Requirement", "SelectorError", "read_selector"]

_SHOWN_VALUES = 8


class SelectorError(ValueError):
    """A selector that the API server would refuse."""


class Requirement(Struct, frozen=True):
    """One requirement; `operator` is ``In``, ``NotIn``, ``Exists`` or ``DoesNotExist``."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """The requirement as a person reads it; ``key=value`` where one value is wanted."""
        if self.operator == "In" and len(self.values) == 1:
            return f"{self.key}={self.values[0]}"
        shown = ",".join(self.values[:_SHOWN_VALUES]) + (",..." if len(self.values) > _SHOWN_VALUES else "")
        if self.operator == "In":
            return f"{self.key} in ({shown})"
        if self.operator == "NotIn":
            return f"{self.key} notin ({shown})"
        return self.key if self.operator == "Exists" else f"!{self.key}"

    def demand(self, source: str) -> Demand:
        """Tokens of a source, of which labels that meet ``In`` or ``Exists`` show one."""
        if self.operator == "Exists":
            return frozenset({(source, self.key)})
        return frozenset((source, self.key, value) for value in self.values)

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether complete labels meet it."""
        value = labels.get(self.key)
        if self.operator == "In":
            return value is not None and value in self.values
        if self.operator == "NotIn":
            return value is None or value not in self.values
        return (value is not None) == (self.operator == "Exists")


class LabelSelector(Struct, frozen=True):
    """Requirements that must all hold; none of them matches everything."""

    requirements: tuple[Requirement, ...]

    @property
    def keys(self) -> frozenset[str]:
        """Label keys it asks for."""
        return frozenset(each.key for each in self.requirements)

    @property
    def text(self) -> str:
        """The selector as one line: ``app=web,tier in (a,b)``; empty for everything."""
        return ",".join(each.wanted for each in self.requirements)

    def demands(self, source: str) -> tuple[Demand, ...]:
        """Give what labels of a source must show; each requirement that asks for a label demands it."""
        return tuple(each.demand(source) for each in self.requirements if each.operator in ("In", "Exists"))

    def check(
        self, labels: Mapping[str, str] | None, condition: Condition, *, complete: bool = True, what: str = ""
    ) -> Check:
        """Answer for labels; ``None`` is not known, and `complete` false means other keys may exist.

        Args:
            labels: the labels of a pod, a namespace or a node.
            condition: what the misses are about.
            complete: whether a key that is not there is surely absent.
            what: whose labels they are, for the words of an unknown.
        """
        if not self.requirements:
            return MATCH
        if labels is None:
            return unknown(f"{what or 'its labels'} not known ({self.text})")
        checks = []
        for each in self.requirements:
            if not complete and each.key not in labels:
                checks.append(unknown(f"{what or 'its labels'} not known ({each.wanted})"))
            elif not each.holds(labels):
                found = labels.get(each.key)
                checks.append(
                    miss(Miss(condition, each.wanted, None if found is None else f"{each.key}={found}"))
                )
        return all_of(checks)


_FIELDS = frozenset({"matchLabels", "matchExpressions"})
_OPERATORS = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}


def read_selector(raw: Any) -> LabelSelector:
    """Compile a selector; ``None`` and ``{}`` match everything.

    Raises:
        SelectorError: what the API server would refuse, said in words.
    """
    if raw is None:
        return LabelSelector(())
    if not isinstance(raw, dict):
        raise SelectorError("a selector is not an object")
    if len(raw) == 1 and isinstance(raw.get("matchLabels"), dict) and len(raw["matchLabels"]) == 1:
        ((label, wanted),) = raw["matchLabels"].items()
        if isinstance(label, str) and isinstance(wanted, str):
            return _of_one_label(label, wanted)
    if not raw.keys() <= _FIELDS:
        strange = min(str(key) for key in raw if key not in _FIELDS)
        raise SelectorError(f"selector field {strange} is not known")
    found = []
    labels = raw.get("matchLabels") or {}
    if not isinstance(labels, dict):
        raise SelectorError("matchLabels is not an object")
    for key, value in labels.items():
        if isinstance(value, dict | list):
            raise SelectorError(f"matchLabels {key} is not a string")
        found.append(Requirement(str(key), "In", (_text(value),)))
    expressions = raw.get("matchExpressions") or []
    if not isinstance(expressions, list):
        raise SelectorError("matchExpressions is not a list")
    found.extend(_expression(each) for each in expressions)
    # Most name one label.
    return LabelSelector(tuple(dict.fromkeys(sorted(found, key=_sort_key)) if len(found) > 1 else found))


@lru_cache(maxsize=4096)
def _of_one_label(key: str, value: str) -> LabelSelector:
    """As most selectors are: a cluster's policies name the same namespaces and workloads again and again."""
    return LabelSelector((Requirement(key, "In", (value,)),))


def _expression(raw: Any) -> Requirement:
    if not isinstance(raw, dict) or not isinstance(raw.get("key"), str):
        raise SelectorError("a matchExpressions entry has no key")
    operator = raw.get("operator")
    takes_values = _OPERATORS.get(operator) if isinstance(operator, str) else None
    if takes_values is None or not isinstance(operator, str):
        raise SelectorError(f"operator {operator!r} is not one of {', '.join(_OPERATORS)}")
    values = raw.get("values") or []
    if not isinstance(values, list) or any(isinstance(value, dict | list) for value in values):
        raise SelectorError(f"values of {raw['key']} are not a list of strings")
    if bool(values) != takes_values:
        need = "needs values" if takes_values else "takes no values"
        raise SelectorError(f"operator {operator} of {raw['key']} {need}")
    return Requirement(raw["key"], operator, tuple(sorted({_text(value) for value in values})))


def _sort_key(each: Requirement) -> tuple[str, str, tuple[str, ...]]:
    return (each.key, each.operator, each.values)


def _text(value: Any) -> str:
    """A label value as the API holds it: files may hold YAML numbers, booleans or null instead."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
