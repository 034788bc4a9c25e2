"""Decompressing ahead gives what reading alone gives, damage and all."""

from __future__ import annotations

import contextlib
import gzip
import random
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.ingest import Gathered, ReadOptions, run
from flowdiag.ingest.ahead import Ahead, in_thread
from flowdiag.ingest.compression import corruptions
from flowdiag.ingest.reading import open_source
from flowdiag.ingest.streams import Readable


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
        ahead = drained(Ahead(open_source(source)), 1 << 17)

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
        stream = Ahead(open_source(source))
        assert stream.read(4)
        assert len(stream.read(1000)) == 1000
        assert 0 < stream.tell() <= source.size
        stream.close()

    assert threading.active_count() == before


@pytest.mark.parametrize("harm", ["none", "cut", "flip"])
@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_what_is_read_of_a_damaged_stream_hangs_on_nobody(kind, harm, tmp_path):
    """However much is asked for at a time, the same comes before the damage: one process asks for other blocks than several."""
    plain = noise(700_000, 5)
    stored = bytearray(packed(plain, kind))
    if harm == "cut":
        del stored[-40:]
    elif harm == "flip":
        stored[len(stored) * 3 // 4] ^= 0x41
    path = tmp_path / "flows"
    path.write_bytes(stored)
    with Gathered([str(path)]) as gathered:
        (source,) = gathered.sources
        found = [drained(open_source(source), size) for size in (1 << 17, 1 << 19, 3 << 16, 1000, 1 << 24)]

    assert len(set(found)) == 1
    assert harm == "flip" or plain.startswith(found[0][0])
    assert (found[0] == (plain, None)) is (harm == "none")
    assert harm == "none" or len(found[0][0]) >= 1 << 17


@pytest.mark.parametrize("size", [3_000, 90_000, 700_000])
@pytest.mark.parametrize("harm", ["cut", "flip"])
def test_all_that_stands_before_the_damage_is_given(size, harm, tmp_path):
    """Also of a file so small that one read would take it all: what zlib makes of the same bytes, one at a time."""
    stored = bytearray(packed(noise(size, 5), "gzip"))
    if harm == "cut":
        del stored[len(stored) * 2 // 3 :]
    else:
        stored[len(stored) * 2 // 3] ^= 0x41
    inflater, whole = zlib.decompressobj(31), bytearray()
    with contextlib.suppress(zlib.error):
        data = bytes(stored)
        while not inflater.eof and (piece := inflater.decompress(data, 1)):
            whole += piece
            data = inflater.unconsumed_tail
    path = tmp_path / "flows"
    path.write_bytes(stored)
    with Gathered([str(path)]) as gathered:
        (source,) = gathered.sources
        found, error = drained(open_source(source), 1 << 20)

    assert error is not None
    assert len(found) > size // 2
    # The two decoders may part within the last symbol.
    assert found.startswith(bytes(whole))
    assert len(found) - len(whole) < (2 if harm == "flip" else 1)


@pytest.mark.parametrize("only_denied", [False, True])
def test_a_cut_archive_is_read_alike_by_one_process_and_by_two(only_denied, tmp_path):
    """Records, lines and problems are the same, whoever reads."""
    line = (
        b'{"flow":{"time":"2026-03-17T14:03:%02d.850000012Z","verdict":"%s","drop_reason_desc":"POLICY_DENIED",'
        b'"IP":{"source":"10.244.1.17","destination":"10.244.2.63","ipVersion":"IPv4"},"l4":{"TCP":{"source_port":%d,'
        b'"destination_port":8080}},"Type":"L3_L4","node_name":"worker-1"},"node_name":"worker-1",'
        b'"time":"2026-03-17T14:03:%02d.850000012Z"}\n'
    )
    data = b"".join(
        line % (n // 40 % 60, b"DROPPED" if n % 3 else b"FORWARDED", 30_000 + n, n // 40 % 60)
        for n in range(2_000)
    )
    for name in ("a.log.gz", "b.log.gz"):
        (tmp_path / name).write_bytes(gzip.compress(data)[:-100])

    def read(processes: int) -> tuple[object, ...]:
        with Gathered([str(tmp_path)]) as gathered:
            found = run(gathered, ReadOptions(processes=processes, only_denied=only_denied))
        return found.tally.records, found.tally.flows(), found.tally.warnings, found.problems

    alone = read(1)
    assert alone == read(2)
    assert 500 < int(str(alone[0])) < 4_000


def test_where_no_thread_can_begin_there_is_none(tmp_path, monkeypatch):
    """As in a container that may have so many: it takes longer, and gives the same."""
    path = tmp_path / "flows.gz"
    record = (
        b'{"flow":{"time":"2026-03-17T14:03:10Z","verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED",'
        b'"IP":{"source":"10.244.1.17","destination":"10.244.2.63","ipVersion":"IPv4"},"l4":{"TCP":{"source_port":4000,'
        b'"destination_port":8080}},"Type":"L3_L4","node_name":"worker-1"},"node_name":"worker-1",'
        b'"time":"2026-03-17T14:03:10Z"}\n'
    )
    path.write_bytes(gzip.compress(record * 500))

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr("flowdiag.ingest.blocks._WORTH_A_THREAD", 0)
    monkeypatch.setattr("flowdiag.ingest.blocks.has_core_to_spare", lambda: True)

    assert list(in_thread(iter(range(50)), 3)) == [*range(50)]
    with Gathered([str(path)]) as gathered:
        assert run(gathered, ReadOptions(processes=1)).tally.records == 500


def test_other_work_is_done_while_nothing_waits():
    """A piece each time that the thread is waited for, and none where it is ahead."""
    got: list[int] = []
    asked, may_go_on, all_wait = [], threading.Event(), threading.Event()

    def made():
        yield 1
        may_go_on.wait(20)
        yield 2
        yield 3
        all_wait.set()

    def idle():
        if got:
            asked.append(len(got))
            may_go_on.set()

    for item in in_thread(made(), 3, idle):
        got.append(item)
        if item > 1:
            assert all_wait.wait(20)
    assert got == [1, 2, 3]
    assert asked in ([1], [1, 3])  # the end may be waited for
