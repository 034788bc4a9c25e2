"""Teaching the scanner (`json_native`) how lines are counted that `json_full` has read, and having it scan ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator

from flowdiag.parserkit import FlowSink
from flowdiag_parsers.hubble.json_codes import BARE, NO_END, Code, Family, Laned, Refused, Way
from flowdiag_parsers.hubble.json_hot import Flow
from flowdiag_parsers.hubble.json_memory import Memory
from flowdiag_parsers.hubble.json_native import ROW_BYTES, Found, Scanner, Stretch, places_of
from flowdiag_parsers.hubble.json_run import is_utf8

__all__ = ["Teaching"]

_MAX_UNTAUGHT = 1_000
"""After so many lines in a row that the scanner cannot be taught, it is given up: they are another encoder's, with
white space."""
_IN_VAIN, _MOST_LEFT = 4, 32
"""If so many lines in a row taught nothing about the ones behind them, so many are read at a time."""
_MAX_AHEAD = 4
"""Blocks that are scanned before they are asked for."""
_STRETCH_BYTES = 1 << 20
"""Of a file that the scanner's thread reads, about."""
_FEWEST, _MOST = 2, 32
"""Such stretches that may wait to be asked for: few at first, since what is learnt of one serves the ones behind these,
and many once little is left of each, so that thread and reader need not keep step: these take the thread 25 ms."""
_LITTLE = _STRETCH_BYTES >> 3
"""Bytes of a stretch that are left."""


class Teaching:
    """A scanner, and what the numbers that it was given stand for; valid as long as its `Memory`."""

    def __init__(self, scanner: Scanner, memory: Memory) -> None:
        self._scanner = scanner
        self._memory = memory
        self._numbers: dict[tuple[int, int], int] = {}
        self._family_numbers: dict[tuple[int, bool, int], int] = {}
        self._services: dict[str | None, int] = {None: -1}
        self._service_names: list[str] = []
        self._untaught = 0
        self._ahead: deque[bytes] = deque()
        self.laned: list[Laned] = []
        """By number: records that go to lanes."""
        self.families: list[Family] = []
        """By number: records that are alike but for their node."""

    @property
    def is_full(self) -> bool:
        """Whether it takes in no more."""
        return self._scanner.is_full

    @property
    def is_in_vain(self) -> bool:
        """Whether the scanner cannot take lines of this form, so that there is no use in asking it."""
        return self._untaught > _MAX_UNTAUGHT

    # -- scanning ----------------------------------------------------------------------------------

    def begin(self, data: bytes, *, bare: bool) -> None:
        """Begin in a thread to scan a block that `scan` is asked for later; what is learnt meanwhile serves `again` only."""
        if len(self._ahead) < _MAX_AHEAD and self._scanner.begin(data, bare):
            self._ahead.append(data)

    def scan(self, data: bytes, *, bare: bool) -> Found:
        """Take the lines that are known of a block; `bare` ones have no wrapper."""
        while any(one is data for one in self._ahead):
            found = self._scanner.finish()
            if found is None:
                # This is a fork of the process that began it.
                self._ahead.clear()
            elif self._ahead.popleft() is data:
                return self._taken(Found(*found))
        return self._taken(Found(*self._scanner.scan(data, bare)))

    def read(self, file: int, start: int, end: int | None, idle: Callable[[], object]) -> Generator[Stretch]:
        """Have the thread read a file from `start`, where a line begins, to `end`, and yield what it took and left of it.

        It ends where the scanner can go no further, perhaps at once.  `idle` is called where the thread is waited for.

        Raises:
            OSError: the file cannot be read.
        """
        scanner = self._scanner
        # Nobody comes for blocks that were begun before.
        self._ahead.clear()
        scanner.open(file, start, -1 if end is None else end)
        most = _FEWEST
        try:
            waiting = 0
            while True:
                while waiting < most and scanner.go_on(_STRETCH_BYTES):
                    waiting += 1
                if not scanner.is_ready():
                    idle()
                if (read := scanner.read()) is None:
                    return
                waiting -= 1
                stretch = Stretch(*read[:-1], Found(*read[-1]))
                self._taken(stretch.found)
                if stretch.over:
                    yield stretch
                    return
                if len(stretch.text) < _LITTLE and most < _MOST:
                    most += 1
                yield stretch
        finally:
            scanner.close()

    def again(self, data: bytes, left: bytes, sink: FlowSink, *, bare: bool) -> Iterator[Found]:
        """Take those of some left lines that are known by now, and yield after each that is left again.

        The caller then reads that line and teaches it, which may serve the next ones.  Where this has served none for a
        while, many lines are left at a time.  If only the ends of a line are new, they are taught here, and it is not
        left.
        """
        at, size, vain, introduced = 0, len(left) // ROW_BYTES, 0, -1
        if size > _IN_VAIN:
            # Where only ends are new, as in an export of much outside traffic, it then takes many lines at a time.
            begins, ends, _ = places_of(left)
            for begin, end in zip(begins, ends, strict=True):
                self._introduce(data, begin, end, sink, bare=bare)
        while at < size:
            most = 1 if vain < _IN_VAIN else _MOST_LEFT
            seen, told = self._scanner.again(data, left, at, most, bare)
            at += seen
            found = self._taken(Found(*told))
            vain = vain + 1 if found.is_empty else 0
            if found.left and most == 1 and introduced != at:
                (begin,), (end,), _ = places_of(found.left)
                if self._introduce(data, begin, end, sink, bare=bare):
                    # It is asked about once more.
                    introduced = at
                    at -= 1
                    vain = 0
                    found = found._replace(left=b"")
            yield found

    def _taken(self, found: Found) -> Found:
        if not found.is_empty:
            self._untaught = 0
        return found

    # -- teaching ----------------------------------------------------------------------------------

    def teach(
        self,
        flow: Flow,
        line: bytes,
        at: int,
        ends: tuple[int, int],
        code: Code,
        way: Way,
        flags: int,
        *,
        bare: bool,
    ) -> None:
        """Have the scanner take lines like this one, which was read in full.

        Args:
            flow: what it says.
            line: with its newline.
            at: its time, nanoseconds.
            ends: source and destination as recorded, as `Memory.end` gave them.
            code: its kind and protocol.
            way: one of the code's two.
            flags: bits.
            bare: whether it has no wrapper.
        """
        ip = flow.IP
        if ip is None:
            return
        turned = way is code.turned
        kind, services = way.number, (-1, -1)
        if kind < 0:
            # For records in lanes, the services of the ends only matter when the lane is opened.
            kind = ~self._laned_number(code, way, flags)
        elif way.has_services:
            services = self._serve(ends[::-1] if turned else ends, way)
        l4 = flow.l4
        ports = None if l4 is None else l4.TCP or l4.UDP or l4.SCTP
        arguments = (
            line,
            bare,
            at,
            flow.source,
            flow.destination,
            (ports and ports.source_port) or 0,
            (ports and ports.destination_port) or 0,
            kind,
            turned,
            flags,
            *services,
            self._family_number(code, flags, turned=turned),
        )
        unmet = self._scanner.learn(*arguments)
        if unmet > 0:
            if unmet & 1:
                self._meet(ip.source or "", bytes(flow.source), ends[0])
            if unmet & 2:
                self._meet(ip.destination or "", bytes(flow.destination), ends[1])
            unmet = self._scanner.learn(*arguments)
        if unmet:
            self._untaught += 1

    def adopt(
        self, data: bytes, begin: int, end: int, code: Code, way: Way, flags: int, *, bare: bool
    ) -> Laned | None:
        """Have the scanner take lines like this one, which it knew of other nodes only; give its `Laned` if it goes to a lane."""
        if way.number >= 0:
            self._scanner.adopt(data, begin, end, bare, way.number)
            return None
        number = self._laned_number(code, way, flags)
        self._scanner.adopt(data, begin, end, bare, ~number)
        return self.laned[number]

    def _introduce(self, data: bytes, begin: int, end: int, sink: FlowSink, *, bare: bool) -> bool:
        """Tell the scanner of the ends of a line, if they are all that it lacks; say whether that was so."""
        unmet = self._scanner.unmet(data, begin, end, bare)
        if unmet is None:
            return False
        *ends, turned, first, second = unmet
        numbers = []
        for address, whole, known in ends:
            number = known
            if whole is not None:
                met = self._memory.end(address, whole, sink) if is_utf8(whole) else NO_END
                if met == NO_END:
                    return False
                self._meet(address, whole, met)
                number = _number(met)
            numbers.append(number)
        for number, place in zip(reversed(numbers) if turned else numbers, (first, second), strict=True):
            if place >= 0:
                served = self._memory.served_end(number, self._service_names[place], sink)
                self._scanner.serve(number, place, served)
        return True

    def lane(self, record: Refused, number: int, lane: int) -> None:
        """Tell the scanner the lane of records like this one, so that it gives their lane from now on."""
        _, _, src, dst, port, _, _ = record
        self._scanner.lane(src, dst, port, number, lane)

    def _meet(self, address: str, whole: bytes, end: int) -> None:
        self._scanner.meet(address, self._memory.form_of(address, whole), _number(end), end < 0)

    def _serve(self, ends: tuple[int, int], way: Way) -> tuple[int, int]:
        """What the scanner calls the services of two ends, -1 for none."""
        first, second = (
            self._serve_one(_number(end), service) for end, service in zip(ends, way.services, strict=True)
        )
        return first, second

    def _serve_one(self, number: int, service: str | None) -> int:
        place = self._services.get(service)
        if place is None:
            place = self._services[service] = len(self._service_names)
            self._service_names.append(service or "")
        if service is not None:
            self._scanner.serve(number, place, self._memory.served_as(number, service))
        return place

    def _laned_number(self, code: Code, way: Way, flags: int) -> int:
        number = self._numbers.setdefault((way.key, flags), len(self.laned))
        if number == len(self.laned):
            self.laned.append(Laned(code=code, way=way, flags=flags))
        return number

    def _family_number(self, code: Code, flags: int, *, turned: bool) -> int:
        key = code.number, turned, flags
        number = self._family_numbers.setdefault(key, len(self.families))
        if number == len(self.families):
            self.families.append(Family(code=code, turned=turned, flags=flags))
        return number


def _number(end: int) -> int:
    return BARE - end if end < 0 else end
