"""Every registered parser keeps the promises of the protocol, on its own fixtures and on everybody's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flowdiag.parserkit import Block, Event, LogEvent, ParseContext, registry
from flowdiag.parserkit.testing import assert_parser_contract
from flowdiag.tally import Tally

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
NAMES = sorted(registry.available("flowdiag.parsers"))


def _samples(name: str) -> list[bytes]:
    """Its own fixtures, and the first of each other parser's."""
    found = []
    for folder in sorted(FIXTURES.glob("*")):
        cases = sorted(folder.glob("*/input.*"))
        if folder.name != name:
            cases = cases[:1]
        found += [path.read_bytes()[:50_000] for path in cases if path.suffix not in (".gz", ".zst")]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_parser_keeps_its_promises(name: str) -> None:
    """It never raises, stays inside its block, and claims nothing that is nobody's."""
    parser = registry.load("flowdiag.parsers", name).plugin

    assert parser.name == name
    assert_parser_contract(parser, _samples(name), Tally)


class _Good:
    name: ClassVar[str] = "good"
    summary: ClassVar[str] = "one word a line"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        return 0.9 if head.startswith(b"good ") else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        for index, line in enumerate(block.data.splitlines()[: block.data.count(b"\n")]):
            if line.startswith(b"good "):
                yield LogEvent(line=block.of_line(index).line, message="good")


class _Raises(_Good):
    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        yield LogEvent(line=block.of_line(0).line, message=block.data.decode("ascii"))


class _Greedy(_Good):
    def sniff(self, head: bytes) -> float:
        return 0.8 if head.startswith(b"{") else 0.0


class _Outside(_Good):
    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        if block.data:
            yield LogEvent(line=1, message="whatever the block's place")


class _Timeless(_Good):
    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        yield LogEvent(line=block.first_line, at=5, message="a time from nowhere")


@pytest.mark.parametrize(
    ("parser", "promise"),
    [
        (_Raises(), "parse raises"),
        (_Greedy(), "claims what is nobody's"),
        (_Outside(), "outside the block"),
        (_Timeless(), "time_source"),
    ],
)
def test_a_broken_promise_is_named(parser: Any, promise: str) -> None:
    """The contract finds each kind of misbehaviour and says which it is."""
    with pytest.raises(AssertionError, match=promise):
        assert_parser_contract(parser, [b"good one\n"])


def test_a_small_parser_passes() -> None:
    """The contract asks nothing beyond the protocol."""
    assert_parser_contract(_Good(), [b"good one\ngood two\n"])
