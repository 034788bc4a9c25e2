"""Having the allocator give memory back to the system.

A run holds large columns and blocks for short times, again and again.  glibc maps large blocks and unmaps them when they
are freed.  But with each such block it raises the size from which it does so, up to 32 MB, and smaller blocks come from
its heap, of which little is given back.  Half of a worker's memory on 4 GB of flows was such holes (392 MB, of which 205
are left).
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["MERGING", "return_freed_memory", "trim"]

# malloc.h of glibc 2.1 and later; setting the first also ends its growth, and the second's with it (mallopt(3)).
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_MAPPED = 1 << 18
_ON_TOP = 1 << 23
"""Free bytes that stay at the heap's end.  With 128 KiB, glibc's first value, a block of records that is freed there is
given back, and each of its pages is cleared for the next block: a third of the time of looking for refusals."""

MERGING = 1 << 21
"""For a process that merges and reports: columns of some hundred thousand lanes come and go there by the hundred, and each would
be mapped and cleared anew.  They leave holes of some megabytes, where blocks of records would leave many."""


def return_freed_memory(least: int = _MAPPED) -> None:
    """Have this process map every block of `least` bytes or more on its own; nothing where that cannot be set.

    For commands and worker processes: the allocator of a program that uses flowdiag as a library is its own affair.
    """
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, least)
        mallopt(_M_TRIM_THRESHOLD, _ON_TOP)


def trim() -> None:
    """Give pages that are free by now back: what a parser remembered, before its tally is packed for sending."""
    malloc_trim = _function("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _function(name: str) -> Any:
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        return getattr(ctypes.CDLL(None), name)
    except (ImportError, OSError, AttributeError):
        # A Python built without libffi, one that is linked statically, or musl, which has no such function.
        return None
