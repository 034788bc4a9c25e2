"""The command line that made a report, without the names in it.

It is flowdiag's own form (`flowdiag.cli.command_text`): options as one word each with their value, then paths.
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
_PODS = frozenset(["--from-pod", "--to-pod"])
"""Options whose values are ``namespace/name``, or half of it."""


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
    # What stands behind "--" are paths, whatever they begin with.
    end = words.index("--") if "--" in words else len(words)
    return shlex.join(
        [
            *words[:2],
            *(_option(word, texts) if word.startswith("--") else _path(word, texts) for word in words[2:end]),
            *words[end : end + 1],
            *(_path(word, texts) for word in words[end + 1 :]),
        ]
    )


def _path(word: str, texts: Texts) -> str:
    return word if word == "-" else texts.name(word, "input")


def _option(word: str, texts: Texts) -> str:
    option, equals, value = word.partition("=")
    if not equals or option in _STAYS:
        return word
    kind = _TOKENS.get(option, "input")
    parts = value.split("/") if option in _PODS else [value]
    return f"{option}={'/'.join(part and texts.name(part, kind) for part in parts)}"
