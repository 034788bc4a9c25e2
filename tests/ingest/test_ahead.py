"""Decompressing ahead gives what reading alone gives, damage and all."""

from __future__ import annotations

import gzip
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.ingest import Gathered
from flowdiag.ingest.ahead import Ahead
from flowdiag.ingest.compression import corruptions
from flowdiag.ingest.reading import Readable, open_source


def noise(size: int, seed: int) -> bytes:
    """Lines that compress little."""
    dice = random.Random(seed)  # noqa: S311 - test data
    return b"\n".join(dice.randbytes(60).hex().encode() for _ in range(size // 121 + 1))[:size]


def packed(data: bytes, kind: str) -> bytes:
    if kind == "gzip":
        return gzip.compress(data, 1)
    zstandard = pytest.importorskip("zstandard")
    return bytes(zstandard.ZstdCompressor(level=1).compress(data))


def drained(stream: Readable, size: int) -> tuple[bytes, str | None]:
    """All bytes up to the end or the error, and the error."""
    pieces = []
    try:
        while piece := stream.read(size):
            pieces.append(piece)
    except corruptions() as error:
        return b"".join(pieces), f"{type(error).__name__}: {error}"
    finally:
        stream.close()
    return b"".join(pieces), None


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_ahead_is_alone(kind, data, tmp_path_factory):
    """The same bytes and the same error, whole streams and cut or damaged ones."""
    plain = noise(data.draw(st.sampled_from([0, 1, 131_072, 1 << 20, (1 << 20) + 1, 6_000_000])), 7)
    stored = bytearray(packed(plain, kind))
    harm = data.draw(st.sampled_from(["none", "cut", "flip"]))
    place = data.draw(st.integers(12, max(13, len(stored) - 1)))
    if harm == "cut":
        del stored[place:]
    elif harm == "flip" and place < len(stored):
        stored[place] ^= 0x41
    path: Path = tmp_path_factory.mktemp("ahead") / "flows"
    path.write_bytes(stored)
    with Gathered([str(path)]) as gathered:
        (source,) = gathered.sources
        alone = drained(open_source(source), 1 << 17)
        ahead = drained(Ahead(lambda: open_source(source)), 1 << 17)

    if kind == "zstd" and harm == "cut":
        # Of a stream that is cut, zstandard's reader gives the last bytes or not, as it is asked for few or many.
        assert plain.startswith(ahead[0])
        assert ahead[0].startswith(alone[0])
    else:
        assert ahead == alone
    if harm == "none":
        assert ahead == (plain, None)


def test_closing_early_ends_the_thread(tmp_path):
    """Whoever stops reading leaves no thread behind, and the file is closed."""
    path = tmp_path / "flows"
    path.write_bytes(gzip.compress(noise(40_000_000, 3), 1))
    before = threading.active_count()
    with Gathered([str(path)]) as gathered:
        (source,) = gathered.sources
        stream = Ahead(lambda: open_source(source))
        assert stream.read(4)
        assert len(stream.read(1000)) == 1000
        assert 0 < stream.tell() <= source.size
        stream.close()

    assert threading.active_count() == before
