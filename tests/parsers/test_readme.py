"""``parsers/README.md`` names every registered parser, and its samples are what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowdiag.parserkit import Block, ParseContext, ParseWarning, registry

README = (Path(__file__).resolve().parents[2] / "parsers" / "README.md").read_text()
NAMES = sorted(
    name
    for name, point in registry.available("flowdiag.parsers").items()
    if point.dist is not None and point.dist.name == "flowdiag"
)
SAMPLES = dict(re.findall(r"^### (\S+)\n\n```\n(.*?)```$", README, re.MULTILINE | re.DOTALL))


def test_table_has_every_parser_once():
    """A parser that is not in the table is not documented; the table names none that is not there."""
    assert re.findall(r"^\| \[(\S+)\]\(#\1\) \|", README, re.MULTILINE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_sample_is_read_by_its_parser(name):
    """The sample is claimed by its parser, and gives an event and no warning."""
    parser = registry.load("flowdiag.parsers", name).plugin
    data = SAMPLES[name].encode()
    events = list(parser.parse(Block(data=data, last=True), ParseContext(input="README", year=2026)))

    assert parser.sniff(data) > 0.6
    assert events
    assert [event for event in events if isinstance(event, ParseWarning)] == []
