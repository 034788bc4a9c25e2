"""Reports and problems as the history keeps them: packed, and read back whichever version packed them."""

from __future__ import annotations

import zlib
from typing import TypeVar

import msgspec
from msgspec import Struct

from flowdiag.history.database import UnreadableError
from flowdiag.model.problem import problem_without_refusals
from flowdiag.model.report import Confidence, Problem, Report, Severity

__all__ = ["Glance", "glance", "inflated", "met_last", "packed", "read_kept"]


_Kind = TypeVar("_Kind")
_MOST = 1 << 29
"""Bytes of a report's JSON; one of 100,000 connections has some 100 MB."""


class _Warning(Struct):
    message: str = ""


class _Cluster(Struct, frozen=True):
    name: str | None = None


class _Totals(Struct, frozen=True):
    allowed: int | None = None


class _Snapshot(Struct, frozen=True):
    source: str | None = None


class _Evidence(Struct, frozen=True):
    snapshot: _Snapshot = _Snapshot()


class Glance(Struct):
    """The part of a report of any version that tells what its run could see."""

    warnings: tuple[_Warning, ...] = ()
    cluster: _Cluster = _Cluster()
    totals: _Totals = _Totals()
    evidence: _Evidence = _Evidence()

    @property
    def warned(self) -> frozenset[str]:
        """Messages of its warnings."""
        return frozenset(one.message for one in self.warnings)


class _Told(Struct):
    """The part of a problem that is needed to say that it is gone; every version has it."""

    id: str
    fingerprint: str
    code: str
    title: str
    severity: Severity
    slug: str = ""
    confidence: Confidence = Confidence.POSSIBLE
    first: str | None = None
    last: str | None = None
    direction: str | None = None
    verdict: str = "denied"
    protocol: str | None = None
    port: int | None = None
    advice: str = ""


def met_last(blob: bytes) -> Problem:
    """A problem as it was kept, or what can still be told of one that another version kept.

    Raises:
        UnreadableError: it is damaged.
    """
    text = inflated(blob)
    try:
        return msgspec.json.decode(text, type=Problem)
    except (msgspec.ValidationError, RecursionError):
        pass
    told = read_kept(text, _Told)
    return problem_without_refusals(**msgspec.structs.asdict(told))


def packed(value: Report | Problem) -> bytes:
    """Make the bytes that are kept."""
    return zlib.compress(msgspec.json.encode(value), 6)


def inflated(blob: object) -> bytes:
    """Give the JSON of what was packed; a column of SQLite may hold anything.

    Raises:
        UnreadableError: it is damaged, or more than a report ever is.
    """
    if not isinstance(blob, bytes):
        raise UnreadableError("damaged (no bytes)")
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(blob, _MOST)
    except zlib.error as error:
        raise UnreadableError(f"damaged ({error})") from error
    if not inflater.eof:
        raise UnreadableError("damaged (cut short, or unfolds to more than a report is)")
    return text


def read_kept(text: bytes, kind: type[_Kind]) -> _Kind:
    """Decode what was packed.

    Raises:
        UnreadableError: it is damaged.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        fault = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UnreadableError(f"damaged ({fault})") from error


def glance(blob: bytes) -> Glance:
    """Read the little of a report that says what its run could see.

    Raises:
        UnreadableError: it is damaged.
    """
    return read_kept(inflated(blob), Glance)
