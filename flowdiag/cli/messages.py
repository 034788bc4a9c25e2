"""Messages on standard error.

They repeat what files, archives and servers say: names of members, contexts, an API server's reasons.  None
of it may act on the terminal.
"""

from __future__ import annotations

import click

__all__ = ["say"]


def say(text: str, *, start: str = "flowdiag: ") -> None:
    """Print a message, with everything that acts on a terminal shown as an escape; line ends stay."""
    from flowdiag.report.escape import visible_block

    click.echo(f"{start}{visible_block(text)}", err=True)
