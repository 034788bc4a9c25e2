"""Files that were cut while they were read: a log that is rotated by copying it and cutting it to nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source

__all__ = ["shrunk"]


def shrunk(sources: Iterable[Source]) -> Iterator[InputProblem]:
    """Problems for files that are smaller now than when they were found: it is not known how much of them was read.

    A file that is gone either was open when it was renamed, or could not be opened, which is reported elsewhere.
    """
    for one in sources:
        if one.remote or one.spooled or one.whole is not None:
            continue
        try:
            now = Path(one.path).stat().st_size
        except OSError:
            continue
        if now < one.size:
            yield InputProblem(
                one.name,
                "shrunk",
                f"has {now:,} bytes and had {one.size:,} when it was found: it was cut or replaced while it was "
                "read, and may not be here whole",
            )
