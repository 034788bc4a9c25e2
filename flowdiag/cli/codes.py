"""``flowdiag codes``: the diagnosis catalogue."""

from __future__ import annotations

import click

from flowdiag.cli.command import Command
from flowdiag.model.errors import UsageError

__all__ = ["command"]


@click.command("codes", cls=Command)
@click.argument("code", required=False)
def command(code: str | None) -> int:
    """Print the diagnosis catalogue, or one entry of it."""
    from flowdiag.cli.columns import paragraphs, row
    from flowdiag.cli.messages import say
    from flowdiag.diagnose import broken_rules, rules, sections
    from flowdiag.diagnose.check import Check, broken_checks, checks
    from flowdiag.diagnose.rule import Rule

    # A diagnosis that an audit makes without a refusal too is one entry, the diagnosis.
    catalogue: dict[str, Rule | Check] = {check.code: check for check in checks()}
    catalogue |= {rule.code: rule for rule in rules()}
    for broken in (*broken_rules(), *broken_checks()):
        say(f"{broken.origin} does not load: {broken.error}")
    if code is None:
        width = max((len(rule.slug) for rule in catalogue.values()), default=0)
        for name, rule in sorted(catalogue.items()):
            first = sections(type(rule))[""].splitlines()[0]
            row(f"{name}  {rule.severity.value:<6}  {rule.slug:<{width}}  ", first)
        return 0
    by_slug: dict[str, Rule | Check] = {check.slug: check for check in checks()}
    by_slug |= {rule.slug: rule for rule in rules()}
    wanted = catalogue.get(code) or catalogue.get(code.upper()) or by_slug.get(code.lower())
    if wanted is None:
        raise UsageError(f"no code {code!r}", hint="list them with: flowdiag codes")
    click.echo(f"{wanted.code}  {wanted.slug}  ({wanted.severity.value})\n")
    for heading, text in sections(type(wanted)).items():
        if heading:
            click.echo(f"{heading}:")
        for line in text.splitlines() if heading == "References" else paragraphs(text):
            click.echo(f"  {line}".rstrip())
        click.echo()
    return 0
