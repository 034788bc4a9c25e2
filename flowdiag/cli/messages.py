"""Messages on standard error.

They repeat what files, archives and servers say: names of members, contexts, an API server's reasons.  None
of it may act on the terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flowdiag.model.report import Report

__all__ = ["say", "say_incomplete"]

_NAMED = 5
_READ_WHOLE = frozenset({"told-twice", "no-times", "no-ends"})
"""Codes of warnings about inputs of which nothing is missing."""


def say(text: str, *, start: str = "flowdiag: ") -> None:
    """Print a message, with everything that acts on a terminal shown as an escape; line ends stay."""
    from flowdiag.report.escape import visible_block

    click.echo(f"{start}{visible_block(text)}", err=True)


def say_incomplete(report: Report, stdout: str) -> None:
    """Say what of the input could not be read, where the format on standard output does not tell a person.

    Args:
        report: the report that is written.
        stdout: the format of it on standard output.
    """
    if report.complete or stdout == "terminal":
        return
    from flowdiag.analysis.unread import HARMLESS
    from flowdiag.report.alike import alike, place_text

    beside = HARMLESS | _READ_WHOLE
    places = [one for one in report.warnings if one.input is not None and one.code not in beside]
    told = alike(places)[:_NAMED]
    lines = [f"{place_text(one, number)}: {one.message}" for one, number in told]
    left = len(places) - sum(number for _, number in told)
    more = [f"and {left} more, in the report"] if left else []
    say("\n  ".join(["evidence is incomplete", *lines, *more]))
