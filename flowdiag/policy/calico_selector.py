"""Calico's selector language: tokenizer, parser and three-valued evaluation.

Grammar (libcalico-go ``lib/selector``, v3.31)::

    expr := and ("||" and)*        and := op ("&&" op)*        op := "!"* primary
    primary := "(" expr ")" | "has(" label ")" | "all()" | "global()" | label test
    test := ("==" | "!=" | "contains" | "starts with" | "ends with") string
          | ("in" | "not in") "{" [string ("," string)* [","]] "}"

``!`` binds to the next operation only.  White space is space and tab: a line break is an error, as in
Calico itself.  Strings take either quote and know no escapes.  Words of the language may be labels.
A missing label fails every test but ``!=`` and ``not in``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.demands import Demand
from flowdiag.policy.model import MATCH, Check, Outcome, all_of, miss, unknown

__all__ = ["CalicoSelector", "Node", "SelectorSyntaxError", "parse_selector"]

_MAX_TEXT = 16_384
_MAX_DEPTH = 64

# as in: has(projectcalico.org/namespace) && app in {'web', "api"} && tier starts with 'front'
_SPACE = re.compile(r"[ \t]*")
_LABEL = re.compile(r"[A-Za-z0-9_./-]{1,512}")
_TEST = re.compile(r"==|!=|contains|starts[ \t]*with|ends[ \t]*with|not[ \t]*in|in")
_STRING = re.compile(r"'([^'\n\r]*)'|\"([^\"\n\r]*)\"")


_OPPOSITE = (Outcome.MATCH, Outcome.UNKNOWN, Outcome.MISS)


class SelectorSyntaxError(ValueError):
    """A selector that Calico would refuse; the message says where."""


class Node(Struct, frozen=True):
    """A part of a selector.

    `kind` is ``all``, ``global``, ``has``, ``not``, ``and``, ``or`` or a test; `key` and `values` belong
    to tests and ``has``, `parts` to the operators.
    """

    kind: str
    key: str = ""
    values: tuple[str, ...] = ()
    parts: tuple[Node, ...] = ()

    def text(self) -> str:
        """Write the part back, in one spelling; a wanted label as ``key=value``."""
        if self.kind in ("all", "global"):
            return f"{self.kind}()"
        if self.kind == "has":
            return f"has({self.key})"
        if self.kind == "not":
            return f"!({self.parts[0].text()})"
        if self.kind in ("and", "or"):
            word = " && " if self.kind == "and" else " || "
            return word.join(
                f"({part.text()})" if part.kind in ("and", "or") else part.text() for part in self.parts
            )
        if self.kind in ("==", "in") and len(self.values) == 1:
            return f"{self.key}={self.values[0]}"
        if self.kind in ("in", "not in"):
            return f"{self.key} {self.kind} {{{','.join(self.values)}}}"
        return f"{self.key} {self.kind} {self.values[0]}"

    def keys(self) -> frozenset[str]:
        """Label keys that it asks for."""
        own = frozenset({self.key}) if self.key else frozenset()
        return own.union(*(part.keys() for part in self.parts))

    def outcome(self, labels: Mapping[str, str], complete: bool, doubtful: str) -> Outcome:
        """Answer for labels.

        A key that is absent is unknown where labels are not `complete`, or where it starts with
        `doubtful` (a prefix of keys that may exist unseen; empty for none).
        """
        kind = self.kind
        if kind in ("all", "global"):
            return Outcome.MATCH
        if kind == "and":
            return min(part.outcome(labels, complete, doubtful) for part in self.parts)
        if kind == "or":
            return max(part.outcome(labels, complete, doubtful) for part in self.parts)
        if kind == "not":
            return _OPPOSITE[self.parts[0].outcome(labels, complete, doubtful)]
        value = labels.get(self.key)
        if value is None and (not complete or (doubtful and self.key.startswith(doubtful))):
            return Outcome.UNKNOWN
        return Outcome.MATCH if self._holds(value) else Outcome.MISS

    def _holds(self, value: str | None) -> bool:
        if value is None:
            return self.kind in ("!=", "not in")
        if self.kind == "has":
            return True
        if self.kind in ("==", "in"):
            return value in self.values
        if self.kind in ("!=", "not in"):
            return value not in self.values
        wanted = self.values[0]
        if self.kind == "contains":
            return wanted in value
        return value.startswith(wanted) if self.kind == "starts with" else value.endswith(wanted)

    def told(self, labels: Mapping[str, str], condition: Condition) -> Miss:
        """What it wanted and what was there."""
        found = ",".join(f"{key}={labels[key]}" for key in sorted(self.keys()) if key in labels)
        return Miss(condition, self.text(), found or None)


class CalicoSelector(Struct, frozen=True):
    """A parsed selector."""

    root: Node

    @property
    def text(self) -> str:
        """The selector in one spelling."""
        return self.root.text()

    @property
    def keys(self) -> frozenset[str]:
        """Label keys that it asks for."""
        return self.root.keys()

    @property
    def everything(self) -> bool:
        """Whether it is ``all()``."""
        return self.root.kind == "all"

    def demands(self, source: str, beside: str) -> tuple[Demand, ...]:
        """Give what labels of a source must show: each part that asks for a label demands it.

        Args:
            source: of the tokens.
            beside: a prefix of keys that may exist unseen, on which nothing is demanded.
        """
        parts = self.root.parts if self.root.kind == "and" else (self.root,)
        return tuple(
            frozenset({(source, part.key)})
            if part.kind == "has"
            else frozenset((source, part.key, value) for value in part.values)
            for part in parts
            if part.kind in ("==", "in", "has") and not part.key.startswith(beside)
        )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether complete labels meet it."""
        return self.root.outcome(labels, complete=True, doubtful="") is Outcome.MATCH

    def check(
        self,
        labels: Mapping[str, str] | None,
        condition: Condition,
        *,
        complete: bool = True,
        doubtful: str = "",
        what: str = "its labels are",
    ) -> Check:
        """Answer for labels, each failing part of a conjunction as a miss of its own.

        Args:
            labels: the labels, ``None`` if not known.
            condition: what the misses are about.
            complete: whether a key that is not there is surely absent.
            doubtful: a prefix of keys that may exist although they are not there.
            what: whose labels they are, for the words of an unknown.
        """
        if labels is None:
            return MATCH if self.everything else unknown(f"{what} not known ({self.text})")
        parts = self.root.parts if self.root.kind == "and" else (self.root,)
        checks = []
        for part in parts:
            outcome = part.outcome(labels, complete, doubtful)
            if outcome is Outcome.MISS:
                checks.append(miss(part.told(labels, condition)))
            elif outcome is Outcome.UNKNOWN:
                checks.append(unknown(f"{what} not known ({part.text()})"))
        return all_of(checks)


_ALL = CalicoSelector(Node("all"))


def parse_selector(text: str) -> CalicoSelector:
    """Parse a selector; empty or blank is ``all()``.

    Raises:
        SelectorSyntaxError: what Calico would refuse.
    """
    if len(text) > _MAX_TEXT:
        raise SelectorSyntaxError(f"a selector of {len(text)} characters is too long")
    if not text.strip(" \t"):
        return _ALL
    parser = _Parser(text)
    root = parser.expression(0)
    parser.end()
    return CalicoSelector(root)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def expression(self, depth: int) -> Node:
        parts = [self._conjunction(depth)]
        while self._take("||"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Node("or", parts=tuple(parts))

    def end(self) -> None:
        self._blank()
        if self._at < len(self._text):
            raise self._error("unexpected text")

    def _conjunction(self, depth: int) -> Node:
        parts = [self._operation(depth)]
        while self._take("&&"):
            parts.append(self._operation(depth))
        return parts[0] if len(parts) == 1 else Node("and", parts=tuple(parts))

    def _operation(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise self._error("nested too deeply")
        negated = False
        while self._take_not():
            negated = not negated
        node = self._primary(depth)
        return Node("not", parts=(node,)) if negated else node

    def _primary(self, depth: int) -> Node:
        if self._take("("):
            node = self.expression(depth + 1)
            self._expect(")")
            return node
        label = self._label()
        # The parenthesis follows at once: "has (a)" is a label called has and then an error.
        if self._text.startswith("(", self._at):
            if label in ("all", "global"):
                self._at += 1
                self._expect(")")
                return Node(label)
            if label == "has":
                self._at += 1
                key = self._label()
                self._expect(")")
                return Node("has", key)
            raise self._error("unknown function")
        self._blank()
        found = _TEST.match(self._text, self._at)
        if found is None:
            raise self._error("expected an operator")
        self._at = found.end()
        word = "".join(found[0].split())
        kind = {"startswith": "starts with", "endswith": "ends with", "notin": "not in"}.get(word, word)
        values = self._set() if kind in ("in", "not in") else (self._string(),)
        return Node(kind, label, values)

    def _set(self) -> tuple[str, ...]:
        self._expect("{")
        values = []
        while not self._take("}"):
            values.append(self._string())
            if not self._take(","):
                self._expect("}")
                break
        return tuple(dict.fromkeys(values))

    def _string(self) -> str:
        self._blank()
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._error("expected a quoted string")
        self._at = found.end()
        return found[1] if found[1] is not None else found[2]

    def _label(self) -> str:
        self._blank()
        found = _LABEL.match(self._text, self._at)
        if found is None:
            raise self._error("expected a label")
        self._at = found.end()
        return found[0]

    def _take_not(self) -> bool:
        self._blank()
        if self._text.startswith("!", self._at) and not self._text.startswith("!=", self._at):
            self._at += 1
            return True
        return False

    def _take(self, token: str) -> bool:
        self._blank()
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self._error(f"expected {token!r}")

    def _blank(self) -> None:
        found = _SPACE.match(self._text, self._at)
        if found is not None:
            self._at = found.end()

    def _error(self, what: str) -> SelectorSyntaxError:
        rest = self._text[self._at : self._at + 20]
        return SelectorSyntaxError(f"{what} at character {self._at + 1} ({rest!r})")
