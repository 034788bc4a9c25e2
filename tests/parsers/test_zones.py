"""Times in a zone with a name: ``--tz Europe/Vienna`` gives dateutil's objects, which cannot be hashed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from dateutil import tz

from flowdiag.analysis import EvidenceOptions, analyze
from flowdiag.model.errors import InputError
from flowdiag.model.time import from_datetime
from flowdiag.parserkit import ParseContext

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
VIENNA = tz.gettz("Europe/Vienna")


@pytest.mark.parametrize("parser", sorted(path.name for path in FIXTURES.iterdir() if path.is_dir()))
def test_every_parser_reads_by_a_zone_with_a_name(parser):
    """None of them gives up: k3s' packet lines were lost whole."""
    inputs = [str(path) for path in sorted(FIXTURES.glob(f"{parser}/*/input.*"))]
    try:
        report = analyze(inputs, evidence=EvidenceOptions(zone=VIENNA, year=2026))
    except InputError:
        return

    assert [warning.message for warning in report.warnings if "raised" in warning.message] == []


def test_the_hour_that_summer_time_begins_with():
    """A stamp of k3s' log on either side of it, an hour apart by the clock on the wall and a second in truth."""
    from flowdiag_parsers.nflog.packet_line import read_packet_line

    context = ParseContext(input="ulog", year=2026, zone=VIENNA)
    packet = "IN=cni0 OUT=cni0  SRC=10.42.0.9 DST=10.42.0.10 LEN=60 PROTO=TCP SPT=35218 DPT=80 SYN"
    before, after = (
        read_packet_line(f"Mar 29 {clock} node-a DROP by policy shop/web {packet}", context).at
        for clock in ("01:59:59", "03:00:00")
    )

    assert before == from_datetime(datetime(2026, 3, 29, 1, 59, 59, tzinfo=VIENNA))
    assert after - before == 1_000_000_000
