"""Reports to standard output and to files."""

from __future__ import annotations

import os
import sys

import click

from flowdiag.deliver.files import write_file
from flowdiag.model.errors import UsageError
from flowdiag.model.report import Report
from flowdiag.parserkit.registry import available, load
from flowdiag.report import GROUP, Options, Reporter

__all__ = ["display_options", "formats", "reporter", "write_file", "write_files", "write_report"]


def formats() -> tuple[str, ...]:
    """Every report format, by name."""
    return tuple(available(GROUP))


def display_options(
    *,
    zone: str = "UTC",
    verbose: bool = False,
    everything: bool = False,
    columns: tuple[str, ...] = (),
    problem: str | None = None,
) -> Options:
    """How this terminal wants it: NO_COLOR, FORCE_COLOR, COLUMNS, dumb terminals and pipes honoured."""
    from shutil import get_terminal_size

    from flowdiag.cli.options import parse_zone

    tty = sys.stdout.isatty()
    dumb = os.environ.get("TERM", "") == "dumb"
    color = tty and not dumb
    if os.environ.get("FORCE_COLOR"):
        color = True
    if os.environ.get("NO_COLOR"):
        color = False
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return Options(
        width=max(60, min(get_terminal_size((100, 24)).columns, 200)),
        color=color,
        ascii=encoding not in ("utf8", "utf16", "utf32") or (tty and dumb),
        columns=columns,
        verbose=verbose,
        all=everything,
        problem=problem,
        timezone=parse_zone(zone),
    )


def write_report(report: Report, stdout: str, files: dict[str, list[str]], options: Options) -> None:
    """Render once per format; files first, so that a closed pipe costs no file.

    Raises:
        FlowdiagError: a format cannot be made, or a file cannot be written.
    """
    write_files(report, files, options)
    plugin = reporter(stdout)
    rendered = plugin.render(report, options)
    if plugin.binary and sys.stdout.isatty():
        raise UsageError(f"-o {stdout} is not for a terminal", hint=f"write it to a file: -o {stdout}=FILE")
    if isinstance(rendered, bytes):
        sys.stdout.buffer.write(rendered)
    else:
        click.echo(rendered, nl=not rendered.endswith("\n"), color=True)


def write_files(report: Report, files: dict[str, list[str]], options: Options) -> None:
    """The ``FORMAT=FILE`` part of `write_report`.

    Raises:
        FlowdiagError: as there.
    """
    for name, paths in files.items():
        rendered = reporter(name).render(report, options)
        for path in paths:
            write_file(path, rendered)


def reporter(name: str) -> Reporter:
    """Load a format.

    Raises:
        PluginError: there is none of this name, or it is broken.
    """
    plugin: Reporter = load(GROUP, name).plugin
    return plugin
