"""The other addresses of what is called, put beside the one that a change was made for.

Every policy language has ranges in lists: entries of NetworkPolicy (``ipBlock``), plain texts elsewhere (``toCIDR``,
``nets``, ``networks``).  What stands in such a list for one address of a DNS name, say, is written again for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, changed_policy
from flowdiag.model.words import plural

__all__ = ["with_addresses"]


def with_addresses(
    edits: Sequence[AnyEdit], own: str, more: Sequence[str], *, of: str, named: str
) -> tuple[AnyEdit, ...]:
    """Let edits that admit one range admit others with it; those of a policy that names it already stay.

    Args:
        edits: changes for one address.
        own: its range: ``192.0.2.7/32``.
        more: the ranges of the other addresses.
        of: whose addresses they are, in words.
        named: what the edits call the end of the one address.
    """
    found: list[AnyEdit] = []
    for edit in edits:
        if isinstance(edit, Edit) and (edit.old is None or not _names(edit.old.spec, own)):
            written = set[str]()
            spec = _beside(edit.new.spec, own, more, written)
            if spec is not edit.new.spec:
                rest = f" and {plural(len(written), 'other address', 'other addresses')} of {of}"
                edit = replace(  # noqa: PLW2901
                    edit,
                    new=changed_policy(edit.new, spec),
                    summary=_said(edit, own, named, rest),
                    peers=tuple(peer + rest for peer in edit.peers),
                )
        found.append(edit)
    return tuple(found)


def _said(edit: Edit, own: str, named: str, rest: str) -> str:
    """The edit's sentence, with the rest behind the end that it speaks of."""
    head = f"Admit {named}"
    if edit.summary.startswith(head):
        return f"{head}{rest}{edit.summary[len(head) :]}"
    if edit.old is None and not edit.peers:
        # For all that a policy isolates: the end is not spoken of.
        return f"{edit.summary}, at {own.partition('/')[0]}{rest}"
    return edit.summary + rest


def _names(value: Any, own: str) -> bool:
    """Whether a range stands anywhere in a spec."""
    if isinstance(value, dict):
        return any(_names(each, own) for each in value.values())
    return any(_names(each, own) for each in value) if isinstance(value, list) else bool(value == own)


def _beside(value: Any, own: str, more: Sequence[str], added: set[str]) -> Any:
    """Part of a spec with the other ranges in its lists; the very same object where there is nothing to write.

    What a list has already is not written again; `added` takes what is.
    """
    if isinstance(value, dict):
        changed = {key: _beside(each, own, more, added) for key, each in value.items()}
        return changed if any(changed[key] is not each for key, each in value.items()) else value
    if not isinstance(value, list):
        return value
    written: list[Any] = []
    for each in value:
        written.append(_beside(each, own, more, added))
        for form in (_plain, _block):
            if each == form(own):
                missing = [other for other in more if form(other) not in value]
                written += map(form, missing)
                added.update(missing)
    same = len(written) == len(value) and all(one is other for one, other in zip(written, value, strict=True))
    return value if same else written


def _plain(text: str) -> Any:
    return text


def _block(text: str) -> Any:
    return {"ipBlock": {"cidr": text}}
