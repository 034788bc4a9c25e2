"""The file of ``flowdiag verify``: queries with expected answers, JSON or YAML.

A key that looks like a misspelt one fails its query, since a query that says less than its author meant may pass
for the wrong reason.  Other keys (a name, a comment, another tool's answers) are said once and not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import msgspec

from flowdiag.cluster.cleaning import clean_text
from flowdiag.cluster.yamlsafe import YamlError, compose, read_documents
from flowdiag.model.errors import InputError

__all__ = ["MAX_BYTES", "Query", "read_queries"]

MAX_BYTES = 64 << 20
_MAX_LOCATED = 8 << 20
"""Of a larger file the lines of misspelt keys are not looked up: reading it a second time takes minutes."""
_PROTOCOLS = {"TCP", "UDP", "SCTP", "ICMP", "ICMPv6"}
_KEYS = ("src", "dst", "protocol", "port", "allowed")
_OTHER_WORDS = {
    "source": "src",
    "from": "src",
    "client": "src",
    "destination": "dst",
    "dest": "dst",
    "target": "dst",
    "to": "dst",
    "server": "dst",
    "proto": "protocol",
    "transport": "protocol",
    "expect": "allowed",
    "expected": "allowed",
    "verdict": "allowed",
    "action": "allowed",
}
"""What other tools and other pages call our keys."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One question with its expected answer; what is wrong with it is said by `problem`."""

    src: str
    dst: str
    protocol: str | None = None
    port: int | str | None = None
    allowed: bool | None = None
    problem: str | None = None


def read_queries(name: str, data: bytes) -> tuple[list[Query], list[str]]:
    """Read a query file, JSON or YAML.

    A query that makes no sense stays in the list with its `Query.problem`: it fails alone.

    Returns:
        The queries, and sentences on keys that were not read.

    Raises:
        InputError: the file as a whole is no query file.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{name}: larger than {MAX_BYTES >> 20} MiB")
    document = _document(name, data)
    rows, beside = document, []
    if isinstance(document, dict):
        rows, beside = document.get("queries"), [str(key) for key in document if key != "queries"]
    places = _Places(name, data)
    if not isinstance(rows, list):
        near = get_close_matches("queries", beside, n=1)
        raise InputError(
            f"{places.of(None, near[0])}: {near[0]!r} is not read; did you mean 'queries'?"
            if near and rows is None
            else f"{name}: no list of queries in it",
            hint='write {"queries": [{"src": "a/x", "dst": "b/y", "protocol": "TCP", "port": 80, "allowed": true}]}',
        )
    if not rows:
        raise InputError(
            f"{name}: the list of queries is empty: nothing would be checked",
            hint="flowdiag verify NEW-FILE --state FOLDER --init writes those that are true today",
        )
    notes = [f"{name}: not read beside queries: {', '.join(beside)}"] if beside else []
    unread: Counter[str] = Counter()
    queries = [_query(index, row, places, unread) for index, row in enumerate(rows)]
    notes.extend(
        f"{name}: {key!r} of a query is not read (in {count} of {len(rows)})" for key, count in unread.items()
    )
    return queries, notes


class _Places:
    """Where keys stand in a file; looked up only where something is wrong with one."""

    def __init__(self, name: str, data: bytes) -> None:
        self._name = name
        self._data = data

    def of(self, index: int | None, key: str) -> str:
        """``queries.yaml:7``; without a line where that cannot be told.

        Args:
            index: the query's, or ``None`` for a key of the whole.
            key: as written.
        """
        line = self._lines.get((index, key))
        return self._name if line is None else f"{self._name}:{line}"

    @cached_property
    def _lines(self) -> dict[tuple[int | None, str], int]:
        import yaml

        if len(self._data) > _MAX_LOCATED:
            return {}
        try:
            root = compose(clean_text(self._data))  # JSON is YAML but for oddities such as tabs
        except (YamlError, UnicodeDecodeError):
            return {}
        found: dict[tuple[int | None, str], int] = {}
        rows = root
        if isinstance(root, yaml.MappingNode):
            found.update(((None, key), line) for key, line, _ in _keys(root))
            rows = next((value for key, _, value in _keys(root) if key == "queries"), None)
        if isinstance(rows, yaml.SequenceNode):
            for index, row in enumerate(rows.value):
                if isinstance(row, yaml.MappingNode):
                    found.update(((index, key), line) for key, line, _ in _keys(row))
        return found


def _keys(node: Any) -> Iterator[tuple[str, int, Any]]:
    """A mapping node's keys with their lines, counted from 1, and their values' nodes."""
    for key, value in node.value:
        yield str(key.value), key.start_mark.line + 1, value


def _document(name: str, data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        documents = read_documents(clean_text(data))
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: neither JSON nor YAML") from error
    except YamlError as error:
        where = f" (line {error.line})" if error.line is not None else ""
        raise InputError(f"{name}: neither JSON nor YAML{where}: {error}") from error
    if len(documents) > 1:
        raise InputError(
            f"{name}: {len(documents)} YAML documents, and one is read", hint="write one file for each"
        )
    return documents[0] if documents else None


def _query(index: int, row: Any, places: _Places, unread: Counter[str]) -> Query:
    if not isinstance(row, dict):
        return Query(src="", dst="", problem="not a query: an object with src and dst is wanted")
    src, dst = row.get("src"), row.get("dst")
    protocol, port, allowed = row.get("protocol"), row.get("port"), row.get("allowed")
    if isinstance(protocol, str):
        # As explain takes it on the command line: "tcp" can mean nothing else.
        protocol = next((one for one in _PROTOCOLS if one.lower() == protocol.lower()), protocol)
    problem = _misspelt(index, row, places, unread)
    if problem is not None:
        pass
    elif not isinstance(src, str) or not isinstance(dst, str):
        problem = "src and dst must be texts"
    elif protocol is not None and (not isinstance(protocol, str) or protocol not in _PROTOCOLS):
        problem = f"protocol {protocol!r} is none of TCP, UDP, SCTP, ICMP, ICMPv6"
    elif isinstance(port, bool) or not isinstance(port, int | str | None):
        problem = f"port {port!r} is neither a number nor a name"
    elif isinstance(port, int) and not 0 <= port <= 65535:
        problem = f"port {port} is out of range"
    elif not isinstance(allowed, bool | None):
        problem = f"allowed {allowed!r} is neither true nor false"
    return Query(
        src="" if src is None else str(src),
        dst="" if dst is None else str(dst),
        protocol=protocol if isinstance(protocol, str) else None,
        port=port if isinstance(port, int | str) and not isinstance(port, bool) else None,
        allowed=allowed if isinstance(allowed, bool) else None,
        problem=problem,
    )


def _misspelt(index: int, row: dict[Any, Any], places: _Places, unread: Counter[str]) -> str | None:
    """What is wrong with a query's keys; those that mean something else are counted in `unread`."""
    for key in row:
        if key in _KEYS:
            continue
        text = str(key)
        word = text.casefold()
        near = [_OTHER_WORDS[word]] if word in _OTHER_WORDS else get_close_matches(word, _KEYS, n=1)
        if near:
            return f"{places.of(index, text)}: {text!r} is not a query's key; did you mean {near[0]!r}?"
        unread[text] += 1
    return None
