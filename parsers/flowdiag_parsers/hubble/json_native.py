"""The scanner in C (`parsers/native`), where it is installed: it counts lines that are like ones already read.

It decides nothing by itself: `json_full` has read a like line in full before, and taught the scanner how it is counted.
Without the scanner all lines are read in full.
"""

from __future__ import annotations

from os import urandom
from typing import NamedTuple, Protocol, cast

from msgspec import Raw

from flowdiag.parserkit import native, port_kinds

__all__ = ["ROW_BYTES", "Found", "Scanner", "Stretch", "new_scanner", "places_of"]


Answer = tuple[str, tuple[str, ...], int, int]
"""Of DNS: name, addresses, seconds that it is good for or -1, nanoseconds."""
Rows = list[list[int]]
"""Numbers of lines by column."""
_PLACE, _HIT, _LANED, _AKIN = 3, 7, 9, 11
ROW_BYTES = _PLACE * 8
"""Of `Found.left`."""
_Told = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, int, int, bytes, list[Answer]]


Unmet = tuple[tuple[str, bytes | None, int], tuple[str, bytes | None, int], bool, int, int]
"""Source and destination as recorded: address, the bytes of one that was not met, the number of one that was.  Whether they are turned round, and the numbers of the services beside them then, -1 for none."""


class Found(NamedTuple):
    """What a scan took, and what it left."""

    sources: bytes
    """This and the following fields are the columns of `FlowSink.waiting`, as bytes."""
    destinations: bytes
    ports: bytes
    kinds: bytes
    times: bytes
    flags: bytes
    hits: bytes
    """Rows of what goes to known lanes one by one; `hits_of`."""
    laned: bytes
    """Rows of what goes to other lanes; `laned_of`."""
    akin: bytes
    """Rows of what is known but for its node; `akin_of`."""
    first: int
    """Nanoseconds; of everything taken, as is the last."""
    last: int
    left: bytes
    """Rows of what is to be read in full; `places_of`."""
    answers: list[Answer]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was taken."""
        return not (self.times or self.hits or self.laned or self.akin)

    def hits_of(self) -> Rows:
        """As `places_of`, and lane, time, the other port (-1 for none) and flags."""
        return _by_column(self.hits, _HIT)

    def laned_of(self) -> Rows:
        """As `places_of`, and source, destination, port, the other port (0 for none), a number of `Teaching.laned`, time."""
        return _by_column(self.laned, _LANED)

    def akin_of(self) -> Rows:
        """As `laned_of`, with a number of `Teaching.families`, and where the node's name begins and its size."""
        return _by_column(self.akin, _AKIN)


class Stretch(NamedTuple):
    """Lines of a file that the scanner's thread read."""

    text: bytes
    """Those of which `found` gives the places in this text."""
    numbers: bytes
    """For each of them 64 bits: how many lines were read before it."""
    place: int
    """Byte of the file where the line begins that comes next."""
    newlines: int
    """Of all lines that were read."""
    bare: bool
    """They were taken for lines without a wrapper."""
    over: bool
    """The next line, if any, is to be read otherwise."""
    found: Found


_Read = tuple[bytes, bytes, int, int, bool, bool, _Told]


class Scanner(Protocol):
    """What `flowdiag_native.Scanner` does; see its docstrings."""

    @property
    def is_full(self) -> bool:
        """Whether it takes in no more."""

    def scan(self, data: bytes, bare: bool, /) -> _Told:
        """What `Found` has, in its order."""

    def again(self, data: bytes, places: bytes, at: int, most: int, bare: bool, /) -> tuple[int, _Told]:
        """The same of some lines that were left, until so many are left again; and how many were looked at."""

    def begin(self, data: bytes, bare: bool, /) -> bool:
        """Scan in a thread; whether there is one."""

    def finish(self) -> _Told | None:
        """What `begin` began; ``None`` in a fork of the process that did."""

    def open(self, file: int, start: int, end: int, /) -> None:
        """Have a file read by the thread; raises OSError."""

    def go_on(self, most: int, /) -> bool:
        """Read so many bytes more of it; whether there is a thread."""

    def is_ready(self) -> bool:
        """Whether `read` would not have to wait."""

    def read(self) -> _Read | None:
        """What `go_on` began, as `Stretch` has it; ``None`` in a fork of the process that did.  Raises OSError."""

    def close(self) -> None:
        """Let go of the file."""

    def meet(self, address: str, whole: bytes, number: int, bare: bool, /) -> None:
        """Remember an end."""

    def learn(
        self,
        line: bytes,
        bare: bool,
        time: int,
        source: Raw,
        destination: Raw,
        source_port: int,
        destination_port: int,
        kind: int,
        turned: bool,
        flags: int,
        source_service: int,
        destination_service: int,
        family: int,
        /,
    ) -> int:
        """Remember what a line came to, if its ends were met."""

    def adopt(self, data: bytes, begin: int, end: int, bare: bool, kind: int, /) -> None:
        """Remember what a line came to that was known of other nodes."""

    def lane(self, source: int, destination: int, port: int, kind: int, lane: int, /) -> None:
        """Remember the lane of records of `Found.laned`."""

    def unmet(self, data: bytes, begin: int, end: int, bare: bool, /) -> Unmet | None:
        """Say which ends and services it must be told of before it takes a line; ``None`` where it lacks more than these."""

    def serve(self, number: int, service: int, result: int, /) -> None:
        """Remember an end with its service."""


def places_of(left: bytes) -> Rows:
    """Where each line of `Found.left` begins and ends, and which it is of its block, from 0 on."""
    return _by_column(left, _PLACE)


def _by_column(rows: bytes, width: int) -> Rows:
    numbers = memoryview(rows).cast("q").tolist()
    return [numbers[place::width] for place in range(width)]


def new_scanner() -> Scanner | None:
    """One that knows nothing yet; ``None`` where none is installed."""
    module = native()
    if module is None:
        return None
    return cast("Scanner", module.Scanner(port_kinds(), int.from_bytes(urandom(8), "little")))
