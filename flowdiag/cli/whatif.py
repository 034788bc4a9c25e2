"""``flowdiag whatif``: what a policy change does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from flowdiag.cli import exit_codes
from flowdiag.cli.command import Command
from flowdiag.cli.messages import say
from flowdiag.cli.options import answer_option, evidence_options, selection_options, state_options

__all__ = ["command"]

_FORMATS = ("terminal", "json", "markdown")
# "NetworkPolicy/shop/default-deny", "networkpolicy.crd.projectcalico.org/shop/a", "Namespace//shop"
_OBJECT = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,200}(?:/[a-z0-9.:-]{0,253}){1,2}")
_SUFFIXES = (".yaml", ".yml", ".json")


class _Whatif(Command):
    """``--apply`` and ``--delete`` may name several at once, as ``kubectl apply -f`` with a shell's pattern."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before every further word that can only be its value."""
        spelled: list[str] = []
        option = None
        words = iter(args)
        for word in words:
            if word in ("--apply", "--delete"):
                option = word
                spelled += [word, *([value] if (value := next(words, None)) is not None else [])]
                continue
            if option is not None and not word.startswith("-") and _further(option, word):
                spelled += [option, word]
                continue
            option = None
            spelled.append(word)
        return super().parse_args(ctx, spelled)


def _further(option: str, word: str) -> bool:
    path = Path(word)
    if option == "--delete":
        return _OBJECT.fullmatch(word) is not None and not path.exists()
    if not word.lower().endswith(_SUFFIXES) or not path.is_file():
        return False
    from flowdiag.cluster import sniff_state

    with path.open("rb") as stream:
        return sniff_state(stream.read(65536)) > 0.6


@click.command("whatif", cls=_Whatif)
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@state_options
@click.option("--to", "to", multiple=True, metavar="PATH", help="The whole new state. May be repeated.")
@click.option(
    "--apply",
    "apply",
    multiple=True,
    metavar="FILE...",
    help="Manifests applied to the old state: a file, a folder or -. May be repeated.",
)
@click.option(
    "--delete",
    "delete",
    multiple=True,
    metavar="KIND/NS/NAME...",
    help="An object deleted from the old state; KIND/NAME for what is cluster-wide. May be repeated.",
)
@selection_options
@answer_option(*_FORMATS)
@click.option(
    "--fail-on",
    type=click.Choice(("never", "newly-denied", "newly-allowed")),
    multiple=True,
    help="Exit 1 if observed traffic would be newly denied or allowed, or, without PATH, any connection. May be repeated. [never]",
)
@click.option(
    "--timezone", "display_zone", default="UTC", metavar="ZONE", help="Show times in this zone. [UTC]"
)
@click.option("--all", "everything", is_flag=True, help="Show whole lists.")
@evidence_options
def command(paths: tuple[str, ...], **given: Any) -> int:
    """Say what a policy change does: which connections it opens and closes.

    The change is a whole new state (--to), or objects that are applied to the old one or deleted from it.  Given
    evidence of real traffic as PATH, it also says which observed connections would be newly denied or allowed.
    """
    from flowdiag.analysis.whatif import Revision, whatif
    from flowdiag.cli.build import evidence_of, selection_of, state_of
    from flowdiag.cli.options import parse_outputs
    from flowdiag.cli.output import check_files, display_options, print_text, raise_failed, write_each
    from flowdiag.cli.progress import progress
    from flowdiag.model.errors import UsageError
    from flowdiag.report.json_report import json_bytes
    from flowdiag.report.whatif_view import render_whatif, whatif_markdown

    if not given["state"] and not given["live"] and not paths:
        raise UsageError("no old state named", hint="flowdiag whatif --state OLD --apply POLICY.yaml")
    stdout, files = parse_outputs(given["outputs"], _FORMATS)
    check_files(files, (*paths, *given["state"], *given["to"], *given["apply"]))
    display = display_options(zone=given["display_zone"], everything=given["everything"])
    revision = Revision(to=given["to"], apply=given["apply"], delete=given["delete"])
    with progress() as show:
        answer = whatif(
            revision,
            state=state_of(given, paths, given["to"], *([one] for one in given["apply"])),
            paths=paths,
            evidence=evidence_of(given),
            selection=selection_of(given),
            progress=show,
            stage=show.stage,
        )

    def rendered(name: str) -> str | bytes:
        if name == "json":
            return json_bytes(answer.result)
        render = whatif_markdown if name == "markdown" else render_whatif
        return render(answer.result, answer.isolating, display)

    failed = write_each(files, rendered)
    print_text(stdout, rendered(stdout))
    for text in answer.said:
        say(text)
    raise_failed(failed)
    if set(given["fail_on"]) - {"never"} and (untold := _untold(answer.result)):
        click.echo(f"flowdiag: --fail-on cannot count what is unknown: {untold}", err=True)
    fails = any(_fails(answer.result, value) for value in given["fail_on"])
    return exit_codes.FINDINGS if fails else exit_codes.DONE


def _untold(result: Any) -> str:
    """What the policies cannot decide, in words; empty where they decide all."""
    from flowdiag.model.words import plural
    from flowdiag.report.whatif_bundles import doubtful_bundles, pairs_in

    if result.unread is not None:
        return f"all that pods may do ({result.unread})"
    if result.flows is not None:
        return plural(result.flows.unknown, "observed connection") if result.flows.unknown else ""
    pairs = pairs_in(doubtful_bundles(result, became=True))
    return f"ports of {plural(pairs, 'pair')}" if pairs else ""


def _fails(result: Any, value: str) -> bool:
    from flowdiag.report.whatif_bundles import bundles

    if value == "never":
        return False
    if result.flows is None:
        return bool(bundles(result, opened=value == "newly-allowed"))
    return bool(result.flows.newly_denied if value == "newly-denied" else result.flows.newly_allowed)
