"""The extension in C: done without where it is missing or another version's, and what it is lent it gives back."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from flowdiag.parserkit.native import native


@pytest.fixture
def _asked_anew():
    native.cache_clear()
    yield
    native.cache_clear()


@pytest.mark.usefixtures("_asked_anew")
@pytest.mark.parametrize(
    "installed", [None, SimpleNamespace(), SimpleNamespace(INTERFACE=1), SimpleNamespace(INTERFACE=1_000)]
)
def test_another_version_is_not_used(installed, monkeypatch):
    """None installed, one from before there were numbers, an older and a newer one."""
    monkeypatch.setitem(sys.modules, "flowdiag_native", installed)

    assert native() is None


def test_objects_of_ends_are_let_go():
    """Those that newer ones took the place of at their address, and all with the scanner."""
    compiled = native()
    if compiled is None:
        pytest.skip("flowdiag_native is not installed (make native; it wants a C compiler)")
    ends = [b'{"identity":%d}' % number for number in range(7)]

    def held():
        return [sys.getrefcount(ends[place]) for place in range(len(ends))]

    before = held()
    scanner = compiled.Scanner(bytes(65_536), 1)
    for _ in range(2):
        for number in range(len(ends)):
            scanner.meet("10.0.0.1", ends[number], number, False)
    assert [now - then for now, then in zip(held(), before, strict=True)] == [0, 0, 0, 1, 1, 1, 1]

    del scanner
    assert held() == before


MARKS = b"0r", b"0l"
RECORD = (b"10:00", b"5", b"web", b"", b"40000", b"", b"80", b"", b"", b"", b"", b"")
KNOWN = {b"\xff".join((b"web", b"", b"", b"", b"", b"", b"80", b"0", b"0l")): 7}


def asked(records, *, paired=False, more_lines=0, known=KNOWN, times=None):
    """What `count_known` is asked, and the lists that it appends to."""
    lists = tuple([] for _ in range(11))
    seconds, flags = {b"10:00": (1_000, MARKS)}, {b"": (2, b"0")}
    return (
        records,
        paired,
        more_lines,
        seconds,
        flags,
        known,
        times,
        MARKS,
        (b"3r", b"3l"),
        (b"2r", b"2l"),
        {},
        lists,
    ), lists


@pytest.fixture
def count_known():
    compiled = native()
    if compiled is None:
        pytest.skip("flowdiag_native is not installed (make native; it wants a C compiler)")
    return compiled.count_known


def test_known_records_are_counted_up_to_one_that_is_not(count_known):
    """Records before `position` were seen to."""
    other = (*RECORD[:2], b"api", *RECORD[3:])
    given, lists = asked([other, RECORD, RECORD, other, RECORD])

    assert count_known(given, 1, 0) == (3, 0, False)
    assert lists[:3] == ([7, 7], [500_001_000] * 2, [2, 2])
    assert not any(lists[3:])


@pytest.mark.parametrize(
    ("piece", "text"),
    [
        (0, b"10:01"),
        (1, b"1234567890"),
        (1, b"x"),
        (2, b""),
        (4, b"80"),
        (4, b"65536"),
        (6, b"50000"),
        (6, b"443"),
        (9, b"SYN"),
        (10, b"w" * 5_000),
    ],
)
def test_what_is_unusual_is_left(count_known, piece, text):
    """A second, fraction or flags that are not known, no head, ports that do not tell who serves, a long piece."""
    record = (*RECORD[:piece], text, *RECORD[piece + 1 :])
    given, lists = asked([record])

    assert count_known(given, 0, 0) == (0, 0, False)
    assert not any(lists)


def test_refused_and_plain_records_have_lists_of_their_own(count_known):
    """As `flowdiag.parserkit.known_lines.Memory.lanes` tells them apart; records of several lines are told by their first."""
    record = (b"", b"", b"web\nmore", *RECORD[3:])
    key = b"\xff".join((b"web\nmore", b"", b"", b"", b"", b"", b"80", b"0", b"0l"))
    given, lists = asked([record, record], more_lines=2, known={key: ~5}, times=[0, 0, 0, 0, 30, 0, 0, 0, 40])
    assert count_known(given, 0, 4) == (2, 12, False)
    assert lists[6:] == ([5, 5], [30, 40], [40_000, 40_000], [2, 2], [4, 8])
    assert given[10] == {4: b"web\nmore", 8: b"web\nmore"}

    plain = -(1 << 32) - 1 - 3
    given, lists = asked([(9, record)], paired=True, known={key.replace(b"0l", b"3l"): plain})
    assert count_known(given, 0, 0) == (1, 0, False)
    assert lists[3:6] == ([3], [-1], [2])


@pytest.mark.parametrize(
    "records", [[None], [()], [RECORD[:5]], [(1, 2)], [tuple(map(bytes.decode, RECORD))], [(3, RECORD)]]
)
@pytest.mark.parametrize("paired", [False, True])
def test_what_is_no_record_is_an_error(count_known, records, paired):
    """Nothing is read past the end of anything."""
    given, _ = asked(records, paired=paired)
    if paired and records == [(3, RECORD)]:
        assert count_known(given, 0, 0) == (1, 0, False)
        return
    with pytest.raises((SystemError, TypeError, IndexError)):
        count_known(given, 0, 0)
    with pytest.raises((SystemError, IndexError)):
        count_known(given, -1, 0)
