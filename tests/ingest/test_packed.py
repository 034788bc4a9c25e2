"""Packed files of every kind, whole and cut off."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from flowdiag.ingest import Gathered
from flowdiag.ingest.compression import Kind, sniff_kind
from flowdiag.ingest.reading import open_source
from flowdiag.ingest.text import encoding_of
from flowdiag.ingest.xz import xz_reader

TEXT = b"".join(b"line %d of a log that goes on for a while\n" % number for number in range(20_000))
PACKERS = {"gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress}


def whole(source):
    stream = open_source(source)
    try:
        return b"".join(iter(lambda: stream.read(50_000), b""))
    finally:
        stream.close()


@pytest.mark.parametrize("kind", PACKERS)
def test_a_packed_file_is_read(tmp_path, kind):
    """Known by its first bytes and not by its name; several behind each other are one."""
    path = tmp_path / "log"
    path.write_bytes(PACKERS[kind](TEXT) + PACKERS[kind](b"and more\n"))

    with Gathered([str(path)]) as sources:
        (source,) = sources.sources
        assert source.kind == kind
        assert whole(source) == TEXT + b"and more\n"


@pytest.mark.parametrize("kind", PACKERS)
def test_a_cut_file_says_so_after_what_can_be_read(tmp_path, kind):
    """Its error comes behind the bytes before the cut."""
    path = tmp_path / "log"
    packed = PACKERS[kind](TEXT)
    path.write_bytes(packed[: len(packed) // 2])

    with Gathered([str(path)]) as sources, pytest.raises(EOFError):
        whole(sources.sources[0])


@pytest.mark.parametrize("kind", PACKERS)
def test_a_packed_archive_is_opened(tmp_path, kind):
    """sosreport writes tar.xz."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("var/log/kern.log")
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))
    path = tmp_path / "sos"
    path.write_bytes(PACKERS[kind](made.getvalue()))

    with Gathered([str(path)]) as sources:
        (source,) = sources.sources
        assert source.name == f"{path}!var/log/kern.log"
        assert whole(source) == TEXT


@pytest.mark.parametrize("outer", PACKERS)
@pytest.mark.parametrize("name", ["kern.log", ".kern.log"])
def test_a_file_that_was_packed_twice_is_read(tmp_path, outer, name):
    """A rotated log that a collector packed again; the one inside is called as the file without its suffix."""
    path = tmp_path / f"{name}.gz.gz"
    path.write_bytes(PACKERS[outer](gzip.compress(TEXT)))

    with Gathered([str(path)]) as sources:
        (source,) = sources.sources
        assert source.name == f"{path}!{name}.gz"
        assert whole(source) == TEXT


def test_a_file_that_is_packed_without_end_is_refused(tmp_path):
    """Only so many times: nobody packs a log eight times."""
    data = TEXT
    for _ in range(8):
        data = gzip.compress(data)
    (tmp_path / "kern.log").write_bytes(data)

    with Gathered([str(tmp_path)]) as sources:
        assert not sources.sources
        assert [problem.code for problem in sources.problems] == ["archive-limit"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_whose_mark_was_cut_off_is_read(tmp_path, encoding):
    """What ``split`` leaves of PowerShell's redirection; a few letters of other scripts change nothing."""
    text = "WARN: 2026/01/05 10:00:06.963438 über 10.32.0.17:43912 blocked by Weave NPC – ü\r\n" * 20
    (tmp_path / "weave.log").write_bytes(text.encode(encoding))

    with Gathered([str(tmp_path)]) as sources:
        (source,) = sources.sources
        assert whole(source) == text.encode()


@pytest.mark.parametrize(
    "data", [b"a\0b\0c\0" * 30, b"\0" * 200, b"\0\x01" * 99 + b"\n", TEXT[:10] + b"\0" * 99]
)
def test_other_nuls_are_no_utf_16(data):
    """Names that end in NUL, a page of them, and what is no text."""
    assert encoding_of(data) == (None, 0)


@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_a_log_in_a_cut_archive_is_read_up_to_the_cut(tmp_path, kind):
    """An interrupted copy holds evidence all the same, and it is said that it is cut."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("kern.log")
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))
    packed = made.getvalue() if kind == "plain" else gzip.compress(made.getvalue())
    path = tmp_path / "cut.tar"
    path.write_bytes(packed[: len(packed) // 2])

    with Gathered([str(path)]) as sources:
        (source,) = sources.sources
        found = whole(source)
        (problem,) = sources.problems
    assert found
    assert TEXT.startswith(found)
    assert problem.code == "corrupt"
    assert problem.message.endswith("; what came before that was read")


def test_a_cut_zip_says_that_nothing_was_read(tmp_path):
    """Its list of members stands at the end."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("kern.log", TEXT)
    path = tmp_path / "cut.zip"
    path.write_bytes(made.getvalue()[:1000])

    with Gathered([str(path)]) as sources:
        assert not sources.sources
        assert "nothing of it was read" in sources.problems[0].message


def test_xz_that_wants_much_memory_is_refused():
    """A dictionary of a gigabyte needs a gigabyte to read one byte."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3}]
    # Packing would need even more, so the header's dictionary size is written over (xz format 5.3.1).
    packed = bytearray(lzma.compress(b"x", filters=[{**filters[0], "dict_size": 1 << 16}]))
    size = packed.index(b"\x21\x01") + 2
    packed[size] = 38
    import zlib

    start = 12
    length = (packed[start] + 1) * 4
    packed[start + length - 4 : start + length] = zlib.crc32(packed[start : start + length - 4]).to_bytes(
        4, "little"
    )

    with pytest.raises(lzma.LZMAError, match="limit"):
        xz_reader(io.BytesIO(bytes(packed))).read()


def test_words_that_begin_as_bzip2_are_text():
    """Its magic is longer than three letters."""
    assert sniff_kind(b"BZh9 is a name\n") is Kind.PLAIN


def test_a_file_and_its_packed_copy_beside_it_count_once(tmp_path):
    """``gzip -k`` leaves both; what was written since, another folder's and another name's count."""
    (tmp_path / "other").mkdir()
    (tmp_path / "weave.log").write_bytes(b"one\n" * 10)
    for place in ("weave.log.gz", "other/weave.log.gz", "copy.log.gz"):
        (tmp_path / place).write_bytes(gzip.compress(b"one\n" * 10))
    (tmp_path / "grown.log").write_bytes(b"one\n" * 11)
    (tmp_path / "grown.log.gz").write_bytes(gzip.compress(b"one\n" * 10))
    (tmp_path / "cut.log").write_bytes(b"one\n" * 10)
    (tmp_path / "cut.log.gz").write_bytes(gzip.compress(b"one\n" * 10)[:-9])

    with Gathered([str(tmp_path)]) as gathered:
        names = {source.name.removeprefix(f"{tmp_path}/") for source in gathered.sources}

    assert names == {
        "copy.log.gz",
        "cut.log",
        "cut.log.gz",
        "grown.log",
        "grown.log.gz",
        "other/weave.log.gz",
        "weave.log",
    }
