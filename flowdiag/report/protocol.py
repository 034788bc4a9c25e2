"""What a report format is: the shape that built-in reporters and a stranger's share.

Registered by entry point in the group ``flowdiag.reporters``; the entry point's name is the word that
``-o`` takes.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import ClassVar, Protocol, runtime_checkable

from msgspec import Struct

from flowdiag.model.report import Report

__all__ = ["GROUP", "Options", "Reporter"]

GROUP = "flowdiag.reporters"


class Options(Struct, frozen=True, kw_only=True):
    """How a person wants a report shown; formats for programs look at none of it."""

    width: int = 80
    """Columns of the terminal, in cells."""
    color: bool = False
    ascii: bool = False
    """Only ASCII in what flowdiag itself draws (bars, arrows, rules); names stay as they are."""
    columns: tuple[str, ...] = ()
    """Columns of the formats that are tables (csv, parquet, and the terminal's); empty is all."""
    verbose: bool = False
    """Pods, addresses, patches and evidence lines beside the workloads."""
    all: bool = False
    """Also what is folded away: consequences, refusals that no policy made, every connection."""
    problem: str | None = None
    """Only this problem, by its id."""
    timezone: tzinfo = UTC
    """The zone that times are shown in; a report always says which."""


@runtime_checkable
class Reporter(Protocol):
    """A format.  The entry point names a class without arguments, or an instance.

    Two members are optional: ``takes_columns`` is true where `Options.columns` means something to it, and
    ``check()`` raises a `FlowdiagError` before the work where the format cannot be made here.
    """

    name: ClassVar[str]
    """The word that ``-o`` takes."""
    binary: ClassVar[bool]
    """True where `render` returns bytes that no terminal should get."""

    def render(self, report: Report, options: Options) -> str | bytes:
        """Render the whole report.

        Raises:
            FlowdiagError: the format cannot be made here (a library is absent, an option is unknown).
        """
        ...
