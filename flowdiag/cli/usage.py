"""What click finds wrong with a command line, said as everything else is: what, where, and what to do."""

from __future__ import annotations

import re
from difflib import get_close_matches

import click

from flowdiag.cli.messages import say

__all__ = ["say_usage"]

_ALIKE = 0.7
"""How much alike an option must be to have been meant; 1 is the same."""


def say_usage(error: click.UsageError, called: str) -> None:
    """Say what is wrong, and the command that tells more.

    Args:
        error: what click raised.
        called: the program and its command, for errors of kinds that do not know what they are about.
    """
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    say(_what(error))
    say(_hint(error, called if error.ctx is None else error.ctx.command_path), start="  ")


def _what(error: click.UsageError) -> str:
    """``--verdict: 'nope' is not one of 'denied', 'allowed'``."""
    if isinstance(error, click.MissingParameter):
        return f"{_label(error)} is missing"
    if isinstance(error, click.NoSuchOption):
        return f"no such option {error.option_name}"
    if isinstance(error, click.BadParameter) and _label(error):
        # As click has it: a word "is not a valid integer range".
        message = re.sub(r"is not a valid (?:integer|float)(?: range)?", "is not a number", error.message)
        text = f"{_label(error)}: {message}"
    else:
        text = error.message
        text = text[:1].lower() + text[1:]
    return text.rstrip(".")


def _hint(error: click.UsageError, command: str) -> str:
    context = error.ctx
    if context is not None and isinstance(context.command, click.Group) and type(error) is click.UsageError:
        return f"{command} --help lists the commands"
    if context is not None and isinstance(error, click.NoSuchOption):
        known = [name for one in context.command.params for name in one.opts if name.startswith("--")]
        meant = get_close_matches(error.option_name, known, n=2, cutoff=_ALIKE)
        if meant:
            return f"did you mean {' or '.join(meant)}? {command} --help lists them all"
    if context is not None and (isinstance(error, click.MissingParameter) or type(error) is click.UsageError):
        return f"{' '.join([command, *_needed(context)])}; {command} --help tells more"
    return f"{command} --help tells what it takes"


def _needed(context: click.Context) -> list[str]:
    """The options that a command cannot do without, and its arguments."""
    options = [
        f"{max(one.opts, key=len)} {one.metavar}"
        for one in context.command.params
        if isinstance(one, click.Option) and one.required
    ]
    words = context.command.collect_usage_pieces(context)
    return [*options, *(word for word in words if word != "[OPTIONS]")]


def _label(error: click.BadParameter) -> str:
    """``--to-port``, ``SRC``."""
    if error.param is None:
        return ""
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    return (error.param.metavar or (error.param.name or "").upper()).strip("[].")
