"""Keeping a table within its limits, by rules whose result does not depend on the order of records or merges.

A flow stays exact if its hash is among the smallest of its group (flows that agree in all but port and outside
address), and below a threshold that is halved until the number of such flows fits.  The flows below a threshold only
grow in number, so a threshold that a part needed, the whole needs, too; and a flow that is dropped once would also be
dropped in the end.  The counts of a dropped flow go to its group's remainder.  The number of remainders is bounded by
the same rule, and the counts of those beyond it are pooled by verdict and cause, of which there are few.
"""

from __future__ import annotations

from itertools import compress

import numpy as np

from flowdiag.tally.exact import Exact, exact
from flowdiag.tally.folding import rebuilt
from flowdiag.tally.grouping import I64, U64, Mask, alike, first_of_runs, mapped
from flowdiag.tally.groups import Cell, Groups
from flowdiag.tally.table import BITS, EXACT, FOLDED, REFUSED, Table

__all__ = ["compacted"]


_IDLE = 25_000
"""Ends and shapes without a lane; up to so many do not justify making a new table without them."""


def compacted(table: Table) -> Table | None:
    """Give a new table within the limits; ``None`` where `table` is within them already and has little to leave out."""
    return _Bounds(table).compacted()


class _Bounds:
    """Applies the limits of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._groups = Groups(table)
        self._cutoffs = dict(table.cutoffs)

    def compacted(self) -> Table | None:
        """See the module."""
        table, limits = self._table, self._table.limits
        keys = [key for key in table.lanes if key[0] == EXACT]
        lanes = exact(keys, table.columns.parts())
        gone = self._over_group(lanes)
        refused = self._refused()[lanes.shapes]
        table.refused_bits = self._over_all(lanes, gone, refused, limits.flows, table.refused_bits)
        table.allowed_bits = self._over_all(lanes, gone, ~refused, limits.allowed_flows, table.allowed_bits)
        del refused
        lost = np.flatnonzero(gone)
        pooling = self._bound_remainders(self._groups.of_cells(lanes.some(lost)))
        of_columns, of_keys = gone[: len(table.columns)], gone[len(table.columns) :].tolist()
        idle = table.numbered - self._numbered_of(lanes) if table.numbered > _IDLE else 0
        # Of a large table, these columns take the most memory.
        del lanes
        self._strip_texts({key[1:5] for key, is_lost in zip(keys, of_keys, strict=True) if not is_lost})
        if not len(lost) and not pooling and idle <= _IDLE:
            return None
        lost_keys = {key for key, is_lost in zip(keys, of_keys, strict=True) if is_lost}
        return rebuilt(self._groups, lost_keys, np.flatnonzero(of_columns), self._cutoffs)

    def _numbered_of(self, lanes: Exact) -> int:
        """Count the ends and shapes that these lanes use, and those of the remainders and pools."""
        ends, shapes = np.zeros(len(self._table.peers), bool), np.zeros(len(self._table.shapes), bool)
        ends[lanes.srcs] = ends[lanes.dsts] = shapes[lanes.shapes] = True
        for level, src, dst, _, shape, _ in self._table.lanes:
            if level != EXACT:
                ends[src] = ends[dst] = shapes[shape] = True
        return int(np.count_nonzero(ends)) + int(np.count_nonzero(shapes))

    def _refused(self) -> Mask:
        return np.array([one.shape.verdict in REFUSED for one in self._table.shapes], bool)

    def _over_group(self, lanes: Exact) -> Mask:
        """Find the lanes of flows beyond those that their groups may keep."""
        limits = self._table.limits
        gone = np.zeros(len(lanes.srcs), bool)
        looked_at = self._worth_looking(lanes)
        near = lanes.some(looked_at)
        first, of_lanes = alike(near.shapes, near.ports, near.dsts, near.srcs)
        cells = near.some(first)
        groups = self._groups.of_cells(cells)
        first, number = alike(groups.shapes, groups.dsts, groups.srcs)
        most = np.where(
            self._refused()[groups.shapes[first]], limits.refused_per_group, limits.allowed_per_group
        ).astype(np.int64)
        members = np.flatnonzero((np.bincount(number, minlength=len(first)) > most)[number])
        if not len(members):
            return gone
        dropped = np.zeros(len(number), bool)
        order = np.lexsort((self._groups.cell_hashes(cells, members), number[members]))
        of_group = number[members][order]
        begin = first_of_runs(of_group)
        rank = np.arange(len(order)) - np.repeat(begin, np.diff(begin, append=len(order)))
        dropped[members[order]] = rank >= most[of_group]
        # The hash of the last flow that stays: a flow with a greater one will never stay.
        for last in members[order][rank == most[of_group] - 1].tolist():
            group = int(groups.srcs[last]), int(groups.dsts[last]), int(groups.shapes[last])
            self._cutoffs[group] = int(self._groups.cell_hashes(cells, np.array([last]))[0])
        gone[looked_at] = dropped[of_lanes]
        return gone

    def _worth_looking(self, lanes: Exact) -> I64:
        """Find the lanes whose groups may have too many flows: of crowded pairs, or with an end that is folded."""
        limits = self._table.limits
        looked_at = _crowded(lanes, min(limits.refused_per_group, limits.allowed_per_group))
        for ends in (lanes.srcs, lanes.dsts):
            looked_at |= mapped(ends, self._groups.fold, np.int32) != ends
        for ends in (lanes.srcs, lanes.dsts):
            looked_at |= mapped(ends, self._groups.takes_others, bool)
        return np.flatnonzero(looked_at)

    def _over_all(self, lanes: Exact, gone: Mask, among: Mask, most: int, bits: int) -> int:
        """Drop the flows beyond the threshold at which `most` of them stay; give the threshold's bits."""
        left = np.flatnonzero(among & ~gone).astype(np.int32)
        if not len(left) or (len(left) <= most and bits == BITS):
            return bits
        # All lanes of a flow have the same hash; two flows with the same hash would stay or go together.
        hashes = np.empty(len(left), np.uint64)
        for start in range(0, len(left), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            hashes[some] = self._groups.cell_hashes(lanes, left[some])
        distinct = np.sort(hashes)
        distinct = distinct[np.concatenate(([True], distinct[1:] != distinct[:-1]))]
        bits = _bits(distinct, most, bits)
        del distinct
        if bits < BITS:
            hashes >>= np.uint64(bits)
            gone[left[hashes > 0]] = True
        return bits

    def _bound_remainders(self, fresh: Exact) -> bool:
        """Set the thresholds for remainders, with those of `fresh`; say whether some remainder has to go."""
        table = self._table
        known = {(src, dst, None, shape) for level, src, dst, _, shape, _ in table.lanes if level == FOLDED}
        all_of_them = fresh.and_these(list(known))
        first, _ = alike(all_of_them.shapes, all_of_them.dsts, all_of_them.srcs)
        distinct = all_of_them.some(first)
        refused = self._refused()[distinct.shapes]
        limits = table.limits
        one = distinct.some(np.flatnonzero(refused))
        table.folded_bits, over = self._remainders(one, limits.folded, table.folded_bits)
        other = distinct.some(np.flatnonzero(~refused))
        table.allowed_folded_bits, over_too = self._remainders(
            other, limits.allowed_folded, table.allowed_folded_bits
        )
        return over or over_too

    def _remainders(self, groups: Exact, most: int, bits: int) -> tuple[int, bool]:
        """Give the bits of the threshold at which `most` of some groups stay, and whether one of them has to go."""
        if len(groups.srcs) <= most and bits == BITS:
            return bits, False
        hashes = np.sort(self._groups.group_hashes(groups))
        bits = _bits(hashes, most, bits)
        return bits, bits < BITS and bool((hashes >> np.uint64(bits)).any())

    def _strip_texts(self, cells: set[Cell]) -> None:
        """Keep examples' text for a bounded number of flows, those of smallest hash."""
        table = self._table
        most = table.limits.example_texts
        refused = [cell for cell in cells if table.unit(cell[3]) == 1]
        if len(refused) <= most and table.text_bits == BITS:
            return
        hashes = self._groups.cell_hashes(exact([]).and_these(refused), np.arange(len(refused)))
        table.text_bits = _bits(np.sort(hashes), most, table.text_bits)
        if table.text_bits == BITS:
            return
        over = (hashes >> np.uint64(table.text_bits) > 0).tolist()
        without = set(compress(refused, over))
        for (level, src, dst, port, shape, _), lane in table.lanes.items():
            if level == EXACT and (src, dst, port, shape) in without:
                lane.forget_texts()


def _crowded(lanes: Exact, most: int) -> Mask:
    """Find the lanes of pairs of ends that have more than `most` lanes; a few others may be among them."""
    # The product may overflow 32 bits: any drawer will do, as long as a pair always has the same.
    pairs = (lanes.srcs * np.int32(_STRIDE) + lanes.dsts) & np.int32(_DRAWERS - 1)
    crowded: Mask = (np.bincount(pairs, minlength=_DRAWERS) > most)[pairs]
    return crowded


_AT_ONCE = 1 << 15
"""Lanes that are hashed at a time, since that takes a dozen columns of the same length."""
_DRAWERS = 1 << 18
_STRIDE = 40_503
"""Odd, so that neighbouring pairs fall into different drawers."""


def _bits(hashes: U64, most: int, bits: int) -> int:
    """Give `bits`, or the largest smaller number with at most `most` of the sorted hashes below ``2 ** bits``."""
    while bits and (len(hashes) if bits == BITS else np.searchsorted(hashes, np.uint64(1 << bits))) > most:
        bits -= 1
    return bits
