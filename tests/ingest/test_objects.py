"""Objects behind a scheme hold what files hold, and the same is found in them."""

import json

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile

from flowdiag.analysis import analyze
from tests.ingest.test_among import bare, lines_of

FLOWS = lines_of("hubble-json")
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"}}
EVENT = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "web-1.17", "namespace": "shop"},
    "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
    "reason": "Unhealthy",
    "message": "Readiness probe failed: context deadline exceeded",
    "type": "Warning",
    "lastTimestamp": "2026-01-05T10:00:30Z",
}
FILLED = bare(lines_of("weave-npc") * (150_000 // len(bare(lines_of("weave-npc")))))
OBJECTS = {
    "two formats": {"all.log": FILLED + bare(FLOWS)},
    "two formats in a rotation": {"node-1.log": FILLED, "node-2.log": FILLED + bare(FLOWS)},
    "Events among objects": {
        "dump.json": json.dumps({"apiVersion": "v1", "kind": "List", "items": [POD, EVENT]}),
        "flows.jsonl": bare(FLOWS),
    },
    "records among objects": {
        "all.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-1\n" * 2000 + bare(FLOWS)
    },
    "records behind a long beginning": {"host.log": "of no interest\n" * 9000 + FILLED},
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_is_looked_into_as_a_file_is(tmp_path, name):
    store = fsspec.filesystem("memory")
    place = f"/{tmp_path.name}"
    for file, text in OBJECTS[name].items():
        (tmp_path / file).write_text(text)
        store.pipe(f"{place}/{file}", text.encode())
    try:
        there = analyze([f"memory:/{place}"])
    finally:
        store.rm(place, recursive=True)
    here = analyze([str(tmp_path)])

    assert here.totals.records > 0
    assert there.totals == here.totals
    assert [(one.path.rpartition("/")[2], one.parser, one.records) for one in there.inputs] == [
        (one.path.rpartition("/")[2], one.parser, one.records) for one in here.inputs
    ]
    assert {one.code for one in there.problems} == {one.code for one in here.problems}


class ClientPayloadError(Exception):
    """As aiohttp's, which s3fs and gcsfs pass on: it is no OSError."""


@pytest.mark.parametrize("read", [0, 1 << 19])
def test_a_connection_that_breaks_costs_what_was_not_read(tmp_path, monkeypatch, read):
    """The other objects, and what came before, are read; it ended the command as an error of its own."""
    store = fsspec.filesystem("memory")
    place = f"/{tmp_path.name}"
    store.pipe(f"{place}/broken.log", bare(FLOWS).encode() * (1_000_000 // len(bare(FLOWS))))
    store.pipe(f"{place}/whole.log", bare(FLOWS).encode())
    whole = MemoryFile.read

    def breaking(file, size=-1):
        if file.path.endswith("broken.log") and file.tell() >= read:
            raise ClientPayloadError("Response payload is not completed")
        return whole(file, size)

    monkeypatch.setattr(MemoryFile, "read", breaking)
    try:
        report = analyze([f"memory:/{place}"])
    finally:
        store.rm(place, recursive=True)

    assert not report.complete
    assert report.totals.records > len(FLOWS) if read else report.totals.records == len(FLOWS)
    assert [
        one.input.rpartition("/")[2]
        for one in report.warnings
        if one.input and "the connection to the store broke (Response payload" in one.message
    ] == ["broken.log"]
