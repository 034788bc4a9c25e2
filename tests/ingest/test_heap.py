"""Memory that is let go goes back to the system, where that can be set."""

import platform
import subprocess
import sys

import pytest

from flowdiag.ingest.heap import return_freed_memory

HELD = """
import sys
from pathlib import Path
from flowdiag.ingest.heap import return_freed_memory


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20


if sys.argv[1] == "set":
    return_freed_memory()
# A large block that is freed teaches glibc to take such blocks into its heap, and a small one above keeps them there.
del bytearray(16 << 20)[:]
blocks = [bytearray(b"x") * (1 << 20) for _ in range(100)]
pin = [bytes(100_000) for _ in range(2)]
before = resident()
del blocks
print(before - resident())
"""


def test_large_blocks_go_back():
    """Of a hundred megabytes nearly all, also below what is still held."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc is asked")
    done = subprocess.run([sys.executable, "-c", HELD, "set"], capture_output=True, text=True, check=True)

    assert int(done.stdout) > 90


def test_a_python_without_ctypes_does_without(monkeypatch):
    """Nothing is set and nothing is said."""
    monkeypatch.setitem(sys.modules, "ctypes", None)

    return_freed_memory()


FAULTS = """
import resource, sys
from flowdiag.ingest.heap import MERGING, return_freed_memory

return_freed_memory(*([MERGING] if sys.argv[1] == "merging" else []))
column = bytearray(b"x") * 1_900_000
# What is held above keeps the room where it was.
pin = [bytes(100_000) for _ in range(2)]
del column
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    bytearray(b"x") * 1_900_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_columns_of_a_merge_are_not_mapped_anew():
    """A quarter of a million lanes make a column of two megabytes: of a hundred such, one after another, each page is cleared once."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc is asked")
    merging, mapped = (
        int(
            subprocess.run(
                [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("merging", "mapped")
    )

    assert mapped > 100 * 400
    assert merging < 4 * 500
