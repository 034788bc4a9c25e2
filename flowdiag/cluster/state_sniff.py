"""How surely a file holds cluster objects, by its first bytes."""

from __future__ import annotations

import re

from flowdiag.cluster.cleaning import clean_text
from flowdiag.cluster.documents import is_flow, is_template, looks_like_json
from flowdiag.cluster.refused import FORBIDDEN, refusals
from flowdiag.parserkit import holds

__all__ = ["sniff_state"]

_API = re.compile(r"(?:[a-z0-9.-]{1,100}/)?v[0-9][a-z0-9]{0,12}")
_YAML_API = re.compile(
    r"^(?:- |  ){0,2}[\"']?apiVersion[\"']?: *[\"']?([A-Za-z0-9./-]{1,120})[\"']? *$", re.MULTILINE
)
_YAML_KIND = re.compile(
    r"^(?:- |  ){0,2}[\"']?kind[\"']?: *[\"']?[A-Za-z][A-Za-z0-9]{1,80}[\"']? *$", re.MULTILINE
)
# What a text of objects may begin with, behind comments: "apiVersion: v1", "---", "- apiVersion: v1", "%YAML 1.2", and a
# program's word before them ("Using namespace: shop"); prose has more words before a colon
_YAML_LINE = re.compile(
    r"---.*|%.*|\s*-.*|[\"']?[A-Za-z0-9_.~/$-]{1,200}(?: [A-Za-z0-9_.~/$-]{1,200}){0,2}[\"']?:(?: .*)?"
)
# A fence of Markdown at the first column, or a script's first line: what stands there of objects is an example or an argument.
_QUOTING = re.compile(r"\A\s*+#!|^```", re.MULTILINE)
# "{apiVersion: v1, items: [{apiVersion: v1, kind: Pod, ...": YAML in braces, whose keys need no quotes
_FLOW_API = re.compile(r"[{,]\s*+[\"']?apiVersion[\"']?: *[\"']?([A-Za-z0-9./-]{1,120})[\"']?\s*+[,}]")
# A policy whose apiVersion somebody forgot
_POLICY = re.compile(r"^kind: *[A-Za-z]{0,60}NetworkPolicy *$", re.MULTILINE)
_HEAD = 65536
_WIDE = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16."""
_REFUSED = FORBIDDEN.encode()
_WORDS = (b"apiVersion", b"metadata", b"items")
"""Keys of which every object or list of objects has one at its top."""


def sniff_state(head: bytes) -> float:
    """How surely the head of a file is cluster objects: 0.0 not, 1.0 certainly.

    Near 0 for flow records, JSON logs and API audit logs (``kind: Event`` of ``audit.k8s.io``).
    """
    if head.startswith(_REFUSED) and _is_refusal(head):
        # Nothing was given, which is not that there is nothing.
        return 0.9
    # Every file is asked about, and of thousands of logs in a dump none has one of these.
    if not head.startswith(_WIDE) and not any(holds(head, word) for word in _WORDS):
        return 0.0
    try:
        text = clean_text(_whole_units(head[:_HEAD]))
    except UnicodeDecodeError:
        return 0.0
    if "\x00" in text:
        return 0.0
    if is_flow(text):
        return _sniff_flow(text)
    return _sniff_json(text) if looks_like_json(text) else _sniff_yaml(text)


def _is_refusal(head: bytes) -> bool:
    """Whether it is kubectl's words alone that it was refused objects of kinds that count."""
    if not all(line.startswith(b"Error from server") for line in head.splitlines() if line.strip()):
        return False
    return any(True for _ in refusals(head.decode("utf-8", "replace")))


def _whole_units(head: bytes) -> bytes:
    """`head` without a character cut in two at its end."""
    if head.startswith(_WIDE):
        return head[: len(head) & ~1]
    for cut in range(1, min(4, len(head)) + 1):
        if head[-cut] >= 0xC0:
            return head[:-cut]
        if head[-cut] < 0x80:
            break
    return head


def _sniff_yaml(text: str) -> float:
    api = _YAML_API.search(text)
    if api is None and _POLICY.search(text) and re.search(r"^metadata:", text, re.MULTILINE):
        return 0.8
    if api is None or not _API.fullmatch(api[1]):
        return 0.0
    if api[1].startswith("audit."):
        return 0.0
    if _QUOTING.search(text):
        return 0.0
    first = next(
        (line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")), ""
    )
    if not _YAML_LINE.fullmatch(first) and not is_template(first):
        return 0.0
    if _YAML_KIND.search(text):
        # Of a template nothing is read, and that is said.
        return 0.95
    return 0.9 if re.search(r"^[\"']?items[\"']?:", text, re.MULTILINE) else 0.3


def _sniff_flow(text: str) -> float:
    api = _FLOW_API.search(text)
    return 0.9 if api is not None and _is_api(api[1]) else 0.0


_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"|[{}\[\],:"]', re.DOTALL)


def _sniff_json(text: str) -> float:
    """Look at the keys of the outermost object (or of an array's first one) and at their strings."""
    top = _top_keys(text)
    if _is_settled(top):
        return 0.95
    api, kind = top.get("apiVersion"), top.get("kind")
    if _is_api(api):
        return 0.8 if "metadata" in top else 0.2
    if api is None and "items" in top and (kind or "").endswith("List"):
        return 0.8  # a list that somebody put together by hand; its items say what they are
    if (
        api is None
        and "metadata" in top
        and set(top) <= {"metadata", "spec", "status", "kind", "items", "data"}
    ):
        return 0.7
    return 0.0


def _top_keys(text: str) -> dict[str, str | None]:
    """Keys of that object with their strings, ``None`` for other values, as far as the text goes or they are needed."""
    top: dict[str, str | None] = {}
    depth = 0
    base = 2 if text.lstrip()[0] == "[" else 1
    key: str | None = None
    colon = False
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == '"':
            break  # the head ends inside this string
        if mark in "{[":
            if depth == base and key is not None:
                top.setdefault(key, None)
                if _is_settled(top):
                    break
            depth += 1
            colon = False
        elif mark in "}]":
            depth -= 1
            if depth < base:
                break
            colon = False
        elif mark == ":":
            colon = depth == base
        elif mark == ",":
            colon = False
        elif depth == base:
            if colon and key is not None:
                top.setdefault(key, token[1])
                if _is_settled(top):
                    break
            else:
                key = token[1]
    return top


def _is_settled(top: dict[str, str | None]) -> bool:
    """Whether these keys are a cluster object's, whatever comes behind them: mostly the first two tell, and a list's items are long."""
    return _is_api(top.get("apiVersion")) and (top.get("kind") is not None or "items" in top)


def _is_api(text: str | None) -> bool:
    return text is not None and _API.fullmatch(text) is not None and not text.startswith("audit.")
