"""Worker processes share an input out: lines keep their numbers, and a worker's death costs no record."""

from __future__ import annotations

from pathlib import Path

from flowdiag.ingest import Gathered, ReadOptions, execute
from flowdiag.ingest.execute import run

LINE = (
    '{"flow":{"time":"2026-04-01T10:00:%02d.000000000Z","verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED",'
    '"IP":{"source":"10.1.0.%d","destination":"10.2.0.1"},"l4":{"TCP":{"destination_port":%d}},'
    '"source":{"namespace":"shop","pod_name":"web-%d"},"destination":{"namespace":"shop","pod_name":"db"},'
    '"node_name":"n1","event_type":{"type":1},"traffic_direction":"EGRESS"},"node_name":"n1"}\n'
)


def export(path: Path) -> Path:
    """Refusals, each with lines that can be read by nobody between."""
    lines = [LINE % (n % 60, n % 200, 1000 + n % 50, n % 200) for n in range(1500)]
    lines[700] = "no JSON\n"
    lines[1400] = "\n"
    path.write_text("".join(lines))
    return path


def said(path: Path, processes: int) -> tuple:
    """What flows, their examples' lines and warnings say."""
    with Gathered([str(path)]) as gathered:
        outcome = run(gathered, ReadOptions(processes=processes), part_bytes=40_000)
    tally = outcome.tally
    return (
        tally.flows(),
        [(one.event.line, one.event.code) for one in tally.warnings],
        tally.inputs,
        outcome.problems,
    )


def test_lines_of_shared_parts_keep_their_numbers(tmp_path):
    """Nobody counts ahead of the workers, and yet examples and warnings stand where they stood."""
    path = export(tmp_path / "flows.jsonl")

    alone = said(path, 1)

    assert alone == said(path, 2) == said(path, 3)
    assert alone[1] == [(701, "malformed-json")]
    assert max(example.line for flow in alone[0] for example in flow.examples) > 500


def test_where_a_worker_died_all_is_read_again_part_by_part(tmp_path, monkeypatch):
    """A share that is lost takes nothing with it."""
    path = export(tmp_path / "flows.jsonl")
    alone = said(path, 1)

    monkeypatch.setattr(execute, "fold_shares", lambda *_: None)

    assert said(path, 2) == alone
