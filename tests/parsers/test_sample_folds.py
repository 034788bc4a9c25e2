"""Folding is reading, on every parser's goldens and on real samples: whole, cut, joined, of CR LF and of damaged bytes."""

import random
from pathlib import Path

import pytest

from flowdiag.parserkit import Block, ParseContext, registry
from flowdiag.tally import Tally

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT.parent / "shared" / "samples"
MOST_BYTES = 40_000
PARSERS = [
    one
    for one in (
        registry.load("flowdiag.parsers", name).plugin for name in registry.available("flowdiag.parsers")
    )
    if hasattr(one, "fold") and not one.document
]


def sources(parser):
    """Its goldens, and the real samples that it claims."""
    found = [
        path.read_bytes() for path in sorted((ROOT / "fixtures/parsers" / parser.name).glob("*/input.*"))
    ]
    if SAMPLES.is_dir():
        heads = (
            (path, path.read_bytes()[:MOST_BYTES]) for path in sorted(SAMPLES.rglob("*")) if path.is_file()
        )
        found += [data for _, data in heads if parser.sniff(data) >= 0.5]
    return [data for data in found if not data.startswith((b"\x1f\x8b", b"\x28\xb5"))]


def variants(lines, dice):
    """The lines twice over, so that the second time they are known; then damaged in every way."""
    twice = [*lines, *lines]
    yield b"\n".join(twice) + b"\n"
    yield b"\r\n".join(twice)
    for _ in range(6):
        some = twice.copy()
        for _ in range(1 + len(some) // 8):
            at = dice.randrange(len(some))
            line = some[at]
            some[at] = dice.choice(
                [
                    line[: dice.randrange(len(line) + 1)],
                    line[dice.randrange(len(line) + 1) :],
                    line + dice.choice(some),
                    line.replace(b" ", b"\xff", 1),
                    line.replace(b"=", "ä".encode(), 1),
                    b"\xc3" + line,
                    line + b"\r",
                    b"a foreign line",
                ]
            )
        yield b"\n".join(some) + dice.choice([b"", b"\n"])


def tallied(parser, data, at, *, folded):
    """All that a tally says of `data` in two blocks, the second of which begins behind `at`."""
    tally, context = Tally(), ParseContext(input="in", year=2026, keep_raw=True)
    cut = data.find(b"\n", at) + 1
    parts = [(data[:cut], 1), (data[cut:], 1 + data.count(b"\n", 0, cut))] if cut else [(data, 1)]
    for number, (part, first) in enumerate(parts, 1):
        block = Block(data=part, first_line=first, last=number == len(parts))
        if folded:
            tally.take(parser, block, context)
        else:
            for event in parser.parse(block, context):
                tally.add(event, parser.name, "in")
    return (
        tally.flows(),
        tally.inputs,
        tally.dns,
        tally.logs,
        tally.gaps,
        tally.changes,
        tally.warnings,
        tally.warning_counts,
    )


@pytest.mark.parametrize("parser", PARSERS, ids=lambda one: one.name)
def test_folding_a_sample_is_reading_it(parser):
    """The same flows, counts, examples, gaps and warnings."""
    found = sources(parser)
    assert found
    for number, data in enumerate(found):
        dice = random.Random(number)  # noqa: S311 - test data
        lines = data[:MOST_BYTES].split(b"\n")[:60]
        for text in variants(lines, dice):
            at = dice.randrange(len(text))
            assert tallied(parser, text, at, folded=True) == tallied(parser, text, at, folded=False), text[
                :400
            ]
