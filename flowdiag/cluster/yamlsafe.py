"""YAML at event level: no tags, no objects, bounded depth and bounded aliases.

PyYAML's parser (libyaml where it was built with it) gives events; values are built here, so that
scalars keep the text a person wrote (`flowdiag.cluster.scalars`), subtrees that nobody reads are
dropped as they pass, and a document of nested aliases cannot grow past a budget.
"""

from __future__ import annotations

from typing import Any

import yaml

from flowdiag.cluster.scalars import TEXT_FIELDS, TEXT_PARENTS, plain_text, plain_value, text_of
from flowdiag.cluster.wanted import KEEP, SKIP, Filter

__all__ = ["MAX_ALIAS_NODES", "YamlError", "compose", "is_deep", "read_documents"]

MAX_DEPTH = 100
"""Deeper nesting than any Kubernetes type has."""
MAX_ALIAS_NODES = 100_000
"""Values that aliases may add to one text: more is a bomb, not a manifest."""
_LONG = 64
"""Characters of a text that count as one value."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(ValueError):
    """Not YAML, or YAML that is not read; `line` counts from 1 in the text given."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class _MissingAnchor(Exception):  # noqa: N818 - a signal to read again, not an error of the input
    """An alias into a part that was skipped, or into nothing."""


def read_documents(
    text: str, want: Filter = KEEP, repeated: list[tuple[str, int]] | None = None
) -> list[Any]:
    """Every document of `text`; empty ones are None.

    Args:
        text: the whole of it.
        want: which parts are read.
        repeated: grows by each key that comes again in its mapping, whose last value counts, and the line where it does.

    Raises:
        YamlError: malformed, too deep, too many alias copies, or keys that are not scalars.
    """
    try:
        builder = _Builder(text)
        try:
            found = builder.documents(want)
        except _MissingAnchor:
            builder = _Builder(text)
            found = builder.documents(KEEP)
    except _MissingAnchor as error:
        raise YamlError(f"alias without an anchor: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise YamlError(error.problem or "not YAML", None if mark is None else mark.line + 1) from None
    except yaml.YAMLError as error:
        raise YamlError(str(error).splitlines()[0][:200] or "not YAML") from None
    if repeated is not None:
        repeated.extend(builder.repeated)
    return found


def is_deep(value: Any) -> bool:
    """Whether a value that was decoded is nested deeper than `MAX_DEPTH`, which YAML is held to as it is read."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


def compose(text: str) -> Any:
    """PyYAML's nodes of a text with one document, for who needs to know where its parts stand; ``None`` for an empty one.

    Raises:
        YamlError: malformed, or nested too deeply: PyYAML goes down by recursion in C, which has no bound of its own.
    """
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise YamlError("nested too deeply")
        return yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise YamlError(str(error).splitlines()[0][:200] or "not YAML") from None


class _Builder:
    def __init__(self, text: str) -> None:
        self._loader = _Loader(text)
        self._anchors: dict[str, Any] = {}
        self._copied = 0
        self.repeated: list[tuple[str, int]] = []
        """Keys that came again in a mapping, and the line where."""

    def documents(self, want: Filter) -> list[Any]:
        """Consume the whole stream."""
        found: list[Any] = []
        get = self._loader.get_event
        try:
            while True:
                event = get()
                if isinstance(event, yaml.StreamEndEvent):
                    return found
                if isinstance(event, yaml.DocumentStartEvent):
                    self._anchors.clear()
                    found.append(self._node(get(), want, None, None, 0))
        finally:
            self._loader.dispose()

    def _node(self, event: Any, want: Filter, key: str | None, parent: str | None, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            value: Any = self._scalar(event, key, parent)
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(event, want, parent)
        elif depth >= MAX_DEPTH:
            raise YamlError("nested too deeply", event.start_mark.line + 1)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(want, key, depth)
        else:
            value = []
            while not isinstance(child := self._loader.get_event(), yaml.SequenceEndEvent):
                value.append(self._node(child, want, key, key, depth + 1))
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _mapping(self, want: Filter, key: str | None, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        get = self._loader.get_event
        while not isinstance(event := get(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlError("a key that is not text", event.start_mark.line + 1)
            name: str = event.value
            if event.anchor is not None:
                self._anchors[event.anchor] = name
            child = get()
            if name in found and event.start_mark is not None:
                self.repeated.append((name, event.start_mark.line + 1))
            below = want if want is KEEP else want.get(name, want.get("*", KEEP))
            if below is SKIP:
                self._skip(child)
                found[name] = None
            elif name == "<<" and event.implicit[0]:
                value = self._node(child, KEEP, None, key, depth + 1)
                merged.extend(
                    part for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict)
                )
            else:
                found[name] = self._node(child, below, name, key, depth + 1)
        for part in merged:
            for name, value in part.items():
                found.setdefault(name, value)
        return found

    def _skip(self, event: Any) -> None:
        depth = 0
        while True:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth == 0:
                return
            event = self._loader.get_event()

    @staticmethod
    def _scalar(event: Any, key: str | None, parent: str | None) -> Any:
        if event.style not in (None, "") or not event.implicit[0]:
            return event.value
        if parent in TEXT_PARENTS:
            return plain_text(event.value, null="")
        if key in TEXT_FIELDS:
            return plain_text(event.value, null=None)
        return plain_value(event.value)

    def _alias(self, event: Any, want: Filter, parent: str | None) -> Any:
        if event.anchor not in self._anchors:
            raise _MissingAnchor(event.anchor)
        value = self._copy(self._anchors[event.anchor], want)
        if parent in TEXT_PARENTS and not isinstance(value, (dict, list)):
            return text_of(value)
        return value

    def _copy(self, value: Any, want: Filter) -> Any:
        self._copied += 1 + (len(value) // _LONG if isinstance(value, str) else 0)
        if self._copied > MAX_ALIAS_NODES:
            raise YamlError("aliases expand to too many values")
        if isinstance(value, dict):
            return {
                name: None if below is SKIP else self._copy(child, below)
                for name, child in value.items()
                for below in (want if want is KEEP else want.get(name, want.get("*", KEEP)),)
            }
        if isinstance(value, list):
            return [self._copy(child, want) for child in value]
        return value
