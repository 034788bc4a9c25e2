"""``flowdiag collect``: from a running cluster to an archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowdiag.cli.collecting import bounds_of, bounds_options
from flowdiag.cli.command import Command
from flowdiag.cli.options import cluster_options
from flowdiag.model.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from flowdiag.cluster.collect.run import Collected

__all__ = ["command"]


@click.command("collect", cls=Command)
@click.option(
    "-o",
    "--output",
    "output",
    required=True,
    metavar="BUNDLE",
    help="The archive to write, such as bundle.tar.gz.",
)
@click.option(
    "--since", metavar="DURATION", default="1h", help="How far back to collect logs and flows. [1h]"
)
@click.option(
    "-n",
    "--namespace",
    multiple=True,
    help="Read only this namespace's objects, for which a Role is enough. May be repeated.",
)
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces (the default).")
@click.option(
    "--skip",
    type=click.Choice(("flows", "logs", "files")),
    multiple=True,
    help="Do not ask for flows, the CNI's logs, or files on nodes. May be repeated.",
)
@bounds_options()
@click.option(
    "--full",
    is_flag=True,
    help="Keep objects whole, with images, arguments and annotations, but never environment values.",
)
@cluster_options
def command(**given: Any) -> int:
    """Collect objects, CNI logs and flows of a running cluster into one archive, changing nothing.

    The archive is an input for flowdiag analyze.  Secrets and values of environment variables are never read
    into it, and pods are reduced to the fields that diagnosis needs.  Its manifest.json says what was refused, and
    why.  After an interruption, the same command continues where it stopped.
    """
    from flowdiag.cli.build import cluster_of
    from flowdiag.cli.moments import parse_duration
    from flowdiag.cli.progress import progress
    from flowdiag.cluster.collect.options import CollectOptions
    from flowdiag.cluster.collect.run import collect
    from flowdiag.model.time import NS

    archive = Path(given["output"])
    if not archive.name.endswith((".tar.gz", ".tgz")):
        raise UsageError(f"-o {archive}: the bundle is a .tar.gz", hint="flowdiag collect -o bundle.tar.gz")
    if not archive.parent.is_dir():
        raise UsageError(f"-o {archive}: there is no folder {archive.parent}")
    most, most_of_one, within_s = bounds_of(given)
    options = CollectOptions(
        cluster=cluster_of(given),
        since_s=parse_duration(given["since"]) // NS,
        max_bytes=most,
        max_file=most_of_one,
        within_s=within_s,
        skip=tuple(sorted(set(given["skip"]))),
        full=given["full"],
    )
    try:
        with progress() as show:
            done = collect(options, archive, show, show.stage)
    except (KeyboardInterrupt, ClusterError):
        if archive.with_name(f"{archive.name}.partial").exists():
            click.echo(f"flowdiag: not finished; the same command goes on from {archive}.partial", err=True)
        raise
    _tell(done)
    return 0


_WORDS = {
    "objects": ("kind of objects", "kinds of objects"),
    "events": ("list of events", "lists of events"),
    "flows": ("export of flows", "exports of flows"),
    "logs": ("log", "logs"),
    "files": ("file of a node", "files of nodes"),
}
_NAMED = 4


def _human(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def _tell(done: Collected) -> None:
    """What is in the bundle, what is not and why, and what to do next."""
    from flowdiag.report.escape import visible

    click.echo(f"{done.archive}: {_human(done.bytes)}{', gone on from before' if done.resumed else ''}")
    for kind, words in _WORDS.items():
        here = [one for one in done.fates if one.kind == kind]
        got = [one for one in here if one.path is not None]
        if not got:
            continue
        counted = sum(one.count or 0 for one in got)
        cut = sum(one.fate == "cut" for one in here)
        of = f", {counted:,} in all" if counted else ""
        ends = f", {cut} of them cut" if cut else ""
        size = _human(sum(one.bytes for one in got))
        click.echo(f"  {len(got):>5} {words[len(got) > 1]} ({size}{of}{ends})")
    for fate, words_of in (
        ("refused", "refused"),
        ("failed", "failed"),
        ("left", "left out"),
        ("absent", "none"),
    ):
        # Most kinds of objects and files are absent from most clusters.
        for kind in _WORDS if fate != "absent" else ("flows",):
            same = [one for one in done.fates if (one.fate, one.kind) == (fate, kind)]
            if not same:
                continue
            # Names and reasons come from a server that may be anybody's.
            names = visible(", ".join(one.what for one in same[:_NAMED]))
            more = f" and {len(same) - _NAMED} more" if len(same) > _NAMED else ""
            why = f" ({visible(same[0].reason)})" if fate != "refused" else ""
            click.echo(f"  {words_of}: {names}{more}{why}")
    if done.strange:
        click.echo(f"  none: the cluster has no namespace {' or '.join(map(visible, done.strange))}")
    if done.rules:
        click.echo("  RBAC rules that would have allowed what was refused:")
        for rule in done.rules:
            click.echo(f"    - {rule}")
    click.echo(f"Next: flowdiag analyze {done.archive}")
