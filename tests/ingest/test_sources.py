"""From paths to sources: walking, unpacking, encodings, and everything that is wrong with archives."""

from __future__ import annotations

import errno
import gzip
import io
import os
import socket
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
import zstandard

from flowdiag.ingest import Gathered, sources
from flowdiag.ingest.bounds import Limits
from flowdiag.ingest.compression import Kind, sniff_kind
from flowdiag.ingest.reading import open_source, read_head
from flowdiag.ingest.remote import RemoteError, RemoteObject
from flowdiag.ingest.rotation import name_time, order_key
from flowdiag.parserkit import parse_rfc3339


def _names(gathered: Gathered) -> list[str]:
    return [source.name for source in gathered.sources]


def _codes(gathered: Gathered) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in gathered.problems]


def _content(gathered: Gathered, name: str) -> bytes:
    source = next(source for source in gathered.sources if source.name == name)
    stream = open_source(source)
    try:
        return stream.read()
    finally:
        stream.close()


def _tar(path: Path, members: list[tarfile.TarInfo | tuple[str, bytes]], mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                info.mtime = 1_700_000_000
                archive.addfile(info, io.BytesIO(member[1]))


def _link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def test_directories_are_walked_in_order_and_named_as_given(tmp_path, monkeypatch):
    """Names start with what the user typed; hidden files and folders are left out."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.log", "in/a/z.log", "in/.git/config", "in/.hidden", "in/a.log"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x\n")

    with Gathered(["in", "missing"]) as gathered:
        assert _names(gathered) == ["in/a.log", "in/a/z.log", "in/b.log"]
        assert _codes(gathered) == [("missing", "missing")]


def test_files_reached_twice_are_read_once(tmp_path):
    """A symbolic or hard link to a file that is read anyway adds nothing; neither does naming it twice."""
    real = tmp_path / "pod.log"
    real.write_text("x\n")
    (tmp_path / "link.log").symlink_to(real)
    os.link(real, tmp_path / "hard.log")

    with Gathered([str(tmp_path), str(real)]) as gathered:
        assert len(gathered.sources) == 1


def test_rotated_files_stand_oldest_first(tmp_path):
    """Stamped ones by stamp, numbered ones downwards, the live file last."""
    for name in (
        "events.log",
        "events-2024-05-02T10-11-12.000.log.gz",
        "events-2024-05-01T10-11-12.000.log",
        "acl.log",
        "acl.log.1",
        "acl.log.10.gz",
        "acl.log.2",
        "current.log",
        "previous.log",
    ):
        (tmp_path / name).write_text(name)

    with Gathered([str(tmp_path)]) as gathered:
        assert [Path(name).name for name in _names(gathered)] == [
            "previous.log",
            "current.log",
            "acl.log.10.gz",
            "acl.log.2",
            "acl.log.1",
            "acl.log",
            "events-2024-05-01T10-11-12.000.log",
            "events-2024-05-02T10-11-12.000.log.gz",
            "events.log",
        ]


def test_files_named_one_by_one_keep_the_users_order(tmp_path):
    """Only those of one rotation are put in time order among themselves."""
    for name in ("z.log", "a.log", "a.log.1"):
        (tmp_path / name).write_text(name)

    with Gathered([str(tmp_path / name) for name in ("z.log", "a.log", "a.log.1")]) as gathered:
        assert [Path(name).name for name in _names(gathered)] == ["z.log", "a.log.1", "a.log"]


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("d/events-2024-05-01T10-11-12.000.log", "2024-05-01T10:11:12Z"),
        ("np-2024-05-01T10-11-12.000.log.gz", "2024-05-01T10:11:12Z"),
        ("0.log.20240501-101112", "2024-05-01T10:11:12Z"),
        ("x-2024-13-01T10-11-12.000.log", None),
        ("events.log", None),
    ],
)
def test_rotation_stamps_are_times(name, at):
    """A rotated file's name dates its records well enough to know their year."""
    assert name_time(name) == (parse_rfc3339(at) if at else None)


def test_order_key_is_total():
    """Two different names never have the same key."""
    assert order_key("a.log") != order_key("a.log.gz")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"plain", Kind.PLAIN),
        (b"", Kind.PLAIN),
        (gzip.compress(b"x", mtime=0), Kind.GZIP),
        (zstandard.compress(b"x"), Kind.ZSTD),
        (b"PK\x03\x04....", Kind.ZIP),
    ],
)
def test_packing_is_told_by_the_first_bytes(data, kind):
    """Names do not matter."""
    assert sniff_kind(data) is kind


@pytest.mark.parametrize(
    "raw",
    [
        b"one\ntwo\n",
        b"\xef\xbb\xbfone\ntwo\n",
        "\ufeffone\ntwo\n".encode("utf-16-le"),
        "\ufeffone\ntwo\n".encode("utf-16-be"),
        gzip.compress(b"one\ntwo\n", mtime=0),
        gzip.compress(b"one\n", mtime=0) + gzip.compress(b"two\n", mtime=0),
        gzip.compress(b"\xef\xbb\xbfone\ntwo\n", mtime=0),
        zstandard.compress(b"one\n") + zstandard.compress(b"two\n"),
    ],
)
def test_marks_and_packing_are_undone(tmp_path, raw):
    """Whatever stands around it, the text is the same."""
    (tmp_path / "f").write_bytes(raw)

    with Gathered([str(tmp_path / "f")]) as gathered:
        assert _content(gathered, str(tmp_path / "f")) == b"one\ntwo\n"
        assert read_head(gathered.sources[0], 5) == b"one\nt"


def test_standard_input_may_be_an_archive(tmp_path):
    """``-`` is looked at like any file."""
    _tar(tmp_path / "b.tgz", [("d/x.log", b"inside\n")], "w:gz")
    packed = io.BytesIO((tmp_path / "b.tgz").read_bytes())

    with Gathered(["-"], stdin=packed) as gathered:
        assert _names(gathered) == ["-!d/x.log"]
        assert _content(gathered, "-!d/x.log") == b"inside\n"


def test_plain_standard_input():
    """A stream is one source, named ``-``."""
    with Gathered(["-"], stdin=io.BytesIO(b"line\n")) as gathered:
        assert _names(gathered) == ["-"]
        assert _content(gathered, "-") == b"line\n"


def test_standard_input_named_twice_is_read_once():
    """``analyze - -`` counts nothing double."""
    with Gathered(["-", "-"], stdin=io.BytesIO(b"line\n")) as gathered:
        assert _names(gathered) == ["-"]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_archives_are_opened_and_one_inside(tmp_path, mode):
    """Members are named ``archive!member``, members of an inner archive ``archive!inner!member``."""
    _tar(tmp_path / "inner.tar", [("deep.log", b"deep\n")])
    inner = (tmp_path / "inner.tar").read_bytes()
    outer = tmp_path / "outer.tar"
    _tar(
        outer,
        [("top/a.log", b"a\n"), ("top/inner.tar", inner), ("top/b.log.gz", gzip.compress(b"b\n"))],
        mode,
    )

    with Gathered([str(outer)]) as gathered:
        assert _names(gathered) == [
            f"{outer}!top/a.log",
            f"{outer}!top/b.log.gz",
            f"{outer}!top/inner.tar!deep.log",
        ]
        assert _content(gathered, f"{outer}!top/b.log.gz") == b"b\n"
        assert gathered.sources[0].member_time == 1_700_000_000 * 10**9
        spool = Path(gathered.sources[0].path).parent
        assert spool.is_dir()
    assert not spool.exists()


def test_a_bundle_is_read_whatever_it_was_attached_in(tmp_path):
    """A ticket's zip holds a tarball, that a zip, and that compressed logs."""
    data = gzip.compress(b"deep\n")
    with zipfile.ZipFile(tmp_path / "node.zip", "w") as archive:
        archive.writestr("flows.log.gz", data)
    _tar(tmp_path / "bundle.tgz", [("node.zip", (tmp_path / "node.zip").read_bytes())], "w:gz")
    outer = tmp_path / "ticket.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(tmp_path / "bundle.tgz", "bundle.tgz")

    with Gathered([str(outer)]) as gathered:
        name = f"{outer}!bundle.tgz!node.zip!flows.log.gz"
        assert _names(gathered) == [name]
        assert _content(gathered, name) == b"deep\n"
        assert gathered.problems == []


def test_archives_deep_inside_others_are_not_opened(tmp_path):
    """Nesting ends after four levels, and that is said."""
    data = b"x\n"
    for level in range(5):
        _tar(tmp_path / "t.tar", [(f"level{level}", data)])
        data = (tmp_path / "t.tar").read_bytes()

    with Gathered([str(tmp_path / "t.tar")]) as gathered:
        assert gathered.sources == []
        assert [code for _, code in _codes(gathered)] == ["archive-limit"]


def test_members_that_leave_the_archive_are_refused(tmp_path):
    """Absolute paths, parents, links out and devices are named; links inside are quietly left out."""
    device = tarfile.TarInfo("dev/null")
    device.type = tarfile.CHRTYPE
    path = tmp_path / "evil.tar"
    _tar(
        path,
        [
            ("/etc/passwd", b"x"),
            ("../outside", b"x"),
            ("a/../../outside", b"x"),
            _link("a/escape", "../../etc/passwd"),
            _link("absolute", "/etc/passwd"),
            _link("hard", "../etc/passwd", tarfile.LNKTYPE),
            _link("a/inside", "../b/good.log"),
            device,
            ("b/good.log", b"good\n"),
        ],
    )

    with Gathered([str(path)]) as gathered:
        assert _names(gathered) == [f"{path}!b/good.log"]
        assert sorted(_codes(gathered)) == sorted(
            [
                (f"{path}!/etc/passwd", "path-escape"),
                (f"{path}!../outside", "path-escape"),
                (f"{path}!a/../../outside", "path-escape"),
                (f"{path}!a/escape", "link-escape"),
                (f"{path}!absolute", "link-escape"),
                (f"{path}!hard", "link-escape"),
                (f"{path}!dev/null", "device"),
            ]
        )
    assert not (tmp_path.parent / "outside").exists()


def test_zip_members_that_leave_the_archive_are_refused(tmp_path):
    """Zip keeps links as files with a mode; they are not followed either."""
    path = tmp_path / "evil.zip"
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../up.log", "x")
        archive.writestr("C:/windows.log", "x")
        archive.writestr(link, "/etc/passwd")
        archive.writestr("dir/good.log", "good\n")

    with Gathered([str(path)]) as gathered:
        assert _names(gathered) == [f"{path}!dir/good.log"]
        assert sorted(code for _, code in _codes(gathered)) == ["link-escape", "path-escape", "path-escape"]


def test_zip_bombs_end_early(tmp_path):
    """What unfolds beyond ratio, total or number of members is cut off, and that is said."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first.log", "fine\n")
        archive.writestr("zeros", b"\0" * (4 << 20))
        archive.writestr("last.log", "never reached\n")

    for limits in (Limits(ratio=50, ratio_from=1 << 20), Limits(total=1 << 20), Limits(members=1)):
        with Gathered([str(path)], limits=limits) as gathered:
            assert _names(gathered) == [f"{path}!first.log"]
            assert _codes(gathered) == [(str(path), "archive-limit")]
            assert (
                sum(file.stat().st_size for file in Path(gathered.sources[0].path).parent.iterdir()) < 1 << 20
            )


@pytest.mark.parametrize("cut", [40, 600, 1500])
def test_damaged_archives_give_what_came_before(tmp_path, cut):
    """A truncated download is a problem of that archive and of nothing else."""
    rng_like = bytes((index * 7919) % 251 for index in range(4000))
    _tar(tmp_path / "whole.tgz", [("a.log", b"a\n"), ("b.log", rng_like)], "w:gz")
    path = tmp_path / "cut.tgz"
    path.write_bytes((tmp_path / "whole.tgz").read_bytes()[:cut])
    good = tmp_path / "good.log"
    good.write_text("x\n")

    with Gathered([str(path), str(good)]) as gathered:
        assert str(good) in _names(gathered)
        assert len(gathered.problems) <= 1
        assert all(code == "corrupt" for _, code in _codes(gathered))


@pytest.mark.parametrize(("lines", "share"), [(40, 0.7), (20_000, 0.3), (20_000, 0.7), (20_000, 0.97)])
def test_a_member_is_read_up_to_where_its_archive_was_cut(tmp_path, lines, share):
    """All that unpacks of it, also of one smaller than a read; the member behind it is none."""
    data = b"".join(b"%d %d\n" % (number, number * 7919 % 104_729) for number in range(lines))
    _tar(tmp_path / "whole.tgz", [("a.log", data), ("b.log", data[:9])], "w:gz")
    stored = (tmp_path / "whole.tgz").read_bytes()
    cut = stored[: int(len(stored) * share)]
    path = tmp_path / "cut.tgz"
    path.write_bytes(cut)
    unpacks = zlib.decompressobj(31).decompress(cut)[512:]

    with Gathered([str(path)]) as gathered:
        first = gathered.sources[0]
        assert Path(first.path).read_bytes() == unpacks[: len(data)]
        assert _codes(gathered) == [(str(path), "corrupt")]
        assert "end-of-stream" in gathered.problems[0].message


def test_a_zip_that_is_none(tmp_path):
    """A zip's first bytes on something else."""
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK\x03\x04 and then something else")

    with Gathered([str(path)]) as gathered:
        assert gathered.sources == []
        assert _codes(gathered) == [(str(path), "corrupt")]


def test_a_container_s_log_and_the_kubelet_s_link_to_it_are_one(tmp_path):
    """``zip -r`` and ``cp -rL`` of a node's /var/log make a file of the link; another container's equal log stays."""
    pods, links = tmp_path / "var/log/pods", tmp_path / "var/log/containers"
    links.mkdir(parents=True)
    for pod in ("weave-net-2xkzp", "weave-net-7qh4d"):
        folder = pods / f"kube-system_{pod}_0f1e2d3c-4b5a" / "weave-npc"
        folder.mkdir(parents=True)
        for path in (folder / "0.log", links / f"{pod}_kube-system_weave-npc-{'0a' * 32}.log"):
            path.write_bytes(b"2026-01-05T10:00:00Z stderr F a line\n")
    (links / f"weave-net-7qh4d_kube-system_weave-npc-{'0a' * 32}.log").write_bytes(b"x" * 37)
    archive = tmp_path / "log.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted((tmp_path / "var").rglob("*.log")):
            packed.write(path, path.relative_to(tmp_path))

    for given in (tmp_path / "var", archive):
        with Gathered([str(given)]) as gathered:
            names = [source.name.rpartition("/")[2] for source in gathered.sources]
        assert names == [
            f"weave-net-2xkzp_kube-system_weave-npc-{'0a' * 32}.log",
            f"weave-net-7qh4d_kube-system_weave-npc-{'0a' * 32}.log",
            "0.log",
        ]


def _extended(name: str, kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_members_header_is_not_kept_however_long(tmp_path, kind):
    """A name or a pax record of gigabytes packs into megabytes, and tarfile would hold it in memory."""
    path = tmp_path / "bomb.tgz"
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(_extended("x", kind, 64 << 20))
        for _ in range(64):
            packed.write(b"a" * (1 << 20))
        packed.write(b"\0" * 1024)
    with Gathered([str(path)]) as gathered:
        assert _codes(gathered) == [(str(path), "archive-limit")]
        assert "header" in gathered.problems[0].message
        assert gathered.sources == []


def test_what_stands_before_a_long_header_is_read(tmp_path):
    """Many members with long names each are no bomb, and what came before one is kept."""
    path = tmp_path / "bundle.tgz"
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT, compresslevel=1) as archive:
        for number in range(200):
            info = tarfile.TarInfo(f"{'d' * 60_000}/{number}.log")
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
    with Gathered([str(path)]) as gathered:
        assert _codes(gathered) == []
        assert len(gathered.sources) == 200


def test_members_that_are_passed_over_count_too(tmp_path):
    """Folders, and the bytes of a refused member, cost time though nothing of them is written."""
    folders = tmp_path / "folders.tar"
    _tar(folders, [_extended_folder(number) for number in range(20)])
    refused = tmp_path / "refused.tgz"
    with gzip.open(refused, "wb", compresslevel=1) as packed:
        packed.write(_extended("../x", tarfile.REGTYPE, 32 << 20) + bytes(32 << 20) + bytes(1024))
    limits = Limits(members=10, ratio=50, ratio_from=1 << 20)
    with Gathered([str(folders)], limits=limits) as gathered:
        assert _codes(gathered) == [(str(folders), "archive-limit")]
    with Gathered([str(refused)], limits=limits) as gathered:
        assert _codes(gathered) == [
            (f"{refused}!../x", "path-escape"),
            (str(refused), "archive-limit"),
        ]


def _extended_folder(number: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"d{number}")
    info.type = tarfile.DIRTYPE
    return info


def test_a_zips_link_is_read_as_far_as_a_path_goes(tmp_path, monkeypatch):
    """A link's target of gigabytes was unpacked into memory to look at its first 4,096 bytes."""
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, b"../" * (1 << 20), zipfile.ZIP_DEFLATED)
        archive.writestr("a.log", "x")
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("all of a member at once"))
    with Gathered([str(path)]) as gathered:
        assert _codes(gathered) == [(f"{path}!link", "link-escape")]
        assert _names(gathered) == [f"{path}!a.log"]


def test_of_many_refused_members_the_first_are_named(tmp_path):
    """A million pipes in an archive were a million warnings."""
    path = tmp_path / "pipes.tar"
    _tar(path, [_link(f"p{number}", "", tarfile.FIFOTYPE) for number in range(130)] + [("a.log", b"x")])
    with Gathered([str(path)]) as gathered:
        codes = [problem.code for problem in gathered.problems]
        assert codes == ["device"] * 100 + ["archive-limit"]
        assert gathered.problems[-1].message.startswith("30 more members refused")
        assert _names(gathered) == [f"{path}!a.log"]


def test_addresses_are_named_without_their_secrets(monkeypatch):
    """A password, or the signature of a presigned address, stood in reports and messages."""
    url = "https://user:hunter2@192.0.2.1/flows.jsonl?X-Amz-Signature=0badc0de"
    monkeypatch.setattr(sources, "listing", lambda given: [RemoteObject(given, 3)])
    monkeypatch.setattr(sources, "at_once", lambda *_: [(Kind.PLAIN, False)])
    with Gathered([url]) as gathered:
        assert [(one.name, one.path) for one in gathered.sources] == [("https://192.0.2.1/flows.jsonl", url)]
    with Gathered([f"https://192.0.2.1/get?file={one}" for one in "abc"]) as gathered:
        assert sorted(one.name for one in gathered.sources) == [
            "https://192.0.2.1/get",
            "https://192.0.2.1/get#2",
            "https://192.0.2.1/get#3",
        ]
    problem = RemoteError("unreadable", f"the store cannot be reached ({url})").problem(url)
    assert problem.path == "https://192.0.2.1/flows.jsonl"
    assert problem.message == "the store cannot be reached (https://192.0.2.1/flows.jsonl)"


def test_a_socket_is_unreadable_and_no_fault(tmp_path, monkeypatch):
    """What is no file, folder or pipe cannot be opened: an internal error before."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("here")
        with Gathered(["here"]) as gathered:
            assert _codes(gathered) == [("here", "unreadable")]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such devices here")
def test_a_device_that_never_ends_is_not_read():
    """It was copied until the disk was full; the empty one is a file without content, as scripts name it."""
    with Gathered(["/dev/zero", "/dev/null"]) as gathered:
        assert [source.name for source in gathered.sources] == ["/dev/null"]
        (problem,) = gathered.problems
    assert (problem.path, problem.code) == ("/dev/zero", "unreadable")
    assert "device" in problem.message


def test_what_only_root_may_read_of_a_volume_is_not_missing(tmp_path, monkeypatch):
    """An export on a volume of its own, read by a user who is not root: all of it is read."""
    for name in ("lost+found", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "flows.jsonl").write_text("{}\n")
    scandir = os.scandir

    def scan(path):
        if Path(path).name in ("lost+found", "other"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with Gathered([str(tmp_path)]) as gathered:
        assert [one.name for one in gathered.sources] == [str(tmp_path / "flows.jsonl")]
        assert [one.path for one in gathered.problems] == [str(tmp_path / "other")]
