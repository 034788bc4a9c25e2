"""Every fixture against every parser's sniff: the right one wins clearly."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from flowdiag.ingest import Gathered, ReadOptions, recognise
from flowdiag.ingest.deeper import CERTAIN
from flowdiag.ingest.detect import detect
from flowdiag.ingest.heads import rivals_of, sniffed
from flowdiag.ingest.plugins import parsers
from flowdiag.parserkit import registry

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
KNOWN = registry.available("flowdiag.parsers")
CASES = sorted(path for path in FIXTURES.glob("*/*/input.*") if path.parent.parent.name in KNOWN)
MARGIN = 0.2


def _forced(path: Path) -> bool:
    """A format without a mark of its own (bare CSV) says in about.toml that it must be named."""
    about = path.parent / "about.toml"
    return about.exists() and bool(tomllib.loads(about.read_text()).get("forced"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.parent.name}")
def test_right_parser_wins_clearly(path: Path) -> None:
    """The next parser is at least 0.2 less sure, behind the same or any other wrapper."""
    if _forced(path):
        pytest.skip("this format has no mark of its own; it is read with --format")
    wanted = path.parent.parent.name
    with Gathered([str(path)]) as gathered:
        source = gathered.sources[0]
        detection = detect(source, recognise(gathered.sources)[source.name], parsers()[0], ReadOptions())

    assert detection.parser == wanted, detection.scores
    own = next(score for score in detection.scores if score.parser == wanted)
    others = [score.score for score in rivals_of(own, detection.scores)]
    assert own.score - max(others, default=0.0) >= MARGIN, detection.scores


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.parent.name}")
def test_no_two_parsers_are_certain_of_one_line(path: Path) -> None:
    """Where programs share a file each line has one reader: the first that is certain of it."""
    lines = {line for line in path.read_bytes().splitlines(keepends=True) if line.strip()}
    for line in sorted(lines, key=len)[-12:]:
        certain = [parser.name for parser in parsers()[0] if sniffed(parser, line) >= CERTAIN]
        assert len(certain) < 2, (certain, line)


def test_fixtures_belong_to_parsers() -> None:
    """A folder of fixtures is named after a registered parser; else nobody reads it."""
    assert [folder.name for folder in sorted(FIXTURES.glob("*")) if folder.name not in KNOWN] == []
