"""Reports to standard output and to files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from flowdiag.cli.messages import say
from flowdiag.cli.readers import read_or_not
from flowdiag.deliver.files import check_no_input, check_writable, write_file
from flowdiag.model.errors import FlowdiagError, UsageError
from flowdiag.model.report import Report
from flowdiag.parserkit.registry import available
from flowdiag.report import GROUP, Options
from flowdiag.report.connection_rows import chosen_columns
from flowdiag.report.foreign import reporter_named as reporter

__all__ = [
    "check_files",
    "check_outputs",
    "display_options",
    "formats",
    "print_text",
    "raise_failed",
    "reporter",
    "write_each",
    "write_file",
    "write_files",
    "write_report",
]

_READ = ("evidence", "state")

Stage = Callable[[str | None], None]
"""Called with what is being done, and with ``None`` when nothing more is to be shown."""


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

    from flowdiag.cli.moments import parse_zone

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


def check_outputs(stdout: str, files: dict[str, list[str]], options: Options, inputs: Iterable[str]) -> None:
    """Refuse before the work what could not be made or written after it.

    Args:
        stdout: the format on standard output.
        files: the files of each format.
        options: how a person wants it.
        inputs: what is read, as named.

    Raises:
        FlowdiagError: a format lacks its library, a file's folder is not there, no format takes the columns.
    """
    plugins = [reporter(name) for name in dict.fromkeys((stdout, *files))]
    if options.columns:
        if not any(getattr(plugin, "takes_columns", False) for plugin in plugins):
            raise UsageError(
                f"--columns: {' and '.join(plugin.name for plugin in plugins)} has no table of connections",
                hint="it goes with -o terminal, csv and parquet",
            )
        chosen_columns(options.columns)
    if plugins[0].binary and sys.stdout.isatty():
        raise _not_for_terminals(stdout)
    for plugin in plugins:
        check = getattr(plugin, "check", None)
        if check is not None:
            check()
    check_files(files, inputs)


def check_files(files: dict[str, list[str]], inputs: Iterable[str] = ()) -> None:
    """The part of `check_outputs` that concerns files.

    Raises:
        CannotWriteError: one cannot be written, or is an input.
    """
    named = list(inputs)
    for paths in files.values():
        for path in paths:
            check_writable(path)
            check_no_input(path, [*named, *(path for one in named if _read_in(path, one))])


def _read_in(path: str, folder: str) -> bool:
    """Whether a file lies in a folder that is read, and holds records or cluster objects; what flowdiag wrote is neither."""
    target = Path(path)
    try:
        if not target.is_file() or Path(folder).resolve() not in target.resolve().parents:
            return False
    except (OSError, ValueError):
        return False
    from flowdiag.analysis import detect_inputs

    return any(row["kind"] in _READ for row in detect_inputs([path]))


def _not_for_terminals(name: str) -> UsageError:
    return UsageError(f"-o {name} is not for a terminal", hint=f"write it to a file: -o {name}=FILE")


def write_report(
    report: Report,
    stdout: str,
    files: dict[str, list[str]],
    options: Options,
    *,
    pager: bool = False,
    stage: Stage | None = None,
    inputs: Sequence[str] | None = None,
) -> None:
    """Render once per format; files first, so that a closed pipe costs no file.

    What fails keeps none of the others back: all that can be written is, and standard output too.

    Args:
        report: what is written.
        stdout: the format on standard output.
        files: the files of each format.
        options: how a person wants it.
        pager: page it, where it is the terminal's.
        stage: told what is being written, and ended by ``None`` before anything is printed.
        inputs: what was read, where the report has tokens for it.

    Raises:
        FlowdiagError: a format could not be made, or a file not written; messages of earlier ones are printed.
    """
    tell = stage or (lambda _: None)

    def rendered(name: str) -> str | bytes:
        tell(f"writing {name}")
        return reporter(name).render(report, options)

    written: list[str] = []
    with _telling(written):
        read = [one.path for one in report.inputs] if inputs is None else inputs
        failed = write_each(files, rendered, read, written)
        try:
            text = rendered(stdout)
            if isinstance(text, bytes) and sys.stdout.isatty():
                raise _not_for_terminals(stdout)
        except FlowdiagError as error:
            tell(None)
            failed.append(error)
        else:
            tell(None)
            written.append("a part of standard output")
            if isinstance(text, bytes):
                with read_or_not():
                    sys.stdout.buffer.write(text)
                    sys.stdout.buffer.flush()
            elif pager and stdout == "terminal":
                click.echo_via_pager(text)
            else:
                print_text(stdout, text)
    raise_failed(failed)


def print_text(name: str, text: str | bytes) -> None:
    """Print a format: what programs read as UTF-8, whatever this machine's language; for a terminal in its own."""
    if isinstance(text, str) and name != "terminal" and not sys.stdout.isatty():
        text = text.encode("utf-8", "backslashreplace")
    # JSON Lines without any line are empty: a blank line would not be JSON.
    ended = not text or (text.endswith("\n") if isinstance(text, str) else text.endswith(b"\n"))
    with read_or_not():
        if isinstance(text, bytes):
            # Past the text stream, which begins a file in UTF-16 with a mark as soon as click asks what it takes.
            sys.stdout.flush()
            sys.stdout.buffer.write(text if ended else text + b"\n")
            sys.stdout.buffer.flush()
            return
        click.echo(text, nl=not ended, color=True)


@contextmanager
def _telling(written: list[str]) -> Iterator[None]:
    """Add to an interrupt what had been written by then."""
    try:
        yield
    except KeyboardInterrupt as error:
        told = [f"written by then: {', '.join(written)}"] if written else []
        raise KeyboardInterrupt(*told) from error


def write_files(report: Report, files: dict[str, list[str]], options: Options) -> list[FlowdiagError]:
    """The ``FORMAT=FILE`` part of `write_report`; what failed is returned."""
    inputs = [one.path for one in report.inputs]
    return write_each(files, lambda name: reporter(name).render(report, options), inputs)


def write_each(
    files: dict[str, list[str]],
    rendered: Callable[[str], str | bytes],
    inputs: Sequence[str] = (),
    written: list[str] | None = None,
) -> list[FlowdiagError]:
    """Write all files that can be written, and return what kept the others from it.

    Args:
        files: the files of each format.
        rendered: makes a format.
        inputs: what was read, found in folders too.
        written: grows by each file that is there.
    """
    failed: list[FlowdiagError] = []
    for name, paths in files.items():
        try:
            content = rendered(name)
        except FlowdiagError as error:
            failed.append(error)
            continue
        for path in paths:
            try:
                check_no_input(path, inputs)
                write_file(path, content)
                if written is not None:
                    written.append(path)
            except FlowdiagError as error:
                failed.append(error)
    return failed


def raise_failed(failed: list[FlowdiagError]) -> None:
    """Say what failed; the last of it ends the command.

    Raises:
        FlowdiagError: the last one.
    """
    for error in failed[:-1]:
        say(str(error))
    if failed:
        raise failed[-1]
