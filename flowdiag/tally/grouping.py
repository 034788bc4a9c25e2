"""Sorted columns of numbers: where runs of the same number begin, and sums over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = [
    "I32",
    "I64",
    "U8",
    "U16",
    "U64",
    "Ints",
    "Mask",
    "alike",
    "collapsed",
    "distinct",
    "first_of_runs",
    "mapped",
    "mapping",
    "none",
    "padded",
    "ranges",
]

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
U16 = NDArray[np.uint16]
U8 = NDArray[np.uint8]
Ints = NDArray[np.signedinteger[Any]]
"""Of either width."""
Mask = NDArray[np.bool_]
Number = TypeVar("Number", bound=np.integer[Any])


def none(kind: DTypeLike) -> NDArray[Any]:
    """An empty column."""
    return np.empty(0, kind)


def padded(column: NDArray[Number], more: int, value: int) -> NDArray[Number]:
    """`column` with `more` times `value` behind it."""
    return np.concatenate((column, np.full(more, value, column.dtype)))


def first_of_runs(column: NDArray[Any]) -> I64:
    """Where each run of equal numbers of a sorted column begins."""
    if not len(column):
        return none(np.int64)
    return np.flatnonzero(np.concatenate(([True], column[1:] != column[:-1])))


def distinct(column: NDArray[Number]) -> NDArray[Number]:
    """Each number of a column once, in order; `numpy.unique` would load masked arrays first, which takes 10 ms."""
    in_order = np.sort(column, kind="stable")
    return in_order[first_of_runs(in_order)]


def ranges(begin: I64, end: I64) -> I64:
    """The numbers of each range from `begin` to below `end`, one range after the other."""
    sizes = end - begin
    before = np.cumsum(sizes) - sizes
    return np.repeat(begin - before, sizes) + np.arange(sizes.sum())


def mapped(column: Ints, given: Callable[[int], int], kind: DTypeLike = np.int64) -> NDArray[Any]:
    """`given` for each number, called once per distinct number."""
    if not len(column):
        return none(kind)
    used = np.zeros(int(column.max()) + 1, bool)
    used[column] = True
    table = np.zeros(len(used), kind)
    table[used] = [given(number) for number in np.flatnonzero(used).tolist()]
    return table[column]


def mapping(whole: Sequence[object], given: Callable[[int], int], *used: Ints) -> list[int]:
    """`given` for each place of `whole` that is used, -1 for the others."""
    found = [-1] * len(whole)
    for number in distinct(np.concatenate(used)).tolist():
        found[number] = given(number)
    return found


def alike(*columns: Ints) -> tuple[I64, I64]:
    """Find rows that agree in all columns: the index of one row of each kind, and for every row the number of its kind."""
    order = np.lexsort(columns)
    differs = np.zeros(len(order), bool)
    if len(order):
        differs[0] = True
    for column in columns:
        differs[1:] |= column[order[1:]] != column[order[:-1]]
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(differs) - 1
    return order[differs], number


def collapsed(column: U64, counts: I64) -> tuple[U64, I64]:
    """A sorted column with each number once, and the sum of its counts."""
    starts = first_of_runs(column)
    if len(starts) == len(column):
        return column, counts
    return column[starts], np.add.reduceat(counts, starts)
