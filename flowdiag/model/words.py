"""Words that sentences of several rooms share: of numbers, of objects, of kinds of change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdiag.model.digits import is_digits

if TYPE_CHECKING:
    from flowdiag.model.event import ObjectRef
    from flowdiag.model.policy import PolicyRef

__all__ = [
    "ABSENT",
    "AGENT_SAID",
    "HINT_BEHIND",
    "IF_MEANT",
    "REFUSED_TOO",
    "capital",
    "done",
    "object_text",
    "placed",
    "plural",
    "protocol_text",
    "was",
]

AGENT_SAID = " The agent said at "
"""Between what a summary says by itself, and the words of a node's agent that it quotes."""
ABSENT = "absent while lookups were refused"
"""What a note says of calls that stopped because a name could not be looked up."""
REFUSED_TOO = "the policies refuse it, too: names alone do not bring it back"
"""What such a note adds where a replay says that policies would refuse the calls, too."""
IF_MEANT = "If the call is meant, let "
"""How advice begins that asks for one more rule and knows no mistake."""


HINT_BEHIND = ". "
"""What stands between a warning about an unknown name and the name that was probably meant."""


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 denial``, ``1,204 denials``, ``2 other policies``.

    Args:
        number: how many.
        one: the words behind it for one.
        many: those for any other number, where they are not the same with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def capital(text: str) -> str:
    """The text as a sentence begins; a path or name that it begins with stays as it is, since its case counts."""
    word, _, _ = text.partition(" ")
    return text if any(mark in word for mark in "/.-_") else text[:1].upper() + text[1:]


def object_text(ref: PolicyRef | ObjectRef) -> str:
    """``NetworkPolicy shop/default-deny``, ``Namespace shop``."""
    name = ref.name or "(unnamed)"
    return f"{ref.kind} {ref.namespace}/{name}" if ref.namespace else f"{ref.kind} {name}"


def placed(what: str, where: str | None, line: int | None) -> str:
    """``state.yaml:12: no such kind``; only what is said where no input is known."""
    if not where:
        return what
    return f"{where}:{line}: {what}" if line else f"{where}: {what}"


_WAS = {"labels": "was labelled", "pod-start": "started", "rollout": "was rolled out"}
_DONE = {"labels": "labels written", "pod-start": "started", "rollout": "rolled out"}


def done(change: str) -> str:
    """What became of an object, behind its name: ``created``, ``started``, ``rolled out``."""
    return _DONE.get(change, change)


def was(change: str) -> str:
    """``was created`` of a change's kind; ``labels`` is the kind of a write of labels."""
    return _WAS.get(change, f"was {change}")


def protocol_text(protocol: str) -> str:
    """``TCP``; ``protocol 4`` where a record has the number alone."""
    return f"protocol {protocol}" if is_digits(protocol) else protocol
