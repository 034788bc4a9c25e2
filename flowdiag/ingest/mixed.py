"""Cluster objects and records in one file or stream, as ``cat state.yaml flows.jsonl | flowdiag analyze -`` gives them.

Each line belongs to an object or to a record.  The two kinds are written to two files in the spool, with empty lines in
place of the others so that line numbers stay, and read as two inputs.  Objects are recognised by the keys that each
begins with.  An input is only parted if a parser is sure of what is left without them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from flowdiag.ingest.compression import Kind
from flowdiag.ingest.detection import Detection, InputKind
from flowdiag.ingest.reading import Source
from flowdiag.ingest.streams import mapped
from flowdiag.parserkit import holds

__all__ = ["laid_apart"]

_SCAN = 1 << 20
_TAIL = 1 << 14
_OBJECT_AHEAD = 4096

# "apiVersion: v1", "kind: List", "items:", "---"  YAML as kubectl and helm write it
_YAML_START = re.compile(rb"(?:apiVersion|kind|items|metadata): *|---\s*$|%YAML ")
# "  name: web", "- apiVersion: v1", "# a comment", "spec:", "" within it
_YAML_MORE = re.compile(rb"[ \t#\r\n-]|\.\.\.\s*$|[a-z][A-Za-z]*:(?:\s|$)")
# '{"apiVersion":"v1","kind":"Pod"', '{"kind":"PodList","apiVersion":"v1"'  JSON of one line
_JSON_LINE = re.compile(rb'\{\s*"(?:apiVersion|kind)"\s*:')
# '    "apiVersion": "v1",' behind '{'  kubectl -o json
_JSON_FIRST = re.compile(rb'\s+"(?:apiVersion|kind)"\s*:')
_AUDIT = b'"audit.k8s.io'
# '2026-03-17T14:00:01Z ...', 'level=info', '{"flow":', '{' before anything but an object's first keys
_FOREIGN = re.compile(
    rb"\n(?:\}\{|[^ \t#\r\n{}\[\]a-z.%-]|[a-z](?![A-Za-z]*:(?:\s|$))|\{(?!\s*$|\s*\"(?:apiVersion|kind)\"))"
)
"""A line that a file of objects alone can have only as its first."""
_MARKS = (b"\napiVersion:", b"\nkind:", b'\n{"apiVersion"', b'\n{"kind"', b"\n{\n", b'\n    "kind": "List"')
"""One of these occurs in every stream with objects behind its first line."""


def laid_apart(
    found: Detection, spool: Callable[[], Path], ask: Callable[[Source], Detection], *, uniform: bool = False
) -> list[Detection]:
    """Give an input that holds objects and records as two, objects first; any other as it is.

    Args:
        found: what the input begins with.
        spool: a folder that lives as long as the run, made when it is asked for.
        ask: says what a part is.
        uniform: the lines at its ends are known to be records.
    """
    source = found.source
    whole = found.kind is InputKind.STATE or (source.spooled and source.name == source.root)
    if (
        (uniform and not whole)
        or found.kind not in (InputKind.STATE, InputKind.EVIDENCE)
        or source.kind is not Kind.PLAIN
        or source.remote
    ):
        return [found]
    try:
        with open(source.path, "rb") as stream:  # noqa: PTH123 - a path in the spool, or the user's own
            if found.kind is InputKind.STATE:
                worth = _may_hold_records(stream)
            elif whole:
                worth = _may_hold_objects(stream)
            else:
                # A file of records is read in parts, perhaps elsewhere: looking through all of it here costs too much.
                head = b"\n" + stream.read(_OBJECT_AHEAD)
                stream.seek(max(source.size - _TAIL, 0))
                worth = any(head.startswith(mark) for mark in _MARKS) or _may_hold_objects(stream)
            if not worth:
                return [found]
            stream.seek(0)
            kinds = {is_object for is_object, line in _sorted(stream) if line.strip()}
        if len(kinds) < 2:
            return [found]
        objects, records = _written(source, spool())
    except OSError:
        return [found]  # reading it will say so
    parts = [ask(objects), ask(records)]
    if [part.kind for part in parts] != [InputKind.STATE, InputKind.EVIDENCE]:
        return [found]
    return parts


def _may_hold_objects(stream: BinaryIO) -> bool:
    tail = b"\n"
    while chunk := stream.read(_SCAN):
        piece = tail + chunk
        if any(holds(piece, mark) for mark in _MARKS):
            return True
        tail = chunk[-16:]
    return False


def _may_hold_records(stream: BinaryIO) -> bool:
    with mapped(stream) as data:
        return _FOREIGN.search(data) is not None or data.find(_AUDIT) >= 0


def _sorted(stream: BinaryIO) -> Iterator[tuple[bool, bytes]]:
    """Each line, and whether it is part of an object; blank ones go with the line before."""
    within: bytes | None = None
    """``yaml``, ``json`` (an object over several lines), ``object`` (of one line), ``records``."""
    held: bytes | None = None
    """A lone ``{`` whose next line tells what it opens."""
    cut, last = False, False
    for read in iter(lambda: stream.readline(_SCAN), b""):
        line = read
        if cut:
            cut = not line.endswith(b"\n")
            yield last, line
            continue
        cut = not line.endswith(b"\n")
        if held is not None:
            within = b"json" if _JSON_FIRST.match(line) else b"records"
            yield within == b"json", held
            held = None
        if within == b"json" and line.startswith(b"}{"):
            # A file without a line end, and the next behind it.
            yield True, line[:1]
            line, within = line[1:], b"object"
        if within == b"json":
            last = True
            yield last, line
            if line[:1] in b"}]" and line.strip(b" \t\r\n,") in (b"}", b"]"):
                within = b"object"
            continue
        if line.rstrip() == b"{":
            held = line
            continue
        comment = within is None and line[:1] == b"#"
        if line.strip() and not comment and not (within == b"yaml" and _YAML_MORE.match(line)):
            if _YAML_START.match(line):
                within = b"yaml"
            elif _JSON_LINE.match(line) and _AUDIT not in line[:_OBJECT_AHEAD]:
                within = b"object"
                if cut:
                    line += stream.readline()
                    cut = False
                line, behind = _parted(line)
                if behind:
                    # A file of one line without a line end, and records right behind it.
                    yield True, line
                    line, within = behind, b"records"
            else:
                within = b"records"
        last = within != b"records"
        yield last, line
    if held is not None:
        yield False, held


def _parted(line: bytes) -> tuple[bytes, bytes]:
    """An object, and what stands behind it on its line if that is no object: ``{"kind":"List",...}{"flow":...}``."""
    inner = line.rstrip()
    if inner.endswith(b"}") and b"}{" not in inner:
        return line, b""
    try:
        _, end = json.JSONDecoder().raw_decode(inner.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return line, b""
    size = len(inner.decode("utf-8", "surrogateescape")[:end].encode("utf-8", "surrogateescape"))
    behind = line[size:]
    return (line, b"") if not behind.strip() or _JSON_LINE.match(behind) else (line[:size], behind)


def _written(source: Source, folder: Path) -> tuple[Source, Source]:
    """The two kinds in files of their own; a line of the other kind between two is an empty one."""
    number = len(list(folder.iterdir()))
    paths = [folder / f"{kind}-{number}" for kind in ("records", "objects")]
    first: list[int | None] = [None, None]
    owed = [0, 0]
    with open(source.path, "rb") as stream, paths[0].open("wb") as records, paths[1].open("wb") as objects:  # noqa: PTH123
        count = 1
        for is_object, line in _sorted(stream):
            if first[is_object] is None:
                first[is_object] = count
            out = objects if is_object else records
            if owed[is_object]:
                out.write(b"\n" * owed[is_object])
                owed[is_object] = 0
            out.write(line)
            if line.endswith(b"\n"):
                count += 1
                owed[not is_object] += first[not is_object] is not None
    apart = [
        replace(
            source,
            name=source.name + ending,
            path=str(path),
            size=path.stat().st_size,
            first_line=begin or 1,
            spooled=True,
            whole=source.path,
        )
        for path, begin, ending in zip(paths, first, ("", "!objects"), strict=True)
    ]
    return apart[1], apart[0]
