"""``flowdiag verify``: many connections against expected answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from flowdiag.cli import exit_codes
from flowdiag.cli.command import Command
from flowdiag.cli.messages import say
from flowdiag.cli.options import answer_option, state_options

__all__ = ["command"]

_SHOWN = 5
_FORMATS = ("terminal", "json", "junit")


@click.command("verify", cls=Command)
@click.argument("queries", metavar="QUERIES")
@state_options
@answer_option(*_FORMATS)
@click.option("--init", is_flag=True, help="Write a new file QUERIES with what is true today.")
def command(queries: str, **given: Any) -> int:
    """Check many connections against expected answers, offline: unit tests for policies.

    QUERIES is a JSON or YAML file: {"queries": [{"src": "frontend/web-app", "dst": "backend/user-api",
    "protocol": "TCP", "port": 8080, "allowed": true}]}.
    """
    from flowdiag.analysis import load_asker
    from flowdiag.analysis.query_file import MAX_BYTES, read_queries
    from flowdiag.analysis.verify import init_queries, verify_queries
    from flowdiag.cli.build import state_of
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_files, print_text, raise_failed, write_each, write_file
    from flowdiag.model.errors import InputError, UsageError
    from flowdiag.model.whole import read_whole
    from flowdiag.report.json_report import json_bytes
    from flowdiag.report.query_types import VerifyResult, verify_result
    from flowdiag.report.verify_view import render_junit, render_verify

    if not given["state"] and not given["live"]:
        raise UsageError("no cluster objects named", hint="flowdiag verify QUERIES --state FOLDER, or --live")
    stdout, files = parse_outputs(given["outputs"], _FORMATS)
    check_files(files, (queries, *given["state"]))
    if given["init"]:
        _refuse_to_overwrite(queries)
        asker, problems = load_asker(state_of(given))
        found, left_out = init_queries(asker)
        written = json_bytes({"queries": found})
        if queries == "-":
            click.echo(written, nl=False)
        else:
            write_file(queries, written)
        _say([*asker.notes, *problems])
        click.echo(
            f"{queries}: {len(found)} queries written, {left_out} without a clear answer left out",
            err=queries == "-",
        )
        return exit_codes.DONE
    state = state_of(given, (queries,))
    try:
        data = read_whole(queries, MAX_BYTES)
    except OSError as error:
        raise InputError(
            f"{queries}: {error.strerror or error}",
            hint="name a query file, - for standard input, or write one: --init",
        ) from error
    asked, unread = read_queries(queries, data)
    asker, problems = load_asker(state)
    result = verify_result(verify_queries(asker, asked))
    renderers: dict[str, Callable[[VerifyResult], str | bytes]] = {
        "json": json_bytes,
        "junit": render_junit,
        "terminal": render_verify,
    }
    failed = write_each(files, lambda name: renderers[name](result))
    print_text(stdout, renderers[stdout](result))
    _say([*unread, *asker.notes, *_few(asker.readings), *problems])
    raise_failed(failed)
    return exit_codes.DONE if result.failed == 0 else exit_codes.FINDINGS


def _refuse_to_overwrite(queries: str) -> None:
    """Refuse to replace an existing file: expectations that a team wrote must not give way to what happens to be true today."""
    from pathlib import Path

    from flowdiag.model.errors import UsageError

    if queries != "-" and Path(queries).exists():
        raise UsageError(
            f"{queries}: is there already, and --init would replace what it expects",
            hint="name a file that is not there yet, and compare the two",
        )


def _few(texts: list[str]) -> list[str]:
    left = len(texts) - _SHOWN
    return [*texts[:_SHOWN], f"and so for {left} more"] if left > 1 else texts


def _say(problems: list[str]) -> None:
    for text in problems:
        say(text)
