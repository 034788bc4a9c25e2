"""What parsers yield for the fixtures, event by event.

A case is ``fixtures/parsers/<parser>/<case>/`` with one ``input.*``, ``about.toml`` (origin and shows; year,
reference_time, node and the like under ``[context]``) and ``expected.jsonl``: an event a line, keys sorted,
absent values left out.  ``pytest tests/parsers/test_goldens.py --update-goldens`` writes the last.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flowdiag.ingest import Gathered, InputProblem, ReadOptions, recognise
from flowdiag.ingest.blocks import blocks
from flowdiag.ingest.detect import detect
from flowdiag.ingest.parts import parts_of
from flowdiag.ingest.plugins import parser_named, parsers
from flowdiag.parserkit import parse_rfc3339, registry

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
KNOWN = registry.available("flowdiag.parsers")
CASES = sorted(path.parent for path in FIXTURES.glob("*/*/about.toml") if path.parents[1].name in KNOWN)


def _events(case: Path, about: dict[str, Any]) -> list[str]:
    inputs = sorted(case.glob("input.*"))
    assert len(inputs) == 1, f"one input.* in {case}"
    known = about.get("context", {})
    options = ReadOptions(format=case.parent.name, year=known.get("year"))
    problems: list[InputProblem] = []
    lines = []
    with Gathered([str(inputs[0])]) as gathered:
        source = gathered.sources[0]
        found = detect(source, recognise(gathered.sources)[source.name], parsers()[0], options)
        for part in parts_of(found, options):
            parser = parser_named(part.parser)
            context = part.context()
            for name in ("node", "namespace", "pod", "container"):
                setattr(context, name, known.get(name))
            context.endpoint_ids = {int(key): pod for key, pod in known.get("endpoint_ids", {}).items()}
            if "reference_time" in known:
                context.reference_time = parse_rfc3339(str(known["reference_time"]))
            for block in blocks(part, parser, context, problems):
                for event in parser.parse(block, context):
                    fields = {"type": type(event).__name__} | _present(msgspec.to_builtins(event))
                    lines.append(json.dumps(fields, sort_keys=True, ensure_ascii=False))
    return lines


def _present(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _present(item) for key, item in value.items() if item not in (None, [], {}, ())}
    if isinstance(value, list | tuple):
        return [_present(item) for item in value]
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_events_are_as_written_down(case: Path, update_goldens: bool) -> None:
    """The parser says of each record what the golden says, in order."""
    about = tomllib.loads((case / "about.toml").read_text())
    for key in ("origin", "shows"):
        assert about.get(key), f"about.toml says {key}"
    lines = _events(case, about)
    golden = case / "expected.jsonl"
    if update_goldens:
        golden.write_text("".join(line + "\n" for line in lines))

    assert golden.exists(), "no golden yet: look the events over, then run with --update-goldens"
    assert golden.read_text().splitlines() == lines
