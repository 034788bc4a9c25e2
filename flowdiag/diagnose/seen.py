"""Marks on the time axis: changes, signals and gaps, as anything with the right attributes.

The rooms that make them stand beside this one.
"""

from __future__ import annotations

from typing import Protocol

from flowdiag.model.event import ObjectRef

__all__ = ["SeenChange", "SeenGap", "SeenSignal", "same_node"]


class SeenChange(Protocol):
    """Something changed in the cluster; `at` is nanoseconds."""

    @property
    def at(self) -> int: ...  # noqa: D102 - said in the class
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def object(self) -> ObjectRef: ...  # noqa: D102
    @property
    def by(self) -> str | None: ...  # noqa: D102
    @property
    def what(self) -> str | None: ...  # noqa: D102


class SeenSignal(Protocol):
    """A component said something that matters; `signal` is a stable code, `at` nanoseconds."""

    @property
    def at(self) -> int: ...  # noqa: D102 - said in the class
    @property
    def signal(self) -> str: ...  # noqa: D102
    @property
    def node(self) -> str | None: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102


class SeenGap(Protocol):
    """Evidence is missing; ends are nanoseconds or unknown."""

    @property
    def node(self) -> str | None: ...  # noqa: D102 - said in the class
    @property
    def since(self) -> int | None: ...  # noqa: D102
    @property
    def until(self) -> int | None: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def lost(self) -> int | None: ...  # noqa: D102


def same_node(one: str, other: str) -> bool:
    """Whether two records mean one node: Hubble puts the cluster's name before it, logs do not."""
    return one == other or one.rpartition("/")[2] == other.rpartition("/")[2]
