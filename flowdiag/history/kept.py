"""Reports and problems as the history keeps them: packed, and read back whichever version packed them."""

from __future__ import annotations

import zlib

import msgspec
from msgspec import Struct

from flowdiag.history.database import UnreadableError
from flowdiag.model.problem import problem_without_refusals
from flowdiag.model.report import Confidence, Problem, Report, Severity

__all__ = ["inflated", "met_last", "packed", "warned"]


class _Warning(Struct):
    message: str = ""


class _Warned(Struct):
    """What of a report of any version is read to know what its run could not read."""

    warnings: tuple[_Warning, ...] = ()


class _Told(Struct):
    """What of a problem is needed to say that it is gone; any version's problem has these."""

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
    except msgspec.ValidationError:
        pass
    try:
        told = msgspec.json.decode(text, type=_Told)
    except msgspec.DecodeError as error:
        raise UnreadableError(f"damaged ({error})") from error
    return problem_without_refusals(**msgspec.structs.asdict(told))


def packed(value: Report | Problem) -> bytes:
    """Make the bytes that are kept."""
    return zlib.compress(msgspec.json.encode(value), 6)


def inflated(blob: bytes) -> bytes:
    """Give the JSON of what was packed.

    Raises:
        UnreadableError: it is damaged.
    """
    try:
        return zlib.decompress(blob)
    except zlib.error as error:
        raise UnreadableError(f"damaged ({error})") from error


def warned(blob: bytes | None) -> frozenset[str]:
    """Messages of the warnings of a report; none where only its sums are kept.

    Raises:
        UnreadableError: it is damaged.
    """
    if blob is None:
        return frozenset()
    try:
        report = msgspec.json.decode(inflated(blob), type=_Warned)
    except msgspec.DecodeError as error:
        raise UnreadableError(f"damaged ({error})") from error
    return frozenset(one.message for one in report.warnings)
