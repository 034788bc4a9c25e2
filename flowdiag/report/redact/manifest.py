"""Manifests and patches: what stays is decided by where it stands.

Keys of the schemas stay and keys of label maps go; values go unless their key says that words of the schema
stand there (``kind``, ``policyTypes``, ``action``).
"""

from __future__ import annotations

import re

from flowdiag.report.redact.keys import is_common_group, is_common_key, is_count_key
from flowdiag.report.redact.text import Texts
from flowdiag.report.redact.tokens import Tokens
from flowdiag.report.redact.words import ENTITIES, is_format_word, is_number, may_be_called

__all__ = ["Manifests"]

# Lines such as "          kubernetes.io/metadata.name: kube-system", "      - 10.0.0.0/8", "  - matchPattern: '*.example.com'"
_LINE = re.compile(
    r"(\s*)((?:- )*)(?:(\"[^\"]*\"|'[^']*'|[^\s:#'\"\[{][^:#]*?|[^\s:#]*:[^\s:]+)(:)(?=\s|$))?(\s*)(.*)"
)
_LABEL_MAPS = frozenset({"labels", "matchLabels", "annotations"})
_TOKENS = {"name": "name", "namespace": "ns", "cidr": "ip4"}
"""What the tokens of some values start with."""
_KEY_WORDS = frozenset({"key"})
_FORMAT_VALUES = frozenset(
    [
        "kind",
        "apiVersion",
        "protocol",
        "action",
        "operator",
        "type",
        "types",
        "policyTypes",
        "order",
        "port",
        "endPort",
        "method",
        "applyOnForward",
        "ipVersion",
        "notProtocol",
        "family",
        "enableDefaultDeny",
        "ingress",
        "egress",
        "creationTimestamp",
        "resourceVersion",
    ]
)
# 8080:8090 (Calico), 8080-8090
_PORTS = re.compile(r"[0-9]{1,5}[:-][0-9]{1,5}")
_ENTITY_LISTS = frozenset({"fromEntities", "toEntities"})
# Calico: app == 'pay-api' && has(team), projectcalico.org/name == "edge", role in {'a', "b"}
_SELECTOR_KEY = re.compile(r".*[sS]elector")
_SELECTOR_PART = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z0-9][\w./-]*")
_OPERATORS = frozenset(["in", "not", "has", "all", "global", "starts", "ends", "with", "contains"])
# "--- a/payments/allow-checkout.yaml"; an object that is new has "--- /dev/null" in place of the first
_HEADER = re.compile(r"((?:---|\+\+\+) (?:[ab]/)?)(\S+?)((?:\.yaml)?)")
_NEW = "--- /dev/null"
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@.*")


class Manifests:
    """The YAML texts of one report."""

    def __init__(self, tokens: Tokens, texts: Texts) -> None:
        self._tokens = tokens
        self._texts = texts
        self._whole: dict[str, str] = {}
        self._done: dict[tuple[str, tuple[str, ...]], str] = {}

    def manifest(self, text: str) -> str:
        """A whole document."""
        shown = self._whole.get(text)
        if shown is None:
            walk = _Walk(self._tokens, self._texts)
            shown = self._whole[text] = "\n".join(map(walk.line, text.split("\n")))
        return shown

    def patch(self, text: str, after: tuple[str, ...]) -> str:
        """A unified diff.

        Args:
            text: the diff.
            after: the documents that it leads to; they say where a hunk begins, as far as they are there.
        """
        key = (text, after)
        shown = self._done.get(key)
        if shown is None:
            shown = self._done[key] = "\n".join(self._patched(text.split("\n"), after))
        return shown

    def _patched(self, lines: list[str], after: tuple[str, ...]) -> list[str]:
        shown: list[str] = []
        walk = _Walk(self._tokens, self._texts)
        for number, line in enumerate(lines):
            hunk = _HUNK.fullmatch(line)
            header = _HEADER.fullmatch(line)
            if line == _NEW:
                shown.append(line)
            elif header is not None:
                shown.append(header[1] + self._texts.value(header[2], "name") + header[3])
            elif hunk is not None:
                walk = _Walk(self._tokens, self._texts)
                walk.enter(_above(lines[number + 1 :], int(hunk[1]), after))
                shown.append(line)
            else:
                shown.append(line[:1] + walk.line(line[1:]))
        return shown


def _above(hunk: list[str], start: int, after: tuple[str, ...]) -> list[str]:
    """The lines of a document before a hunk, by the hunk's first lines."""
    kept = [line[1:] for line in hunk[:12] if line[:1] in (" ", "+")][:3]
    for document in after:
        lines = document.split("\n")
        if lines[start - 1 : start - 1 + len(kept)] == kept:
            return lines[: start - 1]
    return []


class _Walk:
    """Line by line, with the keys that a line stands under."""

    def __init__(self, tokens: Tokens, texts: Texts) -> None:
        self._tokens = tokens
        self._texts = texts
        self._above: list[tuple[int, str]] = []
        """Indentation and key of what is open."""

    def enter(self, lines: list[str]) -> None:
        """Pass over lines that are not shown."""
        for line in lines:
            self._place(line)

    def _place(self, line: str) -> tuple[re.Match[str], str]:
        match = _LINE.fullmatch(line)
        if match is None:  # only a line end is no part of it
            raise AssertionError(line)
        indent = len(match[1]) + len(match[2])
        # A list's items may stand as deep as their key; they are below it all the same.
        own = len(match[1]) if match[2] else indent
        while self._above and (self._above[-1][0] > own or (self._above[-1][0] == own and not match[2])):
            self._above.pop()
        parent = self._above[-1][1] if self._above else ""
        if match[3]:
            self._above.append((indent, match[3]))
        return match, parent

    def line(self, line: str) -> str:
        """One line with its names replaced."""
        if not line.strip():
            return line
        match, parent = self._place(line)
        lead, dashes, key, colon, space, rest = match.groups(default="")
        if not key:
            return f"{lead}{dashes}{space}{self._value(rest, parent, parent)}"
        own = key.strip("'\"")
        labels = parent in _LABEL_MAPS
        name = (
            self._bare(self._texts.key(key))
            if labels or not (is_format_word(own) or is_common_key(own))
            else key
        )
        return f"{lead}{dashes}{name}{colon}{space}{self._value(rest, '' if labels else own, parent)}"

    def _value(self, text: str, key: str, parent: str) -> str:
        bare = text.strip("'\"")
        if not bare or text in ("{}", "[]", "|", "|-", ">", ">-"):
            return text
        counts = is_count_key(key)
        if (counts and _PORTS.fullmatch(bare)) or (
            is_number(bare) and (counts or key in _FORMAT_VALUES or not self._may_be_one(bare))
        ):
            return text
        if text in ("null", "true", "false") and (key in _FORMAT_VALUES or self._tokens.known(text) is None):
            return text
        if key == "tier" and bare == "default":  # Calico's own
            return text
        if key in _ENTITY_LISTS and bare in ENTITIES:
            return text
        if key in _FORMAT_VALUES and (is_format_word(bare) or self._is_version(key, bare)):
            return text
        if key in _KEY_WORDS and parent != "matchLabels" and is_common_key(bare):
            return text
        if _SELECTOR_KEY.fullmatch(key):
            return _SELECTOR_PART.sub(lambda match: self._selector(match[0]), text)
        return self._bare(self._texts.value(text, _TOKENS.get(key, "label")))

    def _may_be_one(self, number: str) -> bool:
        return may_be_called(number) or self._tokens.known(number) is not None

    def _bare(self, text: str) -> str:
        """Give a token without the quotes that its name had: they would show that it looked like a number or ``true``."""
        inner = text[1:-1]
        return (
            inner if text[:1] in ("'", '"') and text[-1:] == text[:1] and self._tokens.made(inner) else text
        )

    def _is_version(self, key: str, value: str) -> bool:
        return key == "apiVersion" and is_common_group(value.partition("/")[0])

    def _selector(self, part: str) -> str:
        if part[0] in "'\"":
            return part[0] + self._texts.value(part[1:-1], "label") + part[-1]
        return part if part in _OPERATORS else self._texts.key(part)
