"""What all commands have in common: a word that is empty is nobody's file, namespace or pod."""

from __future__ import annotations

import click
from click.core import ParameterSource

__all__ = ["Command"]

# kubectl takes these as not given where they are empty, and scripts that call both pass them on.
_EMPTY_AS_FOR_KUBECTL = frozenset({"context", "kubeconfig", "as_user", "as_groups", "as_uid"})


class Command(click.Command):
    """A command that refuses empty words: a shell's variable without a value must not become the working folder."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line.

        Raises:
            click.BadParameter: a word of it is empty.
        """
        rest = super().parse_args(ctx, args)
        for one in self.params:
            if one.name is None or one.name in _EMPTY_AS_FOR_KUBECTL:
                continue
            value = ctx.params.get(one.name)
            typed = ctx.get_parameter_source(one.name) is ParameterSource.COMMANDLINE
            if typed and (value == "" or (isinstance(value, tuple) and "" in value)):
                raise click.BadParameter("this is empty", ctx=ctx, param=one)
        return rest
