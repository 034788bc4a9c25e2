"""Report formats of other distributions: what goes wrong in one is an error of that output, said in words."""

from __future__ import annotations

from typing import Any, cast

from flowdiag.model.errors import FlowdiagError, PluginError
from flowdiag.model.report import Report
from flowdiag.parserkit.registry import load
from flowdiag.report.protocol import GROUP, Options, Reporter

__all__ = ["ForeignReporter", "reporter_named"]


def reporter_named(name: str) -> Reporter:
    """Load a format.

    Raises:
        UsageError: there is none of this name.
        PluginError: it is broken.
    """
    found = load(GROUP, name, reporter_fault)
    if not found.foreign:
        return cast("Reporter", found.plugin)
    return cast("Reporter", ForeignReporter(found.plugin, f"format {found.origin}"))


def reporter_fault(name: str, plugin: Any) -> str | None:
    """What keeps an object from being a report format; ``None`` where nothing does."""
    if getattr(plugin, "name", None) != name:
        return f"its name is {getattr(plugin, 'name', None)!r}, and it is registered as {name!r}: both must be the same word"
    if not isinstance(getattr(plugin, "binary", None), bool):
        return "binary is True where render gives bytes, and False where it gives text"
    for word in ("render", "check"):
        if not callable(getattr(plugin, word, len if word == "check" else None)):
            return f"it has no method {word}"
    return None


class ForeignReporter:
    """A format of another distribution, which raises only what flowdiag knows, and renders what it said it would.

    Args:
        plugin: an instance with a reporter's shape.
        origin: how messages call it: ``format acme-tsv of flowdiag-acme 0.1.0``.
    """

    def __init__(self, plugin: Any, origin: str) -> None:
        self._plugin = plugin
        self._origin = origin
        self.name: str = plugin.name
        self.binary: bool = plugin.binary
        self.takes_columns: bool = getattr(plugin, "takes_columns", False) is True

    def check(self) -> None:
        """See `Reporter`."""
        check = getattr(self._plugin, "check", None)
        if check is None:
            return
        try:
            check()
        except FlowdiagError:
            raise
        except Exception as error:
            raise self._raised(error, "check") from error

    def render(self, report: Report, options: Options) -> str | bytes:
        """See `Reporter`."""
        try:
            text: Any = self._plugin.render(report, options)
        except FlowdiagError:
            raise
        except Exception as error:
            raise self._raised(error, "render") from error
        wanted = bytes if self.binary else str
        if not isinstance(text, wanted):
            raise PluginError(
                f"{self._origin}: render gives {type(text).__name__}, and it says binary = {self.binary}"
            )
        return text

    def _raised(self, error: Exception, word: str) -> PluginError:
        return PluginError(
            f"{self._origin} raised {' '.join(f'{type(error).__name__}: {error}'.split())} in {word}"
        )
