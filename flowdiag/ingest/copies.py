"""One file in an archive and unpacked beside it, or in two archives: read twice, every count would be double.

Files count as one where their names and their bytes are the same and they came by different ways.  Same bytes under
another name are somebody's intention (a copy for a second node), and so are two files of one archive or of none; but
for a node's ``/var/log``, where the kubelet keeps a link to each container's log (whoever packs or copies that folder
gets the log twice), and for a file and its packed copy beside it, as ``gzip -k`` leaves them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from flowdiag.ingest.compression import Kind, MissingReaderError, corruptions
from flowdiag.ingest.reading import Source, open_source

__all__ = ["without_copies"]

_ENDINGS = ("gz", "zst", "bz2", "xz")
_COPY = 1 << 20
_LABEL = "!"
"""Between an archive's name and its member's in `Source.name`."""
# "var/log/pods/kube-system_weave-net-2xkzp_0f1e2d3c/weave-npc/0.log"           kubelet 1.14 and later
# "var/log/containers/weave-net-2xkzp_kube-system_weave-npc-0a1b2c3d4e5f.log"   the link to it
_LOG = re.compile(
    r"(?:^|[/!])(?:pods/(?P<ns>[a-z0-9-]{1,63})_(?P<pod>[a-z0-9.-]{1,253})_[a-z0-9-]{1,63}/(?P<container>[a-z0-9-]{1,63})/\d{1,9}\.log"
    r"|containers/(?P<pod2>[a-z0-9.-]{1,253})_(?P<ns2>[a-z0-9-]{1,63})_(?P<container2>[a-z0-9-]{1,63})-[0-9a-f]{8,64}\.log)$"
)


def without_copies(sources: Sequence[Source]) -> list[Source]:
    """The sources in their order, each file once: the first of those that are the same.

    Bytes are compared only where names and sizes agree and one of them came out of an archive.  A file that cannot be
    read stays, so that its reading says why.
    """
    alike: dict[tuple[object, int], list[Source]] = defaultdict(list)
    for source in sources:
        if source.size and not source.remote:
            alike[_container(source) or _file_name(source), source.size].append(source)
    copies: set[str] = set()
    for (what, _), group in alike.items():
        linked = isinstance(what, tuple)
        if len(group) < 2 or not (linked or any(source.spooled for source in group)):
            continue
        first: dict[bytes, str] = {}
        for source in group:
            digest = _digest(source)
            place = source.name if linked else _archive(source)
            if digest is not None and first.setdefault(digest, place) != place:
                copies.add(source.path)
    kept = [source for source in sources if source.path not in copies]
    plain = {source.name: source for source in kept if source.kind is Kind.PLAIN and not source.remote}
    return [source for source in kept if not _is_packed_copy(source, plain)]


def _is_packed_copy(source: Source, plain: Mapping[str, Source]) -> bool:
    """Whether the file that it is called after stands beside it with the same bytes."""
    name, _, ending = source.name.rpartition(".")
    beside = plain.get(name)
    if beside is None or ending not in _ENDINGS or source.kind in (Kind.PLAIN, Kind.ZIP, Kind.TAR):
        return False
    digest = _digest(beside)
    return digest is not None and digest == _digest_unpacked(source, beside.size)


def _container(source: Source) -> tuple[str, str, str] | None:
    """Whose log it is, by its place below a node's ``/var/log``: namespace, pod, container."""
    match = _LOG.search(source.name)
    if match is None:
        return None
    return (
        match["ns"] or match["ns2"],
        match["pod"] or match["pod2"],
        match["container"] or match["container2"],
    )


def _archive(source: Source) -> str:
    return source.name.rpartition(_LABEL)[0]


def _file_name(source: Source) -> str:
    return source.name.rpartition(_LABEL)[2].rpartition("/")[2]


def _digest_unpacked(source: Source, size: int) -> bytes | None:
    """Of what is packed, if it is of this size; ``None`` for any other, and for what is damaged."""
    import hashlib

    digest, seen = hashlib.sha256(), 0
    try:
        stream = open_source(source, as_is=True)
        try:
            while seen <= size and (piece := stream.read(_COPY)):
                digest.update(piece)
                seen += len(piece)
        finally:
            stream.close()
    except MissingReaderError:
        return None
    except corruptions():
        return None
    return digest.digest() if seen == size else None


def _digest(source: Source) -> bytes | None:
    import hashlib

    try:
        with Path(source.path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        return None
