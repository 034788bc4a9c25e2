"""What a bundle's own manifest says is missing from it besides objects, of which `state/unread.json` speaks.

Whoever reads a bundle elsewhere was not there when it was collected, and an export that failed looks like peace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from flowdiag.ingest import Detection
from flowdiag.ingest.reading import read_head
from flowdiag.model.report import ReportWarning, general_warning
from flowdiag.model.words import plural

__all__ = ["EVERY_DAY", "not_collected"]

_LAYOUT = "flowdiag-bundle"
_MOST_BYTES = 16 << 20
_MOST = 50
"""Of each fate; a large cluster has thousands of logs."""
_KINDS = ("flows", "logs", "files")
_MISSING = ("failed", "left", "cut", "refused")
_CODE = "collect-"
EVERY_DAY = (f"{_CODE}refused", f"{_CODE}absent")
"""Codes of what the cluster forbids or does not have, which is missing every day; the rest is missing only in this bundle."""


class _Item(Struct):
    """One thing that was asked for (`flowdiag.cluster.collect.bundle.Fate`)."""

    what: str = ""
    kind: str = ""
    fate: str = ""
    reason: str = ""
    rule: str = ""


class _Manifest(Struct):
    items: list[_Item] = []


def not_collected(detected: Sequence[Detection]) -> Iterator[ReportWarning]:
    """Yield a warning for each thing that the bundles among the inputs lack.

    A right that is missing is said once and without names of pods: the same words on the next day say that nothing
    more is missing than the day before.
    """
    for one in detected:
        if one.hint.layout == _LAYOUT and one.source.name.endswith("/manifest.json"):
            yield from _told(_items(one))


def _items(one: Detection) -> list[_Item]:
    try:
        return msgspec.json.decode(read_head(one.source, _MOST_BYTES), type=_Manifest).items
    except (OSError, msgspec.MsgspecError, RecursionError):
        return []  # somebody else's, or damaged: what is there is read all the same


def _told(items: Iterable[_Item]) -> Iterator[ReportWarning]:
    texts: dict[str, dict[str, None]] = {}
    for one in items:
        if one.kind not in _KINDS:
            continue
        if one.fate in _MISSING or (one.fate == "absent" and one.kind == "flows"):
            text = (
                f"{one.kind}: forbidden; the rule that allows it: {one.rule}"
                if one.fate == "refused"
                else f"{one.what}: {one.reason}"
            )
            texts.setdefault(one.fate, {})[text] = None
    for fate, found in texts.items():
        told = list(found)
        for text in told[:_MOST]:
            yield general_warning(f"{_CODE}{fate}", text)
        if len(told) > _MOST:
            yield general_warning(f"{_CODE}{fate}", f"and {plural(len(told) - _MOST, 'more item')}")
