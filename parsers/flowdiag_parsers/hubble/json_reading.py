"""Reading a plain file in the scanner's thread (`json_native`): most of its bytes never become Python's."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import BinaryIO, NamedTuple

from flowdiag.parserkit import FileLines, FlowSink
from flowdiag_parsers.hubble.json_learnt import Learnt, learnt_in
from flowdiag_parsers.hubble.json_native import Found
from flowdiag_parsers.hubble.json_teaching import Teaching

__all__ = ["Read", "read_lines"]


class Read(NamedTuple):
    """What was found in lines that were read, for whoever folds them."""

    found: Found
    bare: bool
    """They were taken for lines without a wrapper."""
    learnt: Learnt
    """By what."""

    def of(self, learnt: Learnt) -> Teaching:
        """The teaching by which it is to be understood.

        Raises:
            RuntimeError: what was known has been forgotten since, which must not be.
        """
        if learnt is not self.learnt or learnt.teaching is None:
            raise RuntimeError("lines were read by what is no longer known")
        return learnt.teaching


def read_lines(
    file: BinaryIO,
    start: int,
    end: int | None,
    sink: Callable[[], FlowSink],
    idle: Callable[[], object],
) -> Iterator[FileLines]:
    """Read what the scanner can, as long as it is of use; see `flowdiag.parserkit.Parser`.

    Where the sink has forgotten what was learnt, or it is time to, what was read by it is read again.
    """
    place: int | None = start
    while place is not None:
        learnt = learnt_in(sink())
        teaching = learnt.teaching_of_file()
        if teaching is None:
            return
        begun = place
        with closing(_read_by(learnt, teaching, file.fileno(), begun, end, idle)) as read:
            place = None
            for lines in read:
                yield lines
                if learnt_in(sink()) is not learnt:
                    # What got nowhere, at the file's end, would get nowhere again, each time with a thread of its own.
                    place = lines.place if lines.place > begun else None
                    break


def _read_by(
    learnt: Learnt, teaching: Teaching, file: int, start: int, end: int | None, idle: Callable[[], object]
) -> Generator[FileLines]:
    try:
        for stretch in teaching.read(file, start, end, idle):
            yield FileLines(
                data=stretch.text,
                before=memoryview(stretch.numbers).cast("q").tolist(),
                newlines=stretch.newlines,
                place=stretch.place,
                found=Read(stretch.found, stretch.bare, learnt),
            )
            if teaching.is_in_vain:
                return
    except OSError:
        return  # whoever reads the rest comes to the same place, and says what is wrong there
