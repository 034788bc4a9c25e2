"""Wrappers in JSON are what somebody's collector wrote: any value may stand anywhere, and none may end a run."""

from __future__ import annotations

import random

import pytest

from flowdiag.ingest.envelopes import Peeler
from flowdiag.parserkit import ParseContext
from flowdiag.parserkit.damage import misshapen
from tests.ingest.test_envelope_round_trip import WRAPPERS
from tests.ingest.test_envelopes import stack_of


def spoilt(data: bytes, seed: int) -> list[bytes]:
    """The data with values of other kinds; nothing where it is no JSON."""
    return list(misshapen(data, random.Random(seed)))  # noqa: S311 - the same values in every run


LINES = ["level=info msg=first", "level=info msg=second", "level=info msg=third"]
FOUND = {name: (wrap(LINES).encode(), stack_of(wrap(LINES).encode())) for name, wrap in WRAPPERS.items()}
IN_JSON = sorted(name for name, (data, stack) in FOUND.items() if stack and spoilt(data, 0))
INT64 = 1 << 63


def test_there_are_such_wrappers():
    """Most collectors write JSON."""
    assert len(IN_JSON) > 10


@pytest.mark.parametrize("name", IN_JSON)
def test_value_of_another_kind_costs_its_row_at_most(name):
    """Rows that come have a time of 64 bits or none; a whole line behind them comes still."""
    data, stack = FOUND[name]

    for seed in range(6):
        for one in spoilt(data, seed):
            peeler = Peeler(stack, ParseContext(input="t", year=2026))
            rows = list(peeler.peel(one, 1))
            for rest in peeler.flush():
                rows += rest
            assert all(row.at is None or -INT64 <= row.at < INT64 for row in rows)
            assert all(isinstance(row.data, bytes) for row in rows)
