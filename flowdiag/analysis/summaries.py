"""What each input was, in figures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from flowdiag.ingest import Detection
from flowdiag.ingest.reading import Source
from flowdiag.ingest.remote import open_raw
from flowdiag.model.tally import InputSummary
from flowdiag.tally.inputs import InputCounts

__all__ = ["summaries", "summary"]

_COPY = 1 << 20


def summaries(
    detected: Sequence[Detection], counted: Mapping[str, InputCounts], *, checksum: bool
) -> Iterator[InputSummary]:
    """Give a summary of each input, with what was `counted` for it by name, and with its SHA-256 where `checksum` is set."""
    for one in detected:
        source = one.source
        yield summary(
            source.name,
            one.parser,
            source.size if source.stored is None else source.stored,
            counted.get(source.name),
            sha256=_digest(source) if checksum else None,
        )


def summary(
    path: str, parser: str | None, size: int, counts: InputCounts | None, *, sha256: str | None = None
) -> InputSummary:
    """One input: `size` in bytes, and `counts` of what was read of it, if anything was."""
    return InputSummary(
        path=path,
        parser=parser,
        bytes=size,
        records=counts.records if counts is not None else 0,
        flows=counts.flows if counts is not None else 0,
        warnings=counts.warnings if counts is not None else 0,
        first=counts.first if counts is not None else None,
        last=counts.last if counts is not None else None,
        year_inferred=counts.year_inferred if counts is not None else False,
        sha256=sha256,
    )


def _digest(source: Source) -> str:
    digest = hashlib.sha256()
    with open_raw(source.whole or source.path) as stream:
        while piece := stream.read(_COPY):
            digest.update(piece)
    return digest.hexdigest()
