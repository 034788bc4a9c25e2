"""Which inputs are cut into parts, where, and what a part tells its reader."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from flowdiag.ingest import Gathered, ReadOptions
from flowdiag.ingest.detection import Detection, InputKind
from flowdiag.ingest.parts import Part, lines_in, parts_of
from flowdiag.parserkit import ParseContext

LINE = b"Apr 21 09:10:00.000: shop/web-1:40001 <> shop/api-1:80 Policy denied DROPPED (UDP)\n"
SIZE = len(LINE)


def cut(folder, data, part_bytes, *, parser="hubble-compact", loose=False, **known):
    """(start, end, first line, lines) of each part."""
    path = folder / "log"
    path.write_bytes(data)
    with Gathered([str(path)]) as gathered:
        one = Detection(source=gathered.sources[0], kind=InputKind.EVIDENCE, parser=parser, **known)
        found = list(parts_of(one, ReadOptions(year=2026), part_bytes, loose=loose))
        assert sum(part.size for part in found) == found[-1].size + (found[-1].start - found[0].start)
        return [(part.start, part.end, part.first_line, lines_in(part)) for part in found]


def test_parts_follow_each_other_by_whole_lines(tmp_path):
    """The last one is open and may be half as large again as the others, or smaller."""
    two = SIZE * 2
    assert cut(tmp_path, LINE * 5, two - 10) == [(0, two, 1, 2), (two, two * 2, 3, 2), (two * 2, None, 5, 1)]
    assert cut(tmp_path, LINE * 3, two) == [(0, None, 1, 3)]
    assert cut(tmp_path, LINE * 3 + b"\n", two) == [(0, two, 1, 2), (two, None, 3, 2)]


def test_an_end_that_falls_on_a_line_s_beginning_stays_there(tmp_path):
    """Who ends behind a newline takes nothing of the next line."""
    assert cut(tmp_path, LINE * 4, SIZE * 2) == [(0, SIZE * 2, 1, 2), (SIZE * 2, None, 3, 2)]


def test_a_byte_order_mark_belongs_to_no_part(tmp_path):
    """The first begins behind it, loose or not."""
    data = b"\xef\xbb\xbf" + LINE * 4
    assert cut(tmp_path, data, SIZE * 2)[0][:2] == (3, SIZE * 2 + 3)
    assert cut(tmp_path, data, SIZE * 2, loose=True)[0][:2] == (3, SIZE * 2 + 3)


@pytest.mark.parametrize(
    ("data", "more"),
    [
        (LINE.replace(b"\n", b"\r") * 40, {}),
        ("".join(["x" * 40, "\n"] * 40).encode("utf-16"), {}),
        (LINE * 40, {"among": ("hubble-compact", "weave-npc")}),
        (LINE * 40, {"stack": ("cri",)}),
        (LINE * 40, {"parser": "calico-flowlog-document"}),
        (LINE * 40, {"parser": "nflog"}),
    ],
    ids=["carriage returns", "UTF-16", "several", "joined", "a document", "sequential"],
)
@pytest.mark.parametrize("loose", [False, True])
def test_what_is_read_as_a_whole_is_one_part(tmp_path, data, more, loose):
    """Its lines cannot be told from a place in the middle."""
    ((start, end, first, _),) = cut(tmp_path, data, SIZE, loose=loose, **more)

    assert (start, end, first) == (0, None, 1)


def test_a_part_tells_all_that_is_known_of_its_input(tmp_path):
    """Whoever reads it, elsewhere, has nothing else."""
    (tmp_path / "log").write_bytes(LINE)
    known = {
        "zone": timezone(timedelta(hours=2)),
        "year": 2024,
        "reference_time": 1_700_000_000_000_000_000,
        "node": "worker-1",
        "namespace": "shop",
        "pod": "web-1",
        "container": "agent",
        "keep_raw": True,
        "endpoint_ids": {61: "shop/web-1"},
    }
    with Gathered([str(tmp_path / "log")]) as gathered:
        (source,) = gathered.sources
        part = Part(source=source, parser="hubble-compact", stack=(), **known)

    assert part.context() == ParseContext(input=source.name, **known)
    assert part.context().memory is not part.context().memory
