"""The parser keeps flowdiag's promises, and says what the lines say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flowdiag.parserkit import Block, FlowEvent, GapEvent, ParseContext, ParseWarning
from flowdiag.parserkit.testing import assert_parser_contract

from flowdiag_tollgate.parser import Tollgate

FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "ordinary"


def test_contract() -> None:
    """It never raises, stays inside its block, and claims nothing that is nobody's: also on damaged input."""
    assert_parser_contract(Tollgate(), [FIXTURE.joinpath("input.log").read_bytes()])


def test_events() -> None:
    """Each line gives the event that is written down for it."""
    block = Block(data=FIXTURE.joinpath("input.log").read_bytes(), last=True)
    expected = [json.loads(line) for line in FIXTURE.joinpath("expected.jsonl").read_text().splitlines()]

    assert expected == [_shown(event) for event in Tollgate().parse(block, ParseContext(input="input.log"))]


def _shown(event: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"type": type(event).__name__, "line": event.line}
    if isinstance(event, FlowEvent):
        name = f"{event.dst.namespace}/{event.dst.pod}" if event.dst.pod else event.dst.ip
        said |= {"verdict": event.verdict, "reason": event.reason, "dst": f"{name}:{event.dst.port}"}
    elif isinstance(event, GapEvent):
        said["lost"] = event.lost
    elif isinstance(event, ParseWarning):
        said["code"] = event.code
    return said
