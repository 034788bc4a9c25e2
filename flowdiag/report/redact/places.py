"""Where a word stands in a text, by what stands beside it."""

from __future__ import annotations

import re
from enum import Enum

from flowdiag.report.redact.words import is_common_key, is_enum_key, is_kind, is_message_key

__all__ = ["Place", "place_of"]

# name=, msg="; the key that a value stands behind
_KEY = re.compile(r"([A-Za-z_][\w.-]{0,60})=[\"'\[({]?$")
# A reference to a policy, behind which an Antrea line has the rule's name: AntreaNetworkPolicy:shop/web allow-db
_POLICY_REFERENCE = re.compile(r"[A-Za-z0-9]*Policy:\S+")
# "in namespace shop", "Allow namespace shop on 9121/TCP", "namespace shop has no such label"; what stands there in
# "a namespace label does not match", "every namespace with egress rules" is no name.
_BEFORE_NAMESPACE = frozenset({"in", "of", "means", "Allow", "Label"})
_BEHIND_ANY = frozenset(
    [
        "label",
        "labels",
        "selector",
        "selectors",
        "with",
        "of",
        "or",
        "and",
        "is",
        "has",
        "in",
        "by",
        "that",
        "where",
        "which",
        "on",
        "for",
        "to",
        "but",
        "does",
        "are",
        "was",
    ]
)
_DONE = frozenset(
    ["created", "updated", "modified", "deleted", "changed", "labelled", "removed", "added", "started"]
)
"""What stands before ``by`` and the name of who did it."""
_ARTICLES = frozenset(
    {
        "a",
        "an",
        "A",
        "An",
        "the",
        "The",
        "no",
        "No",
        "each",
        "every",
        "this",
        "that",
        "one",
        "its",
        "own",
        "same",
        "s",
    }
)
"""What stands before a kind that no name follows: "a NetworkPolicy never selects", "the destination's namespace does"."""
_WHOLE_KEY = re.compile(r"[-/]|^app:$")
"""Keys that are no word of a sentence."""
_BEHIND_NAMESPACE = re.compile(r" has\b")
_TARGETED = frozenset({"exec", "debug"})
"""What stands before ``deploy/web`` in kubectl's commands."""


class Place(Enum):
    """What may stand somewhere."""

    NAME = 1
    """Names stand here."""
    BEHIND_KIND = 2
    """A name stands here if it is one."""
    LABEL = 3
    """A label's key stands here."""
    KEY = 4
    """A label's key stands here, or a field's name."""
    TARGET = 5
    """A kind of kubectl's and a name stand here."""
    OPEN = 6


def place_of(text: str, start: int, end: int, before: str, earlier: str) -> Place:
    """Where a word stands.

    Args:
        text: what it stands in.
        start: where it begins.
        end: where it ends.
        before: the word before it.
        earlier: the one before that.
    """
    left, right = text[start - 1 : start], text[end : end + 1]
    if right == "=" and text[end + 1 : end + 2] not in ("=", ""):
        return Place.KEY
    if left == "=" or (left in "\"'[" and left and text[start - 2 : start - 1] == "="):
        key = _KEY.search(text, max(0, start - 66), start)
        if key is not None and (is_enum_key(key[1]) or is_message_key(key[1]) or before.startswith("--")):
            return Place.OPEN
        return Place.NAME
    if (left in ('"', "'", "`") and right == left) or (left == "[" and right == "]"):
        return Place.NAME
    if left in (" ", "") and before and text[start - 1 - len(before) : start - 1] == before:
        if _POLICY_REFERENCE.fullmatch(before):
            return Place.NAME
        if before == "by" and earlier in _DONE:
            return Place.BEHIND_KIND
        if before in _TARGETED:
            return Place.TARGET
        # As in "namespaceSelector kubernetes.io/metadata.name: shop", "podSelector k8s-app: kube-dns".
        if before.endswith(":") and is_common_key(before[:-1]) and _WHOLE_KEY.search(before):
            return Place.NAME
        # "-n networkpolicy describe", "app=replicaset to": somebody is called so, and no name follows.
        named = (
            earlier in ("-n", "--namespace") or text[start - 2 - len(before) : start - 1 - len(before)] == "="
        )
        if (is_kind(before) and not named and earlier not in _ARTICLES) and (
            before != "namespace"
            or text[start:end].rstrip(":") not in _BEHIND_ANY
            or earlier in _BEFORE_NAMESPACE
            or _BEHIND_NAMESPACE.match(text, end) is not None
        ):
            return Place.BEHIND_KIND
    return Place.OPEN
