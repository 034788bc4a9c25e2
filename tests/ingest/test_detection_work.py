"""What detecting does not do twice: wrappers taken off, marks looked for, documents unpacked."""

import json
from collections import Counter

import pytest

from flowdiag.ingest import Gathered, InputKind, ReadOptions, deeper, heads, recognise
from flowdiag.ingest.detect import detect
from flowdiag.ingest.envelopes import LAYERS, next_layer
from flowdiag.ingest.envelopes.elasticsearch import ElasticResponse
from flowdiag.ingest.plugins import parsers

ACL = (
    '2026-01-05T16:28:54.139Z|00004|acl_log(ovn_pinctrl0)|INFO|name="NP:shop:Ingress", verdict=drop, severity=alert, '
    "direction=to-lport: tcp,vlan_tci=0x0000,nw_src=10.131.0.39,nw_dst=10.129.2.35,nw_ttl=62,tp_src=58496,tp_dst=8080,"
    "tcp_flags=syn"
)


def look(path):
    with Gathered([str(path)]) as gathered:
        source = gathered.sources[0]
        return detect(source, recognise(gathered.sources)[source.name], parsers()[0], ReadOptions())


def test_a_log_that_nobody_knows_is_looked_at_for_wrappers_once(tmp_path, monkeypatch):
    """Also where its end is looked at for records behind the head."""
    asked = []

    def counted(head):
        asked.append(head)
        return next_layer(head)

    monkeypatch.setattr(heads, "next_layer", counted)
    path = tmp_path / "app.log"
    path.write_text(
        "".join(f"2026-01-05T10:00:00Z stdout F handled request {n} in 3 ms\n" for n in range(4000))
    )

    assert look(path).kind is InputKind.UNKNOWN
    # As it is, and without CRI's header.
    assert len(asked) == 2


def test_a_document_is_unpacked_once(tmp_path, monkeypatch):
    """Though its head, the wrapper inside and its other formats are asked for."""
    unpacked = []
    elements = ElasticResponse.elements

    def counted(self, document):
        unpacked.append(len(document))
        return elements(self, document)

    monkeypatch.setattr(ElasticResponse, "elements", counted)
    hits = [
        {"_index": "logs", "_id": str(n), "_source": {"@timestamp": "2026-01-05T16:28:54Z", "message": ACL}}
        for n in range(1000)
    ]
    path = tmp_path / "search.json"
    path.write_text(json.dumps({"took": 1, "hits": {"hits": hits}}))
    found = look(path)

    assert (found.parser, found.stack) == ("ovn-acl", ("elasticsearch", "viaq"))
    assert unpacked == [path.stat().st_size]


@pytest.mark.parametrize("quote", ["", '"'])
def test_marks_are_looked_for_once_a_window_and_quoted_ones_where_there_are_quotes(
    tmp_path, monkeypatch, quote
):
    """A log of text has no key of JSON in it, and several parsers have the same words."""
    asked: Counter[tuple[int, bytes]] = Counter()
    holds = deeper.holds

    def counted(window, mark):
        asked[id(window), mark] += 1
        return holds(window, mark)

    monkeypatch.setattr(deeper, "holds", counted)
    windows = []
    asked_of = deeper._asked

    def kept(known, window):
        windows.append(window)  # so that no two windows are told by one id
        return asked_of(known, window)

    monkeypatch.setattr(deeper, "_asked", kept)
    path = tmp_path / "app.log"
    path.write_text("".join(f"handled {quote}request{quote} {n} in 3 ms\n" for n in range(8000)))

    assert look(path).kind is InputKind.UNKNOWN
    assert asked
    assert set(asked.values()) == {1}
    assert any(b'"' in mark for _, mark in asked) == bool(quote)


@pytest.mark.parametrize(
    ("wrapped", "expected"), [(0, None), (90, None), (110, "cri"), (200, "cri")], ids=str
)
def test_more_than_half_of_the_first_lines_tell_a_wrapper(wrapped, expected):
    """Whether few of them are looked at first or not; wherever they stand."""
    lines = [b"2026-01-05T10:00:00Z stdout F handled request"] * wrapped + [b"handled"] * (200 - wrapped)

    assert next_layer(b"\n".join(lines) + b"\n") == expected
    assert next_layer(b"\n".join(lines[::-1]) + b"\n") == expected
    turns = sorted(range(200), key=lambda n: n * 7919 % 200)
    assert next_layer(b"\n".join(lines[n] for n in turns) + b"\n") == expected


def test_a_layer_that_is_told_by_single_lines_says_so():
    """Of the others the beginning tells, of which a few lines are no sample."""
    beginning = {name for name, layer in LAYERS.items() if not layer.by_line}

    assert {"json-array", "journal-export", "journal-verbose", "csv-table", "json-pretty"} <= beginning
    assert {"cri", "docker-json", "syslog-rfc5424", "json-message"}.isdisjoint(beginning)
