"""What people read, whole, for the sample reports; ``pytest --update-goldens`` writes it again."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from tests.report.sample_reports import SAMPLES

GOLDENS = Path(__file__).parent / "goldens"

CASES = {
    "txt": ("terminal", Options(width=80, timezone=UTC)),
    "wide.txt": (
        "terminal",
        Options(width=120, ascii=True, verbose=True, all=True, timezone=ZoneInfo("Europe/Berlin")),
    ),
    "md": ("markdown", Options()),
}


@pytest.mark.parametrize("suffix", CASES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_people_read_exactly_this(sample: str, suffix: str, update_goldens: bool) -> None:
    """A change of what people read is seen in review, word by word."""
    name, options = CASES[suffix]
    text = load(GROUP, name).plugin.render(SAMPLES[sample](), options)
    golden = GOLDENS / f"{sample}.{suffix}"
    if update_goldens:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")

    assert golden.read_text(encoding="utf-8") == text
