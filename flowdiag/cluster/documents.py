"""One input's text cut into the objects it holds, as plain values with the line each starts on.

YAML: several documents, Lists, single objects; JSON: an object, a List, a bare array, objects one
after the other, JSON Lines, and the standard output of ``kubectl cluster-info dump``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from flowdiag.cluster.unfold import BadDocument, Found, may_hold_policy, unfold
from flowdiag.cluster.wanted import KEEP, Filter, filter_of, is_wanted_kind
from flowdiag.cluster.yamlfast import Doubt, read_block
from flowdiag.model.words import plural

__all__ = ["Wanted", "is_flow", "is_template", "iter_json", "iter_yaml", "looks_like_json"]

Wanted = Callable[[str | None], bool]
"""Whether objects of a kind, if it is known, are to be read at all."""

_MAX_OBJECT = 16 * 1024 * 1024
"""Characters of one object that are read at all."""


_FIRST = re.compile(r"\s*+(?:#[^\n]*+\s*+)*+")


# "{apiVersion: v1, ...", "{'kind': 'Pod', ...": no JSON has a key without double quotes
_FLOW = re.compile(
    r"(?:\s++|#[^\n]*+|---[ ]*+\n)*+\{\s*+(?:[A-Za-z][A-Za-z0-9_]*+|'[A-Za-z][A-Za-z0-9_]*+'):\s"
)
# "{{- if .Values.networkPolicy.enabled }}": a template of Helm's, of which no line is an object yet
_TEMPLATE = re.compile(r"\s*+\{\{")


def is_flow(text: str) -> bool:
    """It begins with an object in braces as YAML has them, and JSON has not."""
    return _FLOW.match(text) is not None


def is_template(text: str) -> bool:
    """It begins with an action of Go's templates, as many files of a Helm chart do."""
    return _TEMPLATE.match(text) is not None


def looks_like_json(text: str) -> bool:
    """The first character that counts opens a JSON object or array, and neither one in YAML's own form nor a template's action."""
    if is_flow(text) or is_template(text):
        return False
    match = re.match(r"\s*+", text)
    return match is not None and text[match.end() : match.end() + 1] in ("{", "[")


# --- YAML ---------------------------------------------------------------------------------------------

_MARK = re.compile(r"^(?:---|\.\.\.)(?=[ \n]|\Z)[^\n]*\n?", re.MULTILINE)
# "apiVersion: v1" where one object ends and the next begins without "---", "{" where JSON follows
_TOP = re.compile(r"([A-Za-z][A-Za-z0-9_]*+):")
_BORDER = re.compile(r"\n(?:([A-Za-z][A-Za-z0-9_]*+):|\{(?!\{)|\[)")
_BEGIN = frozenset({"apiVersion", "kind", "items"})
# "==== a shell's prompt", "2026-03-17T14:00:01Z ..." behind a list
_NO_KEY = re.compile(r"\n(?![ \t\n#-]|[\"']?[A-Za-z][A-Za-z0-9_.-]*[\"']?:|\Z)")
_KIND_TOP = re.compile(r"^kind: +[\"']?([A-Za-z0-9]+)[\"']? *$", re.MULTILINE)
_API_TOP = re.compile(r"^apiVersion: +[\"']?([A-Za-z0-9./-]+)[\"']? *$", re.MULTILINE)
_ITEMS = re.compile(r"^items: *\n", re.MULTILINE)
_MOST_REPEATED = 20
_NEXT_TOP = re.compile(r"^(?![ \n#-])", re.MULTILINE)
_DASH = re.compile(r"^( *)-(?= )", re.MULTILINE)


def iter_yaml(text: str, wanted: Wanted = is_wanted_kind) -> Iterator[Found | BadDocument]:
    """The objects of a YAML text, in order; what cannot be read does not stop the rest, nor does what nobody wants."""
    line = 1
    for part in _documents(text):
        if part is None:
            # Directives, or content beside a document mark: leave all of it to the safe reader.
            yield from _whole(text, 1, None)
            return
        lines, body = part
        line = lines
        for start, piece in _pieces(body):
            here = line + body.count("\n", 0, start)
            if looks_like_json(piece) and start:
                yield from (replace(one, line=one.line + here - 1) for one in iter_json(piece, wanted))
            elif not _FIRST.fullmatch(piece):
                yield from _document(piece, here, wanted)


def _pieces(body: str) -> Iterator[tuple[int, str]]:
    """A document cut where another was written behind it: a key that begins objects comes again, or JSON begins.

    ``cat pods.yaml policies.yaml`` has no mark between the two, and YAML would take the last ``items`` alone.  Any other
    key that comes again, as ``spec``, is one object's that somebody wrote twice.
    """
    start = 0
    in_json = False
    first = _TOP.match(body)
    keys = set() if first is None else {first[1]}
    begin = _BEGIN | keys
    for border in _BORDER.finditer(body):
        key = border[1]
        if key is None:
            if in_json:
                continue
        elif not in_json and (key not in keys or key not in begin):
            keys.add(key)
            continue
        end = border.start() + 1
        yield start, body[start:end]
        start, in_json, keys = end, key is None, set() if key is None else {key}
    yield start, body[start:] if start else body


# "%YAML 1.2" before the first document, after comments and blank lines
_DIRECTIVE = re.compile(r"(?:\s++|#[^\n]*+)*+%")


def _documents(text: str) -> Iterator[tuple[int, str] | None]:
    if _DIRECTIVE.match(text):
        yield None
        return
    marks = list(_MARK.finditer(text))
    if any(mark[0].strip() not in ("---", "...") and not re.match(r"--- +#", mark[0]) for mark in marks):
        yield None
        return
    line = start = 0
    for mark in marks:
        yield line + 1, text[start : mark.start()]
        line += text.count("\n", start, mark.end())
        start = mark.end()
    yield line + 1, text[start:]


def _document(body: str, line: int, wanted: Wanted) -> Iterator[Found | BadDocument]:
    """One document: a List is read item by item, anything else as one object."""
    if not body.endswith("\n"):
        body += "\n"
    items = _ITEMS.search(body)
    kind = _KIND_TOP.search(body)
    if items is None:
        if kind is not None and not wanted(kind[1]):
            return
        yield from _whole(body, line, kind[1] if kind else None)
        return
    list_kind = kind[1] if kind else None
    api = _API_TOP.search(body)
    start = items.end()
    stop_match = _NEXT_TOP.search(body, start)
    stop = stop_match.start() if stop_match else len(body)
    stray = _NO_KEY.search(body, stop - 1)
    if stray is not None:
        left = body.count("\n", stray.end())
        where = line + body.count("\n", 0, stray.end())
        yield BadDocument(f"{plural(left, 'line')} behind the list: no part of it, not read", where)
    dash = _DASH.match(body, start)
    if dash is None or (list_kind is not None and not list_kind.endswith("List")):
        yield from _whole(body, line, None)
        return
    found = list(_items(body, start, stop, line, len(dash[1]), list_kind, api[1] if api else None, wanted))
    if any(isinstance(one, BadDocument) and one.code == "whole" for one in found):
        yield from _whole(body, line, None)
    else:
        yield from found


def _items(
    body: str,
    start: int,
    stop: int,
    line: int,
    column: int,
    list_kind: str | None,
    api: str | None,
    wanted: Wanted,
) -> Iterator[Found | BadDocument]:
    """The items of a List; ``whole`` where cutting it into items is not surely right."""
    next_item = re.compile(rf"^ {{{column}}}-(?= )", re.MULTILINE)
    kind_of = re.compile(
        rf"^(?: {{{column + 2}}}| {{{column}}}- )kind: +[\"']?([A-Za-z0-9]+)[\"']? *$", re.MULTILINE
    )
    items_of = re.compile(rf"^(?: {{{column + 2}}}| {{{column}}}- )items:", re.MULTILINE)
    singular = (list_kind or "").removesuffix("List") or None
    line += body.count("\n", 0, start)
    at = start
    while at < stop:
        following = next_item.search(body, at + column + 1, stop)
        end = following.start() if following else stop
        chunk = body[at:end]
        here, line = line, line + body.count("\n", at, end)
        at = end
        own = kind_of.search(chunk)
        kind = own[1] if own else singular
        if own is not None and own[1].endswith("List") and items_of.search(chunk):
            # A list in a list: its items are not cut from one another here.
            yield BadDocument("", here, "whole")
            return
        if not wanted(kind):
            continue
        if len(chunk) > _MAX_OBJECT:
            yield BadDocument("object too large to read", here, "object-too-large", may_hold_policy(chunk))
            continue
        want = filter_of(kind)
        repeated: list[tuple[str, int]] = []
        try:
            value = read_block(chunk, want)
        except Doubt:
            try:
                documents = _read_documents(chunk, want, repeated)
            except ValueError:
                # Perhaps an anchor in another item, or a quoted text over several items.
                yield BadDocument("", here, "whole")
                return
            value = documents[0] if documents else None
        if not isinstance(value, list) or len(value) != 1:
            yield BadDocument("", here, "whole")
            return
        yield Found(value[0], here, list_kind, api)
        yield from _repeated(repeated, here)


def _repeated(keys: list[tuple[str, int]], line: int) -> Iterator[BadDocument]:
    """What is to be said of keys that come again, in a text that begins on `line`."""
    for key, at in keys[:_MOST_REPEATED]:
        yield BadDocument(
            f"the key {key!r} comes a second time in its mapping: this last one counts, and kubectl refuses such a file",
            line + at - 1,
            "repeated-key",
            kept=True,
        )


def _read_documents(text: str, want: Filter, repeated: list[tuple[str, int]]) -> list[Any]:
    # PyYAML is imported only where a text needs it; its errors here are `YamlError`, a ValueError.
    from flowdiag.cluster.yamlsafe import read_documents

    return read_documents(text, want, repeated)


def _whole(body: str, line: int, kind: str | None) -> Iterator[Found | BadDocument]:
    """A text without cutting: one object or more, read by whichever reader takes it."""
    if len(body) > _MAX_OBJECT:
        yield BadDocument("document too large to read", line, "object-too-large", may_hold_policy(body))
        return
    want = KEEP if kind is None else filter_of(kind)
    repeated: list[tuple[str, int]] = []
    try:
        values: list[Any] = [read_block(body, want)]
    except Doubt:
        try:
            values = _read_documents(body, want, repeated)
        except ValueError as error:
            where = line + (getattr(error, "line", None) or 1) - 1
            what = "a template that is not rendered (helm template does)" if "{{" in body else "not YAML"
            yield BadDocument(f"{what}: {error}", where, hides=may_hold_policy(body))
            return
    skipped = len(_leading_blank(body)) if len(values) == 1 else 0
    first = line + body.count("\n", 0, skipped)
    for value in values:
        yield from unfold(value, first)
    yield from _repeated(repeated, line)


def _leading_blank(body: str) -> str:
    match = re.match(r"(?:[ ]*+\n)*+", body)
    return match[0] if match else ""


# --- JSON ---------------------------------------------------------------------------------------------

_SOMETHING = re.compile(r"\n(?=[\[{#]|---|==== START logs |[A-Za-z][A-Za-z0-9_]*+:)")
_MARKS = ("---", "...", "#")
_LOG_START = re.compile(r"^==== START logs for ([^\n]{1,600}) ====$", re.MULTILINE)


def iter_json(text: str, wanted: Wanted = is_wanted_kind) -> Iterator[Found | BadDocument]:
    """The objects of a JSON text: one value, several, one a line; log sections in between are skipped.

    Args:
        text: what may hold YAML between its values.
        wanted: of which kinds objects in YAML are read.
    """
    data = text.encode("utf-8", "replace")
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        yield from _several(text, wanted)
        return
    yield from unfold(value, 1 + text.count("\n", 0, _blank_end(text)), data)


def _blank_end(text: str) -> int:
    match = re.match(r"\s*+", text)
    return match.end() if match else 0


def _several(text: str, wanted: Wanted) -> Iterator[Found | BadDocument]:
    decoder = json.JSONDecoder()
    at, line, counted = 0, 1, 0
    size = len(text)
    while True:
        at = next((i for i in range(at, size) if not text[i].isspace()), size) if at < size else size
        if at >= size:
            return
        line += text.count("\n", counted, at)
        counted = at
        if log := _LOG_START.match(text, at):
            # A pod's own output may look like objects: nothing is read up to the end of its section.
            end = text.find(f"==== END logs for {log[1]} ====", log.end())
            at = size if end < 0 else _line_end(text, end)
            continue
        if text[at] in "{[":
            try:
                value, end = decoder.raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                where = error.lineno if isinstance(error, json.JSONDecodeError) else line
                following = re.compile(r"^[\[{]", re.MULTILINE).search(text, at + 1)
                end = following.start() if following else size
                hides = may_hold_policy(text[at:end], cut=True)
                yield BadDocument(f"not JSON: {_fault(error)}", where, hides=hides)
                at = end
                continue
            yield from unfold(value, line, text[at:end].encode("utf-8", "replace"))
            at = end
        elif _TOP.match(text, at):
            # YAML behind it.
            following = re.compile(r"^[\[{]", re.MULTILINE).search(text, at + 1)
            end = following.start() if following else size
            yield from (replace(one, line=one.line + line - 1) for one in iter_yaml(text[at:end], wanted))
            at = end
        elif text.startswith(_MARKS, at):
            at = _line_end(text, at)
        else:
            following = _SOMETHING.search(text, at)
            end = following.start() + 1 if following else size
            count = text.count("\n", at, end) or 1
            yield BadDocument(f"{plural(count, 'line')} not read: no object", line, "not-an-object")
            at = end


def _fault(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else "a number of thousands of digits"


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
