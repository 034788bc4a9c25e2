"""What several edits do, as one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flowdiag.diagnose.wording import a_list

__all__ = ["going_on", "in_one"]

_MOST = 1000
_PORT = r"\d{1,5}(?:-\d{1,5})?/\w{1,20}"
# Edits say, for example: Allow 8443/TCP in NetworkPolicy team-6/api ingress[0].
_ALLOW = re.compile(rf"[Aa]llow ({_PORT}(?:(?:, | and ){_PORT})*) in (.+)", re.ASCII)


def in_one(summaries: Iterable[str]) -> str:
    """``Allow 8443/TCP and 9090/TCP in NetworkPolicy a/b ingress[0]; admit shop/web in ...``: ports of one rule once."""
    pieces = [piece for summary in summaries for piece in summary.split("; ")]
    ports: dict[str, list[str]] = {}
    kept: list[tuple[str, str]] = []
    for piece in pieces:
        found = _ALLOW.fullmatch(piece)
        place = found[2] if found else ""
        if found and place in ports:
            ports[place] += re.split(", | and ", found[1])
            continue
        if found:
            ports[place] = re.split(", | and ", found[1])
        kept.append((piece, place))
    told = [
        f"Allow {a_list(list(dict.fromkeys(ports[place])), most=_MOST)} in {place}" if place else piece
        for piece, place in kept
    ]
    return "; ".join([*told[:1], *map(going_on, told[1:])])


def going_on(summary: str) -> str:
    """Within a sentence."""
    return f"{summary[:1].lower()}{summary[1:]}"
