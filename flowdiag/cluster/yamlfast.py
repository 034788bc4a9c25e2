"""A fast reader for the YAML that ``kubectl get -o yaml`` prints, and for nothing else.

It takes block mappings and sequences, one-line plain and quoted scalars, ``{}``, ``[]`` and ``|``
literals, one value a line; at anything else (anchors, tags, folded text, flow collections, values over
several lines, trailing comments, tabs, odd spacing) it raises `Doubt` and the caller asks the safe
reader.  A property test holds that where it answers, it answers as `flowdiag.cluster.yamlsafe` does;
only a fault inside a part that nobody needs, and that is skipped unread, goes unseen.

Why: PyYAML makes Python objects for every event, about 1 MB a second on pods; here a skipped subtree
costs one search for the next line that is not deeper.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from flowdiag.cluster.scalars import TEXT_FIELDS, TEXT_PARENTS, plain_text, plain_value
from flowdiag.cluster.wanted import KEEP, SKIP, Filter

__all__ = ["Doubt", "read_block"]

_MAX_DEPTH = 60


class Doubt(Exception):  # noqa: N818 - a question handed on, not an error of the input
    """Not the subset that is read here."""


# A tab, a control character or a Unicode line break changes where lines and scalars end.
_ODD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_USUAL = bytes(range(0x20, 0x7F)) + b"\n"
# "  - containerPort: 8080", "    f:metadata:", "  k:{\"type\":\"Ready\"}:", "- 10.0.0.1", after blank and comment lines
_LINE = re.compile(
    r"(?:[ ]*+(?:#[^\n]*+)?\n)*+"
    r"([ ]*+)(-[ ])?"
    r"(?:([A-Za-z0-9_./$~][^\s:]*+(?::[^\s:]++)*+|\"[^\"\\\n]*+\"|'[^'\n]*+'):(?:[ ]([^\n]*+))?(?=\n)|([^\n]*+))\n"
)
_END = re.compile(r"(?:[ ]*+(?:#[^\n]*+)?\n)*+[ ]*\Z")
# an unquoted scalar on one line: no ": ", no " #", no blank at its end
_PLAIN = re.compile(
    r"(?:[A-Za-z0-9_./$(<=^~;+\\]|[-:?](?=[^\s]))(?:[^\s:#]|:(?=[^\s])|(?<=[^\s])#|[ ]++(?=[^\s#]))*+"
)
_DOUBLE = re.compile(r'"(?:[^"\\]|\\["\\nrtb]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})*+"')
_SINGLE = re.compile(r"'(?:[^']|'')*+'")
# In a part that is skipped: a quote or bracket that does not close on its line might hide where it ends.
# A node has at most a tag and an anchor; looking for more would read a line of "- &a- &a- ..." from each dash to its end.
_OPEN = re.compile(
    r"(?:[:?-] ++|^)(?:[!&][^\s]*+ ++){0,2}+(?:\"(?:[^\"\\\n]|\\.)*+(?!\")|'(?:[^'\n]|'')*+(?!')|\[(?!\]\n)|\{(?!\}\n))",
    re.MULTILINE,
)
_LITERAL_STYLES = frozenset({"|", "|-", "|+"})


@cache
def _skip_to(column: int) -> re.Pattern[str]:
    """The next line that does not belong to a key at `column`."""
    less = rf" {{0,{column - 1}}}(?=[^ \n])|" if column else ""
    return re.compile(rf"\n(?:{less} {{{column}}}(?![ \n]|-[ \n])|\Z)")


@cache
def _literal_lines(column: int) -> re.Pattern[str]:
    """The lines of a literal below a key (or dash) at `column`."""
    return re.compile(rf"(?: *+\n| {{{column + 1},}}[^\n]*+\n)*+")


def read_block(text: str, want: Filter = KEEP) -> Any:
    """The one block collection that `text` is; it must end in a line feed.

    Raises:
        Doubt: it is not surely what the safe reader would read.
    """
    if not text.endswith("\n") or _is_odd(text):
        raise Doubt
    reader = _Reader(text)
    reader.next()
    if reader.dash:
        value: Any = reader.sequence(reader.indent, want, None, 0)
    elif reader.key is not None:
        value = reader.mapping(reader.indent, want, None, 0)
    else:
        raise Doubt
    if reader.indent != -1:
        raise Doubt
    return value


def _is_odd(text: str) -> bool:
    if text.isascii():
        # A table lookup a byte, several times quicker than the pattern.
        return bool(text.encode("ascii").translate(None, _USUAL))
    return _ODD.search(text) is not None


class _Reader:
    """A cursor over lines; the fields are the line it stands on, `indent` -1 at the end."""

    __slots__ = ("dash", "end", "indent", "key", "match", "scalar", "start", "text", "value")

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = 0
        self.start = 0
        self.indent = -1
        self.dash = False
        self.key: str | None = None
        self.value: str | None = None
        self.scalar: str | None = None
        self.match = _LINE.match

    def next(self) -> None:
        """Step to the next line that holds something."""
        found = self.match(self.text, self.end)
        if found is None:
            if not _END.match(self.text, self.end):
                raise Doubt
            self.indent = -1
            self.dash = False
            self.key = self.scalar = None
            return
        indent, dash, key, self.value, scalar = found.groups()
        self.indent = len(indent)
        self.dash = dash is not None
        self.scalar = scalar
        if key is None:
            # Three dashes at the start open a document; the caller cuts those.
            if scalar == "" or (dash is None and scalar[:1] in "-.%"):
                raise Doubt
            self.key = None
        else:
            self.key = key[1:-1] if key[0] in "\"'" else key
        self.end = found.end()
        self.start = found.start(3) if self.value is None else found.start(4) - 2

    def mapping(self, column: int, want: Filter, parent: str | None, depth: int) -> dict[str, Any]:
        """The mapping whose first key stands on this line at `column`."""
        if depth > _MAX_DEPTH:
            raise Doubt
        found: dict[str, Any] = {}
        text_children = parent in TEXT_PARENTS
        filtered = want is not KEEP
        while True:
            key = self.key
            # A key that comes again is told with its line, which the safe reader does.
            if key is None or key == "<<" or key in found:
                raise Doubt
            value = self.value
            below = want.get(key, want.get("*", KEEP)) if filtered else KEEP
            if below is SKIP:
                self._skip(column)
                found[key] = None
            elif value:
                first = value[0]
                if first == "|":
                    found[key] = self._literal(value, column)
                elif first in "\"'{[":
                    found[key] = _quoted(value)
                elif not _PLAIN.fullmatch(value):
                    raise Doubt
                elif text_children:
                    found[key] = plain_text(value, null="")
                elif key in TEXT_FIELDS:
                    found[key] = plain_text(value, null=None)
                else:
                    found[key] = plain_value(value)
                self.next()
            else:
                self.next()
                indent = self.indent
                if indent > column:
                    if self.dash:
                        found[key] = self.sequence(indent, below, key, depth + 1)
                    else:
                        found[key] = self.mapping(indent, below, key, depth + 1)
                elif indent == column and self.dash:
                    found[key] = self.sequence(indent, below, key, depth + 1)
                else:
                    found[key] = "" if text_children else None
            if self.indent < column:
                return found
            if self.indent != column or self.dash:
                raise Doubt

    def sequence(self, column: int, want: Filter, parent: str | None, depth: int) -> list[Any]:
        """The sequence whose first dash stands on this line at `column`."""
        if depth > _MAX_DEPTH:
            raise Doubt
        found: list[Any] = []
        text_children = parent in TEXT_PARENTS
        while True:
            if self.key is not None:
                self.dash = False
                found.append(self.mapping(column + 2, want, parent, depth + 1))
            else:
                scalar = self.scalar
                if not scalar:
                    raise Doubt
                first = scalar[0]
                if first == "|":
                    found.append(self._literal(scalar, column))
                elif first in "\"'{[":
                    found.append(_quoted(scalar))
                elif not _PLAIN.fullmatch(scalar):
                    raise Doubt
                elif text_children:
                    found.append(plain_text(scalar, null=""))
                elif parent in TEXT_FIELDS:
                    found.append(plain_text(scalar, null=None))
                else:
                    found.append(plain_value(scalar))
                self.next()
            if self.indent < column or (self.indent == column and not self.dash):
                return found
            if self.indent != column:
                raise Doubt

    def _skip(self, column: int) -> None:
        """Step over this key and all that belongs to it."""
        stop = _skip_to(column).search(self.text, self.end - 1)
        if stop is None:
            raise Doubt
        after = min(stop.start() + 1, len(self.text))
        text, start = self.text, self.start
        if (
            text.find('"', start, after) >= 0
            or text.find("'", start, after) >= 0
            or text.find("{", start, after) >= 0
            or text.find("[", start, after) >= 0
        ) and _OPEN.search(text, start, after):
            raise Doubt
        self.end = after
        self.next()

    def _literal(self, style: str, column: int) -> str:
        """The text of a ``|`` literal below this line."""
        if style not in _LITERAL_STYLES:
            raise Doubt
        lines_match = _literal_lines(column).match(self.text, self.end)
        lines = self.text[self.end : lines_match.end()].split("\n")[:-1] if lines_match else []
        width: int | None = None
        for line in lines:
            if not line:
                continue
            indent = len(line) - len(line.lstrip(" "))
            if indent == len(line):
                raise Doubt  # a line of blanks only: readers differ on where it belongs
            if width is None:
                width = indent
            elif indent < width:
                raise Doubt
        if width is None or lines_match is None:
            raise Doubt
        self.end = lines_match.end()
        body = "\n".join(line[width:] for line in lines)
        stripped = body.rstrip("\n")
        if style == "|-":
            return stripped
        return body + "\n" if style == "|+" else stripped + "\n"


def _quoted(value: str) -> Any:
    if value == "{}":
        return {}
    if value == "[]":
        return []
    if _DOUBLE.fullmatch(value):
        return json.loads(value) if "\\" in value else value[1:-1]
    if _SINGLE.fullmatch(value):
        return value[1:-1].replace("''", "'")
    raise Doubt
