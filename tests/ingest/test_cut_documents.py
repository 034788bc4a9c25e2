"""Answers of JSON that were cut off, and several behind one another: every whole record is read, and the rest is told."""

from __future__ import annotations

import gzip
import json

import pytest

from flowdiag.analysis import EvidenceOptions, analyze
from flowdiag.ingest.envelopes import Peeler, Row
from flowdiag.ingest.envelopes.cut_documents import CUT, Piece, pieces
from flowdiag.parserkit import ParseContext
from tests.ingest.test_envelope_round_trip import WRAPPERS
from tests.ingest.test_envelopes import stack_of

LINES = [f"WARN: 2026/01/05 10:00:0{n}.963438 TCP connection from 10.32.0.{n}:1 to 10.32.0.9:8080 blocked by Weave NPC." for n in range(9)]  # fmt: skip
ANSWERS = (
    "loki",
    "loki-streams",
    "elasticsearch",
    "cloudwatch",
    "splunk-api",
    "splunk-rows",
    "datadog",
    "kinesis",
)


def rows_of(data: bytes, stack: tuple[str, ...]) -> list[Row]:
    peeler = Peeler(stack, ParseContext(input="t", year=2026))
    rows = list(peeler.peel(data, 1))
    for rest in peeler.flush():
        rows += rest
    return rows


@pytest.mark.parametrize("share", [0.3, 0.5, 0.77, 0.9])
@pytest.mark.parametrize("answer", [name for name in ANSWERS if name != "kinesis"])
def test_whole_records_of_an_answer_that_was_cut_off(answer, share):
    """As they are in the whole answer, and then what is left."""
    data = WRAPPERS[answer](LINES).encode()
    cut = data[: int(len(data) * share)]
    stack = stack_of(data)
    whole, found = rows_of(data, stack), rows_of(cut, stack)

    *read, cut_off = found
    assert read == whole[: len(read)]
    assert len(read) >= cut.count(b"Weave NPC.") - 1
    assert (cut_off.data, cut_off.line) == (CUT, len(read) + 1)
    assert stack_of(cut)[:1] == stack[:1]


@pytest.mark.parametrize("between", [b"", b"\n"])
@pytest.mark.parametrize("answer", sorted(set(ANSWERS) - {"loki-streams"}))
def test_answers_behind_one_another(answer, between):
    """As pages of a query are appended to a file; records are counted through."""
    data = WRAPPERS[answer](LINES).encode()
    found = rows_of(between.join([data] * 3), stack_of(data))

    assert [row.data.decode() for row in found] == LINES * 3
    assert [row.line for row in found] == sorted({row.line for row in found})


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("indent", [None, 2])
def test_what_was_cut_off_is_said_with_its_place(tmp_path, pack, indent):
    """Also where a border between two records is the last that there is, and where the file is packed."""
    data = json.dumps(json.loads(WRAPPERS["elasticsearch"](LINES)), indent=indent).encode()
    border = data.index(b'"_id": "6"')
    border = data.rindex(b"{", 0, border)
    path = tmp_path / "answer.json"
    for cut, read in ((border, 6), (border + 90 + 9 * (indent or 0), 6)):
        path.write_bytes(pack(data[:cut]))
        report = analyze([str(path)], evidence=EvidenceOptions())
        assert (report.totals.denied, report.complete) == (read, False)
        assert [(one.input, one.line) for one in report.warnings] == [(str(path), read + 1)]


def test_a_packed_answer_of_one_line_that_was_cut_off_is_read(tmp_path):
    """All that stands before the damage, though no line ends there."""
    path = tmp_path / "answer.json.gz"
    members = b"".join(gzip.compress(part.encode()) for part in (WRAPPERS["loki"](LINES)[:700], " " * 99))
    path.write_bytes(members[:-9])
    report = analyze([str(path)], evidence=EvidenceOptions())

    assert report.totals.denied == WRAPPERS["loki"](LINES)[:700].count("NPC.")
    assert not report.complete


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":[1,2]}', [(b'{"a":[1,2]}',)]),
        (b'{"a":1} {"b":"}{"}', [(b'{"a":1}',), (b' {"b":"}{"}',)]),
        (b'[{"a":1}]\n[{"a":2}]', [(b'[{"a":1}]',), (b'\n[{"a":2}]',)]),
        (b'[{"a":1}][{"a":2', [(b'[{"a":1}]',), (b"", b'[{"a":2')]),
        (b'{"x":{"hits":[{"a":[{}]},{"b', [(b'{"x":{"hits":[{"a":[{}]}]}}', ...)]),
        (b'{"hits":[{"hits":[{"a":1},{"b":2}]', [(b"", ...)]),
        (b'{"hits":[{"a":"]"}, ', [(b'{"hits":[{"a":"]"}]}', b'{"hits":[{"a":"]"},')]),
        (b'{"hits":[{"a":1}],"more":[{"b":1},{', [(b'{"hits":[{"a":1}]}', ...)]),
        (b'{"hits":["a","b\\', [(b"", ...)]),
        (b"}", [(b"", ...)]),
        (b"[" * 10_000, [(b"", ...)]),
        (b" ", []),
    ],
)
def test_pieces(data, expected):
    """Documents, and one that is closed behind the last whole element of its outermost list of records."""
    wanted = [Piece(one[0], data if one[1:] == (...,) else b"".join(one[1:])) for one in expected]

    assert list(pieces(data, {b"hits"})) == wanted


@pytest.mark.parametrize(
    "said", ["", 'Defaulted container "a" out of: a, b', "Your active configuration is: [shop]"]
)
@pytest.mark.parametrize("answer", [*ANSWERS, "grafana-json", "kibana-csv", "otlp", "azure-resource-logs"])
def test_words_of_a_command_before_an_answer_and_after_it(tmp_path, answer, said):
    """Where standard error goes into the file, too."""
    path = tmp_path / "answer.json"
    path.write_text(f"{said}\n{WRAPPERS[answer](LINES)}\ncommand terminated with exit code 137\n")

    assert analyze([str(path)], evidence=EvidenceOptions()).totals.denied == len(LINES)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("answer", ["grafana-json", "azure", "pubsub-pull", "azure-resource-logs"])
def test_arrays_and_messages_appended_to_a_file(tmp_path, answer, indent):
    """Each array is read; of the last, that was cut off, the whole elements are."""
    data = json.dumps(
        json.loads(WRAPPERS[answer](LINES)), indent=indent if answer != "azure-resource-logs" else None
    )
    path = tmp_path / "answers.json"
    path.write_text(f"{data}\n{data}\n{data[: len(data) // 2]}")
    report = analyze([str(path)], evidence=EvidenceOptions())

    assert 2 * len(LINES) + 3 <= report.totals.records <= 2 * len(LINES) + 5
    assert not report.complete
