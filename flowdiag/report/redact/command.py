"""The command line that made a report, without the names in it.

It is flowdiag's own form (`flowdiag.cli.told`): options as one word each with their value, then paths.
"""

from __future__ import annotations

import shlex

from flowdiag.report.redact.text import Texts

__all__ = ["redacted_command"]

_STAYS = frozenset(
    [
        "--around",
        "--collect-since",
        "--dialect",
        "--format",
        "--gone-after",
        "--ip-block-pods",
        "--only",
        "--protocol",
        "--since",
        "--skip",
        "--state-time",
        "--to-port",
        "--tz",
        "--until",
        "--verdict",
        "--window",
        "--year",
    ]
)
"""Options whose values are times, numbers and words of flowdiag; whatever else there is may be somebody's name."""
_TOKENS = {
    "--as": "by",
    "--as-group": "by",
    "--as-uid": "by",
    "--context": "context",
    "--from-pod": "name",
    "--namespace": "ns",
    "--to-pod": "name",
}
"""What the tokens of values start with that are no paths."""


def redacted_command(command: str, texts: Texts) -> str:
    """The command with tokens for paths and names; as a whole where it is none of flowdiag's.

    Args:
        command: what `Generator.command` holds.
        texts: the names of the report.
    """
    try:
        words = shlex.split(command)
    except ValueError:  # cut, or written by somebody else
        words = []
    if words[:1] != ["flowdiag"]:
        return texts.value(command, "input")
    return shlex.join([*words[:2], *(_word(word, texts) for word in words[2:])])


def _word(word: str, texts: Texts) -> str:
    if not word.startswith("--"):
        return texts.name(word, "input")
    option, equals, value = word.partition("=")
    if not equals or option in _STAYS:
        return word
    kind = _TOKENS.get(option)
    return f"{option}={texts.name(value, 'input') if kind is None else texts.value(value, kind)}"
