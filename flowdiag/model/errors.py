"""What goes wrong, said as values that the command line turns into exit codes.

Bad lines are `flowdiag.model.event.ParseWarning` values and bad files are collected; only what stops
the run is raised.  A message says what, where and (in `hint`) what to do.
"""

from __future__ import annotations

__all__ = ["ClusterError", "FlowdiagError", "InputError", "PluginError", "UnresolvedEndError", "UsageError"]


class FlowdiagError(Exception):
    """The root of every error that flowdiag raises on purpose.

    Args:
        message: what went wrong and where.
        hint: what to do about it, a sentence or a command; empty if there is nothing to add.
    """

    code: str = "internal"
    """A stable kebab-case word for scripts."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(FlowdiagError):
    """The command line asks for something that does not exist or contradicts itself."""

    code = "usage"


class InputError(FlowdiagError):
    """There is no usable input, or an end of a connection cannot be resolved."""

    code = "input"


class UnresolvedEndError(InputError):
    """An end of the connection that is asked for is nothing that the state holds."""


class ClusterError(FlowdiagError):
    """The cluster cannot be reached or forbids the call."""

    code = "cluster"


class PluginError(FlowdiagError):
    """A plugin that was asked for by name is broken."""

    code = "plugin"
