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
