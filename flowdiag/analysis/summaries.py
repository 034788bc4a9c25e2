"""What each input was, in figures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from flowdiag.ingest import Detection
from flowdiag.ingest.reading import Source
from flowdiag.ingest.remote import open_raw
from flowdiag.model.tally import InputSummary
from flowdiag.tally.inputs import InputCounts

__all__ = ["summaries", "unrecorded"]

_COPY = 1 << 20


def summaries(
    detected: Sequence[Detection], counted: Mapping[str, InputCounts], *, checksum: bool
) -> Iterator[InputSummary]:
    """Of each input, `counted` by its name; with the SHA-256 of its bytes on disk where `checksum` asks for it."""
    for one in detected:
        counts = counted.get(one.source.name)
        yield InputSummary(
            path=one.source.name,
            parser=one.parser,
            bytes=one.source.size if one.source.stored is None else one.source.stored,
            records=counts.records if counts is not None else 0,
            flows=counts.flows if counts is not None else 0,
            warnings=counts.warnings if counts is not None else 0,
            first=counts.first if counts is not None else None,
            last=counts.last if counts is not None else None,
            year_inferred=counts.year_inferred if counts is not None else False,
            sha256=_digest(one.source) if checksum else None,
        )


def unrecorded(path: str, size: int) -> InputSummary:
    """An input of objects alone."""
    return InputSummary(
        path=path, parser=None, bytes=size, records=0, flows=0, warnings=0, first=None, last=None
    )


def _digest(source: Source) -> str:
    digest = hashlib.sha256()
    with open_raw(source.whole or source.path) as stream:
        while piece := stream.read(_COPY):
            digest.update(piece)
    return digest.hexdigest()
