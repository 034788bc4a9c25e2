"""One file in an archive and unpacked beside it, or in two archives: read twice, every count would be double.

Files count as one where their names and their bytes are the same and they came by different ways.  Same bytes under
another name are somebody's intention (a copy for a second node), and so are two files of one archive or of none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from flowdiag.ingest.reading import Source

__all__ = ["without_copies"]

_LABEL = "!"
"""Between an archive's name and its member's in `Source.name`."""


def without_copies(sources: Sequence[Source]) -> list[Source]:
    """The sources in their order, each file once: the first of those that are the same.

    Bytes are compared only where names and sizes agree and one of them came out of an archive.  A file that cannot be
    read stays, so that its reading says why.
    """
    alike: dict[tuple[str, int], list[Source]] = defaultdict(list)
    for source in sources:
        if source.size and not source.remote:
            alike[_file_name(source), source.size].append(source)
    copies: set[str] = set()
    for group in alike.values():
        if len(group) < 2 or not any(source.spooled for source in group):
            continue
        first: dict[bytes, str] = {}
        for source in group:
            digest = _digest(source)
            if digest is not None and first.setdefault(digest, _archive(source)) != _archive(source):
                copies.add(source.path)
    return [source for source in sources if source.path not in copies]


def _archive(source: Source) -> str:
    return source.name.rpartition(_LABEL)[0]


def _file_name(source: Source) -> str:
    return source.name.rpartition(_LABEL)[2].rpartition("/")[2]


def _digest(source: Source) -> bytes | None:
    import hashlib

    try:
        with Path(source.path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        return None
