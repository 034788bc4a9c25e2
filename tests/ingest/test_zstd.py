"""A zstd stream that was cut is told from one that ends."""

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.ingest.compression import Kind, decompressed

zstandard = pytest.importorskip("zstandard")

pieces = st.one_of(
    st.binary(max_size=400),
    st.builds(lambda byte, times: bytes([byte]) * times, st.integers(0, 255), st.integers(0, 400_000)),
    st.builds(lambda seed, times: seed * times, st.binary(min_size=1, max_size=50), st.integers(0, 5_000)),
)


@st.composite
def frames(draw):
    """One frame's bytes and what it holds; some hold nothing and are skipped."""
    if draw(st.integers(0, 4)) == 0:
        padding = draw(st.binary(max_size=60))
        number = draw(st.integers(0, 15))
        return struct.pack("<II", 0x184D2A50 + number, len(padding)) + padding, b""
    plain = draw(pieces)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        draw(st.integers(1, 5)),
        write_checksum=draw(st.booleans()),
        write_content_size=draw(st.booleans()),
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(plain), plain


def drained(stored: bytes, size: int) -> bytes:
    stream = decompressed(io.BytesIO(stored), Kind.ZSTD)
    return b"".join(iter(lambda: stream.read(size), b""))


@settings(max_examples=150, deadline=None)
@given(
    found=st.lists(frames(), min_size=1, max_size=3), size=st.sampled_from([1 << 10, 1 << 17]), data=st.data()
)
def test_a_cut_stream_is_an_error_and_a_whole_one_is_none(found, size, data):
    """Cut within any frame, also within its header, its checksum, or one that is skipped."""
    stored = b"".join(frame for frame, _ in found)
    assert drained(stored, size) == b"".join(plain for _, plain in found)

    place = data.draw(st.integers(1, len(stored) - 1))
    ends = {sum(len(frame) for frame, _ in found[:number]) for number in range(1, len(found) + 1)}
    if place in ends:
        drained(stored[:place], size)
    else:
        with pytest.raises(EOFError):
            drained(stored[:place], size)
