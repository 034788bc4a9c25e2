"""Stored reports by name: what may never end, or is none."""

from pathlib import Path

import pytest

from flowdiag.cli.stored import stored_report
from flowdiag.model.errors import InputError


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_device_is_told_by_its_beginning():
    """Nothing more is read of it."""
    with pytest.raises(InputError, match="not a flowdiag report"):
        stored_report("/dev/zero")
