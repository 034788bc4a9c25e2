"""The command tree and the outermost error handling.

``flowdiag --help`` must start fast: this module imports click and nothing else, and the commands'
modules are imported when they are called.  Their one-line helps stand here for that reason; a test
holds them against the commands' own.
"""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import signal
import sys
from types import FrameType
from typing import Any, cast

import click

from flowdiag import __version__
from flowdiag.cli import exit_codes
from flowdiag.cli.messages import say
from flowdiag.cli.readers import drop_output, hung_up, leave_terminal, on_hangup
from flowdiag.model.interrupts import ending_signals

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "analyze": ("analyze", "Read evidence and report who was refused, by what, and what would fix it."),
    "explain": ("explain", "Say whether one connection would be allowed, and what decides it."),
    "verify": ("verify", "Check many connections against expected answers: unit tests for policies."),
    "whatif": ("whatif", "Say what a policy change does: which connections it opens and closes."),
    "reach": ("reach", "Say who can reach a workload and what it can reach, by port."),
    "events": ("events", "Print every record as one normalised JSON line."),
    "audit": ("audit", "Analyse on a schedule: what is new, known, gone or accepted since earlier runs."),
    "diff": ("diff", "Compare two reports: which problems are new, known and gone."),
    "show": ("show", "Render a stored report again, or one of its problems."),
    "collect": ("collect", "Collect objects, CNI logs and flows of a running cluster into one archive."),
    "watch": ("watch", "Follow a stream of records and keep its report current."),
    "probe": (
        "probe",
        "Try a connection from inside a pod of a running cluster, and compare the result with the policies.",
    ),
    "codes": ("codes", "Print the diagnosis catalogue, or one entry of it."),
    "parsers": ("parsers", "List the parsers, or say which one would read a file."),
    "schema": ("schema", "Print a JSON Schema of what flowdiag writes."),
}
"""Command name to (module in `flowdiag.cli`, one-line help)."""


_HANGUP = getattr(signal, "SIGHUP", None)
_WRITE_AS_THEY_GO = frozenset({"audit", "collect", "events", "probe", "watch"})
_SOON_S = 0.01
"""Commands that may have printed or kept something, or changed a cluster, before their report is made."""


class _LazyGroup(click.Group):
    """Commands are known by name and imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"flowdiag.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"{error.message.rstrip('.')}{hint}", ctx=ctx) from None


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: flowdiag analyze FOLDER, where FOLDER holds logs or flow exports and, "
    "if you have them, the cluster's objects (kubectl get pods,namespaces,services,endpointslices,"
    "nodes,networkpolicies -A -o yaml).",
)
@click.version_option(__version__, prog_name="flowdiag")
def cli() -> None:
    """Find out who was refused in a Kubernetes cluster, when, by which policies, and what would fix it."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with the contract's codes."""
    program = os.path.basename(sys.argv[0]) if sys.argv else "flowdiag"  # noqa: PTH119 - pathlib costs start-up
    name = "kubectl flowdiag" if program.startswith("kubectl-") else "flowdiag"
    before = sys.unraisablehook
    try:
        # SIGTERM and a hangup are handled as an interrupt is, so that a stopped job leaves no bundle and no key of a
        # kubeconfig behind.
        for number in ending_signals():
            signal.signal(number, on_hangup if number == _HANGUP else signal.default_int_handler)
        sys.unraisablehook = _raise_again
        _open_standard_streams()
        code = _run(args, name)
    except KeyboardInterrupt as error:
        code = _interrupted(error, args)
    sys.unraisablehook = before
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
    # All that is left is to write to standard output, whose reader may not read.
    for number in ending_signals():
        signal.signal(number, _leave)
    # The process ends here; to search some million objects for cycles first would take a quarter of a second.
    gc.freeze()
    sys.exit(code)


def _raise_again(swallowed: sys.UnraisableHookArgs) -> None:
    """Raise an interrupt again that came in a finalizer or a callback, where Python only reports exceptions."""
    if not isinstance(swallowed.exc_value, KeyboardInterrupt) or not hasattr(signal, "setitimer"):
        sys.__unraisablehook__(swallowed)
        return
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, _SOON_S)


def _run(args: list[str] | None, name: str) -> int:
    stdout = sys.stdout
    try:
        result: Any = cli.main(args=args, prog_name=name, standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.UsageError as error:
        from flowdiag.cli.usage import say_usage

        words = sys.argv[1:] if args is None else args
        say_usage(error, " ".join([name, *(word for word in words[:1] if word in COMMANDS)]))
        return exit_codes.USAGE
    except click.ClickException as error:
        say(error.format_message())
        return exit_codes.USAGE
    except (click.Abort, KeyboardInterrupt) as error:
        return _interrupted(error, args)
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit:
        # click turns a closed pipe into exit code 1, which is ours for findings; it then wraps the stream.
        if sys.stdout is stdout:
            raise
        return _reader_gone()
    except Exception as error:  # noqa: BLE001 - the outermost frame: whatever is left is an internal error
        interrupt = _interrupt_behind(error)
        return _failed(error) if interrupt is None else _interrupted(interrupt, args)
    return result if isinstance(result, int) else exit_codes.DONE


def _interrupt_behind(error: BaseException) -> KeyboardInterrupt | None:
    """The interrupt that came out as another error: up to 3.11 Python makes a RuntimeError of one in `__set_name__`, which every enum calls."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen


def _interrupted(error: BaseException, args: list[str] | None) -> int:
    """Say so, and what was written by then: an interrupt within writing knows it, before it nothing was but by a few commands."""
    cause = error.__cause__ if isinstance(error, click.Abort) else error
    words = sys.argv[1:] if args is None else args
    told = "; ".join(str(one) for one in cause.args) if cause is not None else ""
    if not told and not _WRITE_AS_THEY_GO.intersection(words[:1]):
        told = "nothing was written"
    click.echo(f"interrupted; {told}" if told else "interrupted", err=True)
    return exit_codes.INTERRUPTED


def _leave(number: int, frame: FrameType | None) -> None:
    """End the process; only the last bytes are still to be written."""
    del number, frame
    os._exit(exit_codes.INTERRUPTED)


def _open_standard_streams() -> None:
    """Whoever starts us without a stream (``>&-``, some schedulers) wants nothing of it.

    Its number is taken too: the next file that is opened would have it, and get what is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        handle = os.open(os.devnull, os.O_RDWR)
        if handle != number:
            os.dup2(handle, number)
            os.close(handle)
        mode = "r" if number == 0 else "w"
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for as long as we live
    _write_all_or_fail()
    for stream in (sys.stdout, sys.stderr):
        # A locale for one language cannot encode other scripts, and a name in one of them is no reason to fail.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _write_all_or_fail() -> None:
    """With PYTHONUNBUFFERED, as containers set it, Python writes once and takes no notice of what a full disk left out."""
    stdout = sys.stdout
    if not isinstance(stdout, io.TextIOWrapper) or not isinstance(stdout.buffer, io.FileIO):
        return
    encoding, errors, lines = stdout.encoding, stdout.errors, stdout.line_buffering
    raw = stdout.detach()
    buffered = io.BufferedWriter(cast("io.RawIOBase", raw))
    sys.stdout = io.TextIOWrapper(buffered, encoding=encoding, errors=errors, line_buffering=lines)
    sys.__stdout__ = sys.stdout  # type: ignore[misc]


def _reader_gone() -> int:
    """The reader closed its end (``| head``): that is no error."""
    drop_output()
    return exit_codes.DONE


def _failed(error: Exception) -> int:
    from flowdiag.model.errors import FlowdiagError

    if isinstance(error, FlowdiagError):
        say(str(error))
        if error.hint:
            say(error.hint, start="  ")
        return exit_codes.exit_code(error.code)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        where = error.filename or "standard output, or the folder for temporary files (TMPDIR)"
        say(f"{where}: {error.strerror}")
        try:
            sys.stdout.flush()
        except OSError:
            drop_output()
        return exit_codes.USAGE
    if isinstance(error, OSError) and error.errno == errno.EIO and (hung_up(1) or hung_up(2)):
        leave_terminal()
        return exit_codes.INTERRUPTED
    if os.environ.get("FLOWDIAG_DEBUG"):
        raise error
    say(f"internal error: {type(error).__name__}: {error}")
    click.echo("  This is a bug in flowdiag. Set FLOWDIAG_DEBUG=1 to see where it happened.", err=True)
    return exit_codes.INTERNAL
