"""Where a word stands in a text, by what stands beside it."""

from __future__ import annotations

import re
from enum import Enum

from flowdiag.report.redact.keys import is_common_key, is_count_key, is_enum_key, is_message_key, is_name_key
from flowdiag.report.redact.words import is_kind

__all__ = ["CALLED", "PROBES", "Place", "place_of", "stands_bare"]

# name=, msg="; the key that a value stands behind
_KEY = re.compile(r"([A-Za-z_][\w.-]{0,60})=[\"'\[({]?$")
# Envoy's ns[shop]-policy[web], and what is no name: egress[0].to[1], cilium-agent[1234], [12345.678901]
_INDEXED = re.compile(r"([A-Za-z]{1,40})\[$")
# A reference to a policy, behind which an Antrea line has the rule's name: AntreaNetworkPolicy:shop/web allow-db
_POLICY_REFERENCE = re.compile(r"[A-Za-z0-9]*Policy:\S+")
# "AntreaNetworkPolicy:shop/old Drop 44900 10.10.1.65": columns without the rule (Antrea, v1.0)
_ACTION = re.compile(r"(?:Allow|Drop|Reject|Pass) \d{1,5} (?:SRC: )?(?:[0-9a-f]{0,4}[.:]|ip[46]-r)")
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
_COUNTED = frozenset({"workloads", "ends", "ranges"})
"""What stands before ``in`` and a bare namespace: "3 workloads in shop"."""
_NAMESPACES = re.compile(r" namespaces\b")
_TARGETED = frozenset({"exec", "debug"})
"""What stands before ``deploy/web`` in kubectl's commands."""

# Hosts, nodes and what has no namespace stand in flowdiag's sentences without "/" or a kind: "Nothing allows
# shop/web to reach database on 443/TCP", "37 records were lost on worker at 14:06:31 UTC", "gateway cannot reach ..".
_BEFORE_BARE = frozenset(
    [
        "admit",
        "Admit",
        "admits",
        "allows",
        "and",
        "answers",
        "as",
        "asks",
        "at",
        "between",
        "blocks",
        "by",
        "call",
        "calls",
        "denial",
        "denied",
        "denies",
        "for",
        "from",
        "isolates",
        "let",
        "like",
        "may",
        "means",
        "nodes",
        "noted",
        "of",
        "on",
        "or",
        "puts",
        "reach",
        "reached",
        "refused",
        "refuses",
        "reaches",
        "scrape",
        "selects",
        "tells",
        "than",
        "to",
        "what",
        "When",
        "which",
        "while",
        "Who",
        "with",
    ]
)
_BEHIND_BARE = frozenset(
    [
        "after",
        "and",
        "answers",
        "are",
        "asks",
        "at",
        "between",
        "cannot",
        "could",
        "did",
        "for",
        "from",
        "has",
        "have",
        "had",
        "in",
        "is",
        "let",
        "may",
        "on",
        "or",
        "reached",
        "reaches",
        "refused",
        "refuses",
        "restarted",
        "started",
        "stopped",
        "tells",
        "that",
        "to",
        "UTC",
        "was",
        "were",
        "where",
        "which",
        "while",
        "with",
        "within",
        "by",
    ]
)
_RECORDED_ON = frozenset({"agent", "recorded", "lost", "through", "refused", "missing"})
"""What stands before ``on`` and a node, whatever follows it."""
_COMMANDS = frozenset({"-zvw3", "-zuvw3", "nslookup", "ping", "-c3", "-w3"})
"""What stands before the host in commands."""
CALLED = frozenset(["pod", "pods", "service", "svc", "policy", "workload", "container", "host", "ns", "job"])
"""What a number is a name behind in a stranger's line, as behind a kind."""
PROBES = frozenset({"-zvw3", "-zuvw3"})
"""What a host certainly follows (flowdiag/timeline/commands.py)."""
# " (198.51.100.80)", " (2001:db8::1)": flowdiag.diagnose.wording.end_text
_BEFORE_ADDRESS = re.compile(r" \((?:[0-9.]{7,15}|[0-9A-Fa-f:.]{2,45})\)")
_NEXT_WORD = re.compile(r" ([^\s.,:;)]{1,40})")
_ENDED = re.compile(r"[.,:;)]|$")


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
    COUNT = 6
    """A number here is a port, a count or a time; what is none is a name."""
    BRACKETS = 7
    """As `COUNT`, but for records: hubble writes ``[worker-2]:`` where others have a process."""
    OPEN = 8


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
        # "k8s:port=8080" is a label, "tier=3" too.
        counts = (
            key is not None and is_count_key(key[1]) and text[key.start() - 1 : key.start()] not in (":", "/")
        )
        return Place.COUNT if counts else Place.NAME
    if left in ('"', "'", "`") and right == left:
        return Place.NAME
    if left == "[" and right == "]":
        owner = _INDEXED.search(text, max(0, start - 41), start)
        if owner is None:
            return Place.BRACKETS
        return Place.NAME if owner[1] == "ns" or is_name_key(owner[1]) else Place.COUNT
    if left in (" ", "") and before and text[start - 1 - len(before) : start - 1] == before:
        if _POLICY_REFERENCE.fullmatch(before):
            return Place.OPEN if _ACTION.match(text, start) else Place.NAME
        if before == "by" and earlier in _DONE:
            return Place.BEHIND_KIND
        # "3 workloads in shop", and "9 ends in 4 namespaces", which is a count.
        if before == "in" and earlier in _COUNTED and _NAMESPACES.match(text, end) is None:
            return Place.BEHIND_KIND
        if before in _TARGETED:
            return Place.TARGET
        # As in "namespaceSelector kubernetes.io/metadata.name: shop", "podSelector k8s-app: kube-dns".
        if before.endswith(":") and is_common_key(before[:-1]) and _WHOLE_KEY.search(before):
            return Place.NAME
        # "-n networkpolicy describe", "-zvw3 job.shop 80", "app=replicaset to": somebody is called so, and no name follows.
        named = (
            earlier in ("-n", "--namespace", *PROBES)
            or text[start - 2 - len(before) : start - 1 - len(before)] == "="
        )
        if (is_kind(before) and not named and earlier not in _ARTICLES) and (
            before != "namespace"
            or text[start:end].rstrip(":") not in _BEHIND_ANY
            or earlier in _BEFORE_NAMESPACE
            or _BEHIND_NAMESPACE.match(text, end) is not None
        ):
            return Place.BEHIND_KIND
    return Place.OPEN


def stands_bare(text: str, start: int, end: int, before: str, earlier: str) -> bool:
    """Whether flowdiag's sentences have a host, a node or another name without a namespace here, not a word.

    Where that cannot be told it is a name: a sentence may lose a word, but no name is left in it.
    """
    if _BEFORE_ADDRESS.match(text, end) is not None or text.startswith("'s clock", end):
        return True
    if before == "by" and earlier == "not":
        return False
    left = text[:start].rstrip(" ")
    if before in _COMMANDS or left.endswith(("->", "\u2192")) or (before == "on" and earlier in _RECORDED_ON):
        return True
    if left and left[-1] not in ".:;(" and before not in _BEFORE_BARE:
        return False
    if _ENDED.match(text, end) is not None:
        return True
    behind = _NEXT_WORD.match(text, end)
    # One name is never many: "443/TCP: names are allowed".
    if behind is not None and behind[1] == "are" and left and left[-1] in ".:;(":
        return False
    return behind is not None and (behind[1] in _BEHIND_BARE or text.startswith(" (", end))
