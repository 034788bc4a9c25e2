"""Which files belong to which bundle."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from flowdiag.ingest.bundles.hints import Hint, Layout, stamp
from flowdiag.ingest.bundles.layouts import LAYOUTS
from flowdiag.ingest.reading import Source

__all__ = ["recognise"]

# "cilium-sysdump-20240501-101112", "diags-20240501_101112", "calico-diagnostics-20240501_101112"
_STAMP = re.compile(r"(?:sysdump|diags|diagnostics|bundle)[-_](\d{8}[-_]\d{6})")


def recognise(sources: Sequence[Source]) -> dict[str, Hint]:
    """What layouts say of the sources, by `Source.name`.

    Every source has an entry; one that stands in no recognised bundle has an empty hint, but for the
    time in the name of a folder or archive around it.
    """
    by_root: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        by_root[source.root].append(source)
    hints: dict[str, Hint] = {}
    for root, members in by_root.items():
        tops = [(layout, top, when) for layout in LAYOUTS for top, when in _tops(layout, members)]
        for source in members:
            named = _STAMP.search(f"{root}/{source.place}")
            hints[source.name] = _hint(source, tops, stamp(named[1]) if named else None)
    return hints


def _tops(layout: Layout, members: Sequence[Source]) -> list[tuple[str, int | None]]:
    """Folders in which the layout's tree begins, with the time of collection, the deepest first."""
    found: dict[str, set[int]] = defaultdict(set)
    when: dict[str, int | None] = {}
    for source in members:
        for index, mark in enumerate(layout.marks):
            match = mark.search(source.place)
            if match is None:
                continue
            groups = match.groupdict()
            found[groups["top"]].add(index)
            when[groups["top"]] = when.get(groups["top"]) or stamp(groups.get("stamp"))
    whole = [top for top, marks in found.items() if len(marks) == len(layout.marks)]
    return [(top, when[top]) for top in sorted(whole, key=lambda top: (-len(top), top))]


def _hint(source: Source, tops: list[tuple[Layout, str, int | None]], taken: int | None) -> Hint:
    for layout, top, when in tops:
        if not source.place.startswith(top):
            continue
        below = source.place[len(top) :]
        for rule in layout.rules:
            match = rule.pattern.match(below)
            if match is None:
                continue
            groups = match.groupdict()
            return Hint(
                layout=layout.name,
                role=rule.role,
                prefer=rule.prefer,
                node=groups.get("node"),
                namespace=groups.get("namespace"),
                pod=groups.get("pod"),
                container=groups.get("container"),
                taken=when or taken,
            )
        return Hint(layout=layout.name, taken=when or taken)
    return Hint(taken=taken)
